/* Chapter 2: work that computes: the SHA-256 of real files, as treesum makes it.
 *
 * Under the interpreter lock each thread holds it while it hashes, as code of an interpreter would,
 * and asks after each piece whether another wants it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tour.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum { DIGEST = 32, PIECE = 64 << 10, PARTS = 48, BYTES_MOST = 24 << 20 };

/* Read by all runners; made before there are any. */
static struct {
    struct files files;
    kr_gil *lock;
    int rounds; /* how often each file is hashed */
} work;

struct part {
    int first, end; /* files */
    bool locked;
};

struct digest {
    unsigned char bytes[DIGEST];
};

static int hash_file(EVP_MD_CTX *context, const EVP_MD *sha256, int file, kr_gil_thread *lock,
                     struct digest *sum)
{
    const unsigned char *at = work.files.bytes + (file > 0 ? work.files.ends[file - 1] : 0);
    const unsigned char *end = work.files.bytes + work.files.ends[file];
    unsigned char digest[DIGEST];
    bool good = EVP_DigestInit_ex(context, sha256, NULL) == 1;
    for (size_t size; good && at < end; at += size) {
        size = end - at < PIECE ? (size_t)(end - at) : PIECE;
        good = EVP_DigestUpdate(context, at, size) == 1;
        if (lock && kr_gil_check(lock) != 0)
            return -ECANCELED;
    }
    if (!good || EVP_DigestFinal_ex(context, digest, NULL) != 1)
        return -EIO;
    for (int i = 0; i < DIGEST; i++)
        sum->bytes[i] ^= digest[i]; /* of all files in whatever order */
    return 0;
}

static int hash_files(const struct part *part, kr_gil_thread *lock, struct digest *sum)
{
    EVP_MD *sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int err = sha256 && context ? 0 : -ENOMEM;
    for (int round = 0; round < work.rounds && !err; round++) {
        memset(sum, 0, sizeof *sum);
        for (int file = part->first; file < part->end && !err; file++)
            err = kr_cancelled() ? -ECANCELED : hash_file(context, sha256, file, lock, sum);
    }
    EVP_MD_CTX_free(context);
    EVP_MD_free(sha256);
    return err;
}

static int hash_part(const void *arg, void *result)
{
    const struct part *part = arg;
    kr_gil_thread *lock = NULL;
    char name[32];
    snprintf(name, sizeof name, "%d files", part->end - part->first);
    kr_trace_begin(name);
    int err = part->locked ? kr_gil_attach(work.lock, &lock) : 0;
    if (!err)
        err = hash_files(part, lock, result);
    if (lock)
        kr_gil_detach(lock);
    kr_trace_end();
    return err;
}

struct job {
    enum kind kind;
    bool locked;
    int workers;
    struct digest sum; /* of the first way; the others have the same */
    bool known;
};

/* Parts of about as many bytes each. */
static int cut(struct part *parts, bool locked)
{
    int count = 0, file = 0;
    for (int i = 0; i < PARTS; i++) {
        size_t end = (size_t)((double)work.files.size * (i + 1) / PARTS);
        int first = file;
        while (file < work.files.count && work.files.ends[file] <= end)
            file++;
        if (i == PARTS - 1)
            file = work.files.count;
        if (file > first)
            parts[count++] = (struct part){first, file, locked};
    }
    return count;
}

static int run(void *arg, struct way *way)
{
    struct job *job = arg;
    struct part parts[PARTS];
    struct digest sums[PARTS], all = {{0}};
    int count = cut(parts, job->locked);
    (void)way;
    int err = team_run(&(struct team){.kind = job->kind,
                                      .workers = job->workers,
                                      .task = hash_part,
                                      .args = parts,
                                      .arg_size = sizeof *parts,
                                      .results = sums,
                                      .result_size = sizeof *sums,
                                      .count = count});
    if (err)
        return err;
    for (int i = 0; i < count; i++) {
        for (int k = 0; k < DIGEST; k++)
            all.bytes[k] ^= sums[i].bytes[k];
    }
    if (job->known && memcmp(&job->sum, &all, sizeof all) != 0)
        return -EBADMSG;
    job->sum = all;
    job->known = true;
    return 0;
}

/* So many rounds that one at a time they take about as long as they are to take. */
static int find_rounds(const struct tour *tour)
{
    struct job job = {.kind = ALONE, .workers = 1};
    struct way way = {.name = NULL};
    work.rounds = 1;
    double begun = busy_seconds();
    int err = run(&job, &way);
    double once = busy_seconds() - begun, wanted = (double)tour->effort.compute / 1e9;
    work.rounds = once > 1e-6 && once < wanted / 2 ? (int)(wanted / once) : 1;
    return err;
}

static int measure_ways(struct tour *tour, struct chapter *chapter)
{
    static const struct {
        const char *name;
        enum kind kind;
        bool locked;
    } ways[] = {{"one at a time", ALONE, false},
                {"threads, interpreter lock", THREADS, true},
                {"threads", THREADS, false},
                {"processes", PROCESSES, false}};
    struct job job = {.workers = tour->workers};
    int err = 0;
    for (int i = 0; i < 4 && !err; i++) {
        job.kind = ways[i].kind;
        job.locked = ways[i].locked;
        err = measure(tour, chapter, add_way(tour, chapter, ways[i].name), run, &job);
    }
    return err;
}

int chapter_hash(struct tour *tour)
{
    struct chapter *chapter = &tour->chapters[HASH];
    chapter->id = "hashing";
    chapter->title = "Work that computes: hashing";
    chapter->pictures = true;
    console_step(chapter->title, "reading files");
    int err = files_read(&work.files, BYTES_MOST);
    if (!err)
        err = kr_gil_create(&work.lock, NULL);
    if (!err && !tour->drawing)
        err = find_rounds(tour);
    if (!err) {
        chapter->amount = (double)work.files.size * work.rounds / 1e6;
        chapter->unit = "MB";
        snprintf(
            chapter->what, sizeof chapter->what,
            "The SHA-256 of %d files below %s, %.1f MB that lie in memory, %d time%s each, by %d "
            "workers on %d processor%s. All ways must come to the same sums.",
            work.files.count, work.files.directory, (double)work.files.size / 1e6, work.rounds,
            work.rounds > 1 ? "s" : "", tour->workers, tour->processors,
            tour->processors > 1 ? "s" : "");
        err = measure_ways(tour, chapter);
    }
    if (err == -ECANCELED)
        return err; /* workers may still read the files */
    kr_gil_destroy(work.lock);
    files_free(&work.files);
    if (err)
        complain("hashing: %s", kr_strerror(err));
    return err;
}
