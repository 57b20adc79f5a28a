#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A web server's access log on stdin, a report on it as JSON on stdout."""
import collections
import json
import re
import sys

LINE = re.compile(r'(?P<client>\S+) \S+ \S+ \[(?P<time>[^]]+)\] '
                  r'"(?P<method>[A-Z]+) (?P<path>\S+) [^"]*" (?P<status>\d{3}) (?P<bytes>\d+|-)')


def main():
    statuses, clients, refused = collections.Counter(), collections.Counter(), []
    sent = damaged = 0
    for line in sys.stdin:
        match = LINE.match(line)
        if match is None:
            damaged += 1
            print(f"cannot read: {line.rstrip()}", file=sys.stderr)  # see it with: skerry logs report
            continue
        statuses[match["status"]] += 1
        clients[match["client"]] += 1
        sent += int(match["bytes"]) if match["bytes"] != "-" else 0
        if match["status"].startswith("4"):
            refused.append(f'{match["method"]} {match["path"]}')
    json.dump({"requests": sum(statuses.values()), "by_status": dict(sorted(statuses.items())),
               "busiest": clients.most_common(1)[0][0] if clients else None, "bytes": sent,
               "refused": refused, "damaged_lines": damaged}, sys.stdout)
    print()


main()
