#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes images for the tests of the store, honest and hostile ones.

  image_maker.py OUT [-f layout|oci|docker] [-c none|gzip|zstd] [-C CONFIG] [-b WHAT] LAYER...

OUT is a directory (layout) or an archive. A LAYER is a list, as Python or JSON writes it, of entries
[NAME, KIND, ARGUMENT]: file with its text, dir, symlink and hardlink with a target, setuid with its
text, char, block, fifo; zeros with a count of bytes. CONFIG is the "config" of the image.
-b breaks it: manifest, config, layer change a byte behind the digest; size lies by one; diff_id and
digest name another content; arch is another machine's; truncate cuts an archive in the middle.
"""
import argparse
import ast
import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile

KIND = "application/vnd.oci.image."
OTHER = "0123456789abcdef" * 4
TYPES = {"dir": tarfile.DIRTYPE, "symlink": tarfile.SYMTYPE, "hardlink": tarfile.LNKTYPE,
         "char": tarfile.CHRTYPE, "block": tarfile.BLKTYPE, "fifo": tarfile.FIFOTYPE}


def sha(data):
    return hashlib.sha256(data).hexdigest()


def add(tar, name, data=b"", **fields):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    info.mode = 0o755
    for field, value in fields.items():
        setattr(info, field, value)
    tar.addfile(info, io.BytesIO(data))


def make_layer(entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, kind, *argument in entries:
            if kind in ("file", "setuid"):
                add(tar, name, argument[0].encode(), mode=0o6755 if kind == "setuid" else 0o644)
            elif kind == "zeros":
                add(tar, name, bytes(argument[0]))
            else:
                add(tar, name, type=TYPES[kind], linkname=argument[0] if argument else "",
                    devmajor=1, devminor=3)
    return out.getvalue()


def compress(data, how):
    if how == "gzip":
        return gzip.compress(data, mtime=0)
    if how == "zstd":
        return subprocess.run(["zstd", "-qc"], input=data, stdout=subprocess.PIPE, check=True).stdout
    return data


class Image:
    def __init__(self, layers, how, config, broken):
        self.blobs = {}
        self.broken = broken
        plain = [make_layer(entries) for entries in layers]
        self.diffs = [sha(data) for data in plain]
        self.layers = [self.blob("layer", compress(data, how),
                                 "layer.v1.tar" + ("" if how == "none" else "+" + how))
                       for data in plain]
        arch = "arm64" if broken == "arch" else "amd64"
        diffs = [OTHER] * len(plain) if broken == "diff_id" else self.diffs
        text = json.dumps({"os": "linux", "architecture": arch, "config": config,
                           "rootfs": {"type": "layers", "diff_ids": ["sha256:" + d for d in diffs]}})
        self.config = self.blob("config", text.encode(), "config.v1+json")
        manifest = {"schemaVersion": 2, "mediaType": KIND + "manifest.v1+json",
                    "config": self.config, "layers": self.layers}
        self.manifest = self.blob("manifest", json.dumps(manifest).encode(), "manifest.v1+json")

    def blob(self, role, data, kind):
        digest = OTHER if self.broken == "digest" and role == "layer" else sha(data)
        size = len(data) + (self.broken == "size" and role == "layer")
        if self.broken == role:
            data = data[:-1] + bytes([data[-1] ^ 1])
        self.blobs[digest] = data
        return {"mediaType": KIND + kind, "digest": "sha256:" + digest, "size": size}

    def files(self, docker):
        for digest, data in self.blobs.items():
            yield "blobs/sha256/" + digest, data
        if docker:
            names = ["blobs/sha256/" + layer["digest"][7:] for layer in self.layers]
            yield "manifest.json", json.dumps([{
                "Config": "blobs/sha256/" + self.config["digest"][7:],
                "RepoTags": ["made:here"], "Layers": names}]).encode()
        else:
            yield "oci-layout", b'{"imageLayoutVersion": "1.0.0"}'
            yield "index.json", json.dumps({"schemaVersion": 2, "manifests": [self.manifest]}).encode()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("-f", dest="format", default="layout")
    parser.add_argument("-c", dest="how", default="gzip")
    parser.add_argument("-C", dest="config", default='{"Cmd": ["/bin/app"]}')
    parser.add_argument("-b", dest="broken", default="")
    parser.add_argument("layers", nargs="*", type=ast.literal_eval)
    args = parser.parse_intermixed_args()
    image = Image(args.layers, args.how, json.loads(args.config), args.broken)
    if args.format == "layout":
        for name, data in image.files(False):
            path = os.path.join(args.out, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(data)
        return
    with tarfile.open(args.out, "w") as tar:
        for name, data in image.files(args.format == "docker"):
            add(tar, name, data)
    if args.broken == "truncate":
        os.truncate(args.out, os.path.getsize(args.out) // 2)


sys.exit(main())
