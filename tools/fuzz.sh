#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Builds every fuzzer and runs each for some seconds from its committed seeds, with ASan and UBSan:
# tools/fuzz.sh [SECONDS [NAME ...]]. New inputs stay below build-fuzz/corpus and are used again; what
# crashes is kept there too, and belongs into tests/fuzz/corpus/NAME with its fix.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
. tools/parts.sh
seconds=${1:-10}
shift || true

fuzz() {
    local name=$1 kept=build-fuzz/corpus/$1 crashes=build-fuzz/crash/$1/ options=() status=0
    mkdir -p "$kept" "$crashes"
    [ ! -f "tests/fuzz/$name.dict" ] || options=("-dict=tests/fuzz/$name.dict")
    # Every seed once, then mutations of them.
    "build-fuzz/tests/fuzz/fuzz_$name" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 \
        -artifact_prefix="$crashes" "${options[@]}" "$kept" "tests/fuzz/corpus/$name" \
        >"$crashes/log" 2>&1 || status=$?
    if [ $status = 0 ]; then
        tail -n 200 "$crashes/log" | sed -nE 's/^#([0-9]+)[[:space:]]+DONE[[:space:]]+cov: ([0-9]+).*/\1 runs, \2 edges reached/p'
    else
        tail -n 60 "$crashes/log"
    fi
    return $status
}

if ! { [ -f build-fuzz/build.ninja ] ||
    CC=clang meson setup build-fuzz -Dfuzz=true -Dtests=disabled -Db_lundef=false >/dev/null; }; then
    exit 1
fi
mapfile -t names < <(meson introspect --targets build-fuzz | python3 -c '
import json, sys
for target in json.load(sys.stdin):
    if target["name"].startswith("fuzz_"):
        print(target["name"].removeprefix("fuzz_"))')
ninja -C build-fuzz --quiet "${names[@]/#/tests/fuzz/fuzz_}" || exit 1
for name in "${@:-${names[@]}}"; do
    part_shown "fuzz $name" fuzz "$name"
done
parts_end
