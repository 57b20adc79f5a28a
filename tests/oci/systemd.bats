#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# skerry-oci-systemd against a manager of our own on a bus of its own: what it asks for, and that it waits for the job's end.

bats_require_minimum_version 1.5.0

setup() {
    helper=$BUILD/src/oci/skerry-oci-systemd
    [ -x "$helper" ] || skip "no $helper"
    /usr/bin/python3 -c 'import dbus, gi' 2>/dev/null || skip "no python3-dbus, python3-gi"
    dir=$BATS_TEST_TMPDIR
    export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$dir/bus
    dbus-daemon --session --nofork --nopidfile --print-address=5 --address="$DBUS_SYSTEM_BUS_ADDRESS" \
        5>"$dir/address" >/dev/null 2>&1 3>&- &
    bus=$!
    until [ -s "$dir/address" ]; do kill -0 "$bus"; done
    mkfifo "$dir/said"
    "$SRC/tests/oci/tools/systemd.py" "$DBUS_SYSTEM_BUS_ADDRESS" >"$dir/said" 2>/dev/null 3>&- &
    manager=$!
    exec 6<"$dir/said"
    heard ready
}

teardown() {
    exec 6<&-
    kill "$manager" "$bus" 2>/dev/null || :
    wait
}

# The manager's next line is this.
heard() {
    local line
    read -r -t 20 line <&6
    echo "heard: $line"
    [ "$line" = "$1" ]
}

@test "start: a delegated scope around the process, with its properties" {
    "$helper" start a-b.scope slice=a.slice pid=$$ MemoryMax=1000 TasksMax=18446744073709551615 AllowedCPUs=0-3,9
    heard "start a-b.scope Description=a container of skerry-oci Slice=a.slice PIDs=$$ DefaultDependencies=no CollectMode=inactive-or-failed Delegate=yes CPUAccounting=yes MemoryAccounting=yes TasksAccounting=yes MemoryMax=1000 TasksMax=18446744073709551615 AllowedCPUs=15,2"
}

@test "a job that fails is an error with its unit" {
    run -1 "$helper" start bad.scope slice=a.slice pid=1
    [[ $output = *bad.scope*failed* ]]
}

@test "set, stop, stop of what is gone" {
    "$helper" set a.scope CPUWeight=5
    heard "set a.scope CPUWeight=5"
    "$helper" stop a.scope
    heard "stop a.scope"
    "$helper" stop gone.scope
    heard "stop gone.scope"
}

@test "without a bus the error says what to do" {
    DBUS_SYSTEM_BUS_ADDRESS=unix:path=/no/such/bus run -1 "$helper" stop a.scope
    [[ $output = *"without --systemd-cgroup"* ]]
}

@test "a request that lacks something is refused before the bus sees it" {
    run -1 "$helper" start a.scope
    [[ $output = *"Invalid argument"* ]]
    run -1 "$helper" set a.scope AllowedCPUs=9-3
    run -2 "$helper" begin a.scope
}
