-- SPDX-License-Identifier: Apache-2.0
-- One line of JSON at the end of a wrk run. Latencies are in microseconds.
wrk.method = "POST"
wrk.body = ""

-- BENCH_FUNCTIONS=N: each request goes to another of the functions f1 .. fN.
local functions = tonumber(os.getenv("BENCH_FUNCTIONS") or "0")
if functions > 0 then
    local at = 0
    request = function()
        at = at % functions + 1
        return wrk.format("POST", "/function/f" .. at)
    end
end

done = function(summary, latency)
    local e = summary.errors
    io.write(string.format(
        'JSON {"requests":%d,"duration_us":%d,"requests_per_s":%.1f,"p50_us":%d,"p90_us":%d,' ..
        '"p99_us":%d,"max_us":%d,"not_2xx":%d,"socket_errors":%d}\n',
        summary.requests, summary.duration, summary.requests / summary.duration * 1e6,
        latency:percentile(50), latency:percentile(90), latency:percentile(99), latency.max,
        e.status, e.connect + e.read + e.write + e.timeout))
end
