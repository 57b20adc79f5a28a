#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Receives a seccomp listener as the runtime specification says, and answers each call with EXDEV.

  seccomp-agent.py SOCKET RESULT      ends when the last process of the filter has; RESULT: {state, calls}
"""
import array
import ctypes
import fcntl
import json
import os
import select
import socket
import struct
import sys

NOTIF_RECV, NOTIF_SEND, SIZE_OF_NOTIF, SIZE_OF_RESPONSE = 0xC0502100, 0xC0182101, 80, 24
EXDEV = 18


def main():
    path, result = sys.argv[1:]
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(1)
    connection, _ = listener.accept()
    text, control, _, _ = connection.recvmsg(1 << 16, socket.CMSG_SPACE(64))
    fds = array.array("i")
    for level, kind, data in control:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(data[:len(data) - len(data) % fds.itemsize])
    answer = {"state": json.loads(text), "descriptors": len(fds), "calls": 0}
    poll = select.poll()
    poll.register(fds[0], select.POLLIN)
    while not any(event & select.POLLHUP for _, event in poll.poll()):
        notif = ctypes.create_string_buffer(SIZE_OF_NOTIF)
        try:
            fcntl.ioctl(fds[0], NOTIF_RECV, notif)
            response = struct.pack("QqiI", struct.unpack_from("Q", notif)[0], 0, -EXDEV, 0)
            fcntl.ioctl(fds[0], NOTIF_SEND, response)
            answer["calls"] += 1
        except FileNotFoundError:
            continue
    with open(result, "w", encoding="utf-8") as file:
        json.dump(answer, file)
    os.close(fds[0])


main()
