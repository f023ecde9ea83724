/* Futures as choices of kr_wait_any.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/executor.h"
#include "executor/stall.h"
#include "sync/choice.h"

static int check(const kr_choice *choice)
{
    return kri_future_check(choice->object);
}

/* Who changes the count of references meanwhile makes the wait begin again, no more. */
static bool attempt(kr_choice *choice, kri_spot *spot)
{
    kr_future *f = choice->object;
    kri_future_look(f, true);
    uint32_t state = kri_load_acq(&f->state); /* [future-1] */
    kri_spot_set(spot, &f->state, state, false);
    choice->result = 0;
    return (state & KRI_STATE) != KRI_PENDING;
}

static bool is_hopeless(const kr_choice *choice)
{
    return kri_frame_holds_up(choice->object);
}

static void before_sleep(void)
{
    kri_wait_begin(kri_frame_innermost());
}

static void after_sleep(void)
{
    kri_wait_end(kri_frame_innermost());
}

static void describe(const kr_choice *choice, kri_text *text)
{
    const kr_future *f = choice->object;
    kri_future_describe(&f->state, text);
}

static const kr_choice_kind future_kind = {
    .check = check,
    .attempt = attempt,
    .is_hopeless = is_hopeless,
    .before_sleep = before_sleep,
    .after_sleep = after_sleep,
    .describe = describe,
};

kr_choice kr_choose_future(kr_future *future)
{
    return (kr_choice){.kind = &future_kind, .object = future};
}
