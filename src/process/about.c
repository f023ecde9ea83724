/* Who am I, and who has started me?
 *
 * Both are handles that are never released, of this process, and are made anew in a forked child.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "base/global.h"
#include "process/internal.h"
#include <string.h>

static kri_mutex about_lock KRI_GLOBAL; /* guards what is made at the first asking */
static kr_process current KRI_GLOBAL;
static kr_process parent KRI_GLOBAL;
static char identity[KRI_IDENTITY] KRI_GLOBAL;
static int own_line KRI_GLOBAL; /* the life line of a child; 0: none */
static int own_bond KRI_GLOBAL; /* what the kernel kills it by; 0: nothing */

const char *kri_identity(void)
{
    return identity;
}

void kri_about_forked(void)
{
    about_lock = (kri_mutex){0};
    if (parent.pid != 0) {
        os_close(parent.sentinel);
        os_close(own_line);
    }
    if (own_bond != 0)
        os_close(own_bond);
    own_line = own_bond = 0;
    parent = (kr_process){.sentinel = -1, .status = -1};
    current.pid = 0;
}

/* Where the parent is already gone its number may name another; then the life line tells. */
static void know_parent(const kri_order *order, int line)
{
    parent = (kr_process){.kind = KRI_PARENT, .pid = order->parent};
    parent.sentinel = os_pidfd_open(parent.pid);
    parent.status = -1;
    kri_store_rlx(&parent.references, 1);
    kri_store_rlx(&parent.generation, kri_fork_generation());
    memcpy(parent.name, order->parent_name, sizeof parent.name);
    own_line = line;
    if (parent.sentinel < 0 || os_life_over(line)) {
        parent.over = true;
        parent.code = KR_EXIT_UNKNOWN;
    }
}

static void know_current(void)
{
    current.pid = os_process_id();
    current.kind = KRI_CURRENT;
    current.sentinel = current.status = -1;
    kri_store_rlx(&current.references, 1);
    kri_store_rlx(&current.generation, kri_fork_generation());
    if (current.name[0] == '\0')
        strcpy(current.name, "MainProcess");
}

void kri_become(const kri_order *order, int line)
{
    know_parent(order, line);
    kri_count_anew();
    memcpy(current.name, order->name, sizeof current.name);
    memcpy(identity, order->identity, sizeof identity);
    current.daemon = (order->flags & KRI_ORDER_DAEMON) != 0;
    know_current();
}

int kri_depend(int line)
{
    int bond = os_life_depend(line);
    own_bond = bond > 0 ? bond : 0;
    return bond < 0 ? bond : 0;
}

bool kri_depends(void)
{
    return own_bond == 0 || os_life_depends(own_bond);
}

kr_process *kr_process_current(void)
{
    (void)kri_processes_begin();
    kri_mutex_lock(&about_lock);
    if (current.pid == 0)
        know_current();
    kri_mutex_unlock(&about_lock);
    return &current;
}

kr_process *kr_process_parent(void)
{
    return parent.pid != 0 ? &parent : NULL;
}
