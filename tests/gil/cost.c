/* What an interpreter lock costs: memory, and instructions of a check.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gil/help.h"

#include "harness/allocations.h"
#include <stdio.h>

#if !KRI_SANITIZED /* where every block comes from the system */

typedef struct shared {
    kr_gil *gil;
    kr_barrier all;
} shared;

static int work(void *arg)
{
    shared *s = arg;
    kr_gil_thread *self = gil_attach(s->gil);
    CHECK_GE(kr_barrier_wait(&s->all, KR_FOREVER), 0);
    for (int i = 0; i < 2000; i++) {
        CHECK_EQ(kr_gil_release(self), 0);
        CHECK_EQ(kr_gil_acquire(self), 0);
        for (int j = 0; j < 50; j++)
            CHECK_EQ(kr_gil_check(self), 0);
        CHECK(gil_attach(s->gil) == self);
        CHECK_EQ(kr_gil_detach(self), 0);
    }
    CHECK_GE(kr_barrier_wait(&s->all, KR_FOREVER), 0);
    CHECK_GE(kr_barrier_wait(&s->all, KR_FOREVER), 0); /* they have been counted: the end may */
    CHECK_EQ(kr_gil_detach(self), 0);
    return 0;
}

/* Nothing once they are attached. */
TEST(test_allocates_nothing)
{
    for (int i = 0; i < POLICIES; i++) {
        shared s = {.gil = gil_create(policies[i])};
        kr_thread *threads[3];
        CHECK_EQ(kr_barrier_init(&s.all, 4, NULL), 0);
        CHECK_EQ(kr_gil_set_switch_interval(s.gil, kr_us(20)), 0);
        for (int j = 0; j < 3; j++)
            threads[j] = start(work, &s);
        CHECK_GE(kr_barrier_wait(&s.all, KR_FOREVER), 0);
        allocations_begin();
        CHECK_GE(kr_barrier_wait(&s.all, KR_FOREVER), 0);
        CHECK_EQ(allocations_end(), 0);
        CHECK_GE(kr_barrier_wait(&s.all, KR_FOREVER), 0);
        for (int j = 0; j < 3; j++)
            CHECK_EQ(join(threads[j]), 0);
        CHECK_EQ(kr_gil_destroy(s.gil), 0);
    }
}

#endif

/* A check, as any program compiles it: at most a load, a comparison and a jump. */
static const char program[] = "#include <krait/gil.h>\n"
                              "int loop(kr_gil_thread *self, long *n)\n"
                              "{\n"
                              "    for (;;) {\n"
                              "        __asm__ volatile(\"nop # before\");\n"
                              "        if (kr_gil_check(self) != 0)\n"
                              "            return 1;\n"
                              "        ++*n;\n"
                              "    }\n"
                              "}\n";

TEST(test_check_is_three_instructions)
{
    char folder[] = "/tmp/krait-gil-XXXXXX";
    char path[64], command[512], line[256];
    if (system("cc --version >/dev/null 2>&1") != 0)
        SKIP("no compiler is called cc");
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/check.c", folder);
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    CHECK_GE(fputs(program, file), 0);
    CHECK_EQ(fclose(file), 0);
    snprintf(command, sizeof command, "cc -O2 -S -I%s/include -o - %s", KRI_TEST_SOURCE, path);
    FILE *pipe = popen(command, "r");
    CHECK(pipe != NULL);
    int instructions = 0;
    bool inside = false, jumps = false;
    while (fgets(line, sizeof line, pipe) != NULL) {
        const char *text = line + strspn(line, " \t");
        if (strstr(text, "nop # before") != NULL) {
            inside = true;
        } else if (inside && !jumps && text != line && strchr(".#\n", *text) == NULL) {
            instructions++;
            jumps = *text == 'j' || *text == 'b' || strncmp(text, "cb", 2) == 0;
        }
    }
    CHECK_EQ(pclose(pipe), 0);
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK_EQ(system(command), 0);
    CHECK(jumps);
    CHECK_LE(instructions, 3);
}
