# SPDX-License-Identifier: Apache-2.0
"""Runs attacks as programs of virtual machines: `skerry run --tier vm`.

The program is ordinary, so what it meets is the guest kernel; what a program does that takes its kernel over is in
tests/vm/attack.c and tests/vm/probe.c. Every attack runs but for those below, each with its reason.
"""
import os

import attacks
import runs

GATEWAY = "the gateway is attacked by what a program prints, whatever runs it: see attacks-daemon.t"
HANDLER = "there is no notify handler: the tier makes no sockets but pairs, in the guest's memory"
NOT_RUN = {
    "exec-again": "there is no exec in a machine, nor a filter to be undone",
    "kernel-leaks": "what /proc tells of the kernel is told of the guest's own, made up in the machine",
    "notify-exhaust": HANDLER,
    "notify-interrupted": HANDLER,
    "notify-storm": HANDLER,
    "print-environment": GATEWAY,
    "response-splitting": GATEWAY,
    "setuid-files": "it looks at what exec raises, and there is no exec in a machine",
    "stderr-flood": GATEWAY,
    "suid-left-behind": "it needs --bind, which the tier refuses (vm.bats)",
}
# How their programs end here, where it differs: memory that runs out in the guest is told to the program, and the standard
# streams are rings, never a terminal.
ENDS = {
    "memory-hoard": "stopped",
    "pipe-flood": "stopped",
    "tty-discipline": "exit 2",
    "tty-inject": "exit 2",
    "unix-flood": "stopped",
}


def applies(attack):
    """All but those on how our own services confine themselves, which no tier has to do with."""
    return attack.runs != ["service"]


class Vm(runs.Run):
    """One machine an attack."""

    def __init__(self, host, skerry):
        super().__init__(host, "vm", skerry)

    def _options(self, attack, program):
        options = ["--tier", "vm", "--closure"]
        if "--timeout" not in attack.flags:
            options += ["--timeout", "120s"]
        return options, program


def load(source, build):
    """The attacks as they are expected to end here."""
    found = [attack for attack in attacks.load(source, build) if applies(attack)]
    for attack in found:
        attack.expect = ENDS.get(attack.name, attack.expect)
        attack.residual = []
    assert set(NOT_RUN) | set(ENDS) <= {os.path.basename(attack.program)[len("attack-"):] for attack in found}
    return found
