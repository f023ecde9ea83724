/* A tree for treesum: 50,000 files, 2 GB, sizes as one finds them: most are small, and most of the
 * bytes are in few.
 *
 * SPDX-License-Identifier: MIT
 */
#include "rows.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define PER_LARGE 333ul /* one file in so many is large */

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Large ones 1 to 20 MB, 150 of them: 1.6 GB.  The others 0.1 to 100 kB, more of the smaller. */
static size_t size_of(unsigned long number, uint64_t *state)
{
    uint64_t random = next_random(state);
    if (number % PER_LARGE == 0)
        return 1000000 + random % 19000000;
    uint64_t scale = (uint64_t)1 << (random % 11); /* up to 1024 */
    return 100 + (random >> 32) % (scale * 100);
}

static bool write_file(const char *path, size_t size, uint64_t *state)
{
    static uint64_t block[8192];
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
    if (fd < 0)
        return false;
    bool written = true;
    while (size > 0 && written) {
        size_t part = size < sizeof block ? size : sizeof block;
        for (size_t i = 0; i * sizeof *block < part; i++)
            block[i] = next_random(state);
        written = write(fd, block, part) == (ssize_t)part;
        size -= part;
    }
    return close(fd) == 0 && written;
}

static bool make_files(const char *directory, unsigned long count, uint64_t *bytes)
{
    uint64_t state = 88172645463325252u;
    char path[4096];
    for (unsigned long i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%03lu", directory, i / 200);
        if (i % 200 == 0 && mkdir(path, 0755) != 0 && errno != EEXIST)
            return false;
        snprintf(path, sizeof path, "%s/%03lu/file-%05lu", directory, i / 200, i);
        size_t size = size_of(i, &state);
        if (!write_file(path, size, &state))
            return false;
        *bytes += size;
    }
    return true;
}

/* Beside the tree stands what it holds, once it is complete. */
static bool read_note(const char *note, unsigned long count, uint64_t *bytes)
{
    FILE *stream = fopen(note, "re");
    if (!stream)
        return false;
    unsigned long long files = 0, size = 0;
    bool good = fscanf(stream, "%llu files, %llu bytes", &files, &size) == 2 && files == count;
    fclose(stream);
    *bytes = size;
    return good;
}

static bool write_note(const char *note, unsigned long count, uint64_t bytes)
{
    FILE *stream = fopen(note, "we");
    if (!stream)
        return false;
    fprintf(stream, "%lu files, %llu bytes\n", count, (unsigned long long)bytes);
    return fclose(stream) == 0;
}

bool bench_make_tree(const char *directory, unsigned long count, uint64_t *bytes)
{
    char note[4096];
    snprintf(note, sizeof note, "%s.holds", directory);
    if (read_note(note, count, bytes))
        return true;
    *bytes = 0;
    if (mkdir(directory, 0755) != 0 && errno != EEXIST) {
        fprintf(stderr, "bench: %s: %s\n", directory, strerror(errno));
        return false;
    }
    struct statvfs disk;
    if (statvfs(directory, &disk) == 0 &&
        (uint64_t)disk.f_bavail * disk.f_frsize < (uint64_t)count * 65536) {
        fprintf(stderr, "bench: %s: too little room on the disk for %lu files\n", directory, count);
        return false;
    }
    fprintf(stderr, "bench: making %lu files below %s\n", count, directory);
    if (!make_files(directory, count, bytes) || !write_note(note, count, *bytes)) {
        fprintf(stderr, "bench: %s: %s\n", directory, strerror(errno));
        return false;
    }
    return true;
}
