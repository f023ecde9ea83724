/* Real files, read into memory once, so that what is measured afterwards is no disk.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tour.h"

#include <fcntl.h>
#include <fts.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES_MOST = 20000, FILE_BYTES_MOST = 4 << 20 };

static void read_file(struct files *files, const char *path, size_t most)
{
    size_t begin = files->count > 0 ? files->ends[files->count - 1] : 0, used = begin;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    ssize_t got = fd < 0 ? -1 : 0;
    while (fd >= 0 && used < most && (got = read(fd, files->bytes + used, most - used)) > 0)
        used += (size_t)got;
    if (fd >= 0)
        close(fd);
    if (got >= 0 && used > begin) {
        files->ends[files->count++] = used;
        files->size = used;
    }
}

static void walk(struct files *files, const char *directory, size_t most)
{
    char *const paths[] = {(char *)directory, NULL};
    FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
    FTSENT *found;
    files->directory = directory;
    files->size = 0;
    files->count = 0;
    while (walk && files->size < most && files->count < FILES_MOST && !kr_cancelled() &&
           (found = fts_read(walk)) != NULL) {
        if (found->fts_info == FTS_F && found->fts_statp->st_size > 0 &&
            found->fts_statp->st_size <= FILE_BYTES_MOST)
            read_file(files, found->fts_accpath, most);
    }
    if (walk)
        fts_close(walk);
}

int files_read(struct files *files, size_t most)
{
    static const char *const directories[] = {"/usr/share", "/usr", "/etc"};
    files->bytes = malloc(most);
    files->ends = malloc(FILES_MOST * sizeof *files->ends);
    if (!files->bytes || !files->ends) {
        files_free(files);
        return -ENOMEM;
    }
    /* A small tree would be hashed so often that it stays in the processor's cache. */
    for (int i = 0; i < 3 && (i == 0 || files->size < most / 4); i++)
        walk(files, directories[i], most);
    if (files->count == 0) {
        files_free(files);
        return kr_cancelled() ? -ECANCELED : -ENOENT;
    }
    return 0;
}

void files_free(struct files *files)
{
    free(files->bytes);
    free(files->ends);
    files->bytes = NULL;
    files->ends = NULL;
}
