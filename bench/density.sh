#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Many tenants at once. One sends a request every 5 ms, alone and beside another's flood of 500
# connections over five functions: of a program that computes for 100 ms, of one that does nothing, of
# bodies of a megabyte, of clients that send a byte every 100 ms. The
# light client runs before all others on its CPU, the flooding clients weigh little (cgroup cpu, where it
# can be had): they stand for other machines.
#
#   DENSITY_SECONDS=8 DENSITY_ROUNDS=3
set -euo pipefail
# shellcheck source=bench/lib.sh
source "$(dirname "$0")/lib.sh"
seconds=${DENSITY_SECONDS:-8} rounds=${DENSITY_ROUNDS:-3}
floods=() group=

clients_group() { # the flooding clients' cgroup
    group=/sys/fs/cgroup/cpu/bench-$$
    if mkdir "$group" 2>/dev/null; then
        echo 64 >"$group/cpu.shares"
    else
        group=
    fi
}

flood() { # NAME OPTIONS...: over the five functions of that name
    local i name=$1
    shift
    for i in 1 2 3 4 5; do
        (
            [ -z "$group" ] || echo 0 >"$group/cgroup.procs"
            exec "$build/bench/bench-load" "$address" "/function/$name$i.heavy" -c 100 "$@"
        ) >"$work/flood$i" &
        floods+=($!)
    done
}

flood_end() {
    wait "${floods[@]}" # not in a subshell, whose children they are not
    floods=()
    jq -sc '[.[].answers | to_entries[]] | group_by(.key) | map({key: .[0].key, value: (map(.value) | add)}) | from_entries' \
        "$work"/flood[1-5] >"$work/flood"
}

light() { # CASE ROUND
    chrt -f 10 "$build/bench/bench-load" "$address" /function/light.light -t "$seconds" -p 5000 -r 100 |
        jq -c --arg case "$1" --argjson round "$2" '{case: $case, round: $round} + .' >"$work/light"
    jq -r '"  \(.case): n \(.n)  p50 \(.p50_us)  p99 \(.p99_us)  max \(.max_us) us  answers \(.answers)"' "$work/light"
}

measure() { # CASE ROUND FLOOD-NAME OPTIONS...
    flood "${@:3}" -t $((seconds + 3))
    sleep 2
    light "$1" "$2"
    flood_end
    jq -c --slurpfile flood "$work/flood" '. + {flood: $flood[0]}' "$work/light" | tee -a "$work/rows" |
        jq -r '"    the flood: \(.flood)"'
}

trap 'clean; [ -z "$group" ] || rmdir "$group" || true' EXIT
clients_group
note "many tenants"
daemon_start env
deploy light --tenant light --exec "$build/bench/bare"
for i in 1 2 3 4 5; do
    deploy "tiny$i" --tenant heavy --exec "$build/bench/bare"
    deploy "spin$i" --tenant heavy --exec "$build/bench/bare-spin"
    deploy "large$i" --tenant heavy --exec /bin/cat
done
for round in $(seq "$rounds"); do
    light "alone" "$round"
    cat "$work/light" >>"$work/rows"
    measure "beside a flood of computing" "$round" spin
    measure "beside a flood of tiny requests" "$round" tiny
    measure "beside a flood without patience" "$round" tiny -r 1
    measure "beside a flood of large bodies" "$round" large -b 1000000
    measure "beside a flood of slow clients" "$round" large -b 1000 -d 100
done
jq -s '{unit: "us", rows: .}' "$work/rows" >"$work/json"
result density "$work/json"
[ -z "${DENSITY_KEEP:-}" ] || cp "$SKERRY_STATE/logs/access.log" "$work/daemon.log" "$DENSITY_KEEP"
