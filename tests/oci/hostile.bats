#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Images, configurations and programs that attack the runtime, named by the faults they were in others.

load bundle.bash

setup_more() {
    mkdir -p "$dir/victim"
    echo precious >"$dir/victim/file"
    chmod -R a+rwX "$dir/victim"
}

victim_is_whole() {
    [ "$(ls -A "$dir/victim")" = file ]
    [ "$(<"$dir/victim/file")" = precious ]
}

@test "CVE-2019-5736: the runtime is not overwritten through /proc/self/exe by what exec starts" {
    sum=$(sha256sum <"$runtime")
    # what exec is to start is the runtime itself, as the kernel sees it
    printf '#!/proc/self/exe\n' >"$bundle/rootfs/evil"
    chmod 755 "$bundle/rootfs/evil"
    script <<<'touch /shared/ready
        n=0; while [ ! -e /shared/over ]; do
            for p in /proc/[0-9]*; do
                [ "$p" = /proc/1 ] && continue
                exe=$(readlink $p/exe 2>/dev/null) || continue
                case $exe in /bin/*) continue ;; esac
                (exec 9<$p/exe) 2>/dev/null && { exec 9<$p/exe; echo "$exe" >>/shared/seen; echo evil >/proc/self/fd/9 && echo wrote >>/shared/wrote; }
            done
        done 2>/dev/null'
    configure '.process.capabilities.bounding += ["CAP_SYS_PTRACE"] | .process.capabilities.effective = .process.capabilities.bounding | .process.capabilities.permitted = .process.capabilities.bounding'
    detached
    wait_until test -e "$dir/shared/ready"
    for _ in 1 2 3 4 5; do
        timeout 20 "$runtime" --root "$state" exec "$id" /evil </dev/null >"$dir/out" 2>&1 3>&- || true
        timeout 20 "$runtime" --root "$state" exec "$id" true </dev/null >"$dir/out" 2>&1 3>&- || true
    done
    touch "$dir/shared/over"
    stopped
    [ ! -e "$dir/shared/wrote" ]
    [ "$(sha256sum <"$runtime")" = "$sum" ]
}

@test "CVE-2019-5736: #!/proc/self/exe as the container's program" {
    sum=$(sha256sum <"$runtime")
    printf '#!/proc/self/exe\n' >"$bundle/rootfs/evil"
    chmod 755 "$bundle/rootfs/evil"
    program /evil
    run --separate-stderr timeout 20 "$runtime" --root "$state" run --bundle "$bundle" "$id" </dev/null 3>&-
    say
    [ "$status" -ne 0 ]
    [ "$status" -ne 124 ]
    [ "$(sha256sum <"$runtime")" = "$sum" ]
    no grep -Eqi 'usage|unknown (verb|command)|no help topic' <<<"$output$stderr" # it did not run as the runtime
}

@test "CVE-2019-5736: who runs for the runtime in a container has no way to its file, at no moment" {
    ours_only "others hide behind a copy of themselves"
    printf '#!/proc/self/exe\n' >"$bundle/rootfs/evil"
    chmod 755 "$bundle/rootfs/evil"
    program sleep 1000
    detached
    file=$(stat -L -c %d:%i "$runtime")
    for call in setns setsid execve; do
        exec_stopped_at "$call" /evil
        [ "$(stat -L -c %d:%i "/proc/$guest/exe")" != "$file" ]
        no grep -F "$(readlink -f "$runtime")" "/proc/$guest/maps"
        resume || true # evil cannot be executed
    done
}

@test "CVE-2019-5736: no descriptor of the runtime's file, and no writable exe link, is in the container" {
    script <<<'for p in /proc/[0-9]*; do ls -l $p/exe $p/fd 2>/dev/null; done'
    attached
    no grep -Eq 'skerry-oci|runc|crun' <<<"$output"
    program sleep 1000
    detached
    inside sh -c 'for p in /proc/[0-9]*; do ls -l $p/exe $p/fd; done 2>/dev/null'
    no grep -Eq 'skerry-oci|/runc|/crun' <<<"$output"
}

@test "CVE-2019-19921, 2023-27561: a rootfs whose /proc is a symlink" {
    for target in /home/user /tmp ../../../../../../tmp "$dir/victim"; do
        rm -rf "$bundle/rootfs/proc"
        ln -s "$target" "$bundle/rootfs/proc"
        program true
        refused "/proc"
        victim_is_whole
    done
    [ -z "$(grep "$dir/victim" /proc/self/mountinfo)" ]
}

@test "CVE-2023-28642: a rootfs whose /sys is a symlink" {
    rm -rf "$bundle/rootfs/sys"
    for target in /tmp "$dir/victim"; do
        ln -sfn "$target" "$bundle/rootfs/sys"
        program true
        refused "/sys"
        victim_is_whole
    done
    [ ! -e "$bundle/rootfs/tmp/firmware" ]
}

@test "an image whose /dev, /dev/pts, /dev/shm or /dev/mqueue is a symlink out" {
    for link in dev dev/pts dev/shm; do
        rm -rf "$bundle/rootfs/dev"
        mkdir -p "$bundle/rootfs/$(dirname $link)"
        ln -s "$dir/victim" "$bundle/rootfs/$link"
        configure '.mounts |= map(select(.destination | startswith("/dev") | not))'
        configure '.mounts += [{destination: "/dev/pts", type: "devpts", source: "devpts", options: ["newinstance", "ptmxmode=0666"]},
            {destination: "/dev/shm", type: "tmpfs", source: "shm"}]'
        script <<<'echo in; ls -l /dev/null'
        attached
        victim_is_whole
        rm -rf "$bundle/rootfs/dev"
        mkdir "$bundle/rootfs/dev"
    done
}

@test "destinations that are symlinks out of the image stay inside" {
    ln -s ../../../../../../../.."$dir/victim" "$bundle/rootfs/out"
    ln -s "$dir/victim" "$bundle/rootfs/abs"
    ln -s /proc/1/root/tmp "$bundle/rootfs/magic"
    echo from >"$dir/source"
    for destination in /out/new /abs/new /abs/deep/er /out/file /abs; do
        configure --arg d "$destination" --arg s "$dir/source" '.mounts |= map(select(.source != $s)) + [{destination: $d, type: "bind", source: $s, options: ["bind"]}]'
        program true
        attached
        victim_is_whole
    done
    configure --arg s "$dir/source" '.mounts |= map(select(.source != $s)) + [{destination: "/magic/new", type: "bind", source: $s, options: ["bind"]}]'
    attached
    [ ! -e /tmp/new ]
    [ -z "$(grep "$dir/victim" /proc/self/mountinfo)" ]
}

@test "cwd through a symlink out is made inside, and masked paths through one stay inside" {
    ln -s "$dir/victim" "$bundle/rootfs/abs"
    mkdir -p "$bundle/rootfs$dir/victim"
    echo inner >"$bundle/rootfs$dir/victim/file"
    configure '.process.cwd = "/abs/made" | .linux.maskedPaths += ["/abs/file"] | .linux.readonlyPaths += ["/abs"]'
    script <<<'pwd -P; cat /abs/file; touch /abs/new && echo wrote; true'
    attached
    [ "$status" -eq 0 ]
    [ "$output" = "$dir/victim/made" ]
    victim_is_whole
}

@test "CVE-2021-30465: a directory that is exchanged with a symlink while it is mounted to" {
    printf '#include <stdio.h>\n#include <fcntl.h>\n#include <sys/syscall.h>\n#include <unistd.h>\nint main(int n, char **a) { (void)n; for (;;) syscall(SYS_renameat2, AT_FDCWD, a[1], AT_FDCWD, a[2], 2u); }\n' >"$dir/exchange.c"
    cc -o "$dir/exchange" "$dir/exchange.c" || skip "no compiler"
    mkdir -p "$dir/shared/a" "$dir/source"
    touch "$dir/source/mine"
    ln -s "$dir/victim" "$dir/shared/b"
    "$dir/exchange" "$dir/shared/a" "$dir/shared/b" 3>&- &
    exchanger=$!
    configure --arg s "$dir/source" '.mounts += [range(10) | {destination: "/shared/a/\(.)", type: "bind", source: $s, options: ["rbind"]}, {destination: "/shared/a", type: "tmpfs", source: "t"}]'
    script <<<'grep -c victim /proc/self/mountinfo; ls /shared/a /shared/b 2>/dev/null | grep -x file; true'
    for _ in $(seq 20); do
        run --separate-stderr oci run --bundle "$bundle" "$id" </dev/null
        no grep -qx file <<<"$output" || { kill -KILL "$exchanger"; say; false; }
        [ "$(ls -A "$dir/victim")" = file ] || { kill -KILL "$exchanger"; ls "$dir/victim"; false; }
    done
    kill -KILL "$exchanger"
    victim_is_whole
}

@test "CVE-2023-25809: the cgroup mount of a user namespace without its own is not writable on the host" {
    configure '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 0, size: 65536}] | .linux.gidMappings = .linux.uidMappings |
        .mounts += [{destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["ro", "nosuid", "nodev", "noexec"]}]'
    script <<<'for f in $(find /sys/fs/cgroup -name cgroup.procs); do echo $$ >$f && echo wrote; done; d=$(find /sys/fs/cgroup -type d | tail -1); mkdir $d/x && echo wrote; true'
    attached
    no grep -q wrote <<<"$output"
}

@test "CVE-2024-21626: cwd, args and exec --cwd through descriptors of the runtime" {
    for n in 3 4 5 6 7 8 9 10 11 12 13 14; do
        configure --arg cwd "/proc/self/fd/$n" '.process.cwd = $cwd'
        script <<<'ls ../../../../../../../../.. | grep -x boot; cat ../../../../../../../../..'"$dir"'/victim/file; true'
        run --separate-stderr oci run --bundle "$bundle" "$id" </dev/null
        no grep -Eq 'precious|boot' <<<"$output" || { say; false; }
    done
    victim_is_whole
    configure '.process.cwd = "/"'
    ln -s /proc/self/fd/7/.. "$bundle/rootfs/link"
    program sleep 1000
    detached
    for cwd in /proc/self/fd/3 /proc/self/fd/5 /proc/self/fd/7 /proc/self/fd/8 /link /proc/1/cwd; do
        run --separate-stderr oci exec --cwd "$cwd" "$id" sh -c "cat ../../../../../../../../..$dir/victim/file; pwd -P" </dev/null
        no grep -q precious <<<"$output" || { say; false; }
    done
}

@test "CVE-2024-45310: no files or directories are made on the host when a directory is exchanged" {
    cc -x c -o "$dir/exchange" - <<<'#include <stdio.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int n, char **a) { (void)n; for (;;) syscall(SYS_renameat2, AT_FDCWD, a[1], AT_FDCWD, a[2], 2u); }' || skip "no compiler"
    mkdir -p "$dir/shared/a"
    ln -s "$dir/victim" "$dir/shared/b"
    "$dir/exchange" "$dir/shared/a" "$dir/shared/b" 3>&- &
    exchanger=$!
    echo x >"$dir/source"
    configure --arg s "$dir/source" '.mounts += [range(10) | {destination: "/shared/a/dir\(.)/f", type: "bind", source: $s, options: ["bind"]}]'
    program true
    for _ in $(seq 20); do
        oci run --bundle "$bundle" "$id" >"$dir/out" 2>&1 </dev/null || true
        rm -rf "$dir/shared/a/"dir* 2>/dev/null || true
    done
    kill -KILL "$exchanger"
    victim_is_whole
}

@test "CVE-2025-31133: /dev/null replaced by a symlink before masking masks nothing of the host's" {
    cat >"$dir/hook" <<'HOOK'
#!/bin/sh
cat >/dev/null 2>&1
HOOK
    rm -rf "$bundle/rootfs/dev"
    mkdir "$bundle/rootfs/dev"
    ln -s /proc/sys/kernel/core_pattern "$bundle/rootfs/dev/null"
    configure '.mounts |= map(select(.destination | startswith("/dev") | not)) | .linux.maskedPaths = ["/proc/kcore", "/proc/keys"]'
    before=$(cat /proc/sys/kernel/core_pattern)
    script <<<'cat /proc/kcore | head -c 10 | wc -c; cat /proc/keys | head -c 100; echo "|/evil" >/proc/keys && echo wrote; true'
    attached
    if [ "$status" -eq 0 ]; then
        [ "${lines[0]}" = 0 ]
        no grep -q core <<<"$output"
    fi
    [ "$(cat /proc/sys/kernel/core_pattern)" = "$before" ]
}

@test "CVE-2025-52565: /dev/console through a symlink" {
    for link in /proc/sysrq-trigger "$dir/victim/file" ../../../../../../../.."$dir/victim/file" /proc/sys/kernel/core_pattern; do
        rm -rf "$bundle/rootfs/dev"
        mkdir "$bundle/rootfs/dev"
        ln -s "$link" "$bundle/rootfs/dev/console"
        configure '.process.terminal = true | .mounts |= map(select(.destination != "/dev" and .destination != "/dev/shm" and .destination != "/dev/mqueue"))'
        script <<<'echo ran; grep -E "sysrq|core_pattern|victim|console" /proc/self/mountinfo; true'
        run python3 "$tools/on-terminal.py" "$runtime" --root "$state" run --bundle "$bundle" "$id"
        echo "$output"
        grep -q '/dev/console' <<<"$output"
        no grep -q ran <<<"$output"
        victim_is_whole
    done
}

@test "CVE-2025-52881: writes to /proc that the image redirects: a /proc that is no proc" {
    # /proc of the image is a plain directory with links where the runtime writes, and nothing is mounted over it
    rm -rf "$bundle/rootfs/proc"
    mkdir -p "$bundle/rootfs/proc/self/attr" "$bundle/rootfs/proc/thread-self/attr" "$bundle/rootfs/proc/sys/net/ipv4" "$bundle/rootfs/proc/sys/kernel"
    for name in self/oom_score_adj self/attr/exec self/attr/apparmor thread-self/attr/exec sys/net/ipv4/ip_forward sys/kernel/shm_rmid_forced self/timens_offsets self/loginuid; do
        mkdir -p "$bundle/rootfs/proc/$(dirname $name)"
        ln -s "$dir/victim/file" "$bundle/rootfs/proc/$name"
    done
    configure '.mounts |= map(select(.destination != "/proc")) | .process.oomScoreAdj = 500 | .linux.sysctl = {"net.ipv4.ip_forward": "1", "kernel.shm_rmid_forced": "1"}'
    program true
    attached
    victim_is_whole
    no grep -q 1 "$bundle/rootfs/proc/self/oom_score_adj" 2>/dev/null
}

@test "CVE-2025-52881: a /proc that is a tmpfs or a bind of the image" {
    mkdir -p "$bundle/rootfs/fake/sys/net/ipv4"
    echo 7 >"$bundle/rootfs/fake/sys/net/ipv4/ip_forward"
    configure --arg s "$bundle/rootfs/fake" '.mounts |= map(if .destination == "/proc" then {destination: "/proc", type: "bind", source: $s, options: ["rbind"]} else . end) |
        .linux.sysctl = {"net.ipv4.ip_forward": "1"}'
    program true
    attached
    # refused, or the namespace's own value was set through a proc of the runtime's own
    [ "$(<"$bundle/rootfs/fake/sys/net/ipv4/ip_forward")" = 7 ]
}

@test "files of the image that the host side reads or writes are not followed out: passwd, group, resolv.conf" {
    rm "$bundle/rootfs/etc/passwd" "$bundle/rootfs/etc/group"
    ln -s "$dir/victim/file" "$bundle/rootfs/etc/passwd"
    mkfifo "$bundle/rootfs/etc/group"
    program id -u
    attached
    [ "$output" = 0 ]
    [ "$status" -eq 0 ]
    ln -s "$dir/victim/new" "$bundle/rootfs/etc/resolv.conf"
    echo nameserver >"$dir/source"
    configure --arg s "$dir/source" '.mounts += [{destination: "/etc/resolv.conf", type: "bind", source: $s, options: ["bind", "ro"]}]'
    attached
    victim_is_whole
}

@test "HOME comes from the environment, not from what a passwd of the image makes of it" {
    printf 'root:x:0:0::/evil\nPATH=/evil:/bin/sh\n' >"$bundle/rootfs/etc/passwd"
    program sh -c 'echo $HOME $PATH'
    attached
    [ "$output" = "/root /bin" ]
}

@test "a program that fills its stderr while the runtime fails does not hang it" {
    script <<<'head -c 1000000 /dev/zero >&2; echo end'
    attached
    [ "$output" = end ]
}

@test "the runtime's environment, files and keyrings are not seen inside" {
    script <<<'cat /proc/1/environ | tr "\0" "\n"; cat /proc/self/mountinfo | grep -c state'
    SECRET_OF_CALLER=1 attached
    no grep -q SECRET_OF_CALLER <<<"$output"
}

# The container's first process looks at every other process each time it is asked to.
looker() {
    configure '.process.capabilities.bounding += ["CAP_SYS_PTRACE"] | .process.capabilities.effective = .process.capabilities.bounding | .process.capabilities.permitted = .process.capabilities.bounding'
    script <<<'touch /shared/ready; while :; do
        while [ ! -e /shared/look ]; do sleep 0.05; done
        for p in /proc/[0-9]*; do [ $p = /proc/1 ] || { echo $p; cat $p/maps; tr "\0" "\n" <$p/environ; ls -l $p/fd; } >>/shared/saw 2>/dev/null; done
        rm /shared/look; done'
    detached
    wait_until test -e "$dir/shared/ready"
}

look() {
    rm -f "$dir/shared/saw"
    touch "$dir/shared/look"
    wait_until test ! -e "$dir/shared/look"
    cat "$dir/shared/saw"
    grep -q /proc "$dir/shared/saw" # it did see the process
}

# Seen to fail with the program not hidden.
@test "with CAP_SYS_PTRACE the container finds nothing in who enters it" {
    ours_only "others are dumpable then, or hide behind a copy of themselves"
    looker
    export SECRET_OF_CALLER=1
    exec_stopped_at setsid true
    look
    resume
    no grep -E 'SECRET_OF_CALLER|skerry-oci$|/runc|/crun' "$dir/shared/saw"
    no grep -E -- '-> /[^ ]' <(grep -v -- '-> /dev/null' "$dir/shared/saw" | grep -v -- "-> .*/out$")
}

@test "an image whose /etc/passwd is a FIFO holds nobody up" {
    mkdir -p "$bundle/rootfs/etc"
    rm -f "$bundle/rootfs/etc/passwd"
    mkfifo "$bundle/rootfs/etc/passwd"
    configure '.process.env = ["PATH=/bin"]'
    script <<<'echo ran'
    attached
    [ "$output" = ran ]
}

# Seen to fail with the process left dumpable.
@test "who joins a container's user namespace is out of its root's reach (CVE-2016-9962)" {
    chown -R 100000:100000 "$bundle/rootfs" # the mapped root's
    chmod 777 "$dir/shared" && chmod 755 "$dir" "$bundle"
    configure '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] |
        .linux.gidMappings = .linux.uidMappings'
    looker
    exec_stopped_at setsid true
    look
    resume
    no grep -vE '^/proc/[0-9]+$|^total 0$' "$dir/shared/saw"
}
