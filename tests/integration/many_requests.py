#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Many requests in flight at once: many_requests.py HOST:PORT COUNT CGROUP-GLOB FUNCTION...

Opens COUNT connections, sends a request on each (to the functions in turn), and only then reads the
answers. Meanwhile it adds up the memory of the cgroups that match the glob. Prints one JSON object: how
many answers of each function and status, how many refusals came without Retry-After, the most memory.
"""
import asyncio
import collections
import glob
import json
import sys


def memory(pattern):
    total = 0
    for path in glob.glob(pattern):
        try:
            with open(path, encoding="ascii") as file:
                total += int(file.read())
        except OSError:
            pass  # a sandbox's group that has gone meanwhile
    return total


async def answer(reader, function, result):
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    result["answers"][f"{function} {status}"] += 1
    if status in (429, 503) and b"\r\nRetry-After: " not in head:
        result["without_retry_after"] += 1
    await reader.read()


async def watch(pattern, result):
    while True:
        result["most_memory"] = max(result["most_memory"], memory(pattern))
        await asyncio.sleep(0.05)


async def main():
    address, count, pattern, *functions = sys.argv[1:]
    host, port = address.rsplit(":", 1)
    result = {"answers": collections.Counter(), "without_retry_after": 0, "most_memory": 0}
    watcher = asyncio.create_task(watch(pattern, result))
    open_ones = []
    for _ in range(int(count)):
        open_ones.append(await asyncio.open_connection(host, int(port)))
    for i, (_, writer) in enumerate(open_ones):
        path = f"/function/{functions[i % len(functions)]}"
        writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                     "Content-Length: 5\r\n\r\nhello".encode())
    await asyncio.gather(*(answer(reader, functions[i % len(functions)], result)
                           for i, (reader, _) in enumerate(open_ones)))
    watcher.cancel()
    print(json.dumps(result))


asyncio.run(main())
