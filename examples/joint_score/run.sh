#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The three parties of this example, as three processes started from one shell. The job is score.toml,
# or the one that is named: ./run.sh decision.toml
set -euo pipefail
cd "$(dirname "$0")"
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT

for party in bank tax_office power_utility; do
    [ -e "keys/$party.key" ] || mpc init "$party" --folder keys
done

job=${1:-score.toml}
mpc score tax_office.toml "$job" &
mpc score power_utility.toml "$job" &
mpc score bank.toml "$job"
wait
cat scores.csv
