#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Plots of the JSON in a directory, beside it: plot.sh DIR. What has no JSON is left out.
set -euo pipefail
dir=${1:?plot.sh DIR}
data=$(mktemp -d)
trap 'rm -rf "$data"' EXIT
style='set terminal svg size 860,480 dynamic font "sans,13" noenhanced background rgb "white"; set grid lc rgb "#dddddd"; set border 3; set tics nomirror;'

cdf() { # JSON SVG TITLE: one curve a series
    [ -e "$dir/$1.json" ] || return 0
    local curves='' i=0 name
    while IFS= read -r name; do
        jq -r --arg name "$name" '.scale as $scale | .series[] | select(.name == $name) | .samples | sort
            | length as $n | to_entries[]
            | select(.key % ([$n / 300 | floor, 1] | max) == 0 or .key == $n - 1)
            | "\(.value / $scale) \((.key + 1) / $n)"' "$dir/$1.json" >"$data/$1.$i"
        curves+="${curves:+, }'$data/$1.$i' using 1:2 with lines lw 2 title \"$name\""
        i=$((i + 1))
    done < <(jq -r '.series[].name' "$dir/$1.json")
    gnuplot <<PLOT
$style
set output '$dir/$2.svg'
set title "$3"
set logscale x
set xlabel "microseconds"
set ylabel "share of starts"
set yrange [0:1]
set key outside below Left reverse
plot $curves
PLOT
}

stages() {
    [ -e "$dir/stages.json" ] || return 0
    # one stacked bar a kind of start; the dropped mounts are part of "last exit to clone"
    jq -r '.series as $s | ["pooled", "made"] | .[] as $kind | [$s[] | select(.name | startswith($kind + ":"))
        | select(.name | contains("mounts dropped") | not) | {stage: (.name | split(": ")[1]), p50}]
        | reduce .[] as $x ({at: 0, rows: []}; {at: (.at + $x.p50), rows: (.rows + ["\($kind)|\($x.stage)|\(.at)|\(.at + $x.p50)"])})
        | .rows[]' "$dir/stages.json" >"$data/stages"
    local y=0 objects='' labels='' kind='' n=0 max
    max=$(awk -F'|' '$4 > m {m = $4} END {print m * 1.25}' "$data/stages")
    while IFS='|' read -r k stage from to; do
        n=$((n + 1))
        y=$((y + 1))
        kind=$k
        objects+="set object $n rectangle from $from,$(awk "BEGIN {print -$y - .35}") to $to,$(awk "BEGIN {print -$y + .35}") fc rgb '$([ "$kind" = pooled ] && echo '#3b7dd8' || echo '#d8813b')' fs solid noborder;"
        labels+="set label $n \"$kind: $stage $(awk "BEGIN {printf \"%.1f\", $to - $from}")\" at $to,-$y offset 0.5,0;"
    done <"$data/stages"
    gnuplot <<PLOT
$style
set output '$dir/stages.svg'
set title "A start, stage by stage (medians, microseconds): from the pool, and made for the request"
set xlabel "microseconds"
set xrange [0:$max * 1.3]
set yrange [-$((n + 1)):0]
unset ytics
$objects
$labels
plot 1/0 notitle
PLOT
}

http() {
    [ -e "$dir/http.json" ] || return 0
    local kind field curves
    for kind in throughput latency; do
        field=$([ $kind = throughput ] && echo requests_per_s || echo p50_us)
        curves=''
        local i=0 target functions
        while IFS=$'\t' read -r target functions; do
            jq -r --arg t "$target" --argjson f "$functions" --arg field "$field" '[.rows[] | select(.target == $t and .functions == $f)]
                | group_by(.connections)[] | "\(.[0].connections) \(map(.[$field]) | sort | .[length / 2 | floor])"' "$dir/http.json" >"$data/$kind.$i"
            curves+="${curves:+, }'$data/$kind.$i' using 1:2 with linespoints lw 2 pt 7 ps .6 title \"$target, $functions deployed\""
            i=$((i + 1))
        done < <(jq -r '[.rows[] | [.target, .functions]] | unique[] | @tsv' "$dir/http.json")
        gnuplot <<PLOT
$style
set output '$dir/http-$kind.svg'
set title "A fresh sandbox a request over HTTP: $([ $kind = throughput ] && echo "requests per second" || echo "median latency, microseconds")"
set logscale x 2
set xtics (1, 4, 10, 32, 100)
set xlabel "connections"
set yrange [0:*]
set key outside below Left reverse
plot $curves
PLOT
    done
}

primitives() {
    [ -e "$dir/primitives.json" ] || return 0
    jq -r '.series[] | select(.p50 > 0.2) | "\"\(.name)\" \(.p50) \(.p99)"' "$dir/primitives.json" >"$data/primitives"
    gnuplot <<PLOT
$style
set terminal svg size 860,640 dynamic font "sans,12" noenhanced background rgb "white"
set output '$dir/primitives.svg'
set title "Primitives beside fork (microseconds)"
set key bottom left
set logscale x
set xlabel "microseconds"
set yrange [*:*] reverse
set lmargin 48
plot '$data/primitives' using 2:0:ytic(1) with points pt 7 ps .8 title "median", '' using 3:0 with points pt 6 ps .6 title "p99"
PLOT
}

cdf start start-cdf "Start to first instruction, each alone, one CPU"
cdf start-busy start-busy-cdf "Start to first instruction, back to back, one CPU"
cdf start-all-cpus start-all-cpus-cdf "Start to first instruction, each alone, all CPUs"
stages
http
primitives
