#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The vm tier: hostile guests against the monitor, then programs through `skerry run --tier vm`.

bats_require_minimum_version 1.5.0

setup() {
    [ -c /dev/kvm ] || skip "no /dev/kvm here"
    vmm=$BUILD/src/vm/skerry-vmm
    skerry=$BUILD/src/cli/skerry
    attacks=$BUILD/tests/vm
}

# attack NAME: runs it with a deadline as its request would have.
attack() {
    run --separate-stderr "$vmm" --deadline-ms "${2:-20000}" -- "$attacks/attack-$1" </dev/null
    [[ $output != *ESCAPED* ]]
    [ "$status" -eq 137 ]
}

reported() { # reported WORDS: the report's first line has them, and no assert of ours fired
    [[ ${stderr_lines[0]} == "skerry-vmm: "*"$1"* ]]
    [[ $stderr != *[Aa]ssert* ]]
}

@test "ports that are not the doorbell end the guest" {
    attack port-out
    reported "used I/O port 0x70"
    attack port-in
    reported "used I/O port 0x5b0"
    attack bell-narrow
    reported "used I/O port 0x5b0"
}

@test "an unknown doorbell ends the guest" {
    attack bell-unknown
    reported "rang a doorbell that there is not"
}

@test "ring indices that cannot be end the guest" {
    local name
    for name in ring-head ring-tail ring-rewind stdin-tail; do
        attack "$name"
        reported "impossible indices"
    done
}

@test "an exit without a meaning is no exit status" {
    attack exit-kind
    reported "ended without saying how"
    attack exit-signal
    reported "ended without saying how"
}

@test "a triple fault is reported as one" {
    attack triple-fault
    reported "triple fault"
    attack tables-garbage
    reported "triple fault"
}

@test "physical memory that is not the guest's ends it" {
    attack memory-outside
    reported "read physical address 0x3000000000"
    attack memory-local-apic
    reported "wrote to physical address 0xfee00000"
}

@test "the disk that machines share cannot be written, whatever the guest's page tables say" {
    local dir=$BATS_TEST_TMPDIR
    mkdir "$dir/tree" && cp "$attacks/attack-image-write" "$dir/tree"
    mkfs.erofs "$dir/disk" "$dir/tree" >/dev/null
    local before
    before=$(sha256sum <"$dir/disk")
    run --separate-stderr "$vmm" --image "$dir/disk" --deadline-ms 20000 -- /attack-image-write </dev/null
    [[ $output != *ESCAPED* ]]
    [ "$status" -eq 137 ]
    reported "wrote to physical address 0x4000000000"
    [ "$(sha256sum <"$dir/disk")" = "$before" ]
}

@test "a guest that never ends is stopped at its deadline, and where it stood is said" {
    local name
    for name in loop bell-flood refault wait-for-ever shared-block-gone; do
        attack "$name" 1500
        reported "stopped at its deadline"
    done
}

@test "a guest's program, its registers and where it stood are shown when it dies" {
    attack bell-unknown
    [[ ${stderr_lines[1]} == "  the program is $attacks/attack-bell-unknown" ]]
    local hex='[0-9a-f]{16}' line
    local first="^  rip $hex flags [0-9a-f]{8} rsp $hex in the program[+]0x[0-9a-f]+\$"
    [[ ${stderr_lines[2]} =~ $first ]]
    for line in "${stderr_lines[@]:3:3}"; do
        [[ $line =~ ^("  "|" ")r[a-z0-9]+" "+$hex ]]
    done
    [[ $stderr =~ " rax "$hex && $stderr =~ " r15 "$hex ]]
}

@test "a guest that is stopped in its kernel is shown with the function" {
    attack shared-block-gone 1500
    [[ ${stderr_lines[2]} =~ " rip ffffffff"[0-9a-f]{8}" ".*" in "[a-z_]+"+0x"[0-9a-f]+$ ]]
}

@test "--trace prints the program's system calls and their results, through skerry run too" {
    run --separate-stderr "$vmm" --trace -- "$attacks/hello" </dev/null
    [ "$status" -eq 7 ]
    [ "$output" = hello ]
    [[ ${stderr_lines[0]} =~ ^"write(0x1, 0x"[0-9a-f]+", 0x6, ".*") = 6"$ ]]
    run --separate-stderr "$skerry" run --tier vm --trace busybox cat /nothing </dev/null
    [ "$status" -eq 1 ]
    [[ $stderr == *"open"*") = -2"* ]]
    run -123 --separate-stderr "$skerry" run --trace true
    [[ $stderr == *"--trace is offered by the vm tier"* ]]
}

@test "exit status and output of a program without a C library" {
    run --separate-stderr "$vmm" -- "$attacks/hello" </dev/null
    [ "$status" -eq 7 ]
    [ "$output" = hello ]
    [ -z "$stderr" ]
}

@test "calls through patched instructions are not trapped" {
    run --separate-stderr "$vmm" --stages -- "$attacks/many-calls" </dev/null
    [ "$status" -eq 0 ]
    [[ $stderr =~ calls\ ([0-9]+),\ of\ them\ trapped\ ([0-9]+) ]]
    [ "${BASH_REMATCH[1]}" -ge 20000 ]
    [ "${BASH_REMATCH[2]}" -le 500 ]
}

@test "without KVM the error says what to do" {
    run "$vmm" --kvm /nonexistent -- "$attacks/hello"
    [ "$status" -eq 125 ]
    [[ $output == *"the vm tier needs /nonexistent"*"skerry doctor"* ]]
}

@test "the monitor lives under its own filter once a guest runs" {
    "$vmm" -- "$attacks/attack-loop" </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
    local pid=$!
    until [ "$(awk '/^Seccomp:/ { print $2 }' "/proc/$pid/status")" = 2 ]; do sleep 0.01; done
    until [ -s "$BATS_TEST_TMPDIR/out" ]; do sleep 0.01; done
    run ls "/proc/$pid/fd"
    kill -9 "$pid"
    wait "$pid" 2>/dev/null || true # reaped, and no word of it
    # 0 to 2, and the CPU: /dev/kvm, the machine and the program are closed
    [ "$(echo "$output" | grep -c .)" -eq 4 ]
}

@test "what the tier does not offer is refused by name" {
    run "$skerry" run --tier vm --host-usr true
    [ "$status" -eq 123 ]
    [[ $output == *"cannot show the machine's /usr"* ]]
    run "$skerry" run --tier vm --bind /tmp:/x "$attacks/hello"
    [ "$status" -eq 123 ]
    [[ $output == *"bind is not offered"* ]]
    run "$skerry" run --tier vm --ipc own "$attacks/hello"
    [ "$status" -eq 123 ]
    [[ $output == *"ipc 'own' is not offered"* ]]
    run "$skerry" run --tier vm --mem 8M "$attacks/hello"
    [ "$status" -eq 123 ]
    [[ $output == *"at least 16 MiB"* ]]
}
