# SPDX-License-Identifier: Apache-2.0
"""Runs within a sandbox of `skerry run`: a snapshot is made and restored under the sandbox's own filters."""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import driver  # noqa: E402

BODY = json.dumps({"a": [1, 2, 3]}).encode()
SCRIPT = "import json, sys; t = json.load(sys.stdin); print(sum(t['a']), __import__('os').getuid())"

driver.WARM = sys.argv[1]
driver.ENV["LANG"] = "C"
for args in (["/usr/bin/python3", "-c", SCRIPT], ["/usr/bin/cat"], *([name] for name in sys.argv[2:])):
    try:
        snapshot = driver.make(args)
    except driver.Refused as why:
        sys.exit(f"{args[0]}: refused: {why}")
    for _ in range(3):
        print(os.path.basename(args[0]), driver.Restored(snapshot).run(BODY, {"REQUEST": "1"}))
