#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Prints a folder with boot/vmlinuz-* and lib/modules/* of a Debian kernel, fetched when it is not in
# lab/cache. $1: "cloud" or "amd64" for linux-image-$1[-amd64], or such a folder, which stands for itself.
set -euo pipefail
cache=$(dirname "$(realpath "$0")")/cache

case ${1-cloud} in
cloud) meta=linux-image-cloud-amd64 ;;
amd64) meta=linux-image-amd64 ;;
*)
    [ -d "$1/lib/modules" ] || { echo "lab: --kernel: no lib/modules in $1" >&2 && exit 1; }
    realpath "$1"
    exit
    ;;
esac

# The meta package names the current kernel. Without package lists, or offline, an older one serves.
image=$(apt-cache depends --important "$meta" 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p')
if [ -n "$image" ]; then
    version=$(apt-cache policy "$image" | sed -n 's/^ *Candidate: //p')
    dir=$cache/kernel/${image}_$version
else
    dir=$(find "$cache/kernel" -maxdepth 1 -name "linux-image-[0-9]*-${meta#linux-image-}_*" 2>/dev/null |
        sort -V | tail -n 1)
    [ -n "$dir" ] || { echo "lab: apt knows no $meta; run apt-get update first" >&2 && exit 1; }
fi
if [ ! -d "$dir" ]; then
    mkdir -p "$cache/kernel"
    work=$(mktemp -d "$cache/kernel/.new.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    echo "lab: fetching $image $version" >&2
    (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$image=$version" >&2)
    dpkg-deb -x "$work"/*.deb "$work/tree"
    mv "$work/tree" "$dir"
fi
echo "$dir"
