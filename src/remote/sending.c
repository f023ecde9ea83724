/* What a link asks of its cluster: the next task to send, and where a result belongs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "remote/cluster.h"

#include "os/os.h"
#include "process/internal.h"

enum { LOW_FIRST_EVERY = 64 };

static const uint8_t lanes[] = {KR_PRIORITY_HIGH, KR_PRIORITY_NORMAL, KR_PRIORITY_LOW};

/* With the mutex held. */
static kri_errand *first_queued(kri_cluster *c)
{
    if (c->queued == 0)
        return NULL;
    if (++c->taken % LOW_FIRST_EVERY == 0 && c->queue[KR_PRIORITY_LOW].first)
        return kri_errand_shift(&c->queue[KR_PRIORITY_LOW]);
    for (size_t i = 0; i < sizeof lanes; i++)
        if (c->queue[lanes[i]].first)
            return kri_errand_shift(&c->queue[lanes[i]]);
    return NULL;
}

/* With the mutex held: room for who waits to submit. */
static void make_room(kri_cluster *c)
{
    c->queued--;
    if (c->max_queued) {
        kri_add_sc(&c->room, 1);
        kri_wake(&c->room, 1, 0);
    }
}

kri_errand *kri_cluster_take(kri_cluster *c)
{
    kri_mutex_lock(&c->mutex);
    bool may = c->free_count > KRI_ERRANDS - c->window;
    kri_errand *errand = may ? first_queued(c) : NULL;
    if (errand) {
        uint32_t slot = c->free_slots[--c->free_count];
        c->sent[slot] = errand;
        errand->number = ++c->rounds * KRI_ERRANDS + slot;
        errand->place = KRI_ERRAND_SENT;
        c->counts.sent++;
        make_room(c);
    }
    kri_mutex_unlock(&c->mutex);
    return errand;
}

/* With the mutex held: it is nowhere now, and another may be sent. */
static void leave_slot(kri_cluster *c, kri_errand *errand)
{
    bool was_full = c->free_count == KRI_ERRANDS - c->window;
    uint32_t slot = (uint32_t)(errand->number % KRI_ERRANDS);
    c->sent[slot] = NULL;
    c->free_slots[c->free_count++] = slot;
    errand->place = KRI_ERRAND_NOWHERE;
    if (was_full && c->queued)
        kri_cluster_rouse(c);
}

size_t kri_cluster_sent(kri_cluster *c)
{
    kri_mutex_lock(&c->mutex);
    size_t sent = KRI_ERRANDS - c->free_count;
    kri_mutex_unlock(&c->mutex);
    return sent;
}

/* With the mutex held: to the front of its queue. */
static void put_back(kri_cluster *c, kri_errand *errand)
{
    kri_errand_list *queue = &c->queue[errand->future->lane];
    errand->place = KRI_ERRAND_QUEUED;
    errand->previous = NULL;
    errand->next = queue->first;
    *(queue->first ? &queue->first->previous : &queue->last) = errand;
    queue->first = errand;
    c->queued++;
}

/* With the mutex held. */
static void send_again(kri_cluster *c, kri_errand *errand)
{
    leave_slot(c, errand);
    put_back(c, errand);
    c->counts.again++;
}

void kri_cluster_send_again(kri_cluster *c)
{
    kri_mutex_lock(&c->mutex);
    for (uint32_t slot = 0; slot < KRI_ERRANDS; slot++)
        if (c->sent[slot])
            send_again(c, c->sent[slot]);
    kri_mutex_unlock(&c->mutex);
}

size_t kri_cluster_list_sent(kri_cluster *c, uint64_t *numbers)
{
    size_t count = 0;
    kri_mutex_lock(&c->mutex);
    for (uint32_t slot = 0; slot < KRI_ERRANDS; slot++)
        if (c->sent[slot])
            numbers[count++] = c->sent[slot]->number;
    kri_mutex_unlock(&c->mutex);
    return count;
}

/* With the mutex held. */
static kri_errand *find(kri_cluster *c, uint64_t number)
{
    kri_errand *errand = c->sent[number % KRI_ERRANDS];
    return errand && errand->number == number ? errand : NULL;
}

bool kri_cluster_send_one_again(kri_cluster *c, uint64_t number)
{
    kri_mutex_lock(&c->mutex);
    kri_errand *errand = find(c, number);
    if (errand)
        send_again(c, errand);
    kri_mutex_unlock(&c->mutex);
    return errand != NULL;
}

unsigned char *kri_errand_write(kri_errand *errand, kri_signer *signer, const kri_message *head,
                                size_t *size)
{
    const kr_future *f = errand->future;
    kri_message m = *head;
    unsigned char *bytes = os_alloc(KRI_MESSAGE_HEAD + errand->arg_size);
    if (!bytes)
        return NULL;
    m.kind = KRI_MESSAGE_TASK;
    m.function = errand->function;
    m.program = kri_task_table_sum();
    m.number = errand->number;
    m.items = errand->items;
    m.item_arg = errand->item_arg;
    m.item_result = errand->item_result;
    m.result_size = f->result_size;
    m.size = errand->arg_size;
    if (errand->arg_size)
        memcpy(bytes + KRI_MESSAGE_HEAD, f->arg, errand->arg_size);
    *size = KRI_MESSAGE_HEAD + errand->arg_size;
    if (kri_message_seal(signer, &m, bytes) == 0)
        return bytes;
    os_free(bytes);
    return NULL;
}

/* What it ended with; its bytes are in the future then. */
static int take_result(const kri_errand *errand, const kri_message *m, const unsigned char *payload)
{
    kr_future *f = errand->future;
    if (m->error < 0 && m->size == 0)
        return m->error;
    if (m->size != f->result_size)
        return -EBADMSG;
    kri_copy(f->result, payload, f->result_size);
    return 0;
}

bool kri_cluster_hand_in(kri_cluster *c, const kri_message *m, const unsigned char *payload)
{
    kri_errand_list list = {NULL, NULL};
    kri_mutex_lock(&c->mutex);
    kri_errand *errand = find(c, m->number);
    if (errand) {
        leave_slot(c, errand);
        c->counts.done++;
    }
    kri_mutex_unlock(&c->mutex);
    if (!errand)
        return false;
    kri_errand_ended(errand, take_result(errand, m, payload), &list);
    kri_errands_conclude(c, &list, false);
    return true;
}

void kri_cluster_fail(kri_cluster *c, uint64_t number, int error)
{
    kri_errand_list list = {NULL, NULL};
    kri_mutex_lock(&c->mutex);
    kri_errand *errand = find(c, number);
    if (errand) {
        leave_slot(c, errand);
        kri_errand_ended(errand, error, &list);
    }
    kri_mutex_unlock(&c->mutex);
    kri_errands_conclude(c, &list, false);
}

void kri_cluster_break(kri_cluster *c, int error)
{
    kri_errand_list list = {NULL, NULL};
    kri_mutex_lock(&c->mutex);
    if (!c->broken)
        c->broken = error;
    kri_cluster_cancel_queued(c, KR_EBROKEN, &list);
    for (uint32_t slot = 0; slot < KRI_ERRANDS; slot++) {
        kri_errand *errand = c->sent[slot];
        if (errand) {
            leave_slot(c, errand);
            kri_errand_ended(errand, KR_EBROKEN, &list);
        }
    }
    kri_add_sc(&c->room, 1);
    kri_wake(&c->room, KRI_ALL, 0);
    kri_mutex_unlock(&c->mutex);
    kri_errands_conclude(c, &list, false);
}

bool kri_cluster_is_over(kri_cluster *c)
{
    kri_mutex_lock(&c->mutex);
    bool over = c->shut && c->outstanding == 0;
    kri_mutex_unlock(&c->mutex);
    return over;
}

bool kri_cluster_is_idle(kri_cluster *c)
{
    kri_mutex_lock(&c->mutex);
    bool idle = c->outstanding == 0 && !c->shut;
    kri_mutex_unlock(&c->mutex);
    return idle;
}

enum kri_drop kri_drop_for(int error)
{
    return error == KR_EAUTH ? KRI_FORGED : KRI_FOREIGN;
}

void kri_counts_drop(kr_remote_counts *counts, enum kri_drop why)
{
    counts->forged += why == KRI_FORGED;
    counts->replayed += why == KRI_REPLAYED;
    counts->foreign += why == KRI_FOREIGN;
    counts->oversized += why == KRI_OVERSIZED;
}

int kri_drop_error(enum kri_drop why)
{
    switch (why) {
    case KRI_FORGED:
        return KR_EAUTH;
    case KRI_REPLAYED:
        return -EALREADY;
    case KRI_OVERSIZED:
        return -EMSGSIZE;
    default:
        return KR_ETASK;
    }
}

void kri_cluster_drop(kri_cluster *c, enum kri_drop why)
{
    kri_mutex_lock(&c->mutex);
    bool first = !(c->told & why);
    c->told |= why;
    kri_counts_drop(&c->counts, why);
    kri_mutex_unlock(&c->mutex);
    if (first)
        kri_task_report_error(kri_drop_error(why), "message", c->name);
}
