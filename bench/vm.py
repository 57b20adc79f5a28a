#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The vm tier: vm.py BUILD OUT.json [RUNS [MACHINES]]. Starts, system calls, computing and memory of a machine, each
beside the same program of the host and in runsc, in turns. Prints a table and writes the JSON that tables.sh reads."""
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time

build, out = os.path.abspath(sys.argv[1]), sys.argv[2]
runs = int(sys.argv[3]) if len(sys.argv) > 3 else 100
machines = int(sys.argv[4]) if len(sys.argv) > 4 else 500
rounds = 5 if runs >= 50 else 2
source = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
monitor = f"{build}/src/vm/skerry-vmm"
PYTHON = os.path.realpath("/usr/bin/python3")
LOOP = """import time
begun = time.perf_counter()
total, table = 0, {}
for i in range(400000):
    total += i * i % 7
    table[i % 1000] = total
print((time.perf_counter() - begun) * 1e3)"""
rows, counts = [], []


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))]


def row(name, unit, vm, host=None, runsc=None, goal=""):
    def p50(values):
        return round(quantile(values, 0.5), 1) if values else None
    # of the least disturbed rounds: others may run beside this
    best = max if unit == "MB/s" else min
    rows.append({"name": name, "unit": unit, "n": len(vm), "p50": p50(vm), "p99": round(quantile(vm, 0.99), 1),
                 "host_p50": p50(host), "runsc_p50": p50(runsc), "goal": goal,
                 "best_ratio": round(best(vm) / best(host), 2) if host and best(host) > 0 else None})


class Place:
    """One tree of programs: as a disk for machines, as the root file system of runsc."""

    def __init__(self, root):
        self.root, self.tree = root, f"{root}/bundle/rootfs"
        for path in ("/bin/busybox", "/usr/bin/openssl", PYTHON):
            self.add(path)
        for path in (f"{build}/tests/vm/hello", f"{build}/bench/bench-vmcalls"):
            self.add(path, f"/bin/{os.path.basename(path)}")
        modules = f"/usr/lib/{os.path.basename(PYTHON)}"
        shutil.copytree(modules, self.tree + modules, symlinks=True,
                        ignore=shutil.ignore_patterns("test*", "lib2to3", "ensurepip", "idlelib", "config-*"))
        os.makedirs(f"{self.tree}/tmp", exist_ok=True)
        subprocess.run(["mkfs.erofs", f"{root}/disk", self.tree], check=True, stdout=subprocess.DEVNULL)
        self.runsc = shutil.which("runsc")

    def add(self, path, at=None):
        """A program, and the libraries that it links at their own paths."""
        listed = subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout
        for each, to in [(path, at or path)] + [(each, each) for each in re.findall(r"(/\S+) \(0x", listed)]:
            os.makedirs(os.path.dirname(self.tree + to), exist_ok=True)
            shutil.copy(each, self.tree + to)

    def vm(self, *words, options=()):
        return [monitor, "--image", f"{self.root}/disk", *options, "--", *words]

    def in_runsc(self, *words):
        """The command that runs words in runsc; None where it is not installed."""
        if not self.runsc:
            return None
        config = {"ociVersion": "1.0.2", "hostname": "bench", "root": {"path": "rootfs", "readonly": False},
                  "process": {"args": list(words), "cwd": "/", "env": ["PATH=/usr/bin:/bin"], "user": {"uid": 0, "gid": 0}},
                  "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
                             {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"}],
                  "linux": {"namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")]}}
        with open(f"{self.root}/bundle/config.json", "w", encoding="ascii") as file:
            json.dump(config, file)
        return [self.runsc, "--root", f"{self.root}/state", "--platform=ptrace", "--network=none", "--ignore-cgroups",
                "run", "-bundle", f"{self.root}/bundle", "bench"]


def said(command):
    """What a command prints, or None when it cannot be had."""
    if command is None:
        return None
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    return done.stdout if done.returncode == 0 else None


def timed(command):
    begun = time.monotonic_ns()
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return (time.monotonic_ns() - begun) / 1000


def starts(place):
    probes = [subprocess.run([monitor, "--probe"], capture_output=True, text=True, check=True).stdout.split()
              for _ in range(runs)]
    row(f"create to first guest instruction, no pool ({probes[0][0]})", "us", [float(p[1]) for p in probes], goal="<= 1000")
    row("an exit to the monitor and back (doorbell)", "us", [float(p[2]) for p in probes])
    hello = f"{build}/tests/vm/hello"
    vm, host, runsc = [], [], []
    for i in range(runs):
        vm.append(timed([monitor, "--", hello]))
        host.append(timed([hello]))
        if place.runsc and i % 10 == 0:
            runsc.append(timed(place.in_runsc("/bin/hello")))
    row("libc-free program, spawn to exit", "us", vm, host, runsc)


def calls(place):
    program = f"{build}/bench/bench-vmcalls"
    goals = {"getppid": "<= 1x", "pread-4096": "<= 1x", "clock_gettime": "<= 1x", "loop-1e6": "<= 1.03x"}
    seen = {"host": {}, "vm": {}, "runsc": {}}
    for i in range(rounds):
        for who, command in (("host", [program]), ("vm", place.vm("/bin/bench-vmcalls")),
                             ("runsc", place.in_runsc("/bin/bench-vmcalls") if i == 0 else None)):
            for line in (said(command) or "").splitlines():
                name, value = line.split()
                seen[who].setdefault(name, []).append(float(value))
    for name, values in seen["vm"].items():
        row(name, "ns", values, seen["host"][name], seen["runsc"].get(name), goals.get(name, ""))


def computing(place):
    def openssl(kind):
        return ["/usr/bin/openssl", "speed", "-mr", "-elapsed", "-seconds", "1", "-bytes", "16384", "-evp", kind]

    def speed(text):
        found = re.search(r"^\+F:\d+:[^:]*:([\d.]+)", text or "", re.M)
        return [float(found.group(1)) / 1e6] if found else []

    def number(text):
        return [float(text)] if text else []
    for name, unit, words, read, goal in (
            ("openssl speed sha256, 16 KiB", "MB/s", openssl("sha256"), speed, ">= 0.97x"),
            ("openssl speed aes-128-cbc, 16 KiB", "MB/s", openssl("aes-128-cbc"), speed, ">= 0.97x"),
            ("Python, 400,000 rounds of a loop", "ms", [PYTHON, "-c", LOOP], number, "<= 1.03x")):
        vm, host, runsc = [], [], []
        for i in range(rounds):
            host += read(said(words))
            vm += read(said(place.vm(*words)))
            if i == 0:
                runsc += read(said(place.in_runsc(*words)))
        row(name, unit, vm, host, runsc, goal)


def exits(place):
    for name, words in (("libc-free program", ["/bin/hello"]), ("bench-vmcalls", ["/bin/bench-vmcalls"]),
                        ("Python's loop", [PYTHON, "-c", LOOP])):
        done = subprocess.run(place.vm(*words, options=["--stages"]), capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, check=False)
        found = re.search(r"exits (\d+), doorbells (\d+), ticks (\d+), calls (\d+)", done.stderr)
        if found:
            counts.append({"name": name, **dict(zip(("exits", "doorbells", "ticks", "calls"), map(int, found.groups())))})


def available_kib():
    with open("/proc/meminfo", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("MemAvailable"))


def spent(process):
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as file:
        return sum(map(int, file.read().rpartition(")")[2].split()[11:13]))


def own_kib(process):
    """What only this process has: private pages and page tables."""
    with open(f"/proc/{process.pid}/smaps_rollup", encoding="ascii") as file:
        private = sum(int(line.split()[1]) for line in file if line.startswith("Private_"))
    with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
        return private + next(int(line.split()[1]) for line in file if line.startswith("VmPTE"))


def memory(command):
    """(what the machine has less, what each has alone, how many live) of idle programs, in KiB."""
    read_end, write_end = os.pipe()
    before = available_kib()
    waiting = [subprocess.Popen(command, stdin=read_end, stdout=subprocess.DEVNULL) for _ in range(machines)]
    last = -1
    for _ in range(30):  # until nobody computes any more
        now = sum(spent(process) for process in waiting)
        if now == last:
            break
        last = now
        time.sleep(1)
    used = (before - available_kib()) / machines
    alone = [own_kib(process) for process in waiting[:20]]
    live = sum(process.poll() is None for process in waiting)
    os.close(write_end)
    for process in waiting:
        process.wait()
    os.close(read_end)
    time.sleep(1)
    return used, quantile(alone, 0.5), live


def idle(place):
    seen = {"vm": [], "host": []}
    for _ in range(2):
        seen["vm"].append(memory(place.vm("/bin/busybox", "cat")))
        seen["host"].append(memory(["/bin/busybox", "cat"]))
    vm, host = seen["vm"], seen["host"]
    row(f"live at once, of {machines}", "machines", [m[2] for m in vm], goal=">= 500")
    row("idle busybox: what the machine has less", "KiB", [m[0] for m in vm], [m[0] for m in host])
    row("idle busybox: its own pages and page tables", "KiB", [m[1] for m in vm], [m[1] for m in host])
    row("idle busybox: beyond the program's own", "KiB", [a[0] - b[0] for a, b in zip(vm, host)], goal="<= 800")


def allowed():
    """Of each role, where the kernel has PAGEMAP_SCAN: read from the table of grants."""
    groups = {"EACH": ("ALONE", "POOL", "MAKE", "RESTORE"), "WARM": ("POOL", "RESTORE")}
    counts = dict.fromkeys(groups["EACH"], 0)
    with open(f"{source}/src/vm/filter.c", encoding="utf-8") as file:
        for roles, when in re.findall(r"^    \{SYS_\w+, ([\w |]+), (\w+),", file.read(), re.M):
            for role in groups.get(roles, re.findall(r"VM_ROLE_(\w+)", roles)):
                counts[role] += when != "WITHOUT_SCAN"
    row("system calls allowed to the monitor, by role", "calls", list(counts.values()), goal="<= 12")


load = os.getloadavg()
with tempfile.TemporaryDirectory(prefix="skerry-bench.") as at:
    here = Place(at)
    starts(here)
    calls(here)
    computing(here)
    exits(here)
    idle(here)
    allowed()
print("| what | unit | n | p50 | p99 | host p50 | ratio | of the best | runsc p50 | goal |")
for r in rows:
    ratio = round(r["p50"] / r["host_p50"], 2) if r["host_p50"] else ""
    print(f"| {r['name']} | {r['unit']} | {r['n']} | {r['p50']} | {r['p99']} | {r['host_p50'] or ''} | {ratio} "
          f"| {r['best_ratio'] or ''} | {r['runsc_p50'] or ''} | {r['goal']} |")
print(counts)
with open(out, "w", encoding="utf-8") as file:
    json.dump({"rows": rows, "counts": counts, "when": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
               "commit": os.environ.get("BENCH_COMMIT", "unknown"),
               "cpu": os.environ.get("BENCH_CPU_MODEL", platform.processor()), "cpus": os.cpu_count(),
               "kernel": platform.release(), "load_average": [str(round(l, 2)) for l in load]}, file, indent=1)
