#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Starts a daemon with a state directory of its own, deploys five programs as functions, sends each
# a real request with curl and checks the answer. Then it serves until Ctrl-C and removes all it made.
#
#   BUILD=build       where the programs were built
#   DEMO_PORT=8080    the port of 127.0.0.1
#   ONCE=1            end after the invocations: 0, or 1 if an answer was wrong
#
# shellcheck disable=SC2317 # some functions are called by trap and by check
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/.." || exit 1

build=$(readlink -f "${BUILD:-build}")
port=${DEMO_PORT:-8080}
url=http://127.0.0.1:$port
skerry=$build/src/cli/skerry
here=examples
daemon=
failures=0

if [ -t 1 ]; then
    bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
else
    bold='' green='' red='' plain=''
fi

title() {
    printf '\n%s%s%s\n' "$bold" "$*" "$plain"
}

die() {
    printf 'demo: %s\n' "$*" >&2
    exit 1
}

# The daemon drains, and all that was made lies below its state directory.
clean() {
    trap '' INT TERM
    if [ -n "$daemon" ]; then
        kill -TERM "$daemon" 2>/dev/null
        wait "$daemon" 2>/dev/null
    fi
    rm -rf "$state"
}

check_port() {
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
        die "port $port of 127.0.0.1 is taken by another program; choose one with DEMO_PORT=8081 make demo"
    fi
}

start_daemon() {
    # in a session of its own: Ctrl-C is for this script, which then ends the daemon
    setsid "$skerry" serve --state "$state" --listen "127.0.0.1:$port" >"$state.log" 2>&1 &
    daemon=$!
    for _ in $(seq 200); do
        curl -fs -o /dev/null --max-time 2 "$url/healthz" && return
        kill -0 "$daemon" 2>/dev/null || break
        sleep 0.05
    done
    cat "$state.log" >&2
    die "the daemon did not start; what it said stands above, and 'skerry doctor' may say why"
}

# Shows the command as it would be typed, a long one cut, and runs it.
deploy() {
    local line
    line="  skerry deploy $(printf '%q ' "$@")"
    if [ ${#line} -gt 110 ]; then
        line="${line:0:105} ..."
    fi
    printf '%s\n' "$line"
    if ! "$skerry" deploy "$@" >"$work/deploy" 2>&1; then
        sed 's/^/    /' "$work/deploy" >&2
        failures=$((failures + 1))
    fi
}

# invoke NAME FILE: the answer goes to $work/NAME, its head to $work/NAME.head.
invoke() {
    local name=$1 file=$2 status
    status=$(curl -s --max-time 60 -o "$work/$name" -D "$work/$name.head" -w '%{http_code}' \
        --data-binary "@$file" "$url/function/$name")
    printf '\n%scurl --data-binary @%s %s/function/%s%s\n' "$bold" "$file" "$url" "$name" "$plain"
    [ "$status" = 200 ] && return
    sed 's/^/  /' "$work/$name" 2>/dev/null | head -20
    wrong "$name" "status $status instead of 200"
    return 1
}

took() {
    sed -n 's/^x-duration-seconds: *\([0-9.]*\).*/\1/ip' "$work/$1.head"
}

right() {
    printf '  %sright%s  %s (%s s)\n' "$green" "$plain" "$2" "$(took "$1")"
}

wrong() {
    printf '  %sWRONG%s  %s: %s\n' "$red" "$plain" "$1" "$2"
    failures=$((failures + 1))
}

check() { # check NAME WHAT COMMAND...: COMMAND succeeds if the answer is right
    local name=$1 what=$2
    shift 2
    if "$@"; then right "$name" "$what"; else wrong "$name" "not $what"; fi
}

same_as() { # same_as NAME FILE
    cmp -s "$work/$1" "$2"
}

same_json() { # the two files hold the same JSON value
    [ "$(jq -S . "$1" 2>/dev/null)" = "$(jq -S . "$2" 2>/dev/null)" ] && [ -s "$1" ]
}

show() {
    fold -w 110 "$work/$1" | head -"${2:-8}" | sed 's/^/  /'
}

demo_thumbnail() {
    invoke thumbnail $here/skerry.png || return
    printf '  %s\n' "$(identify -format '%m %wx%h, %b' "$work/thumbnail" 2>&1)"
    check thumbnail "a PNG of 160x100" \
        test "$(identify -format '%m %wx%h' "$work/thumbnail" 2>/dev/null)" = "PNG 160x100"
}

demo_planets() {
    invoke planets $here/planets.json || return
    show planets
    jq -c -f $here/planets.jq $here/planets.json >"$work/planets.want"
    check planets "what jq says outside of a sandbox" same_json "$work/planets" "$work/planets.want"
}

# The same program and image in a machine of its own, where there is KVM.
demo_planets_vm() {
    if [ ! -c /dev/kvm ]; then
        printf '\n  planets-vm is left out: there is no /dev/kvm here (skerry doctor says more)\n'
        return
    fi
    deploy planets-vm --tier vm --exec /usr/bin/jq -- -c "$(cat $here/planets.jq)"
    invoke planets-vm $here/planets.json || return
    jq -c -f $here/planets.jq $here/planets.json >"$work/planets.want"
    check planets-vm "what jq says on the host, from a virtual machine made for this request" \
        same_json "$work/planets-vm" "$work/planets.want"
}

# The Python function in a machine, and in the jail, from a snapshot taken at its first read: the interpreter is up.
demo_report_warm() {
    local name line
    line=$(cat $here/report.py)
    deploy report-warm --warm yes --host-usr /usr/bin/python3 -c "$line"
    if [ -c /dev/kvm ]; then
        printf '  examples/python_image.py python.tar && skerry image import python.tar --name python\n'
        if python3 $here/python_image.py "$work/python.tar" &&
            "$skerry" image import "$work/python.tar" --name python >"$work/import" 2>&1; then
            deploy report-vm --tier vm --image python -- python3 -c "$line"
        else
            cat "$work/import" >&2
            failures=$((failures + 1))
        fi
    else
        printf '\n  report-vm is left out: there is no /dev/kvm here\n'
    fi
    for name in report-warm report-vm; do
        [ $name = report-warm ] || [ -c /dev/kvm ] || continue
        invoke $name $here/access.log || continue
        check $name "what the function report says" same_as $name "$work/report"
        check $name "a start from the function's snapshot" restored $name
    done
}

restored() { # NAME: its last start was
    [ "$("$skerry" describe "$1" --json | jq -r .lastStartKind)" = restored ]
}

demo_markdown() {
    invoke markdown $here/page.md || return
    show markdown 6
    cmark $here/page.md >"$work/markdown.want"
    check markdown "what cmark says outside of a sandbox" same_as markdown "$work/markdown.want"
}

report_right() {
    jq -e '.requests == 10 and .bytes == 37459 and .damaged_lines == 1 and
        .by_status == {"200": 5, "304": 1, "400": 1, "404": 2, "413": 1}' "$work/report" >/dev/null 2>&1
}

demo_report() {
    invoke report $here/access.log || return
    show report
    check report "ten requests, 37459 bytes, one damaged line" report_right
}

demo_wordstat() {
    local want
    invoke wordstat LICENSE || return
    show wordstat
    want=$(wc -lwc <LICENSE | tr -s ' ' | sed 's/^ //')
    check wordstat "the counts of wc" \
        test "$(jq -r '"\(.lines) \(.words) \(.bytes)"' "$work/wordstat" 2>/dev/null)" = "$want"
}

show_stages() {
    title "A cold start, stage by stage, in microseconds (skerry describe wordstat)"
    "$skerry" describe wordstat --json | jq -r '
        {queued: "finds a sandbox that waits", sent: "start message to the sandbox",
         cloned: "* its first process, in namespaces of its own", furnished: "* /proc, user, filters",
         taken: "the sandbox wakes up", exec: "up to execve", first_byte: "first output of the program",
         exit: "from execve until all in it is dead", cleaned: "mounts and namespaces dropped"} as $means |
        .lastStart[]? | select($means[.stage]) |
        [.stage, (.span_us | tostring), $means[.stage]] | @tsv' |
        awk -F '\t' '{printf "  %-12s%10.1f  %s\n", $1, $2, $3}'
    printf '  * was done before the request came\n'
}

show_next() {
    title "Now you (SKERRY_STATE=$state skerry ... speaks with this daemon)"
    cat <<TEXT
  curl --data-binary @$here/page.md $url/function/markdown
  curl -X POST $url/function/nothing
  export SKERRY_STATE=$state PATH=$build/src/cli:\$PATH
  skerry list
  skerry describe thumbnail
  skerry logs report
  skerry deploy upper --host-usr tr a-z A-Z && echo hello | skerry invoke upper
  skerry run sh -c 'id; ls /; ps aux'
  skerry doctor
TEXT
}

[ -x "$skerry" ] || die "$skerry is not there: build first, with make"
for tool in curl jq identify cmark python3; do
    command -v "$tool" >/dev/null || die "$tool is missing: tools/setup.sh demo installs it"
done
check_port
state=$(mktemp -d "${TMPDIR:-/tmp}/skerry-demo-XXXXXX") || exit 1
work=$state.work
mkdir -m 700 "$work"
trap 'clean; rm -rf "$work" "$state.log"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

title "Starting skerryd on 127.0.0.1:$port"
start_daemon
export SKERRY_STATE=$state

title "Deploying five programs"
deploy thumbnail --mem 256M --host-usr /usr/bin/convert - -thumbnail 160x160 png:-
deploy planets --exec /usr/bin/jq -- -c "$(cat $here/planets.jq)"
deploy markdown --exec /usr/bin/cmark
deploy report --host-usr $here/report.py
deploy wordstat --exec "$build/examples/wordstat"

title "Invoking each"
demo_thumbnail
demo_planets
demo_markdown
demo_report
demo_wordstat
demo_planets_vm
demo_report_warm
show_stages

if [ "$failures" -gt 0 ]; then
    title "${red}$failures of the checks failed${plain}"
    tail -20 "$state.log" >&2
fi
if [ -n "${ONCE:-}" ] && [ "${ONCE}" != 0 ]; then
    [ "$failures" -eq 0 ]
    exit
fi
show_next
printf '\nServing on %s until Ctrl-C.\n' "$url"
wait "$daemon"
daemon=
die "the daemon ended; its log: $(tail -5 "$state.log")"
