#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# skerry-oci beside crun and runc: the same bundle, in turns (A B C A B C ...), pinned to one CPU: run; create +
# start + delete; exec; each with and without podman's default seccomp profile; run after 100 ms of rest; a hundred
# containers in a row and at once; system calls and execs of a run; the runtime's memory; a pod by CRI.
#
# Crun wants either cgroup v1 or v2; where both are mounted, the empty v2 hierarchy is hidden from all three.
# Their states are on a tmpfs, as /run is.
set -Eeuo pipefail
trap 'echo "oci.sh: line $LINENO failed: $BASH_COMMAND" >&2' ERR
if [ -z "${OCI_BENCH_INSIDE-}" ]; then
    OCI_BENCH_INSIDE=1 exec unshare --mount --propagation private "$0" "$@"
fi
[ ! -e /sys/fs/cgroup/unified/cgroup.procs ] || umount /sys/fs/cgroup/unified
[ ! -d /sys/fs/cgroup/unified ] || mount -t tmpfs none /sys/fs/cgroup/unified
# shellcheck source=bench/lib.sh
source "$(dirname "$0")/lib.sh"
runs=${OCI_RUNS:-300} many=${OCI_MANY:-100} rested=${OCI_RESTED:-30} pods=${OCI_PODS:-20}
cp "$build/bench/bare" "$work/bare"
mkdir "$work/states"
mount -t tmpfs none "$work/states"
finish() {
    local one
    for one in "$work"/states/*/exec-*; do
        [ ! -d "$one" ] || call "$(basename "$(dirname "$one")")" delete --force "$(basename "$one")" || true
    done
    umount -l "$work/states"
    clean
}
trap finish EXIT

declare -A runtime=([skerry-oci]=$build/src/oci/skerry-oci)
who=(skerry-oci)
for name in crun runc; do
    if path=$(command -v $name); then
        runtime[$name]=$path
        who+=("$name")
    else
        echo "$name: not installed, left out" >&2
    fi
done

make_bundle() { # DIR: the libc-free program and, to have something that waits, busybox
    mkdir -p "$1/rootfs/proc" "$1/rootfs/dev" "$1/rootfs/sys" "$1/rootfs/bin"
    cp "$work/bare" "$1/rootfs/bare"
    cp /bin/busybox "$1/rootfs/bin/busybox"
    ln -sf busybox "$1/rootfs/bin/sleep"
    (cd "$1" && "${runtime[skerry-oci]}" spec)
    jq '.ociVersion = "1.0.2" | .process.terminal = false | .process.args = ["/bare"] | .hostname = "bench" | .process.env = ["PATH=/bin"]
        | .linux.namespaces |= (map(select(.type != "cgroup")) + [{type: "cgroup"}])' "$1/config.json" >"$work/config"
    mv "$work/config" "$1/config.json"
}

# The profile that podman has, as the runtime specification writes one, for the capabilities of the bundle.
with_profile() { # BUNDLE PROFILE
    jq --slurpfile p "$2" '(.process.capabilities.bounding) as $caps | $p[0] as $p | .linux.seccomp = {
        defaultAction: $p.defaultAction, defaultErrnoRet: ($p.defaultErrnoRet // 1),
        architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        syscalls: [$p.syscalls[] | select(((.includes.caps // []) - $caps | length) == 0
            and ([(.excludes.caps // [])[] | select(. as $c | $caps | index($c))] | length) == 0
            and ((.includes.arches // ["amd64"]) | index("amd64")) and ((.excludes.arches // []) | index("amd64") | not))
            | {names, action} + (if .args then {args: [.args[] | with_entries(select(.value != null))]} else {} end)
            + (if .errnoRet then {errnoRet} else {} end)]}' "$1/config.json" >"$work/config"
    mv "$work/config" "$1/config.json"
}

sleeping() { # BUNDLE: its program waits
    jq '.process.args = ["sleep", "100000"]' "$1/config.json" >"$work/config"
    mv "$work/config" "$1/config.json"
}

call() { # RUNTIME WORDS...
    local name=$1
    shift
    "${runtime[$name]}" --root "$work/states/$name" "$@"
}

make_bundle "$work/plain"
profile=/usr/share/containers/seccomp.json
cp -a "$work/plain" "$work/plain-sleep"
sleeping "$work/plain-sleep"
bundles=(plain)
if [ -e "$profile" ]; then
    cp -a "$work/plain" "$work/seccomp"
    with_profile "$work/seccomp" "$profile"
    cp -a "$work/seccomp" "$work/seccomp-sleep"
    sleeping "$work/seccomp-sleep"
    bundles+=(seccomp)
else
    echo "seccomp: left out: no $profile" >&2
fi

note "OCI runtimes: run, create + start + delete, exec"
for bundle in "${bundles[@]}"; do
    for name in "${who[@]}"; do
        call "$name" run --bundle "$work/$bundle" "warm-$name" >/dev/null </dev/null
        call "$name" run --detach --bundle "$work/$bundle-sleep" "exec-$bundle-$name" >"$work/said" 2>&1 </dev/null || { cat "$work/said"; exit 1; }
    done
done
words=()
for bundle in "${bundles[@]}"; do
    for name in "${who[@]}"; do
        at="${runtime[$name]} --root $work/states/$name"
        words+=("run, $bundle, $name" "$runs" "$at run --bundle $work/$bundle bench"
            "create+start+delete, $bundle, $name" "$((runs / 3 + 1))"
            "$at create --bundle $work/$bundle-sleep bench ; $at start bench ; $at delete --force bench"
            "exec, $bundle, $name" "$((runs / 3 + 1))" "$at exec exec-$bundle-$name /bare")
    done
done
for name in "${who[@]}"; do
    words+=("run after 100 ms of rest, plain, $name" "$rested" "rest 100 ; ${runtime[$name]} --root $work/states/$name run --bundle $work/plain bench")
done
python3 "$here/oci.py" steps "$cpu" "${words[@]}" >"$work/steps"
python3 "$here/oci.py" kernel "$cpu" "$((runs / 3 + 1))" >>"$work/steps"

note "OCI runtimes: $many in a row, and at once"
for _ in $(seq "${OCI_ROUNDS:-3}"); do
    for name in "${who[@]}"; do
        python3 "$here/oci.py" many "$name" "$many" "${runtime[$name]} --root $work/states/$name" "$work/plain-sleep"
    done
done >"$work/many"
for bundle in "${bundles[@]}"; do
    for name in "${who[@]}"; do call "$name" delete --force "exec-$bundle-$name"; done
done

note "OCI runtimes: system calls, execs, memory of one run"
for bundle in "${bundles[@]}"; do
    for name in "${who[@]}"; do
        at=(--root "$work/states/$name" run --bundle "$work/$bundle" counted)
        strace -f -qq -e signal=none -o "$work/trace" "${runtime[$name]}" "${at[@]}" >/dev/null </dev/null
        python3 "$here/oci.py" count "$name, $bundle" "$work/trace" -- "${runtime[$name]}" --root "$work/states/$name" \
            create --bundle "$work/$bundle-sleep" measured
        call "$name" delete --force measured
    done
done >"$work/counts"

: >"$work/pods"
if command -v containerd buildah >/dev/null && /usr/bin/python3 -c 'import grpc, grpc_tools' 2>/dev/null; then
    note "OCI runtimes: a pod by CRI, to the container's start"
    # shellcheck disable=SC2034 # used by containerd.bash
    SRC=$(readlink -f "$here/..")
    # shellcheck source=tests/oci/containerd.bash
    source "$SRC/tests/oci/containerd.bash"
    mkdir -p "$work/c" "$work/cri"
    handlers=()
    for name in "${who[@]}"; do handlers+=("$name=${runtime[$name]}"); done
    trap 'containerd_stop; finish' EXIT
    containerd_start "$work/c" "${runtime[skerry-oci]}" "${handlers[@]}" 3>&2
    box_image "$work/plain/rootfs" "$work/box.tar"
    ctr --address "$address" --namespace k8s.io image import --snapshotter native "$work/box.tar" >/dev/null
    CRI_CACHE=$work/cri /usr/bin/python3 "$SRC/tests/oci/tools/cri.py" "$address" time "$pods" localhost/box:latest "${who[@]}" >"$work/pods"
    containerd_stop
else
    echo "CRI: left out: needs containerd, buildah, python3-grpcio, python3-grpc-tools" >&2
fi

python3 "$here/oci.py" report "$work" >"$work/json"
jq -r '.rows[] | "  \(.name): n \(.n), median \(.p50) \(.unit), p99 \(.p99)" + (if .ratio then ", \(.ratio)x of crun" else "" end)' "$work/json"
jq -r '.cpu_times[] | "  \(.name): \(.cpu_ms) ms of CPU"' "$work/json"
jq -r '.counts[] | "  \(.name): \(.calls) system calls, \(.execs) execs, \(.processes) processes, at most \(.rss_kib) KiB resident while creating"' "$work/json"
result oci "$work/json"
