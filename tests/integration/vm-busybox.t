#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Busybox of Debian, unmodified, in a guest: every applet that is listed. Those with a line below do something harmless
with the files of a small directory, the others say their help; status, output and errors must be what they are here.

  BUILD=... SRC=... tests/integration/vm-busybox.t [APPLET...]

Each line is words as a shell reads them. What an applet leaves in files is gone with its machine: of those that only write,
the status must do.
"""
import os
import shlex
import subprocess
import sys
import tempfile

BUILD = os.environ["BUILD"]
MONITOR = os.path.join(BUILD, "src/vm/skerry-vmm")
BUSYBOX = "/bin/busybox"
LIMIT_S = 60
# They would end this machine, take its terminal, or are other names of the shell, which is below.
NOT_HERE = {"reboot", "poweroff", "halt", "init", "linuxrc", "ash", "hush", "openvt", "run-init", "switch_root", "nuke",
            "resume"}
INPUT = b"one two\nthree four five\n\nsix\n"
FILES = {"a.txt": b"alpha\nbeta\ngamma\nbeta\n", "b.txt": b"alpha\nbeta two\ngamma\n", "n.txt": b"3\n10\n2\n2\n",
         "dos.txt": b"one\r\ntwo\r\n", "data.bin": bytes(range(256)) * 40, "run.sh": b"#!/bin/sh\necho ran\n",
         "sub/c.txt": b"in a directory\n", "p.diff": b"--- a.txt\n+++ a.txt\n@@ -1,4 +1,4 @@\n alpha\n-beta\n+BETA\n gamma\n beta\n"}

LINES = """
[ -f a.txt ]
[[ a = a ]]
ar t absent.a
ascii
awk '{ n += NF; print NR ": " $1 } END { print n, sqrt(2), substr("abcdef", 2, 3), tolower("ABC") }' a.txt b.txt
awk 'BEGIN { while ((getline line < "n.txt") > 0) s += line; printf "%d %5.2f %s\\n", s, s / 3, "x" }'
base64 data.bin
basename /usr/lib/libc.so .so
bc -e '2^100; scale=20; 1/3'
bunzip2 -t a.txt
bzip2 -k -c a.txt
cal 2 2024
cat -n a.txt -
cat -vet dos.txt
chmod 600 a.txt
chmod 999 a.txt
chown 70000:1 absent
cksum a.txt
cmp a.txt b.txt
cmp a.txt a.txt
cp -r sub copied
cp a.txt absent/x
crc32 a.txt data.bin
cut -d ' ' -f 2 b.txt
cut -c 1-3 a.txt
date -u -d @86400 +%Y-%m-%dT%H:%M:%S
date -u -d '2024-02-29 12:34' +%s
dc -e '2 3 + p 7 * p'
dd if=data.bin bs=100 count=3 skip=2
df absent
diff a.txt b.txt
diff -u a.txt a.txt
dirname /usr/lib/x
dos2unix
du -s absent
echo -e 'a\\tb\\x41'
egrep '^(a|g)' a.txt
env -i A=1 B=2
expand -t 4
expr 6 '*' 7
expr abcdef : 'abc\\(.*\\)'
factor 1000000007 360
fallocate -l 10 new
false
fgrep beta a.txt
find a.txt data.bin sub -name '*.*' -size -2
find sub -type f
fold -w 3 a.txt
getopt -o ab: -- -a -b x y
grep -n -i BETA a.txt b.txt
grep -c '' data.bin
grep -rl directory sub
gzip -k -c a.txt
gunzip -c a.txt
head -n 2 a.txt
head -c 5 data.bin
hexdump -C a.txt
id -u
ipcalc -b -n 10.1.2.3/20
kill -l
kill -l 11
less a.txt
link a.txt hard
ln -s a.txt soft
ln a.txt hard
ls -1 .
ls -p sub
ls absent
lzma -c a.txt
md5sum a.txt data.bin
mkdir -p deep/er/est
mkdir sub
mkfifo pipe
mkpasswd -m sha512 -S saltsalt secret
mkpasswd -m md5 -S saltsalt secret
mktemp -u /tmp/xXXXXXX.no
more a.txt
mv a.txt moved
mv absent moved
nl a.txt
nproc --help
od -A x -t x1z a.txt
od -c n.txt
paste a.txt b.txt
patch -p0 -i p.diff
printf '%s %05d %x %c\\n' abc 42 255 Z
readlink absent
realpath /proc/../dev/.
rev a.txt
rm a.txt
rm -r sub
rm absent
rmdir sub
sed -n '2,3p;s/beta/B/gp' a.txt
sed -e 'y/abc/xyz/' -e '$!N;P;D' a.txt
sed -i s/alpha/omega/ a.txt
seq 1 3 20
seq -w 8 11
sh -c 'x=5; while [ $x -gt 0 ]; do x=$((x-1)); echo $x; done; case abc in a*) echo yes;; esac; echo ${x:-d} ${#PATH}'
sh -c 'f() { echo "f $1"; return 3; }; f a; echo $?; set -- 1 2 3; shift; echo $@; read l; echo "[$l]"'
sh -c 'echo a >x; while read l; do echo $l; done <x; for f in *.txt; do echo $f; done'
sh -c 'trap "echo t" EXIT; echo $((0x10 + 010)) $((7 % 4)); printf "%s\\n" "$(( 1 << 40 ))"; exit 4'
sh -c 'cd sub && pwd -P >/dev/null; echo *; cd ..; test -d sub -a -r a.txt && echo both; umask'
sh -c 'kill -TERM $$'
sha1sum a.txt
sha256sum a.txt data.bin
sha3sum a.txt
sha512sum a.txt
shred absent
sleep 0
sort a.txt
sort -n -r -u n.txt
stat -c '%s %F %a' a.txt
strings data.bin
sum a.txt
sync
sysctl absent
tac a.txt
tail -n 2 a.txt
tail -c +10300 data.bin
tar -c -f - sub/c.txt --numeric-owner -O
tar -tf absent
tee out.txt
test 3 -lt 10
touch new
touch -d '2020-01-01 00:00:00' absent/new
tr a-z A-Z
tr -d aeiou
true
truncate -s 100 a.txt
ts absent
tty
uname -s
uname -m
uncompress -c a.txt
unexpand -a
uniq -c a.txt
uniq -d n.txt
unix2dos
unlink a.txt
unxz -c a.txt
unzip -l a.txt
usleep 1
uudecode absent
uuencode -m a.txt name
wc a.txt data.bin
wc -l
which sh
whoami
xxd -l 32 data.bin
xxd -r absent
xz -c absent
xzcat absent
yes --help
zcat absent
"""
def commands(applet):
    found = [words for words in map(shlex.split, LINES.strip().splitlines()) if words[0] == applet]
    return found or [[applet, "--help"]]


def run(command, cwd):
    # No variables but these, a session of its own, a umask that is the guest's, too.
    done = subprocess.run(command, cwd=cwd, input=INPUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=LIMIT_S,
                          check=False, start_new_session=True, umask=0o022, env={"PATH": "/bin", "LC_ALL": "C", "TZ": "UTC"})
    status = done.returncode if done.returncode >= 0 else 128 - done.returncode
    return status, done.stdout, done.stderr


class Places:
    """A directory here, fresh for each line, and the same directory on a disk."""

    def __init__(self, work):
        self.work, self.number = work, 0
        root = os.path.join(work, "root")
        os.makedirs(os.path.join(root, "bin"))
        subprocess.run(["cp", BUSYBOX, os.path.join(root, "bin/busybox")], check=True)
        os.symlink("busybox", os.path.join(root, "bin/sh"))
        os.mkdir(os.path.join(root, "etc"))
        for name in ("passwd", "group"):
            subprocess.run(["cp", f"/etc/{name}", os.path.join(root, "etc")], check=True)
        self.fill(os.path.join(root, "work"))
        self.disk = os.path.join(work, "disk")
        subprocess.run(["mkfs.erofs", self.disk, root], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    @staticmethod
    def fill(folder):
        for name, text in FILES.items():
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(text)
            os.chmod(path, 0o755 if name.endswith(".sh") else 0o644)
            os.utime(path, (10 ** 9, 10 ** 9))

    def here(self, words):
        self.number += 1
        folder = os.path.join(self.work, str(self.number), "work")
        self.fill(folder)
        return run([BUSYBOX, *words], folder)

    def guest(self, words):
        return run([MONITOR, "--mem", str(64 << 20), "--deadline-ms", "30000", "--image", self.disk, "--cwd", "/work", "--",
                    BUSYBOX, *words], "/")


def main():
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        print("1..0 # SKIP /dev/kvm is not there")
        return 0
    listed = subprocess.run([BUSYBOX, "--list"], stdout=subprocess.PIPE, check=True).stdout.decode().split()
    chosen = [name for name in sys.argv[1:] or listed if name not in NOT_HERE]
    print(f"1..{len(chosen)}", flush=True)
    failed = 0
    with tempfile.TemporaryDirectory(prefix="skerry-busybox.") as work:
        places = Places(work)
        for number, applet in enumerate(chosen, 1):
            different = [(words, here, there) for words in commands(applet)
                         for here, there in [(places.here(words), places.guest(words))] if here != there]
            failed += bool(different)
            print("not ok" if different else "ok", number, "-", applet, f"({len(commands(applet))})")
            for words, here, there in different:
                print(f"# {shlex.join(words)}\n#   here:  {here}\n#   guest: {there}"[:1500])
            sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
