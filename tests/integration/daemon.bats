#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The daemon: its admin API over both sockets, deploying, updating, removing, its state, its end.

load daemon

teardown() {
    daemon_teardown
}

@test "its files and sockets are the owner's alone" {
    daemon_start
    [ "$(stat -c %a "$STATE")" = 700 ]
    for file in admin-password skerry.sock http.sock registry.db; do
        [ "$(stat -c %a "$STATE/$file")" = 600 ]
    done
    [[ $(cat "$STATE/admin-password") =~ ^[0-9a-f]{64}$ ]]
}

@test "deploy, invoke, list, describe, remove over the admin socket" {
    daemon_start
    api GET /system/functions
    [ "$code" = 200 ]
    [ "$output" = '[]' ]
    deploy up 'tr a-z A-Z' '{"mem": "32M", "timeout": "2s"}'
    [ "$(jq -r .revision <<<"$output")" = 1 ]
    call up --data hello
    [ "$code" = 200 ]
    [ "$output" = HELLO ]

    api GET /system/functions
    [ "$(jq -r '.[0] | .name, .status, .limits.memory, .skerry.timeout' <<<"$output" | xargs)" = \
        'up ready 32M 2s' ]
    api GET /system/function/up
    [ "$code" = 200 ]
    [ "$(jq -r .invocationCount <<<"$output")" = 1 ]
    api GET '/system/skerry/describe?name=up'
    [ "$(jq -r '.counters.ok, .stages.exec.count' <<<"$output" | xargs)" = '1 1' ]
    [ "$(jq -r '.lastStart[].stage' <<<"$output" | head -n 4 | xargs)" = 'accepted queued sent cloned' ]

    api DELETE /system/functions '{"functionName": "up"}'
    [ "$code" = 202 ]
    api GET /system/functions
    [ "$output" = '[]' ]
    call up --data hello
    [ "$code" = 404 ]
    [ ! -e "$STATE/logs/default.up.log" ]
}

@test "over TCP the admin API wants the password" {
    daemon_start
    local password
    password=$(cat "$STATE/admin-password")
    [ "$(curl -s -o /dev/null -w '%{http_code}' "$URL/system/functions")" = 401 ]
    curl -s -D - -o /dev/null "$URL/system/functions" | grep -qi '^www-authenticate: basic'
    for wrong in "admin:" "admin:x" "admin:${password}0" "admin:${password:1}" "root:$password" ":$password"; do
        [ "$(curl -s -o /dev/null -w '%{http_code}' -u "$wrong" "$URL/system/functions")" = 401 ]
    done
    for header in "Basic" "Basic ====" "Bearer $password" "Basic $password"; do
        [ "$(curl -s -o /dev/null -w '%{http_code}' -H "Authorization: $header" "$URL/system/functions")" = 401 ]
    done
    [ "$(curl -s -u "admin:$password" "$URL/system/functions")" = '[]' ]
    [ "$(curl -s -u "admin:$password" --data '{"service": "up", "skerry": {"host_usr": true, "args": ["cat"]}}' \
        -o /dev/null -w '%{http_code}' "$URL/system/functions")" = 202 ]
    [ "$(curl -s "$URL/function/up" --data x)" = x ]
    [ "$(curl -s -o /dev/null -w '%{http_code}' "$URL/healthz")" = 200 ]
}

@test "the invocation socket serves functions and no admin API without the password" {
    daemon_start
    deploy cat cat
    [ "$(curl -s --unix-socket "$STATE/http.sock" --data x http://f/function/cat)" = x ]
    [ "$(curl -s --unix-socket "$STATE/http.sock" -o /dev/null -w '%{http_code}' http://f/system/functions)" = 401 ]
}

@test "what cannot be done is refused with its own status and a sentence" {
    daemon_start
    local spec='{"service": "f", "skerry": {"host_usr": true, "args": ["cat"]}}'
    expect() { # STATUS WORDS METHOD PATH [BODY]
        api "${@:3}"
        [ "$code" = "$1" ] && [[ $(jq -r .error <<<"$output") == *"$2"* ]] ||
            { echo "$*: $code $output" && return 1; }
    }
    expect 404 'no function f in default to update' PUT /system/functions "$spec"
    expect 404 "there is no function 'f'" GET /system/function/f
    expect 404 'no function f in default' DELETE /system/functions '{"functionName": "f"}'
    expect 404 'no such path' GET /system/nothing
    expect 405 'does not know the method' POST /system/info
    expect 400 'not valid JSON' POST /system/functions '{'
    expect 400 "unknown key 'memory'" POST /system/functions '{"service": "f", "skerry": {"memory": "1M"}}'
    expect 400 "tier 'wasm' is not offered" POST /system/functions '{"service": "f", "image": "i", "skerry": {"tier": "wasm"}}'
    expect 400 "no image 'i'" POST /system/functions '{"service": "f", "image": "i"}'
    expect 400 'nonexistent' POST /system/functions '{"service": "f", "skerry": {"host_usr": true, "args": ["nonexistent"]}}'
    expect 400 'say which function' GET /system/skerry/describe
    expect 400 'functionName' DELETE /system/functions '{}'
    api POST /system/functions "$spec"
    [ "$code" = 202 ]
    expect 409 'exists in default' POST /system/functions "$spec"
    head -c 1100000 /dev/zero >"$BATS_TEST_TMPDIR/large"
    expect 413 'larger than 1048576' POST /system/functions "@$BATS_TEST_TMPDIR/large"
    [ "$(api GET /system/functions && jq length <<<"$output")" = 1 ]
}

@test "a failed deploy stores nothing, a failed update leaves the old revision" {
    daemon_start
    api POST /system/functions '{"service": "f", "skerry": {"host_usr": true, "args": ["nonexistent"]}}'
    [ "$code" = 400 ]
    api GET /system/functions
    [ "$output" = '[]' ]
    deploy f 'echo one'
    api PUT /system/functions '{"service": "f", "skerry": {"host_usr": true, "args": ["nonexistent"]}}'
    [ "$code" = 400 ]
    call f
    [ "$output" = one ]
    api GET /system/function/f
    [ "$(jq -r '.revision, .skerry.args[2]' <<<"$output" | xargs)" = '1 echo one' ]
}

@test "an update lets the requests of the old revision end on it" {
    daemon_start
    deploy_hold f
    hold_begin f
    deploy f 'echo new'
    call f
    [ "$output" = new ]
    touch "$HOLD/go"
    wait "$CALLER"
    [ "$(cat "$BATS_TEST_TMPDIR/held")" = $'held\n\n200' ]
    # the old zygote goes as soon as nothing runs on it
    one_zygote() { [ "$(pgrep -c -P "$DAEMON" skerry-zygote)" = 1 ]; }
    wait_until one_zygote
}

@test "a removed function's request ends well, then its zygote goes" {
    daemon_start
    deploy_hold f
    hold_begin f
    api DELETE /system/functions '{"functionName": "f"}'
    [ "$code" = 202 ]
    call f
    [ "$code" = 404 ]
    touch "$HOLD/go"
    wait "$CALLER"
    [ "$(cat "$BATS_TEST_TMPDIR/held")" = $'held\n\n200' ]
    no_zygote() { ! pgrep -P "$DAEMON" skerry-zygote; }
    wait_until no_zygote
}

@test "tenants have their own functions and disjoint uids, also after a restart" {
    daemon_start
    mkdir "$BATS_TEST_TMPDIR/out.d" && chmod 777 "$BATS_TEST_TMPDIR/out.d"
    for tenant in default acme; do
        deploy f 'echo $T; : >"/out/$T"' "$(jq -n --arg dir "$BATS_TEST_TMPDIR/out.d" '{binds: [{source: $dir, target: "/out"}]}')" \
            "$(jq -n --arg t "$tenant" '{namespace: $t, envVars: {T: $t}}')"
    done
    owners() { # calls both; the uids on the host that ran them
        rm -f "$BATS_TEST_TMPDIR/out.d/"*
        call f
        [ "$output" = default ]
        call f.acme
        [ "$output" = acme ]
        stat -c %u "$BATS_TEST_TMPDIR/out.d/default" "$BATS_TEST_TMPDIR/out.d/acme" | xargs
    }
    [ "$(owners)" = '1001000 1066536' ]
    api GET /system/namespaces
    [ "$output" = '["default","acme"]' ]
    api GET '/system/functions?namespace=acme'
    [ "$(jq length <<<"$output")" = 1 ]
    daemon_stop
    daemon_start
    [ "$(owners)" = '1001000 1066536' ]
    api DELETE /system/functions '{"functionName": "f", "namespace": "acme"}'
    [ "$code" = 202 ]
    call f
    [ "$output" = default ]
    call f.acme
    [ "$code" = 404 ]
}

@test "logs: all, the tail, and following until the function is removed" {
    daemon_start
    deploy f 'read line; echo "said $line" >&2; printf "\377\033[0m\n" >&2'
    call f --data one
    call f --data two
    logged() { # COUNT
        api GET '/system/logs?name=f'
        [ "$(wc -l <<<"$output")" = "$1" ]
    }
    wait_until logged 4
    [ "$(jq -r 'select(.text | startswith("said")) | .text' <<<"$output" | xargs)" = 'said one said two' ]
    jq -es 'all(.[]; .name == "f" and .timestamp > "2020" and (.instance | length) > 8)' <<<"$output"
    api GET '/system/logs?name=f&tail=2'
    [ "$(jq -r .text <<<"$output" | head -n 1)" = 'said two' ]
    local second # the first line of the second call, and what comes after it
    second=$(jq -r .timestamp <<<"$output" | head -n 1)
    api GET "/system/logs?name=f&since=$second"
    [ "$(wc -l <<<"$output")" = 2 ]
    [ "$(jq -r .text <<<"$output" | head -n 1)" = 'said two' ]
    api GET "/system/logs?name=f&since=$second&tail=1"
    [ "$(wc -l <<<"$output")" = 1 ]
    api GET '/system/logs?name=f&since=2999-01-01T00:00:00%2B02:00'
    [ -z "$output" ]
    api GET '/system/logs?name=f&since=yesterday'
    [ "$code" = 400 ]

    curl -sN --unix-socket "$STATE/skerry.sock" 'http://admin/system/logs?name=f&tail=0&follow=true' \
        >"$BATS_TEST_TMPDIR/followed" 3>&- &
    local follower=$!
    # it may begin to follow after the next call: so call until it has seen one
    followed() { call f --data three && grep -q 'said three' "$BATS_TEST_TMPDIR/followed"; }
    wait_until followed
    refute grep -q 'said two' "$BATS_TEST_TMPDIR/followed"
    api DELETE /system/functions '{"functionName": "f"}'
    wait "$follower"
}

@test "a function that cannot be served says why at once" {
    mkdir "$BATS_TEST_TMPDIR/data"
    daemon_start
    deploy f 'echo f' "{\"timeout\": \"1h\", \"binds\": [{\"source\": \"$BATS_TEST_TMPDIR/data\", \"target\": \"/data\"}]}"
    daemon_stop
    rmdir "$BATS_TEST_TMPDIR/data"
    daemon_start
    call f -D "$BATS_TEST_TMPDIR/head"
    [ "$code" = 503 ]
    grep -q "cannot be served now; 'skerry describe' says why" <<<"$output"
    refute grep -q "$BATS_TEST_TMPDIR" <<<"$output"
    grep -qi '^Retry-After: 1' "$BATS_TEST_TMPDIR/head"
    mkdir "$BATS_TEST_TMPDIR/data"
    served() { call f && [ "$output" = f ]; } # it is tried again by itself
    wait_until served
}

@test "a restart keeps functions, revisions and the password" {
    daemon_start
    deploy f 'echo one'
    deploy f 'echo two'
    deploy g 'echo g'
    local password
    password=$(cat "$STATE/admin-password")
    daemon_stop
    [ ! -e "$STATE/skerry.sock" ]
    [ ! -e "$STATE/http.sock" ]
    daemon_start
    [ "$(cat "$STATE/admin-password")" = "$password" ]
    call f
    [ "$code" = 200 ]
    [ "$output" = two ]
    call g
    [ "$code" = 200 ]
    [ "$output" = g ]
    api GET /system/function/f
    [ "$(jq -r .revision <<<"$output")" = 2 ]
}

@test "a function that cannot be served any more says why and comes back" {
    daemon_start
    mkdir "$BATS_TEST_TMPDIR/data"
    deploy f 'echo fine' "$(jq -n --arg dir "$BATS_TEST_TMPDIR/data" '{binds: [{source: $dir, target: "/data", ro: true}]}')"
    daemon_stop
    rmdir "$BATS_TEST_TMPDIR/data"
    daemon_start
    status_is() { api GET /system/function/f && [ "$(jq -r .status <<<"$output")" = "$1" ]; }
    wait_until status_is failed
    [[ $(jq -r .error <<<"$output") == *"$BATS_TEST_TMPDIR/data"* ]]
    mkdir "$BATS_TEST_TMPDIR/data"
    wait_until status_is ready
    call f
    [ "$output" = fine ]
}

@test "a second daemon on the same state directory is refused and named the first" {
    daemon_start
    run "$BUILD/src/control/skerryd" --state "$STATE" --listen 127.0.0.1:0
    [ "$status" = 1 ]
    [[ $output == *"another skerryd (pid $DAEMON) serves the state directory $STATE"* ]]
    api GET /healthz
    [ "$code" = 200 ]
}

@test "an address in use is refused with what to do" {
    daemon_start
    run "$BUILD/src/control/skerryd" --state "$BATS_TEST_TMPDIR/other" --listen "${URL#http://}"
    [ "$status" = 1 ]
    [[ $output == *"another program uses this address; choose another with --listen"* ]]
}

@test "SIGTERM: requests in flight are answered, new ones refused, exit status 0" {
    daemon_start
    deploy_hold f
    hold_begin f
    kill -TERM "$DAEMON"
    refused() { ! curl -s "$URL/healthz"; }
    wait_until refused
    touch "$HOLD/go"
    wait "$CALLER"
    [ "$(cat "$BATS_TEST_TMPDIR/held")" = $'held\n\n200' ]
    wait "$DAEMON"
    DAEMON=
    [ ! -e "$STATE/skerry.sock" ]
}

@test "Ctrl-C reaches the supervisor alone: requests in flight are answered" {
    DAEMON_WRAPPER=setsid daemon_start # a process group of its own, as a shell makes one
    deploy_hold f
    hold_begin f
    kill -INT -- "-$DAEMON"
    wait_until grep -q 'ending when the requests' "$BATS_TEST_TMPDIR/log"
    touch "$HOLD/go"
    wait "$CALLER"
    [ "$(cat "$BATS_TEST_TMPDIR/held")" = $'held\n\n200' ]
    wait "$DAEMON"
    DAEMON=
}

@test "gateway and API process have no privilege, no files and no descriptor but theirs" {
    daemon_start
    deploy cat cat
    local role pid
    for role in gateway api; do
        pid=$(child_of "$DAEMON" "--role=$role")
        status_has() { grep -qP "^$1:\t$2\$" "/proc/$pid/status"; }
        [ "$(awk '/^Uid:/ {print $2, $3, $4, $5}' "/proc/$pid/status" | tr ' ' '\n' | sort -u | wc -l)" = 1 ]
        [ "$(awk '/^Uid:/ {print $2}' "/proc/$pid/status")" -gt 900000 ]
        for set in CapInh CapPrm CapEff CapBnd CapAmb; do status_has "$set" 0000000000000000; done
        status_has NoNewPrivs 1
        status_has Seccomp 2
        [ -z "$(ls -A "/proc/$pid/root/")" ]
        for space in mnt net ipc uts; do
            [ "$(readlink "/proc/$pid/ns/$space")" != "$(readlink "/proc/self/ns/$space")" ]
        done
        # sockets, its epoll set, logs, the statistics, /dev/null, how idle the machine was: nothing else
        local allowed=socket:
        [ "$role" = api ] || allowed='/proc/uptime$'
        run bash -c "ls -l /proc/$pid/fd | awk '/->/ {print \$NF}' | grep -vE '^($allowed|socket:|anon_inode:\[event(poll|fd)\]|/dev/null$|/memfd:skerry-stats|$STATE/logs/|$BATS_TEST_TMPDIR/log$|\(deleted\)$)'"
        [ "$output" = '' ]
    done
}

@test "a second SIGTERM ends at once" {
    daemon_start
    deploy_hold f
    hold_begin f
    local tree
    tree=$(tree_of "$DAEMON")
    kill -TERM "$DAEMON"
    wait_until grep -q 'ending when the requests' "$BATS_TEST_TMPDIR/log"
    kill -TERM "$DAEMON"
    wait "$DAEMON"
    DAEMON=
    # shellcheck disable=SC2086
    dead $tree
    wait "$CALLER" || true
}

@test "a drain that takes too long ends without the requests" {
    printf 'drain_timeout: 0s\n' >"$BATS_TEST_TMPDIR/config"
    daemon_start --config "$BATS_TEST_TMPDIR/config"
    deploy_hold f
    hold_begin f
    daemon_stop
    grep -q 'still in flight' "$BATS_TEST_TMPDIR/log"
    wait "$CALLER" || true
}

@test "the configuration file: used, and refused by line" {
    local config=$BATS_TEST_TMPDIR/config
    printf 'listen: [127.0.0.1:0, "[::1]:0"]\nlog: %s\nuid_base: 3000000\n' "$BATS_TEST_TMPDIR/own.log" >"$config"
    daemon_begin --config "$config"
    daemon_serves
    [ "$(grep -c '^skerryd: serving on http://' "$BATS_TEST_TMPDIR/out")" = 2 ]
    deploy_hold f
    touch "$HOLD/go"
    call f
    [ "$(stat -c %u "$HOLD/started")" = 3001000 ]
    grep -q 'deployed f of default' "$BATS_TEST_TMPDIR/own.log"
    mv "$BATS_TEST_TMPDIR/own.log" "$BATS_TEST_TMPDIR/old.log"
    kill -HUP "$DAEMON"
    wait_until test -e "$BATS_TEST_TMPDIR/own.log"
    daemon_stop

    printf 'listen: 127.0.0.1:0\nwarm: 1\n' >"$config"
    run "$BUILD/src/control/skerryd" --state "$BATS_TEST_TMPDIR/s2" --config "$config"
    [ "$status" = 2 ]
    [[ $output == *"$config:2: unknown key 'warm'"* ]]
}

@test "without root it serves the same and says what it cannot limit; others may not ask it" {
    local as='setpriv --reuid=54321 --regid=54321 --clear-groups --inh-caps=-all'
    STATE_DIR=$(mktemp -d /tmp/skerry-rootless-XXXXXX)
    chown 54321:54321 "$STATE_DIR"
    DAEMON_WRAPPER=$as daemon_start
    grep -q 'running without root' "$BATS_TEST_TMPDIR/log"
    local spec='{"service": "up", "skerry": {"host_usr": true, "args": ["tr", "a-z", "A-Z"]}}'
    # shellcheck disable=SC2086 # a command and its arguments
    run $as curl -sS --unix-socket "$STATE/skerry.sock" --data "$spec" http://admin/system/functions
    [ "$(jq -r .revision <<<"$output")" = 1 ]
    call up --data hello
    [ "$output" = HELLO ]
    run setpriv --reuid=54322 --regid=54322 --clear-groups --inh-caps=-all \
        curl -sS --unix-socket "$STATE/skerry.sock" http://admin/system/functions
    [ "$status" = 7 ]
    daemon_stop
    rm -r "$STATE_DIR"
}

@test "--help, --version, and what it does not understand" {
    run "$BUILD/src/control/skerryd" --help
    [ "$status" = 0 ]
    [[ $output == Usage:* ]]
    run "$BUILD/src/control/skerryd" --version
    [ "$status" = 0 ]
    [[ $output =~ ^skerryd\ [0-9] ]]
    run "$BUILD/src/control/skerryd" --nonsense
    [ "$status" = 2 ]
    run "$BUILD/src/control/skerryd" nonsense
    [ "$status" = 2 ]
    [[ $output == *"unexpected argument 'nonsense'"* ]]
    run "$BUILD/src/control/skerryd" --listen here
    [ "$status" = 2 ]
    [[ $output == *"not an address to listen on"* ]]
}

@test "a service manager is told when it serves and when it stops" {
    python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("bound", flush=True)
print(s.recv(100).decode(), flush=True)
print(s.recv(100).decode(), flush=True)' "$BATS_TEST_TMPDIR/notify" >"$BATS_TEST_TMPDIR/told" 3>&- &
    local listener=$!
    wait_until grep -q bound "$BATS_TEST_TMPDIR/told"
    NOTIFY_SOCKET=$BATS_TEST_TMPDIR/notify daemon_start
    wait_until grep -q READY=1 "$BATS_TEST_TMPDIR/told"
    daemon_stop
    wait "$listener"
    [ "$(tail -n 1 "$BATS_TEST_TMPDIR/told")" = STOPPING=1 ]
}
