#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The five parties of this example, as five processes started from one shell.
set -euo pipefail
cd "$(dirname "$0")"
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT

for party in bank tax_office power_utility lender_b lender_c; do
    [ -e "keys/$party.key" ] || mpc init "$party" --folder keys
done

mpc explain decision.toml
for party in tax_office power_utility lender_b lender_c; do
    mpc decide "$party.toml" decision.toml &
done
mpc decide bank.toml decision.toml
wait
cat decisions.csv
