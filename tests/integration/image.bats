#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The image store through the command: images made by other tools and by our own hand, and hostile
# ones. After whatever was refused, the store is as it was and nothing outside of it has changed.

bats_require_minimum_version 1.5.0

setup() {
    skerry=$BUILD/src/cli/skerry
    export SKERRY_STATE=$BATS_TEST_TMPDIR/state
    cd "$BATS_TEST_TMPDIR"
    maker=$BATS_TEST_DIRNAME/image_maker.py
}

make() { # make OUT OPTION... LAYER...
    "$maker" "$@"
}

import() {
    "$skerry" image import "$@"
}

rootfs() { # rootfs REF: the directory of its files
    echo "$SKERRY_STATE/images/rootfs/$("$skerry" image list --json |
        jq -r --arg ref "$1" '.[] | select(.ref == $ref).digest')"
}

rootfs_count() {
    find "$SKERRY_STATE/images/rootfs" -mindepth 1 -maxdepth 1 | wc -l
}

# Everything in a tree but times: kind, mode, owner, links, size, target, content.
listing() {
    (cd "$1" && find . -mindepth 1 -printf '%y %m %U:%G %n %p %l\n' | sort -k5 &&
        find . -type f -exec sha256sum {} + | sort -k2)
}

assert_empty_store() {
    run -0 "$skerry" image list --json
    [ "$(jq length <<<"$output")" = 0 ]
    for dir in rootfs meta refs staging blobs/sha256; do
        [ -z "$(ls -A "$SKERRY_STATE/images/$dir")" ]
    done
}

need() {
    for tool in "$@"; do
        command -v "$tool" >/dev/null || skip "$tool is not installed"
    done
}

@test "a layout, an OCI archive and a docker archive, each with gzip, zstd and plain layers" {
    need zstd
    layer='[["bin/app","file","hello"],["etc","dir"],["link","symlink","bin/app"]]'
    for format in layout oci docker; do
        for how in gzip zstd none; do
            make "$format-$how" -f $format -c $how "$layer"
            run -0 import "$format-$how" --name "$format:$how"
            root=$(rootfs "$format:$how")
            [ "$(cat "$root/bin/app")" = hello ]
            [ "$(readlink "$root/link")" = bin/app ]
        done
    done
    run -0 "$skerry" image list --json
    [ "$(jq length <<<"$output")" = 9 ]
}

@test "an archive through a pipe" {
    make a.tar -f docker '[["file","file","x"]]'
    piped() { cat a.tar | import /dev/stdin; }
    run -0 piped
    [ "$(cat "$(rootfs made:here)/file")" = x ]
}

@test "what the image says of itself" {
    make layout -C '{"Entrypoint":["/bin/a"],"Cmd":["b","c d"],"Env":["K=V"],"User":"app","WorkingDir":"/w"}' \
        '[["etc/passwd","file","app:x:77:88::/:\n"],["bin/a","file",""]]'
    run -0 import layout --name self
    run -0 "$skerry" image list --json
    [ "$(jq -c '.[0].args' <<<"$output")" = '["/bin/a","b","c d"]' ]
    [ "$(jq -r '.[0].ref' <<<"$output")" = self ]
}

@test "umoci's own unpacking is the same as ours" {
    need umoci
    umoci init --layout um
    umoci new --image um:v1
    mkdir -p one/usr/bin one/etc one/gone/deep one/opaque/sub one/lib.d two
    echo tool >one/usr/bin/tool
    chmod 751 one/usr/bin/tool
    ln one/usr/bin/tool one/usr/bin/same
    ln -s usr/bin one/bin
    ln -s ../nowhere one/etc/dangling
    echo x >one/gone/deep/file
    echo x >one/opaque/sub/lower
    echo x >one/opaque/lower
    echo lower >one/etc/changed
    mkdir "one/$(printf 'n%.0s' {1..120})"
    echo long >"one/$(printf 'n%.0s' {1..120})/$(printf 'm%.0s' {1..200})"
    echo utf >"one/caf$(printf '\xc3\xa9')"
    tar -C one --owner=0 --group=0 --numeric-owner --sort=name -cf one.tar .
    mkdir -p two/opaque two/etc two/lib.d
    touch two/.wh.gone two/opaque/.wh..wh..opq two/etc/.wh.dangling
    echo upper >two/opaque/upper
    echo upper >two/etc/changed
    ln -s /usr/bin/tool two/lib.d/absolute
    tar -C two --owner=5 --group=7 --numeric-owner --sort=name -cf two.tar .
    umoci raw add-layer --image um:v1 one.tar
    umoci raw add-layer --image um:v1 two.tar
    umoci config --image um:v1 --config.cmd /usr/bin/tool --config.env A=B
    if [ "$(id -u)" = 0 ]; then umoci unpack --image um:v1 bundle; else
        umoci unpack --rootless --image um:v1 bundle; fi
    run -0 import um:v1
    [[ $output == um:v1\ * ]]
    diff <(listing bundle/rootfs) <(listing "$(rootfs um:v1)")
    [ ! -e "$(rootfs um:v1)/gone" ]
}

@test "what skopeo makes of an image is the same image" {
    need umoci skopeo zstd
    make layout -c none '[["bin/app","file","hello"]]' '[["bin/.wh.app","file",""],["bin/new","file","x"]]'
    skopeo() { command skopeo --insecure-policy "$@" >/dev/null; }
    skopeo copy oci:layout oci-archive:a.oci.tar:made:1
    skopeo copy oci-archive:a.oci.tar docker-archive:a.docker.tar:made:2
    skopeo copy --dest-compress-format zstd --dest-compress oci-archive:a.oci.tar oci:zstd:3
    run -0 import a.oci.tar
    [[ $output == made:1\ * ]]
    run -0 import a.docker.tar
    [[ $output == made:2\ * ]]
    run -0 import zstd
    [[ $output == zstd:3\ * ]]
    for ref in made:1 made:2 zstd:3; do
        [ "$(cd "$(rootfs "$ref")" && find . -type f)" = ./bin/new ]
    done
}

@test "one of several images is named behind the path" {
    need umoci
    umoci init --layout um
    for tag in one two; do
        umoci new --image um:$tag
        echo $tag >file
        tar -cf $tag.tar file
        umoci raw add-layer --image um:$tag $tag.tar
    done
    run -1 import um
    [[ $output == *"several images (one, two)"* ]]
    run -0 import um:two
    [ "$(cat "$(rootfs um:two)/file")" = two ]
    run -1 import um:three
    [[ $output == *"no image named 'three'"* ]]
}

@test "every lie about a digest or size is found, and nothing stays" {
    for broken in manifest config layer size diff_id digest; do
        for format in layout oci; do
            make "$format-$broken" -f $format -b $broken '[["file","file","x"]]'
            run -1 import "$format-$broken" --name x
            [[ $output == "skerry: "* ]]
            assert_empty_store
        done
    done
    make d.tar -f docker -b diff_id '[["file","file","x"]]'
    run -1 import d.tar
    [[ $output == *"wrong diff_id"* ]]
    make c.tar -f docker -b config '[["file","file","x"]]'
    run -1 import c.tar
    [[ $output == *"wrong digest"* ]]
    assert_empty_store
}

@test "images of another machine, cut archives and no archives are refused in clear words" {
    make layout -b arch '[["file","file","x"]]'
    run -1 import layout --name x
    [[ $output == *"linux/arm64"*"linux/amd64"* ]]
    make cut.tar -f oci -b truncate '[["file","zeros",300000]]' -c none
    run -1 import cut.tar --name x
    [[ $output == *runcated* ]]
    tar -cf plain.tar --files-from /dev/null
    run -1 import plain.tar --name x
    [[ $output == *"neither an OCI archive"*"nor a docker archive"* ]]
    head -c 100000 /dev/urandom >noise
    run -1 import noise --name x
    run -1 import /dev/null --name x
    mkdir empty
    run -1 import empty --name x
    [[ $output == *"oci-layout"* ]]
    assert_empty_store
}

@test "a name that leads out of the root is refused; links lead nowhere but into it" {
    mkdir outside
    echo secret >outside/secret
    here=$BATS_TEST_TMPDIR/outside
    up=../../../../../../../../../../../..
    i=0
    for layer in "[['$up$here/made','file','x']]" \
        "[['a/../..$here/made','file','x']]" \
        "[['stolen','hardlink','$up$here/secret']]" \
        "[['stolen','hardlink','$here/secret']]" \
        "[['d','symlink','$here'],['stolen','hardlink','d/secret']]" \
        "[['.wh...','file','']]" "[['a/.wh..','file','']]" "[['$up/.wh.tmp','file','']]"; do
        i=$((i + 1))
        make "refused$i" "$layer"
        run -1 import "refused$i" --name x
        assert_empty_store
    done
    make taken "[['abs','symlink','$here'],['abs/made','file','x'],
        ['rel','symlink','$up$here'],['rel/made','file','y'],
        ['file','symlink','$here/secret'],['file','file','mine'],
        ['$here/secret','file','inside'],
        ['wipe','symlink','$here'],['wipe/.wh.secret','file',''],['wipe/.wh..wh..opq','file','']]"
    run -0 import taken --name taken
    root=$(rootfs taken)
    [ "$(cat "$root$here/made")" = y ]
    [ "$(cat "$root/file")" = mine ]
    [ "$(ls -A outside)" = secret ]
    [ "$(cat outside/secret)" = secret ]
    [ "$(stat -c %h outside/secret)" = 1 ]
}

@test "no device, no fifo, no set-user-id file ever comes into the store" {
    make layout '[["dev/null","char"],["dev/sda","block"],["pipe","fifo"],["su","setuid","x"],
        ["ok","file","x"]]'
    run -0 import layout --name x
    root=$(rootfs x)
    [ -z "$(find "$root" ! -type f ! -type d ! -type l)" ]
    [ -z "$(find "$root" -perm /6000)" ]
    [ "$(stat -c %a "$root/su")" = 755 ]
    [ -f "$root/ok" ]
}

@test "bombs and floods end at their limits" {
    need zstd
    make bomb.tar -f docker -c zstd '[["zeros","zeros",300000000]]' # 300 MB in 30 KB
    run -1 import bomb.tar
    [[ $output == *bomb* ]]
    assert_empty_store
    make deep "[['$(printf 'd/%.0s' {1..200})','dir']]"
    run -1 import deep --name x
    make long "[['$(printf 'n%.0s' {1..256})','file','']]"
    run -1 import long --name x
    assert_empty_store
}

@test "a killed import leaves nothing that can be seen, and the next one sweeps" {
    make big.tar -f oci -c none '[["a","zeros",1000000]]'
    make small '[["file","file","x"]]'
    mkfifo feed
    "$skerry" image import feed --name big &
    pid=$!
    exec 7>feed
    head -c 500000 big.tar >&7
    until [ -n "$(ls -A "$SKERRY_STATE/images/staging" 2>/dev/null)" ]; do kill -0 $pid; done
    run -0 import small --name small # while the other lives its work stays
    [ -n "$(ls -A "$SKERRY_STATE/images/staging")" ]
    kill -9 $pid
    wait $pid || true
    exec 7>&-
    [ "$(ls -A "$SKERRY_STATE/images/refs")" = small ]
    run -0 import small --name again
    [ -z "$(ls -A "$SKERRY_STATE/images/staging")" ]
    [ "$(rootfs_count)" = 1 ]
}

@test "imports at the same time do not disturb each other" {
    for i in 1 2 3 4 5 6; do
        make "l$i" "[['file','file','$((i / 2))'],['zeros','zeros',3000000]]"
    done
    pids=
    for i in 1 2 3 4 5 6; do
        import "l$i" --name "n$i" >/dev/null &
        pids="$pids $!"
    done
    for pid in $pids; do wait "$pid"; done
    for i in 1 2 3 4 5 6; do
        [ "$(cat "$(rootfs "n$i")/file")" = $((i / 2)) ]
    done
    [ "$(rootfs_count)" = 4 ]
    [ -z "$(ls -A "$SKERRY_STATE/images/staging")" ]
}

@test "a replaced or removed image goes, the others stay" {
    make one '[["file","file","1"]]'
    make two '[["file","file","2"]]'
    run -0 import one --name app
    run -0 import one --name kept
    run -0 import two --name app
    [ "$(cat "$(rootfs app)/file")" = 2 ]
    [ "$(cat "$(rootfs kept)/file")" = 1 ]
    run -0 "$skerry" image remove kept
    [ "$(rootfs_count)" = 1 ]
    run -0 "$skerry" image remove app
    assert_empty_store
    run -1 "$skerry" image remove app
}

@test "names that are no names are refused" {
    make layout '[["file","file","x"]]'
    for name in '' .. ../x /etc/x 'a b' -x sha256:0000 $'a\nb'; do
        run ! import layout "--name=$name"
    done
    assert_empty_store
}

@test "without privilege all of it works as well" {
    [ "$(id -u)" = 0 ] || skip "is what the other tests have shown"
    chmod 711 "$BATS_TEST_TMPDIR" "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" 2>/dev/null || true
    own=$(mktemp -d)
    make "$own/layout" '[["d","dir"],["d/app","file","x"],["dev/null","char"]]'
    cp "$skerry" "$own/skerry"
    chown -R 65534:65534 "$own"
    run -0 setpriv --reuid 65534 --regid 65534 --clear-groups \
        env "SKERRY_STATE=$own/state" "$own/skerry" image import "$own/layout" --name x
    [ "$(cat "$own"/state/images/rootfs/*/d/app)" = x ]
    [ "$(stat -c %u "$own"/state/images/rootfs/*/d/app)" = 65534 ]
    rm -rf "$own"
}

# program OUT: libraries in app/lib and app/priv, a program in app/bin that needs them by $ORIGIN
compile_app() {
    mkdir -p app/bin app/lib app/priv
    echo 'int two(void) { return 41; }' >two.c
    echo 'int two(void); int one(void) { return two() + 1; }' >one.c
    cat >main.c <<'END'
#include <stdio.h>
int one(void);
int main(int argc, char **argv) { return printf("%d %s\n", one(), argv[argc - 1]) < 0; }
END
    gcc -shared -fPIC -o app/priv/libtwo.so.1 -Wl,-soname,libtwo.so.1 two.c
    gcc -shared -fPIC -o app/lib/libone.so -Wl,-soname,libone.so one.c app/priv/libtwo.so.1 \
        -Wl,--enable-new-dtags,-rpath,"\$ORIGIN/../priv"
    gcc -o app/bin/program main.c app/lib/libone.so \
        -Wl,--enable-new-dtags,-rpath,"\$ORIGIN/../lib",-rpath-link,app/priv
}

@test "a program finds its libraries by \$ORIGIN, by an absolute RPATH, and by a link to it" {
    need gcc
    compile_app
    run -0 "$skerry" run --closure app/bin/program
    [[ $output == "42 "*/app/bin/program ]]
    gcc -o old main.c app/lib/libone.so \
        -Wl,--disable-new-dtags,-rpath,"$PWD/app/lib",-rpath-link,app/priv
    run -0 "$skerry" run --closure ./old
    [[ $output == "42 "*/old ]]
    ln -s app/bin/program named
    run -0 "$skerry" run --closure ./named
    [[ $output == "42 "* ]]
    run -0 "$skerry" run --closure app/bin/program x
    [ "$output" = "42 x" ]
}

@test "a library that is missing, or is no library, is named" {
    need gcc
    compile_app
    echo root:secret >secret
    rm app/priv/libtwo.so.1
    run -126 "$skerry" run --closure app/bin/program
    [[ $output == *"libtwo.so.1"*"libone.so needs"*"--host-usr"* ]]
    ln -s ../../secret app/priv/libtwo.so.1 # what a hostile program would have us copy
    run -126 "$skerry" run --closure app/bin/program
    [[ $output == *"libtwo.so.1"* ]]
    rm app/priv/libtwo.so.1
    mkfifo app/priv/libtwo.so.1
    run -126 "$skerry" run --closure app/bin/program
    [[ $output == *"libtwo.so.1"* ]]
}

@test "a program of musl brings its loader" {
    need musl-gcc
    echo 'int puts(const char *); int main(void) { return puts("musl") < 0; }' >main.c
    musl-gcc -o program main.c
    run -0 "$skerry" run --closure ./program
    [ "$output" = musl ]
}
