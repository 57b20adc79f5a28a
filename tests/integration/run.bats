#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# skerry run: every option and every way to end, with real programs.

bats_require_minimum_version 1.5.0

# What a user without root is to use must lie where that user gets to, which the build may not.
setup_file() {
    mkdir -p "$BATS_FILE_TMPDIR/bin"
    chmod a+x "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_FILE_TMPDIR/bin" "$BATS_FILE_TMPDIR/.."
    cp "$BUILD/src/cli/skerry" "$BUILD/src/jail/skerry-zygote" "$BATS_FILE_TMPDIR/bin"
}

setup() {
    skerry=$BUILD/src/cli/skerry
    chmod a+x "$BATS_TEST_TMPDIR" "$BATS_TEST_TMPDIR/.."
    dir=$BATS_TEST_TMPDIR
    status_file=$dir/status.json
    cd "$dir"
}

# skerry as a user without root.
unprivileged() {
    setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all \
        "$BATS_FILE_TMPDIR/bin/skerry" "$@"
}

# Waits for an event; what hangs is ended by the runner.
wait_until() { # command...
    until "$@" >/dev/null 2>&1; do sleep 0.01; done
}

wait_for() { # wait_for PATTERN: a process whose whole command line matches; its id
    wait_until pgrep -x -f "$1"
    pgrep -x -f "$1"
}

outcome() {
    jq -r "$1" "$status_file"
}

script() { # script NAME: an executable from stdin
    cat >"$dir/$1"
    chmod 755 "$dir/$1"
}

# --- how it ends ---

@test "the program's status is ours, and nothing is said" {
    for code in 0 1 37 255; do
        run --separate-stderr "$skerry" run sh -c "exit $code"
        [ "$status" -eq "$code" ]
        [ -z "$output$stderr" ]
    done
}

@test "statuses that are also ours come without a line of ours" {
    for code in 123 124 125 126 127; do
        run "-$code" --separate-stderr "$skerry" run --status-file "$status_file" sh -c "exit $code"
        [ -z "$stderr" ]
        [ "$(outcome .outcome)" = exited ]
        [ "$(outcome .status)" = "$code" ]
    done
}

@test "a death by signal n is 128+n" {
    run --separate-stderr "$skerry" run --status-file "$status_file" python3 -c '
import ctypes; ctypes.string_at(0)'
    [ "$status" -eq 139 ]
    [[ $stderr == "skerry: python3 was ended by signal 11 (Segmentation fault)" ]]
    [ "$(outcome .outcome)" = signalled ]
    [ "$(outcome .signal)" = SEGV ]
    run --separate-stderr "$skerry" run --status-file "$status_file" sh -c 'kill -TERM $$; sleep 9'
    [ "$status" -eq 143 ]
    [ "$(outcome .signal)" = TERM ]
    run --separate-stderr "$skerry" run python3 -c 'import os; os.abort()'
    [ "$status" -eq 134 ]
}

@test "a program that is not there is 127" {
    run -127 --separate-stderr "$skerry" run --status-file "$status_file" no-such-program
    [[ $stderr == "skerry: program no-such-program is not in the sandbox's PATH"* ]]
    [ "$(outcome .outcome)" = failed ]
    [ "$(outcome .exit_code)" = 127 ]
    run -127 --separate-stderr "$skerry" run ./no-such-program
    [[ $stderr == "skerry: find the program ./no-such-program: No such file or directory" ]]
    run -127 "$skerry" run /usr/bin/no-such-program
    script orphan <<<'#!/no/such/interpreter'
    run -127 "$skerry" run ./orphan
}

@test "a program that cannot be executed is 126" {
    echo data >data
    run --separate-stderr "$skerry" run ./data
    [ "$status" -eq 126 ]
    [[ $stderr == *"try chmod +x" ]]
    run "$skerry" run "$dir"
    [ "$status" -eq 126 ]
    script garbage <<<$'\x7fELF garbage'
    run --separate-stderr "$skerry" run ./garbage
    [ "$status" -eq 126 ]
    [[ $stderr == *"Exec format error"* ]]
    script hidden <<<'#!/bin/sh'
    chmod 700 hidden
    run --separate-stderr "$skerry" run ./hidden
    [ "$status" -eq 126 ]
    [[ $stderr == *"must be allowed to read and execute it" ]]
}

@test "a wrong command line is 123 and names the mistake" {
    run "$skerry" run
    [ "$status" -eq 123 ]
    [[ $output == "skerry: run: no PROGRAM was named"* ]]
    run "$skerry" run --men 1M true
    [ "$status" -eq 123 ]
    [[ $output == "skerry: run: unknown option --men (did you mean --mem?)"* ]]
    run "$skerry" run --net host true
    [ "$status" -eq 123 ]
    run "$skerry" run --rootfs / --image x true
    [ "$status" -eq 123 ]
    run "$skerry" run --tier wasm true
    [ "$status" -eq 123 ]
    run "$skerry" run --user root true
    [ "$status" -eq 123 ]
    run "$skerry" run --env PATH true
    [ "$status" -eq 123 ]
    run "$skerry" run --mem 4K true
    [ "$status" -eq 123 ]
}

@test "a sandbox that cannot be set up is 125" {
    run "$skerry" run --rootfs "$dir/none" true
    [ "$status" -eq 125 ]
    run "$skerry" run --rootfs / true
    [ "$status" -eq 123 ] # the machine's own root is refused before anything is tried
    run --separate-stderr "$skerry" run --cwd /no/where true
    [ "$status" -eq 125 ]
    [[ $stderr == *"/no/where"* ]]
    run "$skerry" run --image no-such-image --state "$dir" true
    [ "$status" -eq 125 ]
    run "$skerry" run --status-file "$dir/none/status" true
    [ "$status" -eq 125 ]
}

@test "a timeout is 124 and leaves nothing of the sandbox" {
    script spread <<'END'
#!/bin/bash
setsid sleep 31337.25 &
(trap '' TERM INT HUP; sleep 31337.25) &
exec sleep 31337.25
END
    run --separate-stderr "$skerry" run --timeout 400ms --status-file "$status_file" ./spread
    [ "$status" -eq 124 ]
    [ "$stderr" = "skerry: /app/spread was killed: it had not ended after 400ms (--timeout)" ]
    [ "$(outcome .outcome)" = timeout ]
    run pgrep -f 'sleep 31337\.25'
    [ "$status" -eq 1 ]
}

@test "children that outlive the program die with it" {
    run "$skerry" run sh -c 'setsid sleep 31338.25 & exit 3'
    [ "$status" -eq 3 ]
    run pgrep -f 'sleep 31338\.25'
    [ "$status" -eq 1 ]
}

# --- what goes in and out ---

@test "stdin, stdout and stderr are passed through" {
    run --separate-stderr bash -c "printf 'a\\0b' | $skerry run sh -c 'cat; echo problem >&2' | od -c | head -1"
    [[ $output == *'a  \0   b'* ]]
    [ "$stderr" = problem ]
}

@test "large streams pass unharmed" {
    head -c 20000000 /dev/urandom >big
    [ "$("$skerry" run cat <big | sha256sum)" = "$(sha256sum <big)" ]
}

@test "a file is read from where it stands, and moved on" {
    printf 'one\ntwo\nthree\n' >lines
    run bash -c "{ head -c 4 >/dev/null; $skerry run head -c 4; cat; } <lines"
    [ "$output" = $'two\nthree' ]
}

@test "closed descriptors become /dev/null" {
    run bash -c "$skerry run sh -c 'cat; readlink /proc/self/fd/0' <&-"
    [ "$output" = /dev/null ]
    run bash -c "$skerry run sh -c 'echo x; exit 4' >&- 2>&-"
    [ "$status" -eq 4 ]
}

@test "a directory as a descriptor is refused" {
    run --separate-stderr "$skerry" run ls <"$dir"
    [ "$status" -eq 125 ]
    [[ $stderr == "skerry: descriptor 0 is a directory"* ]]
}

@test "no other descriptor of ours gets in" {
    run bash -c "exec 7</etc/passwd; $skerry run ls /proc/self/fd"
    [ "$output" = $'0\n1\n2\n3' ] # 3 is ls's own
}

@test "the end of a pipe ends the program as ever" {
    run bash -c "$skerry run yes | head -1; echo \${PIPESTATUS[0]}"
    [ "$output" = $'y\n141' ]
}

@test "arguments arrive as they are" {
    run "$skerry" run python3 -c 'import sys; print(sys.argv[1:])' '' 'a b' '*' $'n\nl' -- --mem
    [ "$output" = "['', 'a b', '*', 'n\\nl', '--', '--mem']" ]
    run "$skerry" run -- sh -c 'echo "$1"' sh --help
    [ "$output" = --help ]
}

@test "the environment is ours to say" {
    SECRET=1 run "$skerry" run --env A=1 -e 'B=x y' env
    [[ $output == *A=1* && $output == *'B=x y'* && $output == *PATH=* && $output == *HOME=/tmp* ]]
    [[ $output != *SECRET* ]]
    [ "$(wc -l <<<"$output")" -eq 4 ]
    run "$skerry" run --env PATH=/usr/bin --env HOME=/x env
    [ "$(sort <<<"$output")" = $'HOME=/x\nPATH=/usr/bin' ]
}

# --- what it sees ---

@test "it is an unprivileged user of its own" {
    [ "$("$skerry" run id -u)" = 1000 ]
    [ "$("$skerry" run --user 7:8 sh -c 'id -u; id -g')" = $'7\n8' ]
    [ "$("$skerry" run --user 0 id -un)" = root ]
    for user in 0 1000; do # root in the sandbox can do no more
        [ "$("$skerry" run --user $user sed -n 's/^Cap\(Prm\|Eff\|Amb\):\t//p' /proc/self/status | sort -u)" = \
            0000000000000000 ]
    done
    [ "$("$skerry" run sed -n 's/^NoNewPrivs:\t//p' /proc/self/status)" = 1 ]
}

@test "on the machine it is none of its users" {
    "$skerry" run --user 0 sleep 31339.25 &
    pid=$(wait_for 'sleep 31339\.25')
    uid=$(stat -c %u "/proc/$pid")
    kill %1
    run wait %1
    [ "$uid" -ge 65536 ]
}

@test "the machine's /usr is there, its other directories are not" {
    run "$skerry" run ls /
    [ "$output" = "$( (cd / && find bin lib lib32 lib64 libx32 sbin -maxdepth 0 -type l 2>/dev/null
        printf '%s\n' dev etc proc sys tmp usr) | sort)" ]
    run "$skerry" run ls /home /root /var
    [ "$status" -ne 0 ]
    run "$skerry" run cat /etc/shadow
    [ "$status" -ne 0 ]
    run "$skerry" run touch /usr/x /etc/x /x
    [ "$status" -ne 0 ]
    [[ $output == *"Read-only file system"* ]]
}

@test "a script of ours is shown alone" {
    echo secret >beside
    script hello.sh <<'END'
#!/bin/bash
echo "$0 $*"
ls /app
END
    run "$skerry" run ./hello.sh a b
    [ "$output" = $'/app/hello.sh a b\nhello.sh' ]
    run "$skerry" run "$dir/hello.sh"
    [[ $output == /app/hello.sh* ]]
    ln -s hello.sh link
    run "$skerry" run ./link
    [[ $output == /app/link* ]]
}

@test "a binary that lies in /usr is found through any path" {
    ln -s "$(readlink -f /usr/bin/env)" tool
    run "$skerry" run ./tool true
    [ "$status" -eq 0 ]
}

@test "--bind shows directories and files, --bind :ro without writing" {
    mkdir shown && echo text >shown/file && chmod 777 shown
    run "$skerry" run --bind shown:/data cat /data/file
    [ "$output" = text ]
    run "$skerry" run --bind "$dir/shown:/deep/down/data" sh -c 'echo new >/deep/down/data/made'
    [ "$status" -eq 0 ]
    [ "$(cat shown/made)" = new ]
    run "$skerry" run --bind shown:/data:ro touch /data/other
    [[ $output == *"Read-only file system"* ]]
    run "$skerry" run --bind shown/file:/one:ro --bind shown:/two:ro cat /one /two/file
    [ "$output" = $'text\ntext' ]
    run "$skerry" run --bind /no/where:/data true
    [ "$status" -eq 123 ]
    [[ $output == *"find /no/where: No such file or directory"* ]]
}

@test "a program below a bind is the one in the sandbox" {
    mkdir tools
    printf '#!/bin/sh\necho "$0"\n' >tools/t
    chmod 755 tools/t
    run "$skerry" run --bind tools:/opt/tools:ro /opt/tools/t
    [ "$output" = /opt/tools/t ]
}

@test "/tmp is private, has a size and is gone afterwards" {
    run "$skerry" run sh -c 'touch /tmp/skerry-was-here && ls /tmp'
    [ "$output" = skerry-was-here ]
    [ ! -e /tmp/skerry-was-here ]
    run "$skerry" run ls -A /tmp
    [ -z "$output" ]
    run "$skerry" run --tmp 1M dd if=/dev/zero of=/tmp/f bs=64k
    [ "$status" -eq 1 ]
    [[ $output == *"No space left on device"* ]]
    run "$skerry" run --tmp 1M sh -c 'head -c 1000000 /dev/zero >/tmp/f && wc -c </tmp/f'
    [ "$output" = 1000000 ]
}

@test "--cwd" {
    [ "$("$skerry" run pwd)" = / ]
    [ "$("$skerry" run --cwd /usr/lib pwd)" = /usr/lib ]
    [ "$("$skerry" run --cwd /tmp sh -c 'echo x >f; cat /tmp/f')" = x ]
}

@test "--proc pids shows nothing but processes, full masks what tells of the machine" {
    run "$skerry" run ls /proc/meminfo
    [ "$status" -ne 0 ]
    run "$skerry" run sh -c 'ls -d /proc/[0-9]* | wc -l'
    [ "$output" -le 4 ]
    run "$skerry" run --proc full cat /proc/meminfo
    [[ $output == MemTotal:* ]]
    run "$skerry" run --proc full sh -c 'cat /proc/kcore | head -c 1 | wc -c'
    [[ $output == *0 ]]
}

@test "--net own: a loopback device and nothing else; none: no sockets" {
    script net.py <<'END'
#!/usr/bin/python3
import socket
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
server.accept()[0].sendall(b"hello")
print(client.recv(9).decode(), [name for _, name in socket.if_nameindex()])
try:
    socket.create_connection(("192.0.2.1", 80), timeout=5)
except OSError as error:
    print(error.strerror)
END
    run --separate-stderr "$skerry" run --status-file "$status_file" ./net.py
    [ "$output" = $'hello [\'lo\']\nNetwork is unreachable' ]
    [ "$(outcome .usage.network_used)" = true ]
    run "$skerry" run --net none --status-file "$status_file" ./net.py
    [ "$status" -eq 1 ]
    [[ $output == *Error* ]]
    [ "$(outcome .usage.network_used)" = false ]
}

@test "--ipc none refuses System V IPC, own has it for itself" {
    script ipc.py <<'END'
#!/usr/bin/python3
import ctypes
print(ctypes.CDLL(None).shmget(0x534b, 4096, 0o1600))
END
    run "$skerry" run ./ipc.py
    [ "$output" = -1 ]
    run "$skerry" run --ipc own ./ipc.py
    [ "$output" = 0 ]
    run ipcs -m
    [[ $output != *0x0000534b* ]]
}

@test "the host name is the sandbox's" {
    [ "$("$skerry" run uname -n)" = skerry ]
}

# --- other root file systems ---

busybox_root() {
    mkdir -p root/bin root/etc
    cp "$(command -v busybox)" root/bin/busybox
    ln -s busybox root/bin/sh
    ln -s busybox root/bin/ls
    echo inner >root/etc/issue
}

@test "--rootfs" {
    busybox_root
    run "$skerry" run --rootfs root sh -c 'busybox cat /etc/issue; ls /'
    [ "$output" = $'inner\nbin\ndev\netc\nproc\nsys\ntmp' ]
    run "$skerry" run --rootfs root busybox touch /etc/new
    [ "$status" -ne 0 ]
    [ ! -e root/etc/new ]
    run -127 "$skerry" run --rootfs root python3
}

@test "--closure shows a program, its libraries and nothing else" {
    export TMPDIR=$dir/temp && mkdir "$TMPDIR"
    run "$skerry" run --closure jq -nc '{a: 1}'
    [ "$output" = '{"a":1}' ]
    run "$skerry" run --closure "$(command -v ls)" /
    [[ $output == *lib*usr* && $output != *home* && $output != *root* ]]
    run "$skerry" run --closure ls /usr/bin
    [ "$output" = ls ]
    [ -z "$(ls -A "$TMPDIR")" ] # the image was temporary
}

@test "--closure of what is no ELF program" {
    script s.sh <<<'#!/bin/sh'
    run --separate-stderr "$skerry" run --closure ./s.sh
    [ "$status" -eq 126 ]
    [[ $stderr == "skerry: "* ]]
    run -127 "$skerry" run --closure no-such-program
}

# --- limits ---

@test "--mem: too much is told apart from other deaths" {
    run --separate-stderr "$skerry" run --mem 64M --status-file "$status_file" \
        python3 -c 'x = bytearray(10**9)'
    [ "$status" -eq 137 ]
    [ "$stderr" = "skerry: python3 ran out of memory: the kernel killed for the limit of 64M; raise it with --mem" ]
    [ "$(outcome .outcome)" = out-of-memory ]
}

@test "--mem counts all processes and /tmp together" {
    run --separate-stderr "$skerry" run --mem 48M --tmp 40M --status-file "$status_file" \
        sh -c 'head -c 39M /dev/zero >/tmp/f; python3 -c "x = bytearray(30 << 20); x[::4096] = b\"x\" * len(x[::4096])"'
    [ "$status" -eq 137 ]
    [ "$(outcome .outcome)" = out-of-memory ]
    run "$skerry" run --mem 96M --tmp 40M \
        sh -c 'head -c 39M /dev/zero >/tmp/f; python3 -c "x = bytearray(30 << 20); x[::4096] = b\"x\" * len(x[::4096])"'
    [ "$status" -eq 0 ]
}

@test "--pids bounds processes" {
    run "$skerry" run --pids 8 bash -c 'for i in $(seq 20); do sleep 9 & done'
    [[ $output == *"Resource temporarily unavailable"* ]]
    run "$skerry" run --pids 40 bash -c 'for i in $(seq 20); do sleep 9 & done; kill %%; echo all'
    [ "$output" = all ]
}

@test "--cpus and --files" {
    [ "$("$skerry" run --files 77 sh -c 'ulimit -n; ulimit -Hn')" = $'77\n77' ]
    # a lower bound that the kernel enforces: 0.3 s of half a CPU are at least five periods of 0.1 s
    run "$skerry" run --cpus 0.5 python3 -c '
import time
begun, used = time.monotonic(), time.process_time()
while time.process_time() - used < 0.3: pass
print(time.monotonic() - begun >= 0.45)'
    [ "$output" = True ]
}

# --- signals to us ---

@test "Ctrl-C and SIGTERM end the sandbox; we die of them too" {
    for name in INT TERM HUP; do
        # what a shell starts in the background ignores SIGINT, and so would we
        env --default-signal "$skerry" run --status-file "$status_file" sleep 31340.25 2>err &
        pid=$!
        wait_for 'sleep 31340\.25'
        kill -$name $pid
        code=0
        wait $pid || code=$?
        [ "$code" -eq $((128 + $(kill -l $name))) ]
        [ ! -s err ]
        [ "$(outcome .outcome)" = interrupted ]
        [ "$(outcome .signal)" = $name ]
        run pgrep -x -f 'sleep 31340\.25'
        [ "$status" -eq 1 ]
    done
}

@test "if we are killed the sandbox dies too" {
    "$skerry" run sleep 31341.25 &
    pid=$!
    wait_for 'sleep 31341\.25'
    kill -KILL $pid
    wait $pid || true
    until ! pgrep -x -f 'sleep 31341\.25' >/dev/null; do sleep 0.01; done
}

@test "the next run removes what a killed one left" {
    export TMPDIR=$dir/temp && mkdir "$TMPDIR"
    "$skerry" run --closure sleep 31343.25 &
    pid=$!
    wait_for 'sleep 31343\.25|.*/sleep 31343\.25'
    kill -KILL $pid
    wait $pid || true
    ls -d "$TMPDIR"/skerry-run-* # it had no time to remove it
    swept() {
        "$skerry" run true
        [ -z "$(ls -A "$TMPDIR")$(find /sys/fs/cgroup -name "skerry-$pid-*" 2>/dev/null)" ]
    }
    wait_until swept # once the last process has left its control group
}

@test "an ignored SIGHUP stays ignored" {
    mkfifo in
    bash -c "trap '' HUP; exec $skerry run sh -c 'echo ready; read x; exit 5'" <in >out &
    pid=$!
    exec 7>in
    wait_until grep -q ready out
    kill -HUP $pid
    echo >&7
    exec 7>&-
    code=0
    wait $pid || code=$?
    [ "$code" -eq 5 ]
}

# --- the rest ---

@test "--status-file and --stages tell how it went" {
    run --separate-stderr "$skerry" run --stages --status-file "$status_file" sh -c 'exit 6'
    [ "$status" -eq 6 ]
    [ "$(awk '{print $1}' <<<"$stderr" | tr '\n' ' ')" = "template cloned furnished taken exec exit " ]
    [ "$(outcome '.outcome, .exit_code, .status, .program' | tr '\n' ' ')" = "exited 6 6 sh " ]
    [ "$(outcome '[.stages_us[]] | length == 6 and all(. >= 0)')" = true ]
    [ "$(outcome '.usage.maxrss_kib > 0')" = true ]
}

@test "ten at once" {
    for i in $(seq 10); do
        "$skerry" run sh -c "sleep 0.2; exit $i" &
        pids[i]=$!
    done
    for i in $(seq 10); do
        code=0
        wait "${pids[i]}" || code=$?
        [ "$code" -eq "$i" ]
    done
}

@test "--help" {
    run "$skerry" run --help
    [ "$status" -eq 0 ]
    [[ $output == *"--host-usr"*"Exit status:"* ]]
}

# --- without root ---

@test "a user without root runs the same, and is told what is not limited" {
    script where.sh <<'END'
#!/bin/sh
id -u
cat
exit 9
END
    run --separate-stderr unprivileged run ./where.sh <<<input
    [ "$status" -eq 9 ]
    [ "$output" = $'1000\ninput' ]
    [ "$(wc -l <<<"$stderr")" -eq 1 ]
    [[ $stderr == "skerry: memory, "*"cannot be limited"* ]]
}

@test "a user without root: --strict refuses" {
    run --separate-stderr unprivileged run --strict true
    [ "$status" -eq 125 ]
    [[ $stderr == *"refused because of --strict" ]]
}

@test "a user without root has the same ways to end" {
    run -127 unprivileged run no-such-program
    run unprivileged run --timeout 300ms sleep 31342.25
    [ "$status" -eq 124 ]
    run pgrep -f 'sleep 31342\.25'
    [ "$status" -eq 1 ]
    run unprivileged run python3 -c 'import ctypes; ctypes.string_at(0)'
    [ "$status" -eq 139 ]
    run unprivileged run --rootfs "$dir/none" true
    [ "$status" -eq 125 ]
}

@test "a user without root has /tmp, network, binds, a user number and no capabilities" {
    mkdir shown && echo text >shown/file
    chmod 755 "$dir" shown
    run --separate-stderr unprivileged run --user 33:44 --bind "$dir/shown:/data:ro" sh -c '
        id -u; id -g; cat /data/file; touch /data/x 2>&1; echo x >/tmp/f && cat /tmp/f
        sed -n "s/^CapEff:\t//p" /proc/self/status'
    [[ $output == $'33\n44\ntext\n'*$'Read-only file system\nx\n0000000000000000' ]]
    run --separate-stderr unprivileged run python3 -c '
import socket
print(socket.create_server(("127.0.0.1", 0)).getsockname()[0], [n for _, n in socket.if_nameindex()])'
    [ "$output" = "127.0.0.1 ['lo']" ]
}

@test "a user without root can use --rootfs and --closure" {
    busybox_root
    chmod 755 "$dir" root root/bin root/etc
    run --separate-stderr unprivileged run --rootfs "$dir/root" sh -c 'busybox cat /etc/issue'
    [ "$output" = inner ]
    export TMPDIR=$dir/temp && mkdir -m 1777 "$TMPDIR"
    run --separate-stderr unprivileged run --closure jq -nc '[1]'
    [ "$output" = '[1]' ]
    [ -z "$(ls -A "$TMPDIR")" ]
}
