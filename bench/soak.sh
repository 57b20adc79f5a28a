#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# SOAK requests (20,000) of one kind: soak.sh [bare|warm|vm], each in a fresh sandbox: a libc-free program (default), a
# Python function brought back from its snapshot, one in a machine that is reset; and what is left afterwards: descriptors,
# processes, mounts, namespaces, cgroups, slab and memory of the daemon, before and after. The
# counts are taken when the pool has its size at rest.
set -euo pipefail
# shellcheck source=bench/lib.sh
source "$(dirname "$0")/lib.sh"
kind=${1:-bare}
wanted=${SOAK:-20000}
rest=${SOAK_REST:-20} # seconds until the pool has shrunk

tree() { # PID: it and all below
    local child
    echo "$1"
    # shellcheck disable=SC2013 # one word a process
    for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do tree "$child"; done
}

rss() { # PIDS: KiB
    local total=0 value
    for pid in "$@"; do
        value=$(awk '/^VmRSS:/ {print $2}' "/proc/$pid/status" 2>/dev/null)
        total=$((total + ${value:-0}))
    done
    echo "$total"
}

counts() { # LABEL
    local pids zygotes=() services=() fds=0 pid
    echo 2 >/proc/sys/vm/drop_caches # dentries and inodes that are only cached
    mapfile -t pids < <(tree "$daemon")
    for pid in "${pids[@]}"; do
        fds=$((fds + $(find "/proc/$pid/fd" -mindepth 1 2>/dev/null | wc -l)))
        case $(cat "/proc/$pid/comm" 2>/dev/null) in
        skerryd) services+=("$pid") ;;
        *) zygotes+=("$pid") ;;
        esac
    done
    jq -nc --arg label "$1" --argjson processes "${#pids[@]}" --argjson descriptors "$fds" \
        --argjson services_rss_kib "$(rss "${services[@]}")" \
        --argjson mounts "$(wc -l </proc/self/mountinfo)" \
        --argjson namespaces "$(for pid in "${pids[@]}"; do readlink /proc/"$pid"/ns/* 2>/dev/null || true; done | sort -u | wc -l)" \
        --argjson machine_namespaces "$(lsns -n 2>/dev/null | wc -l)" \
        --argjson cgroups "$(find /sys/fs/cgroup -type d -path "*-$daemon-*" 2>/dev/null | wc -l)" \
        --argjson machine_cgroups "$(awk 'NR > 1 {n += $3} END {print n}' /proc/cgroups)" \
        --argjson slab_kib "$(awk '/^Slab:/ {print $2}' /proc/meminfo)" \
        --argjson available_kib "$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo)" \
        --argjson per_service "$(for pid in "${services[@]}"; do rss "$pid"; done | jq -s .)" \
        '$ARGS.named' | tee -a "$work/counts"
}

note "soak: $wanted requests"
daemon_start env
script='import json, sys; print(json.dumps(sys.stdin.read()))'
case $kind in
bare) deploy bare --exec "$build/bench/bare" ;;
warm) deploy bare --warm yes --host-usr python3 -c "$script" ;;
vm)
    python3 "$here/../examples/python_image.py" "$work/python.tar"
    "$skerry" image import "$work/python.tar" --name python >/dev/null 2>&1
    deploy bare --tier vm --image python -- python3 -m skerry -c "$script"
    ;;
*) echo "soak: bare, warm or vm" >&2 && exit 2 ;;
esac
load "$url/function/bare" 32 3 >/dev/null
sleep "$rest"
counts before
done=0
failed=0
begun=$SECONDS
while [ "$done" -lt "$wanted" ]; do
    left=$((wanted - done))
    seconds=$((left / 3000 + 1))
    [ "$seconds" -le 20 ] || seconds=20
    row=$(load "$url/function/bare" 32 "$seconds")
    done=$((done + $(jq .requests <<<"$row")))
    failed=$((failed + $(jq '.not_2xx + .socket_errors' <<<"$row")))
    echo "$row" >>"$work/loads"
    printf '  %d requests, %d failed\n' "$done" "$failed"
done
took=$((SECONDS - begun))
sleep "$rest"
counts after
jq -n --argjson requests "$done" --argjson failed "$failed" --argjson seconds "$took" \
    --slurpfile counts "$work/counts" --slurpfile loads "$work/loads" \
    '{requests: $requests, failed: $failed, seconds: $seconds, counts: $counts, loads: $loads}' >"$work/json"
[ "$kind" = bare ] && name=soak || name=soak-$kind
result "$name" "$work/json"
