#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Functions that go on from a snapshot, through the daemon: one request at a time beside the same program started on the
# host (in turns), then requests per second over the number of connections.
#
#   WARM_RUNS=200 WARM_SECONDS=3 WARM_CONNECTIONS="1 4 10 32 100"
set -euo pipefail
# shellcheck source=bench/lib.sh
source "$(dirname "$0")/lib.sh"
runs=${WARM_RUNS:-200} seconds=${WARM_SECONDS:-3} connections=${WARM_CONNECTIONS:-1 4 10 32 100}

cat >"$work/function.py" <<'PY'
import json, re, hashlib, sys
text = sys.stdin.buffer.read()
value = json.loads(text)
names = re.findall(rb'"name": "([a-z0-9]+)"', text)
print(json.dumps({"n": len(value), "names": len(names), "sha": hashlib.sha256(text).hexdigest()}))
PY
python3 -c 'import json
print(json.dumps([{"name": f"n{n}", "v": list(range(20))} for n in range(108)]))' >"$work/body.json"
script=$(cat "$work/function.py")

note "Functions from their snapshots"
daemon_start env
deploy py-jail --warm yes --host-usr python3 -c "$script"
deploy py-cold --host-usr python3 -c "$script"
deploy py-jail-launcher --warm yes --host-usr --bind "$(readlink -f "$here/../sdk/python"):/sdk:ro" python3 /sdk/skerry.py -c "$script"
targets=(py-jail py-jail-launcher py-cold)
if [ -c /dev/kvm ]; then
    python3 "$here/../examples/python_image.py" "$work/python.tar"
    "$skerry" image import "$work/python.tar" --name python >/dev/null 2>&1
    deploy py-vm --tier vm --image python -- python3 -c "$script"
    deploy py-vm-launcher --tier vm --image python -- python3 -m skerry -c "$script"
    deploy bare-vm-pool --tier vm --warm no --exec "$build/bench/bare"
    targets+=(py-vm py-vm-launcher bare-vm-pool)
fi
python3 "$here/warm_http.py" "$url" "$runs" "$work/function.py" "$work/body.json" "$build/bench/bare" "${targets[@]}" >"$work/rows"

cat >"$work/post.lua" <<LUA
dofile("$here/wrk.lua")
local file = io.open("$work/body.json")
wrk.body = file:read("*a")
LUA
for target in "${targets[@]}"; do
    for c in $connections; do
        threads=$((c < 2 ? 1 : 2))
        wrk -t "$threads" -c "$c" -d "$seconds" -s "$work/post.lua" --timeout 30s "$url/function/$target" | sed -n 's/^JSON //p' |
            jq -c --arg name "$target, $c connections" '{name: $name, unit: "requests/s", n: .requests, p50: (.requests_per_s | round),
                p99: "", errors: (.not_2xx + .socket_errors), latency_p50_us: .p50_us, latency_p99_us: .p99_us}' >>"$work/rows"
        tail -1 "$work/rows" | jq -r '"  \(.name): \(.p50)/s, p50 \(.latency_p50_us) us, p99 \(.latency_p99_us) us, errors \(.errors)"'
    done
done
for target in "${targets[@]}"; do
    "$skerry" describe "$target" --json | jq -c '{name: "\(.name): starts restored, pooled, cold", unit: "", n: .counters.invocations,
        p50: "\(.counters.restored), \(.counters.pooled), \(.counters.cold)", p99: ""}' >>"$work/rows"
done
jq -s '{rows: .}' "$work/rows" >"$work/json"
result warm-http "$work/json"
