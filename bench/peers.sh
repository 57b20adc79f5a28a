#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# bench-exit with the peers that this machine has: bwrap, crun, runc, runsc, each with all the
# namespaces that it offers, no network and the same libc-free program.
#
# Crun wants either cgroup v1 or v2; where both are mounted, the empty v2 hierarchy is hidden from the
# peers in a mount namespace of theirs.
set -euo pipefail
# shellcheck source=bench/lib.sh
source "$(dirname "$0")/lib.sh"

make_bundle() {
    mkdir -p "$work/bundle/rootfs"
    cp "$build/bench/bare" "$work/bundle/rootfs/"
    (cd "$work/bundle" && rm -f config.json && runc spec)
    jq '.process.terminal = false | .process.args = ["/bare"] | .root.readonly = true
        | .hostname = "bench"' "$work/bundle/config.json" >"$work/config"
    mv "$work/config" "$work/bundle/config.json"
}

hide_unified() { # sets BENCH_PEER_MOUNTS
    # shellcheck disable=SC2016 # for the inner shell
    unshare -m --propagation private sh -c \
        'umount /sys/fs/cgroup/unified 2>/dev/null; touch "$1"; exec sleep infinity' sh "$work/hidden" &
    hider=$!
    until [ -e "$work/hidden" ]; do sleep 0.05; done
    export BENCH_PEER_MOUNTS=/proc/$hider/ns/mnt
}

peers=()
peer() { # NAME COUNT PROGRAM ARGS...: measured if it works once
    local name=$1 count=$2 program
    shift 2
    program=$(command -v "$1") || { echo "$name: not installed, left out" >&2; return 0; }
    if nsenter --mount="$BENCH_PEER_MOUNTS" "$program" "${@:2}" >/dev/null 2>"$work/peer" </dev/null; then
        peers+=("$name=$count:$program ${*:2}")
    else
        echo "$name: does not run here, left out: $(tail -1 "$work/peer")" >&2
    fi
}

make_bundle
mkdir -p "$work/run"
hide_unified
trap 'kill "$hider" 2>/dev/null || true; clean' EXIT
peer "bwrap, all namespaces" "${PEER_RUNS:-200}" bwrap --unshare-all --cap-drop ALL --clearenv \
    --ro-bind "$work/bundle/rootfs" / /bare
peer "crun run" "${PEER_RUNS:-200}" crun --root "$work/run/crun" run -b "$work/bundle" bench
peer "runc run" "${PEER_RUNS:-200}" runc --root "$work/run/runc" run -b "$work/bundle" bench
peer "runsc run (ptrace)" "$((${PEER_RUNS:-200} / 8 + 2))" runsc --root "$work/run/runsc" --platform=ptrace \
    --network=none --ignore-cgroups run -bundle "$work/bundle" bench
bench exit "$@" "${peers[@]}"
