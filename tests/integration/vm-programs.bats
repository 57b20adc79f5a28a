#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Unmodified programs of Debian in a guest: each image is a program and what it is linked with.

bats_require_minimum_version 1.5.0

setup_file() {
    [ -c /dev/kvm ] || skip "no /dev/kvm here"
    image=$BATS_FILE_TMPDIR/image.erofs
    root=$BATS_FILE_TMPDIR/root
    mkdir -p "$root"/{bin,etc,tmp,usr/bin,usr/lib,lib64}
    ln -s usr/lib "$root/lib"
    local programs=(/usr/bin/jq /usr/bin/perl /usr/bin/sqlite3 /usr/bin/openssl /usr/bin/lua5.4) python program
    python=$(readlink -f /usr/bin/python3)
    for program in "${programs[@]}" "$python"; do
        cp -L "$program" "$root/usr/bin/"
        linked "$program"
    done
    ln -s "$(basename "$python")" "$root/usr/bin/python3"
    cp -L /bin/busybox "$root/bin/"
    cp -L /lib64/ld-linux-x86-64.so.2 "$root/lib64/"
    stdlib=/usr/lib/$(basename "$python")
    mkdir -p "$root$stdlib"
    tar -C "$stdlib" --exclude=test --exclude=dist-packages --exclude='config-*' -cf - . | tar -C "$root$stdlib" -xf -
    for program in "$root$stdlib"/lib-dynload/*.so; do
        linked "$program"
    done
    mkfs.erofs "$image" "$root" >/dev/null 2>&1
}

linked() { # linked FILE: copies the libraries that it is linked with
    local library
    while read -r library; do
        mkdir -p "$root$(dirname "$library")"
        [ -e "$root$library" ] || cp -L "$library" "$root$library"
    done < <(ldd "$1" | grep -o '/lib/[^ ]*')
}

guest() { # guest PROGRAM ARG...: in a machine of its own, with the image
    LC_ALL=C "$BUILD/src/vm/skerry-vmm" --mem 268435456 --deadline-ms 60000 --image "$BATS_FILE_TMPDIR/image.erofs" -- "$@"
}

@test "jq" {
    run guest jq -c '.a | add' <<<'{"a":[1,2,3]}'
    [ "$status" -eq 0 ]
    [ "$output" = 6 ]
}

@test "sqlite3 on a database file" {
    run guest sqlite3 /tmp/t.db 'create table t(a); insert into t values(1),(2); select sum(a) from t;' </dev/null
    [ "$status" -eq 0 ]
    [ "$output" = 3 ]
}

@test "openssl says of a file what sha256sum says" {
    run guest openssl sha256 -r /usr/bin/jq </dev/null
    [ "$status" -eq 0 ]
    [ "${output%% *}" = "$(sha256sum <"$(readlink -f /usr/bin/jq)" | cut -d' ' -f1)" ]
}

@test "perl: hashes, files, an alarm" {
    run guest perl -e '$SIG{ALRM} = sub { print "alarm\n" }; alarm 1; select undef, undef, undef, 20;
        open F, ">/tmp/f"; print F "x" x 10; close F; print -s "/tmp/f", "\n"' </dev/null
    [ "$status" -eq 0 ]
    [ "$output" = $'alarm\n10' ]
}

@test "lua: tables and files" {
    run guest lua5.4 -e 'local f = io.open("/tmp/f", "w") f:write("line") f:close() for l in io.lines("/tmp/f") do print(l) end' </dev/null
    [ "$status" -eq 0 ]
    [ "$output" = line ]
}

@test "python: json, re, hashlib" {
    run guest python3 -c 'import json, re, hashlib
print(json.dumps({"a": [1, 2]}), re.sub("a+", "b", "caat"), hashlib.sha256(b"x").hexdigest()[:8])' </dev/null
    [ "$status" -eq 0 ]
    [ "$output" = '{"a": [1, 2]} cbt 2d711642' ]
}

@test "python: sqlite3 with a write-ahead log" {
    run guest python3 -c 'import sqlite3
c = sqlite3.connect("/tmp/t.db"); c.execute("pragma journal_mode=wal"); c.execute("create table t(a)")
c.executemany("insert into t values(?)", [(i,) for i in range(1000)]); c.commit()
print(sqlite3.connect("/tmp/t.db").execute("select sum(a) from t").fetchone()[0])' </dev/null
    [ "$status" -eq 0 ]
    [ "$output" = 499500 ]
}

@test "python: threads share the processor" {
    run guest python3 -c 'import threading, queue
q = queue.Queue()
ts = [threading.Thread(target=lambda: [q.put(i) for i in range(100)] + [sum(range(300000))]) for _ in range(8)]
[t.start() for t in ts]; [t.join() for t in ts]; print(q.qsize())' </dev/null
    [ "$status" -eq 0 ]
    [ "$output" = 800 ]
}

@test "python: asyncio with a pipe, a socket pair, an executor" {
    run guest python3 -c 'import asyncio, os, socket
async def main():
    a, b = socket.socketpair()
    r, w = await asyncio.open_connection(sock=a); r2, w2 = await asyncio.open_connection(sock=b)
    w.write(b"ping\n"); print((await r2.readline()).decode().strip())
    p, q = os.pipe(); rd = asyncio.StreamReader(); loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(rd), os.fdopen(p, "rb"))
    os.write(q, b"pipe\n"); print((await rd.readline()).decode().strip())
    print(await loop.run_in_executor(None, lambda: 42))
asyncio.run(main())' </dev/null
    [ "$status" -eq 0 ]
    [ "$output" = $'ping\npipe\n42' ]
}

@test "python: a new process is refused with a reason that a program understands" {
    run guest python3 -c 'import subprocess
try: subprocess.run(["/bin/busybox", "true"])
except BlockingIOError as e: print(e.errno)' </dev/null
    [ "$status" -eq 0 ]
    [ "$output" = 11 ]
}

@test "busybox: the shell and applets that need no process" {
    run guest /bin/busybox sh -c 'cd /tmp; echo one >f; read x <f; echo $x $((6 * 7)); echo *; type cd' </dev/null
    [ "$status" -eq 0 ]
    [ "$output" = $'one 42\nf\ncd is a shell builtin' ]
    run guest /bin/busybox sh -c 'ls; echo $?' </dev/null
    [[ $output == *"can't fork: Resource temporarily unavailable"* ]]
    run guest /bin/busybox find /bin -type f </dev/null
    [ "$output" = /bin/busybox ]
    run guest /bin/busybox tar cf - /bin/busybox </dev/null
    [ "$status" -eq 0 ]
    run guest /bin/busybox awk 'BEGIN { print length("abc") }' </dev/null
    [ "$output" = 3 ]
}

@test "a static Go program: goroutines, sleeping, files, the collector" {
    command -v go >/dev/null || skip "no Go compiler here"
    cat >"$BATS_TEST_TMPDIR/main.go" <<'END'
package main

import ("fmt"; "os"; "runtime"; "sync"; "time")

func main() {
	var group sync.WaitGroup
	var lock sync.Mutex
	sum := 0
	for i := 0; i < 100; i++ {
		group.Add(1)
		go func(n int) { defer group.Done(); time.Sleep(time.Millisecond); lock.Lock(); sum += n; lock.Unlock() }(i)
	}
	group.Wait()
	os.WriteFile("/tmp/f", []byte("file"), 0600)
	text, _ := os.ReadFile("/tmp/f")
	many := map[string]int{}
	for i := 0; i < 100000; i++ { many[fmt.Sprint(i)] = i }
	runtime.GC()
	fmt.Println(sum, string(text), len(many))
}
END
    GOCACHE=$BATS_TEST_TMPDIR/cache CGO_ENABLED=0 go build -o "$BATS_TEST_TMPDIR/go" "$BATS_TEST_TMPDIR/main.go"
    chmod -R u+w "$BATS_TEST_TMPDIR"
    run "$BUILD/src/vm/skerry-vmm" --mem 268435456 --deadline-ms 60000 -- "$BATS_TEST_TMPDIR/go" </dev/null
    [ "$status" -eq 0 ]
    [ "$output" = "4950 file 100000" ]
}

@test "static and dynamic programs of glibc and musl" {
    local cc flags number=0
    for cc in gcc musl-gcc; do
        for flags in -static "-static-pie -fPIE" "-pie -fPIE"; do
            number=$((number + 1))
            root=$BATS_TEST_TMPDIR/root-$number
            mkdir -p "$root/lib64" "$root/lib"
            # shellcheck disable=SC2086 # words
            "$cc" -O1 $flags -o "$root/everyday" "$SRC/tests/vm/everyday.c" -pthread
            cp -L /lib64/ld-linux-x86-64.so.2 "$root/lib64/"
            cp -L /lib/ld-musl-x86_64.so.1 "$root/lib/"
            [ "$cc $flags" != "gcc -pie -fPIE" ] || linked "$root/everyday"
            mkfs.erofs "$BATS_TEST_TMPDIR/$number.erofs" "$root" >/dev/null 2>&1
            run env -i HOME=/h "$BUILD/src/vm/skerry-vmm" --deadline-ms 60000 --image "$BATS_TEST_TMPDIR/$number.erofs" \
                -- /everyday word </dev/null
            echo "$cc $flags: $status $output"
            [ "$status" -eq 3 ]
            [ "$output" = "2 word /h 45 0.333 1 1" ]
        done
    done
}

@test "the clocks are read from the vDSO, without a call" {
    gcc -O1 -static -o "$BATS_TEST_TMPDIR/everyday" "$SRC/tests/vm/everyday.c" -pthread
    run --separate-stderr "$BUILD/src/vm/skerry-vmm" --stages --deadline-ms 60000 -- "$BATS_TEST_TMPDIR/everyday" clocks </dev/null
    [ "$output" = "1 0 1" ]
    [[ $stderr =~ calls\ ([0-9]+), ]]
    [ "${BASH_REMATCH[1]}" -lt 1000 ]
}

@test "openssl speed" {
    run guest openssl speed -seconds 1 -bytes 1024 sha256 </dev/null
    [ "$status" -eq 0 ]
    [[ $output == *sha256* ]]
}

@test "a script runs by the interpreter that it names" {
    mkdir "$BATS_TEST_TMPDIR/root"
    mkdir "$BATS_TEST_TMPDIR/root/bin"
    cp -L /bin/busybox "$BATS_TEST_TMPDIR/root/bin/sh"
    printf '#!/bin/sh -e\necho "script $0 $1"\n' >"$BATS_TEST_TMPDIR/root/run"
    chmod 755 "$BATS_TEST_TMPDIR/root/run"
    mkfs.erofs "$BATS_TEST_TMPDIR/s.erofs" "$BATS_TEST_TMPDIR/root" >/dev/null 2>&1
    run "$BUILD/src/vm/skerry-vmm" --deadline-ms 60000 --image "$BATS_TEST_TMPDIR/s.erofs" -- /run x </dev/null
    [ "$status" -eq 0 ]
    [ "$output" = "script /run x" ]
}

@test "what is not there, and what is no program" {
    run -127 guest nothing </dev/null
    [ "$output" = "skerry: nothing: not found" ]
    run guest /etc </dev/null
    [ "$status" -eq 126 ]
    [ "$output" = "skerry: /etc: not executable" ]
}
