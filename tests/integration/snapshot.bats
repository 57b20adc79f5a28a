#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Functions that go on from a snapshot, through the whole daemon, in both tiers: what one request leaves behind, the next
# must not find; what cannot be saved says why.

bats_require_minimum_version 1.5.0
load daemon.bash

# Each request leaves traces wherever a program can, and looks for those of the one before.
PROGRAM='
import json, os, re, sys
marks = []
text = sys.stdin.read()
seen = []
if marks: seen.append("heap")
if os.path.exists("/tmp/mark"): seen.append("file")
if os.getcwd() != "/": seen.append("cwd")
if "MARK" in os.environ: seen.append("environment")
try:
    os.fstat(9); seen.append("descriptor")
except OSError:
    pass
marks.append(text)
open("/tmp/mark", "w").write(text)
os.environ["MARK"] = text
os.dup2(1, 9)
os.chdir("/tmp")
print(json.dumps({"text": text, "seen": seen, "random": os.urandom(8).hex()}))
'

setup() {
    skerry=$BUILD/src/cli/skerry
    daemon_start
}

teardown() {
    daemon_teardown
}

python_image() { # imports this machine's Python as an image
    python3 "$SRC/examples/python_image.py" "$BATS_TEST_TMPDIR/python.tar"
    "$skerry" image import "$BATS_TEST_TMPDIR/python.tar" --name python --state "$STATE" >/dev/null
}

deploy_tier() { # NAME TIER PROGRAM [OPTION...]
    local time=(--timeout 60s) # half of it, at most 10 s, is for making the snapshot
    [[ " ${*:4} " != *' --timeout '* ]] || time=()
    if [ "$2" = vm ]; then
        [ -c /dev/kvm ] || skip "no /dev/kvm here"
        python_image
        "$skerry" deploy --state "$STATE" "$1" --tier vm --image python "${time[@]}" "${@:4}" -- python3 -c "$3"
    else
        "$skerry" deploy --state "$STATE" "$1" --warm yes --host-usr "${time[@]}" "${@:4}" python3 -c "$3"
    fi
}

all_answered() { # COUNT: of the statuses in codes; shows them, and what the others were told, if not
    local codes
    codes=$(sort "$BATS_TEST_TMPDIR/codes" | uniq -c | tr -s ' ')
    [ "$codes" != " $1 200" ] || return 0
    printf '%s\n' "$codes"
    grep -L '^n[0-9]*$' "$BATS_TEST_TMPDIR"/answer-* | xargs cat
    return 1
}

described() { # NAME JQ
    "$skerry" describe --state "$STATE" "$1" --json | jq -r "$2"
}

no_traces() { # TIER
    local one two
    deploy_tier f "$1" "$PROGRAM" --concurrency 1
    call f --data-binary secret
    [ "$code" = 200 ]
    one=$output
    call f --data-binary other
    two=$output
    [ "$(jq -c .seen <<<"$one")" = '[]' ]
    [ "$(jq -c .seen <<<"$two")" = '[]' ]
    [ "$(jq -r .text <<<"$two")" = other ]
    [ "$(jq -r .random <<<"$one")" != "$(jq -r .random <<<"$two")" ]
    [ "$(described f .snapshot)" = made ]
    [ "$(described f .counters.restored)" = 2 ]
    [ "$(described f .lastStartKind)" = restored ]
}

@test "jail: a request finds nothing of the one before" {
    no_traces jail
}

@test "vm: a request finds nothing of the one before" {
    no_traces vm
}

@test "the same program without a snapshot is started for each request" {
    deploy f 'exec cat' '{"concurrency": 1}'
    call f --data-binary x
    [ "$output" = x ]
    [ "$(described f .counters.restored)" = 0 ]
    [ "$(described f .snapshot)" = null ]
}

@test "what cannot be saved says why, and is served all the same" {
    deploy_tier f jail 'import threading, sys
threading.Thread(target=threading.Event().wait, daemon=True).start()
print(len(sys.stdin.read()))'
    call f --data-binary four
    [ "$code" = 200 ]
    [ "$output" = 4 ]
    [[ $(described f .snapshot) == 'none, since '*thread* ]]
    [ "$(described f .counters.restored)" = 0 ]
}

environment_comes() { # TIER: of the request, after skerry.ready()
    local options=()
    [ "$1" = vm ] || options=(--bind "$SRC/sdk/python:/sdk:ro" --env PYTHONPATH=/sdk)
    deploy_tier f "$1" "import os, skerry, sys
skerry.ready()
print(os.environ['Http_X_Color'], sys.stdin.read())
skerry.done()" "${options[@]}"
    call f --data-binary a -H 'X-Color: green'
    [ "$output" = 'green a' ]
    call f --data-binary b -H 'X-Color: blue'
    [ "$output" = 'blue b' ]
    [ "$(described f .counters.restored)" = 2 ]
}

@test "jail: a request's environment is there after ready()" {
    environment_comes jail
}

@test "vm: a request's environment is there after ready()" {
    environment_comes vm
}

launched() { # TIER: an unmodified program, run by the launcher, as python3 runs it
    local program='import atexit, os, random, sys
if len(sys.argv) > 1: print(sys.argv[1:])
for line in sys.stdin: print(os.environ["Http_X_Color"], line.strip(), random.random())
atexit.register(print, "over")
sys.exit(3 if "bad" in line else None)'
    local launcher=(python3 /sdk/skerry.py)
    local options=(--timeout 60s --warm yes --host-usr --bind "$SRC/sdk/python:/sdk:ro")
    if [ "$1" = vm ]; then
        [ -c /dev/kvm ] || skip "no /dev/kvm here"
        python_image
        launcher=(python3 -m skerry)
        options=(--timeout 60s --tier vm --image python --)
    fi
    "$skerry" deploy --state "$STATE" f "${options[@]}" "${launcher[@]}" -c "$program"
    call f --data-binary good -H 'X-Color: green'
    [ "$code" = 200 ]
    [[ $output == 'green good 0.'*$'\nover' ]]
    local first=$output
    call f --data-binary good -H 'X-Color: green'
    [[ $output == 'green good 0.'*$'\nover' ]]
    [ "$output" != "$first" ]
    call f --data-binary bad -H 'X-Color: blue'
    [ "$code" = 500 ]
    [[ $output == *'exit status 3'* ]]
    [ "$(described f .counters.restored)" = 3 ]
}

@test "jail: the launcher runs a program that knows nothing of it" {
    launched jail
}

@test "vm: the launcher runs a program that knows nothing of it" {
    launched vm
}

ends_as_it_ends() { # TIER: statuses, signals, deadlines
    deploy_tier f "$1" 'import os, sys
what = sys.stdin.read()
if what == "exit": sys.exit(7)
if what == "kill": os.kill(os.getpid(), 9)
while what == "loop": pass
print(what)' --concurrency 1 --timeout 8s
    call f --data-binary exit
    [ "$code" = 500 ]
    call f --data-binary loop
    [ "$code" = 504 ]
    call f --data-binary kill
    [ "$code" = 502 ]
    call f --data-binary fine
    [ "$output" = fine ]
    [ "$(described f .lastStartKind)" = restored ]
}

@test "jail: a restored program ends as any other" {
    ends_as_it_ends jail
}

@test "vm: a restored program ends as any other" {
    ends_as_it_ends vm
}

@test "jail: programs that start others are brought back all the same, many at once" {
    "$skerry" deploy --state "$STATE" f --warm yes --host-usr --concurrency 6 sh -c 'read x; echo $x | /bin/cat; :'
    seq 120 | xargs -P 12 -I{} curl -sS -o "$BATS_TEST_TMPDIR/answer-{}" -w '%{http_code}\n' --data-binary 'n{}' "$URL/function/f" \
        >"$BATS_TEST_TMPDIR/codes"
    all_answered 120
    [ "$(described f .snapshot)" = made ]
    [ "$(described f .counters.restored)" = 120 ]
}

@test "vm: guests that use up their memory do not cost the function its snapshot" {
    deploy_tier f vm 'import sys
what = sys.stdin.read()
if what == "much": held = bytearray(1 << 30)
print(what)' --concurrency 4 --mem 64M
    seq 16 | xargs -P 8 -I{} curl -sS -o /dev/null --data-binary much "$URL/function/f"
    call f --data-binary little
    [ "$output" = little ]
    [ "$(described f .snapshot)" = made ]
    [ "$(described f .lastStartKind)" = restored ]
}

@test "jail: many sandboxes of a function that may open few files" {
    "$skerry" deploy --state "$STATE" f --warm yes --host-usr --concurrency 40 --files 64 sh -c 'read x; echo $x; while [ $((n += 1)) -lt 5000 ]; do :; done'
    seq 160 | xargs -P 40 -I{} curl -sS -o "$BATS_TEST_TMPDIR/answer-{}" -w '%{http_code}\n' --data-binary 'n{}' "$URL/function/f" \
        >"$BATS_TEST_TMPDIR/codes"
    all_answered 160
    [ "$(described f .snapshot)" = made ]
}

@test "programs that may open the fewest files start all the same, cold or not" {
    local tiers=(jail) tier warm
    [ ! -c /dev/kvm ] || tiers+=(vm)
    for tier in "${tiers[@]}"; do
        for warm in yes no; do
            "$skerry" deploy --state "$STATE" f --tier "$tier" --warm "$warm" --files 4 --exec /bin/sh -- -c 'read x; echo $x; ulimit -n; ulimit -Hn'
            call f --data-binary "$tier"
            [ "$code" = 200 ]
            [ "$output" = "$tier"$'\n4\n4' ]
        done
    done
}

@test "jail: a program that is too large to be saved leaves its sandboxes their memory" {
    "$skerry" deploy --state "$STATE" f --warm yes --host-usr --mem 64M --concurrency 1 python3 -c 'import sys
held = bytes(range(256)) * (34 << 12)
text = sys.stdin.read()
more = bytes(range(256)) * (12 << 12)
print(text)'
    for _ in 1 2 3 4; do
        call f --data-binary x
        [ "$code" = 200 ]
        [ "$output" = x ]
    done
}

@test "a snapshot that does not fit into the limit takes no memory from requests" {
    deploy_tier f jail 'import sys; b = b"x" * (80 << 20); print(len(b), sys.stdin.read())' --mem 128M --concurrency 1
    for _ in 1 2; do
        call f -d hi
        [ "$code" = 200 ]
        [ "$output" = '83886080 hi' ]
    done
    [[ $(described f .snapshot) == 'none, since it '* ]]
}

@test "a new revision has a snapshot of its own" {
    deploy_tier f jail 'import sys; print("one", sys.stdin.read())'
    call f --data-binary x
    [ "$output" = 'one x' ]
    deploy_tier f jail 'import sys; print("two", sys.stdin.read())'
    call f --data-binary x
    [ "$output" = 'two x' ]
}

@test "requests that find no sandbox waiting are served when one is there" {
    deploy_tier f jail 'import sys; print(sys.stdin.read())' --concurrency 2
    seq 40 | xargs -P 20 -I{} curl -sS -o "$BATS_TEST_TMPDIR/answer-{}" -w '%{http_code}\n' --data-binary 'n{}' "$URL/function/f" \
        >"$BATS_TEST_TMPDIR/codes"
    [ "$(sort "$BATS_TEST_TMPDIR/codes" | uniq -c | tr -s ' ')" = ' 40 200' ]
    for n in $(seq 40); do
        [ "$(cat "$BATS_TEST_TMPDIR/answer-$n")" = "n$n" ]
    done
    [ "$(described f .counters.restored)" = 40 ]
}

@test "a killed zygote takes its snapshot with it, and a new one is made" {
    deploy_tier f jail 'import sys; print(sys.stdin.read())'
    call f --data-binary x
    [ "$output" = x ]
    kill -KILL "$(child_of "$DAEMON" skerry-zygote)"
    wait_until env -C / curl -fsS --data-binary y "$URL/function/f"
    call f --data-binary z
    [ "$output" = z ]
    [ "$(described f .snapshot)" = made ]
}
