/* All regular files below one directory, in the order of their paths, byte by byte.
 *
 * A directory is read whole and sorted when the walk enters it, so the walk holds the names of the
 * directories on its way down and no more.  Sorting each directory alone gives the order of whole
 * paths if a directory takes part as its name and a slash: "a-b" comes before "a/b" because '-'
 * comes before '/'.
 *
 * Directories are opened by path and not kept open: a tree may be deeper than a process may have
 * descriptors.
 *
 * SPDX-License-Identifier: MIT
 */
#include "treesum.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct entry {
    uint32_t name; /* where in the level's names */
    bool directory;
    off_t size;
};

struct level {
    struct level *above;
    dev_t device;
    ino_t inode;
    size_t prefix; /* so many bytes of the path are this directory and its slash */
    struct entry *entries;
    size_t count, capacity, next;
    char *names;
    size_t names_used, names_capacity;
};

struct tree {
    struct level *level;
    char *path;
    size_t path_capacity;
    bool measure;
    bool complete;
};

static void complain_about_tree(struct tree *tree, int error)
{
    complain_path(tree->path, strerror(-error));
    tree->complete = false;
}

/* *memory has room for `needed` items of `size` bytes, perhaps elsewhere. */
static int reserve(void *memory, size_t *capacity, size_t needed, size_t size)
{
    if (needed <= *capacity)
        return 0;
    size_t room = needed + needed / 2 + 16;
    void *old;
    memcpy(&old, memory, sizeof old);
    void *bigger = realloc(old, room * size);
    if (!bigger)
        return -ENOMEM;
    memcpy(memory, &bigger, sizeof bigger);
    *capacity = room;
    return 0;
}

static int set_path(struct tree *tree, size_t prefix, const char *name)
{
    size_t length = strlen(name);
    int err = reserve(&tree->path, &tree->path_capacity, prefix + length + 2, 1);
    if (err)
        return err;
    memcpy(tree->path + prefix, name, length + 1);
    return 0;
}

static int add_entry(struct level *level, const char *name, bool directory, off_t size)
{
    size_t length = strlen(name) + 1;
    if (level->names_used + length > UINT32_MAX)
        return -EOVERFLOW;
    int err = reserve(&level->names, &level->names_capacity, level->names_used + length, 1);
    if (!err)
        err = reserve(&level->entries, &level->capacity, level->count + 1, sizeof(struct entry));
    if (err)
        return err;
    memcpy(level->names + level->names_used, name, length);
    level->entries[level->count++] =
        (struct entry){.name = (uint32_t)level->names_used, .directory = directory, .size = size};
    level->names_used += length;
    return 0;
}

static int compare_entries(const void *left, const void *right, void *names)
{
    const struct entry *a = left;
    const struct entry *b = right;
    const unsigned char *x = (const unsigned char *)names + a->name;
    const unsigned char *y = (const unsigned char *)names + b->name;
    while (*x == *y && *x != '\0') {
        x++;
        y++;
    }
    int in_a = *x == '\0' && a->directory ? '/' : *x;
    int in_b = *y == '\0' && b->directory ? '/' : *y;
    return in_a - in_b;
}

/* Directories and regular files come into the level; links, devices, pipes and sockets do not. */
static int take_entry(struct tree *tree, struct level *level, int fd, const struct dirent *found)
{
    if (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0)
        return 0;
    if (found->d_type == DT_DIR)
        return add_entry(level, found->d_name, true, 0);
    if (found->d_type == DT_REG && !tree->measure)
        return add_entry(level, found->d_name, false, 0);
    if (found->d_type != DT_REG && found->d_type != DT_UNKNOWN)
        return 0;

    struct stat status;
    if (fstatat(fd, found->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        /* It vanished.  Whoever opens it will say so, at its place in the order. */
        return add_entry(level, found->d_name, false, 0);
    }
    if (S_ISDIR(status.st_mode) || S_ISREG(status.st_mode))
        return add_entry(level, found->d_name, S_ISDIR(status.st_mode), status.st_size);
    return 0;
}

static int read_entries(struct tree *tree, struct level *level, DIR *stream)
{
    for (;;) {
        errno = 0;
        const struct dirent *found = readdir(stream);
        if (!found)
            break;
        int err = take_entry(tree, level, dirfd(stream), found);
        if (err)
            return err;
        if (kr_cancelled())
            return -ECANCELED;
    }
    if (errno)
        complain_about_tree(tree, -errno);
    if (level->count > 1)
        qsort_r(level->entries, level->count, sizeof(struct entry), compare_entries, level->names);
    return 0;
}

static void leave(struct tree *tree)
{
    struct level *level = tree->level;
    tree->level = level->above;
    free(level->entries);
    free(level->names);
    free(level);
}

/* A directory that contains itself, by a mount for example, would never end. */
static bool contains_itself(const struct tree *tree, const struct stat *status)
{
    for (const struct level *level = tree->level; level; level = level->above) {
        if (level->inode == status->st_ino && level->device == status->st_dev)
            return true;
    }
    return false;
}

/* Enter the open directory that is called tree->path, whose first `length` bytes name it. */
static int enter_open(struct tree *tree, DIR *stream, size_t length)
{
    struct stat status;
    if (fstat(dirfd(stream), &status) != 0) {
        complain_about_tree(tree, -errno);
        return 0;
    }
    if (contains_itself(tree, &status)) {
        complain_path(tree->path, "File system loop detected");
        tree->complete = false;
        return 0;
    }
    struct level *level = calloc(1, sizeof *level);
    if (!level)
        return -ENOMEM;
    level->above = tree->level;
    level->device = status.st_dev;
    level->inode = status.st_ino;
    level->prefix = length;
    tree->level = level;
    int err = read_entries(tree, level, stream);
    if (level->prefix == 0 || tree->path[level->prefix - 1] != '/')
        tree->path[level->prefix++] = '/';
    return err;
}

/* Enter the directory that is called tree->path.  One that cannot be read is a message, and the
 * walk goes on. */
static int enter(struct tree *tree, int flags)
{
    int fd = open_path(tree->path, O_RDONLY | O_DIRECTORY | O_NONBLOCK | flags);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    if (!stream) {
        int error = errno;
        if (fd >= 0)
            close(fd);
        if (error == ENOMEM)
            return -ENOMEM;
        complain_about_tree(tree, -error);
        return 0;
    }
    int err = enter_open(tree, stream, strlen(tree->path));
    closedir(stream);
    return err;
}

int tree_open(struct tree **result, const char *directory, bool measure)
{
    struct tree *tree = calloc(1, sizeof *tree);
    if (!tree)
        return -ENOMEM;
    tree->measure = measure;
    tree->complete = true;
    int err = set_path(tree, 0, directory);
    if (!err)
        err = enter(tree, 0);
    if (err) {
        tree_close(tree);
        return err;
    }
    *result = tree;
    return 0;
}

int tree_next(struct tree *tree, const char **path, off_t *size)
{
    while (tree->level) {
        struct level *level = tree->level;
        if (level->next == level->count) {
            leave(tree);
            continue;
        }
        if (kr_cancelled())
            return -ECANCELED;
        const struct entry *entry = &level->entries[level->next++];
        int err = set_path(tree, level->prefix, level->names + entry->name);
        if (!err && !entry->directory) {
            *path = tree->path;
            *size = entry->size;
            return 1;
        }
        if (!err)
            err = enter(tree, O_NOFOLLOW);
        if (err)
            return err;
    }
    return 0;
}

bool tree_complete(const struct tree *tree)
{
    return tree->complete;
}

void tree_close(struct tree *tree)
{
    if (!tree)
        return;
    while (tree->level)
        leave(tree);
    free(tree->path);
    free(tree);
}
