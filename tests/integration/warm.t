#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""skerry-warm: programs that are saved at their first read of stdin and brought back for requests.

  BUILD=... SRC=... tests/integration/warm.t [REGEX]

tests/warm/driver.py plays the sandbox's pid 1; tests/warm/cases.c are programs, here with each C library.
"""
import fcntl
import json
import os
import re
import shutil
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../warm"))
import driver  # noqa: E402

PROGRAMS = os.path.join(os.path.abspath(driver.BUILD), "tests/warm")
REQUEST = {"REQUEST": "of this call", "SECOND": "2"}
TESTS = []


def test(name):
    def add(function):
        TESTS.append((name, function))
        return function
    return add


def equal(found, wanted):
    assert found == wanted, f"{found!r} is not {wanted!r}"


def serve(args, body=b"body\n", requests=2, **more):
    """The outcomes of some requests to one snapshot."""
    snapshot = driver.make(args, **more)
    try:
        return [driver.Restored(snapshot).run(body, REQUEST) for _ in range(requests)]
    finally:
        os.close(snapshot)


def refused(args, sentence, **more):
    try:
        os.close(driver.make(args, **more))
    except driver.Refused as why:
        assert re.search(sentence, str(why)), f"{str(why)!r} is not {sentence!r}"
        return
    raise AssertionError("a snapshot was made")


def letters():
    path = os.path.join(driver.PLACE, "letters")
    with open(path, "w", encoding="ascii") as file:
        file.write("abcdefghijklmnopqrstuvwxyz")
    return path


CASES = ["registers", "heap", "anonymous", "stack", "memory", "signals", "clocks", "threads", "forks", "environment",
         "environment-changed", "files", "process", "traces", "polls", "selects", "ready", "thread-that-ended"]
REFUSALS = {
    "thread": "it has more than one thread",
    "child": "it starts another process before it reads its input",
    "socket": r"descriptor 3 is open: socket:",
    "pipe": r"descriptor 3 is open: pipe:",
    "epoll": "it waits for events",
    "output": "it writes output before it reads its input",
    "tmp": "it left files in /tmp",
    "tmp-open": "it has open: /tmp/open",
    "lock": "it holds a lock on ",
    "alarm": "it has a timer that runs",
    "timer": "it has timers",
    "shared": "it shares memory that it can write",
    "mlock": "it locks its memory",
    "nice": "it changed its priority",
    "affinity": "it chose its processors",
    "uid": "it changed its user",
    "seccomp": r"it changed itself by prctl\(\)",
    "nonblock": "it changed the flags of its stdin",
    "replaced": "it replaced its stdout",
    "pending": "it has signals that wait",
    "end": "it ended before it read its input, with status 7",
    "crash": "it ended before it read its input, by status 11|by status 139",
    "environment": "it rearranged its environment",
}


def add_cases():
    for library in ("dynamic", "static", "static-pie", "musl"):
        program = os.path.join(PROGRAMS, f"cases-{library}")
        if not os.path.exists(program):
            continue
        for name in CASES:
            def case(program=program, name=name):
                for outcome in serve([program, letters(), name]):
                    equal(outcome, (0, b"ok\n", b""))
            TESTS.append((f"{library}: {name}", case))
        TESTS.append((f"{library}: abort() ends it",
                      lambda program=program: equal(serve([program, "aborts"])[0][0] & 0x7F, 6)))
    for name, sentence in REFUSALS.items():
        for library in ("dynamic", "musl"):
            if (library, name) == ("musl", "child"):  # it forks with all signals blocked, SIGSYS too
                sentence = "it ended before it read its input, by status 31"
            program = os.path.join(PROGRAMS, f"cases-{library}")
            if os.path.exists(program):
                TESTS.append((f"{library}: refused: {name}", lambda program=program, name=name, sentence=sentence:
                              refused([program, letters(), f"refuse-{name}"], sentence)))


def script(name, text, mode=0o755):
    path = os.path.join(driver.PLACE, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)
    return path


@test("a program without a C library")
def _():
    equal(serve([os.path.join(PROGRAMS, "bare")]), [(0, b"body\n", b"")] * 2)


@test("Python, with modules imported before the request")
def _():
    path = script("function.py", """#!/usr/bin/python3
import json, re, hashlib, sys, os, threading
WORD = re.compile("[a-z]+")
text = sys.stdin.read()
print(json.loads(text)["a"], WORD.findall(text), hashlib.sha256(text.encode()).hexdigest()[:8])
made = threading.Thread(target=lambda: print("thread"))
made.start(); made.join()
""")
    body = json.dumps({"a": 1, "word": "two"}).encode()
    for args in ([path], ["/usr/bin/python3", path]):
        for status, out, err in serve(args, body, 3):
            equal((status, err), (0, b""))
            assert out.startswith(b"1 ['a', 'word', 'two'] ") and out.endswith(b"thread\n"), out


@test("Python's SDK: the request's environment, other random numbers")
def _():
    path = script("sdk.py", f"""import sys, os, random
sys.path.insert(0, {os.path.join(driver.SRC, "sdk/python")!r})
import skerry
before = random.random()
assert "REQUEST" not in os.environ
skerry.ready()
print(os.environ["REQUEST"], os.environ["SECOND"], os.environ["LANG"], random.random(), file=sys.stdout)
print(sys.stdin.read(), end="")
skerry.done()
""")
    outcomes = serve(["/usr/bin/python3", path], requests=2)
    for status, out, err in outcomes:
        equal((status, err), (0, b""))
        assert out.startswith(b"of this call 2 C.UTF-8 0.") and out.endswith(b"\nbody\n"), out
    assert outcomes[0][1] != outcomes[1][1], "both drew the same number"


@test("Perl, which keeps its script open")
def _():
    path = script("function.pl", """#!/usr/bin/perl
use strict; use warnings;
my @lines = <STDIN>;
print scalar(@lines), " $ENV{LANG} ", <DATA>;
__DATA__
data
""")
    equal(serve([path], b"1\\n2\\n".decode("unicode_escape").encode()), [(0, b"2 C.UTF-8 data\n", b"")] * 2)


@test("Lua, jq, busybox, dash")
def _():
    tools = [(["/usr/bin/lua5.4", "-e", "print((io.read('a')):upper())"], b"x", b"X\n"),
             (["/usr/bin/jq", "-c", ".a"], b'{"a": [1]}', b"[1]\n"),
             (["/bin/busybox", "sh", "-c", "read a b; echo $b $a $((a + b))"], b"1 2\n", b"2 1 3\n"),
             ([script("function.sh", "#!/bin/busybox sh\nread word\necho got $word from $0\n")], b"it\n", None),
             (["/bin/dash", "-c", "X=1; read word; echo $word$X"], b"it\n", b"it1\n"),
             (["/usr/bin/sort"], b"b\na\n", b"a\nb\n"),
             (["/bin/busybox", "cat"], b"through\n", b"through\n")]
    for args, body, wanted in tools:
        if not shutil.which(args[0]):
            continue
        for status, out, err in serve(args, body):
            equal((args[0], status, err), (args[0], 0, b""))
            equal(out, wanted or f"got it from {args[0]}\n".encode())


@test("a script that becomes another program")
def _():
    path = script("becomes.sh", "#!/bin/dash\ncd /usr\numask 077\nexport ADDED=1\nexec dash -c 'read a; echo $a $ADDED; pwd; umask'\n")
    equal(serve([path], b"line\n"), [(0, b"line 1\n/usr\n0077\n", b"")] * 2)


@test("requests do not see each other, and the snapshot does not change")
def _():
    snapshot = driver.make([os.path.join(PROGRAMS, "cases-dynamic"), "memory"])
    digest = driver.read_all(snapshot)
    first, second = driver.Restored(snapshot), driver.Restored(snapshot)
    equal(first.run(b"secret"), (0, b"ok\n", b""))
    equal(second.run(b"secret"), (0, b"ok\n", b""))
    equal(driver.Restored(snapshot).run(b"secret"), (0, b"ok\n", b""))
    equal(driver.read_all(snapshot), digest)


@test("no handler of the program's runs where our socket is open")
def _():
    restored = driver.Restored(driver.make([os.path.join(PROGRAMS, "cases-dynamic"), "early-signal"]))
    os.kill(restored.process.pid, signal.SIGUSR1)
    equal(restored.run(b"x"), (0, b"ok\n", b""))


@test("nobody asks: it ends")
def _():
    restored = driver.Restored(driver.make([os.path.join(PROGRAMS, "bare")]))
    restored.process.near.shutdown(2)
    equal(restored.process.wait(), 0)


@test("a request that is none ends it")
def _():
    snapshot = driver.make([os.path.join(PROGRAMS, "cases-dynamic"), "echo"])
    null = os.open("/dev/null", os.O_RDWR)
    for message, fds in ((b"", [null] * 3), (b"warm", [null] * 3),
                         (driver.request_bytes({"A": "1"})[:-1], [null] * 3),
                         (driver.request_bytes({"A": "1"}) + b"B", [null] * 3),
                         (driver.request_bytes({"A": "1"}, count=2), [null] * 3),
                         (driver.request_bytes({"A": "1"}, count=5000), [null] * 3),
                         (driver.request_bytes({"A": "1"}), [null] * 2),
                         (driver.request_bytes({"A": "1"}), [null] * 4),
                         (driver.request_bytes({"A": "x" * 100000}), [null] * 3)):
        restored = driver.Restored(snapshot)
        restored.process.send(message or b"\0", fds)
        equal(restored.process.wait(), 1 << 8)


@test("a snapshot that is not sealed, or none, is not restored")
def _():
    sealed = driver.make([os.path.join(PROGRAMS, "bare")])
    for data, seals, sentence in ((driver.read_all(sealed), 0xE, "not sealed"), (b"", 0xF, "cannot be mapped|no snapshot"),
                                  (b"\0" * 65536, 0xF, "no snapshot"),
                                  (driver.read_all(sealed)[:4096], 0xF, "ends within|is not there|outside")):
        other = os.memfd_create("other", os.MFD_ALLOW_SEALING)
        os.write(other, data)
        fcntl.fcntl(other, 1033, seals)  # F_ADD_SEALS
        try:
            driver.Restored(other)
            raise AssertionError("it was restored")
        except driver.Refused as why:
            assert re.search(sentence, str(why)), str(why)
            equal(why.status, 1 << 8)


@test("a snapshot of hostile bytes ends cleanly or is the program's own affair")
def _():
    """Each number of the head is changed in turn: refused, or restored as far as the program itself could have come."""
    data = driver.read_all(driver.make([os.path.join(PROGRAMS, "cases-static"), "echo"]))
    size = min(len(data), 1400)
    for at in range(0, size, 8):
        other = os.memfd_create("other", os.MFD_ALLOW_SEALING)
        os.write(other, data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1:at + 6] + b"\xff" + data[at + 7:])
        fcntl.fcntl(other, 1033, 0xF)
        try:
            status = driver.Restored(other).run(b"x")[0]
        except driver.Refused as why:
            status = why.status
        os.close(other)
        assert status in (0, 1 << 8) or status & 0x7F in (11, 7), (at, status)


@test("a file that changed since is not restored")
def _():
    path = letters()
    snapshot = driver.make([os.path.join(PROGRAMS, "cases-dynamic"), path, "files"])
    with open(path, "a", encoding="ascii") as file:
        file.write("!")
    try:
        driver.Restored(snapshot)
        raise AssertionError("it was restored")
    except driver.Refused as why:
        assert "is another by now" in str(why), str(why)


@test("no program, and one that cannot be executed")
def _():
    refused([], "no program is named")
    refused(["/nothing/here"], "it cannot be executed: /nothing/here")
    refused(["/etc/passwd"], "it cannot be executed|it is no ELF")


def main():
    add_cases()
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    tests = [test for test in TESTS if re.search(only, test[0])]
    print(f"1..{len(tests)}", flush=True)
    failed = 0
    for number, (name, function) in enumerate(tests, 1):
        try:
            function()
            print(f"ok {number} - {name}", flush=True)
        except Exception as wrong:  # pylint: disable=broad-except
            failed += 1
            print(f"not ok {number} - {name}\n# {type(wrong).__name__}: {wrong}", flush=True)
    sys.exit(failed != 0)


if __name__ == "__main__":
    driver.in_private_places()
    main()
