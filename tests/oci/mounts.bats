#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Mounts, propagation, masked and read-only paths, devices.

load bundle.bash

mounted() { # DESTINATION: the mount options and super options the container shows for it
    grep -E "^[0-9]+ [0-9]+ [0-9:]+ [^ ]+ $1 " <<<"$output"
}

mount_tmpfs() { # OPTIONS...: one more tmpfs, at /m
    configure --arg options "$*" '.mounts |= map(select(.destination != "/m")) +
        [{destination: "/m", type: "tmpfs", source: "tmpfs", options: ($options | split(" "))}]'
}

mount_bind() { # SOURCE OPTIONS...: one more, at /m
    local source=$1
    shift
    configure --arg source "$source" --arg options "$*" '.mounts |= map(select(.destination != "/m")) +
        [{destination: "/m", type: "bind", source: $source, options: ($options | split(" "))}]'
}

@test "options of a tmpfs" {
    program cat /proc/self/mountinfo
    mount_tmpfs nosuid nodev noexec ro noatime size=4096k mode=700
    attached
    [ "$status" -eq 0 ]
    mounted /m | grep -q ' ro,nosuid,nodev,noexec,noatime '
    mounted /m | grep -q 'size=4096k,mode=700'
    mount_tmpfs strictatime
    attached
    mounted /m | grep -vq relatime
    mount_tmpfs sync dirsync nodiratime
    attached
    mounted /m | grep -q 'nodiratime'
    mounted /m | grep -q 'sync,dirsync'
}

@test "a later option wins" {
    program cat /proc/self/mountinfo
    mount_tmpfs ro nosuid rw suid
    attached
    mounted /m | grep -q ' rw,'
    no grep -q nosuid <<<"$(mounted /m)"
}

@test "bind: a directory, read-only, with what is below it or without" {
    mkdir -p "$dir/a/b"
    echo x >"$dir/a/file"
    chmod -R a+rwX "$dir/a"
    script <<<'cat /m/file; echo y >/m/new && echo wrote; ls /m'
    mount_bind "$dir/a" bind ro
    attached
    [ "${lines[0]}" = x ]
    no grep -q wrote <<<"$output"
    mount_bind "$dir/a" rbind rw
    attached
    grep -q wrote <<<"$output"
    [ -e "$dir/a/new" ]
}

@test "bind: read-only keeps the flags that the source's mount has" {
    mkdir "$dir/src"
    unshare -m --propagation private bash -c '
        mount -t tmpfs -o nosuid,nodev,noexec none "$3/src" && exec "$0" --root "$1" run --bundle "$2" "$4" </dev/null' \
        "$runtime" "$state" "$bundle" "$dir" "$id" 2>/dev/null || true
    mount_bind "$dir/src" bind ro
    program grep ' /m ' /proc/self/mountinfo
    run --separate-stderr unshare -m --propagation private bash -c '
        mount -t tmpfs -o nosuid,nodev,noexec none "$3/src" && exec "$0" --root "$1" run --bundle "$2" "$4" </dev/null' \
        "$runtime" "$state" "$bundle" "$dir" "$id" 3>&-
    say
    [ "$status" -eq 0 ]
    grep -q ' ro,' <<<"$output"
}

@test "bind: a file, onto a file that is not there" {
    echo content >"$dir/file"
    mount_bind "$dir/file" bind ro
    configure '(.mounts[] | select(.destination == "/m")).destination = "/etc/made/for/it"'
    program cat /etc/made/for/it
    attached
    [ "$output" = content ]
}

@test "bind: a source that is missing is refused" {
    mount_bind "$dir/none" bind
    program true
    refused none
    nothing_left
}

@test "bind: relative sources are below the bundle" {
    mkdir "$bundle/data"
    echo here >"$bundle/data/file"
    mount_bind data bind
    program cat /m/file
    attached
    [ "$output" = here ]
}

@test "rbind keeps what is mounted below; bind does not" {
    mkdir -p "$dir/a/below"
    for kind in rbind bind; do
        mount_bind "$dir/a" $kind
        program ls /m/below
        run --separate-stderr unshare -m --propagation private bash -c '
            mount -t tmpfs none "$3/a/below" && touch "$3/a/below/seen" && exec "$0" --root "$1" run --bundle "$2" "$4" </dev/null' \
            "$runtime" "$state" "$bundle" "$dir" "$id" 3>&-
        say
        [ "$status" -eq 0 ]
        [ $kind = bind ] || [ "$output" = seen ]
        [ $kind = rbind ] || [ -z "$output" ]
    done
}

@test "recursive attributes: rro, rnosuid, rnoexec reach what is below" {
    mkdir -p "$dir/a/below"
    mount_bind "$dir/a" rbind rro rnosuid rnoexec
    program grep ' /m' /proc/self/mountinfo
    run --separate-stderr unshare -m --propagation private bash -c '
        mount -t tmpfs none "$3/a/below" && exec "$0" --root "$1" run --bundle "$2" "$4" </dev/null' \
        "$runtime" "$state" "$bundle" "$dir" "$id" 3>&-
    say
    [ "$status" -eq 0 ]
    [ "$(grep -Ec ' ro,nosuid,(nodev,)?noexec' <<<"$output")" -eq 2 ]
}

@test "propagation of a mount: rslave sees what the host mounts later, rprivate does not" {
    mkdir -p "$dir/a/below"
    for kind in rslave rprivate; do
        script <<<'touch /shared/ready; read x </shared/fifo; ls /m/below'
        rm -f "$dir/shared"/*
        mkfifo -m 666 "$dir/shared/fifo"
        mount_bind "$dir/a" rbind $kind
        run --separate-stderr unshare -m --propagation private bash -c '
            mount --bind "$3/a" "$3/a" && mount --make-shared "$3/a"
            "$0" --root "$1" run --bundle "$2" "$4" </dev/null >"$3/out" 2>&1 &
            until [ -e "$3/shared/ready" ]; do kill -0 $! || exit 3; sleep 0.02; done
            mount -t tmpfs none "$3/a/below" && touch "$3/a/below/later"
            echo >"$3/shared/fifo"; wait' "$runtime" "$state" "$bundle" "$dir" "$id" 3>&-
        say
        cat "$dir/out"
        [ "$status" -eq 0 ]
        [ $kind = rprivate ] || [ "$(<"$dir/out")" = later ]
        [ $kind = rslave ] || [ -z "$(<"$dir/out")" ]
    done
}

@test "rootfsPropagation: nothing of the container reaches the host by default, shared is what it says" {
    program grep ' / ' /proc/self/mountinfo
    configure '.linux.rootfsPropagation = "nonsense"'
    refused
    for kind in private slave; do
        configure --arg kind $kind '.linux.rootfsPropagation = $kind'
        attached
        [ "$status" -eq 0 ]
    done
}

@test "the root file system read-only" {
    configure '.root.readonly = true'
    script <<<'touch /new && echo wrote; touch /tmp/new && echo wrote; grep -c . /etc/passwd; touch /dev/shm/x && echo dev'
    attached
    no grep -q wrote <<<"$output"
    grep -q dev <<<"$output"
}

@test "unknown types of file system and unknown options are refused" {
    program true
    configure '.mounts += [{destination: "/m", type: "nosuchfs", source: "x"}]'
    refused
    configure '.mounts[-1] = {destination: "/m", type: "tmpfs", source: "x", options: ["nosuchoption"]}'
    refused
    nothing_left
}

@test "idmap: files of the host appear as others'" {
    ours_only "runc and crun of this age do not do this by options alone"
    [ "$(stat -f -c %T "$dir")" != tmpfs ] || [ "$(printf '6.3\n%s\n' "$(uname -r)" | sort -V | head -1)" = 6.3 ] ||
        skip "idmapped mounts of tmpfs came with Linux 6.3"
    mkdir "$dir/a"
    touch "$dir/a/f"
    chown 5000:5000 "$dir/a/f"
    configure --arg source "$dir/a" '.mounts += [{destination: "/m", type: "bind", source: $source, options: ["rbind", "idmap"],
        uidMappings: [{containerID: 5000, hostID: 7000, size: 1}], gidMappings: [{containerID: 5000, hostID: 7000, size: 1}]}]'
    program stat -c '%u %g' /m/f
    attached
    [ "$status" -eq 0 ]
    [ "$output" = "7000 7000" ]
}

@test "a cgroup mount shows the container's own, read-only" {
    configure '.linux.namespaces += [{type: "cgroup"}] | .mounts += [{destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup",
        options: ["nosuid", "noexec", "nodev", "relatime", "ro"]}]'
    script <<<'ls /sys/fs/cgroup | head -3; find /sys/fs/cgroup -name "cgroup.procs" | head -1; find /sys/fs/cgroup -maxdepth 2 -name "ocitest*"; cat /proc/self/cgroup;
        for f in $(find /sys/fs/cgroup -name cgroup.procs); do echo $$ >$f && echo wrote; done'
    attached
    [ "$status" -ne 0 ]
    [ -n "${lines[0]}" ]
    no grep -Eq '^/sys/fs/cgroup/.*ocitest' <<<"$output"
    no grep -q wrote <<<"$output"
}

@test "masked paths read as nothing, read-only paths refuse" {
    mkdir "$bundle/rootfs/secret"
    echo s >"$bundle/rootfs/secret/file"
    echo s >"$bundle/rootfs/etc/secret"
    configure '.linux.maskedPaths += ["/secret", "/etc/secret", "/no/such/path"] | .linux.readonlyPaths += ["/home", "/nor/this"]'
    script <<<'ls /secret; cat /etc/secret; ls -A /proc/scsi 2>/dev/null; cat /proc/kcore | wc -c; touch /home/x && echo wrote; echo 1 >/proc/sys/kernel/panic && echo wrote;
        touch /secret/x && echo wrote; echo x >/etc/secret; cat /etc/secret; echo end'
    attached
    [ "$output" = $'0\nend' ]
}

@test "default devices, links, and their rights" {
    configure '.process.user = {uid: 1000, gid: 1000}'
    script <<<'for d in null zero full random urandom tty; do stat -c "%n %t:%T %a" /dev/$d; done
        for l in fd stdin stdout stderr ptmx; do readlink /dev/$l; done
        head -c 3 /dev/zero | wc -c; echo x >/dev/null && echo null; echo x >/dev/full; head -c 1 /dev/urandom | wc -c'
    attached
    for line in '/dev/null 1:3 666' '/dev/zero 1:5 666' '/dev/full 1:7 666' '/dev/random 1:8 666' '/dev/urandom 1:9 666' '/dev/tty 5:0 666' \
        /proc/self/fd /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 pts/ptmx 3 null 1; do
        grep -qxF "$line" <<<"$output"
    done
    grep -q 'No space' <<<"$stderr"
}

@test "devices of config.json, with their rights and owners" {
    configure '.linux.devices = [{path: "/dev/mine", type: "c", major: 1, minor: 3, fileMode: 416, uid: 1000, gid: 2000},
        {path: "/dev/sub/block", type: "b", major: 7, minor: 200, fileMode: 384}, {path: "/dev/pipe", type: "p", fileMode: 438}]'
    program stat -c '%n %F %t:%T %a %u:%g' /dev/mine /dev/sub/block /dev/pipe
    attached
    grep -qxF '/dev/mine character special file 1:3 640 1000:2000' <<<"$output"
    grep -qxF '/dev/sub/block block special file 7:c8 600 0:0' <<<"$output"
    grep -q '^/dev/pipe fifo' <<<"$output"
}

@test "devices outside /dev, and in a user namespace by bind" {
    configure '.linux.devices = [{path: "/opt/null", type: "c", major: 1, minor: 3}]'
    script <<<'stat -c "%t:%T" /opt/null'
    attached
    [ "$output" = 1:3 ]
}

@test "device rules: what is not allowed cannot be opened" {
    controller devices
    configure '.process.capabilities.bounding += ["CAP_MKNOD"] | .process.capabilities.effective = .process.capabilities.bounding |
        .process.capabilities.permitted = .process.capabilities.bounding |
        .linux.resources.devices = [{allow: false, access: "rwm"}, {allow: true, type: "c", major: 10, minor: 229, access: "rw"}] |
        .mounts |= map(if .destination == "/dev" then .options = ["mode=755"] else . end)'
    script <<<'mknod /dev/loop b 7 0; cat /dev/loop; echo loop $?; mknod /dev/kmsg2 c 1 11; head -c1 /dev/kmsg2; echo kmsg $?; cat /dev/null && echo null; head -c 1 /dev/zero >/dev/null && echo zero'
    attached
    no grep -q 'loop 0' <<<"$output"
    no grep -q 'kmsg 0' <<<"$output"
    [[ $output == *$'null\nzero' ]]
    grep -q 'not permitted' <<<"$stderr"
}

@test "device rules: the last that matches decides" {
    controller devices
    configure '.linux.resources.devices = [{allow: true, access: "rwm"}, {allow: false, type: "c", major: 1, minor: 11, access: "r"}] |
        .linux.devices = [{path: "/dev/kmsg2", type: "c", major: 1, minor: 11, fileMode: 438}]'
    script <<<'exec 5</dev/kmsg2 && echo opened; true'
    attached
    no grep -q opened <<<"$output"
}

@test "a mount over / or outside is refused, one with .. stays inside" {
    program true
    configure '.mounts += [{destination: "../../../../m", type: "tmpfs", source: "tmpfs"}]'
    attached
    [ ! -e "$dir/m" ]
    [ ! -e /m ]
    [ -z "$(grep " /m " /proc/self/mountinfo)" ]
}

@test "tmpcopyup: what the image has there is in the tmpfs" {
    configure '.mounts += [{destination: "/etc", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"]}]'
    script <<<'head -1 /etc/passwd; touch /etc/new; stat -f -c %T /etc'
    attached
    [ "${lines[0]}" = root:x:0:0:root:/root:/bin/sh ]
    [ ! -e "$bundle/rootfs/etc/new" ]
}

@test "a hundred mounts" {
    configure '.mounts += [range(100) | {destination: "/many/\(.)", type: "tmpfs", source: "tmpfs", options: ["size=4k"]}]'
    script <<<'grep -c " /many/" /proc/self/mountinfo'
    attached
    [ "$output" = 100 ]
}
