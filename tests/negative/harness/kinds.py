# SPDX-License-Identifier: Apache-2.0
"""What is done with an attack, by its kind, where it runs as a process (control and `skerry run`).

Each returns (text, problem): what was printed, and None or what is wrong. In the control run
"got through" is what is wanted, so there the problem is left to the caller.
"""
import ctypes
import os
import signal
import time

from host import USER
from runs import HANG_S, End, become, judge


def until_gone(host):
    """Waits until no marked process lives. False: one does, after very long."""
    deadline = time.monotonic() + HANG_S
    while host.marked():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def single(how, attack, host):
    end = how.run(attack)
    return end, judge(attack, end)


def aftermath(how, attack, host):
    """Ends, or is ended; then nothing of it may live, from the very moment of the answer."""
    process = how.start(attack)
    if how.name == "control":
        if attack.expect == "timeout":  # asked to end, as a timeout without a sandbox would
            time.sleep(0.5)
            process.child.send_signal(signal.SIGTERM)
            time.sleep(0.2)
            left = host.marked()
            host.kill_marked()
            process.kill()
            return End(0, f"ESCAPED: {len(left)} processes live on" if left else "stopped: "), None
    end = process.wait()
    left = host.marked()
    host.kill_marked()
    if left:
        return End(0, end.text + f"ESCAPED: {len(left)} processes live on"), "lives on after the answer"
    return end, judge(attack, end)


def pair(how, attack, host):
    if how.name == "control":
        server = how.start(attack, shared=True, role="serve")
        server.wait_for("ready")
        caller = how.start(attack, shared=True, role="call")
    else:
        server = how.start(attack, role="serve")
        if not server.wait_for("ready"):
            return server.wait(), "the first of the two ended early"
        caller = how.start(attack, role="call")
    ends = [caller.wait(), server.wait()]
    text = End(0, "".join(end.text for end in ends))
    return text, judge(attack, ends[0]) or judge(attack, ends[1])


def sequence(how, attack, host):
    more = {"shared": True} if how.name == "control" else {}
    planted = how.start(attack, role="plant", **more).wait()
    if "planted" not in planted.text:
        return planted, "did not plant"
    end = how.start(attack, role="look", **more).wait()
    left = host.marked()
    host.kill_marked()
    if left and how.name != "control":
        return end, "a process lives on after the first request"
    return end, judge(attack, end)


TEMPLATES = 6  # functions at once that try to exhaust what counts for their owner
LIBC = ctypes.CDLL(None)
PROBES = {
    "inotify": lambda: LIBC.inotify_init1(0) >= 0,
    "timer": lambda: LIBC.timer_create(1, None, ctypes.byref(ctypes.c_void_p())) == 0,
}


def probe(attack, uid):
    """Whether the host, as the user, still gets one of what the attack takes."""
    child = os.fork()
    if child == 0:
        try:
            if uid is not None:
                become(uid)
            os._exit(0 if PROBES[attack.probe]() else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def exhaust(how, attack, host):
    """While several of them hold all they can get, the host must still get what it needs."""
    processes = [how.start(attack) for _ in range(1 if how.name == "control" else TEMPLATES)]
    held = [process.wait_for("ready") for process in processes]
    uid = USER if how.name in ("control", "rootless") else None
    served = probe(attack, uid)
    for process in processes:
        if how.name == "control":
            process.kill()
        else:
            process.child.send_signal(signal.SIGTERM)
    text = "".join(process.wait().text for process in processes)
    if not all(held):
        return End(-1, text), "ended before it held anything"
    if served:
        return End(1, text), None
    return End(0, text + f"ESCAPED: the host gets no {attack.probe}"), "the host is left without"


def keepers_of(pid, host):
    """The processes below pid that are not the attack's, pid itself last."""
    parents = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                parents.setdefault(int(file.read().rpartition(")")[2].split()[1]), []).append(int(name))
        except OSError:
            continue
    marked, found, queue = set(host.marked()), [], [pid]
    while queue:
        for child in sorted(parents.get(queue.pop(0), [])):
            queue.append(child)
            if child not in marked:
                found.append(child)
    return found + [pid]


def keeper_kill(how, attack, host):
    """One run for each of the keepers; it is killed, and all of the attack must go with it."""
    if how.name == "control":
        process = how.start(attack)
        process.wait_for("ready")
        os.kill(process.child.pid, signal.SIGKILL)
        text = process.wait().text
        time.sleep(0.2)
        left = host.marked()
        host.kill_marked()
        return End(0, text + f"ESCAPED: {len(left)} live on" if left else text), None
    text, which = "", 0
    while True:
        process = how.start(attack)
        if not process.wait_for("ready"):
            return process.wait(), "did not start"
        keepers = keepers_of(process.child.pid, host)
        victim = keepers[which]
        os.kill(victim, signal.SIGKILL)
        gone = until_gone(host)
        host.kill_marked()
        process.child.send_signal(signal.SIGTERM)
        end = process.wait()
        text += f"keeper {which + 1} of {len(keepers)} killed: ended with {end.code}\n{end.text}"
        if victim == process.child.pid:
            sweep(victim)
        if not gone:
            return End(0, text), f"lives on after its keeper {which + 1} of {len(keepers)} is dead"
        if end.escaped:
            return End(0, text), "got through after a keeper was killed"
        which += 1
        if which >= len(keepers):
            return End(1, text), None


def sweep(pid):
    """The empty control groups of a `skerry run` that was killed: the daemon would sweep them."""
    for top, names, _ in os.walk("/sys/fs/cgroup", topdown=False):
        for name in names:
            if name.startswith("skerry-") and f"-{pid}" in name:
                for below, folders, _ in os.walk(os.path.join(top, name), topdown=False):
                    for folder in folders:
                        remove(os.path.join(below, folder))
                remove(os.path.join(top, name))


def remove(path):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.rmdir(path)
            return
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.01)


KINDS = {"single": single, "flood": single, "service": single, "aftermath": aftermath, "pair": pair,
         "sequence": sequence, "exhaust": exhaust, "keeper-kill": keeper_kill}
