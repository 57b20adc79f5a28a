#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# kill -9 of each process of a daemon while requests are in flight: what hung on it dies, the service
# goes on, and nothing that was acknowledged is lost. The runner sees to it that nothing is left.

load daemon

setup() {
    daemon_start
    deploy echo cat
    deploy_hold hold
}

teardown() {
    daemon_teardown
}

answers() { # the functions answer, and the admin API too
    call echo --data again
    [ "$code" = 200 ]
    [ "$output" = again ]
    api GET /system/functions
    [ "$code" = 200 ]
    [ "$(jq -r '.[].name' <<<"$output" | xargs)" = 'echo hold' ]
}

held_ends() { # STATUS: the request in the background ends with it
    wait "$CALLER" || true # not in a subshell: it must be its parent who waits
    [ "$(tail -n 1 "$BATS_TEST_TMPDIR/held")" = "$1" ] ||
        { cat "$BATS_TEST_TMPDIR/held" && return 1; }
}

# The pid on the host of the process that runs the held request.
runner() {
    pgrep -f -- '^sh -c echo x >>/hold/started' | while read -r pid; do
        ! grep -q "^$pid$" <<<"$(tree_of "$DAEMON")" || echo "$pid"
    done
}

zygote_of() { # PID: the child of the daemon above it
    local pid=$1 parent
    while parent=$(awk '/^PPid:/ {print $2}' "/proc/$pid/status") && [ "$parent" != "$DAEMON" ]; do
        pid=$parent
    done
    echo "$pid"
}

@test "the gateway: its requests and their sandboxes die, the next ones are served" {
    hold_begin hold
    local running
    running=$(runner)
    [ -n "$running" ]
    kill -KILL "$(child_of "$DAEMON" --role=gateway)"
    held_ends 000
    answers
    wait_until dead "$running"
    touch "$HOLD/go"
    call hold
    [ "$output" = held ]
}

@test "the gateway, again and again: no connection is refused" {
    for _ in 1 2 3 4 5; do
        kill -KILL "$(child_of "$DAEMON" --role=gateway)"
        answers
    done
}

@test "the API process: the next request is answered by the next one" {
    for _ in 1 2 3; do
        kill -KILL "$(child_of "$DAEMON" --role=api)"
        answers
    done
    deploy third 'echo third'
    call third
    [ "$output" = third ]
}

@test "the API process: requests of functions in flight do not notice" {
    hold_begin hold
    kill -KILL "$(child_of "$DAEMON" --role=api)"
    touch "$HOLD/go"
    held_ends 200
}

@test "a zygote: its requests get 502, the next ones are served, the others do not notice" {
    hold_begin hold
    local zygote
    zygote=$(zygote_of "$(runner)")
    local below
    below=$(tree_of "$zygote")
    kill -KILL "$zygote"
    held_ends 502
    # shellcheck disable=SC2086
    wait_until dead $below
    answers
    touch "$HOLD/go"
    call hold
    [ "$code" = 200 ]
    [ "$output" = held ]
}

@test "every process between the zygote and the program: 502, and the next one is served" {
    hold_begin hold
    local zygote parents=() pid
    pid=$(runner)
    zygote=$(zygote_of "$pid")
    while [ "$pid" != "$zygote" ]; do
        parents+=("$pid")
        pid=$(awk '/^PPid:/ {print $2}' "/proc/$pid/status")
    done
    [ "${#parents[@]}" -ge 2 ]
    touch "$HOLD/go"
    held_ends 200
    for level in "${!parents[@]}"; do
        rm -f "$HOLD/go"
        hold_begin hold
        pid=$(runner)
        for ((up = 0; up < level; up++)); do
            pid=$(awk '/^PPid:/ {print $2}' "/proc/$pid/status")
        done
        [ "$(zygote_of "$pid")" = "$zygote" ]
        kill -KILL "$pid"
        held_ends 502
        answers
    done
    touch "$HOLD/go"
    call hold
    [ "$output" = held ]
}

@test "the supervisor: everything dies with it; the next one removes what is left and serves all" {
    hold_begin hold
    local tree
    tree=$(tree_of "$DAEMON")
    kill -KILL "$DAEMON"
    wait "$DAEMON" || true
    # shellcheck disable=SC2086
    wait_until dead $tree
    # All die at once: the gateway before it can answer (000), or after it saw the zygote go (502).
    wait "$CALLER" || true
    [[ $(tail -n 1 "$BATS_TEST_TMPDIR/held") =~ ^(000|502)$ ]]
    [ -e "$STATE/skerry.sock" ]
    daemon_start
    answers
    touch "$HOLD/go"
    call hold
    [ "$output" = held ]
}

@test "the supervisor, at once after its start: the next one begins all the same" {
    daemon_stop
    for _ in 1 2 3 4 5; do
        daemon_begin --listen 127.0.0.1:0
        # somewhere between its first file and its first zygote
        wait_until test -e "$STATE/skerry.sock"
        kill -KILL "$DAEMON"
        wait "$DAEMON" || true
    done
    daemon_start
    answers
}

@test "the supervisor, in the middle of deploys: what was acknowledged is there" {
    local acknowledged=() tree name round
    for round in 1 2 3; do
        (
            for i in 1 2 3 4 5 6 7 8; do
                deploy "r$round-$i" "echo r$round-$i" >/dev/null && echo "r$round-$i"
            done
        ) >"$BATS_TEST_TMPDIR/acknowledged$round" 2>/dev/null 3>&- &
        local deployer=$!
        wait_until test -s "$BATS_TEST_TMPDIR/acknowledged$round"
        tree=$(tree_of "$DAEMON")
        kill -KILL "$DAEMON"
        wait "$DAEMON" || true
        wait "$deployer" || true
        # shellcheck disable=SC2086
        wait_until dead $tree
        while read -r name; do acknowledged+=("$name"); done <"$BATS_TEST_TMPDIR/acknowledged$round"
        daemon_start
        for name in "${acknowledged[@]}"; do
            call "$name"
            [ "$output" = "$name" ]
        done
    done
    [ "${#acknowledged[@]}" -ge 3 ]
}

@test "gateway, API process and all zygotes at the same time" {
    # shellcheck disable=SC2046
    kill -KILL $(pgrep -P "$DAEMON")
    answers
}
