#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Warm machines: warm_vm.py BUILD OUT.json [RUNS [MACHINES]]. Requests to pooled and restored machines from a driver in the
place of the sandbox's first process, in turns with the same programs on the host; what a reset costs; what many machines
of one snapshot weigh. Prints a table and writes the JSON that tables.sh reads."""
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time

build, out = sys.argv[1], sys.argv[2]
runs = int(sys.argv[3]) if len(sys.argv) > 3 else 300
machines = int(sys.argv[4]) if len(sys.argv) > 4 else 100
here = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
sys.path.insert(0, os.path.join(here, "tests/vm"))
import warm  # noqa: E402

vmm, echo = f"{build}/src/vm/skerry-vmm", f"{build}/tests/vm/echo"
rows = []
BODY = json.dumps([{"name": f"n{n}", "v": list(range(20))} for n in range(108)]).encode()[:-1] + b"]"
SCRIPT = """
import json, re, hashlib, os, sys
text = sys.stdin.buffer.read()
value = json.loads(text)
names = re.findall(rb'"name": "([a-z0-9]+)"', text)
print(json.dumps({"n": len(value), "names": len(names), "sha": hashlib.sha256(text).hexdigest()}))
"""
LEAVE = "sys.stdout.flush()\nos._exit(0)\n"


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))]


def row(name, unit, values, reference=None):
    rows.append({"name": name, "unit": unit, "n": len(values), "p50": round(quantile(values, 0.5), 1),
                 "p99": round(quantile(values, 0.99), 1),
                 "host_p50": round(quantile(reference, 0.5), 1) if reference else None})


def on_host(command, body):
    """Microseconds from starting the program to its end, its output read."""
    begun = time.monotonic_ns()
    done = subprocess.run(command, input=body, stdout=subprocess.PIPE, check=True)
    return (time.monotonic_ns() - begun) / 1000, done.stdout


def request(monitor, body):
    """Microseconds from sending the request to DONE, output read; and what DONE said."""
    files = [os.pipe(), os.pipe()]
    os.write(files[0][1], body)
    os.close(files[0][1])
    begun = time.monotonic_ns()
    monitor.send([files[0][0], files[1][1], files[1][1]])
    os.close(files[0][0])
    os.close(files[1][1])
    done = warm.Done(monitor.expect(warm.DONE))
    text = os.read(files[1][0], 65536)
    took = (time.monotonic_ns() - begun) / 1000
    os.close(files[1][0])
    assert done.status == 0
    return took, text, done


def snapshot_of(args):
    memfd, why = warm.make(vmm, args)
    if memfd is None:
        sys.exit(f"warm_vm.py: no snapshot: {why}")
    return memfd


def restored_and_host(name, args, command, body):
    """The same request to one restored machine and to a fresh process on the host, in turns."""
    memfd = snapshot_of(args)
    monitor = warm.Monitor(vmm, "restore", args, memfd)
    vm, host, resets, first = [], [], [], None
    for _ in range(runs):
        monitor.expect(warm.READY)
        took, text, done = request(monitor, body)
        if first is None:
            first = took
        else:
            vm.append(took)
            resets.append(done.reset_ns / 1000)
        took, wanted = on_host(command, body)
        host.append(took)
        assert text == wanted
    monitor.expect(warm.READY)
    monitor.end()
    row(f"{name}: restored, request to end", "us", vm, host)
    row(f"{name}: reset, between requests", "us", resets)
    firsts = []
    for _ in range(min(20, runs)):
        fresh = warm.Monitor(vmm, "restore", args, memfd)
        fresh.expect(warm.READY)
        firsts.append(request(fresh, body)[0])
        fresh.expect(warm.READY)
        fresh.end()
    row(f"{name}: restored, the first request of a machine", "us", firsts)
    os.close(memfd)


def pooled():
    args, times, host = ["--", echo], [], []
    for _ in range(runs):
        monitor = warm.Monitor(vmm, "pool", args)
        monitor.expect(warm.READY)
        times.append(request(monitor, b"hello")[0])
        monitor.wait()
        monitor.sock.close()
        host.append(on_host([echo], b"hello")[0])
    row("libc-free program: pooled, request to end", "us", times, host)


def available_kib():
    with open("/proc/meminfo", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("MemAvailable"))


def rollup(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return int(re.search(r"^Pss: +(\d+)", file.read(), re.MULTILINE).group(1))


def weight(args, script):
    """Of one Python function that has answered once, in KiB: in machines of one snapshot, and as processes."""
    before = available_kib()
    memfd = snapshot_of(args)
    monitors = [warm.Monitor(vmm, "restore", args, memfd) for _ in range(machines)]
    for monitor in monitors:
        monitor.expect(warm.READY)
    idle, pss = (before - available_kib()) / machines, [rollup(m.process) for m in monitors]
    for monitor in monitors:
        request(monitor, BODY)
        monitor.expect(warm.READY)
    used, pss_used = (before - available_kib()) / machines, [rollup(m.process) for m in monitors]
    for monitor in monitors:
        monitor.end()
    os.close(memfd)
    time.sleep(1)
    before = available_kib()
    waiting = [subprocess.Popen(["/usr/bin/python3", script], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
               for _ in range(machines)]
    time.sleep(3)
    bare, bare_pss = (before - available_kib()) / machines, [rollup(p.pid) for p in waiting]
    for process in waiting:
        process.communicate(b"[]")
    row(f"Python: PSS of a restored monitor, {machines} at once, idle", "KiB", pss, bare_pss)
    row(f"Python: PSS of a restored monitor, {machines} at once, after a request", "KiB", pss_used, bare_pss)
    row(f"Python: memory of the machine, each of {machines}, idle", "KiB", [idle], [bare])
    row(f"Python: memory of the machine, each of {machines}, after a request", "KiB", [used], [bare])


def python_image(place):
    """An image with the host's python3 and both scripts, and the arguments that it is run with."""
    root, disk = f"{place}/root", f"{place}/disk"
    python = os.path.realpath("/usr/bin/python3")
    library = "/usr/lib/" + os.path.basename(python)
    copy = f"""set -e
mkdir -p {root}/usr/bin {root}/usr/lib {root}/lib64 {root}/etc {root}/tmp {root}{library}
ln -s usr/lib {root}/lib
cp -L {python} {root}/usr/bin/python3
cp -L /lib64/ld-linux-x86-64.so.2 {root}/lib64/
tar -C {library} --exclude=test --exclude=dist-packages --exclude='config-*' -cf - . | tar -C {root}{library} -xf -
for file in {python} {library}/lib-dynload/*.so; do ldd $file; done | grep -o '/lib/[^ ]*' | sort -u | while read -r l; do
    mkdir -p {root}$(dirname $l); cp -L $l {root}$l; done
cp {place}/whole.py {place}/leaves.py {root}/
mkfs.erofs {disk} {root} >/dev/null 2>&1"""
    for name, text in (("whole", SCRIPT), ("leaves", SCRIPT + LEAVE)):
        with open(f"{place}/{name}.py", "w", encoding="utf-8") as file:
            file.write(text)
    subprocess.run(["bash", "-c", copy], check=True)
    return ["--mem", str(128 << 20), "--image", disk, "--", "/usr/bin/python3"]


pooled()
restored_and_host("libc-free program", ["--", echo], [echo], b"hello")
with tempfile.TemporaryDirectory() as place:
    args = python_image(place)
    for name, script in (("Python function", "whole.py"), ("Python function that ends by os._exit", "leaves.py")):
        restored_and_host(name, [*args, f"/{script}"], ["/usr/bin/python3", f"{place}/{script}"], BODY)
    weight([*args, "/whole.py"], f"{place}/whole.py")
commit = os.environ.get("BENCH_COMMIT", "unknown")
print("| what | unit | n | p50 | p99 | host p50 | ratio |")
for r in rows:
    ratio = round(r["p50"] / r["host_p50"], 2) if r["host_p50"] else ""
    print(f"| {r['name']} | {r['unit']} | {r['n']} | {r['p50']} | {r['p99']} | {r['host_p50'] or ''} | {ratio} |")
with open(out, "w", encoding="utf-8") as file:
    json.dump({"rows": rows, "when": time.strftime("%Y-%m-%d %H:%M", time.gmtime()), "commit": commit,
               "cpu": os.environ.get("BENCH_CPU_MODEL", platform.processor()), "cpus": os.cpu_count(),
               "kernel": platform.release(), "load_average": [str(round(l, 2)) for l in os.getloadavg()]}, file, indent=1)
