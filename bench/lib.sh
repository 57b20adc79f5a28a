# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034 # used by the scripts
# What the benchmark scripts share. BENCH_BUILD: where the programs were built; OUT: where JSON goes.
build=$(readlink -f "${BENCH_BUILD:?run bench/run.sh}")
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
out=${OUT:-}
cpu=${BENCH_CPU:-1}
skerry=$build/src/cli/skerry
work=$(mktemp -d /tmp/skerry-bench-XXXXXX)
daemon=

clean() {
    daemon_stop
    rm -rf "$work"
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

note() {
    printf '\n== %s   (load %s)\n' "$*" "$(cut -d' ' -f1-3 /proc/loadavg)"
}

bench() { # NAME OPTIONS...: one of our programs
    local name=$1
    shift
    "$build/bench/bench-$name" ${out:+-o "$out"} "$@"
}

daemon_start() { # COMMAND...: through which it is started (env: as it is); sets daemon, url, address, SKERRY_STATE
    export SKERRY_STATE=$work/state
    : >"$work/serving"
    "$@" "$build/src/control/skerryd" --state "$SKERRY_STATE" --listen 127.0.0.1:0 \
        >"$work/serving" 2>"$work/daemon.log" &
    daemon=$!
    until url=$(sed -n 's/^skerryd: serving on //p' "$work/serving") && [ -n "$url" ]; do
        kill -0 "$daemon" || { cat "$work/daemon.log" >&2; exit 1; }
        sleep 0.05
    done
    address=${url#http://}
}

daemon_stop() {
    [ -n "$daemon" ] || return 0
    kill -TERM "$daemon" 2>/dev/null || true
    wait "$daemon" 2>/dev/null || true
    daemon=
}

deploy() {
    "$skerry" deploy "$@" >"$work/deploy" 2>&1 || { cat "$work/deploy" >&2; exit 1; }
}

# load URL CONNECTIONS SECONDS: wrk, whose figures come back as one JSON object
load() {
    local threads=$(($2 < 2 ? 1 : 2))
    wrk -t "$threads" -c "$2" -d "$3" -s "$here/wrk.lua" --timeout 10s "$1" | sed -n 's/^JSON //p'
}

# conditions NAME: the JSON fields that tell when and on what a result was measured
conditions() {
    jq -n --arg name "$1" --arg when "$(date -u +%Y-%m-%dT%H:%M:%SZ)" --arg commit "$BENCH_COMMIT" \
        --arg kernel "$(uname -r)" --arg cpu "$BENCH_CPU_MODEL" --arg load "$(cat /proc/loadavg)" \
        --argjson cpus "$(nproc)" '{benchmark: $name, when: $when, commit: $commit, kernel: $kernel,
            cpu: $cpu, cpus: $cpus, load_average: ($load / " " | .[0:3] | map(tonumber))}'
}

# result NAME FILE: writes OUT/NAME.json from the conditions and the object in FILE
result() {
    [ -n "$out" ] || return 0
    jq -s '.[0] + .[1]' <(conditions "$1") "$2" >"$out/$1.json"
}
