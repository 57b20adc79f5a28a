# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# A containerd of the test's own, in namespaces of its own: sockets, images, networks and mounts go with it.

containerd_start() { # DIR RUNTIME [NAME=RUNTIME...]: sets $address, $containerd
    local at=$1 runtime_of=$2 name
    shift 2
    address=$at/containerd.sock
    mkdir -p "$at/cni"
    {
        cat <<TOML
version = 2
root = "$at/root"
state = "$at/state"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
    "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs"]
[grpc]
  address = "$address"
[ttrpc]
  address = "$at/ttrpc.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "$at/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/box:latest"
  restrict_oom_score_adj = true
  disable_apparmor = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$at/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
    default_runtime_name = "tested"
TOML
        for name in "tested=$runtime_of" "$@"; do
            cat <<TOML
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.${name%%=*}]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.${name%%=*}.options]
        BinaryName = "${name#*=}"
TOML
        done
    } >"$at/config.toml"
    cat >"$at/cni/net.conflist" <<JSON
{"cniVersion": "0.4.0", "name": "tests", "plugins": [{"type": "ptp",
  "ipam": {"type": "host-local", "subnet": "10.213.0.0/16", "dataDir": "$at/ipam"}}]}
JSON
    unshare --net --mount --propagation private sh -c 'ip link set lo up; mkdir -p /run/netns; mount -t tmpfs none /run/netns; exec "$@"' sh \
        containerd --config "$at/config.toml" >"$at/log" 2>&1 3>&- &
    containerd=$!
    until ctr --address "$address" version >/dev/null 2>&1; do
        kill -0 "$containerd" || { cat "$at/log"; return 1; }
        sleep 0.05
    done
}

containerd_stop() {
    kill "$containerd" 2>/dev/null || true
    wait "$containerd" 2>/dev/null || true
    # the groups of its namespaces, which it leaves; one that is in use stays
    find /sys/fs/cgroup -mindepth 2 -maxdepth 2 -type d \( -name k8s.io -o -name default \) -exec rmdir {} + 2>/dev/null || true
}

# An archive of an image of busybox, made without any registry: box_image TREE OUT
box_image() {
    local at
    at=$(mktemp -d)
    local store=(--root "$at/root" --runroot "$at/run" --storage-driver vfs) container
    container=$(buildah "${store[@]}" from scratch) &&
        buildah "${store[@]}" copy --quiet "$container" "$1" / >/dev/null &&
        buildah "${store[@]}" config --cmd '["sleep", "100000"]' --env PATH=/bin "$container" &&
        buildah "${store[@]}" commit --quiet "$container" box >/dev/null &&
        buildah "${store[@]}" push --quiet box "docker-archive:$2:localhost/box:latest"
    local status=$?
    buildah "${store[@]}" rm --all >/dev/null 2>&1 || true
    rm -rf "$at"
    return $status
}
