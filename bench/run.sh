#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# All benchmarks, or those named: make bench [B="start http"] [OUT=DIR] [SOAK=1000000]
#
# Prints tables and writes one JSON file a benchmark, and plots, into OUT (docs/bench). Programs are
# built for release in BUILD-release. Nothing here passes or fails by a time. Takes about ten
# minutes with the default counts; QUICK=1 takes a few samples of each, to see that all of it works.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
all=(start exit oci primitives network vm warm warm_http examples syscalls memory http density cpu profile soak)
[ $# -gt 0 ] || read -r -a chosen <<<"${B:-${all[*]}}"
[ $# -eq 0 ] || chosen=("$@")

if [ "$(id -u)" != 0 ]; then
    echo "bench: needs root: namespaces, cgroups and the kernel's counters" >&2
    exit 1
fi
BENCH_BUILD=${BENCH_BUILD:-${BUILD:-build}-release}
OUT=$(readlink -m "${OUT:-docs/bench}")
BENCH_COMMIT=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
BENCH_CPU_MODEL=$(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -1)
BENCH_CPU=${BENCH_CPU:-$(($(nproc) - 1))}
export BENCH_BUILD OUT BENCH_COMMIT BENCH_CPU_MODEL BENCH_CPU
[ -e "$BENCH_BUILD/build.ninja" ] ||
    meson setup "$BENCH_BUILD" --buildtype=release -Ddebug=true -Dwerror=false -Dtests=disabled >/dev/null
ninja -C "$BENCH_BUILD" --quiet >/dev/null || ninja -C "$BENCH_BUILD"
mkdir -p "$OUT"
printf 'machine: %s, %s CPUs, Linux %s, commit %s\n' "$BENCH_CPU_MODEL" "$(nproc)" "$(uname -r)" "$BENCH_COMMIT"

if [ "${QUICK:-0}" != 0 ]; then
    few=(-n 60)
    export PEER_RUNS=8 FIRSTCALL_RUNS=2 EXAMPLE_RUNS=2 SYSCALL_REQUESTS=50 OCI_RUNS=6 OCI_MANY=5 OCI_RESTED=2 OCI_PODS=2 OCI_ROUNDS=1 SOAK=2000 SOAK_REST=3 \
        CPU_SECONDS=1 WARM_RUNS=20 WARM_SECONDS=1 HTTP_SECONDS=1 HTTP_ROUNDS=1 HTTP_FUNCTIONS=20 DENSITY_SECONDS=2 DENSITY_ROUNDS=1
else
    few=()
fi

program() { # one of our programs by itself
    # shellcheck source=bench/lib.sh
    (source bench/lib.sh && bench "$@")
}

for name in "${chosen[@]}"; do
    case $name in
    start) bench/start.sh "${few[@]}" ;;
    exit) bench/peers.sh -c "$BENCH_CPU" "${few[@]}" ;;
    primitives | network) program "$name" -c "$BENCH_CPU" "${few[@]}" ;;
    vm)
        few_machines=()
        [ "${QUICK:-0}" = 0 ] || few_machines=(10 10)
        python3 bench/vm.py "$BENCH_BUILD" "$OUT/vm.json" "${few_machines[@]}"
        ;;
    warm)
        few_machines=()
        [ "${QUICK:-0}" = 0 ] || few_machines=(20 10)
        python3 bench/warm_vm.py "$BENCH_BUILD" "$OUT/warm.json" "${few_machines[@]}"
        python3 bench/warm_jail.py "$BENCH_BUILD" "$OUT/warm-jail.json" "${few_machines[@]}"
        ;;
    memory)
        program memory -n 100 -s -100 "${MEMORY_ROUNDS:-3}"
        [ "${QUICK:-0}" != 0 ] || program memory -n 1000 "${MEMORY_ROUNDS:-3}"
        ;;
    soak)
        bench/soak.sh
        SOAK=$((${SOAK:-20000} / 10)) bench/soak.sh warm
        [ ! -c /dev/kvm ] || SOAK=$((${SOAK:-20000} / 10)) bench/soak.sh vm
        ;;
    oci | warm_http | examples | syscalls | http | density | cpu | profile) "bench/$name.sh" ;;
    *)
        echo "bench: there is no benchmark '$name', only: ${all[*]}" >&2
        exit 2
        ;;
    esac
done
bench/plot.sh "$OUT"
[ "$OUT" != "$(readlink -m docs/bench)" ] || bench/tables.sh "$OUT" docs/benchmarks.md
printf '\nJSON and plots are in %s\n' "$OUT"
