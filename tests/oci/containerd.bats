#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# containerd's runc shim with our runtime, by ctr and by Kubernetes' container runtime interface.

load bundle.bash
load containerd.bash

setup_file_more() {
    local tool
    for tool in containerd ctr buildah; do
        command -v $tool >/dev/null || return 0
    done
    export CRI_CACHE=$BATS_FILE_TMPDIR/cri
    mkdir -p "$CRI_CACHE" "$BATS_FILE_TMPDIR/c"
    box_image "$base" "$BATS_FILE_TMPDIR/box.tar"
    containerd_start "$BATS_FILE_TMPDIR/c" "$runtime"
    export address containerd
    ctr --address "$address" image import --snapshotter native "$BATS_FILE_TMPDIR/box.tar" >/dev/null
    ctr --address "$address" --namespace k8s.io image import --snapshotter native "$BATS_FILE_TMPDIR/box.tar" >/dev/null
}

teardown_file() {
    [ -z "${containerd-}" ] || containerd_stop
}

setup_more() {
    local tool
    for tool in containerd ctr buildah; do
        command -v $tool >/dev/null || skip "no $tool"
    done
    pods=()
}

ctr_() { ctr --address "$address" "$@" 3>&-; }

ctr_run() { # OPTIONS... ID COMMAND...
    ctr_ run --snapshotter native --runc-binary "$runtime" "$@"
}

cri() { /usr/bin/python3 "$tools/cri.py" "$address" "$@" 3>&-; }

needs_cri() { /usr/bin/python3 -c 'import grpc, grpc_tools.protoc' 2>/dev/null || skip "no python3-grpcio, python3-grpc-tools"; }

pod() { # NAME [OPTIONS...]: sets $pod
    pod=$(cri run-pod "$@")
    pods+=("$pod")
}

teardown_more() {
    local one
    for one in "${pods[@]}"; do
        cri stop-pod "$one" && cri remove-pod "$one"
    done
    [ -z "$(find "$BATS_FILE_TMPDIR/c/state" -path '*runtime.v2.task*' -name "$id" 2>/dev/null)" ]
}

@test "ctr run: output, status, environment" {
    run ctr_run --rm --env A=b localhost/box:latest "$id" sh -c 'echo out $A; exit 5'
    say
    [ "$status" -eq 5 ]
    [ "$output" = "out b" ]
}

@test "ctr: run --detach, exec, pause, resume, metrics, kill, delete" {
    ctr_run --detach localhost/box:latest "$id" sleep 100000
    run ctr_ task exec --exec-id e1 "$id" sh -c 'echo inside; hostname; exit 7'
    say
    [ "$status" -eq 7 ]
    [ "${lines[0]}" = inside ]
    ctr_ task pause "$id"
    ctr_ task ls | grep "$id" | grep PAUSED
    ctr_ task resume "$id"
    ctr_ task metrics "$id" | grep -i pids
    ctr_ task ps "$id"
    ctr_ task kill --signal KILL "$id"
    while ! ctr_ task ls | grep "$id" | grep STOPPED; do sleep 0.05; done
    ctr_ task rm "$id" || true
    ctr_ container rm "$id"
}

@test "ctr run --tty" {
    run python3 "$tools/on-terminal.py" --type typed ctr --address "$address" run --rm --tty --snapshotter native \
        --runc-binary "$runtime" localhost/box:latest "$id" sh -c 'tty; read x; echo "read <$x>"'
    say
    grep -q '/dev/\(pts\|console\)' <<<"$output"
    grep -q 'read <typed>' <<<"$output"
}

@test "ctr run with limits, read-only, seccomp's default profile, a mount" {
    mkdir "$dir/data"
    echo data >"$dir/data/file"
    run ctr_run --rm --memory-limit 67108864 --read-only --seccomp --mount "type=bind,src=$dir/data,dst=/data,options=rbind:ro" \
        localhost/box:latest "$id" sh -c 'cat /data/file; grep Seccomp: /proc/self/status; touch /x || echo refused'
    say
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = data ]
    grep -q 'Seccomp:.2' <<<"$output"
    grep -q refused <<<"$output"
}

@test "ctr: a program that is not there is an error with its name" {
    run ctr_run --rm localhost/box:latest "$id" /no/such/program
    say
    [ "$status" -ne 0 ]
    grep -q /no/such/program <<<"$output"
    ctr_ container rm "$id" 2>/dev/null || true
}

@test "CRI: pod, container, exec, status, stop, remove" {
    needs_cri
    pod "$id"
    container=$(cri create "$pod" localhost/box:latest env.A=b -- sleep 100000)
    [ "$(cri status "$container" | jq -r .state)" = CREATED ]
    cri start "$container"
    [ "$(cri status "$container" | jq -r .state)" = RUNNING ]
    run --separate-stderr cri exec "$container" sh -c 'echo $A; echo err >&2; exit 4'
    say
    [ "$status" -eq 4 ]
    [ "$output" = b ]
    [ "$stderr" = err ]
    cri stop "$container" timeout=1
    [ "$(cri status "$container" | jq -r '"\(.state) \(.exit)"')" = "EXITED 137" ]
    cri remove "$container"
}

@test "CRI: exit codes, logs, limits, another user, the default seccomp profile" {
    needs_cri
    mkdir "$dir/logs"
    pod "$id" logs="$dir/logs"
    container=$(cri create "$pod" localhost/box:latest log=c.log user=1000 memory=67108864 -- sh -c 'id -u; grep -E "Seccomp:|NoNew" /proc/self/status; exit 9')
    cri start "$container"
    while [ "$(cri status "$container" | jq -r .state)" = RUNNING ]; do sleep 0.05; done
    cat "$dir/logs/c.log"
    [ "$(cri status "$container" | jq .exit)" = 9 ]
    grep -q 'stdout F 1000' "$dir/logs/c.log"
    grep -q 'Seccomp:.2' "$dir/logs/c.log"
    grep -q 'NoNewPrivs:.1' "$dir/logs/c.log"
}

@test "CRI: two containers of a pod share its namespaces, and its pid namespace when asked" {
    needs_cri
    pod "$id" pid=pod network=pod
    first=$(cri create "$pod" localhost/box:latest name=first -- sleep 100000)
    second=$(cri create "$pod" localhost/box:latest name=second -- sleep 100001)
    cri start "$first"
    cri start "$second"
    run cri exec "$second" sh -c 'ps; hostname; ip addr | grep -c "inet 10.213"'
    say
    grep -q 'sleep 100000' <<<"$output"
    grep -q 'sleep 100001' <<<"$output"
    grep -qx "$id" <<<"$output"
    for kind in net ipc pid; do
        [ "$(cri exec "$first" readlink /proc/self/ns/$kind)" = "$(cri exec "$second" readlink /proc/self/ns/$kind)" ]
    done
    [ "$(cri exec "$first" readlink /proc/self/ns/mnt)" != "$(cri exec "$second" readlink /proc/self/ns/mnt)" ]
}

@test "CRI: sysctls of a pod, update and statistics of a container" {
    needs_cri
    pod "$id" network=pod sysctl.net.ipv4.ip_unprivileged_port_start=80
    container=$(cri create "$pod" localhost/box:latest memory=67108864 -- sleep 100000)
    cri start "$container"
    [ "$(cri exec "$container" cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" = 80 ]
    cri update "$container" memory=83886080
    find /sys/fs/cgroup \( -path "*$container/memory.limit_in_bytes" -o -path "*$container/memory.max" \) -exec cat {} + | grep -qx 83886080
    [ "$(cri stats "$container" | jq '.memory > 0')" = true ]
}

@test "CRI: a program that is not there" {
    needs_cri
    pod "$id"
    container=$(cri create "$pod" localhost/box:latest -- /no/such/program)
    run cri start "$container"
    say
    [ "$status" -ne 0 ]
    grep -q /no/such/program <<<"$output"
}
