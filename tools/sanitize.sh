#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Builds with sanitizers and runs the unit tests: tools/sanitize.sh address|thread [TEST ...].
# "address" is address, leaks and undefined behaviour.
set -euo pipefail
cd "$(dirname "$0")/.."
kind=${1-}
case $kind in
address) options=('-Db_sanitize=address,undefined') ;;
thread) options=(-Db_sanitize=thread) ;;
*) echo "usage: tools/sanitize.sh address|thread [TEST ...]" >&2 && exit 2 ;;
esac
shift
build=build-$kind
[ -f "$build/build.ninja" ] || meson setup "$build" "${options[@]}" -Db_lundef=false >/dev/null
ninja -C "$build" --quiet
# Both keep their shadow memory at fixed addresses, which a large random offset (vm.mmap_rnd_bits) can hit.
exec setarch --addr-no-randomize tests/run --build "$build" "${@:-unit}"
