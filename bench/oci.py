#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What bench/oci.sh measures with: times of commands in turns, many at once, counts of a trace.

  oci.py steps CPU [NAME COUNT COMMANDS]...      JSON lines {name, ms, ...}; COMMANDS are separated by " ; ", "rest MS" is a pause
  oci.py kernel CPU COUNT                        lines of what the kernel alone takes for some of what a run asks for
  oci.py many NAME COUNT RUNTIME BUNDLE          a line for that many in a row and one for all at once
  oci.py count NAME TRACE -- COMMAND...          a line of counts: of strace's output, and of memory while COMMAND runs
  oci.py report DIR                              all of these as one JSON object
"""
import ctypes
import json
import os
import resource
import subprocess
import sys
import time

NULL = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}


def start(words):
    """By posix_spawn, which costs the same for all."""
    actions = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in (0, 1, 2)]
    return os.posix_spawn(words[0], words, os.environ, file_actions=actions)


def finish(pid, words):
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code:
        sys.exit(f"oci.py: {' '.join(words)} failed with {code}")


def spawn(words):
    finish(start(words), words)


def timed(commands):
    if commands[0][0] == "rest":
        time.sleep(int(commands[0][1]) / 1000)
        commands = commands[1:]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.monotonic_ns()
    for words in commands:
        spawn(words)
    ended = time.monotonic_ns()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"ms": (ended - begun) / 1e6, "cpu_ms": cpu_s * 1e3}


def steps(cpu, words):
    """All series in turns; those with fewer samples are spread over the whole."""
    os.sched_setaffinity(0, {cpu})
    series = [(words[i], int(words[i + 1]), [part.split() for part in words[i + 2].split(" ; ")])
              for i in range(0, len(words), 3)]
    most = max(count for _, count, _ in series)
    for turn in range(most):
        for name, count, commands in series:
            if turn * count // most != (turn + 1) * count // most:
                print(json.dumps({"name": name, **timed(commands)}))


def passed_ms(function, *args):
    begun = time.monotonic_ns()
    function(*args)
    return (time.monotonic_ns() - begun) / 1e6


def in_child(function):
    """Milliseconds that the function of a new process says."""
    near, far = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(far, str(function()).encode())
        os._exit(0)
    os.close(far)
    told = os.read(near, 64)
    os.close(near)
    os.waitpid(pid, 0)
    return float(told)


def group_ms(tree):
    """A group of one hierarchy made, entered, removed."""
    group = os.path.join(tree, "bench-oci")
    total = passed_ms(os.mkdir, group, 0o755)
    if os.path.basename(tree) == "cpuset":
        for name in ("cpuset.cpus", "cpuset.mems"):
            with open(os.path.join(tree, name), encoding="ascii") as file:
                value = file.read().encode()
            fd = os.open(os.path.join(group, name), os.O_WRONLY)
            total += passed_ms(os.write, fd, value)
            os.close(fd)
    fd = os.open(os.path.join(group, "tasks"), os.O_WRONLY)
    total += in_child(lambda: passed_ms(os.write, fd, b"0"))
    os.close(fd)
    return total + passed_ms(os.rmdir, group)


def unshare_ms(flags):
    return in_child(lambda: passed_ms(ctypes.CDLL(None).unshare, flags))


def kernel(cpu, count):
    os.sched_setaffinity(0, {cpu})
    newns, newcgroup, newuts, newipc, newpid, newnet = 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x20000000, 0x40000000
    root = "/sys/fs/cgroup"
    trees = [os.path.join(root, name) for name in os.listdir(root) if os.path.exists(os.path.join(root, name, "tasks"))]
    for _ in range(count):
        lines = {"the namespaces but the network's": unshare_ms(newns | newcgroup | newuts | newipc | newpid),
                 "a network namespace": unshare_ms(newnet)}
        if trees:
            lines[f"a group in each of {len(trees)} hierarchies made, entered, removed"] = sum(map(group_ms, trees))
        for name, ms in lines.items():
            print(json.dumps({"name": f"kernel alone: {name}", "ms": ms}))


def many(name, count, runtime, bundle):
    runtime = runtime.split()
    ids = [f"many{number}" for number in range(count)]
    verbs = (["create", "--bundle", bundle], ["start"], ["delete", "--force"])
    begun = time.monotonic_ns()
    for one in ids:
        for verb in verbs:
            spawn(runtime + verb + [one])
    row = (time.monotonic_ns() - begun) / 1e6
    begun = time.monotonic_ns()
    for verb in verbs:
        children = [(start(runtime + verb + [one]), runtime + verb + [one]) for one in ids]
        for child in children:
            finish(*child)
    at_once = (time.monotonic_ns() - begun) / 1e6
    print(json.dumps({"name": f"{count} created, started, deleted in a row, plain, {name}", "ms": row}))
    print(json.dumps({"name": f"{count} created, started, deleted at once, plain, {name}", "ms": at_once}))


def resident(command):
    """The most that the command's process ever had, in KiB: asked for while it is held at its end. Its rusage would
    begin with what we have, whose memory it was until its exec."""
    tracer = subprocess.Popen(["strace", "-qq", "-o", "/dev/null", "-e", "trace=exit_group",
                               "-e", "inject=exit_group:delay_enter=300000", *command], **NULL, stderr=subprocess.DEVNULL)
    most = 0
    while tracer.poll() is None:
        try:
            with open(f"/proc/{tracer.pid}/task/{tracer.pid}/children", encoding="ascii") as file:
                pid = file.read().split()[0]
            exe = os.path.realpath(f"/proc/{pid}/exe")
            with open(f"/proc/{pid}/status", encoding="utf-8") as file:
                found = [int(line.split()[1]) for line in file if line.startswith("VmHWM:")]
            if not exe.endswith("strace") and found:
                most = max(most, found[0])
        except (OSError, IndexError):
            pass
        time.sleep(0.001)
    if tracer.returncode:
        sys.exit(f"oci.py: {' '.join(command)} failed with {tracer.returncode}")
    return most


def count_trace(name, trace, command):
    calls = execs = 0
    pids = set()
    with open(trace, encoding="utf-8", errors="replace") as file:
        for line in file:
            pid, _, rest = line.partition(" ")
            rest = rest.strip()
            if rest.startswith(("+++", "---")) or "resumed>" in rest:
                continue
            pids.add(pid)
            calls += 1
            execs += rest.startswith(("execve(", "execveat("))
    rss_kib = resident(command)
    print(json.dumps({"name": name, "calls": calls, "execs": execs, "processes": len(pids), "rss_kib": rss_kib}))


def lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def quantile(values, part):
    return round(sorted(values)[min(len(values) - 1, int(len(values) * part))], 3)


def processor_times(folder):
    """Means. How much of it was in the kernel is not told: for what is shorter than a tick it is guessed."""
    runs = {}
    for line in lines(os.path.join(folder, "steps")):
        if line["name"].startswith("run, "):
            runs.setdefault(line["name"], []).append(line["cpu_ms"])
    return [{"name": name, "cpu_ms": round(sum(times) / len(times), 2)} for name, times in runs.items()]


def report(folder):
    series = {}
    for line in lines(os.path.join(folder, "steps")) + lines(os.path.join(folder, "many")):
        series.setdefault(line["name"], []).append(line["ms"])
    for line in lines(os.path.join(folder, "pods")):
        for step, text in (("pod", "CRI: run a pod"), ("to_started", "CRI: pod and container started"), ("remove", "CRI: stop and remove")):
            series.setdefault(f"{text}, {line['handler']}", []).append(line[step])
    medians = {name: quantile(values, 0.5) for name, values in series.items()}
    rows = []
    for name, values in series.items():
        reference = medians.get(name.rpartition(", ")[0] + ", crun")
        rows.append({"name": name, "unit": "ms", "n": len(values), "min": quantile(values, 0), "p50": medians[name], "p99": quantile(values, 0.99),
                     "max": quantile(values, 1), "ratio": round(medians[name] / reference, 2) if reference else None})
    rows.sort(key=lambda row: row["name"].rpartition(", ")[0])
    print(json.dumps({"unit": "ms", "rows": rows, "cpu_times": processor_times(folder), "counts": lines(os.path.join(folder, "counts"))}))


def main():
    verb, *words = sys.argv[1:]
    if verb == "steps":
        steps(int(words[0]), words[1:])
    elif verb == "kernel":
        kernel(int(words[0]), int(words[1]))
    elif verb == "many":
        many(words[0], int(words[1]), words[2], words[3])
    elif verb == "count":
        count_trace(words[0], words[1], words[3:])
    else:
        report(words[0])


main()
