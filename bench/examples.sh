#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The example functions: when each makes its first file and network call (outside of a sandbox),
# and what a request to each takes through the daemon beside the same program run by itself.
set -euo pipefail
# shellcheck source=bench/lib.sh
source "$(dirname "$0")/lib.sh"
examples=$(readlink -f "$here/../examples")

printf 'ok\n' >"$work/empty"
(cd "$work" && exec python3 -m http.server --bind 127.0.0.1 "${BENCH_WEB_PORT:-18098}" >/dev/null 2>&1) &
web=$!
trap 'kill "$web" 2>/dev/null || true; clean' EXIT
cat >"$work/fetch.py" <<'PY'
import urllib.request, sys
print(len(urllib.request.urlopen(sys.argv[1]).read()))
PY
until curl -fs -o /dev/null "http://127.0.0.1:${BENCH_WEB_PORT:-18098}/empty"; do sleep 0.1; done

note "first calls"
bench firstcall -c "$cpu" -n "${FIRSTCALL_RUNS:-15}" \
    "thumbnail=$examples/skerry.png:/usr/bin/convert - -thumbnail 160x160 png:-" \
    "planets=$examples/planets.json:/usr/bin/jq -c -f $examples/planets.jq" \
    "markdown=$examples/page.md:/usr/bin/cmark" \
    "report=$examples/access.log:/usr/bin/python3 $examples/report.py" \
    "wordstat=$examples/page.md:$build/examples/wordstat" \
    "fetch (curl)=/dev/null:/usr/bin/curl -s http://127.0.0.1:${BENCH_WEB_PORT:-18098}/empty" \
    "fetch (python)=/dev/null:/usr/bin/python3 $work/fetch.py http://127.0.0.1:${BENCH_WEB_PORT:-18098}/empty"

note "the examples over HTTP, each request alone"
daemon_start env
deploy thumbnail --mem 256M --host-usr /usr/bin/convert - -thumbnail 160x160 png:-
deploy planets --exec /usr/bin/jq -- -c "$(cat "$examples/planets.jq")"
deploy markdown --exec /usr/bin/cmark
deploy report --host-usr "$examples/report.py"
deploy wordstat --exec "$build/examples/wordstat"

one() { # NAME FILE COMMAND...: alternates a request and a bare run; microseconds
    local name=$1 file=$2 a b
    shift 2
    for _ in $(seq "${EXAMPLE_RUNS:-20}"); do
        a=$(curl -sf -o /dev/null -w '%{time_total}' --data-binary "@$file" "$url/function/$name")
        b=$EPOCHREALTIME
        "$@" <"$file" >/dev/null 2>&1
        jq -nc --arg name "$name" --arg a "$a" --arg from "$b" --arg to "$EPOCHREALTIME" '{name: $name,
            request_us: (($a | tonumber) * 1e6 | round), bare_us: ((($to | tonumber) - ($from | tonumber)) * 1e6 | round)}'
    done
}
{
    one thumbnail "$examples/skerry.png" convert - -thumbnail 160x160 png:-
    one planets "$examples/planets.json" jq -c -f "$examples/planets.jq"
    one markdown "$examples/page.md" cmark
    one report "$examples/access.log" python3 "$examples/report.py"
    one wordstat "$examples/page.md" "$build/examples/wordstat"
} >"$work/rows"
jq -s '{unit: "us", rows: (group_by(.name) | map({name: .[0].name, n: length,
    request_p50: (map(.request_us) | sort | .[length / 2 | floor]), request_max: (map(.request_us) | max),
    bare_p50: (map(.bare_us) | sort | .[length / 2 | floor]), bare_max: (map(.bare_us) | max),
    request_us: map(.request_us), bare_us: map(.bare_us)}))}' "$work/rows" >"$work/json"
jq -r '.rows[] | "  \(.name): request p50 \(.request_p50) us, run by itself \(.bare_p50) us, n \(.n)"' "$work/json"
result examples "$work/json"
