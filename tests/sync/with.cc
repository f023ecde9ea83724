/* kr_with from C++: each of its overloads, and each way out of the block, an exception too.
 *
 * tools/check_docs.py compiles it as C++17 with each compiler that is there, and runs it.
 *
 * SPDX-License-Identifier: MIT
 */
extern "C" { /* as a header of the program's own may have it */
#include <krait/krait.h>
}

#include <cstdio>
#include <cstdlib>

static void expect(bool right, const char *what, int line)
{
    if (!right) {
        std::fprintf(stderr, "error: %s:%d: %s is false\n", __FILE__, line, what);
        std::exit(1);
    }
}

#define EXPECT(condition) expect((condition), #condition, __LINE__)

static bool is_held(const kr_lock *lock)
{
    return kr_lock_locked(lock);
}

static bool is_held(const kr_rlock *lock)
{
    return kr_rlock_owned(lock);
}

static bool is_held(const kr_condition *condition)
{
    return kr_condition_locked(condition);
}

/* Of one permit. */
static bool is_held(const kr_semaphore *semaphore)
{
    return kr_semaphore_value(semaphore) == 0;
}

template <typename object_type> static int leave_by_return(object_type *object)
{
    kr_with (object) {
        EXPECT(is_held(object));
        return 7;
    }
    return 0;
}

template <typename object_type> static void leave_by_throw(object_type *object)
{
    kr_with (object) {
        EXPECT(is_held(object));
        throw 9;
    }
}

template <typename object_type> static void leave_by_goto(object_type *object)
{
    kr_with (object) {
        EXPECT(is_held(object));
        goto out;
    }
    EXPECT(false);
out:
    EXPECT(!is_held(object));
}

template <typename object_type> static void leave_in_each_way(object_type *object)
{
    int rounds = 0;
    kr_with (object)
        rounds += is_held(object);
    EXPECT(rounds == 1 && !is_held(object));
    kr_with (object) {
        rounds += is_held(object);
        break;
    }
    EXPECT(rounds == 2 && !is_held(object));
    kr_with (object) {
        rounds += is_held(object);
        continue;
    }
    EXPECT(rounds == 3 && !is_held(object));
    EXPECT(leave_by_return(object) == 7 && !is_held(object));
    leave_by_goto(object);
    int caught = 0;
    try {
        leave_by_throw(object);
    } catch (int number) {
        caught = number;
    }
    EXPECT(caught == 9 && !is_held(object));
    int err = -1;
    kr_with (object, &err)
        rounds += err == 0 && is_held(object);
    EXPECT(rounds == 4 && !is_held(object));
}

int main()
{
    static kr_lock lock = KR_LOCK_INIT;
    static kr_rlock rlock = KR_RLOCK_INIT;
    static kr_condition condition = KR_CONDITION_INIT;
    static kr_semaphore semaphore = KR_SEMAPHORE_INIT(1);
    static kr_event event = KR_EVENT_INIT;
    static kr_barrier barrier = KR_BARRIER_INIT(1);

    leave_in_each_way(&lock);
    leave_in_each_way(&rlock);
    leave_in_each_way(&condition);
    leave_in_each_way(&semaphore);
    kr_choice any[] = {kr_choose_event(&event), kr_choose_semaphore(&semaphore)};
    EXPECT(kr_wait_any(any, 2, kr_sec(1)) == 1);
    EXPECT(kr_barrier_wait(&barrier, KR_NOWAIT) == 0);
#ifdef KRI_MUST_NOT_COMPILE
    kr_with (&event)
        std::abort();
#endif
    return 0;
}
