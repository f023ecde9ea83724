/* Two threads count under a lock, under every schedule; and without it, which is to be found.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/explore.h>
#include <krait/krait.h>

static struct {
    kr_lock lock;
    int number;
    bool locks;
} counter;

static void count(void *arg)
{
    (void)arg;
    if (counter.locks && kr_lock_acquire(&counter.lock, KR_FOREVER) != 0)
        return;
    counter.number++;
    if (counter.locks)
        kr_lock_release(&counter.lock);
}

static void scenario(void *arg)
{
    counter.lock = (kr_lock)KR_LOCK_INIT;
    counter.number = 0;
    counter.locks = *(const bool *)arg;
    kr_explore_spawn(count, NULL);
    count(NULL);
    kr_explore_join_all();
    kr_explore_check(counter.number == 2);
}

int main(void)
{
    bool with = true, without = false;
    kr_explore_options options = {.name = "with"};
    if (kr_explore(&options, scenario, &with, NULL) != 0)
        return 1;
    options.name = "without";
    return kr_explore(&options, scenario, &without, NULL) == 1 ? 0 : 1;
}
