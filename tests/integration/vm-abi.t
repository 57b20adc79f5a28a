#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Differential tests of the guest kernel: each case of tests/vm/cases runs on this Linux and in a guest, and what they
print and how they end must be equal.

  BUILD=... SRC=... tests/integration/vm-abi.t [--hosted] [CASE...]

--hosted runs the guest kernel as an ordinary process (guest/host) and needs no KVM.
"""
import difflib
import os
import subprocess
import sys
import tempfile

BUILD = os.environ["BUILD"]
CASES = os.path.join(BUILD, "tests/vm/abi-cases")
HOSTED = [os.path.join(BUILD, "guest/host/guest-hosted"), "--cwd", "/dev/shm", CASES]
IN_VM = [os.path.join(BUILD, "src/vm/skerry-vmm"), "--mem", str(256 << 20), "--cwd", "/dev/shm", "--", CASES]
ENV = {"PATH": "/usr/bin:/bin", "LANG": "C"}
LIMIT_S = 60


def run(command, cwd):
    """(status, output): a program that a signal ended has the status -signal, as the shell's 128 + signal has."""
    try:
        # A session of its own, as a guest's program has: the caller's may be of a pid namespace that is not seen here.
        done = subprocess.run(command, cwd=cwd, env=ENV, input=b"", stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=LIMIT_S, check=False, start_new_session=True)
    except subprocess.TimeoutExpired as late:
        return "no end", (late.stdout or b"").decode(errors="replace")
    status = done.returncode if done.returncode >= 0 else 128 - done.returncode
    return status, done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")


def on_host(name):
    with tempfile.TemporaryDirectory(prefix="skerry-abi.", dir="/dev/shm") as place:
        user = ""
        if name.startswith("user_"):
            os.chown(place, 1000, 1000)
            user = "setpriv --reuid 1000 --regid 1000 --clear-groups "
        command = f'ulimit -n 1024 -c 0; umask 022; exec {user}"{CASES}" {name}'
        return run(["/bin/bash", "-c", command], place)


def in_guest(guest, name):
    user = ["--user", "1000:1000"] if name.startswith("user_") else []
    return guest[:1] + user + guest[1:] + [name]


def main():
    names = sys.argv[1:]
    guest = HOSTED if "--hosted" in names else IN_VM
    names = [name for name in names if not name.startswith("--")]
    if guest is IN_VM and not os.access("/dev/kvm", os.R_OK | os.W_OK):
        print("1..0 # SKIP /dev/kvm is not there")
        return 0
    if not names:
        listed = subprocess.run([CASES], stdout=subprocess.PIPE, check=True).stdout.decode().split()
        names = sorted(listed)
    if guest is HOSTED:  # which is one user: the one who runs it
        names = [name for name in names if not name.startswith("user_")]
    print(f"1..{len(names)}", flush=True)
    failed = 0
    for number, name in enumerate(names, 1):
        want, got = on_host(name), run(in_guest(guest, name), "/")
        if want == got:
            print(f"ok {number} - {name}", flush=True)
            continue
        failed += 1
        print(f"not ok {number} - {name}")
        if want[0] != got[0]:
            print(f"# ended with {got[0]} instead of {want[0]}")
        for line in difflib.unified_diff(want[1].splitlines(), got[1].splitlines(), "linux", "guest", lineterm="", n=0):
            print("# " + line)
        sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
