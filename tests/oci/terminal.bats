#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Terminals: by --console-socket, and the caller's own.

load bundle.bash

receive() { # [MARK=TEXT...]: in the background; $receiver
    python3 "$tools/receive-console.py" "$dir/console" "$dir/shown" "$@" 3>&- &
    receiver=$!
    wait_until test -S "$dir/console"
}

@test "create --console-socket: the program has a controlling terminal of its own devpts" {
    configure '.process.terminal = true'
    script <<<'tty; test -t 0 && test -t 1 && test -t 2 && echo three; echo controlling >/dev/tty; ls -l /dev/console; stat -c "%t:%T" /proc/self/fd/0 /dev/console'
    receive
    created --console-socket "$dir/console"
    oci start "$id"
    wait_until gone "$receiver"
    cat "$dir/shown"
    grep -q '^/dev/\(pts/0\|console\)' "$dir/shown"
    grep -q '^three' "$dir/shown"
    grep -q '^controlling' "$dir/shown"
    [ "$(grep -Eo '^88:[0-9]+' "$dir/shown" | sort -u | wc -l)" -le 1 ]
}

@test "what is typed arrives, and ^C is a signal" {
    configure '.process.terminal = true'
    script <<<'trap "echo interrupted; exit 0" INT; echo ready; read x; echo "read <$x>"; while :; do sleep 0.05; done'
    receive $'ready=word\n' $'read <=\003'
    created --console-socket "$dir/console"
    oci start "$id"
    wait_until gone "$receiver"
    cat "$dir/shown"
    grep -q 'read <word>' "$dir/shown"
    grep -q 'interrupted' "$dir/shown"
}

@test "consoleSize is the terminal's size" {
    configure '.process.terminal = true | .process.consoleSize = {height: 31, width: 97}'
    script <<<'stty size'
    receive
    created --console-socket "$dir/console"
    oci start "$id"
    wait_until gone "$receiver"
    cat "$dir/shown"
    grep -q '31 97' <(tail -n +2 "$dir/shown")
}

@test "create with a terminal and no socket is refused, and a socket without a terminal" {
    configure '.process.terminal = true'
    program true
    run --separate-stderr oci create --bundle "$bundle" "$id" </dev/null
    say
    [ "$status" -ne 0 ]
    [ -n "$stderr" ]
    nothing_left
    run --separate-stderr oci create --console-socket "$dir/nobody-listens" --bundle "$bundle" "$id" </dev/null
    [ "$status" -ne 0 ]
    nothing_left
}

@test "run on the caller's terminal: output, input, status, size" {
    configure '.process.terminal = true'
    script <<<'tty; stty size; read x; echo "read <$x>"; exit 7'
    run python3 "$tools/on-terminal.py" --size 33 66 --type typed "$runtime" --root "$state" run --bundle "$bundle" "$id"
    say
    [ "$status" -eq 7 ]
    grep -q 'read <typed>' <<<"$output"
    grep -q '33 66' <<<"$output"
}

@test "exec --tty on the caller's terminal" {
    program sleep 1000
    detached
    run python3 "$tools/on-terminal.py" --type typed "$runtime" --root "$state" exec --tty "$id" sh -c 'tty; read x; echo "read <$x>"; exit 9'
    say
    [ "$status" -eq 9 ]
    grep -q 'read <typed>' <<<"$output"
    grep -q '/dev/pts/' <<<"$output"
}

@test "exec --tty --detach --console-socket" {
    program sleep 1000
    detached
    receive
    oci exec --tty --detach --console-socket "$dir/console" --pid-file "$dir/pid" "$id" sh -c 'test -t 0 && echo terminal' </dev/null >"$dir/out" 2>&1
    wait_until gone "$receiver"
    cat "$dir/shown"
    grep -q '^terminal' "$dir/shown"
}

@test "the terminal belongs to the user of the process" {
    configure '.process.terminal = true | .process.user = {uid: 1000, gid: 1000}'
    script <<<'stat -c "owner %u" "$(tty)"; echo x >"$(tty)" && echo wrote'
    receive
    created --console-socket "$dir/console"
    oci start "$id"
    wait_until gone "$receiver"
    cat "$dir/shown"
    grep -q '^owner 1000' "$dir/shown"
    grep -q '^wrote' "$dir/shown"
}
