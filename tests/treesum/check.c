/* treesum -c judges lists as sha256sum -c does: the same lines, warnings and exit status.
 *
 * SPDX-License-Identifier: MIT
 */
#include "treesum/tool.h"

/* compare ARGUMENTS...: both programs with the same arguments say the same. */
#define COMPARE                                                                                    \
    "compare() { set +e; sha256sum -c \"$@\" >want 2>want.err <list; want=$?; "                    \
    "for how in -j2 '-p -j2' --sequential; do \"$t\" $how -c \"$@\" >got 2>got.err <list; "        \
    "got=$?; "                                                                                     \
    "set -e; [ $got -eq $want ] || { echo \"status $got, not $want: $*\" >&2; exit 1; }; "         \
    "renamed <want.err >want.named; same want got; same want.named got.err; set +e; done; "        \
    "set -e; };"

#define COMPARE_ALL                                                                                \
    "compare; for o in '' -w --status '--strict --quiet' '--quiet -w' --ignore-missing; do "       \
    "compare $o list; done; "

SCRIPT(check_good_lists,
       COMPARE "mkdir d; for f in a 'b c' '*x' ' y' 'back\\slash'; do echo \"$f\" >\"d/$f\"; done; "
               "printf 1 >\"$(printf 'd/new\\nline')\"; printf 2 >\"$(printf 'd/re\\rturn')\"; "
               "printf 3 >\"$(printf 'd/\\377')\"; treesum d >list; " COMPARE_ALL
               "sha256sum -b d/* >list; " COMPARE_ALL "sha256sum --tag d/* >list; " COMPARE_ALL)

SCRIPT(check_wrong_and_missing,
       COMPARE "echo 1 >a; echo 2 >b; echo 3 >c; treesum a b c >list; echo x >b; " COMPARE_ALL
               "rm c; " COMPARE_ALL "rm a b; " COMPARE_ALL "mkdir a; " COMPARE_ALL)

#define TWO_GOOD COMPARE "echo 1 >a; echo 2 >'b c'; treesum a 'b c' >good; "

SCRIPT(check_malformed_lines,
       TWO_GOOD "{ cat good; echo nonsense; cat good; echo; echo '# comment'; printf '\\n\\n'; } "
                ">list; " COMPARE_ALL "{ echo nonsense; echo more; } >list; " COMPARE_ALL
                ": >list; " COMPARE_ALL "sed 's/^/ \t/' good >list; " COMPARE_ALL
                "sed 's/^../zz/' good >list; " COMPARE_ALL "sed 's/^.//' good >list; " COMPARE_ALL)

SCRIPT(check_odd_digests,
       TWO_GOOD "sed 's/^/0/' good >list; " COMPARE_ALL "tr a-f A-F <good >list; " COMPARE_ALL
                "sed 's/$/\\r/' good >list; " COMPARE_ALL "sed 's/  / /' good >list; " COMPARE_ALL
                "{ cat list good; } >l2; mv l2 list; " COMPARE_ALL
                "{ cat good; sed 's/  / /' good; } >list; " COMPARE_ALL)

SCRIPT(check_odd_endings, TWO_GOOD "printf '%s' \"$(cat good)\" >list; " COMPARE_ALL
                                   "sed 's/^/\\\\/' good >list; " COMPARE_ALL
                                   "sed 's/^/\\\\/; s/$/\\\\/' good >list; " COMPARE_ALL
                                   "sed 's/^/\\\\/; s/$/\\\\q/' good >list; " COMPARE_ALL
                                   "sed 's/  .*/  -/' good >list; " COMPARE_ALL)

SCRIPT(check_lists_that_cannot_be_read,
       COMPARE "echo 1 >a; treesum a >list; compare nowhere; compare nowhere list; compare .; "
               "compare list list; compare 'odd name'; compare list nowhere list")
