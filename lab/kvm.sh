#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs machines of the vm tier on ordinary KVM: a Debian kernel under QEMU's emulation with SVM, kvm-amd in it, and the
# monitor with its guests as the only programs. Slow, but a second hypervisor: nothing here knows of page-table VMs.
#
#   lab/kvm.sh [--build DIR] [--kernel cloud|amd64|DIR]
#
# Exits 0 when all that must be right was right.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
build=${BUILD:-$(dirname "$here")/build} kernel=cloud
while [ $# -gt 0 ]; do
    case $1 in
    --build) build=$2 && shift 2 ;;
    --kernel) kernel=$2 && shift 2 ;;
    *) echo "lab: unknown option $1" >&2 && exit 2 ;;
    esac
done
tree=$("$here/kernel.sh" "$kernel")
work=$(mktemp -d "${TMPDIR:-/tmp}/skerry-lab.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -p "$root"/{bin,dev,proc,tmp,lib} "$work/disk/bin"
cp /bin/busybox "$root/bin"
cp /bin/busybox "$work/disk/bin"
mkfs.erofs -x-1 --all-root "$root/tmp/disk" "$work/disk" >/dev/null
for module in irqbypass ccp kvm kvm-amd; do # ccp is built in, or not needed, in some
    find "$tree/lib/modules" -name "$module.ko" -exec cp {} "$root/lib" \;
done
cp "$build/src/vm/skerry-vmm" "$build/tests/vm/hello" "$build/tests/vm/many-calls" "$build/tests/vm/residue" "$build/tests/vm/warm-lab" "$root/bin"
find "$build/tests/vm" -maxdepth 1 -type f -name 'attack-*' -exec cp {} "$root/bin" \;
cat >"$root/init" <<'INIT'
#!/bin/busybox sh
export PATH=/bin
busybox mount -t devtmpfs dev /dev
busybox mount -t proc proc /proc
for m in irqbypass ccp kvm kvm-amd; do [ -e /lib/$m.ko ] && busybox insmod /lib/$m.ko; done
wrong=0
expect() { # STATUS NAME, the status of the last command
    [ "$last" = "$1" ] && echo "ok $2" || { echo "not ok $2: $last instead of $1"; wrong=1; }
}
skerry-vmm --probe; last=$?; expect 0 "a guest on this KVM"
skerry-vmm -- /bin/hello </dev/null; last=$?; expect 7 "a program without a C library"
skerry-vmm -- /bin/many-calls </dev/null; last=$?; expect 0 "patched system calls"
n=$(skerry-vmm --image /tmp/disk -- /bin/busybox seq 1 2000 </dev/null | busybox wc -l); last=$n; expect 2000 "output through rings"
s=$(echo 12345 | skerry-vmm --image /tmp/disk -- /bin/busybox wc -c); last=$s; expect 6 "input through rings"
warm-lab /bin/skerry-vmm /bin/residue; last=$?; expect 0 "snapshots, and what a request leaves behind"
for a in /bin/attack-*; do
    said=$(skerry-vmm --deadline-ms 8000 -- $a </dev/null 2>/tmp/err); last=$?
    case $said in *ESCAPED*) last=ESCAPED ;; esac
    expect 137 "${a##*/}: $(busybox head -n 1 /tmp/err)"
done
echo "lab: done $wrong"
busybox poweroff -f
INIT
chmod +x "$root/init"
(cd "$root" && find . | cpio -o -H newc 2>/dev/null | gzip -1) >"$work/initrd"
timeout 540 qemu-system-x86_64 -M q35 -accel tcg -cpu max -smp 1 -m 1024 -nographic -no-reboot -nodefaults -serial stdio \
    -kernel "$(find "$tree/boot" -name 'vmlinuz*' | head -n 1)" -initrd "$work/initrd" \
    -append "console=ttyS0 quiet panic=-1" </dev/null | tee "$work/log" || true
grep -q 'lab: done 0' "$work/log"
