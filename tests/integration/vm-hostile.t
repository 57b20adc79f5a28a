#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hostile guests, step by step: each row runs tests/vm/probe.c in a machine of its own and says how that must end.

  BUILD=... SRC=... tests/integration/vm-hostile.t [WORD...]     rows whose name has one of the words

A machine may end in four ways, all by the monitor's own word (its closing line, "exits N, doorbells ..."): the guest
survived, its program died of a signal of its own, the monitor ended it and says why, or its deadline came. A monitor that
dies otherwise, a host that hangs, a line with ESCAPED fail the row; and so does an end that is not the one named here.
"""
import os
import re
import subprocess
import sys
import tempfile

BUILD = os.environ["BUILD"]
MONITOR = os.path.join(BUILD, "src/vm/skerry-vmm")
PROBE = os.path.join(BUILD, "tests/vm/hostile-probe")
DEADLINE_MS = 3000
HANG_S = 120

# Ends. ALIVE: the guest goes on. ENDED: by the monitor. OWN: whatever becomes of the guest itself, by hypervisor.
ALIVE, PORT, BELL, INDEX, EXIT, NO_MEMORY, OWN = (
    r"urvived", r"used I/O port 0x", r"rang a doorbell that there is not", r"impossible indices",
    r"ended without saying how", r"physical address 0x[0-9a-f]+, where it has no memory|cannot emulate", r"")

VALUES = (0, 1, 0x7fff, 0xffff, 0x10000, 0x10001, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff)
WIDE = VALUES + (0x100000000, 0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff)
# struct vm_shared of skerry/abi/vm.h: offset and size of each field.
RINGS, RING_BYTES, STDIN, OUTPUTS = 192, 128, 0, (1, 2, 3, 4)
FIELDS = {"magic": (0, 4), "exit_kind": (4, 4), "exit_value": (8, 4), "polled": (12, 4), "stage": (24, 8),
          "calls": (56, 8), "calls_trapped": (64, 8), "unknown_call": (72, 4), "unknown_count": (104, 4)}
FLUSH, WAIT, STDIN_BELL = 1, 2, 4


def ring(index, field):
    return RINGS + index * RING_BYTES + {"head": 0, "producer_flags": 4, "tail": 64, "consumer_flags": 68}[field]


def bells():
    """Every doorbell with every field at its extremes. What the monitor does not read must change nothing."""
    for bell in (0, 5, 0xff, 0x100, 0x7fffffff, 0x80000000, 0xffffffff):
        yield f"doorbell {bell:#x}", ("bell", 0, 4, 0x6d76796b, bell), BELL
    for name, (offset, size) in FIELDS.items():
        for value in WIDE if size == 8 else VALUES:
            yield f"{name} {value:#x}, flush", ("bell", offset, size, value, FLUSH), ALIVE
    for value in WIDE:  # of the time stamp counter: the farthest are ended by the deadline
        end = "stopped at its deadline" if value > 1 << 62 else ALIVE
        yield f"wait_until {value:#x}", ("bell", 16, 8, value, WAIT), end
    for value in VALUES:
        yield f"exit_kind {value:#x}, exit", ("bell", 4, 4, value, 3), {
            1: "", 2: EXIT, 3: "used up the guest's memory", 4: "gave up"}.get(value, EXIT)
    for index in OUTPUTS:
        for value in VALUES:
            # at once, or when it is put back to less than the monitor took; but stdout grows beyond 1 by itself
            fine = value == 0 or (index, value) == (1, 1)
            yield f"output {index} head {value:#x}", ("bell", ring(index, "head"), 4, value, FLUSH), ALIVE if fine else INDEX
            yield f"output {index} tail {value:#x}", ("bell", ring(index, "tail"), 4, value, FLUSH), ALIVE
        for field in ("producer_flags", "consumer_flags"):
            yield f"output {index} {field}", ("bell", ring(index, field), 4, 0xffffffff, FLUSH), ALIVE
    for value in VALUES:
        # stdin is empty: a tail up to a ring behind is a lie that harms nobody else
        held = -value & 0xffffffff
        yield (f"stdin tail {value:#x}", ("bell", ring(STDIN, "tail"), 4, value, STDIN_BELL),
               INDEX if held > 0x10000 else ALIVE)
        yield f"stdin head {value:#x}", ("bell", ring(STDIN, "head"), 4, value, STDIN_BELL), ALIVE
    for field in ("producer_flags", "consumer_flags"):
        yield f"stdin {field}", ("bell", ring(STDIN, field), 4, 0xffffffff, STDIN_BELL), ALIVE


def ports():
    """Devices of a PC, back doors of other hypervisors, our own port in the wrong way."""
    known = (0, 0x20, 0x21, 0x40, 0x43, 0x60, 0x61, 0x64, 0x70, 0x71, 0x80, 0x92, 0xa0, 0xb2, 0xcf8, 0xcfc, 0x3f8, 0x4d0,
             0x402, 0x510, 0x511, 0x514, 0x600, 0x5658, 0xb004, 0xffff)
    for port in known:
        yield f"out 4 {port:#x}", ("port", 0, 4, port), PORT
        yield f"in 1 {port:#x}", ("port", 1, 1, port), PORT
    for way, size in ((0, 1), (0, 2), (1, 1), (1, 2), (1, 4), (2, 4), (3, 4)):
        yield f"our port, way {way} of {size}", ("port", way, size, 0x5b0), f"{PORT}|{BELL}"


def memory():
    """Physical addresses without memory, in all the ways that an instruction can touch them."""
    places = (0x8000000, 0xa0000000, 0xfec00000, 0xfed00000, 0xfee00000, 0xfee00300, 0x100000000, 0x3fffe00000,
              0x3ffffffff000, 0xffffffffff000)
    for place in places:
        for way, name in enumerate(("read", "write", "exchange", "16 bytes", "move", "fetch")):
            yield f"{name} {place:#x}", ("memory", way, place), OWN if place > 0x3fffffffffff else NO_MEMORY


def processor():
    """Registers and instructions: contained, whatever they do to the guest."""
    for first, last in ((0, 0x1ff), (0x200, 0x3ff), (0x400, 0x4ff), (0x600, 0x6ff), (0x800, 0x8ff), (0xc80, 0xd9f),
                        (0x40000000, 0x400001ff), (0x4b564d00, 0x4b564dff), (0xc0000080, 0xc0000110),
                        (0xc0010000, 0xc0010140), (0xc0011000, 0xc0011040), (0xfffffff0, 0xffffffff)):
        yield f"read MSRs {first:#x} to {last:#x}", ("msrs", first, last, 0), OWN
    for msr in (*range(0x10, 0x13), 0x1b, 0x3a, 0x48, 0x49, 0x79, 0x8b, 0xc1, 0x174, 0x175, 0x176, 0x17a, 0x186, 0x198, 0x19a,
                0x1a0, 0x1d9, 0x1f8, 0x200, 0x250, 0x277, 0x2ff, 0x345, 0x38f, 0x3f1, 0x400, 0x480, 0x560, 0x600, 0x6e0, 0x80b,
                0x830, 0xd90, 0xda0, *range(0x4b564d00, 0x4b564d09), 0x40000000, 0x40000001, 0x40000020, 0x40000021,
                0xc0000080, 0xc0000081, 0xc0000082, 0xc0000084, 0xc0000100, 0xc0000102, 0xc0000103, 0xc0010015, 0xc0010114,
                0xc0010117, 0xc0011029):
        yield f"write MSR {msr:#x}", ("msrs", msr, msr, 1), OWN
    for number in (0, 3, 4, 8):
        for value in (0, 1, 0x7fffffff, 0xffffffff, 0x4000000000, 0xfffffffffffff000, 0xffffffffffffffff):
            yield f"cr{number} {value:#x}", ("control", number, value), OWN
    for number in range(26):
        yield f"instruction {number}", ("instruction", number), OWN
    for slot in (255, 256, 257, 272, 273, 400, 508, 510, 511):
        for entry in (0x7, 0x87, 0xa0007, 0x4000000007, 0x3ffffffff007, 0xfffffffffffff, 0xffffffffffffffff):
            yield f"root table slot {slot}: {entry:#x}", ("root", slot, entry), OWN
    yield "addresses of the upper half that the guest does not map", ("addresses",), ALIVE


def rows(image):
    for make in (bells, ports, memory, processor):
        for name, args, end in make():
            yield name, args, end, None
    yield "the hypervisor writes no clock into the image", ("clock-in-image",), OWN, image


def run(args, image, stdin):
    where = ["--image", image] if image else []
    program = "/bin/probe" if image else PROBE
    command = [MONITOR, "--mem", str(32 << 20), "--deadline-ms", str(DEADLINE_MS), "--stages", *where, "--", program,
               *map(str, args)]
    try:
        done = subprocess.run(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=HANG_S, check=False, env={})
    except subprocess.TimeoutExpired:
        return None, "", "does not end"
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def wrong(status, out, err, end):
    """What is wrong with an end; None: nothing."""
    if status is None:
        return "the monitor hangs"
    if "ESCAPED" in out:
        return "got through"
    if not re.search(r"^skerry-vmm: exits \d+, doorbells", err, re.M):
        return f"the monitor itself ended, with {status}"
    if end and not re.search(end, out + err):
        return f"ended otherwise than by {end!r}"
    if end == ALIVE and status != 0:
        return f"survived, and ended with {status}"
    return None


def main():
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        print("1..0 # SKIP /dev/kvm is not there")
        return 0
    failed = 0
    with tempfile.TemporaryDirectory(prefix="skerry-hostile.") as place:
        image = os.path.join(place, "image")
        os.makedirs(os.path.join(place, "root/bin"))
        with open(PROBE, "rb") as file, open(os.path.join(place, "root/bin/probe"), "wb") as copy:
            copy.write(file.read())
        os.chmod(copy.name, 0o755)
        subprocess.run(["mkfs.erofs", image, os.path.join(place, "root")], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        with open(image, "rb") as file:
            before = file.read()
        quiet, _ = os.pipe()  # nothing ever comes, and it has no end
        chosen = [row for row in rows(image) if not sys.argv[1:] or any(word in row[0] for word in sys.argv[1:])]
        print(f"1..{len(chosen) + 1}", flush=True)
        for number, (name, args, end, disk) in enumerate(chosen, 1):
            status, out, err = run(args, disk, quiet)
            problem = wrong(status, out, err, end)
            failed += problem is not None
            print("not ok" if problem else "ok", number, "-", name)
            if problem or os.environ.get("SKERRY_TESTS_VERBOSE") == "1":
                print(f"# {problem}: status {status}")
                for line in (out + err).splitlines()[:12]:
                    print("#   " + line)
            sys.stdout.flush()
        with open(image, "rb") as file:
            same = file.read() == before
        print("ok" if same else "not ok", len(chosen) + 1, "- the image is as it was")
    return 1 if failed or not same else 0


if __name__ == "__main__":
    sys.exit(main())
