#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Many functions of many tenants at once: nobody is failed but as documented, and memory is bounded.

load daemon

teardown() {
    daemon_teardown
}

# Memory of all sandboxes of the daemon, one file each, in whatever hierarchy counts it.
memory_files() {
    local prefix="skerry-$DAEMON-*"
    if [ -e /sys/fs/cgroup/memory/memory.usage_in_bytes ]; then
        echo "/sys/fs/cgroup/memory/$prefix/tenant-*/*/s[0-9]*/memory.usage_in_bytes"
    else
        echo "/sys/fs/cgroup/$prefix/tenant-*/*/s[0-9]*/memory.current"
    fi
}

deploy_ten() { # fJ.TENANT for three tenants; sets FUNCTIONS
    local i tenants=(red green blue)
    FUNCTIONS=()
    for i in 0 1 2 3 4 5 6 7 8 9; do
        deploy "f$i" 'read -r line; echo "$line"' '{"queue": 60, "timeout": "60s"}' \
            "{\"namespace\": \"${tenants[i % 3]}\"}"
        FUNCTIONS+=("f$i.${tenants[i % 3]}")
    done
}

@test "1,000 requests in flight over ten functions of three tenants" {
    daemon_start --pool-memory 64M
    deploy_ten
    run python3 "$BATS_TEST_DIRNAME/many_requests.py" "${URL#http://}" 1000 "$(memory_files)" "${FUNCTIONS[@]}"
    echo "$output"
    [ "$status" = 0 ]
    [ "$(jq '[.answers[]] | add' <<<"$output")" = 1000 ]
    jq -e '.answers | keys | all(test(" (200|429|503)$"))' <<<"$output"
    [ "$(jq '[.answers | to_entries[] | select(.key | endswith(" 200"))] | length' <<<"$output")" = 10 ]
    [ "$(jq .without_retry_after <<<"$output")" = 0 ]
    local most
    most=$(jq .most_memory <<<"$output")
    [ "$(id -u)" != 0 ] || [ "$most" -gt 0 ]
    [ "$most" -le $((64 << 20)) ]
    api GET /system/info
    [ "$(jq .skerry.pool.memory_limit_bytes <<<"$output")" = $((64 << 20)) ]
    [ "$(jq .skerry.pool.memory_bytes <<<"$output")" -le $((64 << 20)) ]
    run curl -sS "$URL/metrics"
    grep -qx "skerry_pool_memory_limit_bytes $((64 << 20))" <<<"$output"
    grep -q '^skerry_pool_memory_bytes [1-9]' <<<"$output"
}

@test "a bound that is smaller than any sandbox still serves, one after another" {
    daemon_start --pool-memory 1M
    deploy f 'echo "$Http_Query"' '{"timeout": "60s"}'
    deploy g 'echo "$Http_Query"' '{"timeout": "60s"}'
    for i in 1 2 3; do
        call "f?f$i"
        [ "$output" = "f$i" ]
        call "g?g$i"
        [ "$output" = "g$i" ]
    done
}

pool_bytes() { # what sandboxes are counted for
    curl -sS "$URL/metrics" | sed -n 's/^skerry_pool_memory_bytes //p'
}

made() { # NAME: it has its snapshot
    [ "$("$BUILD/src/cli/skerry" describe --state "$STATE" "$1" --json | jq -r .snapshot)" = made ]
}

warm_deploy() { # NAME: a program of 60 MiB with a snapshot, if it gets one
    "$BUILD/src/cli/skerry" deploy --state "$STATE" "$1" --warm yes --host-usr --timeout 60s --mem 256M \
        python3 -c 'import sys; b = b"x" * (60 << 20); print(len(b), sys.stdin.read())'
}

@test "snapshots, and what waits with memory of one, count before the first request" {
    daemon_start --pool-memory 200M
    local name
    for name in f g; do
        warm_deploy "$name"
        wait_until made "$name"
    done
    # two snapshots are 120 MiB, and one of the two functions that wait is 60 more
    wait_until eval '[ "$(pool_bytes)" -gt $((180 << 20)) ]'
    warm_deploy h # half of the bound is in use: it starts cold
    run "$BUILD/src/cli/skerry" describe --state "$STATE" h
    grep -q 'snapshot  *none, since snapshots hold half of --pool-memory already' <<<"$output"
    wait_until eval '[ "$(pool_bytes)" -le $((200 << 20)) ]'
    for name in f g h; do
        call "$name" -d hi
        [ "$output" = '62914560 hi' ]
    done
    for name in f g; do # its snapshot goes with it
        "$BUILD/src/cli/skerry" remove --state "$STATE" "$name"
    done
    wait_until eval '[ "$(pool_bytes)" -lt $((120 << 20)) ]'
    warm_deploy i
    wait_until made i
}

@test "a program that never gets ready keeps no other tenant from the memory for ever" {
    daemon_start --pool-memory 40M
    local name
    for name in f g; do
        "$BUILD/src/cli/skerry" deploy --state "$STATE" "$name" --warm yes --host-usr --timeout 1h sleep 1h
    done
    deploy other 'echo served' '{"timeout": "10m"}' '{"namespace": "other"}'
    call other.other
    [ "$output" = served ]
}

metric_of() { # METRIC NAME
    curl -sS "$URL/metrics" | sed -n "s/^$1{function=\"$2\",tenant=\"default\"} //p"
}

@test "programs that wait all run at once" {
    daemon_start
    local many=$((6 * ($(nproc) + 2)))
    deploy_hold f "{\"concurrency\": $many}"
    seq "$many" | xargs -P "$many" -I{} curl -sS -o /dev/null -w '%{http_code}\n' "$URL/function/f" >"$BATS_TEST_TMPDIR/codes" 3>&- &
    local clients=$!
    wait_until eval '[ "$(wc -l <"$HOLD/started")" = '"$many"' ]'
    [ "$(metric_of skerry_in_flight f)" = "$many" ]
    touch "$HOLD/go"
    wait "$clients"
    [ "$(sort -u "$BATS_TEST_TMPDIR/codes")" = 200 ]
}

idle() { # hundredths of a second of all processors together, since boot
    awk '{print int($2 * 100)}' /proc/uptime
}

@test "programs that compute run few at once, though many more wait and may" {
    local many=$((12 * ($(nproc) + 2))) before began
    [ "$many" -le 240 ] || skip "so many clients that they are the test"
    daemon_start
    deploy f 'i=0; while [ $((i += 1)) -lt 40000 ]; do :; done' "{\"concurrency\": $many, \"timeout\": \"10m\"}"
    before=$(idle) began=$(date +%s%2N)
    seq $((4 * many)) | xargs -P "$many" -I{} curl -sS -o /dev/null -w '%{http_code}\n' "$URL/function/f" >"$BATS_TEST_TMPDIR/codes"
    [ "$(sort -u "$BATS_TEST_TMPDIR/codes")" = 200 ]
    # where a quota ends the processor time, it looks as if there was more
    [ $((20 * ($(idle) - before))) -lt $((($(date +%s%2N) - began) * $(nproc))) ] || skip "the machine was not full"
    [ "$(metric_of skerry_slots f)" -lt "$many" ]
}

@test "--pool-memory must be a size" {
    run "$BUILD/src/control/skerryd" --pool-memory lots
    [ "$status" = 2 ]
    grep -q "pool_memory is 'lots', not a size" <<<"$output"
}

@test "sandboxes and zygotes of a tenant lie in a cgroup of their own" {
    [ "$(id -u)" = 0 ] || skip "needs root"
    daemon_start
    deploy f 'cat /proc/self/cgroup' '' '{"namespace": "red"}'
    local zygote
    zygote=$(child_of "$DAEMON" skerry-zygote)
    grep -q "/skerry-$DAEMON-[0-9]*/tenant-red/red.f-[0-9]*/z$" "/proc/$zygote/cgroup"
    call f.red # its own group is all that it sees
    [ "$code" = 200 ]
    refute grep -q tenant <<<"$output"
}
