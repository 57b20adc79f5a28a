#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The process of config.json: user, rights, limits, priorities, and what of the host it may see.

load bundle.bash

@test "user, groups, umask, additional groups" {
    configure '.process.user = {uid: 1000, gid: 1001, umask: 63, additionalGids: [2000, 3000]}'
    script <<<'id -u; id -g; id -G; umask'
    attached
    [ "$output" = $'1000\n1001\n1001 2000 3000\n0077' ]
    configure '.process.user = {uid: 0, gid: 0}'
    script <<<'id -G; umask'
    attached
    [ "$output" = $'0\n0022' ]
}

@test "groups of the caller are not kept" {
    program id -G
    run --separate-stderr setpriv --groups 4,27 "$runtime" --root "$state" run --bundle "$bundle" "$id" </dev/null 3>&-
    say
    [ "$output" = 0 ]
}

@test "capabilities: the five sets" {
    configure '.process.noNewPrivileges = false | .process.capabilities = {
        bounding: ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_SYS_ADMIN"], permitted: ["CAP_CHOWN", "CAP_KILL"], effective: ["CAP_CHOWN"],
        inheritable: ["CAP_KILL"], ambient: ["CAP_KILL"]} | .process.user = {uid: 1000, gid: 1000}'
    program grep Cap /proc/self/status
    attached
    [[ $output == *CapInh:$'\t'0000000000000020* ]]
    [[ $output == *CapBnd:$'\t'00000000002000a1* ]]
    [[ $output == *CapAmb:$'\t'0000000000000020* ]]
    [[ $output == *CapEff:$'\t'0000000000000020* ]]
}

@test "no capabilities at all, as root" {
    configure '.process.capabilities = {}'
    script <<<'grep Cap /proc/self/status; chown 1000 /tmp'
    attached
    [ "$status" -ne 0 ]
    [ "$(grep -c 0000000000000000 <<<"$output")" -eq 5 ]
}

@test "CVE-2022-27650, 2022-29162: inheritable stays empty when not asked for" {
    program grep CapInh /proc/self/status
    attached
    [[ $output == *0000000000000000 ]]
    program sleep 1000
    detached
    inside grep CapInh /proc/self/status
    [[ $output == *0000000000000000 ]]
}

@test "an unknown capability is refused or warned of" {
    configure '.process.capabilities.bounding += ["CAP_NO_SUCH_THING"]'
    program true
    run --separate-stderr oci run --bundle "$bundle" "$id" </dev/null
    say
    grep -q NO_SUCH_THING <<<"$stderr"
}

@test "noNewPrivileges both ways" {
    program grep NoNewPrivs /proc/self/status
    attached
    [[ $output == *1 ]]
    configure '.process.noNewPrivileges = false'
    program grep NoNewPrivs /proc/self/status
    attached
    [[ $output == *0 ]]
}

@test "rlimits" {
    configure '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 100, hard: 200}, {type: "RLIMIT_CORE", soft: 0, hard: 0},
        {type: "RLIMIT_STACK", soft: 1048576, hard: 1048576}, {type: "RLIMIT_FSIZE", soft: 4096, hard: 4096}]'
    script <<<'grep -E "open files|core|stack|file size" /proc/self/limits'
    attached
    grep -Eq 'Max open files +100 +200 ' <<<"$output"
    grep -Eq 'Max core file size +0 +0 ' <<<"$output"
    grep -Eq 'Max stack size +1048576 +1048576 ' <<<"$output"
    grep -Eq 'Max file size +4096 +4096 ' <<<"$output"
}

@test "rlimits: unknown, twice, soft above hard are refused" {
    program true
    configure '.process.rlimits = [{type: "RLIMIT_NOSUCH", soft: 1, hard: 1}]'
    refused
    configure '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 200, hard: 100}]'
    refused
    nothing_left
}

@test "rlimits: the same twice is refused" {
    ours_only "the specification asks for an error"
    program true
    configure '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 10, hard: 10}, {type: "RLIMIT_NOFILE", soft: 20, hard: 20}]'
    refused NOFILE
}

@test "oomScoreAdj" {
    configure '.process.oomScoreAdj = 321'
    program cat /proc/self/oom_score_adj
    attached
    [ "$output" = 321 ]
    configure '.process.oomScoreAdj = 5000'
    refused
}

@test "scheduler" {
    ours_only "of the specification since 1.2"
    configure '.process.scheduler = {policy: "SCHED_BATCH", nice: 7}'
    script <<<'awk "{print \$19, \$41}" /proc/self/stat'
    attached
    [ "$output" = "7 3" ]
    configure '.process.scheduler = {policy: "SCHED_NOSUCH"}'
    refused scheduler
    configure '.process.scheduler = {policy: "SCHED_OTHER", nice: 5, flags: ["SCHED_FLAG_RESET_ON_FORK"]}'
    script <<<'awk "{print \$19}" /proc/1/stat'
    attached
    [ "$output" = 5 ]
}

@test "ioPriority" {
    ours_only "of the specification since 1.1"
    configure '.process.ioPriority = {class: "IOPRIO_CLASS_BE", priority: 6}'
    program ionice -p 1
    attached
    [ "$output" = "best-effort: prio 6" ]
    configure '.process.ioPriority = {class: "IOPRIO_CLASS_IDLE", priority: 0}'
    program ionice -p 1
    attached
    [[ $output == idle* ]]
    configure '.process.ioPriority = {class: "NONSENSE", priority: 0}'
    refused ioPriority
}

@test "execCPUAffinity: the first and the final" {
    ours_only "of the specification since 1.2"
    configure '.process.execCPUAffinity = {initial: "0", final: "0"}'
    program sleep 1000
    detached
    inside grep Cpus_allowed_list /proc/self/status
    [[ $output == *$'\t'0 ]]
    oci delete --force "$id"
    configure '.process.execCPUAffinity = {initial: "nonsense"}'
    run --separate-stderr oci run --bundle "$bundle" "$id"
    [ "$status" -ne 0 ]
}

@test "sysctl of a namespace, and one that is not of a namespace is refused" {
    configure '.linux.sysctl = {"kernel.shm_rmid_forced": "1", "net.ipv4.ip_forward": "1", "net/ipv4/conf/lo/forwarding": "1", "fs.mqueue.msg_max": "7"}'
    script <<<'cat /proc/sys/kernel/shm_rmid_forced /proc/sys/net/ipv4/ip_forward /proc/sys/fs/mqueue/msg_max'
    attached
    [ "$output" = $'1\n1\n7' ]
    before=$(cat /proc/sys/vm/swappiness)
    for name in vm.swappiness kernel.panic kernel.core_pattern; do
        configure --arg name "$name" '.linux.sysctl = {($name): "17"}'
        refused
    done
    [ "$(cat /proc/sys/vm/swappiness)" = "$before" ]
}

@test "sysctl: names that lead elsewhere are refused" {
    for name in 'net.../../vm/swappiness' 'net/../vm/swappiness' 'kernel.shm_rmid_forced/../../vm/swappiness' '' '.' 'net' '/proc/sys/net/ipv4/ip_forward'; do
        configure --arg name "$name" '.linux.sysctl = {($name): "17"}'
        program true
        refused
    done
}

@test "sysctl of a namespace that the container shares with the host is refused" {
    configure '.linux.namespaces |= map(select(.type != "network")) | .linux.sysctl = {"net.ipv4.ip_forward": "0"}'
    program true
    refused
    configure '.linux.namespaces |= map(select(.type != "ipc")) | .linux.sysctl = {"kernel.shmmax": "1000"}'
    refused
}

@test "hostname and domainname" {
    configure '.hostname = "some-name" | .domainname = "some.domain"'
    script <<<'hostname; cat /proc/sys/kernel/domainname'
    attached
    [ "$output" = $'some-name\nsome.domain' ]
    configure '.linux.namespaces |= map(select(.type != "uts"))'
    refused
}

@test "personality" {
    configure '.linux.personality = {domain: "LINUX32"}'
    program uname -m
    attached
    [ "$output" = i686 ]
    configure '.linux.personality = {domain: "NONSENSE"}'
    refused
}

@test "the session is new, the parent's signal mask is not inherited" {
    script <<<'awk "{print \$6, \$1}" /proc/self/stat; grep -E "Sig(Blk|Ign)" /proc/1/status'
    attached
    [[ ${lines[0]} == "1 "* ]]
    [[ $output == *SigBlk:$'\t'0000000000000000* ]]
    run --separate-stderr env --block-signal=USR1 --ignore-signal=USR2 "$runtime" --root "$state" run --bundle "$bundle" "$id" </dev/null 3>&-
    say
    [[ $output == *SigBlk:$'\t'0000000000000000* ]]
}

@test "AppArmor and SELinux labels that the host cannot give are refused" {
    [ ! -d /sys/kernel/security/apparmor ] || skip "AppArmor is here"
    ours_only "never silently dropped"
    configure '.process.apparmorProfile = "some-profile"'
    program true
    refused apparmor
    configure 'del(.process.apparmorProfile) | .process.selinuxLabel = "system_u:system_r:container_t:s0"'
    refused selinux
    configure 'del(.process.selinuxLabel) | .linux.mountLabel = "system_u:object_r:container_file_t:s0"'
    refused label
}

@test "what the machine cannot do is refused by name: intelRdt, windows, solaris, vm, zos" {
    ours_only "never silently dropped"
    program true
    for edit in '.linux.intelRdt = {closID: "x", l3CacheSchema: "L3:0=f"}' '.vm = {kernel: {path: "/k"}}' \
        '.windows = {layerFolders: ["x"]}' '.solaris = {milestone: "x"}' '.process.commandLine = "x"'; do
        jq "$edit" "$bundle/config.json" >"$dir/config.json"
        cp "$bundle/config.json" "$dir/before"
        mv "$dir/config.json" "$bundle/config.json"
        refused
        mv "$dir/before" "$bundle/config.json"
    done
}

@test "timens offsets" {
    [ -e /proc/self/ns/time ] || skip "no time namespaces"
    ours_only "runc and crun of this age have none"
    configure '.linux.namespaces += [{type: "time"}] | .linux.timeOffsets = {boottime: {secs: 100000000, nanosecs: 0}, monotonic: {secs: 5}}'
    script <<<'cut -d. -f1 /proc/uptime; cat /proc/self/timens_offsets'
    attached
    [ "${lines[0]}" -gt 100000000 ]
    grep -Eq 'boottime +100000000 +0' <<<"$output"
    configure '.linux.namespaces |= map(select(.type != "time"))'
    refused time
}
