#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Warm machines: pooled, made into snapshots, restored and reset, with a driver in the place of the sandbox's first
process. Above all: what one request leaves behind is not there for the next.

  BUILD=... SRC=... tests/integration/vm-warm.t [WORD...]      only the tests with one of the words in their name
"""
import fcntl
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import traceback

BUILD, SRC = os.environ["BUILD"], os.environ["SRC"]
sys.path.insert(0, os.path.join(SRC, "tests/vm"))
import warm  # noqa: E402

VMM = os.path.join(BUILD, "src/vm/skerry-vmm")
RAM = str(16 << 20)
RESIDUE = ["--mem", RAM, "--deadline-ms", "15000", "--", os.path.join(BUILD, "tests/vm/residue")]
ECHO = ["--mem", RAM, "--deadline-ms", "15000", "--", os.path.join(BUILD, "tests/vm/echo")]
tests = []


def test(function):
    tests.append(function)
    return function


def inverted(secret):
    return bytes(byte ^ 0xff for byte in secret)


class Restored:
    """Monitors of one snapshot of a program."""
    def __init__(self, args, env=None):
        self.args = args
        self.snapshot, why = warm.make(VMM, args, env)
        assert self.snapshot is not None, why

    def monitor(self, args=(), stderr=None):
        split = self.args.index("--")
        return warm.Monitor(VMM, "restore", [*self.args[:split], *args, *self.args[split:]], self.snapshot, stderr=stderr)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.snapshot)


def ask(monitor, body, env=None):
    """One request's output; the program must end well."""
    monitor.expect(warm.READY)
    done, out, errors = monitor.request(body, env)
    assert done.status == 0 and not errors, (done.status, out, errors)
    return out


def is_gone(monitor):
    """The monitor ended by itself, without a word."""
    kind, _ = monitor.take()
    assert kind is None, f"said {kind}"
    monitor.sock.close()
    return monitor.wait()


@test
def a_pooled_machine_runs_one_request():
    monitor = warm.Monitor(VMM, "pool", ECHO)
    monitor.expect(warm.READY)
    done, out, errors = monitor.request(b"hello")
    assert (done.status, out, errors) == (0, b"hello", b"")
    stages = [done.stages[name] for name in warm.STAGES]
    assert all(stages) and stages == sorted(stages), done.stages
    assert is_gone(monitor) == 0


@test
def a_pooled_program_sees_both_environments_and_not_ours():
    monitor = warm.Monitor(VMM, "pool", RESIDUE, env={"OWN": "1"})
    out = ask(monitor, b"e", {"REQUEST": "2"})
    assert out.split() == [b"PATH=/usr/bin:/bin", b"OWN=1", b"REQUEST=2"], out
    assert is_gone(monitor) == 0


@test
def a_pooled_monitor_ends_as_its_program_did():
    monitor = warm.Monitor(VMM, "pool", ["--", os.path.join(BUILD, "tests/vm/hello")])
    monitor.expect(warm.READY)
    done, out, _ = monitor.request()
    assert (done.status, out) == (7, b"hello\n")
    assert is_gone(monitor) == 7


@test
def a_warm_monitor_ends_when_nobody_is_there():
    with Restored(ECHO) as template:
        for monitor in (warm.Monitor(VMM, "pool", ECHO), template.monitor()):
            monitor.expect(warm.READY)
            assert monitor.end() == 0


@test
def what_is_no_request_ends_the_monitor():
    with Restored(ECHO) as template:
        for message, fds in ((b"x", [0, 0, 0]), (b"\0" * 16, [0, 0, 0]),
                             (warm.struct.pack("=IIII", warm.MAGIC, warm.REQUEST, 0, 0), [0, 0]),
                             (warm.struct.pack("=IIII", warm.MAGIC, warm.REQUEST, 2, 4) + b"A=1\0", [0, 0, 0]),
                             (warm.struct.pack("=IIII", warm.MAGIC, warm.REQUEST, 1, 4) + b"A=12", [0, 0, 0])):
            monitor = template.monitor()
            monitor.expect(warm.READY)
            warm.socket.send_fds(monitor.sock, [message], fds)
            assert is_gone(monitor) == 125


@test
def a_program_that_ended_gives_no_snapshot():
    assert warm.make(VMM, ["--", os.path.join(BUILD, "tests/vm/many-calls")])[1] == "it ended before it read its input"


@test
def a_program_that_wrote_gives_no_snapshot():
    with tempfile.TemporaryDirectory() as place:
        image = image_of(place, {})
        why = warm.make(VMM, [*image, "--", "/bin/busybox", "sh", "-c", "echo x; read y"])[1]
        assert why == "it wrote to its output before it read its input", why


@test
def a_program_that_dies_gives_no_snapshot():
    why = warm.make(VMM, ["--", os.path.join(BUILD, "tests/vm/attack-port-out")])[1]
    assert "used I/O port 0x70" in why, why


@test
def a_program_that_never_reads_gives_no_snapshot():
    why = warm.make(VMM, ["--deadline-ms", "300", "--", os.path.join(BUILD, "tests/vm/attack-loop")])[1]
    assert "stopped at its deadline" in why, why


@test
def requests_are_served_one_after_the_other():
    with Restored(ECHO) as template:
        monitor = template.monitor()
        for number in range(20):
            body = b"%d" % number * (number + 1)
            assert ask(monitor, body) == body
        monitor.expect(warm.READY)
        assert monitor.end() == 0


@test
def a_snapshot_that_is_not_sealed_is_refused():
    with Restored(ECHO) as template:
        copy = os.memfd_create("copy", os.MFD_ALLOW_SEALING)
        size = os.fstat(template.snapshot).st_size
        os.write(copy, os.pread(template.snapshot, size, 0))
        for seals in (0, 0x8, 0x7, 0xe, None):
            if seals is not None:
                fcntl.fcntl(copy, warm.F_ADD_SEALS, seals & 0xe)
            before = fcntl.fcntl(copy, warm.F_GET_SEALS)
            if before == 0xe:
                fcntl.fcntl(copy, warm.F_ADD_SEALS, 0x1)
                monitor = warm.Monitor(VMM, "restore", ECHO, copy)
                assert ask(monitor, b"now it is") == b"now it is"
                monitor.expect(warm.READY)
                assert monitor.end() == 0
                break
            monitor = warm.Monitor(VMM, "restore", ECHO, copy)
            assert is_gone(monitor) == 125
        else:
            raise AssertionError("never sealed")
        os.close(copy)


@test
def a_snapshot_that_was_tampered_with_is_refused():
    with Restored(ECHO) as template:
        size = os.fstat(template.snapshot).st_size
        whole = os.pread(template.snapshot, size, 0)
        registers = 72  # behind the head's other numbers: rsp, rip, rflags
        for at in [*range(0, registers, 4), registers + 6 * 8 + 4, registers + 16 * 8, registers + 17 * 8, size]:
            data = bytearray(whole)
            if at == size:
                del data[-4096:]
            else:
                data[at:at + 4] = bytes(byte ^ 0x5a for byte in data[at:at + 4])
            copy = os.memfd_create("copy", os.MFD_ALLOW_SEALING)
            os.write(copy, bytes(data))
            fcntl.fcntl(copy, warm.F_ADD_SEALS, 0xf)
            monitor = warm.Monitor(VMM, "restore", ECHO, copy)
            assert is_gone(monitor) == 125, at
            os.close(copy)


# --- nothing stays ---


def no_secret_is_found(letter):
    secret = os.urandom(32)
    with Restored(RESIDUE) as template:
        monitor = template.monitor()
        assert ask(monitor, b"L " + inverted(secret)) == b"0\n"
        ask(monitor, letter + b" " + inverted(secret))
        found = ask(monitor, b"L " + inverted(secret))
        assert found == b"0\n", found
        monitor.expect(warm.READY)
        assert monitor.end() == 0


@test
def heap_stack_maps_files_and_pipes_are_not_found():
    no_secret_is_found(b"P")


@test
def what_a_hostile_guest_wrote_anywhere_is_not_found():
    no_secret_is_found(b"E")


@test
def the_search_finds_what_is_there():
    # the same search without a reset in between: a program that plants and looks would be two
    secret = os.urandom(32)
    with Restored(RESIDUE) as template:
        monitor = template.monitor()
        assert int(ask(monitor, b"L " + inverted(secret) + bytes(6) + secret)) >= 1


@test
def registers_are_as_new():
    with Restored(RESIDUE) as template:
        fresh, used = template.monitor(), template.monitor()
        want = ask(fresh, b"r")
        for _ in range(3):
            ask(used, b"R " + inverted(os.urandom(32)))
            got = ask(used, b"r")
            assert got == want, (got, want)


@test
def handlers_masks_timers_names_files_and_descriptors_are_as_new():
    with Restored(RESIDUE) as template:
        fresh, used = template.monitor(), template.monitor()
        want = ask(fresh, b"s")
        ask(used, b"P " + inverted(os.urandom(32)))
        got = ask(used, b"s")
        assert got == want, (got, want)


LARGE = """
import sys
size = int(sys.stdin.buffer.read())
block = bytearray(b"x") * size
print(sum(block[::4096]))
"""


@test
def a_request_that_used_much_memory_leaves_little():
    with tempfile.TemporaryDirectory() as place, Restored(python_image(place, LARGE)) as template:
        monitor = template.monitor()
        for _ in range(2):
            assert int(ask(monitor, b"1000")) == ord("x")
            monitor_waits(monitor)
            before = kept(monitor.process)[1]
            size = 48 << 20
            assert int(ask(monitor, b"%d" % size)) == ord("x") * (size >> 12)
            monitor_waits(monitor)
            assert kept(monitor.process)[1] < before + (20 << 10)


def state_of_the_cpu(which):
    """What a kernel sees of the CPU: set in one request, looked at in the next and in a fresh machine. An instruction that
    the guest may not use ends the program."""
    with Restored(RESIDUE) as template:
        fresh, used = template.monitor(), template.monitor()
        answers = []
        for monitor, body in ((fresh, b"h" + which), (used, b"H" + which + inverted(os.urandom(32))), (used, b"h" + which)):
            kind, _ = monitor.take()
            if kind is None:
                return  # given up: that is safe, too
            assert kind == warm.READY
            done, out, _ = monitor.request(body)
            answers.append((done.status, out))
        assert answers[2] == answers[0], answers


for letter, name in (("d", "debug_registers"), ("g", "the_other_gs"), ("8", "the_task_priority"), ("2", "cr2"),
                     ("4", "cr4"), ("x", "xcr0"), ("m", "model_specific_registers"),
                     ("v", "registers_of_the_hypervisor")):
    def each(letter=letter):
        state_of_the_cpu(letter.encode())
    each.__name__ = f"{name}_of_the_cpu_as_new"
    test(each)


def after(letter, goes_on):
    """A hostile request, then one that looks at the page that the first one had elsewhere."""
    with Restored(RESIDUE) as template:
        monitor = template.monitor()
        for _ in range(3):
            assert ask(monitor, b"p") == b"1\n"
            ask(monitor, letter)
            if not goes_on:
                is_gone(monitor)
                return
            got = ask(monitor, b"p")
            assert got == b"1\n", got


@test
def page_tables_that_were_changed_and_changed_back_lead_nowhere():
    after(b"B", True)


@test
def page_tables_in_other_pages_lead_nowhere():
    after(b"T", True)


@test
def page_tables_under_another_table_lead_nowhere():
    after(b"D", True)


@test
def a_trap_on_its_way_does_not_arrive():
    after(b"F", True)


@test
def page_tables_with_another_root_lead_nowhere():
    after(b"C", True)


@test
def descriptor_tables_are_as_new():
    after(b"I", True)


@test
def a_machine_with_changed_page_tables_is_given_up():
    after(b"M", False)


@test
def a_machine_that_was_stopped_at_its_deadline_does_not_come_back():
    with Restored(RESIDUE) as template:
        monitor = template.monitor(["--deadline-ms", "300"])
        assert ask(monitor, b"p") == b"1\n"
        monitor.expect(warm.READY)
        done, _, errors = monitor.request(b"l")
        assert done.status == -9 and b"stopped at its deadline" in errors, (done.status, errors)
        assert is_gone(monitor) == 0


# --- what must be new ---


@test
def random_numbers_differ_between_requests_and_between_machines():
    with Restored(RESIDUE) as template:
        one, other = template.monitor(), template.monitor()
        seen = {ask(monitor, b"n") for monitor in (one, other) * 10}
        assert len(seen) == 20


@test
def clocks_are_those_of_the_host():
    with Restored(RESIDUE) as template:
        monitor = template.monitor()
        for _ in range(5):
            time.sleep(0.05)
            monitor.expect(warm.READY)
            low = time.time_ns(), time.monotonic_ns()
            _, out, _ = monitor.request(b"c")
            high = time.time_ns(), time.monotonic_ns()
            for first, value, last in zip(low, map(int, out.split()), high):
                assert first <= value <= last, (first, value, last)


@test
def the_environment_is_the_requests_and_gone_after_it():
    long = {"LONG": "x" * 3000, "HUGE": "y" * 20000, "HUGE2": "z" * 20000}
    many = {f"V{n}": f"value {n}" for n in range(290)}  # 128 header lines, twice each, and what CGI adds
    with Restored(RESIDUE, {"OWN": "1"}) as template:
        monitor = template.monitor()
        own = [b"PATH=/usr/bin:/bin", b"OWN=1"]
        assert ask(monitor, b"e").splitlines() == own
        for env in ({"ONE": "first"}, long, {"TWO": "second"}, many, {}):
            out = ask(monitor, b"e", env).splitlines() if env is not long else None
            if env is long:  # more than the program's buffer: it is looked at by libc below
                ask(monitor, b"p", env)
                continue
            assert sorted(out) == sorted(own + [f"{k}={v}".encode() for k, v in env.items()]), out


def image_of(place, files):
    """--image and its file: busybox, python3 and its library, and files."""
    root = os.path.join(place, "root")
    os.makedirs(os.path.join(root, "bin"))
    subprocess.run(["cp", "-L", "/bin/busybox", os.path.join(root, "bin/")], check=True)
    for name, text in files.items():
        with open(os.path.join(root, name), "w", encoding="utf-8") as file:
            file.write(text)
    disk = os.path.join(place, "disk")
    subprocess.run(["mkfs.erofs", disk, root], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return ["--image", disk]


def python_image(place, script):
    root = os.path.join(place, "root")
    python = os.path.realpath("/usr/bin/python3")
    library = "/usr/lib/" + os.path.basename(python)
    for folder in ("bin", "etc", "tmp", "usr/bin", "lib64", library[1:]):
        os.makedirs(os.path.join(root, folder))
    os.symlink("usr/lib", os.path.join(root, "lib"))
    copied = [python]
    subprocess.run(["cp", "-L", python, root + "/usr/bin/python3"], check=True)
    subprocess.run(["cp", "-L", "/lib64/ld-linux-x86-64.so.2", root + "/lib64/"], check=True)
    subprocess.run(f"tar -C {library} --exclude=test --exclude=dist-packages --exclude='config-*' -cf - . | "
                   f"tar -C {root}{library} -xf -", shell=True, check=True)
    dynload = library + "/lib-dynload"
    copied += [os.path.join(dynload, name) for name in os.listdir(dynload) if name.endswith(".so")]
    for binary in copied:
        for path in re.findall(r"/lib/\S+", subprocess.run(["ldd", binary], capture_output=True, text=True,
                                                            check=True).stdout):
            os.makedirs(os.path.dirname(root + path), exist_ok=True)
            if not os.path.exists(root + path):
                subprocess.run(["cp", "-L", path, root + path], check=True)
    with open(root + "/function.py", "w", encoding="utf-8") as file:
        file.write(script)
    disk = os.path.join(place, "disk")
    subprocess.run(["mkfs.erofs", disk, root], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return ["--mem", str(128 << 20), "--image", disk, "--", "/usr/bin/python3", "/function.py"]


SCRIPT = """
import ctypes, hashlib, json, os, re, sys
os.environ["SET_BEFORE"] = "1"  # libc's array is a copy from here on
getenv = ctypes.CDLL(None).getenv
getenv.restype = ctypes.c_char_p
hidden = []
text = sys.stdin.buffer.read()
value = json.loads(text)
with open("/proc/self/environ", "rb") as file:
    listed = dict(e.split(b"=", 1) for e in file.read().split(b"\\0") if e)
print(json.dumps({
    "names": len(re.findall(rb'"name": "n[0-9]+"', text)), "sum": sum(sum(v["v"]) for v in value),
    "sha": hashlib.sha256(text).hexdigest(), "getenv": (getenv(b"WHO") or b"").decode(),
    "long": len(getenv(b"LONG") or b""), "listed": listed.get(b"WHO", b"").decode(),
    "random": os.urandom(8).hex(), "files": os.listdir("/tmp"), "hidden": hidden}))
open("/tmp/mark", "w").write("x")
hidden.append(value)
"""


@test
def python_answers_right_from_a_restored_machine():
    import hashlib
    with tempfile.TemporaryDirectory() as place, Restored(python_image(place, SCRIPT)) as template:
        monitor, seen = template.monitor(), set()
        for number in range(12):
            value = [{"name": f"n{n}", "v": list(range(number, number + 20))} for n in range(100)]
            body = json.dumps(value).encode()
            answer = json.loads(ask(monitor, body, {"WHO": f"request {number}", "LONG": "x" * (number * 300)}))
            seen.add(answer.pop("random"))
            assert answer == {"names": 100, "sum": sum(sum(v["v"]) for v in value), "long": number * 300,
                              "sha": hashlib.sha256(body).hexdigest(), "getenv": f"request {number}",
                              "listed": f"request {number}", "files": [], "hidden": []}, answer
        assert len(seen) == 12


THREADS = """
import sys, threading, time
threading.Thread(target=lambda: time.sleep(1000), daemon=True).start()
sys.stdin.read()
"""


@test
def a_program_with_threads_gives_no_snapshot():
    with tempfile.TemporaryDirectory() as place:
        assert warm.make(VMM, python_image(place, THREADS))[1] == "it has more than one thread"


@test
def a_program_with_a_timer_gives_no_snapshot():
    with tempfile.TemporaryDirectory() as place:
        image = python_image(place, "import signal, sys\nsignal.alarm(1000)\nsys.stdin.read()\n")
        assert warm.make(VMM, image)[1] == "one of its timers runs"


def kept(pid):
    """Descriptors and private memory (KiB) of a process."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        private = sum(int(line.split()[1]) for line in file if line.startswith("Private_"))
    return len(os.listdir(f"/proc/{pid}/fd")), private


@test
def two_thousand_requests_leave_descriptors_and_memory_as_they_were():
    with Restored(ECHO) as template:
        monitor = template.monitor()
        before = None
        for number in range(2000):
            assert ask(monitor, b"x" * (number % 4096 or 1)) == b"x" * (number % 4096 or 1)
            if number == 100:
                monitor_waits(monitor)
                before = kept(monitor.process)
        monitor_waits(monitor)
        assert kept(monitor.process) == before, (before, kept(monitor.process))
        assert monitor.end() == 0


def monitor_waits(monitor):
    """Until READY lies in the socket, which is left there."""
    monitor.sock.recv(1, warm.socket.MSG_PEEK)


@test
def machines_of_one_snapshot_share_what_they_do_not_write():
    with tempfile.TemporaryDirectory() as place, Restored(python_image(place, SCRIPT)) as template:
        monitors = [template.monitor() for _ in range(8)]
        for monitor in monitors:
            ask(monitor, b"[]")
            monitor_waits(monitor)
        stored = os.fstat(template.snapshot).st_size
        for monitor in monitors:
            with open(f"/proc/{monitor.process}/smaps", encoding="ascii") as file:
                shared = sum(int(value) for value in re.findall(r"Shared_\w+: +(\d+)", file.read())) * 1024
            assert shared > stored / 4, (shared, stored)
            assert monitor.end() == 0


def main():
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        print("1..0 # SKIP /dev/kvm is not there")
        return 0
    words = sys.argv[1:]
    chosen = [function for function in tests if not words or any(word in function.__name__ for word in words)]
    print(f"1..{len(chosen)}", flush=True)
    failed = 0
    for number, function in enumerate(chosen, 1):
        name = function.__name__.replace("_", " ")
        try:
            function()
            print(f"ok {number} - {name}", flush=True)
        except Exception:  # whatever went wrong is this test's
            failed += 1
            print(f"not ok {number} - {name}")
            for line in traceback.format_exc().splitlines()[-6:]:
                print("# " + line)
            sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
