#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The verbs of skerry other than run: what they print, how they fail, with what status.

bats_require_minimum_version 1.5.0
load daemon

verbs='run serve deploy list describe invoke logs remove image-import image-list image-remove doctor
completion version help'

setup() {
    skerry=$BUILD/src/cli/skerry
    export SKERRY_STATE=$BATS_TEST_TMPDIR/s
    cd "$BATS_TEST_TMPDIR"
}

teardown() {
    [ -z "${DAEMON:-}" ] || daemon_teardown
}

json() { # json FILTER: of $output
    jq -r "$1" <<<"$output"
}

page() { # page VERB: its manual page, from the build
    cat "$BUILD/man/skerry-$1.1"
}

# An OCI image layout in directory $1 with the busybox of this machine; $2 is its command.
make_layout() {
    python3 - "$1" "$(command -v busybox)" "$2" <<'END'
import gzip, hashlib, io, json, os, sys, tarfile
layout, busybox, command = sys.argv[1:]
os.makedirs(layout + "/blobs/sha256")
def blob(data):
    digest = hashlib.sha256(data).hexdigest()
    open(f"{layout}/blobs/sha256/{digest}", "wb").write(data)
    return {"digest": "sha256:" + digest, "size": len(data)}
layer = io.BytesIO()
with tarfile.open(fileobj=layer, mode="w") as tar:
    tar.add(busybox, "bin/busybox")
    for name in ("sh", "cat", "id", "env"):
        link = tarfile.TarInfo("bin/" + name)
        link.type, link.linkname = tarfile.SYMTYPE, "busybox"
        tar.addfile(link)
config = {"architecture": "amd64", "os": "linux",
          "config": {"Env": ["GREETING=hello", "PATH=/bin"], "Cmd": ["/bin/sh", "-c", command],
                     "User": "42:43", "WorkingDir": "/bin"},
          "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer.getvalue()).hexdigest()]}}
kind = "application/vnd.oci.image."
manifest = {"schemaVersion": 2, "mediaType": kind + "manifest.v1+json",
            "config": {"mediaType": kind + "config.v1+json", **blob(json.dumps(config).encode())},
            "layers": [{"mediaType": kind + "layer.v1.tar+gzip", **blob(gzip.compress(layer.getvalue()))}]}
index = {"schemaVersion": 2, "manifests": [
    {"mediaType": kind + "manifest.v1+json", **blob(json.dumps(manifest).encode()),
     "platform": {"architecture": "amd64", "os": "linux"},
     "annotations": {"org.opencontainers.image.ref.name": "latest"}}]}
open(layout + "/index.json", "w").write(json.dumps(index))
open(layout + "/oci-layout", "w").write('{"imageLayoutVersion": "1.0.0"}')
END
}

# --- words about itself ---

@test "help names every verb, and every verb has a page" {
    run "$skerry" help
    [ "$status" -eq 0 ]
    for verb in $verbs; do
        [[ $output == *"${verb/-/ }"* ]]
        run -0 "$skerry" ${verb/-/ } --help
        [ "$verb" = serve ] || [[ $output == "usage: skerry ${verb/-/ }"* ]]
        run -0 "$skerry" help ${verb/-/ }
        [[ $output == "usage: skerry ${verb/-/ }"* ]]
        run -0 "$skerry" help
    done
    run -0 "$skerry"
    run -0 "$skerry" --help
}

@test "unknown verbs are 2, with a suggestion" {
    run --separate-stderr "$skerry" delpoy x
    [ "$status" -eq 2 ]
    [[ $stderr == "skerry: unknown verb 'delpoy' (did you mean 'deploy'?)"* ]]
    run -2 "$skerry" image
    [[ $output == *"'image' needs one of: import, list, remove"* ]]
    run -2 "$skerry" image improt x
    [[ $output == *"did you mean 'image import'?"* ]]
    run -2 "$skerry" help nothing
    run -2 "$skerry" list --jsno
    [[ $output == *"skerry: list: unknown option --jsno (did you mean --json?)"* ]]
    run -2 "$skerry" invoke
    run -2 "$skerry" version x
}

@test "version" {
    run -0 "$skerry" --version
    [[ $output =~ ^skerry\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
    run -0 "$skerry" version --json
    [ "skerry $(json .version)" = "$("$skerry" version)" ]
}

@test "a full disk is a failure" {
    run -1 bash -c "$skerry help >/dev/full"
    [[ $output == *"cannot write to stdout"* ]]
}

# --- doctor ---

@test "doctor tells what is here and what to do, and that run works" {
    run -0 "$skerry" doctor
    [[ $output == *kernel*"user namespaces"*"skerry run works here"* ]]
    run -0 "$skerry" doctor --json
    [ "$(json .works)" = true ]
    [ "$(json '[.findings[] | select(.state == "missing")] | length')" = 0 ]
    [ "$(json '[.findings[].state] | unique - ["ok", "limited", "missing", "absent"] | length')" = 0 ]
    [ "$(json '[.findings[].found | select(. == "")] | length')" = 0 ]
    for id in kernel user-namespaces rootless mount-api overlayfs idmapped-mounts cgroup cgroup-memory \
        cgroup-pids cgroup-cpu seccomp landlock pidfd capabilities kvm protection-keys bounds programs; do
        [ "$(json "[.findings[] | select(.id == \"$id\")] | length")" = 1 ]
    done
    # what is not well says what to do about it or what it means
    [ "$(json '[.findings[] | select(.state == "limited" and .means == "")] | length')" = 0 ]
}

@test "doctor sees the kernel that is there" {
    run -0 "$skerry" doctor --json
    [[ $(json '.findings[] | select(.id == "kernel") | .found') == *"$(uname -r)"* ]]
    layout=$(json '.findings[] | select(.id == "cgroup") | .found')
    if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
        [ "$layout" = v2 ]
    else
        [[ $layout == *v1* ]]
    fi
}

@test "doctor as a user without root says what is not limited" {
    cp "$BUILD/src/cli/skerry" "$BUILD/src/jail/skerry-zygote" .
    chmod a+x "$BATS_RUN_TMPDIR" "$BATS_TEST_TMPDIR" "$BATS_TEST_TMPDIR/.."
    run -0 setpriv --reuid=65534 --regid=65534 --clear-groups ./skerry doctor --json
    [ "$(json '.findings[] | select(.id == "rootless") | .state')" = limited ]
    [ "$(json '.findings[] | select(.id == "user-namespaces") | .state')" = ok ]
}

@test "doctor says no where user namespaces are forbidden" {
    run -1 unshare --user --map-root-user --mount sh -c "
        echo 0 >/proc/sys/user/max_user_namespaces; exec $skerry doctor"
    [[ $output == *"missing"*"user namespaces cannot be made"* ]]
    [[ $output == *"sysctl -w user.max_user_namespaces"* ]]
    [[ $output == *"skerry run cannot work here"* ]]
}

# --- completion ---

complete() { # complete WORD...: candidates, without what they mean
    "$skerry" __complete -- "$@" | cut -f 1
}

@test "candidates come from the tables" {
    [ "$(complete im)" = image ]
    [ "$(complete image '')" = $'import\nlist\nremove' ]
    [ "$(complete de)" = $'deploy\ndescribe' ]
    [ "$(complete run --me)" = --mem ]
    [ "$(complete run --net '')" = $'none\nown' ]
    [ "$(complete run --rootfs '')" = :dir ]
    [ "$(complete run --mem 1M '')" = :command ]
    [ "$(complete run grep --me)" = :file ] # the program's own words
    [ "$(complete deploy x --exec '')" = :file ]
    [ "$(complete completion z)" = zsh ]
    [ "$(complete version '')" = '' ]
    [ "$(complete help dep)" = deploy ]
    [ -z "$(complete __)" ] # hidden
}

@test "bash completes" {
    "$skerry" completion bash >script
    bash -n script
    run -0 bash -c "PATH=$BUILD/src/cli:\$PATH; source ./script
        COMP_WORDS=(skerry run --ti) COMP_CWORD=2; _skerry; echo \"\${COMPREPLY[*]}\"
        COMP_WORDS=(skerry image l) COMP_CWORD=2; _skerry; echo \"\${COMPREPLY[*]}\""
    [ "$output" = $'--timeout --tier\nlist' ]
}

@test "completion scripts are well formed" {
    run -0 "$skerry" completion zsh
    [[ $output == "#compdef skerry"* ]]
    run -0 "$skerry" completion fish
    [[ $output == *"complete -c skerry"* ]]
    run -2 "$skerry" completion tcsh
    [[ $output == *"there are: bash zsh fish"* ]]
    if command -v zsh >/dev/null; then "$skerry" completion zsh >z && zsh -n z; fi
    if command -v fish >/dev/null; then "$skerry" completion fish >f && fish -n f; fi
    if command -v shellcheck >/dev/null; then "$skerry" completion bash | shellcheck -s bash -; fi
}

# --- manual pages and installation ---

@test "every verb has a manual page with each of its options" {
    for verb in $verbs; do
        page "$verb" >page
        grep -q "^.Dt SKERRY-${verb^^} 1$" page
        for option in $("$skerry" help ${verb/-/ } | sed -n 's/^  \(   \|-.,\) --\([a-z-]*\).*/\2/p'); do
            grep -q "^.It.*Fl .-$option" page
        done
        grep -q "^.Xr skerry-$verb 1 \.$" "$SRC/man/skerry.1"
    done
}

@test "skerryd(8) has every option and key of the configuration" {
    for option in $("$BUILD/src/control/skerryd" --help | grep -o -- '^  --[a-z]*' | tr -d ' -'); do
        grep -q "^.It .*Fl .-$option" "$SRC/man/skerryd.8"
    done
    keys=0
    for key in $(sed -n 's/^    {"\([a-z_]*\)", VALUE_.*/\1/p' "$SRC/src/control/config.c"); do
        grep -q "^.It Cm $key$" "$SRC/man/skerryd.8"
        keys=$((keys + 1))
    done
    [ "$keys" -ge 10 ]
}

@test "manual pages pass mandoc" {
    command -v mandoc >/dev/null || skip "mandoc is not installed"
    for verb in $verbs; do page "$verb" >"skerry-$verb.1"; done
    cp "$SRC"/man/*.[18] .
    # pages that refer to each other are not installed yet, those of others not in mandoc's database
    run bash -c 'mandoc -T lint *.[18] 2>&1 | grep -vE "referenced manual not found|outdated mandoc.db"'
    [ -z "$output" ]
}

@test "installed below another directory it works" {
    DESTDIR=$PWD/dest meson install -C "$BUILD" --no-rebuild --quiet
    root=$(dirname "$(dirname "$(find dest -path '*/bin/skerry')")")
    [ -x "$root/bin/skerryd" ]
    [ -x "$root/libexec/skerry/skerry-zygote" ]
    [ -e "$root/share/man/man1/skerry-run.1" ]
    [ -e "$root/share/man/man1/skerry.1" ]
    [ -e "$root/share/man/man8/skerryd.8" ]
    [ -e "$root/share/bash-completion/completions/skerry" ]
    [ -e "$root/share/zsh/site-functions/_skerry" ]
    [ -e "$root/share/fish/vendor_completions.d/skerry.fish" ]
    run -0 "$root/bin/skerry" run echo works
    [ "$output" = works ]
}

# --- without a daemon ---

@test "without a daemon each verb says how to start one" {
    for command in list 'describe x' 'invoke x' 'logs x' 'remove x' 'deploy x --host-usr true'; do
        # shellcheck disable=SC2086
        run -1 --separate-stderr "$skerry" $command </dev/null
        [ -z "$output" ]
        [[ $stderr == "skerry: the daemon is not running: nothing answers at $SKERRY_STATE/"*"start it with 'skerry serve"* ]]
    done
}

@test "deploy refuses what makes no sense before it asks anybody" {
    run -2 "$skerry" deploy x
    [[ $output == *"what is to run?"* ]]
    run -2 "$skerry" deploy x --exec /bin/true --image y
    [[ $output == *"exclude each other"* ]]
    run -2 "$skerry" deploy x --host-usr
    [[ $output == *"needs the PROGRAM"* ]]
    run -2 "$skerry" deploy X --host-usr true
    [[ $output == *"'X' is not allowed"* ]]
    run -2 "$skerry" deploy x --tenant A --host-usr true
    run -2 "$skerry" deploy x --host-usr ./nothing
    run -2 "$skerry" deploy x --mem 1 --host-usr true
}

@test "a state directory is --state, SKERRY_STATE or the user's" {
    run -1 "$skerry" list --state /from/option
    [[ $output == *" /from/option/skerry.sock"* ]]
    run -1 env -u SKERRY_STATE "$skerry" list --state relative
    [[ $output == *"$PWD/relative/skerry.sock"* ]]
    run -1 "$skerry" list --state "/$(printf 'x%.0s' $(seq 100))"
    [[ $output == *"longer than the 90 characters"* ]]
}

@test "serve becomes skerryd and hands SKERRY_STATE on" {
    "$skerry" serve --listen 127.0.0.1:0 >out 2>log 3>&- &
    DAEMON=$!
    touch "$BATS_TEST_TMPDIR/out"
    daemon_serves
    [ "$(readlink "/proc/$DAEMON/exe")" = "$BUILD/src/control/skerryd" ]
    [ -S "$SKERRY_STATE/skerry.sock" ]
    run -0 "$skerry" doctor --json
    [ "$(json '.findings[] | select(.id == "daemon") | .found')" = "runs, state in $SKERRY_STATE" ]
    daemon_stop
}

# --- with one ---

@test "deploy --exec, list, invoke, describe, remove" {
    daemon_start
    run -0 --separate-stderr "$skerry" list
    [ -z "$output" ]
    [[ $stderr == *"no function is deployed"* ]]
    run -0 "$skerry" deploy pick --exec "$(command -v jq)" -- -c .a
    [ "$output" = "pick is ready (revision 1): POST /function/pick" ]
    run -0 "$skerry" invoke pick <<<'{"a": [1, 2]}'
    [ "$output" = "[1,2]" ]
    wait_until bash -c "$skerry list | grep -q 'ready  *1 '" # counted when the answer's last byte is sent
    run -0 "$skerry" list
    [[ ${lines[0]} == NAME*TENANT*STATUS*CALLS*IMAGE ]]
    [[ ${lines[1]} =~ ^pick\ +default\ +ready\ +1\ +exec/default/pick ]]
    run -0 "$skerry" list --json
    [ "$(json '.[0].name')" = pick ]
    run -0 "$skerry" describe pick
    [[ $output == *"command"*" -c .a"*"mem "*128M*"invocations  1"*"the last start"*furnished*"all starts"*p99* ]]
    run -0 "$skerry" describe pick --json
    [ "$(json '.counters.ok')" = 1 ]
    [ "$(json '[.lastStart[].stage] | contains(["accepted", "taken", "exec", "exit"])')" = true ]
    run -0 "$skerry" image list --json
    [ "$(json '.[0].ref')" = exec/default/pick ]
    run -0 "$skerry" remove pick
    [ -z "$output" ]
    [ "$("$skerry" image list --json)" = '[]' ]
    run -4 "$skerry" invoke pick <<<'{}'
    run -1 "$skerry" describe pick
    [[ $output == *"there is no function 'pick'"* ]]
    run -1 "$skerry" remove pick
    [[ $output == "skerry: "*pick* ]]
}

@test "deploy with every setting, and again with others" {
    daemon_start
    mkdir shown && echo text >shown/file
    run -0 "$skerry" deploy all --mem 96M --cpus 0.5 --pids 20 --timeout 5s --tmp 3M --files 99 \
        --max-body 1M --concurrency 3 --queue 7 --tier jail --net none --ipc own --proc full --user 5:6 \
        --cwd /tmp -e A=1 -e B=2 --bind shown:/shown:ro --cgi --stream -l colour=red --annotation note=x \
        --json --host-usr sh -c 'printf "Content-Type: text/x\r\n\r\n"; echo $A$B $(id -u) $(pwd) $(cat /shown/file)'
    [ "$(json .status)" = ready ]
    run -0 "$skerry" describe all --json
    [ "$(json '.skerry | "\(.mem) \(.cpus) \(.pids) \(.timeout) \(.tmp) \(.files) \(.max_body) \(.concurrency) \(.queue)"')" = \
        "96M 500m 20 5s 3M 99 1M 3 7" ]
    [ "$(json '.skerry | "\(.net) \(.ipc) \(.proc) \(.user) \(.cwd) \(.cgi) \(.stream)"')" = \
        "none own full 5:6 /tmp true true" ]
    [ "$(json '.labels.colour + .annotations.note + .envVars.B')" = redx2 ]
    run -0 "$skerry" describe all
    [[ $output == *"env "*A=1*"label"*colour=red*"bind"*"$PWD/shown on /shown, read-only"* ]]
    run -0 "$skerry" invoke all </dev/null
    [ "$output" = "12 5 /tmp text" ]
    run -0 "$skerry" deploy all --host-usr echo second
    [ "$output" = "all is ready (revision 2): POST /function/all" ]
    [ "$("$skerry" invoke all </dev/null)" = second ]
}

@test "deploy says why a function cannot run" {
    daemon_start
    run -1 "$skerry" deploy bad --host-usr no-such-program
    [[ $output == "skerry: "*"no-such-program"* ]]
    run -1 "$skerry" deploy bad --image no-such-image
    [[ $output == "skerry: "*"no-such-image"* ]]
    printf '#!/bin/sh\n' >script && chmod 755 script
    run -1 "$skerry" deploy bad --exec ./script
    [[ $output == "skerry: "* ]]
}

@test "deploy shows a script of ours alone" {
    daemon_start
    printf '#!/bin/sh\necho "$0"; ls /app\n' >script.sh && chmod 755 script.sh
    run -0 "$skerry" deploy own --host-usr ./script.sh
    [ "$("$skerry" invoke own </dev/null)" = $'/app/script.sh\nscript.sh' ]
}

@test "invoke: method, headers, path and query" {
    daemon_start
    "$skerry" deploy cgi --host-usr sh -c \
        'echo "$REQUEST_METHOD $PATH_INFO $QUERY_STRING $HTTP_X_ONE $CONTENT_TYPE $CONTENT_LENGTH"; cat'
    run -0 "$skerry" invoke cgi -X PUT -H 'X-One: 1' --header 'Content-Type: text/x' --path a/b \
        --query 'q=1&r=2' < <(printf body)
    [ "$output" = $'PUT /a/b q=1&r=2 1 text/x 4\nbody' ] # from a pipe: the daemon learns the length
    printf body >file
    run -0 "$skerry" invoke cgi --path '/a b' <file
    [ "$output" = $'POST /a b    4\nbody' ]
    run -0 "$skerry" invoke cgi -X GET <file # a GET sends no body
    [ "$output" = "GET     " ]
    run -2 "$skerry" invoke cgi -H 'bad header' </dev/null
    run -2 "$skerry" invoke cgi -H $'X: a\r\nY: b' </dev/null
    run -2 "$skerry" invoke cgi -X 'GET /' </dev/null
    run -2 "$skerry" invoke 'a/b' </dev/null
}

@test "invoke: failures go to stderr and into the status" {
    daemon_start
    run -4 --separate-stderr "$skerry" invoke nothing </dev/null
    [ -z "$output" ]
    [[ $stderr == *"skerry: function nothing answered 404"*"skerry list"* ]]
    "$skerry" deploy fails --host-usr sh -c 'echo out; echo problem >&2; exit 3'
    run -5 --separate-stderr "$skerry" invoke fails </dev/null
    [ -z "$output" ]
    [[ $stderr == *"problem"*"skerry: function fails answered 500 (call "* ]]
    "$skerry" deploy slow --timeout 200ms --host-usr sleep 60
    run -5 --separate-stderr "$skerry" invoke slow </dev/null
    [[ $stderr == *"answered 504"* ]]
    "$skerry" deploy small --max-body 10 --host-usr cat
    run -4 --separate-stderr "$skerry" invoke small <<<"much more than ten bytes"
    [[ $stderr == *"answered 413"* ]]
}

@test "invoke: large bodies stream both ways" {
    daemon_start
    "$skerry" deploy echo --max-body 64M --stream --host-usr cat
    head -c 20000000 /dev/urandom >big
    [ "$("$skerry" invoke echo <big | sha256sum)" = "$(sha256sum <big)" ]
    [ "$(cat big | "$skerry" invoke echo | sha256sum)" = "$(sha256sum <big)" ]
    [ "$("$skerry" invoke echo </dev/null | wc -c)" = 0 ]
}

@test "invoke: the answer is printed while the body is still open" {
    daemon_start
    "$skerry" deploy first --stream --host-usr sh -c 'echo early; cat'
    mkfifo in
    "$skerry" invoke first <in >out 3>&- &
    pid=$!
    exec 7>in
    wait_until grep -q early out
    echo late >&7
    exec 7>&-
    wait $pid
    [ "$(cat out)" = $'early\nlate' ]
}

@test "tenants have functions of the same name" {
    daemon_start
    "$skerry" deploy who --host-usr echo one
    run -0 "$skerry" deploy who --tenant other --host-usr echo two
    [[ $output == *"POST /function/who.other" ]]
    [ "$("$skerry" invoke who </dev/null)" = one ]
    [ "$("$skerry" invoke who --tenant other </dev/null)" = two ]
    [ "$("$skerry" list --tenant other --json | jq length)" = 1 ]
    [ "$("$skerry" describe who --tenant other --json | jq -r .namespace)" = other ]
    "$skerry" remove who --tenant other
    [ "$("$skerry" invoke who </dev/null)" = one ]
    run -2 "$skerry" deploy x --tenant A/B --host-usr true
    run -1 "$skerry" list --tenant A/B
}

@test "logs: lines, tail, JSON, follow" {
    daemon_start
    "$skerry" deploy talk --host-usr sh -c 'cat >&2; printf "\033[31mred\n" >&2'
    for word in one two three; do "$skerry" invoke talk <<<"$word"; done
    wait_until bash -c "$skerry logs talk | grep -q three"
    run -0 "$skerry" logs talk
    [[ $output == *one*two*three* ]]
    [[ $output == *'\x1b[31mred'* ]] # a terminal does not obey what a function says
    run -0 "$skerry" logs talk --tail 1
    [ "${#lines[@]}" -eq 1 ]
    run -0 "$skerry" logs talk --json
    [ "$(jq -r .name <<<"${lines[0]}")" = talk ]
    "$skerry" logs talk -f --tail 1 >followed 3>&- &
    pid=$!
    wait_until test -s followed # with the last line from before, it follows
    "$skerry" invoke talk <<<"four"
    wait_until grep -q four followed
    kill $pid
    wait $pid || true
    run -1 "$skerry" logs nothing
    [[ $output == *"there is no function 'nothing'"* ]]
}

@test "image import, list, remove; run and deploy from it" {
    make_layout layout 'echo $GREETING $(id -u):$(id -g) $PWD'
    run -0 "$skerry" image import layout --name box:1
    [[ $output =~ ^box:1\ +[0-9a-f]{12}\ +[0-9.]+[KM]$ ]]
    run -0 "$skerry" image list
    [[ ${lines[1]} == box:1*/bin/sh ]]
    run -0 "$skerry" image list --json
    [ "$(json '.[0].ref')" = box:1 ]
    [[ $(json '.[0].digest') =~ ^[0-9a-f]{64}$ ]]
    [ "$(complete run --image '')" = box:1 ]
    run -0 "$skerry" run --image box:1
    [ "$output" = "hello 42:43 /bin" ]
    run -0 "$skerry" run --image box:1 --user 9 id -u
    [ "$output" = 9 ]
    run -0 "$skerry" image import layout --name box:2 --json
    [ "$(json .ref)" = box:2 ]
    run -0 "$skerry" image remove box:2
    daemon_start
    run -0 "$skerry" deploy boxed --image box:1
    [ "$("$skerry" invoke boxed </dev/null)" = "hello 42:43 /bin" ]
    run -0 "$skerry" deploy boxed --image box:1 env
    [[ $("$skerry" invoke boxed </dev/null) == *GREETING=hello* ]]
    run -1 "$skerry" image remove box:1
    [[ $output == *"the function boxed uses it"*"--force"* ]]
    [ "$(complete remove '')" = boxed ]
    "$skerry" remove boxed
    run -0 "$skerry" image remove box:1
    run -1 "$skerry" image remove box:1
    [[ $output == "skerry: "*box:1* ]]
    run -125 "$skerry" run --image box:1 true
}

@test "image import of what is none says so" {
    echo nonsense >file
    run -1 "$skerry" image import file --name x
    [[ $output == "skerry: "* ]]
    run -1 "$skerry" image import ./nothing --name x
    [[ $output == *"No such file or directory"* ]]
    run -0 "$skerry" image list
    [ "${#lines[@]}" -eq 1 ]
}

@test "a user without root is told about the daemon's socket" {
    daemon_start
    cp "$skerry" .
    chmod a+x "$BATS_RUN_TMPDIR" "$BATS_TEST_TMPDIR" "$BATS_TEST_TMPDIR/.."
    run -1 setpriv --reuid=65534 --regid=65534 --clear-groups ./skerry list --state "$STATE"
    [[ $output == "skerry: connect to the daemon at $STATE/skerry.sock: permission denied"* ]]
}

# --- the demo ---

demo_setup() {
    for tool in cmark jq identify; do
        command -v $tool >/dev/null || skip "$tool is not installed"
    done
    DEMO_PORT=$(python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
    export DEMO_PORT TMPDIR=$BATS_TEST_TMPDIR
    unset SKERRY_STATE
}

@test "the demo: every answer is right, and nothing stays" {
    demo_setup
    run -0 env ONCE=1 "$SRC/examples/demo.sh"
    local want=7
    [ ! -c /dev/kvm ] || want=10 # and those in virtual machines
    [ "$(grep -c '^  right' <<<"$output")" -eq "$want" ]
    [[ $output == *"A cold start, stage by stage"*furnished*exec* ]]
    [ -z "$(find "$BATS_TEST_TMPDIR" -name 'skerry-demo*')" ]
}

@test "the demo: a wrong answer fails it" {
    demo_setup
    mkdir bin && printf '#!/bin/sh\necho something else\n' >bin/cmark && chmod 755 bin/cmark
    run -1 env ONCE=1 PATH="$PWD/bin:$PATH" "$SRC/examples/demo.sh"
    [[ $output == *"WRONG"*markdown* ]]
}

@test "the demo: a port that is taken is named" {
    demo_setup
    daemon_start
    run -1 env DEMO_PORT="${URL##*:}" "$SRC/examples/demo.sh"
    [[ $output == *"port ${URL##*:} of 127.0.0.1 is taken"*DEMO_PORT=* ]]
}

@test "the demo: it serves until Ctrl-C, then all is gone" {
    demo_setup
    env --default-signal "$SRC/examples/demo.sh" >out 2>&1 3>&- &
    pid=$!
    wait_until grep -q '^Serving on' out
    [ "$(curl -s --data-binary '*a*' "http://127.0.0.1:$DEMO_PORT/function/markdown")" = '<p><em>a</em></p>' ]
    kill -INT $pid
    code=0
    wait $pid || code=$?
    [ "$code" -eq 130 ]
    [ -z "$(find "$BATS_TEST_TMPDIR" -name 'skerry-demo*')" ]
    run -7 curl -s "http://127.0.0.1:$DEMO_PORT/healthz"
}
