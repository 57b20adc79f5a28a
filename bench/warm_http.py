#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Latency of functions, in turns with the same program started on the host: warm_http.py URL RUNS SCRIPT BODY BARE FUNCTION...
Functions whose names begin with "py" run SCRIPT, the others BARE. Prints a JSON object a row, in microseconds."""
import http.client
import json
import os
import subprocess
import sys
import time
import urllib.parse

url, runs, script, body_file, bare, *names = sys.argv[1:]
body = open(body_file, "rb").read()
host = urllib.parse.urlsplit(url).netloc


def request(connection, name):
    begun = time.monotonic_ns()
    connection.request("POST", f"/function/{name}", body)
    answer = connection.getresponse()
    data = answer.read()
    took = time.monotonic_ns() - begun
    if answer.status != 200:
        sys.exit(f"warm_http.py: {name} answered {answer.status}: {data[:200]!r}")
    return took


def spawned(command):
    begun = time.monotonic_ns()
    subprocess.run(command, input=body, stdout=subprocess.DEVNULL, check=True)
    return time.monotonic_ns() - begun


series = {name: [] for name in ["python3 on the host", "bare on the host", *names]}
connections = {name: http.client.HTTPConnection(host, timeout=60) for name in names}
for run in range(int(runs) + 20):
    for name, taken in series.items():
        if name == "python3 on the host":
            took = spawned([os.path.realpath(sys.executable), script])  # not a shim
        elif name == "bare on the host":
            took = spawned([bare])
        else:
            took = request(connections[name], name)
        if run >= 20:  # the first ones fill pools and caches
            taken.append(took / 1000)
median = {name: sorted(taken)[len(taken) // 2] for name, taken in series.items()}
for name, taken in series.items():
    taken.sort()
    row = {"name": f"{name}: request to whole answer" if name in names else f"*{name}: start to exit*", "unit": "us", "n": len(taken),
           "p50": round(median[name], 1), "p99": round(taken[int(len(taken) * .99)], 1)}
    if name in names:
        row["host_p50"] = round(median["python3 on the host" if name.startswith("py") else "bare on the host"], 1)
    print(json.dumps(row))
    print(f"  {row['name']}: p50 {row['p50']} us, p99 {row['p99']} us", file=sys.stderr)
