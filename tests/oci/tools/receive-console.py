#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Receives the terminal that a runtime sends to --console-socket, as conmon and containerd do.

  receive-console.py SOCKET RESULT [MARK=TEXT...]

Writes to RESULT what the terminal shows until it hangs up, preceded by a line "size ROWS COLS" and
the name that came with it. Each TEXT is typed once its MARK was shown.
"""
import array
import fcntl
import os
import socket
import struct
import sys
import termios


def main():
    path, result = sys.argv[1:3]
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    os.chmod(path, 0o666)
    listener.listen(1)
    connection, _ = listener.accept()
    name, control, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(16))
    fds = array.array("i")
    for level, kind, data in control:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(data[:len(data) - len(data) % fds.itemsize])
    if len(fds) != 1:
        sys.exit(f"{len(fds)} descriptors came")
    typed = [pair.encode().split(b"=", 1) for pair in sys.argv[3:]]
    shown = b""
    while True:
        try:
            data = os.read(fds[0], 4096)
        except OSError:
            break
        if not data:
            break
        shown += data
        if typed and typed[0][0] in shown:
            os.write(fds[0], typed.pop(0)[1])
    rows, cols = struct.unpack("HHHH", fcntl.ioctl(fds[0], termios.TIOCGWINSZ, b"\0" * 8))[:2]
    with open(result, "wb") as file:
        file.write(f"size {rows} {cols} {name.decode(errors='replace')}\n".encode() + shown)


main()
