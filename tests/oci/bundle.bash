# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What every test of the OCI runtime shares: a bundle of busybox, edits of its config.json, and the
# check that nothing was left behind. OCI_RUNTIME=/usr/bin/crun (or runc) runs the same tests against
# another runtime: a test that no other passes is about us, and says so with ours_only.

# shellcheck disable=SC2034,SC2154,SC2119,SC2120 # shared with the tests; bats' run sets variables

bats_require_minimum_version 1.5.0

tools=$SRC/tests/oci/tools
runtime=${OCI_RUNTIME:-$BUILD/src/oci/skerry-oci}

# One root file system a file of tests; every test gets a copy.
setup_file() {
    [ -x "$runtime" ] || {
        echo "no runtime $runtime" >&2
        return 1
    }
    base=$BATS_FILE_TMPDIR/base
    export base
    mkdir -p "$base"/{bin,dev,etc,proc,sys,tmp,root,run,home/user,shared,usr}
    chmod 1777 "$base/tmp"
    chmod a+x "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_FILE_TMPDIR/.."
    cp /bin/busybox "$base/bin/busybox"
    for applet in $("$base/bin/busybox" --list); do
        [ "$applet" = busybox ] || ln -s busybox "$base/bin/$applet"
    done
    printf 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n' >"$base/etc/passwd"
    printf 'root:x:0:\nuser:x:1000:\nextra:x:2000:user\n' >"$base/etc/group"
    if declare -F setup_file_more >/dev/null; then setup_file_more; fi
}

setup() {
    dir=$BATS_TEST_TMPDIR
    chmod a+x "$dir" "$dir/.."
    state=$dir/state bundle=$dir/bundle id=ocitest-$$-$BATS_TEST_NUMBER
    mkdir -p "$bundle" "$dir/shared"
    chmod 777 "$dir/shared"
    cp -a "$base" "$bundle/rootfs"
    default_config >"$bundle/config.json"
    cd "$dir" || return 1
    if declare -F setup_more >/dev/null; then setup_more; fi
}

# Whatever a test did: one delete --force an id has to take all of it away.
teardown() {
    if declare -F teardown_more >/dev/null; then teardown_more; fi
    local one
    for one in "$state"/[!~]*; do
        [ ! -e "$one" ] || oci delete --force "${one##*/}" >"$dir/deleted" 2>&1 || cat "$dir/deleted"
    done
    nothing_left
}

nothing_left() {
    local left
    # what begins with ~ is no container's: a cache that outlives them
    left=$(find "$state" -mindepth 1 -maxdepth 1 -not -name '~*' 2>/dev/null | head -5)
    [ -z "$left" ] || { echo "state is left: $left"; return 1; }
    wait_gone_cgroups || { echo "cgroups are left: $(cgroups_of "$id")"; return 1; }
    left=$(awk -v dir="$dir/" 'index($5, dir) == 1 {print $5}' /proc/self/mountinfo)
    [ -z "$left" ] || {
        echo "mounts are left: $left"
        tac <<<"$left" | xargs umount -l # or else what cleans up after bats would go into them
        return 1
    }
}

cgroups_of() { find /sys/fs/cgroup -type d -not -fstype tmpfs -name "*$1*" 2>/dev/null || true; }

wait_gone_cgroups() {
    local _
    for _ in $(seq 100); do
        [ -n "$(cgroups_of "$id")" ] || return 0
        sleep 0.02
    done
    return 1
}

ours_only() { # WHY: the test is about what we promise beyond the specification
    case ${runtime##*/} in
    skerry-oci*) ;;
    *) skip "ours: $1" ;;
    esac
}

default_config() {
    jq -n --arg id "$id" --arg shared "$dir/shared" '
    ["CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL",
     "CAP_NET_BIND_SERVICE", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT"] as $caps |
    {ociVersion: "1.0.2",
     process: {terminal: false, user: {uid: 0, gid: 0}, args: ["true"], cwd: "/", noNewPrivileges: true,
        env: ["PATH=/bin", "TERM=xterm", "HOME=/root"],
        capabilities: {bounding: $caps, effective: $caps, permitted: $caps}},
     root: {path: "rootfs", readonly: false},
     hostname: "inside",
     mounts: [
        {destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"]},
        {destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "strictatime", "mode=755", "size=65536k"]},
        {destination: "/dev/pts", type: "devpts", source: "devpts",
         options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
        {destination: "/dev/shm", type: "tmpfs", source: "shm", options: ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
        {destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"]},
        {destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"]},
        {destination: "/shared", type: "bind", source: $shared, options: ["rbind", "rw"]}],
     linux: {cgroupsPath: ("/" + $id),
        resources: {devices: [{allow: false, access: "rwm"}]},
        namespaces: (["pid", "ipc", "uts", "mount", "network"] | map({type: .})),
        maskedPaths: ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"],
        readonlyPaths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]}}'
}

configure() { # [JQ-OPTION...] PROGRAM: edits config.json of the bundle
    jq "$@" "$bundle/config.json" >"$bundle/config.new" && mv "$bundle/config.new" "$bundle/config.json"
}

program() { # ARGS...: what the container runs
    # as one string: jq takes words with a dash for options of its own
    configure --arg args "$(printf '%s\x1f' "$@")" '.process.args = ($args | split("\u001f")[:-1])'
}

script() { # the container runs the shell script on stdin
    program sh -c "$(cat)"
}

oci() { "$runtime" --root "$state" "$@" 3>&-; }

# Runs the container to its end: $status, $output, $stderr, as bats' run has them.
attached() { # [OPTION...]
    run --separate-stderr oci run --bundle "$bundle" "$@" "$id" </dev/null
    say
}

say() { printf 'status %s\nstdout: %s\nstderr: %s\n' "$status" "$output" "$stderr"; }

# Fails with an error on stderr, status not 0.
refused() { # WORD...: an extended regular expression that the message must match, or none
    attached
    [ "$status" -ne 0 ]
    [ -n "$stderr" ]
    [ -z "${1-}" ] || grep -Eqi -- "$1" <<<"$stderr"
}

# A container that lives on. What it says goes to $dir/out and $dir/err.
detached() { # [OPTION...]
    oci run --detach --bundle "$bundle" "$@" "$id" >"$dir/out" 2>"$dir/err" </dev/null || {
        cat "$dir/out" "$dir/err"
        return 1
    }
}

created() { # [OPTION...]
    oci create --bundle "$bundle" "$@" "$id" >"$dir/out" 2>"$dir/err" </dev/null || {
        cat "$dir/out" "$dir/err"
        return 1
    }
}

inside() { # COMMAND...: $status, $output, $stderr of it, beside the container's program
    run --separate-stderr oci exec "$id" "$@" </dev/null
    say
}

in_state() { # JQ: of what state says
    oci state "$id" | jq -r "$1"
}

is_status() { [ "$(in_state .status)" = "$1" ]; }

wait_until() { # COMMAND...: waits for an event; what hangs is ended by the runner
    until "$@" >/dev/null 2>&1; do sleep 0.02; done
}

no() { # COMMAND...: it must fail; "!" would let a test go on
    ! "$@"
}

stopped() { wait_until is_status stopped; }

is_stopped() { grep -q '^State:.[Tt]' "/proc/$1/status"; }

# The child of the runtime (itself a child of $1) that has stopped; to $dir/guest. The runtime goes on.
stopped_child() {
    local pid parent
    parent=$(pgrep -P "$1")
    if is_stopped "$parent"; then kill -CONT "$parent"; fi
    for pid in $(pgrep -P "$parent"); do
        is_stopped "$pid" && echo "$pid" >"$dir/guest" && return
    done
    return 1
}

# Runs exec in the container and stops who calls CALL first there. $guest: its pid; resume lets it go.
exec_stopped_at() { # CALL COMMAND...
    local call=$1
    shift
    strace -f -qq -o "$dir/trace" -e trace="$call" -e inject="$call:signal=STOP:when=1" \
        "$runtime" --root "$state" exec "$id" "$@" </dev/null >"$dir/out" 2>&1 3>&- &
    caller=$!
    wait_until stopped_child "$caller"
    guest=$(<"$dir/guest")
}

resume() {
    kill -CONT "$guest"
    wait "$caller"
}

gone() { ! kill -0 "$1" 2>/dev/null || grep -q '^State:.Z' "/proc/$1/status"; }

# Where a controller's files of a control group lie, whatever the hierarchy.
cgroup_file() { # CONTROLLER NAME-OF-V1 [NAME-OF-V2]
    local path
    for path in "/sys/fs/cgroup/$1/$id/$2" "/sys/fs/cgroup/$id/${3:-$2}" "/sys/fs/cgroup/unified/$id/${3:-$2}"; do
        if [ -e "$path" ]; then
            cat "$path"
            return
        fi
    done
    echo "no $1 $2 of $id" >&2
    return 1
}

controller() { # NAME: skips a test that needs it
    [ -d "/sys/fs/cgroup/$1" ] || grep -qw "$1" /sys/fs/cgroup/cgroup.controllers 2>/dev/null ||
        skip "this machine has no $1 controller"
}
