# SPDX-License-Identifier: Apache-2.0
"""Plays a sandbox's pid 1 for skerry-warm: makes snapshots, restores them, sends requests (include/skerry/abi/warm.h)."""
import array
import fcntl
import os
import shutil
import signal
import socket
import struct
import sys
import tempfile
import time

SRC = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
BUILD = os.environ.get("BUILD", os.path.join(SRC, "build"))
WARM = os.path.join(os.path.abspath(BUILD), "src/warm/skerry-warm")
PLACE = "/mnt/place"  # for files of a test: read by restored programs, so not below /tmp
MAGIC = 0x6D726177
READY, MADE, REFUSED, REQUEST = 1, 2, 3, 4
SEALS = 0xF
ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/"}


class Refused(Exception):
    """No snapshot, with the reason; status is how the process ended."""

    def __init__(self, reason, status=None):
        super().__init__(reason)
        self.status = status


class Process:
    """skerry-warm in one of its roles, with a socket to us as 3 and a snapshot as 4."""

    def __init__(self, role, args, snapshot, env=None, before=None):
        self.near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self._become(role, args, snapshot, far, env or ENV, before)
            finally:
                os._exit(126)
        far.close()

    @staticmethod
    def _become(role, args, snapshot, far, env, before):
        null = os.open("/dev/null", os.O_RDWR)
        kept = [fcntl.fcntl(fd, fcntl.F_DUPFD, 100) for fd in (null, far.fileno(), snapshot)]
        for number, fd in enumerate((kept[0], kept[0], kept[0], kept[1], kept[2])):
            os.dup2(fd, number)
        os.closerange(5, 1024)
        os.umask(0o022)
        os.setpgid(0, 0)
        for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        if before:
            before()
        os.execve(WARM, ["skerry-warm", *args], {**env, "SKERRY_WARM": role})

    def hear(self):
        """(kind, reason) of the next message; kind is None when the process is gone."""
        try:
            message = self.near.recv(4096)
        except ConnectionResetError:
            message = b""
        if not message:
            return None, ""
        magic, kind = struct.unpack_from("=II", message)
        assert magic == MAGIC, message
        return kind, message[8:].split(b"\0")[0].decode(errors="replace")

    def send(self, message, fds):
        self.near.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])

    def request(self, env, fds):
        self.send(request_bytes(env), fds)

    def wait(self):
        """The wait status, as waitpid gives it."""
        status = os.waitpid(self.pid, 0)[1]
        self.near.close()
        return status


def request_bytes(env, count=None):
    """The message of a request; count: what it says of its strings, if that is not so."""
    strings = b"".join(f"{name}={value}".encode() + b"\0" for name, value in env.items())
    return struct.pack("=IIII", MAGIC, REQUEST, len(env) if count is None else count, len(strings)) + strings


def make(args, env=None, before=None):
    """A sealed snapshot of a program at its first read; Refused when there can be none."""
    for entry in os.scandir("/tmp"):  # ours alone (in_private_places)
        shutil.rmtree(entry) if entry.is_dir() else os.unlink(entry)
    snapshot = os.memfd_create("snapshot", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    process = Process("make", args, snapshot, env, before)
    kind, reason = process.hear()
    status = process.wait()
    if kind == MADE:
        assert status == 0, status
        assert fcntl.fcntl(snapshot, 1034) & SEALS == SEALS  # F_GET_SEALS
        return snapshot
    os.close(snapshot)
    if kind == REFUSED:
        raise Refused(reason, status)
    raise Refused(f"it ended before it read its input, by status {status}", status)


class Restored:
    """A program that is brought back and waits for its request."""

    def __init__(self, snapshot, before=None):
        self.process = Process("restore", [], snapshot, before=before)
        kind, reason = self.process.hear()
        if kind != READY:
            raise Refused(reason, self.process.wait())

    def run(self, body=b"", env=None):
        """(wait status, stdout, stderr) of one request."""
        with open_files() as (stdin, out, err):
            os.write(stdin, body)
            os.lseek(stdin, 0, os.SEEK_SET)
            self.process.request(env or {}, (stdin, out, err))
            status = self.process.wait()
            return status, read_all(out), read_all(err)


class open_files:
    """Three nameless files."""

    def __enter__(self):
        self.fds = [os.memfd_create("stream", os.MFD_CLOEXEC) for _ in range(3)]
        return self.fds

    def __exit__(self, *_):
        for fd in self.fds:
            os.close(fd)


def read_all(fd):
    return os.pread(fd, os.fstat(fd).st_size, 0)


def in_private_places():
    """Goes on where /tmp and the processes are the caller's own, as in a sandbox. What may lie below /tmp is seen
    below /mnt."""
    if os.environ.get("WARM_PRIVATE") == "1":
        return
    build = os.path.abspath(BUILD)
    place = tempfile.mkdtemp(prefix="warm-place.", dir=build)
    script = """mount -t tmpfs tmpfs /mnt && mkdir /mnt/src /mnt/build /mnt/place && mount --bind "$1" /mnt/src &&
                mount --bind "$2" /mnt/build && mount --bind "$3" /mnt/place &&
                mount -t tmpfs tmpfs /tmp && place=$3 && shift 3 && cd / && "$@"; status=$?; umount /mnt/place; rm -r "/mnt/build/${place##*/}"; exit $status"""
    os.environ.update(WARM_PRIVATE="1", BUILD="/mnt/build", SRC="/mnt/src")
    script_path = os.path.join("/mnt/src", os.path.relpath(os.path.realpath(sys.argv[0]), SRC))
    os.execvp("unshare", ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", script,
                          "sh", SRC, build, place, sys.executable, script_path, *sys.argv[1:]])


def now_us():
    return time.monotonic_ns() / 1000
