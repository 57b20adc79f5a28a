#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# seccomp of config.json: actions, arguments, flags, the listener.

load bundle.bash

seccomp() { # JSON of what is special; allowed otherwise
    configure --argjson more "$1" '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]} + $more'
}

deny() { # JSON of rules
    seccomp "{\"syscalls\": $1}"
}

@test "ERRNO with its default and with errnoRet" {
    script <<<'mkdir /tmp/a; rmdir /tmp'
    deny '[{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}, {"names": ["rmdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 18}]'
    attached
    grep -q 'mkdir.*not permitted' <<<"$stderr"
    grep -qi 'rmdir.*cross-device' <<<"$stderr"
}

@test "defaultErrnoRet, and an allow list" {
    names=$(jq -c -n '["read","write","close","fstat","mmap","mprotect","munmap","brk","rt_sigaction","rt_sigprocmask","execve","exit","exit_group","arch_prctl","set_tid_address","getuid","getgid","getpid","geteuid","getegid","openat","open","stat","lstat","newfstatat","fcntl","ioctl","prctl","prlimit64","set_robust_list","rseq","getrandom","futex","readlink","wait4","clone","fork","vfork","getppid","getcwd","poll","ugetrlimit","sigaltstack","rt_sigreturn","chdir","capset","setresuid","setresgid","setgroups","setuid","setgid","seccomp","dup2","dup3","dup","close_range","execveat","sendmsg","epoll_ctl","nanosleep","tgkill","gettid","sched_yield","getdents64","statx","capget","epoll_pwait","epoll_create1","pipe2","mlock","madvise","sched_getaffinity","eventfd2","fchdir","unlinkat","faccessat2","faccessat","access","uname","lseek","setsid","kill","umask","recvmsg","fchmod","fchown","lgetxattr","getsockopt","keyctl","pipe","exit","clone3","pread64","fstatfs","waitid","openat2","epoll_wait","name_to_handle_at","prctl","personality","restart_syscall","sendfile"]')
    configure --argjson names "$names" '.linux.seccomp = {defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 38, architectures: ["SCMP_ARCH_X86_64"],
        syscalls: [{names: $names, action: "SCMP_ACT_ALLOW"}]}'
    script <<<'echo alive; mkdir /tmp/a'
    attached
    [ "${lines[0]}" = alive ]
    grep -q 'mkdir.*not implemented' <<<"$stderr"
}

@test "KILL_PROCESS, KILL_THREAD and KILL end the caller by SIGSYS" {
    for action in SCMP_ACT_KILL SCMP_ACT_KILL_PROCESS SCMP_ACT_KILL_THREAD; do
        script <<<'mkdir /tmp/a; echo $?'
        deny "[{\"names\": [\"mkdir\", \"mkdirat\"], \"action\": \"$action\"}]"
        attached
        [ "$output" = 159 ]
    done
}

@test "TRAP raises SIGSYS, LOG and ALLOW let pass" {
    script <<<'mkdir /tmp/a; echo $?; rmdir /tmp/a; rmdir /tmp/b; echo end'
    deny '[{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_LOG"}, {"names": ["rmdir"], "action": "SCMP_ACT_TRAP"}]'
    attached
    [ "${lines[0]}" = 0 ]
    [ "${lines[-1]}" = end ]
    grep -qi 'bad system call' <<<"$stderr"
}

@test "arguments: each operator" {
    # ionice -c2 -nN calls ioprio_set(IOPRIO_WHO_PROCESS = 1, pid, 2 << 13 | N)
    for rule in EQ:5:5:6 NE:5:6:5 LT:5:4:5 LE:5:5:6 GT:5:6:5 GE:5:5:4; do
        IFS=: read -r op value hit miss <<<"$rule"
        deny "[{\"names\": [\"ioprio_set\"], \"action\": \"SCMP_ACT_ERRNO\", \"errnoRet\": 38, \"args\": [{\"index\": 2, \"value\": $((16384 + value)), \"op\": \"SCMP_CMP_$op\"}]}]"
        script <<<"ionice -c2 -n$miss echo miss; ionice -c2 -n$hit echo hit"
        attached
        grep -qx miss <<<"$output"
        no grep -qx hit <<<"$output"
        grep -q 'not implemented' <<<"$stderr"
    done
}

@test "arguments: MASKED_EQ with valueTwo" {
    deny '[{"names": ["ioprio_set"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 2, "value": 1, "valueTwo": 1, "op": "SCMP_CMP_MASKED_EQ"}]}]'
    script <<<'ionice -c2 -n4 echo even; ionice -c2 -n5 echo odd'
    attached
    [ "$output" = even ]
}

@test "arguments: several must all match; the same index twice means either rule" {
    deny '[{"names": ["ioprio_set"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 2, "value": 16389, "op": "SCMP_CMP_EQ"}]}]'
    script <<<'ionice -c2 -n4 echo four; ionice -c2 -n5 echo five'
    attached
    [ "$output" = four ]
}

@test "unknown names of system calls are passed over, unknown actions, operators, architectures refused" {
    deny '[{"names": ["no_such_call_of_any_kernel", "mkdir"], "action": "SCMP_ACT_ERRNO"}]'
    program mkdir /tmp/x
    attached
    [ "$status" -eq 1 ]
    grep -q 'not permitted' <<<"$stderr"
    program true
    deny '[{"names": ["mkdir"], "action": "SCMP_ACT_NONSENSE"}]'
    refused
    deny '[{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": 0, "op": "SCMP_CMP_XX"}]}]'
    refused
    seccomp '{"architectures": ["SCMP_ARCH_NONSENSE"]}'
    refused
    seccomp '{"defaultAction": "NONSENSE"}'
    refused
    nothing_left
}

@test "argument index out of range and errnoRet of an action without are refused" {
    ours_only "never silently dropped"
    program true
    deny '[{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}]}]'
    refused index
    deny '[{"names": [], "action": "SCMP_ACT_ERRNO"}]'
    refused names
}

@test "flags: known ones run, unknown are refused" {
    script <<<'grep -E "^Seccomp(_filters)?:" /proc/self/status'
    for flag in SECCOMP_FILTER_FLAG_TSYNC SECCOMP_FILTER_FLAG_LOG SECCOMP_FILTER_FLAG_SPEC_ALLOW; do
        seccomp "{\"flags\": [\"$flag\"], \"syscalls\": [{\"names\": [\"rmdir\"], \"action\": \"SCMP_ACT_ERRNO\"}]}"
        attached
        [ "$status" -eq 0 ]
        grep -q 'Seccomp:.2' <<<"$output"
    done
    seccomp '{"flags": ["SECCOMP_FILTER_FLAG_NONSENSE"], "syscalls": [{"names": ["rmdir"], "action": "SCMP_ACT_ERRNO"}]}'
    refused
}

@test "without new privileges being barred, the filter stands as well" {
    configure '.process.noNewPrivileges = false | .process.user = {uid: 1000, gid: 1000}'
    deny '[{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]'
    program mkdir /tmp/x
    attached
    grep -q 'not permitted' <<<"$stderr"
}

@test "of an architecture that is not listed nothing runs" {
    [ "$(uname -m)" = x86_64 ] || skip "x86-64 only"
    printf 'int main(void) { long r; __asm__ volatile("int $0x80" : "=a"(r) : "a"(20)); return r > 0 ? 0 : 1; }\n' >"$dir/x32.c"
    cc -static -o "$bundle/rootfs/compat" "$dir/x32.c" || skip "no compiler"
    program /compat
    attached
    compat=$status
    [ "$compat" -eq 0 ] || skip "the kernel has no 32-bit calls"
    configure '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64"], syscalls: [{names: ["mkdir"], action: "SCMP_ACT_ERRNO"}]}'
    attached
    [ "$status" -ne 0 ]
}

@test "the listener goes to listenerPath with the container's state" {
    deny '[{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_NOTIFY"}]'
    configure --arg path "$dir/agent" '.linux.seccomp += {listenerPath: $path, listenerMetadata: "some metadata"}'
    python3 "$tools/seccomp-agent.py" "$dir/agent" "$dir/agent.json" 3>&- >"$dir/agent.log" 2>&1 &
    agent=$!
    wait_until test -S "$dir/agent"
    script <<<'mkdir /tmp/refused; echo end'
    attached
    wait_until gone "$agent"
    cat "$dir/agent.log" "$dir/agent.json"
    [ "$output" = end ]
    grep -q 'mkdir.*cross-device' <<<"${stderr,,}"
    jq -e --arg id "$id" '.state.metadata == "some metadata" and .state.fds == ["seccompFd"] and .state.state.id == $id and .state.state.status == "creating"
        and .state.pid == .state.state.pid and (.state.ociVersion | test("^1\\.")) and .calls >= 1' "$dir/agent.json"
}

@test "NOTIFY without listenerPath, a path nobody listens at, and the default action NOTIFY are refused" {
    program true
    deny '[{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]'
    refused
    configure --arg path "$dir/nobody" '.linux.seccomp.listenerPath = $path'
    refused
    configure '.linux.seccomp.defaultAction = "SCMP_ACT_NOTIFY"'
    refused
    nothing_left
}

@test "a second start with the same profile does not compile again" {
    ours_only "the cache is ours"
    strace -V >/dev/null || skip "no strace"
    deny '[{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 77}]'
    program true
    attached
    [ "$status" -eq 0 ]
    strace -f -qq -o "$dir/trace" -e trace=execve,execveat "$runtime" --root "$state" run --bundle "$bundle" "$id" </dev/null 3>&-
    cat "$dir/trace"
    # the runtime itself, and the program
    [ "$(grep -Ec 'execve(at)?\(.*= 0' "$dir/trace")" -eq 2 ]
    deny '[{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 78}]'
    program mkdir /tmp/x
    attached
    grep -q 'remote address' <<<"${stderr,,}" # 78: what the other profile says, not the cached one
}
