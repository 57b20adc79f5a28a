#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The six kinds of hooks: when and where they run, what they get, what their failure means.

load bundle.bash

setup_more() {
    cat >"$dir/hook" <<'HOOK'
#!/bin/sh
# hook LOG NAME: notes what it saw of the state on stdin
state=$(cat)
echo "$2 $(echo "$state" | sed 's/.*"status": *"\([a-z]*\)".*/\1/' | tr -d '\n')" >>"$1"
echo "$state" >"$1.$2.json"
readlink /proc/self/ns/mnt >"$1.$2.mnt"
HOOK
    chmod 755 "$dir/hook"
    cp "$dir/hook" "$bundle/rootfs/hook"
    chmod 755 "$bundle/rootfs/hook"
    script <<<'echo program >>/shared/log'
}

all_hooks() { # one of each kind
    configure --arg hook "$dir/hook" --arg log "$dir/shared/log" '
        def host($kind): [{path: $hook, args: ["hook", $log, $kind], env: ["PATH=/usr/bin:/bin"]}];
        def inside($kind): [{path: "/hook", args: ["hook", "/shared/log", $kind], env: ["PATH=/bin"]}];
        .hooks = {prestart: host("prestart"), createRuntime: host("createRuntime"), createContainer: host("createContainer"),
            startContainer: inside("startContainer"), poststart: host("poststart"), poststop: host("poststop")}'
}

hook_script() { # KIND SCRIPT: a hook of one kind on the host
    printf '#!/bin/sh\n%s\n' "$2" >"$dir/hook-$1"
    chmod 755 "$dir/hook-$1"
    configure --arg kind "$1" --arg path "$dir/hook-$1" '.hooks[$kind] += [{path: $path}]'
}

@test "all six run in order, around the program" {
    all_hooks
    created
    cut -d' ' -f1 "$dir/shared/log" | tee "$dir/seen"
    [ "$(<"$dir/seen")" = $'prestart\ncreateRuntime\ncreateContainer' ]
    oci start "$id"
    stopped
    oci delete "$id"
    cut -d' ' -f1 "$dir/shared/log" | grep -v poststart >"$dir/seen"
    cat "$dir/seen"
    [ "$(<"$dir/seen")" = $'prestart\ncreateRuntime\ncreateContainer\nstartContainer\nprogram\npoststop' ]
    grep -q '^poststart ' "$dir/shared/log"
}

@test "the state on stdin, with the annotations" {
    all_hooks
    configure '.annotations = {"org.example.key": "some value"}'
    script <<<'read x </shared/fifo'
    mkfifo -m 666 "$dir/shared/fifo"
    detached
    pid=$(in_state .pid)
    echo >"$dir/shared/fifo"
    stopped
    oci delete "$id"
    for kind in prestart createRuntime createContainer poststart poststop; do
        cat "$dir/shared/log.$kind.json"
        jq -e --arg id "$id" --arg bundle "$bundle" '.id == $id and .bundle == $bundle and (.ociVersion | test("^1\\."))
            and .annotations["org.example.key"] == "some value"' "$dir/shared/log.$kind.json"
    done
    [ "$(jq .pid "$dir/shared/log.createRuntime.json")" = "$pid" ]
    [ "$(jq .pid "$dir/shared/log.poststart.json")" = "$pid" ]
    [ "$(jq -r .status "$dir/shared/log.poststop.json")" = stopped ]
    [ "$(jq -r .status "$dir/shared/log.poststart.json")" = running ]
    for kind in prestart createRuntime createContainer startContainer; do
        [ "$(jq -r .status "$dir/shared/log.$kind.json")" = created ]
    done
}

@test "namespaces: createRuntime on the host, createContainer in the container's before the pivot, startContainer within" {
    all_hooks
    attached
    host=$(readlink /proc/self/ns/mnt)
    [ "$(<"$dir/shared/log.prestart.mnt")" = "$host" ]
    [ "$(<"$dir/shared/log.createRuntime.mnt")" = "$host" ]
    [ "$(<"$dir/shared/log.poststart.mnt")" = "$host" ]
    [ "$(<"$dir/shared/log.poststop.mnt")" = "$host" ]
    [ "$(<"$dir/shared/log.createContainer.mnt")" != "$host" ]
    [ "$(<"$dir/shared/log.createContainer.mnt")" = "$(<"$dir/shared/log.startContainer.mnt")" ]
}

@test "several of a kind run in their order, with args and env as given" {
    printf '#!/bin/sh\necho "$0 $* $V" >>%s\ncat >/dev/null\n' "$dir/shared/log" >"$dir/say"
    chmod 755 "$dir/say"
    configure --arg path "$dir/say" '.hooks.createRuntime = [{path: $path, args: ["zero", "one"], env: ["V=1", "PATH=/bin"]}, {path: $path, args: ["zero", "two"], env: ["V=2"]}]'
    LEAK=x attached
    cat "$dir/shared/log"
    grep -q 'one 1$' <(head -1 "$dir/shared/log")
    grep -q 'two 2$' <(sed -n 2p "$dir/shared/log")
}

@test "the environment of the runtime is not the hook's" {
    hook_script createRuntime "/usr/bin/env >$dir/shared/env; /bin/cat >/dev/null"
    configure '.hooks.createRuntime[0].env = ["ONLY=this"]'
    LEAK=secret attached
    grep -qx ONLY=this "$dir/shared/env"
    no grep -q LEAK "$dir/shared/env"
}

@test "a failing hook before the start is an error: nothing runs, nothing is left, poststop runs" {
    for kind in prestart createRuntime createContainer; do
        rm -f "$dir/shared"/*
        configure '.hooks = {}'
        hook_script $kind "cat >/dev/null; exit 5"
        hook_script poststop "cat >/dev/null; echo poststop >>$dir/shared/stopped"
        attached
        [ "$status" -ne 0 ]
        [ ! -e "$dir/shared/log" ]
        no oci state "$id"
        nothing_left
    done
}

@test "a failing startContainer hook stops the container before the program" {
    printf '#!/bin/sh\ncat >/dev/null; exit 5\n' >"$bundle/rootfs/hook"
    configure '.hooks.startContainer = [{path: "/hook", env: ["PATH=/bin"]}]'
    attached
    [ "$status" -ne 0 ]
    [ ! -e "$dir/shared/log" ]
    nothing_left
}

@test "a failing poststop hook is a warning: delete goes on, and the others run" {
    hook_script poststop "cat >/dev/null; exit 5"
    configure --arg path "$dir/hook" --arg log "$dir/shared/log" '.hooks.poststop += [{path: $path, args: ["hook", $log, "poststop"], env: ["PATH=/bin"]}]'
    detached
    stopped
    oci delete "$id"
    no oci state "$id"
    grep -q '^poststop' "$dir/shared/log"
    nothing_left
}

@test "poststop hooks run at delete --force" {
    hook_script poststop "cat >$dir/shared/stopped"
    program sleep 1000
    detached
    oci delete --force "$id"
    [ -s "$dir/shared/stopped" ]
}

@test "a hook that takes longer than its timeout is ended, and an error" {
    for kind in prestart createRuntime createContainer; do
        configure '.hooks = {}'
        hook_script $kind "cat >/dev/null; exec sleep 1013.$$"
        configure --arg kind $kind '.hooks[$kind][0].timeout = 1'
        attached
        [ "$status" -ne 0 ]
        [ ! -e "$dir/shared/log" ]
        while pgrep -f "^sleep 1013.$$\$"; do sleep 0.02; done
    done
    nothing_left
}

@test "a hook within its timeout is fine" {
    hook_script createRuntime "cat >/dev/null"
    configure '.hooks.createRuntime[0].timeout = 60'
    attached
    [ "$status" -eq 0 ]
    [ -e "$dir/shared/log" ]
}

@test "a hook that is not there, not absolute, or has a timeout of 0 is refused" {
    configure --arg p "$dir/none" '.hooks.createRuntime = [{path: $p}]'
    refused
    configure '.hooks.createRuntime = [{path: "relative/hook"}]'
    refused
    nothing_left
}

@test "a hook timeout that is not above 0 is refused" {
    ours_only "the specification says so"
    hook_script createRuntime "true"
    for timeout in 0 -1 '"x"'; do
        configure ".hooks.createRuntime[0].timeout = $timeout"
        refused timeout
    done
}

@test "a hook that reads nothing, with a state beyond a pipe's size, does not hang or fail" {
    hook_script createRuntime "exit 0"
    configure '.annotations = {big: ("x" * 200000)}'
    attached
    [ "$status" -eq 0 ]
    [ -e "$dir/shared/log" ]
}

@test "createRuntime hooks may furnish the network namespace" {
    hook_script createRuntime "pid=\$(sed 's/.*\"pid\": *\([0-9]*\).*/\1/' | head -1); /usr/bin/nsenter -t \$pid -n ip link add dummy0 type dummy 2>/dev/null || /usr/bin/nsenter -t \$pid -n ip link set lo mtu 1400"
    script <<<'cat /proc/net/dev; ip link'
    attached
    [ "$status" -eq 0 ]
    grep -Eq 'dummy0|mtu 1400' <<<"$output"
}
