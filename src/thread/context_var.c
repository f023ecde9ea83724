/* Values that are handed down: kr_context_var.
 *
 * State.  A party has a context, or none yet.  A context holds a list of values, sorted by their
 * variables' addresses.  Lists and values are shared between contexts and never change while they
 * are: who sets a value in a list that others have too makes a list of his own first.
 *
 * Fields.
 *     party->vars              its party
 *     context->entered         atomic
 *     context->values, number  whoever is in it, or owns it while nobody is
 *     values->refs, value->refs   atomic; the rest of both is constant while there is more than one
 *
 * Ordering.
 *     [vars-1]  the last to give up a list or value sees what the others did with it: the count
 *               falls with acquire-release.  Who takes one has one already, so it rises relaxed;
 *               who finds his the only one reads it with acquire.
 *
 * Why not a tree of hashes, as Python has?  A program has a handful of these; a list of a few words
 * is found through faster and copied in one piece.
 *
 * SPDX-License-Identifier: MIT
 */
#include "thread/vars.h"

#include <string.h>

#include "base/atomic.h"
#include "os/os.h"
#include "thread/thread.h"

typedef struct value {
    kr_word refs;
    const kr_context_var *var;
    max_align_t bytes[];
} value;

typedef struct values {
    kr_word refs;
    size_t count;
    value *list[];
} values;

struct kr_context {
    values *values;  /* NULL: none */
    uint64_t number; /* no other context's, before or after */
    kr_word entered;
};

static value *take_value(value *v)
{
    if (v != NULL)
        kri_add_rlx(&v->refs, 1); /* [vars-1] */
    return v;
}

static void give_value(value *v)
{
    if (v == NULL || kri_sub_acq_rel(&v->refs, 1) != 1) /* [vars-1] */
        return;
    if (v->var->destroy != NULL)
        v->var->destroy(v->bytes);
    os_free(v);
}

static void give_values(values *all)
{
    if (all == NULL || kri_sub_acq_rel(&all->refs, 1) != 1) /* [vars-1] */
        return;
    for (size_t i = 0; i < all->count; i++)
        give_value(all->list[i]);
    os_free(all);
}

/* Where the variable's value is, or would be. */
static size_t find(const values *all, const kr_context_var *var)
{
    size_t low = 0, high = all != NULL ? all->count : 0;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if ((uintptr_t)all->list[middle]->var < (uintptr_t)var)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static value *value_in(const kr_context *context, const kr_context_var *var)
{
    const values *all = context != NULL ? context->values : NULL;
    size_t at = find(all, var);
    return all != NULL && at < all->count && all->list[at]->var == var ? all->list[at] : NULL;
}

/* A list with v at a place, instead of `skipped` that stand there. */
static values *changed(const values *all, size_t at, size_t skipped, value *v)
{
    size_t count = all != NULL ? all->count : 0, added = v != NULL;
    values *copy = os_alloc(sizeof *copy + (count + added - skipped) * sizeof(value *));
    if (copy == NULL)
        return NULL;
    copy->refs.bits = 1;
    for (size_t i = 0; i < at; i++)
        copy->list[copy->count++] = take_value(all->list[i]);
    if (v != NULL)
        copy->list[copy->count++] = take_value(v);
    for (size_t i = at + skipped; i < count; i++)
        copy->list[copy->count++] = take_value(all->list[i]);
    return copy;
}

/* Have the context hold v for the variable, or nothing.  The list that was may be destroyed, and
 * call what it likes, so it is given up at the end. */
static int put(kr_context *context, const kr_context_var *var, value *v)
{
    values *before = context->values;
    value *old = value_in(context, var);
    size_t at = find(before, var);
    if (old != NULL && v != NULL && kri_load_acq(&before->refs) == 1) { /* [vars-1] */
        before->list[at] = take_value(v);
        give_value(old);
        return 0;
    }
    if (old == NULL && v == NULL)
        return 0;
    values *after = changed(before, at, old != NULL, v);
    if (after == NULL)
        return -ENOMEM;
    context->values = after;
    give_values(before);
    return 0;
}

static kr_context *new_context(values *all)
{
    kr_context *context = os_alloc(sizeof *context);
    if (context == NULL)
        return NULL;
    if (all != NULL)
        kri_add_rlx(&all->refs, 1); /* [vars-1] */
    context->values = all;
    context->number = kri_party_new_id();
    return context;
}

static kr_context *own_context(void)
{
    kri_party *self = kri_party_self();
    if (self->vars == NULL) {
        self->vars = new_context(NULL);
        if (self->vars != NULL)
            os_at_thread_end(kri_thread_ending);
    }
    return self->vars;
}

static int get(const kr_context *context, const kr_context_var *var, void *to)
{
    if (var == NULL || to == NULL)
        return -EINVAL;
    const value *v = value_in(context, var);
    const void *bytes = v != NULL ? v->bytes : var->initial;
    if (bytes == NULL)
        return -ENOENT;
    memcpy(to, bytes, var->size);
    return 0;
}

int kr_context_var_get(const kr_context_var *var, void *to)
{
    return get(kri_party_self()->vars, var, to);
}

static value *new_value(const kr_context_var *var, const void *bytes)
{
    value *v = var->size <= SIZE_MAX / 2 ? os_alloc(sizeof *v + var->size) : NULL;
    if (v == NULL)
        return NULL;
    v->refs.bits = 1;
    v->var = var;
    memcpy(v->bytes, bytes, var->size);
    return v;
}

/* Where it cannot be set the program still has the value, which is not destroyed. */
int kr_context_var_set(const kr_context_var *var, const void *bytes, kr_context_token *token)
{
    if (token != NULL)
        *token = (kr_context_token){0};
    if (var == NULL || bytes == NULL)
        return -EINVAL;
    kr_context *context = own_context();
    value *v = context != NULL ? new_value(var, bytes) : NULL;
    if (v == NULL)
        return -ENOMEM;
    value *before = take_value(value_in(context, var));
    uint64_t number = context->number;
    int err = put(context, var, v);
    if (err != 0) {
        os_free(v);
        give_value(before);
        return err;
    }
    give_value(v);
    if (token != NULL)
        *token = (kr_context_token){var, before, number, true};
    else
        give_value(before);
    return 0;
}

int kr_context_var_reset(const kr_context_var *var, kr_context_token *token)
{
    if (token == NULL)
        return -EINVAL;
    if (!token->held)
        return -EALREADY;
    if (token->var != var)
        return -EINVAL;
    kr_context *context = kri_party_self()->vars;
    if (context == NULL || context->number != token->context)
        return -EPERM;
    int err = put(context, var, token->before);
    if (err == 0)
        kr_context_token_drop(token);
    return err;
}

void kr_context_token_drop(kr_context_token *token)
{
    if (token->held)
        give_value(token->before);
    *token = (kr_context_token){0};
}

/* Contexts. */

int kr_context_new(kr_context **context)
{
    if (context == NULL)
        return -EINVAL;
    *context = new_context(NULL);
    return *context != NULL ? 0 : -ENOMEM;
}

int kr_context_copy(kr_context **copy, const kr_context *of)
{
    if (copy == NULL)
        return -EINVAL;
    if (of == NULL)
        of = kri_party_self()->vars;
    *copy = new_context(of != NULL ? of->values : NULL);
    return *copy != NULL ? 0 : -ENOMEM;
}

int kr_context_run(kr_context *context, int (*fn)(void *arg), void *arg)
{
    uint32_t nobody = 0;
    if (context == NULL || fn == NULL)
        return -EINVAL;
    kri_party *self = kri_party_self();
    if (self->vars == context || !kri_cas_acq(&context->entered, &nobody, 1))
        return -EBUSY;
    kr_context *before = self->vars;
    self->vars = context;
    int result = fn(arg);
    kri_party_self()->vars = before;
    kri_store_rel(&context->entered, 0);
    return result;
}

int kr_context_get(const kr_context *context, const kr_context_var *var, void *to)
{
    return context != NULL ? get(context, var, to) : -EINVAL;
}

void kr_context_release(kr_context *context)
{
    if (context == NULL)
        return;
    give_values(context->values);
    os_free(context);
}

void kr_context_auto(kr_context **context)
{
    kr_context_release(*context);
}

/* Parties. */

int kri_vars_copy(kr_context **copy)
{
    const kr_context *own = kri_party_self()->vars;
    *copy = NULL;
    if (own == NULL || own->values == NULL)
        return 0;
    *copy = new_context(own->values);
    return *copy != NULL ? 0 : -ENOMEM;
}

/* What is destroyed may set values again. */
void kri_vars_end(kri_party *party)
{
    while (party->vars != NULL) {
        kr_context *context = party->vars;
        party->vars = NULL;
        kr_context_release(context);
    }
}
