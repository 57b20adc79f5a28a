#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What pid 1 of a sandbox makes of warm programs that say too little, too much, or lie: a build in whose place of
# skerry-warm and skerry-vmm stands tests/warm/liar.c.

bats_require_minimum_version 1.5.0
load daemon.bash

setup() {
    skerry=$BUILD/src/cli/skerry
    local bin=$BATS_TEST_TMPDIR/bin
    mkdir -m 755 "$bin"
    cp "$BUILD/src/control/skerryd" "$BUILD/src/jail/skerry-zygote" "$bin"
    cp "$BUILD/tests/warm/liar" "$bin/skerry-warm"
    cp "$BUILD/tests/warm/liar" "$bin/skerry-vmm"
    STATE=$BATS_TEST_TMPDIR/s
    : >"$BATS_TEST_TMPDIR/out"
    "$bin/skerryd" --state "$STATE" --listen 127.0.0.1:0 >"$BATS_TEST_TMPDIR/out" 2>>"$BATS_TEST_TMPDIR/log" 3>&- &
    DAEMON=$! # for the teardown
    export DAEMON
    daemon_serves
}

teardown() {
    daemon_teardown
}

jailed() { # LIE [JSON]: a function of the jail tier whose program says what its environment says of the request
    api PUT '/system/functions?upsert=1' "$(jq -n --arg lie "$1" --argjson more "${2:-{\}}" '{service: "f", envVars: {LIE: $lie},
        skerry: ({host_usr: true, warm: "yes", concurrency: 1, timeout: "2s",
                 args: ["/bin/sh", "-c", "read x; echo $x $Http_X_A ${SKERRY_WARM:-none}"]} + $more)}')"
    [ "$code" = 202 ]
}

machine() { # LIE [ARGUMENT...]: a function of the vm tier
    [ -c /dev/kvm ] || skip "no /dev/kvm here"
    "$skerry" deploy --state "$STATE" f --tier vm --concurrency 1 --timeout 2s --env "LIE=$1" --exec "$(command -v jq)" "${@:2}" -- .
}

answer() { # the function's answer and status for the body "b"
    call f --data-binary b -H 'X-A: a'
}

kind() { # how the last start was
    "$skerry" describe --state "$STATE" f --json | jq -r .lastStartKind
}

snapshot() {
    "$skerry" describe --state "$STATE" f --json | jq -r .snapshot
}

@test "a snapshot is made once, and every request goes on from it with its own environment" {
    jailed ''
    for i in 1 2 3; do
        call f --data-binary "b$i" -H "X-A: a$i"
        [ "$code" = 200 ]
        [ "$output" = "b$i a$i none" ]
        [ "$(kind)" = restored ]
    done
    [ "$(snapshot)" = made ]
}

@test "a program that refuses starts cold, and its words are told without control characters" {
    jailed refuse
    answer
    [ "$output" = "b a none" ]
    [ "$(snapshot)" = 'none, since it says ?[31mno' ]
    [ "$(kind)" != restored ]
}

@test "a program that dies, hangs, or does not seal its snapshot starts cold" {
    local why
    for lie in die-making hang-making unsealed; do
        jailed "$lie"
        answer
        [ "$code" = 200 ]
        [ "$output" = "b a none" ]
        why=$(snapshot)
        [[ $why == 'none, since it '* ]]
    done
}

@test "programs that die or talk nonsense instead of getting ready are given up" {
    for lie in die-ready garbage; do
        jailed "$lie"
        answer
        [ "$output" = "b a none" ]
        [ "$(snapshot)" = 'none, since what was saved could not be brought back' ]
    done
}

@test "a snapshot that its restorer refuses is given up, with its words" {
    jailed refuse-restored
    answer
    [ "$output" = "b a none" ]
    [ "$(snapshot)" = 'none, since it says ?[31mno' ]
}

@test "a program that shuts its sockets down takes nothing from the next request" {
    jailed shut-down
    for _ in 1 2 3; do
        answer
        [ "$code" = 200 ]
        [ "$output" = "b a none" ]
        [ "$(kind)" = restored ]
    done
}

@test "more descriptors are on their way to programs than one of them may open" {
    jailed slow '{"concurrency": 12, "files": 8, "timeout": "30s"}'
    seq 12 | xargs -P 12 -I{} curl -sS -o /dev/null -w '%{http_code}\n' --data-binary 'n{}' "$URL/function/f" >"$BATS_TEST_TMPDIR/codes"
    run sort -u "$BATS_TEST_TMPDIR/codes"
    [ "$output" = 200 ]
    [ "$(snapshot)" = made ]
}

@test "a monitor is asked again and again, and its verdict is the answer's" {
    machine ''
    for _ in 1 2 3; do
        answer
        [ "$code" = 200 ]
        [ "$output" = 'guest restore' ]
        [ "$(kind)" = restored ]
    done
    machine status
    answer
    [ "$code" = 500 ]
    answer
    [ "$code" = 500 ]
}

@test "without a snapshot a monitor waits all the same, and serves one request" {
    machine '' --warm no
    for _ in 1 2; do
        answer
        [ "$output" = 'guest pool' ]
    done
    machine refuse
    answer
    [ "$output" = 'guest pool' ]
    [ "$(snapshot)" = 'none, since it says ?[31mno' ]
}

@test "a monitor that never gets ready is executed when the request has come" {
    machine die-ready
    answer
    [ "$output" = 'guest cold' ]
}

@test "a monitor that says DONE twice, or not at all, loses its sandbox, and the next request does not notice" {
    machine done-twice
    for _ in 1 2 3; do
        answer
        [ "$code" = 200 ]
        [ "$output" = 'guest restore' ]
    done
    for lie in no-done die-serving; do
        machine "$lie"
        for _ in 1 2; do
            answer
            [ "$code" = 502 ]
        done
    done
}
