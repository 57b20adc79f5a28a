#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""skerry-warm by itself, without a sandbox: warm_jail.py BUILD OUT.json [RUNS [WAITING]].

A Python function (json, re, hashlib; 10 KB of JSON; its answer is a line) from its snapshot, in turns with a bare
python3 that runs the same file. Prints a table and writes the JSON."""
import json
import os
import platform
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../tests/warm"))
os.environ.setdefault("BUILD", sys.argv[1])
import driver  # noqa: E402

FUNCTION = """import json, re, hashlib, sys
sys.path.insert(0, "@SDK@")
import skerry
NUMBER = re.compile(r"\\d+")
skerry.ready()
text = sys.stdin.buffer.read()
items = json.loads(text)
print(len(items), len(NUMBER.findall(text.decode())), hashlib.sha256(text).hexdigest())
skerry.done()
"""
PLAIN = FUNCTION.replace("skerry.ready()\n", "").replace("skerry.done()\n", "").replace("import skerry\n", "")
PYTHON = "/usr/bin/python3"
DUP = os.POSIX_SPAWN_DUP2
BODY = json.dumps([{"id": i, "name": f"item {i}", "tags": ["a", "b"], "value": i * 1.5} for i in range(155)]).encode()
rows = []


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))]


def row(name, unit, values, reference=None):
    rows.append({"name": name, "unit": unit, "n": len(values), "min": round(min(values), 1),
                 "p50": round(quantile(values, 0.5), 1), "p99": round(quantile(values, 0.99), 1),
                 "bare_p50": round(quantile(reference, 0.5), 1) if reference else None})


class Streams:
    """A body as stdin, a pipe as stdout."""

    def __enter__(self):
        self.body = os.memfd_create("body")
        os.write(self.body, BODY)
        os.lseek(self.body, 0, os.SEEK_SET)
        self.out, self.into = os.pipe()
        return self

    def answer(self):
        os.close(self.into)
        assert os.read(self.out, 200).startswith(b"155 ")
        return driver.now_us()

    def __exit__(self, *_):
        os.close(self.body)
        os.close(self.out)


def bare(args):
    """us to the answer, to the end, of processor time."""
    with Streams() as streams:
        begin = driver.now_us()
        pid = os.posix_spawn(args[0], args, driver.ENV, file_actions=[(DUP, streams.body, 0), (DUP, streams.into, 1)])
        answered = streams.answer()
        usage = os.wait4(pid, 0)[2]
        return answered - begin, driver.now_us() - begin, (usage.ru_utime + usage.ru_stime) * 1e6, usage.ru_minflt


class Waiting(driver.Process):
    """A restored program, started as cheaply as a spawner does."""

    def __init__(self, snapshot):  # pylint: disable=super-init-not-called
        self.near, far = driver.socket.socketpair(driver.socket.AF_UNIX, driver.socket.SOCK_SEQPACKET)
        null = os.open("/dev/null", os.O_RDWR)
        high = [driver.fcntl.fcntl(fd, driver.fcntl.F_DUPFD_CLOEXEC, 900) for fd in (null, far.fileno(), snapshot)]
        actions = [(DUP, high[0], 0), (DUP, high[0], 1), (DUP, high[0], 2), (DUP, high[1], 3), (DUP, high[2], 4)]
        begin = driver.now_us()
        self.pid = os.posix_spawn(driver.WARM, ["skerry-warm"], {**driver.ENV, "SKERRY_WARM": "restore"},
                                  file_actions=actions)
        far.close()
        os.close(high[1])
        assert self.hear()[0] == driver.READY
        self.ready_us = driver.now_us() - begin
        for fd in (null, high[0], high[2]):
            os.close(fd)

    def serve(self):
        with Streams() as streams:
            before = self.faults()
            begin = driver.now_us()
            self.request({"REQUEST": "1"}, (streams.body, streams.into, streams.into))
            answered = streams.answer()
            usage = os.wait4(self.pid, 0)[2]
            ended = driver.now_us()
            self.near.close()
            return (answered - begin, ended - begin, (usage.ru_utime + usage.ru_stime) * 1e6,
                    usage.ru_minflt - before)

    def faults(self):
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as file:
            return int(file.read().rpartition(")")[2].split()[7])

    def mappings(self):
        with open(f"/proc/{self.pid}/maps", encoding="ascii") as file:
            return sum(1 for _ in file)


def latency(name, text, runs):
    path = os.path.join(driver.PLACE, "function.py")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace("@SDK@", os.path.join(driver.SRC, "sdk/python")))
    snapshot = driver.make([PYTHON, path])
    cold, warm, ready = [], [], []
    for _ in range(runs):
        cold.append(bare([PYTHON, path]))
        waiting = Waiting(snapshot)
        ready.append((waiting.ready_us, waiting.faults(), waiting.mappings()))
        warm.append(waiting.serve())
    for index, what in enumerate(("request to answer", "request to end", "processor time, restoring included")):
        row(f"{name}: {what}", "us", [w[index] for w in warm], [c[index] for c in cold])
    row(f"{name}: page faults of the request", "", [w[3] for w in warm], [c[3] for c in cold])
    row(f"{name}: spawn to READY (before the request)", "us", [r[0] for r in ready])
    row(f"{name}: page faults until READY", "", [r[1] for r in ready])
    row(f"{name}: mappings", "", [r[2] for r in ready])
    row(f"{name}: snapshot", "KiB", [os.fstat(snapshot).st_size / 1024])
    return snapshot


def pss_kib(pids):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            total += next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    return total / len(pids)


def memory(snapshot, count):
    path = os.path.join(driver.PLACE, "function.py")
    warm = [Waiting(snapshot) for _ in range(count)]
    warm_pss = pss_kib([process.pid for process in warm])
    for process in warm:
        process.near.close()
        os.waitpid(process.pid, 0)
    ends = os.pipe()
    cold = [os.posix_spawn(PYTHON, [PYTHON, path], driver.ENV, file_actions=[(DUP, ends[0], 0), (os.POSIX_SPAWN_CLOSE, ends[1])])
            for _ in range(count)]
    time.sleep(2)
    cold_pss = pss_kib(cold)
    for pid in cold:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    for fd in ends:
        os.close(fd)
    row(f"memory of one that waits (PSS), {count} at once", "KiB", [warm_pss], [cold_pss])


def main():
    runs = int(sys.argv[3]) if len(sys.argv) > 3 else 200
    waiting = int(sys.argv[4]) if len(sys.argv) > 4 else 100
    latency("Python, unmodified", PLAIN, runs)
    memory(latency("Python, skerry.ready and done", FUNCTION, runs), waiting)
    print("| what | unit | n | min | p50 | p99 | bare python3 p50 | ratio |")
    for r in rows:
        ratio = round(r["p50"] / r["bare_p50"], 3) if r["bare_p50"] else ""
        print(f"| {r['name']} | {r['unit']} | {r['n']} | {r['min']} | {r['p50']} | {r['p99']} | "
              f"{r['bare_p50'] if r['bare_p50'] is not None else ''} | {ratio} |")
    with open(int(os.environ["WARM_OUT_FD"]), "w", encoding="utf-8") as file:
        json.dump({"rows": rows, "when": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
                   "commit": os.environ.get("BENCH_COMMIT", "unknown"),
                   "cpu": os.environ.get("BENCH_CPU_MODEL", platform.processor()), "cpus": os.cpu_count(),
                   "kernel": platform.release(), "load_average": [str(round(l, 2)) for l in os.getloadavg()]},
                  file, indent=1)


if __name__ == "__main__":
    if "WARM_OUT_FD" not in os.environ:  # opened here: /tmp is another where it is written
        fd = os.open(sys.argv[2], os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644)
        os.set_inheritable(fd, True)
        os.environ["WARM_OUT_FD"] = str(fd)
    driver.in_private_places()
    main()
