#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs the tests of a build inside an emulated machine with a Debian kernel of its own.
#
#   lab/run.sh [options] [SUITE|FILE ...]   what tests/run takes; nothing: what the kernel matters to
#     --kernel cloud|amd64|DIR   linux-image-cloud-amd64 (default), linux-image-amd64, or a folder with
#                                boot/vmlinuz-* and lib/modules/*
#     --suite NAME               the same as naming it
#     --build DIR                default: $BUILD, else build
#     --memory MIB  --cpus N     default 3072, 2
#     --time SECONDS             the machine is ended after that (2400)
#     --exec COMMAND             runs this there in place of the tests
#     --shell                    gives a shell there (leave it with exit)
#
# Never KVM: the point is another kernel, and a processor with what this one lacks (-cpu max).
# Exits as the command did; 1 when the machine did not come to an end.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
src=$(dirname "$here")

kernel=cloud build=${BUILD:-$src/build} memory=3072 cpus=2 time=2400 command='' shell=0
# All but the words of the CLI, and attacks in the two ways that a function meets them: 20 minutes.
default=(unit run daemon http image keep kill attacks-own attacks-daemon)
names=()
while [ $# -gt 0 ]; do
    case $1 in
    --kernel) kernel=$2 && shift 2 ;;
    --suite) names+=("$2") && shift 2 ;;
    --build) build=$2 && shift 2 ;;
    --memory) memory=$2 && shift 2 ;;
    --cpus) cpus=$2 && shift 2 ;;
    --time) time=$2 && shift 2 ;;
    --exec) command=$2 && shift 2 ;;
    --shell) shell=1 && shift ;;
    -h | --help) sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0" && exit 0 ;;
    -*) echo "lab: unknown option $1; see lab/run.sh --help" >&2 && exit 2 ;;
    *) names+=("$1") && shift ;;
    esac
done
build=$(realpath "$build")
[ -f "$build/build.ninja" ] || { echo "lab: $build is no build; run make first" >&2 && exit 2; }
[ "$(id -u)" = 0 ] || { echo "lab: only root can make the machine's file systems" >&2 && exit 2; }

work=$(mktemp -d "${TMPDIR:-/tmp}/skerry-lab.XXXXXX")
qemu=
trap '[ -z "$qemu" ] || kill -KILL "$qemu" 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

tree=$("$here/kernel.sh" "$kernel")
rootfs=$("$here/rootfs.sh")
vmlinuz=$(find "$tree/boot" -name 'vmlinuz*' | head -n 1)
modules=$(find "$tree/lib/modules" -mindepth 1 -maxdepth 1 | head -n 1)

# The first file system: a busybox, and modules in the order in which they need each other: the disk's
# and those that a machine loads on demand (as this one cannot: it has no modprobe).
mkdir -p "$work/initramfs"/{bin,dev,proc,root,lib}
cp /bin/busybox "$work/initramfs/bin/busybox"
for applet in sh mount insmod sleep poweroff switch_root; do ln -s busybox "$work/initramfs/bin/$applet"; done
cp "$here/initramfs" "$work/initramfs/init"
for name in virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk \
    mbcache jbd2 crc16 crc32c_generic libcrc32c ext4 overlay veth; do
    file=$(find "$modules" -name "$name.ko" -print -quit)
    [ -z "$file" ] || { cp "$file" "$work/initramfs/lib/" && echo "/lib/$name.ko"; }
done >"$work/initramfs/modules"
(cd "$work/initramfs" && find . | cpio -o -H newc --quiet) >"$work/initrd"

# The second disk: this checkout, the build without its intermediate files, and what to do.
disk=$work/disk
mkdir -p "$disk/tree$src" "$disk/tree$build"
tar -C "$src" --exclude=.git --exclude='./build*' --exclude=./lab/cache -c . | tar -C "$disk/tree$src" -x
tar -C "$build" --exclude='*.p' --exclude='*.a' --exclude=.ninja_deps -c . | tar -C "$disk/tree$build" -x
cp "$here/init" "$disk/lab-init"
echo "$src $build" >"$disk/lab-paths"
if [ $shell = 1 ]; then
    echo 'exec bash -i' >"$disk/lab-command"
elif [ -n "$command" ]; then
    echo "$command" >"$disk/lab-command"
else
    [ ${#names[@]} -gt 0 ] || names=("${default[@]}")
    # No terminal: no colours, no progress.
    printf 'set -o pipefail; CI=true tests/run --build %q %s 2>&1 | cat\n' \
        "$build" "${names[*]@Q}" >"$disk/lab-command"
fi
mke2fs -q -t ext4 -O ^has_journal -E root_owner=0:0 -m 0 -d "$disk" "$work/disk.ext4" 1G >/dev/null

# Not the microvm machine: emulated, it loses the first timer interrupt in one boot of ten (the kernel
# then waits in calibrate_delay for ever; none of 70 boots of q35 did), and saves 0.3 s.
arguments=(
    -M q35 -accel "tcg,thread=multi" -cpu max -smp "$cpus" -m "$memory"
    -nodefaults -no-user-config -no-reboot -display none
    -kernel "$vmlinuz" -initrd "$work/initrd"
    -append 'console=ttyS0 loglevel=3 panic=-1 nokaslr mitigations=off random.trust_cpu=on'
    -drive "id=root,file=$rootfs,format=raw,if=none,snapshot=on" -device "virtio-blk-pci,drive=root"
    -drive "id=disk,file=$work/disk.ext4,format=raw,if=none,cache=unsafe" -device "virtio-blk-pci,drive=disk"
)
if [ $shell = 1 ]; then
    qemu-system-x86_64 "${arguments[@]}" -serial mon:stdio
    exit
fi
mkfifo "$work/console"
timeout --foreground "$time" qemu-system-x86_64 "${arguments[@]}" -serial stdio -monitor none \
    </dev/null >"$work/console" &
qemu=$!
status=
while IFS= read -r line; do
    line=${line%$'\r'}
    [ -n "$status" ] || printf '%s\n' "$line" # what the kernel says as it powers off is of no interest
    case $line in 'lab: exit '[0-9]*) status=${line#lab: exit } ;; esac
done <"$work/console"
wait "$qemu" || echo "lab: the machine ended with $? (124: after the $time s that --time gives)" >&2
qemu=
exit "${status:-1}"
