#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a command on a pseudo-terminal and prints what it shows; its status is ours.

  on-terminal.py [--type LINE] [--size ROWS COLS] COMMAND...      LINE is typed after the first output
"""
import fcntl
import os
import pty
import struct
import sys
import termios


def main():
    args, line, size = sys.argv[1:], None, (24, 80)
    while args[0].startswith("--"):
        if args[0] == "--type":
            line, args = args[1], args[2:]
        else:
            size, args = (int(args[1]), int(args[2])), args[3:]
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        os.execvp(args[0], args)
    while True:
        try:
            data = os.read(terminal, 4096)
        except OSError:
            break
        if not data:
            break
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
        if line is not None:
            os.write(terminal, line.encode() + b"\n")
            line = None
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 255)


main()
