#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# bench-start twice: with everything on one CPU, daemon included, and with all CPUs.
set -euo pipefail
# shellcheck source=bench/lib.sh
source "$(dirname "$0")/lib.sh"

note "starts, everything on CPU $cpu"
daemon_start taskset -c "$cpu"
deploy bare --exec "$build/bench/bare"
sleep 1
bench start -c "$cpu" -u "$address" "$@"
"$skerry" describe bare --json | jq '{stages, counters, lastStart}' >"$work/json"
result daemon-stages "$work/json"
daemon_stop

note "starts, on all CPUs"
rm -rf "$work/state"
daemon_start env
deploy bare --exec "$build/bench/bare"
sleep 1
bench start -s -all-cpus -u "$address" "$@"
