#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An OCI image of this machine's Python, and nothing else: python_image.py OUT.tar

What a program of the vm tier may see is its image alone, so an interpreter needs one: the program, the libraries that it
and its modules have loaded, the standard library, and `skerry` (sdk/python). `skerry image import OUT.tar --name python` takes it.
"""
import hashlib
import io
import json
import os
import sys
import sysconfig
import tarfile

# what the image is for; their libraries are seen in this process afterwards
import csv, datetime, decimal, hmac, random, sqlite3, ssl, statistics, zlib  # noqa: E401,F401

SKIPPED = {"test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "config", "__pycache__"}


def libraries():
    """The shared objects of this process, under the names by which they were found."""
    with open("/proc/self/maps", encoding="ascii") as maps:
        paths = {line.split()[-1] for line in maps if ".so" in line and " /" in line}
    found = set()
    for path in paths:
        found.add(path)
        folder, name = os.path.split(path)
        for other in os.listdir(folder):  # libz.so.1 -> libz.so.1.2.13
            link = os.path.join(folder, other)
            if os.path.islink(link) and os.path.basename(os.readlink(link)) == name:
                found.add(link)
    return found


def modules():
    top = sysconfig.get_path("stdlib")
    for folder, folders, names in os.walk(top):
        folders[:] = [name for name in folders if name not in SKIPPED and not name.startswith("config-")]
        for name in names:
            yield os.path.join(folder, name)


def layer():
    """The root file system as a tar archive; /lib and /lib64 are where Debian has them."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for link in ("bin", "lib", "lib64"):
            info = tarfile.TarInfo(link)
            info.type, info.linkname = tarfile.SYMTYPE, f"usr/{link}"
            tar.addfile(info)
        program = os.path.realpath(sys.executable)
        for path in sorted({program, "/usr/lib64/ld-linux-x86-64.so.2", *libraries(), *modules()}):
            in_usr = path.startswith(("/bin/", "/lib/", "/lib64/"))  # through the links above
            tar.add(path, ("usr" if in_usr else "") + path, recursive=False)
        sdk = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../sdk/python/skerry.py")
        tar.add(sdk, sysconfig.get_path("stdlib").lstrip("/") + "/skerry.py", recursive=False)
        info = tarfile.TarInfo("usr/bin/python3")
        info.type, info.linkname = tarfile.SYMTYPE, program  # which may be anywhere: pyenv, /opt
        tar.addfile(info)
    return out.getvalue()


def main():
    blobs = {}

    def blob(data, media_type):
        digest = hashlib.sha256(data).hexdigest()
        blobs[digest] = data
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    def put(tar, name, data):
        info = tarfile.TarInfo(name)
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))

    oci = "application/vnd.oci.image."
    files = blob(layer(), oci + "layer.v1.tar")
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [files["digest"]]},
              "config": {"Cmd": ["/usr/bin/python3"], "Env": ["PATH=/usr/bin", "PYTHONDONTWRITEBYTECODE=1"]}}
    manifest = {"schemaVersion": 2, "mediaType": oci + "manifest.v1+json",
                "config": blob(json.dumps(config).encode(), oci + "config.v1+json"), "layers": [files]}
    top = {"schemaVersion": 2, "manifests": [blob(json.dumps(manifest).encode(), oci + "manifest.v1+json")]}
    with tarfile.open(sys.argv[1], "w") as tar:
        put(tar, "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
        put(tar, "index.json", json.dumps(top).encode())
        for digest, data in blobs.items():
            put(tar, f"blobs/sha256/{digest}", data)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__.split("\n\n", maxsplit=1)[0])
    main()
