#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sends bytes as they are to an HTTP server and prints each answer's status on a line.

  raw_http.py URL BYTES [--answers N] [--closed] [--by-byte] [--table]

BYTES has C escapes. After N answers (default 1) the connection must end when --closed is given.
--table: reads lines "STATUS BYTES" from stdin; each is sent on a connection of its own that must be
answered with STATUS and end; prints what differs and fails then.
"""
import argparse
import socket
import sys
from urllib.parse import urlparse


class Connection:
    def __init__(self, url):
        parts = urlparse(url)
        self.socket = socket.create_connection((parts.hostname, parts.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def send(self, data, by_byte=False):
        try:
            for piece in [data[i : i + 1] for i in range(len(data))] if by_byte else [data]:
                self.socket.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has answered before it had read all

    def answer(self):
        """(status, headers, body) of the next answer; None at the end."""
        line = self.file.readline()
        if not line:
            return None
        status = int(line.split()[1])
        headers = {}
        while (line := self.file.readline().rstrip(b"\r\n")) != b"":
            name, value = line.split(b":", 1)
            headers[name.lower().decode()] = value.strip().decode()
        if "content-length" in headers and status >= 200:
            return status, headers, self.file.read(int(headers["content-length"]))
        return status, headers, b""

    def closed(self):
        try:
            return self.file.read(1) == b""
        except ConnectionResetError:
            return True


def unescape(text):
    return text.encode().decode("unicode_escape").encode("latin-1")


def table(url, by_byte):
    wrong = 0
    for line in sys.stdin:
        line = line.rstrip("\n")
        if not line or line.startswith("#"):
            continue
        want, text = line.split(" ", 1)
        connection = Connection(url)
        connection.send(unescape(text), by_byte)
        answer = connection.answer()
        got = answer[0] if answer else "nothing"
        if str(got) != want or not connection.closed() or "x-call-id" not in answer[1]:
            print(f"{text}: {got}, not {want}; {answer}")
            wrong += 1
    return 1 if wrong else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("bytes", nargs="?")
    parser.add_argument("--answers", type=int, default=1)
    parser.add_argument("--closed", action="store_true")
    parser.add_argument("--by-byte", action="store_true")
    parser.add_argument("--table", action="store_true")
    args = parser.parse_intermixed_args()
    if args.table:
        return table(args.url, args.by_byte)
    connection = Connection(args.url)
    connection.send(unescape(args.bytes), args.by_byte)
    for _ in range(args.answers):
        answer = connection.answer()
        if answer is None:
            print("end")
            return 1
        print(answer[0], answer[2].decode(errors="replace").rstrip("\n"))
    if args.closed and not connection.closed():
        print("still open")
        return 1
    return 0


sys.exit(main())
