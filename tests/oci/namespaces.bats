#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Namespaces: new ones, the host's, and others' by path.

load bundle.bash

ns() { readlink "/proc/${2:-self}/ns/$1"; }

@test "new ones: pid, network, mount, ipc, uts, cgroup, user differ from the host's" {
    configure '.linux.namespaces += [{type: "cgroup"}, {type: "user"}] |
        .linux.uidMappings = [{containerID: 0, hostID: 0, size: 65536}] | .linux.gidMappings = .linux.uidMappings'
    script <<<'for n in pid net mnt ipc uts cgroup user; do readlink /proc/self/ns/$n; done; echo $$; ls /sys/class/net 2>/dev/null'
    attached
    [ "$status" -eq 0 ]
    for kind in pid net mnt ipc uts cgroup user; do
        no grep -qxF "$(ns $kind)" <<<"$output"
    done
    [ "${lines[7]}" = 1 ]
}

@test "those that are not listed are the host's" {
    configure '.linux.namespaces = [{type: "mount"}] | del(.hostname) | .mounts |= map(select(.type != "sysfs" and .type != "mqueue"))'
    script <<<'for n in pid net ipc uts user; do readlink /proc/self/ns/$n; done'
    attached
    [ "$status" -eq 0 ]
    for kind in pid net ipc uts user; do
        grep -qxF "$(ns $kind)" <<<"$output"
    done
}

@test "by path: network, ipc, uts, cgroup, pid of another process" {
    unshare --net --ipc --uts --cgroup --pid --fork --kill-child sh -c 'hostname other; echo up >"$0"; exec sleep 1010' "$dir/up" 3>&- &
    holder=$!
    wait_until test -s "$dir/up"
    other=$(pgrep -P "$holder")
    configure --arg p "/proc/$other/ns" '.linux.namespaces = [{type: "mount"}, {type: "network", path: "\($p)/net"}, {type: "ipc", path: "\($p)/ipc"},
        {type: "uts", path: "\($p)/uts"}, {type: "cgroup", path: "\($p)/cgroup"}, {type: "pid", path: "\($p)/pid"}] | del(.hostname)'
    script <<<'for n in net ipc uts cgroup pid; do readlink /proc/self/ns/$n; done; hostname'
    attached
    expected=$(for kind in net ipc uts cgroup pid; do ns $kind "$other"; done; echo other)
    kill -KILL "$holder"
    [ "$output" = "$expected" ]
}

@test "by path: user and network namespaces of one who was mapped" {
    unshare --user --net --map-root-user sh -c 'echo up >"$0"; exec sleep 1011' "$dir/up" 3>&- &
    holder=$!
    wait_until test -s "$dir/up"
    chmod -R a+rwX "$bundle"
    configure --arg p "/proc/$holder/ns" '.linux.namespaces = [{type: "mount"}, {type: "pid"}, {type: "uts"}, {type: "ipc"},
        {type: "user", path: "\($p)/user"}, {type: "network", path: "\($p)/net"}] |
        .mounts |= map(.options |= map(select(startswith("gid=") | not)))'
    script <<<'readlink /proc/self/ns/user; readlink /proc/self/ns/net; id -u'
    attached
    expected=$(ns user "$holder"; ns net "$holder"; echo 0)
    kill -KILL "$holder"
    [ "$status" -eq 0 ]
    [ "$output" = "$expected" ]
}

@test "a path that is no namespace, or of another kind, or is missing is refused" {
    program true
    for path in /dev/null /proc/self/ns/uts /no/such /proc/self/root; do
        configure --arg path "$path" '.linux.namespaces |= map(if .type == "network" then .path = $path else . end)'
        refused
    done
    nothing_left
}

@test "unknown and doubled namespaces are refused" {
    program true
    configure '.linux.namespaces += [{type: "nonsense"}]'
    refused
    configure '.linux.namespaces |= map(select(.type != "nonsense")) + [{type: "network"}]'
    ours_only "the specification asks for an error"
    refused network
}

@test "user mappings: what is root inside is another outside" {
    chown -R 100000:100000 "$bundle/rootfs"
    chmod 711 "$dir"
    configure '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 10000}, {containerID: 10000, hostID: 200000, size: 10}]
        | .linux.gidMappings = [{containerID: 0, hostID: 100000, size: 10000}]'
    script <<<'id -u; cat /proc/self/uid_map | tr -s " "; touch /shared/made; mkdir /tmp/x && stat -c %u /tmp/x; exec sleep 1012'
    detached
    wait_until test -e "$dir/shared/made"
    cat "$dir/out"
    [ "$(stat -c %u "$dir/shared/made")" = 100000 ]
    [ "$(awk '/^Uid:/ {print $2}' "/proc/$(in_state .pid)/status")" = 100000 ]
    grep -qx ' 0 100000 10000' "$dir/out"
    grep -qx ' 10000 200000 10' "$dir/out"
    inside id -u
    [ "$output" = 0 ]
}

@test "user mappings: none, too many, overlapping are refused" {
    program true
    configure '.linux.namespaces += [{type: "user"}]'
    refused
    configure '.linux.uidMappings = [{containerID: 0, hostID: 1000, size: 10}, {containerID: 5, hostID: 5000, size: 10}] | .linux.gidMappings = .linux.uidMappings'
    refused
    configure '.linux.uidMappings = [range(341) | {containerID: ., hostID: (1000 + .), size: 1}] | .linux.gidMappings = .linux.uidMappings'
    refused
    nothing_left
}

@test "mappings without a user namespace are refused" {
    program true
    configure '.linux.uidMappings = [{containerID: 0, hostID: 1000, size: 10}] | .linux.gidMappings = .linux.uidMappings'
    ours_only "what cannot be honoured is named"
    refused mapping
}

@test "a pid namespace of the host: the program is not first, and ends with delete" {
    configure '.linux.namespaces |= map(select(.type != "pid"))'
    script <<<'echo $$'
    attached
    [ "$output" -gt 1 ]
}

@test "loopback is up in a new network namespace" {
    script <<<'ip addr show lo 2>/dev/null | grep -c "inet 127.0.0.1"; cat /proc/net/dev | grep -c :'
    attached
    [ "$output" = $'1\n1' ]
}

@test "no mount namespace is refused, and nothing is mounted" {
    ours_only "others mount on the host"
    configure '.linux.namespaces |= map(select(.type != "mount"))'
    program true
    before=$(wc -l </proc/self/mountinfo)
    attached
    [ "$status" -ne 0 ]
    [ "$(wc -l </proc/self/mountinfo)" = "$before" ]
}

# Seen to fail: the program ran in the host's root.
@test "without a mount namespace the root is entered all the same, and its mounts go with the container" {
    configure 'del(.linux.maskedPaths, .linux.readonlyPaths) | .linux.namespaces |= map(select(.type != "mount"))'
    script <<<'ls -d /shared /home/user /boot; readlink /proc/self/ns/mnt; echo x >/dev/null; sleep 1000'
    detached
    wait_until grep -q mnt "$dir/out"
    cat "$dir/out"
    no grep -q /boot "$dir/out"
    grep -qx /home/user "$dir/out"
    [ "$(tail -1 "$dir/out")" = "$(readlink /proc/self/ns/mnt)" ]
    grep -q "$bundle/rootfs/shared" /proc/self/mountinfo
    oci delete --force "$id"
    no grep -q "$bundle/rootfs" /proc/self/mountinfo
    for edit in '.root.readonly = true' '.linux.rootfsPropagation = "private"' '.linux.maskedPaths = ["/x"]' '.linux.readonlyPaths = ["/x"]'; do
        cp "$bundle/config.json" "$dir/before"
        configure "$edit"
        refused "mount namespace"
        mv "$dir/before" "$bundle/config.json"
    done
}
