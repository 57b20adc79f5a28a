#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Prints the path of an ext4 image with what the tests need of this machine's own packages, made anew
# when one of them or this script has changed. Only what packages own is taken, never /etc as it is here.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
cache=$here/cache

mapfile -t wanted < <(
    # No compiler: the tests that need one (musl-gcc is one) are not about the kernel.
    "$here/../tools/setup.sh" --list runtime test demo | grep -vx musl-tools
    dpkg-query -W -f '${Essential} ${Package}\n' | sed -n 's/^yes //p'
    printf '%s\n' mawk meson mount strace libpam-modules
)
# shellcheck disable=SC2016 # dpkg's own variables
mapfile -t packages < <(
    apt-cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts --no-breaks \
        --no-replaces --no-enhances "${wanted[@]}" | grep -v '[ <]' | sort -u |
        xargs dpkg-query -W -f '${db:Status-Status} ${binary:Package} ${Version}\n' 2>/dev/null |
        sed -n 's/^installed //p'
)
key=$(printf '%s\n' "${packages[@]}" | cat - "$(realpath "$0")" | sha256sum | cut -c1-16)
image=$cache/rootfs-$key.ext4
if [ -f "$image" ]; then
    echo "$image"
    exit
fi

echo "lab: making a root file system of ${#packages[@]} packages" >&2
mkdir -p "$cache"
work=$(mktemp -d "$cache/.new.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -p "$root"
# On a merged /usr packages still name files in /bin, /lib, ...: those are links.
printf '%s\n' "${packages[@]% *}" | xargs dpkg -L | sed -nE '/^\//p' |
    sed -E 's,^/(bin|sbin|lib|lib32|lib64|libx32)/,/usr/\1/,' |
    grep -vE '^/usr/share/(doc|man|info|locale|lintian|bug)/' >"$work/list"
# What maintainer scripts made: alternatives, byte code (compiling it anew is slow in emulation).
{
    find /etc/alternatives -type l
    find /usr/bin /usr/sbin -lname '/etc/alternatives/*'
    find /usr/lib/python3* -name '*.pyc'
} >>"$work/list"
sort -u "$work/list" | while read -r path; do
    if [ -L "$path" ] || [ -e "$path" ]; then echo "$path"; fi
done >"$work/present"
tar -C / -c --no-recursion --files-from "$work/present" 2>"$work/log" | tar -C "$root" -x ||
    { cat "$work/log" >&2 && exit 1; }
find /bin /sbin /lib /lib32 /lib64 /libx32 -maxdepth 0 -type l -exec cp -a {} "$root" \; 2>/dev/null || true

cd "$root"
mkdir -p dev proc sys run tmp var/tmp root home/lab mnt
chmod 1777 tmp var/tmp
chown 1000:1000 home/lab
cat >etc/passwd <<'.'
root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
lab:x:1000:1000:lab:/home/lab:/bin/bash
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
.
printf '%s\n' root:x:0: daemon:x:1: tty:x:5: lab:x:1000: nogroup:x:65534: >etc/group
echo lab:200000:65536 | tee etc/subuid >etc/subgid
printf '%s\n' '127.0.0.1 localhost lab' '::1 localhost' >etc/hosts
printf '%s\n' 'passwd: files' 'group: files' 'hosts: files' >etc/nsswitch.conf
echo lab >etc/hostname
ldconfig -r "$root"
mke2fs -q -t ext4 -O ^has_journal -E root_owner=0:0 -m 0 -d "$root" "$work/image" 2G >/dev/null
mv "$work/image" "$image"
find "$cache" -maxdepth 1 -name 'rootfs-*.ext4' ! -path "$image" -delete
echo "$image"
