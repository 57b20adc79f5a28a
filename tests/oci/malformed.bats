#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Broken ids, bundles and configurations: a clear error on stderr and in --log, status 1, nothing left.

load bundle.bash

setup_more() {
    program true
}

# Status 1 for what is wrong before anything runs, on both channels, and nothing of it stays.
broken() { # WORD: what the message must name
    run --separate-stderr "$runtime" --root "$state" --log "$dir/log" --log-format json run --bundle "$bundle" "$id" </dev/null 3>&-
    say
    [ "$status" -eq 1 ]
    [ -n "$stderr" ]
    [ "$(wc -c <<<"$stderr")" -lt 2000 ]
    jq -se 'map(select(.level == "error")) | length >= 1' "$dir/log"
    [ -z "${1-}" ] || grep -Eqi -- "$1" <<<"$stderr"
    rm -f "$dir/log"
    nothing_left
}

edited() { # JQ...: broken when edited so
    cp "$bundle/config.json" "$dir/whole"
    configure "$@"
}

whole() { cp "$dir/whole" "$bundle/config.json"; }

@test "ids that are refused" {
    for bad in .. . a/b /a '' 'a b' $'a\nb' 'ä' 'a*' "$(printf 'x%.0s' $(seq 1025))" -- ; do
        for verb in state kill delete start run create; do
            run --separate-stderr oci $verb "$bad" </dev/null
            [ "$status" -ne 0 ]
        done
    done
    [ ! -e "$dir/a" ]
    run --separate-stderr oci run --bundle "$bundle" "../$id" </dev/null
    [ "$status" -ne 0 ]
    [ ! -e "$dir/$id" ]
    nothing_left
}

@test "delete --force of a hostile id touches nothing" {
    ours_only "crun and runc differ here"
    mkdir -p "$dir/victim"
    touch "$dir/victim/file"
    mkdir -p "$state"
    for bad in ../victim ../../victim .. . ./ /; do
        run oci delete --force "$bad"
        [ "$status" -ne 0 ]
        [ -e "$dir/victim/file" ]
    done
}

@test "an id of the longest kind and odd but legal characters" {
    id=ocitest-$$-_+.A
    configure --arg id "$id" '.linux.cgroupsPath = "/" + $id'
    program echo fine
    attached
    [ "$output" = fine ]
}

@test "no bundle, no config.json, no rootfs" {
    run --separate-stderr oci run --bundle "$dir/none" "$id" </dev/null
    [ "$status" -eq 1 ]
    [ -n "$stderr" ]
    mkdir "$dir/empty"
    run --separate-stderr oci run --bundle "$dir/empty" "$id" </dev/null
    [ "$status" -eq 1 ]
    grep -q config.json <<<"$stderr"
    mv "$bundle/rootfs" "$bundle/elsewhere"
    broken rootfs
    touch "$bundle/rootfs"
    broken
}

@test "config.json that is no file of ours: a directory, a FIFO, a device, unreadable bytes" {
    ours_only "others may wait for ever"
    mv "$bundle/config.json" "$bundle/c"
    mkdir "$bundle/config.json"
    broken
    rmdir "$bundle/config.json"
    mkfifo "$bundle/config.json"
    broken
    rm "$bundle/config.json"
    ln -s /dev/zero "$bundle/config.json"
    broken
    rm "$bundle/config.json"
    mv "$bundle/c" "$bundle/config.json"
}

@test "rootfs: /, a symlink to /, outside, empty" {
    ours_only "stricter than the specification"
    edited '.root.path = "/"'
    broken
    whole
    edited '.root.path = ""'
    broken
    whole
    mv "$bundle/rootfs" "$bundle/real"
    ln -s / "$bundle/rootfs"
    broken
}

@test "not JSON at all" {
    for text in '' '{' '[]' 'null' '"x"' '{"ociVersion": "1.0.2"' '{"ociVersion": "1.0.2"} x' "{'a': 1}" '{"a": 01}' '{"a": 1,}' $'{"a": "\x01"}'; do
        printf '%s' "$text" >"$bundle/config.json"
        broken
    done
}

@test "not JSON: what lax readers take" {
    ours_only "strict"
    for text in '{"ociVersion": NaN}' '{"ociVersion": "1.0.2", "x": Infinity}' '{"a": "\ud800"}' '{"a": +1}' '{"a": .5}' '{"a": 1.}' '{"a": tru}' '// comment'; do
        printf '%s' "$text" >"$bundle/config.json"
        broken
    done
    jq -c . <<<"$(default_config)" | sed 's/"inside"/"ins\xffide"/' >"$bundle/config.json"
    broken
    default_config | tr -d '\n' | sed 's/"hostname"/"hostname": "twice", "hostname"/' >"$bundle/config.json"
    broken
    printf '\xef\xbb\xbf' | cat - <(default_config) >"$bundle/config.json"
    broken
}

@test "deep nesting and size do not hurt" {
    for opening in '[' '{"a":'; do
        python3 -c "import sys; sys.stdout.write(sys.argv[1] * 200000)" "$opening" >"$bundle/config.json"
        run --separate-stderr oci run --bundle "$bundle" "$id" </dev/null
        [ "$status" -eq 1 ]
        [ -n "$stderr" ]
    done
    nothing_left
}

@test "a configuration without what is required" {
    for edit in 'del(.ociVersion)' 'del(.process.args)' '.process.args = []' '.process.cwd = "relative"' 'del(.root)'; do
        edited "$edit"
        broken
        whole
    done
}

@test "required by the specification, taken by lax runtimes" {
    ours_only "strict"
    for edit in 'del(.process.cwd)' 'del(.process)' '.ociVersion = "2.0.0"' '.ociVersion = "nonsense"' '.process.args = [""]'; do
        edited "$edit"
        [ "$edit" = 'del(.process)' ] || broken
        whole
    done
}

@test "wrong types are refused by the property's name" {
    ours_only "messages are checked"
    for edit in '.process = 3' '.process.args = "true"' '.process.args = [1]' '.process.env = {}' '.process.user.uid = "0"' '.process.user = []' \
        '.mounts = {}' '.mounts[0] = 5' '.mounts[0].options = "ro"' '.linux.namespaces = "pid"' '.linux.maskedPaths = [1]' '.linux.resources = []' \
        '.linux.resources.memory = {limit: "1"}' '.linux.resources.devices = [{allow: "yes", access: "rwm"}]' '.hooks = []' '.hooks = {prestart: {}}' \
        '.process.capabilities = []' '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: "1", hard: 1}]' '.root = "rootfs"' '.hostname = 7' \
        '.annotations = {a: 1}' '.linux.sysctl = []' '.process.terminal = "no"' '.process.noNewPrivileges = 1' '.linux.seccomp = []'; do
        edited "$edit"
        name=${edit%% =*}
        name=${name##*.}
        broken "${name%%[*}"
        whole
    done
}

@test "numbers that do not fit" {
    ours_only "messages are checked"
    for edit in '.process.user.uid = -1' '.process.user.uid = 4294967296' '.process.user.uid = 1.5' '.process.user.gid = 1e30' '.process.user.umask = -1' \
        '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: -1, hard: 5}]' '.linux.resources.pids = {limit: 1e300}' \
        '.linux.resources.memory = {limit: 9223372036854775808}' '.linux.resources.cpu = {shares: -5}' \
        '.linux.uidMappings = [{containerID: 0, hostID: 4294967295, size: 2}]'  '.process.oomScoreAdj = 1001'  '.process.user.umask = 9999999'; do
        edited "$edit"
        broken
        whole
    done
}

@test "NUL in a string is refused" {
    ours_only "strict"
    for edit in '.process.args = ["tr\u0000ue"]' '.process.env = ["A=\u0000"]' '.mounts[0].destination = "/proc\u0000x"' '.hostname = "a\u0000b"' '.root.path = "rootfs\u0000"' '.linux.cgroupsPath = "/a\u0000"'; do
        edited "$edit"
        broken
        whole
    done
}

@test "unknown properties are taken or refused as the specification says: extensions are ignored" {
    edited '.unknownProperty = {deep: [1, 2]} | .linux.somethingNew = true | .process.alsoNew = "x"'
    program echo ran
    attached
    [ "$output" = ran ]
}

@test "a state file that was broken: state and delete say so, delete --force takes it away" {
    program sleep 1000
    detached --pid-file "$dir/pid"
    find "$state/$id" -type f | while read -r file; do
        [ -s "$file" ] || continue
        cp "$file" "$dir/saved"
        for text in '' '{' 'garbage' '{"pid": -5}' '{"pid": "x"}' '{"pid": 1, "status": "running"}' '[]'; do
            printf '%s' "$text" >"$file"
            timeout 20 "$runtime" --root "$state" state "$id" >"$dir/out" 2>&1 </dev/null 3>&- || true
            no grep -Eqi 'assert|sanitizer|core dumped' "$dir/out"
            timeout 20 "$runtime" --root "$state" list >"$dir/out" 2>&1 </dev/null 3>&- || true
        done
        cat "$dir/saved" >"$file"
    done
    oci delete --force "$id"
    wait_until gone "$(<"$dir/pid")"
}

@test "a state directory that lost its file is taken away by delete --force" {
    ours_only "others leave it"
    program sleep 1000
    detached --pid-file "$dir/pid"
    oci kill "$id" KILL
    stopped
    find "$state/$id" -type f -name '*.json' -exec truncate -s 0 {} +
    oci delete --force "$id"
    [ ! -e "$state/$id" ]
    find /sys/fs/cgroup -depth -type d -not -fstype tmpfs -name "$id" -exec rmdir {} + 2>/dev/null || true
}

@test "a pid that was given to another since is never signalled" {
    ours_only "the state file is ours"
    program sleep 1000
    detached
    pid=$(in_state .pid)
    sleep 1014 3>&- &
    other=$!
    oci kill "$id" KILL
    stopped
    find "$state/$id" -type f -name '*.json' -exec sed -i "s/\b$pid\b/$other/g" {} +
    run oci kill "$id" KILL
    oci delete --force "$id"
    kill -0 "$other"
    kill "$other"
}

@test "an annotation that asks for a tier that is not there is refused by name" {
    ours_only "org.skerry.tier"
    configure '.annotations = {"org.skerry.tier": "nothing"}'
    refused "org.skerry.tier.*nothing"
    configure '.annotations = {"org.skerry.tier": "jail"}'
    program true
    attached
    [ "$status" -eq 0 ]
}
