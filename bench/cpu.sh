#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Processor time a request, user and kernel, of the daemon with all its zygotes and sandboxes, and of the
# vfork+exec server with its children, counted by a cgroup (cpuacct, v1) that they are born in: what others do
# on the machine hardly shows in it. The work of kernel threads (RCU, namespaces taken apart later) is not in it.
set -euo pipefail
# shellcheck source=bench/lib.sh
source "$(dirname "$0")/lib.sh"
seconds=${CPU_SECONDS:-6}
cgi_port=${BENCH_CGI_PORT:-18099}
group=/sys/fs/cgroup/cpuacct/bench-$$
if ! mkdir "$group" 2>/dev/null; then
    echo "cpu: left out: there is no cpuacct hierarchy of cgroup v1 here" >&2
    exit 0
fi
mkdir "$group/skerry" "$group/vfork"
trap 'kill "${cgi:-}" 2>/dev/null || true; clean; sleep 0.5; rmdir "$group/skerry" "$group/vfork" "$group"' EXIT

within() { # GROUP COMMAND...: executes it in the group
    echo 0 >"$group/$1/cgroup.procs"
    shift
    exec "$@"
}

row() { # NAME GROUP URL: sends requests for some seconds
    local user system requests
    user=$(<"$group/$2/cpuacct.usage_user") system=$(<"$group/$2/cpuacct.usage_sys")
    requests=$(load "$3" 4 "$seconds" | jq .requests)
    jq -nc --arg name "$1" --argjson requests "$requests" \
        --argjson user "$(($(<"$group/$2/cpuacct.usage_user") - user))" \
        --argjson system "$(($(<"$group/$2/cpuacct.usage_sys") - system))" \
        'def us: . / $requests / 100 | round / 10; {name: $name, requests: $requests, user_us: ($user | us),
          system_us: ($system | us), each_us: (($user + $system) | us)}'
}

note "processor time a request"
daemon_start within skerry
deploy bare --exec "$build/bench/bare"
deploy anew --renew all --exec "$build/bench/bare"
within vfork "$build/bench/bench-cgi" "$cgi_port" "$build/bench/bare" &
cgi=$!
load "$url/function/bare" 4 1 >/dev/null
load "$url/function/anew" 4 1 >/dev/null
for _ in 1 2 3; do
    row "skerry" skerry "$url/function/bare"
    row "skerry, --renew all" skerry "$url/function/anew"
    row "vfork+exec" vfork "http://127.0.0.1:$cgi_port/"
done >"$work/rows"
jq -s '{unit: "us of processor time a request", rows: .}' "$work/rows" >"$work/json"
jq -r '.rows[] | "  \(.name): \(.each_us) us a request (user \(.user_us), kernel \(.system_us)), n \(.requests)"' "$work/json"
result cpu "$work/json"
