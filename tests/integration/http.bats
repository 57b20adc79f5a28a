#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Every answer of the gateway over real HTTP: each function runs in a real sandbox.

load daemon

setup() {
    daemon_start
}

teardown() {
    daemon_teardown
}

# A bare `!` does not fail a test in bats, nor does the left side of `&&`: neither is used here.
absent() { # GREP ARGUMENTS: it finds nothing
    local status=0
    grep "$@" >/dev/null || status=$?
    [ "$status" = 1 ]
}

raw() {
    python3 "$BATS_TEST_DIRNAME/raw_http.py" "$URL" "$@"
}

headers() { # NAME [curl arguments]: the answer's head in lower case in $output
    output=$(curl -sS -D - -o /dev/null "${@:2}" "$URL/function/$1" | tr -d '\r' | tr '[:upper:]' '[:lower:]')
}

access() { # JQ FILTER: over the lines of the access log so far
    jq -r "$1" "$STATE/logs/access.log"
}

logged() { # JQ FILTER: some line passes it
    [ -n "$(access "$1")" ]
}

gateway_pid() {
    child_of "$DAEMON" --role=gateway
}

deploy_args() { # NAME JSON: a program of the machine's /usr with arguments
    api PUT '/system/functions?upsert=1' \
        "$(jq -n --arg name "$1" --argjson args "$2" '{service: $name, skerry: {host_usr: true, args: $args}}')"
    [ "$code" = 202 ]
}

metric() { # PATTERN of a whole line
    curl -sS "$URL/metrics" | grep -qE -- "^$1\$"
}

fds() {
    find "/proc/$(gateway_pid)/fd" -mindepth 1 | wc -l
}

open_fds() { # COUNT
    [ "$(fds)" = "$1" ]
}

runs() { # COMMAND NAME: a process below the daemon has it
    ps -o comm= -p "$(tree_of "$DAEMON" | paste -sd,)" | grep -qx "$1"
}

runs_not() {
    if runs "$1"; then return 1; fi
}

@test "200: the output is the answer, the body is stdin" {
    deploy up 'tr a-z A-Z'
    call up --data hello
    [ "$code" = 200 ]
    [ "$output" = HELLO ]
    headers up --data hello
    grep -qE '^x-call-id: [0-9a-f]{8}-[0-9a-f]{16}$' <<<"$output"
    grep -qE '^x-duration-seconds: [0-9]+\.[0-9]{6}$' <<<"$output"
    grep -q '^content-length: 5$' <<<"$output"
    call up
    [ "$code" = 200 ]
    [ -z "$output" ]
    call up -X DELETE
    [ "$code" = 200 ]
}

@test "the request is in the environment, as CGI and as OpenFaaS name it" {
    deploy env env
    output=$(curl -sS -X PUT --data abc -H 'Content-Type: text/x' -H 'X-A: 1' -H 'x-a: 2' \
        -H 'Proxy: evil' -H 'Authorization: Bearer t' -H 'X_A: forged' \
        "$URL/function/env/a%20b/c?q=%31&r")
    for line in GATEWAY_INTERFACE=CGI/1.1 REQUEST_METHOD=PUT SCRIPT_NAME=/function/env \
        'PATH_INFO=/a b/c' 'QUERY_STRING=q=%31&r' CONTENT_TYPE=text/x CONTENT_LENGTH=3 \
        SERVER_NAME=127.0.0.1 "SERVER_PORT=${URL##*:}" SERVER_PROTOCOL=HTTP/1.1 \
        REMOTE_ADDR=127.0.0.1 'HTTP_X_A=1, 2' Http_Method=PUT 'Http_Path=/function/env/a%20b/c' \
        'Http_Query=q=%31&r' Http_ContentLength=3 Http_Content_Type=text/x \
        'Http_Authorization=Bearer t'; do
        grep -qxF "$line" <<<"$output" || { echo "no $line in $output" && return 1; }
    done
    absent -qiE '^http_(proxy|connection)=' <<<"$output"
    absent -q '^HTTP_AUTHORIZATION' <<<"$output"
    absent -q forged <<<"$output"
}

@test "an empty stdin is nobody else's open file" {
    local set='import fcntl, os; fcntl.fcntl(0, fcntl.F_SETFL, os.O_NONBLOCK); print("set")'
    local get='import fcntl, os; print(bool(fcntl.fcntl(0, fcntl.F_GETFL) & os.O_NONBLOCK))'
    deploy_args set "$(jq -cn --arg code "$set" '["python3", "-c", $code]')"
    deploy_args get "$(jq -cn --arg code "$get" '["python3", "-c", $code]')"
    call get
    [ "$output" = False ]
    call set
    [ "$output" = set ]
    call get # flags lie in the open file: one that is shared would pass messages on
    [ "$output" = False ]
}

@test "another tenant's function is NAME.TENANT" {
    local spec
    spec=$(jq -n '{service: "who", namespace: "acme", skerry: {host_usr: true, args: ["echo", "acme"]}}')
    api PUT '/system/functions?upsert=1' "$spec"
    call who.acme
    [ "$code" = 200 ]
    [ "$output" = acme ]
    call who
    [ "$code" = 404 ]
}

@test "404, 400: what is not there, and names that are none" {
    call nothing
    [ "$code" = 404 ]
    deploy up cat
    for path in /x /function /function/ /function/UP /function/%2e%2e/up /function/up.other; do
        [ "$(curl -s --path-as-is -o /dev/null -w '%{http_code}' "$URL$path")" = 404 ]
    done
    for path in /function/u%2fp /function/up%00 /function/up% /function/up/%zz; do
        [ "$(curl -s --path-as-is -o /dev/null -w '%{http_code}' "$URL$path")" = 400 ]
    done
    [ "$(curl -s "$URL/healthz")" = OK ]
    curl -s "$URL/" | grep -q /function/NAME
}

@test "413: a body over the limit, known before or found out" {
    deploy small 'wc -c' '{"max_body": "1000"}'
    call small --data-binary @<(head -c 1000 /dev/zero)
    [ "$code" = 200 ]
    [ "$output" = 1000 ]
    call small --data-binary @<(head -c 1001 /dev/zero)
    [ "$code" = 413 ]
    call small -H 'Transfer-Encoding: chunked' --data-binary @<(head -c 1001 /dev/zero)
    [ "$code" = 413 ]
    output=$(curl -sS -v -H 'Expect: 100-continue' --data-binary @<(head -c 5000 /dev/zero) \
        "$URL/function/small" 2>&1)
    grep -q '< HTTP/1.1 413' <<<"$output"
    absent -q '< HTTP/1.1 100' <<<"$output"
}

@test "Expect: 100-continue is answered before the body" {
    deploy up 'tr a-z A-Z'
    output=$(curl -sS -v -H 'Expect: 100-continue' --data hello "$URL/function/up" 2>&1)
    grep -q '< HTTP/1.1 100 Continue' <<<"$output"
    grep -q HELLO <<<"$output"
    [ "$(curl -s -o /dev/null -w '%{http_code}' -H 'Expect: magic' --data x "$URL/function/up")" = 417 ]
}

@test "429: the queue is full; who waits is served when a sandbox is free" {
    deploy_hold busy '{"concurrency": 1, "queue": 1}'
    hold_begin busy
    curl -sS -w '\n%{http_code}' "$URL/function/busy" >"$BATS_TEST_TMPDIR/second" 2>&1 3>&- &
    local second=$!
    wait_until metric 'skerry_queued\{function="busy".* 1'
    headers busy
    grep -q '^http/1.1 429' <<<"$output"
    grep -qE '^retry-after: [0-9]+$' <<<"$output"
    touch "$HOLD/go"
    wait "$CALLER" "$second"
    [ "$(tail -n 1 "$BATS_TEST_TMPDIR/held")" = 200 ]
    [ "$(tail -n 1 "$BATS_TEST_TMPDIR/second")" = 200 ]
}

@test "500: the exit status and the end of stderr" {
    deploy fails 'echo not this; seq 1 2000 >&2; echo the end >&2; exit 42'
    call fails
    [ "$code" = 500 ]
    [ "$(head -n 1 <<<"$output")" = 'fails: exit status 42' ]
    [ "$(tail -n 1 <<<"$output")" = 'the end' ]
    absent -q 'not this' <<<"$output"
    [ "${#output}" -lt 4300 ]
    headers fails
    grep -q '^x-exit-status: 42$' <<<"$output"
}

@test "502: a signal, by name" {
    deploy dies 'kill -SEGV $$'
    call dies
    [ "$code" = 502 ]
    grep -q 'signal 11 (SIGSEGV)' <<<"$output"
}

@test "502: the memory limit, by name" {
    deploy eats 'exec tail /dev/zero' '{"mem": "16M", "timeout": "5m"}'
    call eats
    [ "$code" = 502 ]
    grep -q 'memory limit of 16 MiB' <<<"$output"
}

@test "502 for what a dying zygote takes along, 503 while there is none" {
    deploy_hold held '{"concurrency": 1}'
    deploy short 'echo here' '{"timeout": "300ms"}'
    hold_begin held
    kill -STOP "$DAEMON" # nobody builds new ones meanwhile
    kill -KILL $(pgrep -P "$DAEMON" -f zygote)
    wait "$CALLER"
    [ "$(tail -n 1 "$BATS_TEST_TMPDIR/held")" = 502 ]
    headers short
    kill -CONT "$DAEMON"
    grep -q '^http/1.1 503' <<<"$output"
    grep -qE '^retry-after: [0-9]+$' <<<"$output"
    answered() {
        call short
        [ "$code" = 200 ]
    }
    wait_until answered
    [ "$output" = here ]
}

@test "504: at the deadline everything it started is killed" {
    deploy slow 'sleep 1h & setsid sleep 1h & sleep 1h' '{"timeout": "300ms"}'
    call slow
    [ "$code" = 504 ]
    grep -q deadline <<<"$output"
    runs_not sleep
    deploy slow 'echo quick' '{"timeout": "30s"}'
    call slow
    [ "$code" = 200 ]
}

@test "a client that leaves takes its sandbox along" {
    deploy_hold left '{"concurrency": 1}'
    hold_begin left
    runs sh
    kill "$CALLER"
    wait_until runs_not sh
    wait_until logged 'select(.status == 499)'
    touch "$HOLD/go"
    call left
    [ "$code" = 200 ]
    [ "$output" = held ]
}

@test "a kept connection serves one request after the other" {
    deploy up 'tr a-z A-Z'
    output=$(curl -sS -w '%{num_connects} ' --data a "$URL/function/up" --next -sS \
        -w '%{num_connects} ' --data b "$URL/function/up" --next -sS -w '%{num_connects}' \
        "$URL/healthz" | tr -d '\n')
    [ "$output" = 'A1 B0 OK0' ]
    output=$(raw --answers 3 --closed 'GET /function/up HTTP/1.1\r\nHost: h\r\n\r\nPOST /function/up HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nabGET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')
    [ "$output" = $'200 \n200 AB\n200 OK' ]
}

@test "HTTP/1.0, HEAD" {
    deploy up 'printf 12345'
    output=$(curl -sS -0 -i "$URL/function/up" | tr -d '\r')
    grep -q '^Connection: close$' <<<"$output"
    grep -q '^12345$' <<<"$output"
    headers up -I
    grep -q '^content-length: 5$' <<<"$output"
    raw --closed 'HEAD /function/up HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n' --answers 1 |
        grep -q '^200 $'
}

@test "chunked both ways, byte by byte" {
    deploy up 'tr a-z A-Z'
    output=$(raw --by-byte 'POST /function/up HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0006\r\n world\r\n0\r\nT: v\r\n\r\n')
    [ "$output" = '200 HELLO WORLD' ]
    deploy big 'head -c 3000000 /dev/zero'
    output=$(curl -sS -D "$BATS_TEST_TMPDIR/head" "$URL/function/big" | wc -c)
    [ "$output" = 3000000 ]
    grep -qi '^transfer-encoding: chunked' "$BATS_TEST_TMPDIR/head"
}

@test "large bodies stream through in constant memory" {
    deploy echo 'cat' '{"max_body": "1G", "timeout": "1m"}'
    local size=200000000 before after
    call echo --data x
    before=$(awk '/^VmRSS/ {print $2}' "/proc/$(gateway_pid)/status")
    output=$(head -c $size /dev/zero | curl -sS -T - -X POST -H 'Expect:' "$URL/function/echo" | sha256sum)
    [ "$output" = "$(head -c $size /dev/zero | sha256sum)" ]
    after=$(awk '/^VmRSS/ {print $2}' "/proc/$(gateway_pid)/status")
    [ $((after - before)) -lt 4096 ]
}

@test "a failure after the first 64 KiB breaks the answer off" {
    deploy late 'head -c 200000 /dev/zero; exit 1'
    local status=0
    curl -s -o "$BATS_TEST_TMPDIR/out" "$URL/function/late" || status=$?
    [ "$status" = 18 ] # curl: the transfer is not complete
    wait_until logged 'select(.reason == "exit status 1")'
}

@test "a streaming function's first byte comes while it runs" {
    HOLD=$BATS_TEST_TMPDIR/hold
    mkdir -p "$HOLD" && chmod 777 "$HOLD"
    deploy stream 'echo first; until [ -e /hold/go ]; do sleep 0.02; done; echo last' \
        "$(jq -n --arg dir "$HOLD" '{stream: true, binds: [{source: $dir, target: "/hold"}]}')"
    curl -sS -N -H 'TE: trailers' -D "$BATS_TEST_TMPDIR/head" "$URL/function/stream" \
        >"$BATS_TEST_TMPDIR/body" 3>&- &
    local client=$!
    wait_until grep -q first "$BATS_TEST_TMPDIR/body"
    touch "$HOLD/go"
    wait "$client"
    [ "$(cat "$BATS_TEST_TMPDIR/body")" = $'first\nlast' ]
    grep -qi '^trailer: x-duration-seconds' "$BATS_TEST_TMPDIR/head"
    grep -qi '^x-call-id' "$BATS_TEST_TMPDIR/head"
}

@test "a CGI function sets status and headers, and can inject nothing" {
    deploy cgi 'printf "Status: 418 Teapot\nContent-Type: text/x\nX-Y: z\n\nshort and stout"' '{"cgi": true}'
    output=$(curl -sS -i "$URL/function/cgi" | tr -d '\r')
    [ "$(head -n 1 <<<"$output")" = 'HTTP/1.1 418 Teapot' ]
    grep -q '^X-Y: z$' <<<"$output"
    grep -q '^Content-Type: text/x$' <<<"$output"
    [ "$(tail -n 1 <<<"$output")" = 'short and stout' ]
    deploy cgi 'echo just text' '{"cgi": true}'
    call cgi
    [ "$code" = 200 ]
    [ "$output" = 'just text' ]
    for block in 'Content-Type: a/b\nX: y\rInjected: 1\n\n' 'Content-Type: a/b\nTransfer-Encoding: chunked\n\n' \
        'Content-Type: a/b\nConnection: close\n\n' 'Status: 100\n\n' 'Content-Type: a/b\n'; do
        deploy cgi "printf '$block'" '{"cgi": true}'
        output=$(curl -sS -i "$URL/function/cgi")
        grep -q '^HTTP/1.1 502' <<<"$output"
        absent -qi '^injected' <<<"$output"
    done
    deploy plain 'printf "Status: 500\n\n"' # not deployed with cgi: it is just output
    call plain
    [ "$code" = 200 ]
    [ "$(head -n 1 <<<"$output")" = 'Status: 500' ]
}

@test "malformed requests are refused and end the connection" {
    raw --table <<'END'
# line ends
400 GET / HTTP/1.1\nHost: h\n\n
400 GET / HTTP/1.1\r\nHost: h\n\r\n
400 GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n
400 \r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n
# headers
400 GET / HTTP/1.1\r\nHost: h\r\nX : y\r\n\r\n
400 GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n
400 GET / HTTP/1.1\r\nHost: h\r\nX: \x00\r\n\r\n
400 GET / HTTP/1.1\r\nHost: h\r\nnothing\r\n\r\n
400 GET / HTTP/1.1\r\n\r\n
400 GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n
400 GET / HTTP/1.1\r\nHost: a b\r\n\r\n
# lengths
400 POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n
400 POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n
400 POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\n
501 POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n
501 POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n
400 POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n
# request lines
400 GET  / HTTP/1.1\r\nHost: h\r\n\r\n
400 GET /\r\n\r\n
400 GET /# HTTP/1.1\r\nHost: h\r\n\r\n
400 GET x HTTP/1.1\r\nHost: h\r\n\r\n
501 BREW / HTTP/1.1\r\nHost: h\r\n\r\n
501 CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n
505 GET / HTTP/2.0\r\nHost: h\r\n\r\n
505 PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n
400 \x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03
END
}

@test "what is smuggled behind a bad body is not run" {
    deploy mark 'echo ran >&2'
    raw --table <<'END'
400 POST /function/mark HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\nGET /function/mark HTTP/1.1\r\nHost: h\r\n\r\n
400 POST /function/mark HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\nX\r\n0\r\n\r\nGET /function/mark HTTP/1.1\r\nHost: h\r\n\r\n
400 POST /function/mark HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\nX\r\n0\r\n\r\nGET /function/mark HTTP/1.1\r\nHost: h\r\n\r\n
400 POST /function/mark HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\nGET /function/mark HTTP/1.1\r\nHost: h\r\n\r\n
END
    [ ! -s "$STATE/logs/default.mark.log" ]
}

@test "heads that are too large have their own status" {
    local long
    long=$(head -c 9000 /dev/zero | tr '\0' a)
    raw --table <<END
414 GET /$long HTTP/1.1\r\nHost: h\r\n\r\n
431 GET / HTTP/1.1\r\nHost: h\r\n$(for i in 1 2 3 4; do printf '%s' "X$i: $long\\r\\n"; done)\r\n
431 GET / HTTP/1.1\r\nHost: h\r\n$(for i in $(seq 1 130); do printf '%s' "X$i: a\\r\\n"; done)\r\n
END
}

@test "a head that does not come gets 408" {
    output=$(raw --closed 'GET / HTTP/1.1\r\nHost:')
    [ "${output%% *}" = 408 ]
}

@test "the access log has a line of JSON for each request" {
    deploy up 'tr a-z A-Z'
    call up --data hello
    call 'up/"quoted%22?secret=1'
    raw 'GET / HTTP/1.1\nHost: h\n\n' | grep -q '^400'
    wait_until logged 'select(.status == 400)'
    [ "$(access 'select(.in == 5) | .function, .tenant, .method, .path, .status' | xargs)" = \
        'up default POST /function/up 200' ]
    [ "$(access 'select(.in == 5) | .start' | grep -cE '^(pooled|cold)$')" = 1 ]
    [ "$(access 'select(.in == 5) | .stages_us | keys | join(" ")')" != '' ]
    [ "$(access 'select(.in == 5) | .stages_us.exec >= 0')" = true ]
    [ "$(access 'select(.status == 400) | .reason')" = 'a line ends in LF without CR' ]
    absent -q secret "$STATE/logs/access.log"
}

@test "stderr is in the function's log, each line with time and call" {
    deploy noisy 'echo one >&2; printf "\033[31mtwo" >&2'
    headers noisy
    local id
    id=$(sed -n 's/^x-call-id: //p' <<<"$output")
    grep -qE "^[-0-9]+T[0-9:.]+Z $id one$" "$STATE/logs/default.noisy.log"
    grep -qF "$id \\x1b[31mtwo" "$STATE/logs/default.noisy.log"
}

@test "a flood of stderr is bounded in the log and harms nobody" {
    deploy flood 'head -c 20000000 /dev/zero | tr "\0" x >&2; echo done'
    deploy up 'tr a-z A-Z'
    call flood
    [ "$code" = 200 ]
    [ "$output" = 'done' ]
    [ "$(stat -c %s "$STATE/logs/default.flood.log")" -lt 100000 ]
    call up --data a
    [ "$output" = A ]
}

@test "/metrics is well-formed and counts" {
    deploy up 'tr a-z A-Z'
    deploy fails 'exit 1'
    call up --data a
    call up --data b
    call fails
    curl -sS "$URL/metrics" >"$BATS_TEST_TMPDIR/metrics"
    python3 - "$BATS_TEST_TMPDIR/metrics" <<'END'
import re, sys
sample = re.compile(r'([a-z_]+)(\{([a-z_]+="(\\.|[^"\\])*",?)*\})? [0-9.e+]+$')
seen, current = set(), None
for line in open(sys.argv[1]):
    line = line.rstrip("\n")
    if line.startswith("# HELP "):
        current = line.split()[2]
        assert current not in seen, line
        seen.add(current)
    elif line.startswith("# TYPE "):
        assert line.split()[2] == current, line
    else:
        match = sample.match(line)
        assert match, line
        assert match[1] in (current, current + "_bucket", current + "_sum", current + "_count"), line
END
    grep -q '^skerry_invocations_total{function="up",tenant="default",result="ok"} 2$' "$BATS_TEST_TMPDIR/metrics"
    grep -q '^skerry_invocations_total{function="fails",tenant="default",result="failed"} 1$' "$BATS_TEST_TMPDIR/metrics"
    grep -q '^skerry_stage_seconds_count{function="up",tenant="default",stage="exec"} 2$' "$BATS_TEST_TMPDIR/metrics"
    grep -q '^gateway_function_invocation_total{function_name="fails.default",code="500"} 1$' "$BATS_TEST_TMPDIR/metrics"
    local started
    started=$(sed -n "s/^skerry_start_time_seconds //p" "$BATS_TEST_TMPDIR/metrics")
    [ "$started" -gt 1700000000 ] && [ "$started" -le "$(date +%s)" ]
}

@test "a connection goes on to the admin API with what was sent on it" {
    deploy up 'tr a-z A-Z'
    local password
    password=$(printf 'admin:%s' "$(cat "$STATE/admin-password")" | base64 -w 0)
    output=$(raw --answers 2 "POST /function/up HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\naGET /system/functions HTTP/1.1\r\nHost: h\r\nAuthorization: Basic $password\r\n\r\n")
    [ "$(head -n 1 <<<"$output")" = '200 A' ]
    [ "$(sed -n '2s/^200 //p' <<<"$output" | jq -r '.[0].name')" = up ]
}

@test "the gateway holds no descriptor more after thousands of requests" {
    deploy true true
    deploy fails 'exit 3'
    local before requests=500
    [ -z "$SKERRY_TESTS_SLOW" ] || requests=50 # where a processor is emulated
    call true
    call fails
    before=$(fds)
    for name in true fails; do
        seq 1 $requests | xargs -P 4 -I{} curl -s -o /dev/null "$URL/function/$name?{}"
    done
    wait_until metric 'skerry_in_flight\{function="fails",tenant="default"\} 0'
    wait_until open_fds "$before"
}

@test "clients that misbehave at random leave nothing behind" {
    local gateway api before abusers=()
    deploy once 'echo hi'
    deploy echo 'cat' '{"timeout": "200ms", "concurrency": 8, "queue": 8}'
    deploy endless 'yes' '{"timeout": "300ms", "concurrency": 4, "queue": 4}'
    deploy stream 'echo Content-Type: a/b; echo; echo hi; cat; exit 1' \
        '{"timeout": "300ms", "concurrency": 4, "stream": true, "cgi": true}'
    gateway=$(gateway_pid)
    api=$(child_of "$DAEMON" --role=api)
    before=$(fds)
    for seed in 1 2; do
        python3 "$BATS_TEST_DIRNAME/http_abuse.py" "$URL" "$seed" 20000 once echo endless stream 3>&- &
        abusers+=($!)
    done
    wait "${abusers[@]}"
    for name in once echo endless stream; do
        wait_until metric "skerry_in_flight\\{function=\"$name\",tenant=\"default\"\\} 0"
        wait_until metric "skerry_queued\\{function=\"$name\",tenant=\"default\"\\} 0"
    done
    wait_until open_fds "$before"
    [ "$(gateway_pid)" = "$gateway" ]
    [ "$(child_of "$DAEMON" --role=api)" = "$api" ]
    absent error "$BATS_TEST_TMPDIR/log"
    call once
    [ "$output" = hi ]
}
