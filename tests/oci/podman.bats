#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# podman and buildah with our runtime: images made offline, a store of the test's own.

load bundle.bash

setup_file_more() {
    command -v podman buildah >/dev/null || return 0
    local container
    store=$BATS_FILE_TMPDIR/store
    export store CONTAINERS_CONF=$BATS_FILE_TMPDIR/containers.conf
    mkdir -p "$store"
    # where hard limits cannot be raised, the limits of a pod's first container too must be within ours
    cat >"$CONTAINERS_CONF" <<'TOML'
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=8192:8192"]
default_capabilities = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"]
TOML
    # vfs: an overlay below an overlay is not had everywhere
    container=$(buildah_ from scratch)
    buildah_ copy --quiet "$container" "$base" / >/dev/null
    buildah_ config --cmd '["sh"]' --env PATH=/bin "$container"
    buildah_ commit --quiet "$container" box >/dev/null
    buildah_ rm "$container" >/dev/null
}

setup_more() {
    command -v podman >/dev/null || skip "no podman"
    command -v buildah >/dev/null || skip "no buildah"
}

teardown_more() {
    command -v podman >/dev/null || return 0
    podman_ pod rm --all --force --time 0 >/dev/null 2>&1 || true
    podman_ rm --all --force --time 0 >/dev/null 2>&1 || true
    podman_ volume prune --force >/dev/null 2>&1 || true
}

teardown_file() {
    [ -z "${store-}" ] || awk -v at="$store/" 'index($5, at) == 1 {print $5}' /proc/self/mountinfo | sort -r | xargs -r umount
    # the group that podman puts all of its own below, and leaves; one that is in use stays
    find /sys/fs/cgroup -depth -type d -path '*/libpod_parent*' -exec rmdir {} \; 2>/dev/null || true
}

buildah_() { buildah --root "$store/root" --runroot "$store/run" --storage-driver vfs "$@" 3>&-; }

podman_() {
    podman --root "$store/root" --runroot "$store/run" --storage-driver vfs --tmpdir "$store/tmp" --cgroup-manager=cgroupfs \
        --events-backend=file --runtime "$runtime" "$@" 3>&-
}

podman_run() { podman_ run --network=none "$@"; }

@test "run: output, status, stdin" {
    run --separate-stderr podman_run --rm localhost/box sh -c 'echo out; echo err >&2; exit 6' </dev/null
    say
    [ "$status" -eq 6 ]
    [ "$output" = out ]
    [[ $stderr == err* ]]
    run --separate-stderr podman_run --rm -i localhost/box cat <<<"through"
    [ "$output" = through ]
}

@test "run: a program that is not there is 127, one that cannot be executed 126" {
    run -127 podman_run --rm localhost/box /no/such/program
    say
    run -126 podman_run --rm localhost/box /etc/passwd
    say
}

@test "run: the default profile of seccomp, capabilities, masked paths" {
    run podman_run --rm localhost/box sh -c 'grep -E "Seccomp:|CapEff|NoNew" /proc/self/status; cat /proc/kcore | wc -c; unshare -U true; mount -t tmpfs none /tmp'
    say
    grep -q 'Seccomp:.2' <<<"$output"
    grep -q 'CapEff:.00000000800405fb' <<<"$output"
    grep -qx 0 <<<"$output"
    [ "$status" -ne 0 ]
}

@test "run: limits, user, read-only, devices, tmpfs, sysctl, hostname, environment" {
    run podman_run --rm --memory 64m --pids-limit 50 --cpu-quota 50000 --user 1000:1000 --read-only --device /dev/null:/dev/mine --tmpfs /scratch \
        --sysctl net.ipv4.ip_forward=1 --hostname named -e A=b --cap-drop all localhost/box \
        sh -c 'id -u; hostname; echo $A; cat /proc/sys/net/ipv4/ip_forward; touch /x || echo refused; touch /scratch/x && echo scratch; stat -c %t:%T /dev/mine; grep CapEff /proc/self/status'
    say
    [ "$status" -eq 0 ]
    for line in 1000 named b 1 refused scratch 1:3; do grep -qx "$line" <<<"$output"; done
    grep -q 'CapEff:.0000000000000000' <<<"$output"
}

@test "run --detach, exec, top, pause, unpause, stats, inspect, stop, rm" {
    podman_run --detach --name c1 localhost/box sleep 1000
    run podman_ exec -e X=y -w /home -u 1000 c1 sh -c 'id -u; pwd; echo $X; exit 3'
    say
    [ "$status" -eq 3 ]
    [ "$output" = $'1000\n/home\ny' ]
    podman_ top c1 | grep -q sleep
    podman_ pause c1
    [ "$(podman_ inspect -f '{{.State.Status}}' c1)" = paused ]
    podman_ unpause c1
    podman_ stats --no-stream --format '{{.PIDs}} {{.MemUsage}}' c1 | grep -q '^1 '
    podman_ stop --time 1 c1
    [ "$(podman_ inspect -f '{{.State.ExitCode}}' c1)" = 137 ]
    podman_ start c1
    podman_ kill c1
    podman_ wait c1
    podman_ rm c1
    run podman_ exec -d no-such true
    [ "$status" -ne 0 ]
}

@test "kill with a signal that the program takes" {
    podman_run --detach --name c1 localhost/box sh -c 'trap "exit 42" USR1; touch /tmp/ready; while :; do sleep 0.05; done'
    wait_until podman_ exec c1 test -e /tmp/ready
    podman_ kill --signal USR1 c1
    [ "$(podman_ wait c1)" = 42 ]
}

@test "run --tty and exec --tty" {
    run python3 "$tools/on-terminal.py" --type typed podman --root "$store/root" --runroot "$store/run" --storage-driver vfs --tmpdir "$store/tmp" \
        --cgroup-manager=cgroupfs --events-backend=file --runtime "$runtime" run --network=none --rm -it localhost/box sh -c 'tty; read x; echo "read <$x>"; exit 8'
    say
    [ "$status" -eq 8 ]
    grep -q 'read <typed>' <<<"$output"
    podman_run --detach --name c1 localhost/box sleep 1000
    run podman_ exec --tty c1 tty
    say
    grep -q '/dev/pts/' <<<"$output"
}

@test "volumes: bind, read-only, named, propagation" {
    mkdir "$dir/data"
    echo data >"$dir/data/file"
    run podman_run --rm -v "$dir/data:/data" -v "$dir/data:/ro:ro" -v named:/named localhost/box sh -c 'cat /data/file; touch /data/new; touch /ro/new2 || echo refused; touch /named/x'
    say
    [ "${lines[0]}" = data ]
    grep -q refused <<<"$output"
    [ -e "$dir/data/new" ]
    [ ! -e "$dir/data/new2" ]
    run podman_run --rm -v named:/named localhost/box ls /named
    [ "$output" = x ]
}

@test "a pod: containers share what a pod shares" {
    # the pause image is ours, since none can be fetched
    podman_ pod create --name p --network none --infra-image localhost/box --infra-command "sleep 100000" --share net,ipc,uts
    podman_ run --detach --pod p --name a localhost/box sleep 1000
    podman_ run --detach --pod p --name b localhost/box sleep 1000
    [ "$(podman_ exec a readlink /proc/self/ns/net)" = "$(podman_ exec b readlink /proc/self/ns/net)" ]
    [ "$(podman_ exec a readlink /proc/self/ns/mnt)" != "$(podman_ exec b readlink /proc/self/ns/mnt)" ]
    podman_ pod kill p
    podman_ pod rm --force --time 0 p
}

@test "a healthcheck" {
    podman_run --detach --name c1 --health-cmd 'test -e /tmp/healthy' --health-interval disable localhost/box sleep 1000
    run podman_ healthcheck run c1
    [ "$status" -ne 0 ]
    podman_ exec c1 touch /tmp/healthy
    podman_ healthcheck run c1
}

@test "a user namespace by mapping" {
    run podman_run --rm --uidmap 0:100000:5000 --gidmap 0:100000:5000 localhost/box sh -c 'id -u; cat /proc/self/uid_map | tr -s " "'
    say
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = 0 ]
    [ "${lines[1]}" = " 0 100000 5000" ]
}

@test "CVE-2024-21626 and friends by an image: WORKDIR and symlinks out" {
    run podman_run --rm --workdir /proc/self/fd/7 localhost/box sh -c 'cat ../../../../../../etc/shadow'
    say
    no grep -q root: <<<"$output"
}

@test "init, logs, update of the hosts files, an exit while nobody looks" {
    podman_run --detach --name c1 localhost/box sh -c 'echo logged; exit 11'
    [ "$(podman_ wait c1)" = 11 ]
    podman_ logs c1 | grep -qx logged
    podman_ rm c1
    run podman_run --rm localhost/box cat /etc/hosts
    say
    grep -q 127.0.0.1 <<<"$output"
}

@test "ten at once" {
    for n in $(seq 10); do podman_run --rm localhost/box echo "number $n" >"$dir/out.$n" 2>&1 </dev/null & done
    wait
    for n in $(seq 10); do grep -qx "number $n" "$dir/out.$n" || { cat "$dir/out.$n"; false; }; done
}

@test "buildah run --runtime" {
    container=$(buildah_ from localhost/box)
    run buildah_ run --runtime "$runtime" --isolation oci --network none "$container" -- sh -c 'echo built; touch /made; exit 5'
    say
    [ "$status" -eq 5 ]
    [ "${lines[0]}" = built ]
    buildah_ run --runtime "$runtime" --isolation oci --network none "$container" -- test -e /made
    buildah_ rm "$container"
}

@test "buildah build with RUN" {
    mkdir "$dir/context"
    printf 'FROM localhost/box\nRUN echo text >/made && id -u >>/made\nCMD ["cat", "/made"]\n' >"$dir/context/Containerfile"
    buildah_ build --runtime "$runtime" --isolation oci --network none --tag made "$dir/context"
    run podman_run --rm localhost/made
    say
    [ "$output" = $'text\n0' ]
}
