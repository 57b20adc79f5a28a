#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The runtime as a user without root.

load bundle.bash

user=2345

setup_file_more() {
    cp "$runtime" "$BATS_FILE_TMPDIR/" # the build may lie where others do not get to
    local helper
    for helper in "${runtime%/*}"/skerry-oci-*; do
        [ ! -x "$helper" ] || [ -d "$helper" ] || cp "$helper" "$BATS_FILE_TMPDIR/"
    done
}

setup_more() {
    mine=$BATS_FILE_TMPDIR/${runtime##*/}
    [ -e "$mine" ] || mine=$runtime
    configure --argjson user "$user" '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: $user, size: 1}] |
        .linux.gidMappings = .linux.uidMappings | del(.linux.resources) | del(.linux.cgroupsPath) |
        .mounts |= map(.options |= map(select(startswith("gid=") | not)))'
    chown -R $user:$user "$dir"
}

rootless() {
    setpriv --reuid $user --regid $user --clear-groups --inh-caps=-all env XDG_RUNTIME_DIR="$dir" "$mine" --root "$dir/state" "$@" 3>&-
}

teardown_more() {
    rootless delete --force "$id" >/dev/null 2>&1 || true
}

@test "run: root inside, the user outside" {
    script <<<'id -u; touch /shared/made; cat /proc/self/uid_map | tr -s " "; hostname; exit 3'
    run --separate-stderr rootless run --bundle "$bundle" "$id" </dev/null
    say
    [ "$status" -eq 3 ]
    [ "$output" = $'0\n 0 2345 1\ninside' ]
    [ "$(stat -c %u "$dir/shared/made")" = $user ]
}

@test "create, start, exec, kill, delete" {
    program sleep 1000
    rootless create --bundle "$bundle" --pid-file "$dir/pid" "$id" >"$dir/out" 2>&1 </dev/null
    [ "$(awk '/^Uid:/ {print $2}' "/proc/$(<"$dir/pid")/status")" = $user ]
    rootless start "$id"
    run --separate-stderr rootless exec "$id" id -u </dev/null
    say
    [ "$output" = 0 ]
    rootless kill "$id" KILL
    wait_until gone "$(<"$dir/pid")"
    rootless delete --force "$id"
    [ -z "$(ls "$dir/state")" ]
}

@test "spec --rootless runs as it is" {
    mkdir "$dir/new"
    chown $user:$user "$dir/new"
    (cd "$dir/new" && rootless spec --rootless)
    cp -a "$bundle/rootfs" "$dir/new/rootfs"
    jq '.process.terminal = false | .process.args = ["echo", "rootless"]' "$dir/new/config.json" >"$dir/new/c"
    mv "$dir/new/c" "$dir/new/config.json"
    run --separate-stderr rootless run --bundle "$dir/new" "$id" </dev/null
    say
    [ "$output" = rootless ]
}

@test "mappings that the user does not own are refused" {
    configure '.linux.uidMappings = [{containerID: 0, hostID: 0, size: 1}]'
    program true
    run --separate-stderr rootless run --bundle "$bundle" "$id" </dev/null
    say
    [ "$status" -ne 0 ]
    [ -n "$stderr" ]
}

@test "without a user namespace it is refused, and says so" {
    configure '.linux.namespaces |= map(select(.type != "user")) | del(.linux.uidMappings) | del(.linux.gidMappings)'
    program true
    run --separate-stderr rootless run --bundle "$bundle" "$id" </dev/null
    say
    [ "$status" -ne 0 ]
    [ -n "$stderr" ]
}

@test "containers of root cannot be seen or ended" {
    configure 'del(.linux.uidMappings) | del(.linux.gidMappings) | .linux.namespaces |= map(select(.type != "user")) | .linux.cgroupsPath = "/'"$id"'"'
    program sleep 1000
    chown -R root:root "$bundle"
    rm -rf "$dir/roots"
    "$runtime" --root "$dir/roots" run --detach --bundle "$bundle" "$id" >"$dir/out" 2>&1 </dev/null 3>&-
    run setpriv --reuid $user --regid $user --clear-groups --inh-caps=-all "$mine" --root "$dir/roots" kill "$id" KILL
    [ "$status" -ne 0 ]
    run setpriv --reuid $user --regid $user --clear-groups --inh-caps=-all "$mine" --root "$dir/roots" delete --force "$id"
    [ "$("$runtime" --root "$dir/roots" state "$id" | jq -r .status)" = running ]
    "$runtime" --root "$dir/roots" delete --force "$id"
}
