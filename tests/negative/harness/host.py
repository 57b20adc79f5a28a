# SPDX-License-Identifier: Apache-2.0
"""The host's side of the attacks: what there is to be reached, stolen or disturbed.

Everything here answers with BAIT, so an attack that got through can prove it.
"""
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
import tempfile
import threading

BAIT = b"SKERRY-BAIT: what a sandbox must not see\n"
USER = 54321  # an unprivileged user without a name, for controls and rootless runs


class Host:
    def __init__(self, build, state_hint):
        self.work = tempfile.mkdtemp(prefix="skn.", dir="/var/tmp")
        os.chmod(self.work, 0o755)
        self.programs = tempfile.mkdtemp(prefix="skp.", dir="/var/tmp")
        os.chmod(self.programs, 0o755)
        self.token = secrets.token_hex(4)
        self.file = self._write("bait", BAIT, 0o644)
        self.mark = "sk" + self.token
        self.abstract = f"skerry-bait-{self.token}"
        self.stop = False
        self.running = []  # every process that was started, for the case that the suite fails
        self.sockets = []
        self.port = self._listen_tcp()
        self._listen_udp()
        self.socket = os.path.join(self.work, "socket")
        self._listen_unix(socket.SOCK_STREAM, f"\0{self.abstract}-stream")
        self._listen_unix(socket.SOCK_SEQPACKET, f"\0{self.abstract}-seqpacket")
        self._listen_unix(socket.SOCK_STREAM, self.socket)
        os.chmod(self.socket, 0o777)
        datagram = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        datagram.bind(f"\0{self.abstract}-datagram")
        self.sockets.append(datagram)
        self.victims = [subprocess.Popen(["sleep", "100000"], user=uid, group=uid, extra_groups=[])
                        for uid in ((0, USER) if os.geteuid() == 0 else (os.geteuid(),))]
        self.setuid_dir = os.path.join(self.work, "setuid")
        self.hints = [os.path.basename(self.work), os.path.realpath(build), state_hint]

    def _write(self, name, data, mode):
        path = os.path.join(self.work, name)
        with open(path, "wb") as file:
            file.write(data)
        os.chmod(path, mode)
        return path

    # --- services ---

    def _serve(self, listener):
        def loop():
            while not self.stop:
                try:
                    peer, _ = listener.accept()
                    peer.sendall(BAIT)
                    peer.shutdown(socket.SHUT_WR)
                    peer.close()
                except OSError:
                    if self.stop:
                        return
        self.sockets.append(listener)
        threading.Thread(target=loop, daemon=True).start()

    def _listen_tcp(self):
        listener = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True,
                                        backlog=256)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)
        self._serve(listener)
        return listener.getsockname()[1]

    def _listen_udp(self):
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(("::", self.port))
        self.sockets.append(sock)

        def loop():
            while not self.stop:
                try:
                    _, peer = sock.recvfrom(64)
                    sock.sendto(BAIT, peer)
                except OSError:
                    if self.stop:
                        return
        threading.Thread(target=loop, daemon=True).start()

    def _listen_unix(self, kind, name):
        listener = socket.socket(socket.AF_UNIX, kind)
        listener.bind(name)
        listener.listen(64)
        self._serve(listener)

    # --- files ---

    def copy(self, program, name=None):
        """The program at a place that every user can read, so that controls may even harm it."""
        path = os.path.join(self.programs, name or os.path.basename(program))
        if os.path.exists(path):
            here, there = os.stat(path), os.stat(program)
            if (here.st_size, here.st_mtime_ns) == (there.st_size, there.st_mtime_ns):
                return path
            os.unlink(path)  # it may still be running
        shutil.copy2(program, path)
        os.chmod(path, 0o755)
        return path

    def setuid_files(self, program, folder):
        os.makedirs(folder, exist_ok=True)
        for name, mode in (("setuid", 0o4755), ("setgid", 0o2755), ("filecap", 0o755)):
            path = os.path.join(folder, name)
            shutil.copy(program, path)
            os.chmod(path, mode)
        try:
            # cap_sys_admin and cap_setuid, effective: struct vfs_cap_data, version 2
            caps = (1 << 21 | 1 << 7).to_bytes(4, "little")
            os.setxattr(os.path.join(folder, "filecap"), "security.capability",
                        b"\x01\x00\x00\x02" + caps + b"\0" * 12)
        except OSError:
            pass

    def environment(self, attack, keeps_path=False):
        """keeps_path: the program has the path in the sandbox that it has here, which is said."""
        victim = self.victims[-1].pid
        with open("/proc/sys/kernel/hostname", encoding="ascii") as file:
            name = file.read().strip()
        values = {
            "FILE": self.file, "MARK": self.mark, "PORT": self.port, "ABSTRACT": self.abstract,
            "SOCKET": self.socket, "PID": victim, "SIBLING": victim, "HOSTNAME": name,
            "HINTS": ",".join(self.hints + ([] if keeps_path else [os.path.basename(self.programs)])), "ADDRESSES": ",".join(self._addresses()),
            "SETUID_DIR": self.setuid_dir, "MEM": attack.flag("--mem", 128 << 20),
            "TMP": attack.flag("--tmp", 64 << 20), "PIDS": attack.flag("--pids", 64),
            "FILES": attack.flag("--files", 1024),
        }
        for kind in ("net", "mnt", "pid", "user", "uts", "ipc", "cgroup"):
            values[f"NS_{kind}"] = os.stat(f"/proc/self/ns/{kind}").st_ino
        try:
            with open("/etc/machine-id", encoding="ascii") as file:
                values["MACHINE_ID"] = file.read().strip()
        except OSError:
            pass
        return {f"BAIT_{key}": str(value) for key, value in values.items()}

    @staticmethod
    def _addresses():
        """The addresses of this machine, as far as a datagram socket can tell without asking anybody."""
        found = set()
        for family, far in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                try:
                    sock.connect((far, 9))
                    found.add(sock.getsockname()[0])
                except OSError:
                    pass
        return sorted(found)

    # --- who is left ---

    def marked(self):
        """The processes that bear the mark, wherever they are."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
                    comm = file.read().strip()
                with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                    state = file.read().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if comm == self.mark and state not in "ZX":
                found.append(int(pid))
        return found

    def kill_marked(self):
        """Again until none is found: what forks meanwhile is not in one look at all processes."""
        for _ in range(200):
            alive = list(self.marked())
            for pid in alive:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            if not alive:
                return
            time.sleep(0.01)

    def close(self):
        self.stop = True
        self.kill_marked()
        for process in self.running:
            if process.child.poll() is None:
                process.kill()
        for sock in self.sockets:
            sock.close()
        for victim in self.victims:
            victim.kill()
            victim.wait()
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.rmtree(self.programs, ignore_errors=True)
