/* All files of all arguments, in the order of their paths, byte by byte.
 *
 * Each argument is a sorted source of its own, and the sources are merged.  All paths of a source
 * begin with its key ("dir/" for a directory), so a source is opened only when the merge gets to
 * its key: with thousands of arguments only those that lie inside one another are open together.
 *
 * A path that two arguments lead to is given twice, as `find` does.
 *
 * SPDX-License-Identifier: MIT
 */
#include "treesum.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct source {
    char *argument;
    bool slash; /* the key is the argument and a slash, else the argument alone */
    bool directory;
    off_t size;        /* of the file, or of the file at `path` */
    struct tree *tree; /* while open */
    const char *path;  /* the next path that it gives */
    struct source *next_open;
};

struct walk {
    struct source *sources; /* by their keys */
    size_t count, opened;
    struct source *open; /* in no order */
    struct source *last; /* gave the path that the caller has now */
    bool measure;
    bool complete;
};

static void examine(struct source *source, char *argument)
{
    *source = (struct source){.argument = argument};
    struct stat status;
    if (strcmp(argument, "-") == 0 || stat(argument, &status) != 0)
        return; /* what is wrong with it shows when it is opened */
    source->directory = S_ISDIR(status.st_mode);
    source->size = S_ISREG(status.st_mode) ? status.st_size : 0;
    size_t length = strlen(argument);
    source->slash = source->directory && argument[length - 1] != '/';
}

/* Compares the source's key with a text that ends in a slash of its own or not. */
static int compare_key(const struct source *source, const char *text, bool text_slash)
{
    const unsigned char *x = (const unsigned char *)source->argument;
    const unsigned char *y = (const unsigned char *)text;
    while (*x == *y && *x != '\0') {
        x++;
        y++;
    }
    int in_x = *x == '\0' && source->slash ? '/' : *x;
    int in_y = *y == '\0' && text_slash ? '/' : *y;
    if (in_x != in_y || *x == *y)
        return in_x - in_y;
    /* One of the two ended with the slash that the other has in its text. */
    return *x == '\0' ? -(y[1] != '\0') : x[1] != '\0';
}

static int compare_sources(const void *left, const void *right)
{
    const struct source *b = right;
    return compare_key(left, b->argument, b->slash);
}

struct walk *walk_open(char **arguments, size_t count, bool measure)
{
    struct walk *walk = calloc(1, sizeof *walk);
    struct source *sources = calloc(count ? count : 1, sizeof *sources);
    if (!walk || !sources) {
        free(walk);
        free(sources);
        return NULL;
    }
    for (size_t i = 0; i < count; i++)
        examine(&sources[i], arguments[i]);
    qsort(sources, count, sizeof *sources, compare_sources);
    *walk = (struct walk){.sources = sources, .count = count, .measure = measure, .complete = true};
    return walk;
}

static void close_source(struct walk *walk, struct source *source)
{
    struct source **link = &walk->open;
    while (*link != source)
        link = &(*link)->next_open;
    *link = source->next_open;
    if (source->tree && !tree_complete(source->tree))
        walk->complete = false;
    tree_close(source->tree);
    source->tree = NULL;
}

/* The source moves on to its next path; at its end it is closed. */
static int advance(struct walk *walk, struct source *source)
{
    int got = source->tree ? tree_next(source->tree, &source->path, &source->size) : 0;
    if (got == 0)
        close_source(walk, source);
    return got < 0 ? got : 0;
}

static int open_next(struct walk *walk)
{
    struct source *source = &walk->sources[walk->opened++];
    source->next_open = walk->open;
    walk->open = source;
    source->path = source->argument;
    if (!source->directory)
        return 0;
    int err = tree_open(&source->tree, source->argument, walk->measure);
    return err ? err : advance(walk, source);
}

static struct source *least(const struct walk *walk)
{
    struct source *best = walk->open;
    for (struct source *source = best; source; source = source->next_open) {
        if (strcmp(source->path, best->path) < 0)
            best = source;
    }
    return best;
}

int walk_next(struct walk *walk, const char **path, enum file_kind *kind, off_t *size)
{
    int err = walk->last ? advance(walk, walk->last) : 0;
    walk->last = NULL;
    struct source *best = err ? NULL : least(walk);
    while (!err && walk->opened < walk->count &&
           (!best || compare_key(&walk->sources[walk->opened], best->path, false) <= 0)) {
        err = open_next(walk);
        best = least(walk);
    }
    if (err)
        return err;
    if (!best)
        return 0;
    walk->last = best;
    *path = best->path;
    *kind = best->directory ? FILE_FOUND : FILE_NAMED;
    *size = best->size;
    return 1;
}

bool walk_complete(const struct walk *walk)
{
    return walk->complete;
}

void walk_close(struct walk *walk)
{
    if (!walk)
        return;
    while (walk->open)
        close_source(walk, walk->open);
    free(walk->sources);
    free(walk);
}
