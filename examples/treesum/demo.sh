#!/bin/sh
# ./run demo [DIR]: hash a real tree one file at a time, then on krait's thread pool and on its
# process pool, check the list with sha256sum, and say what the pools gained.
#
#     demo.sh BUILD [DIR]      BUILD holds examples/treesum/treesum
#
# Exit status: 0 when all lists are the same and sha256sum agrees, else 1.
#
# SPDX-License-Identifier: MIT
set -u

die() {
    printf 'demo: %s\n' "$*" >&2
    exit 1
}

treesum=${1:?usage: demo.sh BUILD [DIR]}/examples/treesum/treesum
directory=${2-}
[ $# -le 2 ] || die "one directory at most"
[ -x "$treesum" ] || die "$treesum was not built (is libssl-dev installed?)"

if [ $# -lt 2 ]; then
    for directory in /usr/share /usr /etc; do
        [ -d "$directory" ] && break
    done
fi
[ -e "$directory" ] || die "no such directory: $directory"
[ -d "$directory" ] || die "not a directory: $directory"
{ [ -r "$directory" ] && [ -x "$directory" ]; } || die "no permission to read $directory"

work=$(mktemp -d "${TMPDIR:-/tmp}/treesum.XXXXXX") || die "cannot make a temporary directory"
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

case $directory in
-*) directory=./$directory ;;
esac

now() { # nanoseconds
    date +%s%N
}

# timed NAME COMMAND...: its output goes to a file, its status and nanoseconds to variables.
timed() {
    output=$work/$1
    shift
    begun=$(now)
    "$@" >"$output"
    status=$?
    taken=$(($(now) - begun))
    [ "$status" -ne 130 ] || exit 130
}

echo "Reading $directory once, so that all that follows finds it in memory ..."
timed first "$treesum" "$directory"
[ -s "$work/first" ] || die "no files that can be read below $directory"
first_status=$status

echo "Hashing one file after the other ..."
timed sequential "$treesum" --sequential "$directory" 2>/dev/null
sequential=$taken
echo "Hashing in threads ..."
timed threads "$treesum" "$directory" 2>/dev/null
threads=$taken
echo "Hashing in processes ..."
timed processes "$treesum" -p "$directory" 2>/dev/null
processes=$taken

verdict=0
for pool in threads processes; do
    cmp -s "$work/sequential" "$work/$pool" && continue
    echo "demo: the list made in $pool differs: did files change meanwhile?" >&2
    diff "$work/sequential" "$work/$pool" | head -n 10 >&2
    verdict=1
done
[ $verdict -ne 0 ] || echo "All three lists are the same.  Checking with sha256sum -c ..."
files=$(wc -l <"$work/threads")
if sha256sum -c --quiet "$work/threads" 2>&1; then
    checked="sha256sum agrees on all $files files"
else
    checked="sha256sum DISAGREES, see above"
    verdict=1
fi
if [ "$first_status" -ne 0 ]; then
    checked="$checked; those that could not be read are named above"
fi

# All files that can be read, each once, by what the file system says of their sizes.
bytes=$(find "$directory/" -type f -printf '%s\n' 2>/dev/null |
    awk '{ sum += $1 } END { printf "%.0f", sum }')

cores=$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
awk -v files="$files" -v bytes="$bytes" -v one="$sequential" -v threads="$threads" \
    -v processes="$processes" -v cores="$cores" '
function row(name, taken, gain) {
    printf "%-12s %9d %12.1f %9.3f %9.1f %9s %6d\n", name, files, bytes / 1e6, taken / 1e9,
           bytes / 1e6 / (taken / 1e9), gain, name == "sequential" ? 1 : cores
}
BEGIN {
    printf "\n%-12s %9s %12s %9s %9s %9s %6s\n", "", "files", "MB", "seconds", "MB/s",
           "speed-up", "cores"
    row("sequential", one, "1.00")
    row("threads", threads, sprintf("%.2f", one / threads))
    row("processes", processes, sprintf("%.2f", one / processes))
}'
echo
echo "$checked"
exit $verdict
