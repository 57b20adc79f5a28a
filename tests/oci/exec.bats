#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# exec: a second program beside the container's, with every option.

load bundle.bash

setup_more() {
    program sleep 1000
}

@test "output, status, stdin" {
    detached
    inside sh -c 'echo out; echo err >&2; exit 12'
    [ "$status" -eq 12 ]
    [ "$output" = out ]
    [ "$stderr" = err ]
    run --separate-stderr oci exec "$id" cat <<<"through"
    [ "$output" = through ]
    inside sh -c 'kill -TERM $$'
    [ "$status" -eq 143 ]
}

@test "a program that is not there" {
    detached
    run --separate-stderr oci exec "$id" /no/such </dev/null
    say
    [ "$status" -ne 0 ]
    [[ $stderr == */no/such* ]]
    is_status running
}

@test "it is inside: namespaces, root, cgroup, hostname" {
    detached
    pid=$(in_state .pid)
    inside sh -c 'cat /proc/sys/kernel/hostname; ls -d /shared; cat /proc/self/cgroup'
    [ "${lines[0]}" = inside ]
    [ "${lines[1]}" = /shared ]
    grep -Eq "^[0-9]+:(memory|):.*" <<<"$output"
    oci exec --detach --pid-file "$dir/pid" "$id" sleep 1004 >"$dir/out" 2>&1 </dev/null
    other=$(<"$dir/pid")
    for kind in mnt pid net uts ipc; do
        [ "$(readlink "/proc/$pid/ns/$kind")" = "$(readlink "/proc/$other/ns/$kind")" ]
    done
    [ "$(sed 's/^[0-9]*://' "/proc/$pid/cgroup" | sort)" = "$(sed 's/^[0-9]*://' "/proc/$other/cgroup" | sort)" ]
}

@test "--detach with --pid-file returns while the program runs" {
    detached
    oci exec --detach --pid-file "$dir/pid" "$id" sleep 1005 >"$dir/out" 2>&1 </dev/null
    pid=$(<"$dir/pid")
    [ "$(tr '\0' ' ' <"/proc/$pid/cmdline")" = "sleep 1005 " ]
    oci ps --format json "$id" | jq -e --argjson pid "$pid" 'index($pid) != null'
}

@test "--env adds to and replaces the container's" {
    configure '.process.env += ["A=old", "KEEP=1"]'
    detached
    inside env
    grep -qx 'A=old' <<<"$output"
    run --separate-stderr oci exec --env A=new --env B=2 "$id" env </dev/null
    grep -qx 'A=new' <<<"$output"
    grep -qx 'B=2' <<<"$output"
    grep -qx 'KEEP=1' <<<"$output"
    no grep -qx 'A=old' <<<"$output"
    run --separate-stderr oci exec -e C=3 "$id" env </dev/null
    grep -qx 'C=3' <<<"$output"
}

@test "--cwd" {
    detached
    run --separate-stderr oci exec --cwd /home "$id" pwd </dev/null
    [ "$output" = /home ]
}

@test "--user: uid, uid:gid" {
    detached
    run --separate-stderr oci exec --user 1000 "$id" id -u </dev/null
    [ "$output" = 1000 ]
    run --separate-stderr oci exec -u 1000:2000 "$id" sh -c 'id -u; id -g' </dev/null
    say
    [ "${lines[0]}" = 1000 ]
    [ "${lines[1]}" = 2000 ]
}

@test "--user: what is no number is refused, and never taken for root" {
    detached
    for user in x 1000x 1000: :5 1000:x -1 4294967295 4294967296 99999999999999999999 " 0" "0x3e8" "1000:1000:1000" ""; do
        run --separate-stderr oci exec --user "$user" "$id" id -u </dev/null
        say
        case ${runtime##*/} in
        skerry-oci*) [ "$status" -ne 0 ] ;;
        *) [ "$status" -ne 0 ] || [ "$user" != x ] ;;
        esac
    done
}

@test "--additional-gids" {
    detached
    run --separate-stderr oci exec --user 1000:1000 --additional-gids 2000 --additional-gids 3000 "$id" id -G </dev/null
    say
    [ "$output" = "1000 2000 3000" ]
}

@test "--cap adds a capability, without it there is none more" {
    detached
    inside grep CapEff /proc/self/status
    before=$output
    run --separate-stderr oci exec --cap CAP_NET_ADMIN "$id" grep CapEff /proc/self/status </dev/null
    say
    [ "$status" -eq 0 ]
    [ "$output" != "$before" ]
    (((16#${output##*[[:space:]]} >> 12 & 1) == 1))
    (((16#${before##*[[:space:]]} >> 12 & 1) == 0))
    run oci exec --cap CAP_NO_SUCH "$id" true </dev/null
    [ "$status" -ne 0 ]
}

@test "--no-new-privs" {
    configure '.process.noNewPrivileges = false'
    detached
    inside grep NoNewPrivs /proc/self/status
    [[ $output == *0 ]]
    run --separate-stderr oci exec --no-new-privs "$id" grep NoNewPrivs /proc/self/status </dev/null
    [[ $output == *1 ]]
}

@test "--preserve-fds" {
    detached
    run --separate-stderr bash -c '"$0" --root "$1" exec --preserve-fds 1 "$2" sh -c "cat <&3; ls /proc/self/fd | wc -l" \
        </dev/null 3<<<three 5</etc/passwd' "$runtime" "$state" "$id"
    say
    [ "${lines[0]}" = three ]
    [ "${lines[1]}" -eq 5 ]
}

@test "--process: a file of the whole process" {
    detached
    jq '.process | .args = ["sh", "-c", "pwd; id -u; umask; echo $X; ulimit -n"] | .cwd = "/home" | .user = {uid: 1000, gid: 1000, umask: 63}
        | .env += ["X=y"] | .rlimits = [{type: "RLIMIT_NOFILE", soft: 123, hard: 123}]' "$bundle/config.json" >"$dir/process.json"
    run --separate-stderr oci exec --process "$dir/process.json" "$id" </dev/null
    say
    [ "$status" -eq 0 ]
    [ "$output" = $'/home\n1000\n0077\ny\n123' ]
    run oci exec -p "$dir/none.json" "$id" </dev/null
    [ "$status" -ne 0 ]
    echo '{"args": 3}' >"$dir/process.json"
    run oci exec -p "$dir/process.json" "$id" </dev/null
    [ "$status" -ne 0 ]
}

@test "--process with a seccomp profile of the container" {
    configure '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64"],
        syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 38}]}'
    detached
    inside mkdir /tmp/x
    [ "$status" -ne 0 ]
    [[ $stderr == *"not implemented"* ]]
}

@test "rlimits, caps, umask, NNP, oom score of config.json hold for exec, too" {
    configure '.process.user.umask = 23 | .process.rlimits = [{type: "RLIMIT_NOFILE", soft: 77, hard: 88}]
        | .process.capabilities.bounding = ["CAP_KILL"] | .process.capabilities.permitted = ["CAP_KILL"] | .process.capabilities.effective = ["CAP_KILL"]'
    detached
    inside sh -c 'ulimit -n; grep -E "Cap(Eff|Prm|Bnd|Inh|Amb)|NoNew" /proc/self/status'
    [ "${lines[0]}" = 77 ]
    [[ $output == *CapPrm:$'\t'0000000000000020* ]]
    [[ $output == *CapEff:$'\t'0000000000000020* ]]
    [[ $output == *CapBnd:$'\t'0000000000000020* ]]
    [[ $output == *NoNewPrivs:$'\t'1* ]]
}

@test "into what is not running: refused" {
    run oci exec "$id" true </dev/null
    [ "$status" -ne 0 ]
    script <<<'exit 0'
    detached
    stopped
    run oci exec "$id" true </dev/null
    [ "$status" -ne 0 ]
}

@test "into a created container runs" {
    created
    inside echo early
    [ "$output" = early ]
    is_status created
}

@test "nothing to run is refused" {
    detached
    run --separate-stderr oci exec "$id" </dev/null
    [ "$status" -ne 0 ]
    [ -n "$stderr" ]
}

@test "options end at the program's name" {
    detached
    inside sh -c 'echo "$@"' sh --detach -u --env x
    [ "$output" = "--detach -u --env x" ]
    run --separate-stderr oci exec "$id" -- echo dashes </dev/null
    say
}

@test "what exec started ends with the container" {
    detached
    oci exec --detach --pid-file "$dir/pid" "$id" sleep 1006 >"$dir/out" 2>&1 </dev/null
    oci kill "$id" KILL
    wait_until gone "$(<"$dir/pid")"
}

@test "no descriptor of the runtime or caller reaches it" {
    detached
    run --separate-stderr bash -c 'exec 7<"$1" 8</; exec "$0" --root "$1" exec "$2" ls -l /proc/self/fd </dev/null' \
        "$runtime" "$state" "$id"
    say
    no grep -Eq ' (7|8|9) ->' <<<"$output"
}

# Seen to fail with the descriptors closed after the namespaces are entered.
@test "who enters a container holds nothing of the host from the first moment" {
    ours_only "others trust in what the kernel hides"
    program sleep 1000
    detached
    inside_ns=$(readlink "/proc/$(in_state .pid)/ns/mnt")
    # stopped at its first step inside, and where its program's process takes over
    for call in setns setsid; do
        exec_stopped_at "$call" true
        [ "$(readlink "/proc/$guest/ns/mnt")" = "$inside_ns" ]
        find "/proc/$guest/fd" -type l -printf '%l\n' | tee "$dir/held"
        resume
        no grep -Ev '/dev/null|socket:|pipe:|anon_inode:|/out$' "$dir/held"
    done
}

@test "twenty at once" {
    detached
    for n in $(seq 20); do
        oci exec "$id" sh -c "echo $n" >"$dir/out.$n" 2>"$dir/err.$n" </dev/null &
    done
    wait
    for n in $(seq 20); do [ "$(<"$dir/out.$n")" = "$n" ]; done
}
