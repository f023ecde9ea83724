/* The status page's file: a segment with a name, held by its process alone.
 *
 * It is made whole and gets its name then, as all segments of krait with a name; who holds what,
 * and when one is removed, is told in memory/name.c.  That stands above; so removing the pages of
 * the dead, which a new page does first, is here once more.
 *
 * SPDX-License-Identifier: MIT
 */
#include "status/status.h"

#include <stdio.h>
#include <string.h>

#include "os/os.h"
#include "os/segment.h"

enum { OWNER_MAY = 0600 };

/* Nobody holds it, and it is this user's. */
static bool is_dead(int fd, const char *name)
{
    char found[OS_SEGMENT_NAME + 1];
    os_segment about;
    return os_segment_look(fd, &about) == 0 && about.memory && about.marked &&
           about.user == os_user() && os_segment_seize(fd) == 0 && os_segment_name(fd, found) > 0 &&
           strcmp(found, name) == 0;
}

static int remove_if_dead(const char *name, void *arg)
{
    (void)arg;
    if (strncmp(name, KRI_PAGE_NAME, strlen(KRI_PAGE_NAME)) != 0)
        return 0;
    int fd = os_segment_open(name);
    if (fd < 0)
        return 0;
    if (is_dead(fd, name))
        (void)os_segment_remove(name);
    os_close(fd);
    return 0;
}

static int make_segment(void)
{
    int fd = os_segment_nameless();
    if (fd < 0)
        return fd;
    int err = os_segment_resize(fd, sizeof(kri_page));
    if (err == 0)
        err = os_segment_reserve(fd, sizeof(kri_page));
    if (err == 0)
        err = os_segment_mark(fd, OWNER_MAY, true);
    if (err == 0)
        err = os_segment_hold(fd);
    if (err == 0)
        return fd;
    os_close(fd);
    return err;
}

int kri_page_file_make(kri_page_file *file, kr_time interval)
{
    void *memory;
    int fd = make_segment();
    int err = fd < 0 ? fd : os_segment_map(fd, sizeof(kri_page), &memory);
    if (err != 0) {
        if (fd >= 0)
            os_close(fd);
        return err;
    }
    pid_t self = os_process_id();
    kri_page *page = memory;
    page->magic = KRI_PAGE_MAGIC;
    page->version = KRI_PAGE_VERSION;
    page->pid = (uint32_t)self;
    page->size = sizeof(kri_page);
    page->start = os_process_start(self);
    page->interval = interval;
    snprintf(page->library, sizeof page->library, "%s", kr_version());
    file->page = page;
    file->fd = fd;
    snprintf(file->name, sizeof file->name, KRI_PAGE_NAME "%d", (int)self);
    return 0;
}

int kri_page_file_publish(kri_page_file *file)
{
    (void)os_segment_list(remove_if_dead, NULL);
    return os_segment_publish(file->fd, file->name);
}

void kri_page_file_forget(kri_page_file *file)
{
    os_shared_unmap(file->page, sizeof *file->page);
    os_close(file->fd);
}

void kri_page_file_remove(kri_page_file *file)
{
    (void)os_segment_remove(file->name);
    kri_page_file_forget(file);
}
