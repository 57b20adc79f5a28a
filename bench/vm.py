#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The vm tier: vm.py BUILD OUT.json [RUNS [MACHINES]]. Starts, system calls, computing and memory, each beside the
same thing on the host, in turns. Prints a table and writes the JSON that tables.sh reads."""
import json
import os
import platform
import subprocess
import sys
import tempfile
import time

build, out = sys.argv[1], sys.argv[2]
runs = int(sys.argv[3]) if len(sys.argv) > 3 else 100
machines = int(sys.argv[4]) if len(sys.argv) > 4 else 100
monitor, skerry = f"{build}/src/vm/skerry-vmm", f"{build}/src/cli/skerry"
hello, calls = f"{build}/tests/vm/hello", f"{build}/bench/bench-vmcalls"
rows = []


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))]


def row(name, unit, values, reference=None):
    rows.append({"name": name, "unit": unit, "n": len(values), "p50": round(quantile(values, 0.5), 1),
                 "p99": round(quantile(values, 0.99), 1),
                 "host_p50": round(quantile(reference, 0.5), 1) if reference else None})


def timed(command):
    begun = time.monotonic_ns()
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)
    return (time.monotonic_ns() - begun) / 1000


def starts():
    probes = [subprocess.run([monitor, "--probe"], capture_output=True, text=True, check=True).stdout.split()
              for _ in range(runs)]
    row(f"create to first guest instruction, no pool ({probes[0][0]})", "us", [float(p[1]) for p in probes])
    row("an exit to the monitor and back (doorbell)", "us", [float(p[2]) for p in probes])
    vm, host = [], []
    for _ in range(runs):
        vm.append(timed([monitor, "--", hello]))
        host.append(timed([hello]))
    row("libc-free program, spawn of the monitor to exit", "us", vm, host)


def in_guest_and_host():
    guest, host = {}, {}
    for into, command in ((host, [calls]), (guest, [skerry, "run", "--tier", "vm", calls])) * 5:
        text = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=True).stdout
        for line in text.splitlines():
            name, value = line.split()
            into.setdefault(name, []).append(float(value))
    for name, values in guest.items():
        row(name, "ns", values, host[name])


def available_kib():
    with open("/proc/meminfo", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("MemAvailable"))


def memory(wrap):
    """Of one program that waits for input, in KiB: what the machine has less for `machines` of them."""
    read_end, write_end = os.pipe()
    before = available_kib()
    waiting = [subprocess.Popen(wrap + ["/bin/busybox", "cat"], stdin=read_end, stdout=subprocess.DEVNULL)
               for _ in range(machines)]
    time.sleep(2)
    used = (before - available_kib()) / machines
    os.close(write_end)
    for process in waiting:
        process.wait()
    os.close(read_end)
    time.sleep(1)
    return used


def idle():
    with tempfile.TemporaryDirectory() as root:
        os.makedirs(f"{root}/tree/bin")
        subprocess.run(["cp", "/bin/busybox", f"{root}/tree/bin/"], check=True)
        subprocess.run(["mkfs.erofs", f"{root}/disk", f"{root}/tree"], check=True, stdout=subprocess.DEVNULL)
        wrap = [monitor, "--image", f"{root}/disk", "--"]
        vm, host = [], []
        for _ in range(3):
            vm.append(memory(wrap))
            host.append(memory([]))
        row(f"memory of an idle busybox, {machines} at once", "KiB", vm, host)


starts()
in_guest_and_host()
idle()
commit = os.environ.get("BENCH_COMMIT", "unknown")
print("| what | unit | n | p50 | p99 | host p50 | ratio |")
for r in rows:
    ratio = round(r["p50"] / r["host_p50"], 2) if r["host_p50"] else ""
    print(f"| {r['name']} | {r['unit']} | {r['n']} | {r['p50']} | {r['p99']} | {r['host_p50'] or ''} | {ratio} |")
with open(out, "w", encoding="utf-8") as file:
    json.dump({"rows": rows, "when": time.strftime("%Y-%m-%d %H:%M", time.gmtime()), "commit": commit,
               "cpu": os.environ.get("BENCH_CPU_MODEL", platform.processor()), "cpus": os.cpu_count(),
               "kernel": platform.release(), "load_average": [str(round(l, 2)) for l in os.getloadavg()]}, file, indent=1)
