#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# ps, list, pause, resume, update, events, spec, features, checkpoint, and the global options.

load bundle.bash

setup_more() {
    program sleep 1000
}

teardown_more() {
    oci resume "$id" >/dev/null 2>&1 || true
}

thawed_or_frozen() { # the freezer's word, v1 or v2
    cgroup_file freezer freezer.state cgroup.freeze
}

@test "ps: table and json" {
    detached
    pid=$(in_state .pid)
    oci ps "$id" | grep -Eq "(^|[[:space:]])$pid([[:space:]]|$)"
    oci ps --format json "$id" | jq -e --argjson pid "$pid" '. == [$pid]'
    run oci ps --format nonsense "$id"
    [ "$status" -ne 0 ]
    run oci ps no-such-container
    [ "$status" -ne 0 ]
}

@test "list: table, json, --quiet; an empty root lists nothing" {
    [ "$(oci list --quiet)" = "" ]
    detached
    [ "$(oci list --quiet)" = "$id" ]
    [ "$(oci list -q)" = "$id" ]
    oci list | head -1 | grep -q '^ID'
    oci list | grep -Eq "^$id +[0-9]+ +running +$bundle"
    oci list --format json | jq -e --arg id "$id" '.[0].id == $id and .[0].status == "running" and (.[0].pid | type) == "number"'
    oci kill "$id" KILL
    stopped
    oci list | grep -Eq "^$id +0 +stopped"
}

@test "pause and resume" {
    controller freezer
    script <<<'n=0; while :; do n=$((n + 1)); echo $n >/shared/n; done'
    detached
    wait_until test -s "$dir/shared/n"
    oci pause "$id"
    is_status paused
    pid=$(in_state .pid)
    case $(thawed_or_frozen) in FROZEN | 1) ;; *) false ;; esac
    before=$(awk '{print $14 + $15}' "/proc/$pid/stat")
    sleep 0.3
    [ "$(awk '{print $14 + $15}' "/proc/$pid/stat")" = "$before" ]
    run oci pause "$id"
    [ "$status" -ne 0 ]
    run oci exec "$id" true </dev/null
    [ "$status" -ne 0 ]
    oci resume "$id"
    is_status running
    run oci resume "$id"
    [ "$status" -ne 0 ]
}

@test "delete --force of a paused container" {
    controller freezer
    detached --pid-file "$dir/pid"
    oci pause "$id"
    oci delete --force "$id"
    wait_until gone "$(<"$dir/pid")"
}

@test "kill of a paused container takes effect at resume, or at once" {
    controller freezer
    detached
    oci pause "$id"
    oci kill "$id" KILL
    oci resume "$id" || true
    stopped
}

@test "update: options" {
    controller memory
    controller pids
    controller cpu
    detached
    oci update --memory 64M --pids-limit 33 --cpu-quota 50000 --cpu-period 100000 "$id" ||
        oci update --memory 67108864 --pids-limit 33 --cpu-quota 50000 --cpu-period 100000 "$id"
    [ "$(cgroup_file memory memory.limit_in_bytes memory.max)" = 67108864 ]
    [ "$(cgroup_file pids pids.max)" = 33 ]
    case $(cgroup_file cpu cpu.cfs_quota_us cpu.max) in 50000 | "50000 100000") ;; *) false ;; esac
    oci update --cpu-share 512 "$id"
    case $(cgroup_file cpu cpu.shares cpu.weight) in 512 | 20) ;; *) false ;; esac
    run oci update --memory nonsense "$id"
    [ "$status" -ne 0 ]
}

@test "update: resources from a file and from stdin" {
    controller memory
    controller pids
    detached
    echo '{"memory": {"limit": 50331648}, "pids": {"limit": 21}}' >"$dir/resources"
    oci update --resources "$dir/resources" "$id"
    [ "$(cgroup_file memory memory.limit_in_bytes memory.max)" = 50331648 ]
    [ "$(cgroup_file pids pids.max)" = 21 ]
    oci update -r - "$id" <<<'{"pids": {"limit": 22}}'
    [ "$(cgroup_file pids pids.max)" = 22 ]
    for bad in '{"pids": {"limit": "x"}}' '{"memory": 3}' '[' ''; do
        run oci update -r - "$id" <<<"$bad"
        [ "$status" -ne 0 ]
    done
    [ "$(cgroup_file pids pids.max)" = 22 ]
    run oci update --pids-limit 5 no-such-container
    [ "$status" -ne 0 ]
}

@test "events --stats: one report with what clients read" {
    controller memory
    detached
    oci events --stats "$id" >"$dir/json"
    cat "$dir/json"
    jq -e --arg id "$id" '.type == "stats" and .id == $id and .data.pids.current == 1 and .data.memory.usage.usage > 0
        and (.data.cpu.usage.total | type) == "number"' "$dir/json"
    run oci events --stats no-such-container
    [ "$status" -ne 0 ]
}

@test "events: until the container ends" {
    detached
    oci events --interval 1s "$id" >"$dir/json" 2>"$dir/err" &
    events=$!
    while [ ! -s "$dir/json" ]; do
        kill -0 "$events"
        sleep 0.02
    done
    oci kill "$id" KILL
    wait_until gone "$events"
    head -1 "$dir/json" | jq -e '.type == "stats"'
}

@test "spec: writes a config.json that runs, and none over another" {
    mkdir "$dir/new"
    (cd "$dir/new" && oci spec)
    jq -e '.ociVersion and .process.args and .root.path == "rootfs"' "$dir/new/config.json"
    run bash -c 'cd "$2" && "$0" --root "$1" spec' "$runtime" "$state" "$dir/new"
    [ "$status" -ne 0 ]
    cp -a "$base" "$dir/new/rootfs"
    jq --arg id "$id" '.process.terminal = false | .process.args = ["echo", "spec"] | .linux.cgroupsPath = "/" + $id' "$dir/new/config.json" >"$dir/new/c"
    mv "$dir/new/c" "$dir/new/config.json"
    run --separate-stderr oci run --bundle "$dir/new" "$id" </dev/null
    say
    [ "$output" = spec ]
}

@test "spec --bundle and --rootless" {
    mkdir "$dir/new"
    oci spec --rootless --bundle "$dir/new"
    jq -e '.linux.uidMappings[0].containerID == 0 and (.linux.namespaces | map(.type) | index("user")) and
        (.linux.resources.memory == null)' "$dir/new/config.json"
}

@test "features: what we can, by the specification's shape" {
    oci features >"$dir/json" || skip "no features verb"
    jq -e '(.ociVersionMin | test("^1\\.")) and (.ociVersionMax | test("^1\\.")) and
        (.hooks | index("createRuntime") and index("startContainer") and index("poststop") and index("prestart") and index("createContainer") and index("poststart")) and
        (.mountOptions | index("rbind") and index("ro") and index("rslave")) and
        (.linux.namespaces | index("mount") and index("user") and index("cgroup")) and
        (.linux.capabilities | index("CAP_SYS_ADMIN")) and
        .linux.cgroup.v1 == true and .linux.cgroup.v2 == true and
        .linux.seccomp.enabled == true and (.linux.seccomp.actions | index("SCMP_ACT_NOTIFY")) and (.linux.seccomp.operators | index("SCMP_CMP_MASKED_EQ"))' "$dir/json"
}

@test "features names every mount option that run takes" {
    ours_only "the list is checked against ours"
    for option in $(oci features | jq -r '.mountOptions[]'); do
        case $option in
        bind | rbind | remount | idmap | ridmap | tmpcopyup | copy-symlink) continue ;;
        esac
        configure --arg option "$option" '.mounts |= map(select(.destination != "/m")) +
            [{destination: "/m", type: "tmpfs", source: "tmpfs", options: [$option]}]'
        program true
        attached
        [ "$status" -eq 0 ]
    done
}

@test "checkpoint and restore: done by CRIU, or refused with its name" {
    detached
    run --separate-stderr oci checkpoint --image-path "$dir/image" "$id"
    say
    if [ "$status" -ne 0 ]; then
        grep -qi criu <<<"$stderr"
    fi
    run --separate-stderr oci restore --image-path "$dir/none" --bundle "$bundle" "$id-restored"
    [ "$status" -ne 0 ]
    [ -n "$stderr" ]
}

@test "--version and --help" {
    run "$runtime" --version
    [ "$status" -eq 0 ]
    grep -q 'spec: 1\.' <<<"$output"
    run "$runtime" --help
    [ "$status" -eq 0 ]
    for verb in create start state kill delete exec list ps pause resume update spec; do
        grep -qw "$verb" <<<"$output"
    done
    run "$runtime" -v
    [ "$status" -eq 0 ]
}

@test "an unknown verb or option is refused" {
    run --separate-stderr oci frobnicate
    [ "$status" -ne 0 ]
    [ -n "$stderr" ]
    run --separate-stderr oci run --no-such-option "$id"
    [ "$status" -ne 0 ]
    [ -n "$stderr" ]
    run --separate-stderr oci
    say
    run --separate-stderr oci state
    [ "$status" -ne 0 ]
    run --separate-stderr oci state a b
    [ "$status" -ne 0 ]
}

@test "--log gets the error, as text and as json" {
    program /no/such/program
    run --separate-stderr "$runtime" --root "$state" --log "$dir/log" run --bundle "$bundle" "$id" </dev/null 3>&-
    [ "$status" -ne 0 ]
    grep -q '/no/such/program' "$dir/log"
    run --separate-stderr "$runtime" --root "$state" --log "$dir/log.json" --log-format json run --bundle "$bundle" "$id" </dev/null 3>&-
    [ "$status" -ne 0 ]
    cat "$dir/log.json"
    jq -se 'map(select(.level == "error")) | .[0] | (.msg | contains("/no/such/program")) and (.time | test("^2[0-9]{3}-"))' "$dir/log.json"
    run "$runtime" --root "$state" --log-format nonsense list
    [ "$status" -ne 0 ]
}

@test "--log json of a message with quotes and control characters is json" {
    ours_only "one JSON object a line"
    program $'/no/"such\\\n\x01program'
    run --separate-stderr "$runtime" --root "$state" --log "$dir/log" --log-format json run --bundle "$bundle" "$id" </dev/null 3>&-
    [ "$status" -ne 0 ]
    while IFS= read -r line; do jq -e '.level and .msg and .time' <<<"$line"; done <"$dir/log"
}

@test "--debug says more" {
    program true
    run --separate-stderr "$runtime" --root "$state" --debug --log "$dir/debug" run --bundle "$bundle" "$id" </dev/null 3>&-
    [ "$status" -eq 0 ]
    [ -z "$output" ]
}

@test "--systemd-cgroup where no systemd answers is an error that names it" {
    [ ! -d /run/systemd/system ] || skip "systemd runs here"
    configure '.linux.cgroupsPath = "system.slice:skerry:test"'
    program true
    DBUS_SYSTEM_BUS_ADDRESS=unix:path=/no/such/bus run --separate-stderr "$runtime" --root "$state" --systemd-cgroup run --bundle "$bundle" "$id" </dev/null 3>&-
    say
    [ "$status" -ne 0 ]
    grep -Eqi 'systemd|dbus|bus' <<<"$stderr"
    nothing_left
}

@test "--root: relative and new" {
    program sleep 1000
    "$runtime" --root relative run --detach --bundle "$bundle" "$id" >"$dir/out" 2>&1 </dev/null 3>&-
    [ -d relative ]
    "$runtime" --root "$dir/relative" kill "$id" KILL
    wait_until bash -c '"$0" --root "$1" state "$2" | grep -q stopped' "$runtime" "$dir/relative" "$id"
    "$runtime" --root relative delete "$id"
}
