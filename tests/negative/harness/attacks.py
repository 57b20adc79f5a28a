# SPDX-License-Identifier: Apache-2.0
"""What the comment at the top of each attack says to the suite.

  Kind:     single (default), aftermath, keeper-kill, pair, sequence, exhaust, flood, service,
            headers, splitting, log: what is done with it (runs.py)
  Control:  root, user, unshare: where it is seen to succeed without a sandbox; or none (REASON)
  Runs:     the variants it makes sense in; default: all but "service", which is no sandbox of
            functions but how our own services confine themselves
  Needs:    what the host side must prepare (host.py, runs.py)
  Flags:    options of `skerry run` and `skerry deploy`
  Expect:   how its program ends in a sandbox: stopped (default: it says what stopped it and exits 1),
            oom, timeout, refused, "exit N"
  Answer:   the HTTP status of the same through the daemon; default 500
  Residual: variants in which it gets through, as docs/threat-model.md says under its name
"""
import glob
import os
import re

VARIANTS = ("none", "own", "after", "uid0", "rootless", "daemon", "service")
KEYS = ("Kind", "Probe", "Control", "Needs", "Runs", "Flags", "Expect", "Answer", "Residual")


class Attack:
    def __init__(self, path, build):
        with open(path, encoding="utf-8") as file:
            comment = file.read().split("*/", 2)[1]
        said = {key: value.strip() for key, value in re.findall(r"^ \* ([A-Z][a-z]+): (.*)$", comment, re.M)}
        self.name = os.path.basename(os.path.dirname(path))
        self.program = os.path.join(build, "tests/negative", f"attack-{self.name}")
        self.kind = said.get("Kind", "single")
        self.probe = said.get("Probe", "")
        self.control, _, reason = said["Control"].partition(" ")
        self.reason = reason.strip("()")
        self.needs = said.get("Needs", "").split()
        self.runs = said.get("Runs", " ".join(VARIANTS[:-1])).split()
        self.flags = said.get("Flags", "").split()
        self.expect = said.get("Expect", "stopped")
        self.answer = int(said.get("Answer", "500"))
        self.residual = said.get("Residual", "").split()
        unknown = set(self.runs + self.residual) - set(VARIANTS)
        if unknown or self.control not in ("root", "user", "unshare", "none"):
            raise ValueError(f"{path}: {unknown or self.control}")
        if self.control == "none" and not self.reason:
            raise ValueError(f"{path}: no control and no reason")

    def flag(self, name, otherwise=None):
        """The value of an option among the flags, sizes in bytes."""
        if name not in self.flags:
            return otherwise
        text = self.flags[self.flags.index(name) + 1]
        units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
        return int(text[:-1]) * units[text[-1]] if text[-1] in units else text


def load(source, build):
    paths = sorted(glob.glob(os.path.join(source, "tests/negative/*/attack.c")))
    return [Attack(path, build) for path in paths if "/harness/" not in path]
