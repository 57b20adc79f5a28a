# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Sourced by scripts that do several things, whatever becomes of the others, and say at the end how
# each went: part NAME COMMAND... or part_shown NAME COMMAND..., then parts_end.
parts_passed=0 parts_failed=0 parts_table=

parts_note() { # name status seconds
    if [ "$2" = 0 ]; then
        parts_passed=$((parts_passed + 1))
        set -- "$1" passed "$3"
    else
        parts_failed=$((parts_failed + 1))
        set -- "$1" "FAILED ($2)" "$3"
    fi
    parts_table+=$(printf '  %-28s %-12s %4d s' "$@")$'\n'
    printf '%s: %s, %d s\n' "$@"
}

# Shows the output only of a part that fails.
part() {
    local name=$1 log status=0 start=$SECONDS
    shift
    log=$(mktemp)
    "$@" >"$log" 2>&1 </dev/null || status=$?
    [ "$status" = 0 ] || cat "$log"
    rm -f "$log"
    parts_note "$name" "$status" $((SECONDS - start))
}

# Shows the output as it comes.
part_shown() {
    local name=$1 status=0 start=$SECONDS
    shift
    printf '\n== %s ==\n' "$name"
    "$@" </dev/null || status=$?
    parts_note "$name" "$status" $((SECONDS - start))
}

# The closing lines; the status is 1 if a part failed.
parts_end() {
    printf '\n%s\n%d passed, %d failed\n' "$parts_table" "$parts_passed" "$parts_failed"
    [ "$parts_failed" = 0 ]
}
