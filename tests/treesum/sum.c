/* treesum prints what sha256sum prints, whatever the files are called and however many work on it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "treesum/tool.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

SCRIPT(names_are_escaped_as_sha256sum_does,
       "mkdir -p d/a d/sub; cd d; printf 1 >' lead'; printf 2 >'-dash'; printf 3 >'a-b'; "
       "printf 4 >a/b; printf 5 >\"$(printf 'new\\nline')\"; printf 6 >'back\\slash'; "
       "printf 7 >\"$(printf 'carriage\\rreturn')\"; printf 8 >\"$(printf '\\377\\376')\"; "
       "printf 9 >'*star'; printf 10 >\"it's\"; printf 11 >'two  spaces '; : >empty; cd ..; "
       "expected d >want; for how in -j1 -j2 -j7 --sequential; do "
       "treesum $how d >got 2>err; same want got; [ ! -s err ]; done; sha256sum -c --quiet got")

SCRIPT(arguments_are_sorted_together,
       "mkdir -p in/d/a/b in/d/ab in/e; cd in; for f in d/a-x d/a/b/1 d/a/z d/ab/2 d/z e/1 e0 "
       "d.txt; do "
       "echo $f >$f; done; "
       "for args in d 'd e' 'e d' ./d d/ d// . '. d' 'd d' 'd d/a d/a/b' 'd/a d' 'd/z e0 d.txt d' "
       "'d/a-x' 'd/ d' 'e ./e'; do "
       "expected $args >../want; treesum $args >../got; same ../want ../got; "
       "treesum --sequential $args >../got; same ../want ../got; done; "
       "expected . >../want; treesum >../got; same ../want ../got")

SCRIPT(many_files_keep_their_order,
       "mkdir d; i=0; while [ $i -lt 700 ]; do mkdir -p d/$((i % 23)); "
       "head -c $((i * 37)) /dev/zero >d/$((i % 23))/$i; i=$((i + 1)); done; "
       "head -c 9000000 /dev/zero >d/5/large; head -c 5000000 /dev/zero >d/9/large; "
       "head -c 30000000 /dev/zero >d/7zlast; expected d >want; "
       "for how in '' -j1 -j3 -j16 --sequential; do treesum $how d >got; same want got; done")

SCRIPT(links_below_the_arguments_are_not_followed,
       "mkdir -p d/sub; echo 1 >d/sub/f; ln -s sub d/link; ln -s . d/loop; ln -s f d/sub/l; "
       "ln -s nothing d/dangling; mkfifo d/pipe; expected d >want; treesum d >got 2>err; "
       "same want got; [ ! -s err ]; "
       "ln -s d argument; treesum argument >got; find -H argument -type f | grep -q . ; "
       "sha256sum argument/sub/f >want; same want got; ln -s d/sub/f file; treesum file >got; "
       "sha256sum file >want; same want got")

SCRIPT(a_directory_inside_itself_is_left_out,
       "unshare -m true 2>/dev/null || exit 77; mkdir -p d/inside; echo 1 >d/f; "
       "unshare -m sh -c \"mount --bind d d/inside || exit 77; " KRI_TEST_START
       "'$t' d >got 2>err\" || s=$?; "
       "[ ${s-0} != 77 ] || exit 77; [ ${s-0} = 1 ]; sha256sum d/f >want; same want got; "
       "echo 'treesum: d/inside: File system loop detected' >want; same want err")

SCRIPT(empty_trees_and_single_files,
       "mkdir -p d/e/f; treesum d >got 2>&1; [ ! -s got ]; : >d/one; expected d >want; "
       "treesum d >got; same want got; treesum d/one >got; same want got")

SCRIPT(what_has_no_size_is_read_to_its_end,
       "[ -r /proc/version ] || exit 77; sha256sum /proc/version /dev/null | sort -k2 >want; "
       "treesum /proc/version /dev/null | sort -k2 >got; same want got; "
       "echo hello | treesum - >got; echo hello | sha256sum - >want; same want got; "
       "mkfifo p; echo hello >p & treesum p >got; echo hello | sha256sum >want; "
       "sed -i 's/-$/p/' want; same want got")

SCRIPT(what_is_missing_is_named_and_the_rest_done,
       "mkdir d; echo 1 >d/a; status 1 treesum \"$(printf 'new\\nline')\" 'a b' d \"it's\" '' x "
       ">got 2>err; expected d >want; same want got; "
       "status 1 sha256sum '' 'a b' \"it's\" \"$(printf 'new\\nline')\" x 2>&1 >want | renamed "
       ">want; same want err")

SCRIPT(
    a_name_that_is_not_utf8_is_quoted_in_messages,
    "for n in \"$(printf '\\377')\" \"$(printf 'a\\377b')\" \"$(printf '\\303\\251')\" 'x$y' '#' "
    "'a:b' \"$(printf '\\001\\0021')\" 'a\"b'; do for l in C C.UTF-8; do "
    "LC_ALL=$l status 1 treesum \"$n\" 2>got; LC_ALL=$l status 1 sha256sum \"$n\" 2>&1 | renamed "
    ">want; same want got; done; done")

/* Run as nobody, since root may read everything. */
SCRIPT(
    unreadable_files_and_directories,
    "mkdir -p d/closed; echo 1 >d/a; echo 2 >d/b; echo 3 >d/c; echo 4 >d/closed/f; chmod 755 . d; "
    "chmod 0 d/b d/closed; run=; [ $(id -u) != 0 ] || run='setpriv --reuid=65534 --regid=65534 "
    "--clear-groups --'; $run test -x \"$t\" -a -r d/a || exit 77; "
    "status 1 $run \"$t\" d >got 2>err; chmod 755 d/closed; sha256sum d/a d/c >want; "
    "same want got; printf 'treesum: d/%s: Permission denied\\n' b closed | sort >want; "
    "sort err >got; same want got")

/* The directory d is read when the walk enters it, and then the walk waits for the pipe in it,
 * which sorts first: what is removed meanwhile was seen and is gone. */
SCRIPT(a_file_that_vanishes_is_named_and_the_rest_done,
       "mkdir d; echo 1 >d/1; echo 2 >d/2; mkfifo d/0; treesum --sequential d d/0 >got 2>err & "
       "{ rm d/1; echo pipe; } >d/0; status 1 wait $!; "
       "printf 'treesum: d/1: No such file or directory\\n' >want; same want err; "
       "echo pipe | sha256sum | sed 's,-$,d/0,' >want; sha256sum d/2 >>want; same want got")

TEST(write_errors_are_told)
{
    static const char script[] =
        "echo 1 >f; status 1 treesum f >/dev/full 2>err; "
        "echo 'treesum: write error: No space left on device' >want; same want err; "
        "status 1 treesum f >&- 2>err; "
        "echo 'treesum: write error: Bad file descriptor' >want; same want err; "
        "mkfifo p; sleep 0 <p & status 1 treesum -c f /usr/nothing f >p 2>err || :; wait; "
        "mkdir d; i=0; while [ $i -lt 2000 ]; do : >d/a-name-that-fills-a-pipe-rather-soon-$i; "
        "i=$((i + 1)); done; { status 1 treesum d 2>err; } | :; "
        "echo 'treesum: write error: Broken pipe' >want; same want err";
    tool_begin();
    tool_may_leave_threads();
    CHECK_EQ(tool_script(script), 0);
}

SCRIPT(options_are_refused_as_sha256sum_does,
       "for o in -x --foo --check=1; do status 1 treesum $o 2>got >out; [ ! -s out ]; "
       "status 1 sha256sum $o 2>&1 | renamed >want; same want got; done; "
       "for o in '-j 0' -jx '-j -1' --jobs=9999999 --quiet --strict; do "
       "status 1 treesum $o 2>got >out; [ ! -s out ]; grep -q '^Try .treesum --help.' got; done; "
       "treesum --help | grep -q '^Usage: treesum'; treesum --version | grep -q '^treesum '; "
       "status 1 treesum --help >/dev/full 2>err; grep -q 'write error' err; "
       "echo 1 >-x; treesum -- -x >got; sha256sum -- -x >want; same want got")

/* The path of a file may be longer than the system's limit for one path. */
TEST(paths_longer_than_the_limit)
{
    static const char name[] = "directory-with-a-long-name-of-fifty-bytes-........";
    tool_begin();
    CHECK_EQ(mkdir("d", 0755), 0);
    CHECK_EQ(chdir("d"), 0);
    for (int i = 0; i < 200; i++) {
        CHECK_EQ(mkdir(name, 0755), 0);
        CHECK_EQ(chdir(name), 0);
    }
    int fd = open("leaf", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, "x\n", 2), 2);
    CHECK_EQ(close(fd), 0);
    CHECK_EQ(chdir(tool_directory), 0);
    CHECK_EQ(tool_script("treesum d >got; [ $(wc -l <got) = 1 ]; [ $(wc -c <got) -gt 10000 ]; "
                         "cut -c1-64 got >digest; echo x | sha256sum | cut -c1-64 >want; "
                         "same want digest; treesum -c got | grep -q ': OK$'"),
             0);
}

static long peak_kilobytes(const char *path)
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        CHECK(freopen("/dev/null", "w", stdout) != NULL);
        execl(TOOL, "treesum", path, (char *)NULL);
        _exit(127);
    }
    struct rusage usage;
    int status;
    CHECK_EQ(wait4(child, &status, 0, &usage), child);
    CHECK_EQ(status, 0);
    return usage.ru_maxrss;
}

TEST(at_most_200_bytes_a_file_beyond_its_path)
{
    enum { FILES = 30000, PATH = 10 };
    if (KRI_SANITIZED)
        SKIP("a sanitizer's own memory hides it");
    tool_begin();
    CHECK_EQ(mkdir("none", 0755), 0);
    CHECK_EQ(mkdir("many", 0755), 0);
    CHECK_EQ(chdir("many"), 0);
    for (int i = 0; i < FILES; i++) {
        char name[16];
        snprintf(name, sizeof name, "%05d", i);
        CHECK_EQ(mknod(name, S_IFREG | 0644, 0), 0);
    }
    CHECK_EQ(chdir(".."), 0);
    long none = peak_kilobytes("none");
    long many = peak_kilobytes("many");
    kri_test_note("%ld bytes a file", (many - none) * 1024 / FILES);
    CHECK_LE((many - none) * 1024, (200 + PATH) * (long)FILES);
}
