#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# System calls a request: of the gateway, and of everything that makes, runs and reaps its sandbox;
# beside the server that runs the program by vfork+exec. Counted by the kernel's tracepoint for the
# whole machine (perf) and told apart by process, so nobody is stopped. Counts, not times.
#
# shellcheck disable=SC2016 # conditions are awk's
set -euo pipefail
# shellcheck source=bench/lib.sh
source "$(dirname "$0")/lib.sh"
requests=${SYSCALL_REQUESTS:-500}
cgi_port=${BENCH_CGI_PORT:-18099}

if ! perf stat -e raw_syscalls:sys_enter true >/dev/null 2>&1; then
    echo "syscalls: left out: perf cannot use the tracepoint raw_syscalls:sys_enter here" >&2
    exit 0
fi
awk '$2 ~ /^__NR_/ {print $3, substr($2, 6)}' /usr/include/x86_64-linux-gnu/asm/unistd_64.h >"$work/names"

below() { # PIDS: them and all below
    local pid
    for pid; do
        echo "$pid"
        # shellcheck disable=SC2046 # one word a process
        below $(cat /proc/"$pid"/task/*/children 2>/dev/null)
    done
}

record() { # URL: sends the requests one after the other; what was called is in $work/calls: COMM PID NR
    seq "$requests" | sed "s|.*|url = \"$1\"\nrequest = POST\noutput = /dev/null|" >"$work/curl"
    perf record -q -a -m 8M -e raw_syscalls:sys_enter -o "$work/perf" -- curl -s -K "$work/curl" >/dev/null 2>&1
    perf script -i "$work/perf" -F comm,pid,trace 2>/dev/null |
        awk '{for (i = 2; i <= NF; i++) if ($i == "NR") {print $1, $(i - 1), $(i + 1); break}}' >"$work/calls"
}

row() { # NAME AWK-CONDITION: of $work/calls
    awk -v n="$requests" "NR == FNR {name[\$1] = \$2; next} $2 {count[name[\$3]]++}
        END {for (c in count) {printf \"%s{\\\"call\\\":\\\"%s\\\",\\\"each\\\":%.2f}\", s, c, count[c] / n; s = \",\"}}" \
        "$work/names" "$work/calls" | sed 's/^/[/; s/$/]/' |
        jq -c --arg name "$1" --argjson n "$requests" '{name: $name, n: $n, each: (map(.each) | add),
            calls: (map(select(.each >= 0.05)) | sort_by(-.each))}'
}

note "system calls"
daemon_start env
deploy bare --exec "$build/bench/bare"
"$build/bench/bench-cgi" "$cgi_port" "$build/bench/bare" &
cgi=$!
trap 'kill "$cgi" 2>/dev/null || true; clean' EXIT
gateway=$(pgrep -P "$daemon" -f -- --role=gateway)
sleep 1
{
    record "$url/function/bare"
    row "gateway" "\$2 == $gateway"
    row "supervisor" "\$2 == $daemon"
    row "zygote, spawners, sandboxes until exec" '$1 == "skerry-zygote"'
    row "the program in its sandbox" '$1 == "bare"'
    record "http://127.0.0.1:$cgi_port/"
    row "vfork+exec server and its children until exec" '$1 == "bench-cgi"'
    row "the program there" '$1 == "bare"'
} >"$work/rows"
jq -s '{unit: "calls a request", rows: .}' "$work/rows" >"$work/json"
jq -r '.rows[] | "  \(.name): \(.each * 100 | round / 100) a request: " + (.calls | map("\(.call) \(.each)") | join(", "))' "$work/json"
result syscalls "$work/json"
