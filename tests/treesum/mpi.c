/* treesum -m: the same in the ranks of an MPI job.
 *
 * SPDX-License-Identifier: MIT
 */
#include "treesum/tool.h"

#include <krait/krait.h>

/* MPI leaks, and knows nothing of thread sanitizers. */
#define RANKS                                                                                      \
    "command -v mpirun >/dev/null || exit 77; export KRAIT_KEY=0123456789abcdef; "                 \
    "export OMPI_MCA_btl_vader_backing_directory=\"$PWD\" "                                        \
    "OMPI_MCA_btl_sm_backing_directory=\"$PWD\"; "                                                 \
    "export ASAN_OPTIONS=\"${ASAN_OPTIONS-}:detect_leaks=0\" "                                     \
    "TSAN_OPTIONS=\"${TSAN_OPTIONS-} ignore_noninstrumented_modules=1\"; "                         \
    "ranks() { n=$1; shift; mpirun --allow-run-as-root --oversubscribe --bind-to none -n $n "      \
    "\"$t\" -m \"$@\"; }; "

#define MPI_SCRIPT(name, text)                                                                     \
    TEST(name)                                                                                     \
    {                                                                                              \
        if (kr_mpi_missing())                                                                      \
            SKIP("built without MPI");                                                             \
        tool_begin();                                                                              \
        CHECK_EQ(tool_script(RANKS text), 0);                                                      \
    }

MPI_SCRIPT(ranks_print_the_same,
           "mkdir d; i=0; while [ $i -lt 300 ]; do mkdir -p d/$((i % 7)); "
           "head -c $((i * 37)) /dev/zero >d/$((i % 7))/$i; i=$((i + 1)); done; "
           "head -c 9000000 /dev/zero >d/5/large; expected d >want; "
           "for n in 2 4; do ranks $n d >got 2>err </dev/null; same want got; [ ! -s err ]; done; "
           "ranks 3 -c want >got </dev/null; sha256sum -c want >list; same list got")

MPI_SCRIPT(ranks_leave_standard_input_to_us,
           "echo hello | ranks 2 - >got; echo hello | sha256sum >want; same want got")

MPI_SCRIPT(ranks_judge_the_same,
           "mkdir d; echo 1 >d/a; echo 2 >d/b; echo 3 >d/c; expected d >list; echo 4 >d/b; rm d/c; "
           "set +e; ranks 3 -c list >got 2>err </dev/null; got=$?; set -e; [ $got -ne 0 ]; "
           "sha256sum -c list >want 2>&1 || :; grep -v WARN want | grep -v 'No such' >list; "
           "same list got; grep -q 'treesum: d/c: No such' err")

MPI_SCRIPT(ranks_need_a_key,
           "echo 1 >f; unset KRAIT_KEY; set +e; ranks 2 f >got 2>err </dev/null; got=$?; set -e; "
           "[ $got -ne 0 ]; [ ! -s got ]; grep -q 'treesum: cannot start: .*key' err")
