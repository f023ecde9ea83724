/* kr_init: the first process goes on, a child's image does what it was started for.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "base/global.h"
#include "process/internal.h"
#include <stdlib.h>
#include <string.h>

static kr_word initialised KRI_GLOBAL; /* atomic */
static char *program_name KRI_GLOBAL;  /* const once initialised */

bool kri_initialised(void)
{
    return kri_load_acq(&initialised) != 0;
}

const char *kri_program_name(void)
{
    return program_name;
}

void kri_name_thread(void)
{
    const char *slash = strrchr(program_name, '/');
    os_thread_set_name(os_thread_id(), slash != NULL ? slash + 1 : program_name);
}

/* One that could not begin says so: main must not go on in it as in the first process. */
static _Noreturn void be_child(int channel, int error)
{
    kri_hello hello = {KRI_ORDER_MAGIC, kri_task_table_sum(), os_process_id(), error};
    (void)os_keep_over_exec(channel, false);
    if (os_channel_send(channel, &hello, sizeof hello, NULL, 0) < 0 || error < 0)
        os_exit_now(1);
    kri_name_thread();
    kri_child_of_order(channel, false);
}

/* Somebody may have typed it. */
static int channel_of(int argc, char **argv)
{
    size_t length = strlen(KRI_CHILD_ARGUMENT);
    if (argc != 2 || strncmp(argv[1], KRI_CHILD_ARGUMENT, length) != 0)
        return -1;
    int channel = atoi(argv[1] + length);
    if (os_channel_is(channel))
        return channel;
    os_print_error("krait: " KRI_CHILD_ARGUMENT " is for processes that krait starts itself");
    os_exit_now(2);
}

static int begin(const char *name)
{
    int err = kri_task_close();
    if (err < 0)
        return err;
    size_t size = strlen(name) + 1;
    program_name = os_alloc(size);
    if (program_name == NULL)
        return -ENOMEM;
    memcpy(program_name, name, size);
    kri_store_rel(&initialised, 1);
    return 0;
}

void kr_init(int argc, char **argv)
{
    if (kri_initialised())
        return;
    int err = begin(argc > 0 && argv[0] != NULL ? argv[0] : "krait");
    int channel = channel_of(argc, argv);
    if (channel >= 0)
        be_child(channel, err);
}
