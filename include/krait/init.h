/* kr_init - the first line of main, and which functions may travel to another process image.
 *
 *     static int work(void *arg) { ... }
 *     KR_TASK(work);
 *
 *     int main(int argc, char **argv)
 *     {
 *         kr_init(argc, argv);
 *         ...
 *     }
 *
 * A process that is started by KR_SPAWN or KR_FORKSERVER (krait/process.h) is this program once
 * more.  There kr_init runs the function that was asked for and exits; what stands behind it in
 * main belongs to the first process alone.  What stands before it, and constructors, run in each.
 *
 * Functions go over by name and place in the list of KR_TASK, never by address; both sides first
 * compare the list and the build-ids of the objects that it is from.
 *
 * Python's `if __name__ == "__main__":` and multiprocessing.freeze_support.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_INIT_H
#define KRAIT_INIT_H

#include <krait/base.h>

KR_EXTERN_BEGIN

/* kr_init - to be called first in main.
 *
 * The list of KR_TASK is closed by it: functions of libraries that are loaded later do not travel.
 * Without it KR_SPAWN and KR_FORKSERVER answer KR_EINIT.  The second call does nothing.
 */
KR_API void kr_init(int argc, char **argv);

/* KR_TASK - at file scope, behind the function: it may travel.
 *
 *   fn    a kr_run_fn or a kr_task_fn; static or not
 */
#define KR_TASK(fn)                                                                                \
    __attribute__((constructor)) static void KR_JOIN_AFTER(kr_task_constructor_,                   \
                                                           __COUNTER__)(void)                      \
    {                                                                                              \
        static kr_task_entry entry = {NULL, #fn, __FILE__, (void (*)(void))(fn), {0, 0}};          \
        kr_task_register(&entry);                                                                  \
    }                                                                                              \
    typedef kr_task_entry KR_UNIQUE(kr_task_semicolon_)

/* What the macro stands on. */
typedef struct kr_task_entry {
    struct kr_task_entry *next;
    const char *name;
    const char *file;
    void (*fn)(void);
    uint64_t reserved[2];
} kr_task_entry;

KR_API void kr_task_register(kr_task_entry *entry);

KR_EXTERN_END

#endif
