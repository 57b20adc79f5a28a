#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Many calls at once on one id, many ids at once, and a runtime that is killed between any two steps.

load bundle.bash

@test "of twenty creates of one id one wins, and it is whole" {
    program sleep 1000
    for n in $(seq 20); do
        (oci create --bundle "$bundle" "$id" >"$dir/out.$n" 2>&1 </dev/null && echo won >"$dir/won.$n") &
    done
    wait
    [ "$(cat "$dir"/won.* | wc -l)" -eq 1 ]
    is_status created
    oci start "$id"
    is_status running
}

@test "of twenty starts one wins" {
    program sh -c 'echo ran >>/shared/ran; sleep 1000'
    created
    for n in $(seq 20); do
        (oci start "$id" >"$dir/out.$n" 2>&1 </dev/null && echo won >"$dir/won.$n") &
    done
    wait
    [ "$(cat "$dir"/won.* | wc -l)" -eq 1 ]
    wait_until test -s "$dir/shared/ran"
    [ "$(wc -l <"$dir/shared/ran")" -eq 1 ]
}

@test "create, kill, state and delete --force of one id at random leave it whole or gone" {
    program sleep 1000
    for _ in $(seq 8); do
        for verb in create start state 'kill' delete state delete create; do
            case $verb in
            create) oci create --bundle "$bundle" "$id" ;;
            kill) oci kill "$id" KILL ;;
            delete) oci delete --force "$id" ;;
            *) oci $verb "$id" ;;
            esac >"$dir/out" 2>&1 </dev/null &
        done
        wait
    done
    oci delete --force "$id" || true
    oci create --bundle "$bundle" "$id" >"$dir/out" 2>&1 </dev/null || { cat "$dir/out"; false; }
    is_status created
}

@test "fifty containers at once: each runs, none is left" {
    program sh -c 'echo $$ ran'
    for n in $(seq 50); do
        mkdir "$dir/b$n"
        ln -s "$bundle/rootfs" "$dir/b$n/rootfs"
        jq --arg root "$bundle/rootfs" --arg path "/$id-$n" '.root.path = $root | .linux.cgroupsPath = $path' "$bundle/config.json" >"$dir/b$n/config.json"
        oci run --bundle "$dir/b$n" "$id-$n" >"$dir/out.$n" 2>&1 </dev/null &
    done
    wait
    for n in $(seq 50); do [ "$(<"$dir/out.$n")" = "1 ran" ] || { cat "$dir/out.$n"; false; }; done
    nothing_left
}

# Whether delete --force takes all away of what a killed call left. The Nth of each system call that
# changes something outside the runtime is where it is killed, for every N that there is. Without -f
# the runtime itself is the victim, not what it became the parent of.
killed_at() { # CALLS VERB...: system calls as strace has them; then the runtime's words
    local calls=$1 n ended
    shift
    for ((n = 1; n <= ${KILLED_MAX:-40}; n++)); do
        ended=0
        strace -qq -o "$dir/trace" -e "trace=$calls" -e "inject=$calls:signal=KILL:when=$n" \
            "$runtime" --root "$state" "$@" >"$dir/out" 2>&1 </dev/null 3>&- || ended=$?
        gone_whole "the $n. of $calls" || return 1
        [ $ended -ne 0 ] || return 0
    done
}

gone_whole() { # WHEN
    local alive
    oci delete --force "$id" >"$dir/deleted" 2>&1 || { cat "$dir/deleted"; echo "after $1"; return 1; }
    nothing_left || { echo "after $1"; return 1; }
    alive=$(pgrep -f "^sleep 1015.$$\$" || true)
    [ -z "$alive" ] || { echo "alive after $1: $alive"; return 1; }
}

has_strace() {
    ours_only "a promise of ours"
    strace -V >"$dir/strace" 2>&1 || skip "no strace"
    program sleep 1015.$$
}

@test "killed while it creates: between mkdirs and renames" {
    has_strace
    killed_at mkdir,mkdirat,rename,renameat,renameat2 create --bundle "$bundle" "$id"
}

@test "killed while it creates: at each clone, write, open and message" {
    has_strace
    for calls in clone,clone3,fork,vfork write,pwrite64 mount,move_mount,umount2 setns,unshare openat,openat2 sendmsg,sendto,recvmsg,recvfrom,read; do
        KILLED_MAX=30 killed_at $calls create --bundle "$bundle" "$id"
    done
}

@test "the container's first process is killed while it is made: an error, and nothing is left" {
    has_strace
    # of a pid namespace of its own it would be the first, whom no signal of a tracer kills
    configure '.linux.namespaces |= map(select(.type != "pid"))'
    # calls that only it makes, and makes at least so often
    for at in pivot_root:1 setsid:1 sethostname:1 mknodat:1 mknodat:3 symlinkat:1; do
        strace -f -qq -o "$dir/trace" -e "trace=${at%:*}" -e "inject=${at%:*}:signal=KILL:when=${at#*:}" \
            timeout 30 "$runtime" --root "$state" run --bundle "$bundle" "$id" >"$dir/out" 2>&1 </dev/null 3>&- &
        strace=$!
        wait $strace && status=0 || status=$?
        [ $status -ne 0 ] || { echo "$at: no error"; false; }
        nothing_left
        oci delete --force "$id"
    done
}

@test "killed while it runs detached" {
    has_strace
    KILLED_MAX=25 killed_at openat,write,sendto,unlinkat run --detach --bundle "$bundle" "$id"
}

@test "killed while it starts and deletes" {
    has_strace
    for verb in start delete; do
        for n in 1 2 3 5 8 13 21; do
            created
            [ $verb = start ] || { oci start "$id"; oci kill "$id" KILL; stopped; }
            strace -qq -o "$dir/trace" -e trace=all -e "inject=openat,unlinkat,rmdir,write,rename,kill,pidfd_send_signal,connect,sendto:signal=KILL:when=$n" \
                "$runtime" --root "$state" $verb "$id" >"$dir/out" 2>&1 </dev/null 3>&- || true
            gone_whole "$n of $verb"
        done
    done
}

@test "killed while it execs: the container lives, its end takes the rest" {
    has_strace
    detached
    for n in 1 2 3 4 6 8 12; do
        strace -qq -o "$dir/trace" -e trace=all -e "inject=openat,setns,clone,clone3,write:signal=KILL:when=$n" \
            "$runtime" --root "$state" exec --detach "$id" sleep 1016.$$ >"$dir/out" 2>&1 </dev/null 3>&- || true
        is_status running
    done
    oci delete --force "$id"
    [ -z "$(pgrep -f "^sleep 1016.$$\$")" ]
}
