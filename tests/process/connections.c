/* Ends of pipes that are handed to a child.
 *
 * Behaviours: section 12.1
 *
 * SPDX-License-Identifier: MIT
 */
#include "process/methods.h"

static int echo(void *arg)
{
    kr_connection *c = kr_process_connection(0);
    void *bytes;
    size_t size;
    int err;
    (void)arg;
    CHECK(c != NULL);
    CHECK_EQ(kr_process_connection(0), c);
    CHECK(kr_process_connection(1) == NULL);
    CHECK(kr_process_connection(-1) == NULL);
    while ((err = kr_connection_recv(c, &bytes, &size, kr_sec(60))) == 0) {
        CHECK_EQ(kr_connection_send(c, bytes, size, kr_sec(60)), 0);
        kr_connection_free_bytes(bytes);
    }
    CHECK_EQ(err, KR_EOF);
    return 3;
}
KR_TASK(echo);

/* behaviour: 12.1 test_subclassing */
METHOD_TEST(a_pipe_to_a_child)
{
    kr_connection *ours, *theirs;
    char text[16];
    size_t size;
    CHECK_EQ(kr_pipe(&ours, &theirs, NULL), 0);
    kr_process_options o = {.connections = &theirs, .connection_count = 1};
    kr_process *p = start_with(echo, NULL, 0, o);
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(kr_connection_send(ours, "hello", 6, kr_sec(60)), 0);
        CHECK_EQ(kr_connection_recv_into(ours, text, sizeof text, &size, kr_sec(60)), 0);
        CHECK_EQ(size, 6);
        CHECK_STR(text, "hello");
    }
    kr_connection_release(ours); /* the only one: the child was handed one end, and no copy of it */
    CHECK_EQ(end(p), 3);
    kr_connection_release(theirs);
}

/* The classic hang: nobody has closed an end, and the reader waits for ever. */
METHOD_TEST(the_end_of_a_child_is_the_end_of_its_pipe)
{
    kr_connection *ours, *theirs;
    char byte;
    size_t size;
    CHECK_EQ(kr_pipe(&ours, &theirs, NULL), 0);
    kr_process_options o = {.connections = &theirs, .connection_count = 1};
    kr_process *p = start_with(stay, NULL, 0, o);
    kr_process *sibling = start_staying((kr_process_options){.daemon = KR_DAEMON_YES});
    CHECK_EQ(kr_connection_recv_into(ours, &byte, 1, &size, kr_ms(20)), -ETIMEDOUT);
    CHECK_EQ(kr_process_kill(p), 0);
    CHECK_EQ(kr_connection_recv_into(ours, &byte, 1, &size, kr_sec(60)), KR_EOF);
    CHECK_EQ(end(p), -SIGKILL);
    CHECK_EQ(kr_process_kill(sibling), 0);
    CHECK_EQ(end(sibling), -SIGKILL);
    kr_connection_release(ours);
    kr_connection_release(theirs);
}

METHOD_TEST(kept_connections_stay_open)
{
    kr_connection *ours, *theirs;
    char byte;
    size_t size;
    CHECK_EQ(kr_pipe(&ours, &theirs, NULL), 0);
    kr_process_options o = {
        .connections = &theirs, .connection_count = 1, .keep_connections = true};
    kr_process *p = start_with(stay, NULL, 0, o);
    CHECK_EQ(kr_process_kill(p), 0);
    CHECK_EQ(end(p), -SIGKILL);
    CHECK_EQ(kr_connection_send(theirs, "x", 1, KR_FOREVER), 0);
    CHECK_EQ(kr_connection_recv_into(ours, &byte, 1, &size, KR_FOREVER), 0);
    kr_connection_release(ours);
    kr_connection_release(theirs);
}

METHOD_TEST(waiting_for_a_process_beside_a_connection)
{
    kr_connection *ours, *theirs;
    CHECK_EQ(kr_pipe(&ours, &theirs, NULL), 0);
    kr_process *p = start_staying((kr_process_options){.daemon = KR_DAEMON_YES});
    kr_waitable list[] = {{.connection = ours}, {.descriptor = kr_process_sentinel(p)}};
    CHECK_EQ(kr_connection_wait(list, 2, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_process_kill(p), 0);
    CHECK_EQ(kr_connection_wait(list, 2, kr_sec(60)), 1);
    CHECK(!list[0].ready && list[1].ready);
    CHECK_EQ(end(p), -SIGKILL);
    kr_connection_release(ours);
    kr_connection_release(theirs);
}
