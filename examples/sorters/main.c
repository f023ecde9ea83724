/* sorters - a function in a process of its own: a pipe to it, a value shared with it, its end.
 *
 *     sorters [fork|spawn|forkserver]...       (all three)
 *
 * Three sorters sort words that come through a pipe, and count them in a value that all have.  The
 * third is killed: its pipe ends, and nobody waits for it.  What is handed to a child must travel:
 * bytes, ends of pipes, descriptors; so the value lies in memory whose descriptor is handed over.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare_words(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorts the words of a line in place. */
static int sort_words(char *line)
{
    char copy[256], *words[32], *rest = copy;
    int count = 0;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *word; count < 32 && (word = strsep(&rest, " ")) != NULL;)
        words[count++] = word;
    qsort(words, (size_t)count, sizeof words[0], compare_words);
    for (int i = 0; i < count; i++)
        line = stpcpy(stpcpy(line, i > 0 ? " " : ""), words[i]);
    return count;
}

/* In the child.  The value: how many words all sorters have sorted. */
static int attach_count(kr_shared_memory **memory, kr_value **count)
{
    int err = kr_shared_memory_attach_descriptor(memory, kr_process_descriptor(0));
    if (err)
        return err;
    return kr_value_attach(count, kr_shared_memory_data(*memory), kr_shared_memory_size(*memory),
                           NULL);
}

/* The function that runs in the other process.  It ends when its pipe does: nobody has the other
 * end any more. */
static int sorter(void *arg)
{
    KR_AUTO(kr_shared_memory) *memory = NULL;
    KR_AUTO(kr_value) *count = NULL;
    kr_connection *pipe = kr_process_connection(0);
    const char *greeting = arg;
    char line[256];
    size_t size;
    int err = attach_count(&memory, &count);
    if (!err)
        err = kr_connection_send(pipe, greeting, strlen(greeting) + 1, KR_FOREVER);
    while (!err &&
           (err = kr_connection_recv_into(pipe, line, sizeof line, &size, KR_FOREVER)) == 0) {
        int words = sort_words(line);
        kr_with (kr_value_lock(count))
            *(int *)kr_value_data(count) += words;
        err = kr_connection_send(pipe, line, size, KR_FOREVER);
    }
    return err == KR_EOF ? 0 : err;
}
KR_TASK(sorter);

static int start_sorter(kr_process **p, kr_connection **pipe, kr_start_method start, int memory)
{
    KR_AUTO(kr_connection) *theirs = NULL;
    int err = kr_pipe(pipe, &theirs, NULL);
    if (err)
        return err;
    return kr_process_start(p, sorter, "ready", sizeof "ready",
                            &(kr_process_options){.start = start,
                                                  .daemon = KR_DAEMON_YES,
                                                  .connections = &theirs,
                                                  .connection_count = 1,
                                                  .descriptors = &memory,
                                                  .descriptor_count = 1});
}

static int converse(kr_process *p, kr_connection *pipe, const char *words)
{
    char answer[256];
    size_t size;
    int exit_code = 0;
    int err = kr_connection_recv_into(pipe, answer, sizeof answer, &size, kr_sec(60));
    if (!err && words) {
        err = kr_connection_send(pipe, words, strlen(words) + 1, kr_sec(60));
        if (!err)
            err = kr_connection_recv_into(pipe, answer, sizeof answer, &size, kr_sec(60));
        kr_connection_close(pipe); /* that was all, and the sorter hears of it */
    } else if (!err) {
        err = kr_process_kill(p);
        if (!err &&
            kr_connection_recv_into(pipe, answer, sizeof answer, &size, kr_sec(60)) == KR_EOF)
            strcpy(answer, "(its pipe has ended)");
    }
    if (!err)
        err = kr_process_join(p, &exit_code, kr_sec(60));
    if (!err)
        printf("  %s: exit code %d\n", answer, exit_code);
    return err;
}

static int show(kr_start_method start, int memory, kr_value *count)
{
    static const char *const lines[] = {"one two three four", "the quick brown fox", NULL};
    int total, err = 0;
    for (int i = 0; i < 3 && !err; i++) {
        KR_AUTO(kr_process) *p = NULL;
        KR_AUTO(kr_connection) *pipe = NULL;
        err = start_sorter(&p, &pipe, start, memory);
        if (!err)
            err = converse(p, pipe, lines[i]);
    }
    if (!err)
        err = kr_value_get(count, &total, KR_FOREVER);
    if (!err)
        printf("  %d words so far\n", total);
    return err;
}

int main(int argc, char **argv)
{
    static const char *const names[] = {[KR_FORK] = "fork", "spawn", "forkserver"};
    KR_AUTO(kr_shared_memory) *memory = NULL;
    KR_AUTO(kr_value) *count = NULL;
    kr_init(argc, argv); /* in a child that is a new program: runs the function, and exits */
    size_t size = kr_value_memory_size(sizeof(int));
    int err = kr_shared_memory_create(&memory, NULL, size, NULL);
    if (!err)
        err = kr_value_create_at(&count, kr_shared_memory_data(memory), size, sizeof(int), NULL,
                                 NULL);
    for (int i = KR_FORK; i <= KR_FORKSERVER && !err; i++) {
        bool wanted = argc < 2;
        for (int j = 1; j < argc; j++)
            wanted |= strcmp(argv[j], names[i]) == 0;
        if (wanted) {
            printf("%s\n", names[i]);
            err = show((kr_start_method)i, kr_shared_memory_descriptor(memory), count);
        }
    }
    if (err)
        fprintf(stderr, "sorters: %s: %s\n", kr_errname(err), kr_strerror(err));
    return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
