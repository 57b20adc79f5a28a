#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Resources of config.json as the kernel shows them, and where control groups lie.

load bundle.bash

holding() { # a container whose files can be looked at
    program sleep 1000
    detached
}

@test "memory: limit, reservation" {
    controller memory
    configure '.linux.resources.memory = {limit: 67108864, reservation: 33554432}'
    holding
    [ "$(cgroup_file memory memory.limit_in_bytes memory.max)" = 67108864 ]
    [ "$(cgroup_file memory memory.soft_limit_in_bytes memory.low)" = 33554432 ]
}

@test "memory: a program beyond its limit is killed, and only it" {
    controller memory
    configure '.linux.resources.memory = {limit: 16777216}'
    script <<<'x=$(head -c 100000000 /dev/zero | tr "\0" x); echo survived'
    attached
    [ "$status" -ne 0 ]
    no grep -q survived <<<"$output"
}

@test "memory: disableOOMKiller, swappiness, kernel: honoured, or an error that names it" {
    controller memory
    for property in '{"swappiness": 30}' '{"disableOOMKiller": true}' '{"limit": 67108864, "swap": 134217728}'; do
        configure --argjson property "$property" '.linux.resources.memory = $property'
        program true
        attached
        if [ "$status" -ne 0 ]; then
            grep -Eqi 'swap|oom|memory' <<<"$stderr"
        fi
    done
}

@test "pids" {
    controller pids
    configure '.linux.resources.pids = {limit: 7}'
    script <<<'for i in 1 2 3 4 5 6 7 8 9; do sleep 1000 & done; echo beyond'
    attached
    [ "$status" -ne 0 ]
    configure '.linux.resources.pids = {limit: 12}'
    holding
    [ "$(cgroup_file pids pids.max)" = 12 ]
    oci delete --force "$id"
    configure '.linux.resources.pids = {limit: -1}'
    holding
    [ "$(cgroup_file pids pids.max)" = max ]
}

@test "cpu: shares, quota, period" {
    controller cpu
    configure '.linux.resources.cpu = {shares: 2048, quota: 30000, period: 60000}'
    holding
    case $(cgroup_file cpu cpu.shares cpu.weight) in 2048 | 79) ;; *) false ;; esac
    case $(cgroup_file cpu cpu.cfs_quota_us cpu.max) in 30000 | "30000 60000") ;; *) false ;; esac
    oci delete --force "$id"
    configure '.linux.resources.cpu = {quota: 50000}'
    holding
    case $(cgroup_file cpu cpu.cfs_quota_us cpu.max) in 50000 | "50000 100000") ;; *) false ;; esac
}

@test "cpuset" {
    controller cpuset
    configure '.linux.resources.cpu = {cpus: "0", mems: "0"}'
    script <<<'grep Cpus_allowed_list /proc/self/status'
    attached
    [[ $output == *$'\t'0 ]]
    configure '.linux.resources.cpu = {cpus: "nonsense"}'
    refused
    nothing_left
}

@test "blkio weight and throttling, hugetlb: honoured, or an error that names the property" {
    controller blkio
    configure '.linux.resources.blockIO = {throttleReadBpsDevice: [{major: 254, minor: 0, rate: 1048576}]}'
    program sleep 1000
    holding
    cgroup_file blkio blkio.throttle.read_bps_device io.max | grep -q '254:0.*1048576'
}

@test "hugetlb without its controller is an error that names it" {
    ! grep -qsw hugetlb /sys/fs/cgroup/cgroup.controllers /sys/fs/cgroup/*/cgroup.controllers || skip "there is one, of v2"
    [ ! -d /sys/fs/cgroup/hugetlb ] || skip "there is one"
    ours_only "never silently dropped"
    configure '.linux.resources.hugepageLimits = [{pageSize: "2MB", limit: 4194304}]'
    program true
    refused huge
}

@test "unified on a machine without v2 controllers is an error that names it" {
    [ ! -e /sys/fs/cgroup/cgroup.controllers ] || skip "there are"
    configure '.linux.resources.unified = {"memory.max": "1000000"}'
    program true
    refused 'unified|v2|v1'
    nothing_left
}

@test "cgroupsPath: absolute is below the root of the hierarchy" {
    configure --arg p "/ocitest-above/$id" '.linux.cgroupsPath = $p'
    holding
    [ -n "$(find /sys/fs/cgroup -type d -path "*/ocitest-above/$id")" ]
    grep -q "/ocitest-above/$id" "/proc/$(in_state .pid)/cgroup"
    oci delete --force "$id"
    nothing_left
    find /sys/fs/cgroup -depth -type d -not -fstype tmpfs -name ocitest-above -exec rmdir {} + || true
}

@test "cgroupsPath missing: one of our own, which goes" {
    configure 'del(.linux.cgroupsPath)'
    holding
    pid=$(in_state .pid)
    grep -q "$id" "/proc/$pid/cgroup"
    oci delete --force "$id"
    nothing_left
}

@test "cgroupsPath with .. stays below the hierarchy, or is refused" {
    configure --arg p "/../../../../tmp/$id" '.linux.cgroupsPath = $p'
    program sleep 1000
    oci run --detach --bundle "$bundle" "$id" >"$dir/out" 2>&1 </dev/null || true
    [ ! -e "/tmp/$id" ]
    oci delete --force "$id"
    find /sys/fs/cgroup -depth -type d -not -fstype tmpfs -path "/sys/fs/cgroup/*/tmp" -exec rmdir {} + 2>/dev/null || true
}

@test "two containers in one cgroup: the second does not take the first with it" {
    ours_only "others kill all that is there"
    holding
    pid=$(in_state .pid)
    run oci run --bundle "$bundle" "$id-2" </dev/null
    oci delete --force "$id-2" || true
    kill -0 "$pid"
    is_status running
    grep -q "$id" "/proc/$pid/cgroup"
}

@test "cgroups that the container made below its own are removed with it" {
    configure '.linux.namespaces += [{type: "cgroup"}] | .mounts += [{destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["rw"]}]'
    script <<<'d=$(dirname $(find /sys/fs/cgroup -name cgroup.procs | head -1)); mkdir -p $d/below/deeper && touch /shared/made; sleep 1000'
    detached
    wait_until test -e "$dir/shared/made"
    oci delete --force "$id"
    nothing_left
}

@test "a fork bomb ends with delete --force" {
    controller pids
    configure '.linux.resources.pids = {limit: 100} | .linux.namespaces |= map(select(.type != "pid"))'
    script <<<'touch /shared/x; f() { f | f & }; f; while :; do f 2>/dev/null; done'
    detached
    wait_until test -e "$dir/shared/x"
    oci delete --force "$id"
    nothing_left
}

@test "CVE-2022-0492: no release agent can be set from inside, with or without a cgroup namespace" {
    configure '.mounts += [{destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["ro"]}]'
    # what is written is an empty line: where it goes through, the machine stays as it was
    script <<<'for f in $(find /sys/fs/cgroup -name release_agent); do echo >$f && echo wrote; done
        mkdir /tmp/c; for c in memory pids cpu; do mount -t cgroup -o $c cgroup /tmp/c && echo mounted && echo >/tmp/c/release_agent && echo wrote; done
        unshare -UrmC sh -c "mount -t cgroup -o rdma cgroup /tmp/c && echo mounted; mount -t cgroup -o memory cgroup /tmp/c && echo >/tmp/c/release_agent && echo wrote"; true'
    for namespaces in '[]' '[{type: "cgroup"}]'; do
        configure ".linux.namespaces += $namespaces"
        attached
        no grep -q wrote <<<"$output"
    done
}
