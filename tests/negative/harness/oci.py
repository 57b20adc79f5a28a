# SPDX-License-Identifier: Apache-2.0
"""Runs attacks as the program of a container of the OCI runtime, confined as podman does by default.

The configuration is podman's for root without options: eleven capabilities, its seccomp profile as it is
installed, its masked and read-only paths, every namespace but the user's. The root file system is
read-only and holds the attack alone, so that what it reaches else is the host's.
"""
import json
import os
import shutil
import subprocess

from runs import Process

PROFILE = "/usr/share/containers/seccomp.json"
CAPS = ["CAP_" + name for name in ("CHOWN DAC_OVERRIDE FOWNER FSETID KILL NET_BIND_SERVICE SETFCAP SETGID SETPCAP "
                                   "SETUID SYS_CHROOT").split()]
MASKED = ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
          "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/fs/selinux", "/sys/dev/block"]
READONLY = ["/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
# What is prepared for other variants alone, or is about our own keeper and not about a runtime.
KINDS = ("single", "pair")
NEEDS = {"open-fds", "sibling-pid", "victim", "secret-environment"}
NOT_OURS = ("keeper-pidfd", "notify-", "proc-full")
# What that configuration allows, with any runtime: our own jail stops these. They must be seen to get through, so
# that a stricter default does not go unnoticed here.
GRANTED = {
    "become-root": "root is root, with the capabilities to change uids and owners",
    "chroot": "CAP_SYS_CHROOT is held",
    "clone-namespaces": "the profile allows new user namespaces",
    "core-dump": "core limits are the caller's",
    "devices": "terminals can be made",
    "foreign-abi": "the profile has rules for 32-bit calls, too",
    "hardware-ports": "the profile allows modify_ldt",
    "host-admin": "the profile allows pidfd_open and more that checks its arguments",
    "host-paths": "mountinfo names the root file system's path on the host",
    "initial-namespaces": "there is no user namespace",
    "kernel-leaks": "proc shows what it shows to root",
    "keyrings": "the profile allows keyctl",
    "limits-raise": "limits that are not configured are the caller's",
    "memory-tricks": "the profile allows memfd_secret and huge pages",
    "peer-inotify": "sysfs is the host's",
    "prctl": "capabilities are held",
    "seccomp-undo": "the profile allows more filters and user namespaces",
    "sock-families": "the profile allows most families of sockets",
    "sock-netlink": "the profile allows netlink",
    "sock-protocols": "the profile allows every protocol",
    "sock-vsock": "the profile allows vsock",
    "syscall-surface": "the profile is longer than ours",
    "traceme": "the runtime is the parent of the first process",
    "unshare": "the profile allows new user namespaces",
    "userns-nested": "the profile allows new user namespaces",
    "write-kernel-files": "/proc/pressure can be written by root",
    "write-root": "/dev is a file system that can be written to",
}


def applies(attack):
    """Whether an attack makes sense against a container that somebody else configured."""
    return (attack.kind in KINDS and set(attack.needs) <= NEEDS and "own" in attack.runs and
            not attack.name.startswith(NOT_OURS))


def seccomp():
    """The installed profile as the runtime specification has it: what depends on capabilities decided."""
    with open(PROFILE, encoding="utf-8") as file:
        profile = json.load(file)
    rules = []
    for rule in profile["syscalls"]:
        includes, excludes = rule.get("includes") or {}, rule.get("excludes") or {}
        if (not set(includes.get("caps") or []) <= set(CAPS) or set(excludes.get("caps") or []) & set(CAPS) or
                (includes.get("arches") and "amd64" not in includes["arches"]) or "amd64" in (excludes.get("arches") or [])):
            continue
        kept = {"names": rule["names"], "action": rule["action"]}
        if rule.get("args"):
            kept["args"] = [{key: value for key, value in argument.items() if value is not None}
                            for argument in rule["args"]]
        if rule.get("errnoRet") is not None:
            kept["errnoRet"] = rule["errnoRet"]
        rules.append(kept)
    return {"defaultAction": profile["defaultAction"], "defaultErrnoRet": profile.get("defaultErrnoRet", 1),
            "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"], "syscalls": rules}


def config(name, env):
    mounts = [("/proc", "proc", ["nosuid", "noexec", "nodev"]),
              ("/dev", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
              ("/dev/pts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]),
              ("/dev/shm", "tmpfs", ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
              ("/dev/mqueue", "mqueue", ["nosuid", "noexec", "nodev"]),
              ("/sys", "sysfs", ["nosuid", "noexec", "nodev", "ro"]),
              ("/sys/fs/cgroup", "cgroup", ["nosuid", "noexec", "nodev", "relatime", "ro"]),
              ("/tmp", "tmpfs", ["nosuid", "nodev", "mode=1777"])]
    return {
        "ociVersion": "1.0.2", "hostname": "container", "root": {"path": "rootfs", "readonly": True},
        "process": {"user": {"uid": 0, "gid": 0}, "args": ["/attack"], "cwd": "/", "env": env,
                    "noNewPrivileges": True,
                    "capabilities": {"bounding": CAPS, "effective": CAPS, "permitted": CAPS},
                    "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 1024}]},
        "mounts": [{"destination": at, "type": kind, "source": kind, "options": options} for at, kind, options in mounts],
        "linux": {"cgroupsPath": f"/{name}", "maskedPaths": MASKED, "readonlyPaths": READONLY,
                  "namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount", "cgroup")],
                  "resources": {"devices": [{"allow": False, "access": "rwm"}], "pids": {"limit": 256}},
                  "seccomp": seccomp()}}


class Oci:
    """Containers of a runtime; each attack has a bundle of its own."""

    name = "oci"

    def __init__(self, host, runtime):
        self.host, self.runtime, self.count = host, runtime, 0
        self.state = os.path.join(host.work, "state")

    def start(self, attack, role=None):
        self.count += 1
        name = f"ocitest-attack-{os.getpid()}-{self.count}"
        bundle = os.path.join(self.host.work, f"bundle-{self.count}")
        os.makedirs(os.path.join(bundle, "rootfs"))
        for folder in ("proc", "dev", "sys", "tmp"):
            os.mkdir(os.path.join(bundle, "rootfs", folder))
        shutil.copy(attack.program, os.path.join(bundle, "rootfs/attack"))
        env = dict(self.host.environment(attack), PATH="/", **({"ROLE": role} if role else {}))
        with open(os.path.join(bundle, "config.json"), "w", encoding="utf-8") as file:
            json.dump(config(name, [f"{key}={value}" for key, value in env.items()]), file)
        outside = {"PATH": os.environ["PATH"], "SKERRY_SECRET": "the caller's own"}
        return Process(self.host, attack, [self.runtime, "--root", self.state, "run", "--bundle", bundle, name], outside,
                       role=role)

    def run(self, attack):
        return self.start(attack).wait()

    def close(self):
        """What is wrong after all of them: nothing may be left. Takes away what is."""
        left = [name for name in os.listdir(self.state) if not name.startswith("~")] if os.path.isdir(self.state) else []
        for name in left:
            subprocess.run([self.runtime, "--root", self.state, "delete", "--force", name], check=False)
        return f"containers are left: {left}" if left else None
