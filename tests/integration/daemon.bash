# SPDX-License-Identifier: Apache-2.0
# A private daemon for a test: its own state directory and a free port. Sourced by *.bats.
# Everything here waits for events; what hangs is ended by the runner.

# STATE_DIR: another state directory; DAEMON_WRAPPER: a command that runs the daemon.
daemon_begin() { # arguments of skerryd
    STATE=${STATE_DIR:-$BATS_TEST_TMPDIR/s}
    : >"$BATS_TEST_TMPDIR/out"
    # shellcheck disable=SC2086 # a wrapper such as strace may have arguments
    ${DAEMON_WRAPPER:-} "$BUILD/src/control/skerryd" --state "$STATE" "$@" \
        >"$BATS_TEST_TMPDIR/out" 2>>"$BATS_TEST_TMPDIR/log" 3>&- &
    DAEMON=$!
}

daemon_serves() { # waits until it serves; sets URL
    until grep -q '^skerryd: serving on' "$BATS_TEST_TMPDIR/out"; do
        kill -0 "$DAEMON" || { cat "$BATS_TEST_TMPDIR/log" && return 1; }
        sleep 0.01
    done
    URL=$(sed -n 's/^skerryd: serving on //p;q' "$BATS_TEST_TMPDIR/out")
}

daemon_start() {
    daemon_begin --listen 127.0.0.1:0 "$@" && daemon_serves
}

daemon_stop() { # SIGTERM; its exit status
    kill -TERM "$DAEMON"
    local status=0
    wait "$DAEMON" || status=$?
    DAEMON=
    return "$status"
}

daemon_teardown() { # of every test
    [ -z "${BATS_TEST_COMPLETED:-}" ] && cat "$BATS_TEST_TMPDIR/log"
    [ -z "${DAEMON:-}" ] || daemon_stop
}

refute() { # command...: it fails (a plain ! is not seen by bats)
    ! "$@"
}

wait_until() { # command...
    until "$@" >/dev/null 2>&1; do sleep 0.01; done
}

split_answer() { # of curl -w '\n%{http_code}'; newlines at the end of a body are dropped
    code=${output##*$'\n'}
    output=${output%$'\n'*}
    output=$(printf %s "$output")
}

api() { # METHOD PATH [BODY]: the answer is in $output, its status in $code
    local body=()
    [ $# -lt 3 ] || body=(--data-binary "$3")
    output=$(curl -sS --unix-socket "$STATE/skerry.sock" -X "$1" "${body[@]}" \
        -w '\n%{http_code}' "http://admin$2")
    split_answer
}

call() { # NAME [curl arguments]: the answer is in $output, its status in $code
    output=$(curl -sS -w '\n%{http_code}' "${@:2}" "$URL/function/$1")
    split_answer
}

deploy() { # NAME SCRIPT [JSON of our settings [JSON of OpenFaaS's]]: a shell script on the machine's /usr
    local spec
    spec=$(jq -n --arg name "$1" --arg script "$2" --argjson own "${3:-null}" --argjson more "${4:-null}" \
        '{service: $name, skerry: ({host_usr: true, args: ["sh", "-c", $script]} + $own)} + $more')
    api PUT '/system/functions?upsert=1' "$spec"
    [ "$code" = 202 ] || { echo "deploy $1: $output" && return 1; }
}

# A function that says in $HOLD/started that it runs and waits for $HOLD/go.
deploy_hold() { # NAME [JSON of more settings]
    HOLD=$BATS_TEST_TMPDIR/hold
    mkdir -p "$HOLD" && chmod 777 "$HOLD"
    deploy "$1" 'echo x >>/hold/started; until [ -e /hold/go ]; do sleep 0.02; done; echo held' \
        "$(jq -n --arg dir "$HOLD" --argjson more "${2:-null}" \
            '{timeout: "1h", binds: [{source: $dir, target: "/hold"}]} + $more')"
}

hold_begin() { # NAME: a request in the background; its answer goes to $BATS_TEST_TMPDIR/held
    rm -f "$HOLD/started"
    curl -sS -w '\n%{http_code}' "$URL/function/$1" >"$BATS_TEST_TMPDIR/held" 2>&1 3>&- &
    CALLER=$! # for the test that waits for it
    export CALLER
    wait_until test -s "$HOLD/started"
}

child_of() { # PID PATTERN: the pid of its child whose command line matches
    pgrep -P "$1" -f -- "$2" | head -n 1
}

tree_of() { # PID...: the pids of everything below them
    ps -eo pid=,ppid= | awk -v roots="$*" '
        { children[$2] = children[$2] " " $1 }
        function below(pid,    list, i, n) {
            n = split(children[pid], list, " ")
            for (i = 1; i <= n; i++) { print list[i]; below(list[i]) }
        }
        END { n = split(roots, root, " "); for (i = 1; i <= n; i++) below(root[i]) }'
}

dead() { # PID...: none of them runs any more
    local pid stat
    for pid in "$@"; do
        if read -r stat 2>/dev/null <"/proc/$pid/stat" && ! [[ $stat =~ ^[0-9]+\ \(.*\)\ [ZX]\  ]]; then
            return 1
        fi
    done
}
