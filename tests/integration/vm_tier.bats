#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Programs in the vm tier, through the same commands as the jail's.

bats_require_minimum_version 1.5.0
load daemon

setup() {
    [ -c /dev/kvm ] || skip "no /dev/kvm here"
    skerry=$BUILD/src/cli/skerry
    programs=$BUILD/tests/vm
}

teardown() {
    [ -z "${DAEMON:-}" ] || daemon_teardown
}

vm() { # [options] PROGRAM [ARG...]
    run --separate-stderr "$skerry" run --tier vm "$@"
}

@test "a static program without a C library: output and exit status" {
    vm "$programs/hello" </dev/null
    [ "$status" -eq 7 ]
    [ "$output" = hello ]
}

@test "a dynamic program of the machine: stdin, arguments, libraries" {
    run --separate-stderr "$skerry" run --tier vm jq -c '.a | map(. + 1)' <<<'{"a": [1, 2]}'
    [ "$status" -eq 0 ]
    [ "$output" = "[2,3]" ]
}

@test "environment, working directory, user and host name" {
    vm --env COLOR=green --cwd /tmp busybox env </dev/null
    [[ $output == *COLOR=green* ]]
    vm --cwd /tmp busybox pwd </dev/null
    [ "$output" = /tmp ]
    vm --user 5:6 busybox id -u </dev/null
    [ "$output" = 5 ]
}

@test "a signal that ends the program is told as in the jail" {
    vm --status-file "$BATS_TEST_TMPDIR/status" busybox sh -c 'kill -SEGV $$' </dev/null
    [ "$status" -eq 139 ]
    [[ $stderr == *"busybox was ended by signal 11"* ]]
    [ "$(jq -r '.outcome' "$BATS_TEST_TMPDIR/status")" = signalled ]
}

@test "a timeout stops it as in the jail" {
    vm --timeout 300ms busybox sh -c 'while :; do :; done' </dev/null
    [ "$status" -eq 124 ]
    [[ $stderr == *"had not ended after"* ]]
}

@test "more than a ring of output, to a reader that is slow to begin" {
    run bash -c "\"$skerry\" run --tier vm busybox seq 1 100000 </dev/null | (sleep 0; cat) | sha256sum"
    [ "${output%% *}" = "$(seq 1 100000 | sha256sum | cut -d' ' -f1)" ]
}

@test "more than a ring of input" {
    seq 1 100000 >"$BATS_TEST_TMPDIR/in"
    run --separate-stderr "$skerry" run --tier vm busybox sha256sum <"$BATS_TEST_TMPDIR/in"
    [ "${output%% *}" = "$(sha256sum <"$BATS_TEST_TMPDIR/in" | cut -d' ' -f1)" ]
}

@test "writes go into memory and are gone with the machine" {
    vm busybox sh -c 'echo x >/tmp/mark; echo in; read line </tmp/mark; echo $line' </dev/null
    [ "$output" = $'in\nx' ]
    vm busybox ls /tmp </dev/null
    [ "$output" = "" ]
}

@test "the host's files are not there" {
    vm busybox cat /etc/shadow </dev/null
    [ "$status" -eq 1 ]
    vm busybox ls /proc/1/root/ </dev/null
    [[ $output != *home* ]]
}

@test "a program that is not in the image ends with 127" {
    local root=$BATS_TEST_TMPDIR/root
    mkdir -p "$root/bin" && cp "$programs/hello" "$root/bin"
    vm --rootfs "$root" /bin/hello </dev/null
    [ "$status" -eq 7 ]
    run -127 --separate-stderr "$skerry" run --tier vm --rootfs "$root" /bin/absent </dev/null
    [[ $stderr == *absent* ]]
}

@test "behind the daemon: deployed, invoked, fresh each time" {
    daemon_start
    "$skerry" deploy --state "$STATE" filter --tier vm --exec "$(command -v jq)" -- -c .a
    local i
    for i in 1 2 3; do
        call filter --data-binary "{\"a\": $i}"
        [ "$code" = 200 ]
        [ "$output" = "$i" ]
    done
    call filter --data-binary "no json"
    [ "$code" = 500 ]
    daemon_stop
}

@test "what makes a disk has no rights but to read the image" {
    [ -x /usr/bin/mkfs.erofs ] && [ -d /usr/games ] || skip "no mkfs.erofs, or no place for its copy"
    cd "$BATS_TEST_TMPDIR"
    mkdir root && cp /bin/busybox root/
    cat >fake <<'END'
#!/bin/sh
# in place of mkfs.erofs: goes on as that only if nothing can be had
[ "$(/usr/bin/id -u)" = 65534 ] || exit 1
cat /etc/shadow && exit 1
ls / && exit 1
true >/tmp/made-by-mkfs && exit 1
true >"$6/made" && exit 1
/usr/bin/unshare --net true && exit 1
exec /usr/games/mkfs.erofs "$@"
END
    chmod 755 fake
    run unshare -m sh -c 'mount -t tmpfs none /usr/games && cp /usr/bin/mkfs.erofs /usr/games/ &&
        mount --bind fake /usr/bin/mkfs.erofs && exec "$1" run --tier vm --rootfs root /busybox echo made' sh "$BUILD/src/cli/skerry"
    [ "$status" = 0 ]
    [[ $output = *made ]]
}

@test "an interpreter without its modules is refused with what to do, a script too" {
    cd "$BATS_TEST_TMPDIR"
    local program
    for program in python3 perl; do
        run -126 --separate-stderr "$skerry" run --tier vm "$program" -e 'print(1)' </dev/null
        [ "$output" = "" ]
        [[ $stderr == "skerry: "*"needs its modules"*"--image REF"*"--rootfs DIR"* ]]
    done
    vm lua -e 'print(1)' </dev/null
    [ "$output" = 1 ]
    printf '#!/bin/sh\necho no\n' >script && chmod 755 script
    run -126 --separate-stderr "$skerry" run --tier vm ./script </dev/null
    [[ $stderr == "skerry: "*"is a script, its interpreter would be missing: give an image that has one"* ]]
    daemon_start
    run -1 --separate-stderr "$skerry" deploy --state "$STATE" snake --tier vm --exec /usr/bin/python3 -- -c 'print(1)'
    [[ $stderr == "skerry: "*"needs its modules"*"--image REF"* ]]
    run -1 --separate-stderr "$skerry" deploy --state "$STATE" shell --tier vm --exec ./script
    [[ $stderr == *"is a script"* ]]
    api GET /system/functions
    [ "$output" = "[]" ]
    daemon_stop
}

@test "while a disk is made other functions are deployed and served" {
    [ -x /usr/bin/mkfs.erofs ] && [ -d /usr/games ] || skip "no mkfs.erofs, or no place for its copy"
    cd "$BATS_TEST_TMPDIR"
    cat >fake <<'END'
#!/bin/sh
# in place of mkfs.erofs: goes on as that when the gate of its image, if it has one, is opened
for name in jq busybox; do
    [ ! -e "$6/usr/bin/$name" ] || read -r go <"/usr/games/$name"
done
exec /usr/games/mkfs.erofs "$@"
END
    cat >inside <<'END'
#!/bin/sh -e
mount -t tmpfs none /usr/games && cp /usr/bin/mkfs.erofs /usr/games/
mkfifo -m 666 /usr/games/jq /usr/games/busybox
mount --bind fake /usr/bin/mkfs.erofs
exec "$@"
END
    chmod 755 fake inside
    echo 'builds_max: 1' >config
    DAEMON_WRAPPER="unshare -m $PWD/inside" daemon_start --config config
    local games=/proc/$DAEMON/root/usr/games slow second third
    "$skerry" deploy --state "$STATE" slow --tier vm --exec /usr/bin/jq -- -c .a >slow.out 2>&1 3>&- &
    slow=$!
    exec 8>"$games/jq" # it is opened when mkfs.erofs waits there
    "$skerry" deploy --state "$STATE" other --host-usr -- echo served
    call other
    [ "$output" = served ]
    "$skerry" deploy --state "$STATE" second --tier vm --exec /usr/bin/busybox -- echo second >second.out 2>&1 3>&- 8>&- &
    second=$!
    exec 9>"$games/busybox"
    # a third one, when two are made, waits for its turn
    "$skerry" deploy --state "$STATE" third --tier vm --exec "$programs/hello" >third.out 2>&1 3>&- 8>&- 9>&- &
    third=$!
    call other
    [ "$output" = served ]
    kill -0 "$slow" "$second" "$third"
    echo >&9
    wait "$second" || { cat second.out && false; }
    wait "$third" || { cat third.out && false; }
    call second
    [ "$output" = second ]
    echo >&8
    wait "$slow" || { cat slow.out && false; }
    exec 8>&- 9>&-
    call slow --data-binary '{"a": 1}'
    [ "$output" = 1 ]
    daemon_stop
}

@test "a disk that cannot be made fails the deploy with its reason; a daemon that ends leaves none half made" {
    [ -x /usr/bin/mkfs.erofs ] || skip "no mkfs.erofs"
    cd "$BATS_TEST_TMPDIR"
    printf '#!/bin/sh\nexit 1\n' >fake
    printf '#!/bin/sh -e\nmount --bind fake /usr/bin/mkfs.erofs\nexec "$@"\n' >inside
    chmod 755 fake inside
    DAEMON_WRAPPER="unshare -m $PWD/inside" daemon_start
    run -1 "$skerry" deploy --state "$STATE" never --tier vm --exec "$(command -v jq)" -- -c .a
    [[ $output == *"mkfs.erofs could not make the disk"* ]]
    api GET /system/functions
    [ "$output" = "[]" ]
    daemon_stop
    [ -z "$(ls "$STATE/images/disks")" ]
}
