#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The test runner itself: a test file that fails, crashes, hangs or leaves something behind must fail.

export SKERRY_TESTS_GRACE_S=0.3

write_test() { # the rest of a shell script on stdin
    { echo '#!/bin/bash' && cat; } >"$BATS_TEST_TMPDIR/t"
    chmod +x "$BATS_TEST_TMPDIR/t"
    run "$SRC/tests/tap" "$BATS_TEST_TMPDIR/t"
}

@test "a clean file passes, renumbered with the runner's own test last" {
    write_test <<<'echo 1..1; echo ok 1 - a; echo 1..1; echo ok 1 - b'
    [ "$status" -eq 0 ]
    [ "$output" = $'ok 1 - a\nok 2 - b\nok 3 - leaves nothing behind\n1..3' ]
}

@test "a failure is passed on with what was said about it" {
    write_test <<<'echo 1..2; echo not ok 1 - a; echo "# why"; echo ok 2 - b'
    [[ $output == *"not ok 1 - a"*"# why"*"ok 2 - b"* ]]
}

@test "a process that was left behind is named, and killed" {
    write_test <<<'echo 1..1; echo ok 1; setsid sleep 987654 >/dev/null 2>&1 & disown'
    [[ $output == *"not ok 2 - leaves nothing behind"* ]]
    [[ $output == *"left behind: process "*"sleep 987654"* ]]
    [[ $output =~ "process "([0-9]+)": sleep 987654" ]]
    run kill -0 "${BASH_REMATCH[1]}"
    [ "$status" -ne 0 ]
}

@test "a mount that was left behind is named" {
    mkdir "$BATS_TEST_TMPDIR/skerry-mount"
    run unshare --mount "$BASH" -c '
        printf "#!/bin/sh\necho 1..1; echo ok 1\nmount -t tmpfs none %s/skerry-mount" "$0" >"$0/t"
        chmod +x "$0/t"; "$SRC/tests/tap" "$0/t"' "$BATS_TEST_TMPDIR"
    [[ $output == *"not ok 2 - leaves nothing behind"* ]]
    [[ $output == *"left behind: mount $BATS_TEST_TMPDIR/skerry-mount (tmpfs)"* ]]
}

@test "a crash after the last test fails the file" {
    write_test <<<'echo 1..1; echo ok 1; kill -SEGV $$'
    [ "$status" -eq 1 ]
    [[ $output == *"died of signal 11"* ]]
}

@test "a missing test is seen by the plan" {
    write_test <<<'echo 1..2; echo ok 1'
    [[ $output == *"1..3"* ]]
}

@test "a hang is ended and fails the file" {
    SKERRY_TESTS_HANG_S=1 write_test <<<'echo 1..1; exec sleep 987654'
    [ "$status" -eq 1 ]
    [[ $output == *"no end after 1 s; what runs:"*"sleep 987654"* ]]
    [[ $output =~ \{([0-9]+):\ .sleep\ 987654 ]]
    run kill -0 "${BASH_REMATCH[1]}"
    [ "$status" -ne 0 ]
}
