/* A pipe ends when nobody is left who could write into it.
 *
 * Row 79 of docs/lessons.md.  In Python:
 *
 *     receive_end, send_end = multiprocessing.Pipe(duplex=False)
 *     multiprocessing.Process(target=send, args=(send_end,)).start()
 *     receiver: while True:
 *                   try: print(receive_end.recv())
 *                   except EOFError: break
 *
 * As an article has it, that hangs under every start method: the parent still has the sending end,
 * and so the pipe does not end.  Watch the two rounds: a start *hands an end over*, and closes it
 * here.  Who wants to keep it says so, and then has to close it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static int send_words(void *arg)
{
    static const char *const words[] = {"one", "two", "three"};
    kr_connection *pipe = kr_process_connection(0); /* the end that was handed over */
    int err = 0;
    (void)arg;
    for (int i = 0; i < 3 && !err; i++)
        err = kr_connection_send(pipe, words[i], strlen(words[i]) + 1, KR_FOREVER);
    return err; /* the end is closed with the process */
}
KR_TASK(send_words);

/* Everything that comes; then KR_EOF, or -ETIMEDOUT when for so long nothing has come. */
static int receive_words(kr_connection *pipe, kr_time patience)
{
    char word[16];
    int err;
    while ((err = kr_connection_recv_into(pipe, word, sizeof word, NULL, patience)) == 0)
        printf("  received: %s\n", word);
    printf("  then: %s\n", kr_errname(err));
    return err;
}

static int round_of(bool keep)
{
    KR_AUTO(kr_connection) *receive_end = NULL;
    KR_AUTO(kr_connection) *send_end = NULL;
    KR_AUTO(kr_process) *sender = NULL;
    int err = kr_pipe(&receive_end, &send_end, &(kr_pipe_options){.one_way = true});
    if (err)
        return err;
    err = kr_process_start(&sender, send_words, NULL, 0,
                           &(kr_process_options){.connections = &send_end,
                                                 .connection_count = 1,
                                                 .keep_connections = keep});
    if (err)
        return err;
    err = kr_process_join(sender, NULL, KR_FOREVER); /* what it has sent lies in the pipe */
    if (!err)
        err = receive_words(receive_end, keep ? kr_ms(100) : KR_FOREVER);
    if (err == -ETIMEDOUT) {
        printf("Now the parent closes its own copy:\n");
        kr_connection_close(send_end);
        err = receive_words(receive_end, KR_FOREVER);
    }
    return err == KR_EOF ? 0 : err;
}

int main(int argc, char **argv)
{
    kr_init(argc, argv);
    printf("The sending end is handed over:\n");
    int err = round_of(false);
    if (err)
        return fail("handed over", err);
    printf("The parent keeps the sending end, too:\n");
    err = round_of(true);
    if (err)
        return fail("kept", err);
    return EXIT_SUCCESS;
}
