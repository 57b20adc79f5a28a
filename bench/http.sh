#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Requests per second and latency over the number of connections, a fresh sandbox a request: our
# daemon with one function and with HTTP_FUNCTIONS (1,000) deployed, beside a server that runs the
# same program by vfork+exec without isolation. The load generator shares the CPUs. Rounds alternate.
#
#   HTTP_SECONDS=3 HTTP_ROUNDS=3 HTTP_FUNCTIONS=1000 HTTP_CONNECTIONS="1 4 10 32 100"
set -euo pipefail
# shellcheck source=bench/lib.sh
source "$(dirname "$0")/lib.sh"
seconds=${HTTP_SECONDS:-3} rounds=${HTTP_ROUNDS:-3} functions=${HTTP_FUNCTIONS:-1000}
connections=${HTTP_CONNECTIONS:-1 4 10 32 100}
cgi_port=${BENCH_CGI_PORT:-18099}

"$build/bench/bench-cgi" "$cgi_port" "$build/bench/bare" &
cgi=$!
trap 'kill "$cgi" 2>/dev/null || true; clean' EXIT

measure() { # TARGET FUNCTIONS-DEPLOYED URL CONNECTIONS ROUND
    load "$3" "$4" "$seconds" | jq -c --arg target "$1" --argjson functions "$2" --argjson c "$4" \
        --argjson round "$5" '{target: $target, functions: $functions, connections: $c, round: $round} + .' \
        >>"$work/rows"
    tail -1 "$work/rows" | jq -r '"  \(.target), \(.functions) deployed, \(.connections) connections: " +
        "\(.requests_per_s)/s  p50 \(.p50_us)  p99 \(.p99_us) us  errors \(.not_2xx + .socket_errors)"'
}

note "HTTP, one function"
daemon_start env
deploy bare --exec "$build/bench/bare"
deploy anew --renew all --exec "$build/bench/bare"
load "$url/function/bare" 10 1 >/dev/null
load "$url/function/anew" 10 1 >/dev/null
load "http://127.0.0.1:$cgi_port/" 10 1 >/dev/null
for round in $(seq "$rounds"); do
    for c in $connections; do
        measure skerry 1 "$url/function/bare" "$c" "$round"
        measure "skerry, --renew all" 1 "$url/function/anew" "$c" "$round"
        measure vfork+exec 1 "http://127.0.0.1:$cgi_port/" "$c" "$round"
    done
done

note "HTTP, $functions functions"
begun=$(date +%s%N)
seq "$functions" | xargs -P 2 -I{} "$skerry" deploy "f{}" --image exec/default/bare >/dev/null
deployed_ms=$((($(date +%s%N) - begun) / 1000000))
echo "  deployed in $deployed_ms ms"
for round in $(seq "$rounds"); do
    for c in 4 32; do
        measure skerry "$functions" "$url/function/bare" "$c" "$round"
        BENCH_FUNCTIONS=$functions measure "skerry, each function in turn" "$functions" "$url/" "$c" "$round"
    done
done
jq -s --argjson ms "$deployed_ms" '{unit: "us", deployed_ms: $ms, rows: .}' "$work/rows" >"$work/json"
result http "$work/json"
