# SPDX-License-Identifier: Apache-2.0
"""For functions in Python that wait for their request with everything imported.

    import json, sys, skerry          # modules, tables, compiled patterns: once, not in each request

    skerry.ready()                    # from here on: once a request
    print(json.load(sys.stdin))
    skerry.done()

Or leave the program as it is, and let this module run it: it calls ready() at the first use of sys.stdin, and done() at
the end.

    python3 skerry.py PROGRAM.py [ARGUMENT...]          python3 skerry.py -c CODE [ARGUMENT...]

ready() and done() may be left out, and do no harm where a function is started anew for each request. Without ready()
the snapshot is made at the first read of stdin; os.environ then lacks what came with the request, and random numbers
of the random module are the same in each.
"""
import atexit
import os
import sys
import traceback


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


class _Input:
    """In the place of sys.stdin until somebody uses it."""

    def __getattr__(self, name):
        return getattr(_begin(), name)

    def __iter__(self):
        return iter(_begin())

    def __next__(self):
        return next(_begin())

    def __enter__(self):
        return _begin().__enter__()

    def __exit__(self, *why):
        return sys.__stdin__.__exit__(*why)


def _begin():
    if isinstance(sys.stdin, _Input):
        sys.stdin = sys.__stdin__
        ready()
    return sys.__stdin__


def _run(code, path, arguments):
    """The program's exit status, as the interpreter would have it."""
    sys.argv = [path, *arguments]
    scope = {"__name__": "__main__", "__builtins__": __builtins__, "__file__": path, "__doc__": None}
    sys.stdin = _Input()
    try:
        exec(compile(code, path, "exec"), scope)  # the program is what we were started for
        return 0
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return (end.code or 0) & 255
        print(end.code, file=sys.stderr)
    except BaseException:  # as the interpreter does
        traceback.print_exc()
    return 1


def main():
    arguments = sys.argv[1:]
    if len(arguments) >= 2 and arguments[0] == "-c":
        status = _run(arguments[1], "-c", arguments[2:])
    elif arguments and not arguments[0].startswith("-"):
        sys.path[0] = os.path.dirname(os.path.abspath(arguments[0]))
        with open(arguments[0], "rb") as file:
            code = file.read()
        status = _run(code, arguments[0], arguments[1:])
    else:
        sys.exit("usage: skerry.py PROGRAM.py [ARGUMENT...] | -c CODE [ARGUMENT...]")
    if "threading" in sys.modules:
        sys.modules["threading"]._shutdown()  # waits for those that are no daemons
    atexit._run_exitfuncs()
    done(status)


if __name__ == "__main__":
    main()
