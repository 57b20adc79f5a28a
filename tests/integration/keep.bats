#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The namespaces of a request are kept for the next one exactly when nothing can tell. The function
# is a shell that runs its request's body; one slot, so that the next request comes where the last was.

load daemon.bash

setup() {
    daemon_start
    deploy script 'exec sh' '{"concurrency": 1}'
}

teardown() {
    daemon_teardown
}

number() { # the program's process number: 2 in a new pid namespace, then 3, 4, ...
    call script --data-binary 'echo $$'
    [ "$code" = 200 ]
}

kept_after() { # SCRIPT: it and the next program ran where the one before had
    local before
    number
    before=$output
    call script --data-binary "$1"
    number
    [ "$output" = $((before + 2)) ]
}

new_after() { # SCRIPT
    number
    call script --data-binary "$1"
    number
    [ "$output" = 2 ]
}

@test "namespaces are kept after a program that left no trace" {
    kept_after ':'
    kept_after 'exit 3'
    kept_after 'kill -TERM $$'
    kept_after 'exec cat /etc/passwd /proc/self/status'
    kept_after 'exec ls /tmp'
}

@test "a program that made a process or thread has namespaces of its own" {
    new_after '(exit 0)'
    new_after 'sleep 1000 &'
    new_after 'exec python3 -c "import threading; t = threading.Thread(target=print); t.start(); t.join()"'
}

@test "a program that touched /tmp has namespaces of its own, also when it left nothing there" {
    new_after ': >/tmp/x'
    call script --data-binary 'echo /tmp/* /tmp/.*'
    [ "$output" = '/tmp/* /tmp/. /tmp/..' ]
    new_after 'exec mkdir /tmp/d'
    new_after 'exec python3 -c "import os; open(\"/tmp/x\", \"w\"); os.unlink(\"/tmp/x\")"'
    new_after 'exec python3 -c "import os; os.close(os.open(\"/tmp\", os.O_TMPFILE | os.O_RDWR))"'
    new_after 'exec python3 -c "import os; os.link(\"/proc/self/fd/%d\" % os.open(\"/tmp\", os.O_TMPFILE | os.O_RDWR), \"/tmp/x\")"'
    new_after ': >/dev/shm/x'
}

@test "a program that was given a network has namespaces of its own" {
    new_after 'exec python3 -c "import socket; socket.socket()"'
    new_after 'exec python3 -c "import socket; socket.socketpair()"'
}

@test "a program that was killed has namespaces of its own" {
    new_after 'kill -KILL $$'
    deploy script 'exec sh' '{"concurrency": 1, "timeout": "1s"}'
    new_after 'exec sleep 1000'
}

@test "a lock in a message that nobody will read is not seen by the next program" {
    local lock='import array, fcntl, os, socket
fds = array.array("i", [os.open(path, os.O_RDONLY) for path in ("/tmp", "/proc")])
for fd in fds:
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
ends = socket.socketpair()
ends[0].sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
ends[0].sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [end.fileno() for end in ends]))])
print("locked")'
    deploy script 'exec python3 -c "$(cat)"' '{"concurrency": 1, "net": "none"}'
    for _ in 1 2 3 4 5; do
        call script --data-binary "$lock"
        [ "$output" = locked ]
    done
}

@test "pid 1 of a sandbox cannot be looked at" {
    local look='import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
for clock in (6, 2):
    print(libc.clock_gettime(ctypes.c_int(~1 << 3 | clock & 7), ctypes.create_string_buffer(16)))
print(libc.syscall(434, 1, 0), ctypes.get_errno())
try:
    os.open("/proc/1", os.O_PATH)
except OSError as error:
    print(error.strerror)'
    deploy script 'exec python3 -c "$(cat)"' '{"concurrency": 1}'
    call script --data-binary "$look"
    [ "$output" = $'-1\n-1\n-1 1\nNo such file or directory' ]
}

@test "who is uid 0 of its sandbox, has IPC of its own, the whole /proc, or asks for it, always has new namespaces" {
    deploy script 'exec sh' '{"concurrency": 1, "user": "0:0"}'
    new_after ':'
    deploy script 'exec sh' '{"concurrency": 1, "ipc": "own"}'
    new_after ':'
    deploy script 'exec sh' '{"concurrency": 1, "renew": "all"}'
    new_after ':'
    deploy script 'exec sh' '{"concurrency": 1, "proc": "full"}' # its files keep the time of their first use
    new_after ':'
}

@test "programs in kept namespaces see nothing of each other" {
    local probe='import os, resource
print(sorted(n for n in os.listdir("/proc") if n.isdigit()) == [str(os.getpid())], os.path.exists("/proc/1"),
      os.listdir("/tmp"), resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime, os.getpgid(0) == os.getpid(),
      resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 100, os.umask(0o22) == 0o22, os.getcwd())'
    for _ in 1 2 3; do
        call script --data-binary 'ulimit -n 50; umask 0; cd /usr; exec true'
        call script --data-binary "exec python3 -c '$probe'"
        [ "$output" = "True False [] 0.0 True True True /" ]
    done
}

late_or_done() { # 503: no sandbox before the deadline; a sandbox that was lost would be 502
    [[ $code =~ ^(200|503|504)$ ]]
}

@test "a call that is killed as it ends does not take the next one with it" {
    deploy script 'exec sh' '{"concurrency": 1, "timeout": "30ms"}'
    for i in $(seq 40); do # some end just before their deadline, some just after
        call script --data-binary "exec sleep 0.0$((18 + i % 10))"
        late_or_done
        call script --data-binary ':'
        late_or_done
    done
}
