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

static _Noreturn void be_child(int channel)
{
    kri_hello hello = {KRI_ORDER_MAGIC, kri_task_table_sum(), os_process_id(), 0};
    (void)os_keep_over_exec(channel, false);
    kri_name_thread();
    if (os_channel_send(channel, &hello, sizeof hello, NULL, 0) < 0)
        os_exit_now(1);
    kri_child_of_order(channel);
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

void kr_init(int argc, char **argv)
{
    if (kri_initialised() || kri_task_close() < 0)
        return;
    const char *name = argc > 0 && argv[0] != NULL ? argv[0] : "krait";
    size_t size = strlen(name) + 1;
    program_name = os_alloc(size);
    if (program_name == NULL)
        return;
    memcpy(program_name, name, size);
    kri_store_rel(&initialised, 1);
    int channel = channel_of(argc, argv);
    if (channel >= 0)
        be_child(channel);
}
