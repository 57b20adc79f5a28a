#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random pieces of requests on many connections, answers half read, connections dropped.

  http_abuse.py URL SEED STEPS NAME...

Each step sends to, reads from or drops one of sixty connections; requests go to the functions NAME and to
the gateway's own paths, some are cut or have a byte changed. It asserts nothing: the caller looks at what
is left of the daemon.
"""
import random
import socket
import sys
from urllib.parse import urlparse

CONNECTIONS = 60


def requests_of(names):
    requests = []
    for name in names:
        path = b"/function/" + name.encode()
        requests += [
            b"GET " + path + b" HTTP/1.1\r\nHost: h\r\n\r\n",
            b"HEAD " + path + b" HTTP/1.0\r\n\r\n",
            b"POST " + path + b" HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100000,
            b"POST " + path + b" HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            b"POST " + path + b" HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
        ]
    for path in (b"/metrics", b"/healthz", b"/nothing", b"/system/functions"):
        requests.append(b"GET " + path + b" HTTP/1.1\r\nHost: h\r\n\r\n")
    return requests


def message(dice, requests):
    data = bytearray(b"".join(dice.choice(requests) for _ in range(dice.randint(1, 3))))
    if dice.random() < 0.3:
        del data[dice.randint(1, len(data)) :]
    if dice.random() < 0.1:
        data[dice.randrange(len(data))] = dice.randrange(256)
    return data


def step(dice, connection, requests):
    """False: the connection is to be dropped."""
    action = dice.random()
    if action < 0.5:
        connection.send(message(dice, requests))
    elif action < 0.8:
        connection.recv(dice.choice((1, 1000, 100000)))
    else:
        return False
    return True


def main():
    url = urlparse(sys.argv[1])
    dice = random.Random(int(sys.argv[2]))
    requests = requests_of(sys.argv[4:])
    connections = []
    for _ in range(int(sys.argv[3])):
        if len(connections) < CONNECTIONS:
            connection = socket.create_connection((url.hostname, url.port))
            connection.setblocking(False)
            connections.append(connection)
        connection = dice.choice(connections)
        try:
            keep = step(dice, connection, requests)
        except BlockingIOError:
            keep = True
        except OSError:
            keep = False
        if not keep:
            connection.close()
            connections.remove(connection)


main()
