#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# create, start, run, state, kill, delete: the life of a container, and each verb where it must refuse.

load bundle.bash

@test "run: output, status, and nothing left" {
    program sh -c 'echo out; echo err >&2; exit 37'
    attached
    [ "$status" -eq 37 ]
    [ "$output" = out ]
    [ "$stderr" = err ]
    nothing_left
}

@test "run: a program that ends by a signal is 128+n" {
    program sh -c 'kill -KILL $$; echo not reached'
    attached
    # the first process of a pid namespace is not killed by itself
    [ "$output" = "not reached" ]
    script <<<'sh -c "kill -SEGV \$\$"; exit $?'
    attached
    [ "$status" -eq 139 ]
}

@test "run: stdin is the program's" {
    program cat
    run --separate-stderr oci run --bundle "$bundle" "$id" <<<"through"
    [ "$status" -eq 0 ]
    [ "$output" = through ]
}

@test "run: the bundle is the working directory by default" {
    cd "$bundle"
    program echo here
    run --separate-stderr oci run "$id" </dev/null
    [ "$output" = here ]
}

@test "run --detach, then kill and delete" {
    program sleep 1000
    detached --pid-file "$dir/pid"
    pid=$(<"$dir/pid")
    [ "$(in_state .pid)" = "$pid" ]
    kill -0 "$pid"
    is_status running
    oci kill "$id" KILL
    stopped
    gone "$pid"
    oci delete "$id"
    no oci state "$id"
    nothing_left
}

@test "create, start, end, delete: the status of each" {
    program sh -c 'echo began >/shared/began; read x </shared/fifo; exit 3'
    mkfifo "$dir/shared/fifo"
    chmod 666 "$dir/shared/fifo"
    created --pid-file "$dir/pid"
    is_status created
    [ "$(in_state .pid)" = "$(<"$dir/pid")" ]
    [ ! -e "$dir/shared/began" ]
    oci start "$id"
    wait_until test -e "$dir/shared/began"
    is_status running
    echo >"$dir/shared/fifo"
    stopped
    [ "$(in_state '.pid // 0')" = 0 ]
    oci delete "$id"
    no oci state "$id"
}

@test "state has what the specification lists" {
    program sleep 1000
    configure '.annotations = {"org.example.a": "1", "b": ""}'
    detached
    oci state "$id" >"$dir/json"
    cat "$dir/json"
    jq -e --arg id "$id" --arg bundle "$bundle" '
        .id == $id and .status == "running" and .bundle == $bundle and (.pid | type) == "number" and
        (.ociVersion | test("^1\\.[0-9]+\\.[0-9]+")) and .annotations["org.example.a"] == "1" and .annotations.b == ""' "$dir/json"
}

@test "a program that is not there fails create, and nothing is left" {
    program /no/such/program
    attached
    [ "$status" -ne 0 ]
    [ "$status" -ne 139 ]
    [[ $stderr == */no/such/program* ]]
    nothing_left
}

@test "the kernel holds create open until start: the program has not begun" {
    program sh -c 'echo x >/shared/x'
    created
    [ ! -e "$dir/shared/x" ]
    oci start "$id"
    wait_until test -e "$dir/shared/x"
}

@test "start: of what is not there, of what runs, of what has ended" {
    run oci start "$id"
    [ "$status" -ne 0 ]
    program sleep 1000
    created
    oci start "$id"
    run oci start "$id"
    [ "$status" -ne 0 ]
    oci kill "$id" KILL
    stopped
    run oci start "$id"
    [ "$status" -ne 0 ]
}

@test "create: a second container of the same id is refused, and the first lives on" {
    program sleep 1000
    detached
    run oci run --bundle "$bundle" "$id"
    [ "$status" -ne 0 ]
    run oci create --bundle "$bundle" "$id"
    [ "$status" -ne 0 ]
    is_status running
}

@test "delete: of what is not there, of what runs" {
    run oci delete "$id"
    [ "$status" -ne 0 ]
    oci delete --force "$id"
    program sleep 1000
    detached --pid-file "$dir/pid"
    run oci delete "$id"
    [ "$status" -ne 0 ]
    is_status running
    oci delete --force "$id"
    gone "$(<"$dir/pid")"
    no oci state "$id"
    nothing_left
}

@test "delete of a created container: refused or whole, with --force always whole" {
    program sleep 1000
    created --pid-file "$dir/pid"
    oci delete --force "$id"
    gone "$(<"$dir/pid")"
    nothing_left
}

@test "a failed detached run leaves nothing" {
    program /no/such/program
    run oci run --detach --bundle "$bundle" "$id" </dev/null
    [ "$status" -ne 0 ]
    no oci state "$id"
    nothing_left
}

@test "kill: signals by name, short name and number; TERM by default" {
    for signal in SIGUSR1 USR1 10; do
        rm -f "$dir/shared"/*
        script <<<'trap "echo got >/shared/got; exit 0" USR1; touch /shared/ready; while :; do sleep 0.05; done'
        detached
        wait_until test -e "$dir/shared/ready"
        oci kill "$id" "$signal"
        stopped
        [ -e "$dir/shared/got" ]
        oci delete "$id"
    done
    rm -f "$dir/shared"/*
    script <<<'trap "exit 0" TERM; touch /shared/ready; while :; do sleep 0.05; done'
    detached
    wait_until test -e "$dir/shared/ready"
    oci kill "$id"
    stopped
}

@test "kill: unknown signals and stopped containers are refused" {
    program sleep 1000
    detached
    for signal in NOSUCH 999 KILLX; do
        run oci kill "$id" "$signal"
        [ "$status" -ne 0 ]
        is_status running
    done
    oci kill "$id" KILL
    stopped
    run oci kill "$id" TERM
    [ "$status" -ne 0 ]
    run oci kill skerry-no-such KILL
    [ "$status" -ne 0 ]
}

@test "kill of a created container ends it" {
    program sleep 1000
    created
    oci kill "$id" KILL
    stopped
    oci delete "$id"
}

@test "kill --all reaches what the first process left, without a pid namespace" {
    configure '.linux.namespaces |= map(select(.type != "pid"))'
    script <<<'sleep 1001 & echo $! >/shared/child; wait'
    detached
    wait_until test -s "$dir/shared/child"
    oci kill "$id" KILL || true
    child=$(<"$dir/shared/child")
    oci kill --all "$id" KILL || true
    stopped
    wait_until gone "$child"
    oci delete --force "$id"
}

@test "delete --force without a pid namespace ends every process" {
    configure '.linux.namespaces |= map(select(.type != "pid"))'
    script <<<'setsid sleep 1002 & echo $! >/shared/child; wait'
    detached
    wait_until test -s "$dir/shared/child"
    oci delete --force "$id"
    wait_until gone "$(<"$dir/shared/child")"
}

@test "when the first process ends, so do all of its pid namespace" {
    script <<<'sleep 1003 & touch /shared/x; read x </shared/fifo'
    mkfifo "$dir/shared/fifo"
    detached --pid-file "$dir/pid"
    wait_until test -e "$dir/shared/x"
    others=$(oci ps --format json "$id" | jq -c .)
    [ "$(jq length <<<"$others")" -ge 2 ]
    echo >"$dir/shared/fifo"
    stopped
    for pid in $(jq '.[]' <<<"$others"); do wait_until gone "$pid"; done
}

@test "--preserve-fds passes as many from 3 on, and no others come through" {
    script <<<'cat <&3; cat <&4; ls /proc/self/fd | wc -l'
    exec 5<"$base/etc/passwd"
    run --separate-stderr bash -c 'exec "$0" --root "$1" run --preserve-fds 2 --bundle "$2" "$3" </dev/null \
        3<<<three 4<<<four 5<"$2/config.json" 6<&5' "$runtime" "$state" "$bundle" "$id"
    say
    exec 5<&-
    [ "$status" -eq 0 ]
    [[ $output == three$'\n'four$'\n'* ]]
    # stdin, stdout, stderr, the two, and the one that ls itself holds
    [ "${lines[2]}" -eq 6 ]
}

@test "LISTEN_FDS are passed on from 3, with the variables that say so" {
    script <<<'cat <&3; echo $LISTEN_FDS $LISTEN_PID'
    run --separate-stderr bash -c 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" --root "$1" run --bundle "$2" "$3" </dev/null \
        3<<<three' "$runtime" "$state" "$bundle" "$id"
    say
    [ "${lines[0]}" = three ]
    [ "${lines[1]}" = "1 1" ]
}

@test "no descriptor of the caller reaches the program" {
    program ls -l /proc/self/fd
    run --separate-stderr bash -c 'exec 7<"$2/config.json" 8<"$2" 9</; exec "$0" --root "$1" run --bundle "$2" "$3" </dev/null' \
        "$runtime" "$state" "$bundle" "$id"
    say
    [ "$status" -eq 0 ]
    no grep -Eq ' (7|8|9) ->' <<<"$output"
}

@test "--pid-file is written whole before create returns; one that cannot be is an error" {
    program sleep 1000
    created --pid-file "$dir/pid"
    [[ $(<"$dir/pid") =~ ^[0-9]+$ ]]
    oci delete --force "$id"
    run oci create --bundle "$bundle" --pid-file "$dir/no/such/dir/pid" "$id"
    [ "$status" -ne 0 ]
    oci delete --force "$id"
}

@test "--no-pivot runs" {
    program sh -c 'echo in; ls /'
    attached --no-pivot
    [ "${lines[0]}" = in ]
    grep -qx shared <<<"$output"
}

@test "environment is config.json's alone" {
    configure '.process.env = ["PATH=/bin", "A=1", "B=x=y", "EMPTY="]'
    program env
    LEAK=host attached
    grep -qx 'A=1' <<<"$output"
    grep -qx 'B=x=y' <<<"$output"
    grep -qx 'EMPTY=' <<<"$output"
    no grep -q LEAK <<<"$output"
}

@test "programs are found by the container's PATH, or by path from cwd" {
    configure '.process.env = ["PATH=/nowhere:/opt/tools"]'
    mkdir -p "$bundle/rootfs/opt/tools"
    printf '#!/bin/busybox sh\necho found "$@"\n' >"$bundle/rootfs/opt/tools/mine"
    chmod 755 "$bundle/rootfs/opt/tools/mine"
    program mine a b
    attached
    [ "$output" = "found a b" ]
    configure '.process.cwd = "/opt"'
    program ./tools/mine c
    attached
    [ "$output" = "found c" ]
}

@test "a program without the right to execute is refused" {
    echo x >"$bundle/rootfs/plain"
    program /plain
    refused "denied"
    program /etc
    refused
    nothing_left
}

@test "cwd that is missing is made, one that is a file is refused" {
    program pwd
    configure '.process.cwd = "/made/for/it"'
    attached
    [ "$output" = /made/for/it ]
    configure '.process.cwd = "/etc/passwd"'
    refused
    nothing_left
}
