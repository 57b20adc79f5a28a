#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Where the time of both CPUs goes while requests are served: perf samples of the whole machine, by
# program and by kernel function, as text in OUT/profile.txt.
set -eu # no pipefail: head ends early
# shellcheck source=bench/lib.sh
source "$(dirname "$0")/lib.sh"
if ! perf record -q -a -e cpu-clock -o "$work/probe" true >/dev/null 2>&1; then
    echo "profile: left out: perf cannot sample cpu-clock here" >&2
    exit 0
fi
note "profile"
daemon_start env
deploy bare --exec "$build/bench/bare"
load "$url/function/bare" 4 2 >/dev/null
load "$url/function/bare" 4 7 >"$work/load" &
loader=$!
sleep 1
perf record -q -a -g -F 2000 -e cpu-clock -o "$work/perf" sleep "${PROFILE_SECONDS:-5}" >/dev/null 2>&1
wait "$loader"
report() { # OPTIONS...: without headings and padding
    perf report -i "$work/perf" --stdio -g none "$@" 2>/dev/null | grep -v '^#' | grep . | sed 's/[ -]*$//'
}
ours=skerryd,skerry-zygote,bare,wrk
{
    echo "Requests at concurrency 4 while sampled: $(cat "$work/load")"
    echo
    echo "By program, of the whole machine (the kernel's work for it included):"
    report --no-children -s comm | head -12
    echo
    echo "By function, of $ours:"
    report --no-children --comms "$ours" --percentage relative -s comm,symbol | head -40
    echo
    echo "By what is entered, everything below included, of skerry-zygote (spawners, sandboxes until exec):"
    report --children --comms skerry-zygote --percentage relative -s symbol |
        grep -E '__x64_sys_|do_exit|exc_page_fault|zap_pid_ns|free_nsproxy|mmput|rcu_core|create_new_namesp|copy_process|bprm_execve|cleanup_mnt|do_group_exit|copy_mnt_ns|do_syslog|ret_from_fork' | head -40
    echo
    echo "The same, of skerryd (gateway, mostly):"
    report --children --comms skerryd --percentage relative -s symbol | grep -E '__x64_sys_|rcu_core' | head -16
} >"$work/profile.txt"
head -20 "$work/profile.txt"
[ -z "$out" ] || cp "$work/profile.txt" "$out/profile.txt"
