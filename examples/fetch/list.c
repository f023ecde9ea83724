/* The lines of a list: a file, or standard input, which may be slow to say what it wants.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct list {
    int fd;
    bool ended;
    size_t begin, end;
    char bytes[2 * URL_MOST + 1]; /* a longer line is no URL, and comes in pieces */
};

int list_open(struct list **result, const char *path)
{
    struct list *list = calloc(1, sizeof *list);
    if (!list)
        return -ENOMEM;
    list->fd =
        strcmp(path, "-") == 0 ? STDIN_FILENO : kr_open(path, O_RDONLY | O_CLOEXEC, 0, KR_FOREVER);
    if (list->fd < 0) {
        int err = list->fd;
        free(list);
        return err;
    }
    *result = list;
    return 0;
}

/* The next line, however long; NULL: not all of it is there. */
static char *take_line(struct list *list)
{
    char *begin = list->bytes + list->begin;
    size_t size = list->end - list->begin;
    char *end = memchr(begin, '\n', size);
    bool full = list->begin == 0 && list->end == sizeof list->bytes - 1;
    if (!end && (size == 0 || !(list->ended || full)))
        return NULL;
    list->begin = end ? (size_t)(end - list->bytes) + 1 : list->end;
    *(end ? end : list->bytes + list->end) = '\0';
    return begin;
}

static int fill(struct list *list)
{
    memmove(list->bytes, list->bytes + list->begin, list->end - list->begin);
    list->end -= list->begin;
    list->begin = 0;
    int64_t got =
        kr_read(list->fd, list->bytes + list->end, sizeof list->bytes - 1 - list->end, KR_FOREVER);
    if (got < 0)
        return (int)got;
    list->end += (size_t)got;
    list->ended = got == 0;
    return 0;
}

int list_next(struct list *list, const char **line)
{
    static const char blanks[] = " \t\r\f\v";
    for (;;) {
        char *text = take_line(list);
        if (text) {
            text += strspn(text, blanks);
            size_t length = strlen(text);
            while (length > 0 && strchr(blanks, text[length - 1]))
                text[--length] = '\0';
            if (*text == '\0' || *text == '#')
                continue;
            *line = text;
            return 1;
        }
        if (list->ended)
            return 0;
        int err = fill(list);
        if (err)
            return err;
    }
}

void list_close(struct list *list)
{
    if (list->fd != STDIN_FILENO)
        (void)kr_close(list->fd);
    free(list);
}
