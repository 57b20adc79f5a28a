# SPDX-License-Identifier: Apache-2.0
"""For functions in Python that wait for their request with everything imported.

    import json, sys, skerry          # modules, tables, compiled patterns: once, not in each request

    skerry.ready()                    # from here on: once a request
    print(json.load(sys.stdin))
    skerry.done()

ready() and done() may be left out, and do no harm where a function is started anew for each request. Without ready()
the snapshot is made at the first read of stdin; os.environ then lacks what came with the request, and random numbers
of the random module are the same in each.
"""
import os
import sys


def ready():
    """What follows is done for each request. Adds its variables to os.environ and seeds generators anew."""
    known = _environment()
    os.read(0, 0)  # the snapshot is made, and brought back, in this call
    for entry in _environment()[len(known):]:
        name, _, value = entry.partition(b"=")
        os.environb[name] = value
    if "random" in sys.modules:
        sys.modules["random"].seed()
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
    if "ssl" in sys.modules:  # OpenSSL's generator seeds itself at its first use, which may have been before
        sys.modules["ssl"].RAND_add(os.urandom(48), 48.0)


def done(status=0):
    """Ends the process without taking the interpreter apart, which takes longer than many requests."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _environment():
    """The entries that the process was given, in their order."""
    with open("/proc/self/environ", "rb") as file:
        return file.read().split(b"\0")[:-1]
