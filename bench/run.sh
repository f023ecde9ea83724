#!/bin/sh
# bench/run.sh BUILD [WORD...]: measure krait beside its peers, all rows or those whose name contains
# one of the words.  Called by ./run bench, which builds first.
#
# Each line is
#
#     workload peer ns_per_op min max ratio
#
# the median of several runs, the least and the most, and krait's median over the peer's (below 1:
# krait is faster); then the median of the quotients of each round by itself, in which both have met
# the same machine, with the least and the most.  Rows in which threads hand over to each other come
# thrice: placed freely, all on one processor, and on two; rows of pools twice: freely, and on one.
# The word `faults` is for the table that faults.sh prints, which also stands at the end of all rows.
#
# SPDX-License-Identifier: MIT
set -eu
build=${1:?usage: run.sh BUILD [WORD...]}
shift
program=$build/bench/krait-bench
[ -x "$program" ] || {
    echo "bench: $program was not built" >&2
    exit 1
}

model=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1)
echo "# $(nproc) processors, ${model:-$(uname -m)}, Linux $(uname -r)"
status=0
[ "$*" = faults ] || "$program" "$build" "$*" || status=$?
case " $* " in
"  " | *" faults "*) sh "$(dirname "$0")/faults.sh" "$build" || status=1 ;;
esac
exit $status
