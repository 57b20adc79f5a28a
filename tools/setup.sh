#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs, with apt-get, the Debian 12 packages that are missing for what is to be done:
#
#   tools/setup.sh build test       installs; says nothing and uses no network when all are there
#   tools/setup.sh --list runtime   prints the names of a group's packages
#
# A line below is: group, package, why.
set -euo pipefail

packages='
build gcc              the compiler (with make, all that must be there is a shell)
build libc6-dev        headers and static libraries of libc; the zygote is linked statically
build meson            configures the build
build ninja-build      runs it
build pkg-config       finds the libraries
build libseccomp-dev   compiles system call filters
build libjansson-dev   JSON of the admin interface
build libyaml-dev      the configuration file of the daemon
build libsqlite3-dev   the registry
build libarchive-dev   layers and archives of images
build libzstd-dev      compressed layers
build libssl-dev       digests
build node-llhttp      C sources of the HTTP parser
build musl-tools       libc of skerry-oci, whose start it makes four times faster
build libcmocka-dev    unit tests, built with the rest

runtime libseccomp2    shared libraries of the installed programs: what build has as -dev
runtime libjansson4    .
runtime libyaml-0-2    .
runtime libsqlite3-0   .
runtime libarchive13   .
runtime libzstd1       .
runtime libssl3        .
runtime libcmocka0     .
runtime erofs-utils    disks of machines in the vm tier
runtime libsystemd0    speaks with systemd (skerry-oci --systemd-cgroup)

test bats              integration and negative tests
test perl              prove, which runs them
test python3           the test runner; hostile clients and images; an example function
test zstd              compressed layers of images
test umoci             images of another tool, to compare with
test skopeo            .
test curl              HTTP as users speak it
test erofs-utils       disks of machines in the vm tier
test lua5.4            a program for machines of the vm tier
test openssl           .
test golang-go         compiles one
test jq                reads JSON in tests; an example function
test sqlite3           looks into the registry
test iproute2          looks at networks from outside
test procps            looks at processes from outside
test util-linux        unshare, nsenter, setpriv
test uidmap            newuidmap: runs without root
test busybox-static    a program for images
test musl-tools        programs of another libc
test skopeo            images made by others
test python3-dbus      a systemd of our own for tests of skerry-oci-systemd
test python3-gi        .
test dbus-daemon       .
test mandoc            manual pages as CLI tests read them
test strace            kills and traces the OCI runtime at chosen system calls
test gcc               programs that race with the OCI runtime
test podman            clients of the OCI runtime
test conmon            .
test buildah           .
test containerd        .
test containernetworking-plugins  networks of its pods
test golang-github-containers-common  the seccomp profile of podman
test python3-grpcio    the interface of Kubernetes, spoken to containerd
test python3-grpc-tools  compiles the part of it that is used

demo imagemagick       an example function: thumbnails
demo jq                an example function: a filter on JSON
demo cmark             an example function: Markdown to HTML
demo python3           an example function in Python
demo curl              invokes them
demo erofs-utils       disk of the virtual machine

lint clang             second compiler; warnings of its own
lint libclang-rt-dev   sanitizers and libFuzzer for it
lint clang-format      the shape of the code
lint clang-tidy        bugprone, cert, clang-analyzer
lint cppcheck          another analyser
lint shellcheck        scripts
lint mandoc            manual pages

fuzz clang             libFuzzer
fuzz libclang-rt-dev   .

lab qemu-system-x86    emulates the machine
lab busybox-static     its first file system
lab cpio               packs that
lab e2fsprogs          makes its root file system

bench wrk              HTTP load
bench gnuplot-nox      plots
bench linux-perf       profiles; counts of system calls
bench procps           pgrep
bench util-linux       unshare, nsenter, lsns
bench bubblewrap       peer: sandbox without daemon
bench crun             peer: OCI runtime in C
bench runc             peer: OCI runtime in Go
bench runsc            peer: gVisor, a kernel in user space
bench jq               reads and makes JSON
bench busybox-static   a program that waits
bench strace           counts system calls of the OCI runtimes
bench golang-github-containers-common  the seccomp profile of podman
bench containerd       pods by CRI, with each runtime
bench containernetworking-plugins  .
bench buildah          their image
bench python3-grpcio   speaks CRI
bench python3-grpc-tools  .
'

usage() {
    echo "usage: tools/setup.sh [--list] GROUP...   groups:" \
        "$(awk 'NF {print $1}' <<<"$packages" | uniq | paste -sd' ')" >&2
    exit 2
}

list=0
if [ "${1-}" = --list ]; then
    list=1
    shift
fi
[ $# -gt 0 ] || usage
wanted=()
for group; do
    mapfile -t names < <(awk -v group="$group" '$1 == group {print $2}' <<<"$packages")
    [ ${#names[@]} -gt 0 ] || usage
    wanted+=("${names[@]}")
done
if [ $list = 1 ]; then
    printf '%s\n' "${wanted[@]}" | sort -u
    exit
fi

if ! command -v dpkg-query >/dev/null; then
    echo "setup: not Debian, so nothing is installed; needed, by Debian's names: ${wanted[*]}" >&2
    exit 0
fi
mapfile -t missing < <(comm -23 <(printf '%s\n' "${wanted[@]}" | sort -u) \
    <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p' | sort -u))
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ]; then
    echo "setup: packages are missing and only root can install them. As root:" >&2
    echo "  apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
fi
echo "setup: installing ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
get() { apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" </dev/null >>"$log" 2>&1; }
# A failed update of one source may still leave what we need: the installation tells.
get update || true
if ! get install --no-install-recommends "${missing[@]}"; then
    cat "$log" >&2
    echo "setup: apt-get could not install ${missing[*]} (its messages are above)" >&2
    exit 1
fi
