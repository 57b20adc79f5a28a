#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Puts what was measured into a document: tables.sh DIR FILE.md replaces what stands between the lines
# "<!-- table: NAME -->" and "<!-- end -->" by the table of DIR/NAME.json. No figure is typed by hand.
set -euo pipefail
dir=${1:?tables.sh DIR FILE.md} document=${2:?tables.sh DIR FILE.md}

series() { # NAME: a benchmark of named series
    jq -r 'def r: . * 10 | round / 10;
        (.series | map(select(.reference)) | .[0]) as $ref |
        "| \(.unit) | n | min | median | p99 | max |" + (if $ref then " ratio |" else "" end),
        "|---|--:|--:|--:|--:|--:|" + (if $ref then "--:|" else "" end),
        (.series[] | "| " + (if .reference then "*\(.name)*" else .name end) +
            " | \(.n) | \(.min | r) | \(.p50 | r) | \(.p99 | r) | \(.max | r) |" +
            (if $ref then " \(.p50 / $ref.p50 * 100 | round / 100) |" else "" end)),
        "", (if .note != "" then .note + "." else empty end)' "$dir/$1.json"
}

http() {
    jq -r 'def med(f): map(f) | sort | .[length / 2 | floor];
        "| target | deployed | connections | requests/s | p50 us | p99 us | max us | errors |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
        (.rows | group_by([.target, .functions, .connections])[] |
            "| \(.[0].target) | \(.[0].functions) | \(.[0].connections) | \(med(.requests_per_s) | round) | " +
            "\(med(.p50_us)) | \(med(.p99_us)) | \(map(.max_us) | max) | \(map(.not_2xx + .socket_errors) | add) |"),
        "", "Medians of \([.rows[].round] | max) rounds. Deploying the functions took \(.deployed_ms) ms."' "$dir/http.json"
}

density() {
    jq -r 'def med(f): map(f) | sort | .[length / 2 | floor];
        def bad: [.answers | to_entries[] | select(.key != "200") | .value] | add // 0;
        (.rows | map(select(.case == "alone"))) as $alone |
        "| the light tenant | n | p50 us | p99 us | max us | p99 ratio | not 200 | the flood: answers |",
        "|---|--:|--:|--:|--:|--:|--:|---|",
        (([.rows[].case] | reduce .[] as $c ([]; if index($c) then . else . + [$c] end))[] as $case |
        (.rows | map(select(.case == $case))) |
            "| \(if $case == "alone" then "*alone*" else $case end) | \(map(.n) | add) | \(med(.p50_us)) | \(med(.p99_us)) | " +
            "\(map(.max_us) | max) | \(med(.p99_us) / ($alone | med(.p99_us)) * 100 | round / 100) | \(map(bad) | add) | " +
            ([.[].flood // {} | to_entries[]] | group_by(.key) | map("\(.[0].key): \(map(.value) | add)") | join(", ")) + " |"),
        "", "Medians of \([.rows[].round] | max) rounds."' "$dir/density.json"
}

soak() { # NAME: soak, soak-warm, soak-vm
    jq -r '.counts[0] as $a | .counts[1] as $b |
        "\(.requests) requests in \(.seconds) s, \(.failed) failed.", "",
        "| | before | after |", "|---|--:|--:|",
        ("processes", "descriptors", "namespaces", "cgroups", "mounts", "services_rss_kib", "machine_namespaces",
         "machine_cgroups", "slab_kib", "available_kib" | "| \(.) | \($a[.]) | \($b[.]) |")' "$dir/$1.json"
}

syscalls() {
    jq -r '"| who | calls a request | which |", "|---|--:|---|",
        (.rows[] | "| \(.name) | \(.each * 10 | round / 10) | " + (.calls | map("\(.call) \(.each)") | join(", ")) + " |")' \
        "$dir/syscalls.json"
}

examples() {
    jq -r '"| function | n | request, p50 us | run by itself, p50 us | ratio |", "|---|--:|--:|--:|--:|",
        (.rows[] | "| \(.name) | \(.n) | \(.request_p50) | \(.bare_p50) | \(.request_p50 / .bare_p50 * 100 | round / 100) |")' \
        "$dir/examples.json"
}

cpu() {
    jq -r '"| who | requests | user us | kernel us | us a request |", "|---|--:|--:|--:|--:|",
        (.rows[] | "| \(.name) | \(.requests) | \(.user_us) | \(.system_us) | \(.each_us) |")' "$dir/cpu.json"
}

vm() {
    jq -r '"| what | unit | n | p50 | p99 | host p50 | ratio | of the best | runsc p50 | goal |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|---|",
        (.rows[] | "| \(.name) | \(.unit) | \(.n) | \(.p50) | \(.p99) | \(.host_p50 // "") | " +
            (if .host_p50 then "\(.p50 / .host_p50 * 100 | round / 100)" else "" end) + " | \(.best_ratio // "") | \(.runsc_p50 // "") | \(.goal) |"), "",
        "| a run of | exits | doorbells | ticks | system calls |", "|---|--:|--:|--:|--:|",
        (.counts[] | "| \(.name) | \(.exits) | \(.doorbells) | \(.ticks) | \(.calls) |")' "$dir/vm.json"
}

snapshots() { # NAME: one of those about machines and programs that wait
    jq -r '"| what | unit | n | p50 | p99 | host p50 | ratio |", "|---|---|--:|--:|--:|--:|--:|",
        (.rows[] | "| \(.name) | \(.unit) | \(.n) | \(.p50) | \(.p99) | \(.host_p50 // .bare_p50 // "") | " +
            (if .host_p50 // .bare_p50 then "\(.p50 / (.host_p50 // .bare_p50) * 1000 | round / 1000)" else "" end) + " |")' "$dir/$1.json"
}

stages() { # the daemon's own histograms
    jq -r '"| stage | n | p50 us | p90 us | p99 us |", "|---|--:|--:|--:|--:|",
        (.stages | to_entries[] | "| \(.key) | \(.value.count) | \(.value.p50_us) | \(.value.p90_us) | \(.value.p99_us) |")' \
        "$dir/daemon-stages.json"
}

oci() {
    jq -r '"| ms | n | min | median | p99 | max | of crun |", "|---|--:|--:|--:|--:|--:|--:|",
        (.rows[] | "| \(.name) | \(.n) | \(.min) | \(.p50) | \(.p99) | \(.max) | \(.ratio // "") |"), "",
        "| CPU of a run, mean | ms |", "|---|--:|",
        (.cpu_times[] | "| \(.name) | \(.cpu_ms) |"), "",
        "| run of | system calls | execs | processes | most resident while creating, KiB |", "|---|--:|--:|--:|--:|",
        (.counts[] | "| \(.name) | \(.calls) | \(.execs) | \(.processes) | \(.rss_kib) |")' "$dir/oci.json"
}

measured() { # NAME: when and on what
    jq -r '"Measured \(.when), commit \(.commit), \(.cpu), \(.cpus) CPUs, Linux \(.kernel), load average \(.load_average | join(" "))."' \
        "$dir/$1.json"
}

table() {
    [ -e "$dir/$1.json" ] || { echo "Not measured."; return; }
    case $1 in
    http | density | oci | syscalls | examples | cpu | vm) "$1" ;;
    warm | warm-jail | warm-http) snapshots "$1" ;;
    soak*) soak "$1" ;;
    daemon-stages) stages ;;
    *) series "$1" ;;
    esac
    echo
    measured "$1"
}

new=$(mktemp)
trap 'rm -f "$new"' EXIT
skipping=0
while IFS= read -r line; do
    case $line in
    '<!-- table: '*)
        name=${line#<!-- table: }
        printf '%s\n\n' "$line"
        table "${name% -->}"
        echo
        skipping=1
        ;;
    '<!-- end -->') skipping=0 ;;&
    *) [ $skipping = 1 ] || printf '%s\n' "$line" ;;
    esac
done <"$document" >"$new"
cat "$new" >"$document"
