# SPDX-License-Identifier: Apache-2.0
"""Plays a sandbox's first process to a warm skerry-vmm (include/skerry/abi/warm.h), for tests and benchmarks."""
import atexit
import fcntl
import os
import signal
import socket
import struct
import time

MAGIC = 0x6d726177
READY, MADE, REFUSED, REQUEST, DONE = 1, 2, 3, 4, 5
WARM_FD, SNAPSHOT_FD, SEALS = 3, 4, 0xf
F_ADD_SEALS, F_GET_SEALS = 1033, 1034
STAGES = ("mapped", "entered", "program", "first_byte", "end")
LIMIT_S = 120


running = set()


@atexit.register
def end_all():
    """Whose guests would run on after a failed test."""
    for pid in running:
        os.kill(pid, signal.SIGKILL)


class Done:
    """What WARM_DONE said."""
    def __init__(self, data):
        _, _, status, self.oom = struct.unpack_from("=IIiI", data)
        rest = struct.unpack_from("=8Q", data, 16)
        self.stages = dict(zip(STAGES, rest[:5]))
        self.reset_ns, self.user_us, self.system_us = rest[5:]
        self.status = os.waitstatus_to_exitcode(status)


class Monitor:
    """One warm monitor. args: its command line behind the program; snapshot: a memfd for make and restore."""
    def __init__(self, vmm, role, args, snapshot=None, env=None, stderr=None):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(LIMIT_S)
        self.sock, self.begun_ns = ours, time.monotonic_ns()
        environment = {"PATH": "/usr/bin:/bin", **(env or {}), "SKERRY_WARM": role}
        fds = [theirs.fileno()] + ([snapshot] if snapshot is not None else [])
        self.process = self._spawn([vmm, *args], environment, fds, stderr)
        running.add(self.process)
        theirs.close()

    @staticmethod
    def _spawn(command, environment, fds, stderr):
        # Descriptors with fixed numbers: away from them first, then to them.
        null = os.open("/dev/null", os.O_RDWR)
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 100) for fd in fds]
        actions = [(os.POSIX_SPAWN_DUP2, null, fd) for fd in ((0, 1, 2) if stderr is None else (0, 1))]
        if stderr is not None:
            actions.append((os.POSIX_SPAWN_DUP2, stderr, 2))
        actions += [(os.POSIX_SPAWN_DUP2, fd, WARM_FD + n) for n, fd in enumerate(high)]
        pid = os.posix_spawn(command[0], command, environment, file_actions=actions)
        for fd in [null, *high]:
            os.close(fd)
        return pid

    def take(self):
        """(kind, data) of the next message; (None, b"") when it is gone."""
        try:
            data = self.sock.recv(4096)
        except ConnectionResetError:
            data = b""
        if not data:
            return None, b""
        magic, kind = struct.unpack_from("=II", data)
        assert magic == MAGIC, data
        return kind, data

    def expect(self, kind):
        got, data = self.take()
        assert got == kind, f"message {got} instead of {kind}: {data!r}"
        return data

    def send(self, fds, env=None):
        block = b"".join(f"{k}={v}".encode() + b"\0" for k, v in (env or {}).items())
        head = struct.pack("=IIII", MAGIC, REQUEST, len(env or {}), len(block))
        socket.send_fds(self.sock, [head + block], fds)

    def request(self, body=b"", env=None):
        """Runs one request: (Done, output, errors). The monitor must have said READY. Bodies larger than a pipe need a
        thread, and are not for this."""
        fds = [os.memfd_create(name) for name in ("in", "out", "err")]
        if len(body) <= 65536:
            os.close(fds[0])
            fds[0], end = os.pipe()
            os.write(end, body)
            os.close(end)
        self.send(fds, env)
        done = Done(self.expect(DONE))
        texts = [os.pread(fd, 1 << 24, 0) for fd in fds[1:]]
        for fd in fds:
            os.close(fd)
        return done, *texts

    def end(self):
        """Closes our end; returns how it ended."""
        self.sock.close()
        return self.wait()

    def wait(self):
        running.discard(self.process)
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])


def make(vmm, args, env=None):
    """(memfd, None) with a sealed snapshot, or (None, why not)."""
    memfd = os.memfd_create("snapshot", os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
    monitor = Monitor(vmm, "make", args, memfd, env)
    kind, data = monitor.take()
    status = monitor.end()
    if kind == MADE and status == 0:
        return memfd, None
    os.close(memfd)
    if kind == REFUSED:
        return None, data[8:].split(b"\0", 1)[0].decode()
    return None, f"message {kind}, status {status}"
