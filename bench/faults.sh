#!/bin/sh
# bench/faults.sh BUILD: kill processes of programs, of krait's and of CPython's, and see who hangs.
# Called by ./run bench faults, which builds first.
#
# Each line is a fault, what became of krait's program, of CPython's, and in how many seconds; each
# has five.
#
#     map-worker-killed    a worker of a pool is killed by its item of a map
#     lock-holder-killed   who holds a lock is killed, and another wants it
#     queue-writer-killed  who puts into a queue is killed, at several instants, and others use it
#     queue-reader-killed  who waits for an item is killed, and another wants it
#     one-death            a worker of an executor is killed by one of a hundred tasks
#     parent-killed        who has made a pool is killed: its workers
#     ctrl-c-in-join       Ctrl-C while a pool is closed and its end is waited for
#
# SPDX-License-Identifier: MIT
set -eu
build=${1:?usage: faults.sh BUILD}
program=$build/bench/krait-faults
script=$(dirname "$0")/faults.py
limit=5
[ -x "$program" ] || {
    echo "bench: $program was not built" >&2
    exit 1
}

python=
version="CPython"
if command -v python3 >/dev/null 2>&1; then
    # The interpreter itself: what stands before it takes time of its own.
    python=$(python3 -c 'import sys; print(sys.executable)')
    version=$("$python" -c 'import platform; print("CPython " + platform.python_version())')
fi

tab=$(printf '\t')
hung=0
printf '# %-20s %-38s %7s   %-42s %7s\n' fault krait seconds "$version" seconds
for fault in map-worker-killed lock-holder-killed queue-writer-killed queue-reader-killed \
    one-death parent-killed ctrl-c-in-join; do
    ours=$("$program" --limit "$limit" "$program" "$fault")
    case $ours in
    hangs* | dies* | fails*) hung=1 ;;
    esac
    theirs="missing: needs python3$tab-"
    [ -z "$python" ] || theirs=$("$program" --limit "$limit" "$python" "$script" "$fault")
    printf '%-22s %-38s %7s   %-42s %7s\n' "$fault" "${ours%"$tab"*}" "${ours##*"$tab"}" \
        "${theirs%"$tab"*}" "${theirs##*"$tab"}"
done
exit $hung
