#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# skerry-warm within real sandboxes: what it calls is permitted there, and nothing more is needed.
# tests/warm/inside.py plays pid 1 in the sandbox; warm.t has the cases.

bats_require_minimum_version 1.5.0

setup_file() {
    mkdir -p "$BATS_FILE_TMPDIR/bin" "$BATS_FILE_TMPDIR/warm"
    chmod a+x "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_FILE_TMPDIR/.."
    cp "$BUILD/src/cli/skerry" "$BUILD/src/jail/skerry-zygote" "$BATS_FILE_TMPDIR/bin"
    cp "$BUILD/src/warm/skerry-warm" "$SRC/tests/warm/driver.py" "$SRC/tests/warm/inside.py" \
        "$BATS_FILE_TMPDIR/warm"
}

# inside USER-ID COMMAND...: what three requests to each of two programs answered
inside() {
    local uid=$1 line
    shift
    run -0 --separate-stderr "$@" --mem 256M --bind "$BATS_FILE_TMPDIR/warm:/warm" /usr/bin/python3 /warm/inside.py /warm/skerry-warm
    for line in 0 1 2; do
        [ "${lines[line]}" = "python3 (0, b'6 $uid\\n', b'')" ]
        [ "${lines[line + 3]}" = "cat (0, b'{\"a\": [1, 2, 3]}', b'')" ]
    done
    [ "${#lines[@]}" = 6 ]
}

@test "in a sandbox as it comes" {
    inside 1000 "$BUILD/src/cli/skerry" run
}

@test "without a network" {
    inside 1000 "$BUILD/src/cli/skerry" run --net none
}

@test "as uid 0 of the sandbox, with all of /proc" {
    inside 0 "$BUILD/src/cli/skerry" run --user 0:0 --proc full
}

@test "without root" {
    [ "$(id -u)" = 0 ] || skip "needs root to become somebody else"
    inside 1000 setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all \
        "$BATS_FILE_TMPDIR/bin/skerry" run
}
