#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What reads the code without running it. tools/lint.sh [PART ...]; no part: all of them. A finding
# fails its part; what is excepted has its reason in .clang-tidy and tools/cppcheck.txt, or at its line.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
. tools/parts.sh
jobs=$(nproc)
all='format scripts manual cppcheck clang tidy analyzer'

lint_format() {
    git ls-files '*.c' '*.h' | xargs clang-format --dry-run -Werror
}

# Everything that a shell reads, by its first line. What bats adds is unknown to shellcheck: tests are
# subshells (SC2030, SC2031), run sets variables (SC2154), a failing cd fails the test (SC2164).
lint_scripts() {
    # SC2016: other languages within quotes have variables too.
    git grep -lE '^#!.*\b(ba)?sh$|^# shellcheck shell=' -- ':!*.bats' |
        xargs shellcheck --external-sources --exclude=SC2016 &&
        git ls-files '*.bats' | xargs shellcheck --severity=warning --exclude=SC2030,SC2031,SC2154,SC2164
}

lint_manual() {
    git ls-files 'man/*.[1-8]' 'man/*.in' | xargs -r mandoc -T lint -W warning
}

lint_cppcheck() {
    meson_build build-clang CC=clang || return
    mkdir -p build-clang/cppcheck
    cppcheck --quiet -j "$jobs" --cppcheck-build-dir=build-clang/cppcheck --std=c11 --library=posix \
        --enable=warning,performance,portability --inline-suppr --suppressions-list=tools/cppcheck.txt \
        --error-exitcode=1 -D_GNU_SOURCE -D__x86_64__ \
        -D'json_object_foreach(object,key,value)=while(next(&key,&value))' -I src src examples tests/unit tests/fuzz
}

# The second compiler, as strict as the first.
lint_clang() {
    meson_build build-clang CC=clang && ninja -C build-clang -k 0 --quiet
}

lint_tidy() {
    meson_build build-clang CC=clang || return
    run-clang-tidy -p build-clang -quiet -j "$jobs" "$PWD/(src|examples|tests/unit|tests/fuzz)/.*\.c$" \
        2>&1 | sed 's/\x1b\[[0-9;]*m//g' | grep -vE '^clang-tidy|warnings? (generated|treated)|^$'
    return "${PIPESTATUS[0]}"
}

lint_analyzer() {
    # It knows no cleanup attributes, so it sees leaks where there are none.
    meson_build build-analyzer CC=gcc -Dtests=disabled -Dc_args='-fanalyzer -Wno-analyzer-malloc-leak' &&
        ninja -C build-analyzer -k 0 --quiet
}

# A build folder of its own for each use; made when it is missing.
meson_build() { # folder CC=compiler [option ...]
    local folder=$1 compiler=$2
    shift 2
    [ -f "$folder/build.ninja" ] || env "$compiler" meson setup "$folder" "$@" >/dev/null
}

# shellcheck disable=SC2086 # one word a part
[ $# -gt 0 ] || set -- $all
for name; do
    case " $all " in
    *" $name "*) part "lint $name" "lint_$name" ;;
    *) echo "lint: no part is called $name; there are: $all" >&2 && exit 2 ;;
    esac
done
parts_end
