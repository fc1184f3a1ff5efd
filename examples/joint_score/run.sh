#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The three parties of this example, as three processes started from one shell.
set -euo pipefail
cd "$(dirname "$0")"
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT

for party in bank tax_office power_utility; do
    [ -e "keys/$party.key" ] || mpc init "$party" --folder keys
done

mpc score tax_office.toml score.toml &
mpc score power_utility.toml score.toml &
mpc score bank.toml score.toml
wait
cat scores.csv
