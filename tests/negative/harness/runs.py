# SPDX-License-Identifier: Apache-2.0
"""The ways in which an attack is run, and what its end says.

A run returns an End. judge() turns it into None (stopped, as expected) or a sentence on what is
wrong. Nothing here is judged by how long it took; time limits only end what hangs.
"""
import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import tempfile
import time

from host import BAIT, USER

HANG_S = 240


class End:
    def __init__(self, code, text):
        self.code, self.text = code, text

    @property
    def escaped(self):
        return "ESCAPED" in self.text


def judge(attack, end):
    """What is wrong with how a sandboxed attack ended; None: nothing."""
    if end.escaped:
        return "got through"
    ends = {"stopped": 1, "oom": 137, "timeout": 124, "refused": 125}
    expected = ends[attack.expect] if attack.expect in ends else int(attack.expect.split()[1])
    if end.code != expected:
        return f"ended with {end.code}, expected {expected} ({attack.expect})"
    if attack.expect == "stopped" and "stopped: " not in end.text:
        return "says nothing of what stopped it"
    if attack.expect in ("oom", "timeout", "refused") and "skerry: " not in end.text:
        return "skerry does not say why"
    return None


# --- processes ---

def pass_descriptors(host):
    """Descriptors 9 and 250, which a sandbox must not inherit."""
    for number in (9, 250):
        fd = os.open(host.file, os.O_RDONLY)
        os.dup2(fd, number, inheritable=True)
        if fd != number:
            os.close(fd)


def become(uid):
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)


class Process:
    """A program with its output in a file, so that whatever keeps a pipe open holds nobody up."""

    def __init__(self, host, attack, command, env, uid=None, role=None):
        self.output = tempfile.TemporaryFile(dir=host.work)
        needs = attack.needs if role is None else []
        stdin, stdout, stderr = subprocess.DEVNULL, self.output, self.output
        self.pumps = []
        if "stdin-file" in needs:
            stdin = os.open(self._own_file(host, "stdin", env, uid), os.O_RDONLY)
        elif "stdin-directory" in needs:
            stdin = os.open("/", os.O_RDONLY)
        elif "stdio-pipes" in needs:
            stdin, ends = os.pipe()
            os.close(ends)
            out_read, stdout = os.pipe()
            err_read, stderr = os.pipe()
            self.pumps = [out_read, err_read]
        if "stdout-file" in needs:
            name = self._own_file(host, "stdout", env, uid)
            self.output.close()
            self.output = open(name, "rb")  # pylint: disable=consider-using-with
            stdout = stderr = os.open(name, os.O_WRONLY | os.O_APPEND)

        def prepare():
            if "open-fds" in needs:
                pass_descriptors(host)
            if uid is not None:
                become(uid)
        self.child = subprocess.Popen(
            command, stdin=stdin, stdout=stdout, stderr=stderr, env=env, preexec_fn=prepare,
            close_fds="open-fds" not in needs, cwd="/", start_new_session=True)
        host.running.append(self)
        for fd in {stdin, stdout, stderr}:
            if isinstance(fd, int) and fd > 2:
                os.close(fd)

    @staticmethod
    def _own_file(host, name, env, uid):
        """A bait that belongs to who runs the program."""
        path = host.copy(host.file, f"{name}-{uid}")
        os.chmod(path, 0o644)
        owner = USER if uid is None and "ATTACK_CONTROL" in env else uid
        if owner is not None:
            os.chown(path, owner, owner)
        return path

    def text(self):
        while self.pumps:
            ready, _, _ = select.select(self.pumps, [], [], 0)
            if not ready:
                break
            for fd in ready:
                data = os.read(fd, 65536)
                if not data:
                    os.close(fd)
                    self.pumps.remove(fd)
                os.pwrite(self.output.fileno(), data, os.fstat(self.output.fileno()).st_size)
        # pread: the position is shared with the programs that write there
        size = os.fstat(self.output.fileno()).st_size
        return os.pread(self.output.fileno(), size, 0).decode(errors="replace")

    def wait_for(self, word):
        """Until the output holds the word or the program has ended. True: it is there."""
        deadline = time.monotonic() + HANG_S
        while time.monotonic() < deadline:
            ended = self.child.poll() is not None
            if word in self.text():
                return True
            if ended:
                return False
            time.sleep(0.01)
        return False

    def wait(self):
        """The end; of what hangs, an end that nothing expects."""
        try:
            code = self.child.wait(HANG_S)
            code = code if code >= 0 else 128 - code
        except subprocess.TimeoutExpired:
            self.kill()
            code = -1
        text = self.text()
        self.output.close()
        for fd in self.pumps:
            os.close(fd)
        return End(code, text)

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()


def on_terminal(command, env, uid):
    """The program with a new pseudo-terminal as its controlling terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        try:
            if uid is not None:
                os.fchown(0, uid, uid)
                become(uid)
            os.execvpe(command[0], command, env)
        finally:
            os._exit(120)
    text, pidfd = b"", os.pidfd_open(pid)
    while True:
        # its end, too: a terminal whose line discipline was changed need not tell of its hangup
        ready, _, _ = select.select([terminal, pidfd], [], [], HANG_S)
        try:
            data = os.read(terminal, 65536) if terminal in ready else b""
        except OSError:
            data = b""
        if not data:
            break
        text += data
    os.close(pidfd)
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return End(code if code >= 0 else 128 - code, text.decode(errors="replace"))


# --- without a sandbox ---

# Mounts of its own in any case, so that what an attack leaves in /tmp is gone with it.
PRIVATE = ("mount -t tmpfs none /tmp && { [ ! -d /dev/shm ] || mount -t tmpfs none /dev/shm; } && "
           "exec \"$@\"")


class Control:
    """Runs attacks where they must get through."""

    name = "control"

    def __init__(self, host):
        self.host = host

    def command(self, attack, program, shared=False):
        user = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
        command = [program]
        if attack.control == "user":
            command = user + command
        if shared:
            return command
        own = ["unshare", "--mount", "--propagation", "private"]
        if attack.control == "unshare":
            own += ["--pid", "--fork", "--mount-proc", "--uts", "--ipc", "--net", "--cgroup",
                    "--kill-child"]
        return [*own, "sh", "-c", PRIVATE, "sh", *command]

    def environment(self, attack, **more):
        env = dict(os.environ, ATTACK_CONTROL="1", SKERRY_SECRET="the daemon's own")
        env.pop("QUERY_STRING", None)
        return {**env, **self.host.environment(attack), **more}

    def start(self, attack, shared=False, role=None):
        program = self.host.copy(attack.program)
        if "setuid-rootfs" in attack.needs:
            self.host.setuid_files(program, self.host.setuid_dir)
        env = self.environment(attack, **({"ROLE": role} if role else {}))
        if "bind" in attack.needs:
            folder = os.path.join(self.host.work, "shared")
            os.makedirs(folder, exist_ok=True)
            os.chmod(folder, 0o777)
            env["BAIT_SHARED"] = folder
        command = self.command(attack, program, shared)
        return Process(self.host, attack, command, env, role=role)

    def run(self, attack):
        if "pty" in attack.needs:
            program = self.host.copy(attack.program)
            return on_terminal(self.command(attack, program), self.environment(attack), None)
        process = self.start(attack)
        end = process.wait()
        process.kill()  # what it forked; of a sandbox nothing may be left by itself
        return end


class Service(Control):
    """An attack that confines itself, as our services do: run as the supervisor starts those."""

    name = "service"

    def command(self, attack, program, shared=False):
        return [program]

    def environment(self, attack, **more):
        env = super().environment(attack, **more)
        del env["ATTACK_CONTROL"]
        return env


# --- `skerry run` ---

class Run:
    """Runs attacks by `skerry run`, in one of the variants."""

    def __init__(self, host, variant, skerry):
        self.host, self.name, self.skerry = host, variant, skerry
        self.uid = USER if variant == "rootless" and os.geteuid() == 0 else None
        self.home = os.path.join(host.work, "home")
        os.makedirs(self.home, exist_ok=True)
        if self.uid is not None:
            os.chown(self.home, self.uid, self.uid)

    def _options(self, attack, program):
        """How the program is shown differs, since what else the sandbox sees differs with it."""
        options = ["--net", "none" if self.name == "none" else "own"]
        if "--timeout" not in attack.flags:
            options += ["--timeout", "120s"]
        if self.name == "uid0":
            options += ["--user", "0:0"]
        if "setuid-rootfs" in attack.needs:
            root = os.path.join(self.host.work, f"root-{self.name}")
            os.makedirs(root, exist_ok=True)
            self.host.copy(program, os.path.join(root, "attack"))
            self.host.setuid_files(program, root)
            return options + ["--rootfs", root, "--env", "BAIT_SETUID_DIR="], "/attack"
        if "bind" in attack.needs:
            folder = os.path.join(self.host.work, f"shared-{self.name}")
            os.makedirs(folder, exist_ok=True)
            os.chmod(folder, 0o777)
            options += ["--bind", f"{folder}:/shared", "--env", "BAIT_SHARED=/shared"]
        if self.name in ("own", "uid0"):
            options.append("--closure")
        return options, program

    def command(self, attack, role=None):
        options, program = self._options(attack, self.host.copy(attack.program))
        given = {f"--env={key}={value}" for key, value in self.host.environment(attack, "--closure" in options).items()
                 if f"{key}=" not in " ".join(options)}
        if role:
            given.add(f"--env=ROLE={role}")
        after = ["--after-net"] if self.name == "after" else []
        return [self.skerry, "run", *sorted(given), *attack.flags, *options, program, *after]

    def environment(self):
        return {"PATH": os.environ["PATH"], "HOME": self.home, "TMPDIR": self.home,
                "SKERRY_SECRET": "the caller's own", "LC_ALL": "C.UTF-8"}

    def start(self, attack, role=None):
        return Process(self.host, attack, self.command(attack, role), self.environment(), self.uid,
                       role)

    def run(self, attack):
        if "pty" in attack.needs:
            return on_terminal(self.command(attack), self.environment(), self.uid)
        return self.start(attack).wait()
