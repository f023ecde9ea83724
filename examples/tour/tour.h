/* tour - what concurrency is worth on this machine, measured now, and a page with the pictures.
 *
 *     main.c       the command line, and the chapters in their order
 *     console.c    the progress line, messages, tables on standard output
 *     team.c       the same task by one runner, threads, coroutines, processes
 *     measure.c    one way of doing a chapter's work: its time, and its picture
 *     server.c     a web server with latency, in a process of its own
 *     fetch.c      chapter 1: work that waits
 *     files.c      real files in memory
 *     hash.c       chapter 2: work that computes
 *     script.c     chapter 3: an interpreter that computes
 *     lua.c        the interpreter; machine.c: another one, where Lua is not installed
 *     count.c      chapter 4: many that count in one place
 *     cost.c       what a runner costs to make and to switch to; keep.c: and to keep
 *     advice.c     what follows from all this
 *     timeline.c   from the trace to who ran where and who waited for whom
 *     page.c       tour.html; chart.c: its bar charts; picture.c: its timelines
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TOUR_H
#define TOUR_H

#include <krait/krait.h>

#include <stdio.h>

/* How much is done: for people, and for tests. */
struct effort {
    int fetches, many_fetches;
    kr_time latency;
    kr_time compute; /* what one way of computing is to take, one at a time */
    kr_time repeat;  /* short ones are repeated for so long, and the best counts */
    long counts;     /* of each that counts */
    kr_time make;    /* how long runners of one kind are made */
    int turns;
    int keep; /* threads, ten times as many coroutines, a tenth of processes */
};

/* Who does the work. */
enum kind { ALONE, THREADS, COROUTINES, PROCESSES };

/* From when to when somebody was what. */
enum state { RUNS, WAITS, WAITS_LOCK };

struct span {
    int lane;
    enum state state;
    int core; /* where it ran; -1: not known */
    kr_time from, to;
};

/* Somebody let another go on: woke it, or gave it the lock. */
struct link {
    int from, to; /* lanes */
    kr_time at;
};

struct lane {
    char name[32];
    int process;
    uint64_t runner; /* 0: the thread that carries coroutines */
    int thread;
    kr_time ran, waited;
    int waits, woken_by; /* how often; the lane that most often ended it, -1: none of these */
    uint64_t cores;      /* where it ran: a bit each, for the first 64 */
};

enum { LANES_MOST = 12 };

struct timeline {
    struct lane lanes[LANES_MOST];
    int lane_count, left_out; /* so many more there were than are shown */
    struct span *spans;
    size_t span_count;
    struct link *links;
    size_t link_count;
    kr_time from, to;   /* what is shown */
    kr_time begun, end; /* the whole */
    uint64_t lost;      /* events that found no room */
};

/* One way of doing a chapter's work. */
struct way {
    const char *name;
    double seconds, busy; /* on the clock; of all processors together */
    char note[64];
    bool wrong; /* what it came to: quick is not good then */
    int error;  /* it could not be done; -ETIME: no time was left for it */
    struct timeline timeline;
};

enum { WAYS_MOST = 5 };

struct chapter {
    const char *id, *title;
    double late;   /* when this share of the time has passed nothing of it begins any more */
    bool pictures; /* of each way */
    int drawn;     /* so many ways have had their turn to be drawn */
    double amount; /* of work in each way */
    const char *unit;
    char what[512]; /* was done */
    struct way ways[WAYS_MOST];
    int count;
};

/* What one runner costs. */
enum runner { COROUTINE, THREAD, FORKED, FROM_SERVER, SPAWNED, RUNNERS };

struct cost {
    const char *name;
    double make, turn, keep; /* seconds, seconds, bytes; 0: not measured */
};

enum { FETCH, MANY, HASH, SCRIPT, COUNT, CHAPTERS, ADVICE_MOST = 10 };

struct tour {
    struct effort effort;
    const char *page;
    int only;            /* a chapter's number; -1: all */
    bool drawing;        /* all is measured: now the chapters are done once more, for pictures */
    kr_time time, begun; /* it is to take so long at most */
    int processors, workers;
    char machine[256];
    struct chapter chapters[CHAPTERS];
    struct cost costs[RUNNERS];
    double lost_share; /* of the counts without a lock */
    bool gave_way;     /* for that, between load and store */
    char advice[ADVICE_MOST][400];
    int advice_count;
};

/* console.c */
void console_open(int steps);
void console_step(const char *chapter, const char *what); /* this is done now */
void console_close(void);
__attribute__((format(printf, 1, 2))) void complain(const char *format, ...);
void show_chapter(const struct chapter *chapter);
void show_costs(const struct tour *tour);
void show_advice(const struct tour *tour);
const char *gain_text(char *text, size_t size, double gain);    /* "1.23" */
const char *time_text(char *text, size_t size, double seconds); /* "1.23 ms" */

/* team.c: fn(&args[i], &results[i]) for all i; `count` of them, by so many at a time. */
struct team {
    enum kind kind;
    int workers;
    kr_task_fn task;
    const void *args;
    size_t arg_size;
    void *results;
    size_t result_size;
    int count;
};
int team_run(const struct team *team);

/* measure.c */
typedef int run_fn(void *arg, struct way *way); /* does the work once; may set way->seconds */
struct way *add_way(struct tour *tour, struct chapter *chapter, const char *name);
int measure(struct tour *tour, struct chapter *chapter, struct way *way, run_fn *run, void *arg);
bool is_late(const struct tour *tour, double share); /* has this share of the time passed? */
double now_seconds(void);
double busy_seconds(void); /* of processors, for this process and children that have ended */

/* server.c */
int server_start(kr_process **server, int *port, kr_time latency);
void server_end(kr_process *server);

/* The chapters: 0, or an error that ends the tour. */
int chapter_fetch(struct tour *tour);
int chapter_hash(struct tour *tour);
int chapter_script(struct tour *tour);
int chapter_count(struct tour *tour);
int measure_costs(struct tour *tour);
void give_advice(struct tour *tour);

/* cost.c, keep.c: of one kind of runner; for the process that measures them. */
int make_process(kr_process **process, enum runner runner, kr_run_fn run, const int *descriptors,
                 int count);
int measure_keep(enum runner runner, int count, double *bytes);

/* files.c */
struct files {
    unsigned char *bytes;
    size_t size;
    size_t *ends; /* of each file, in bytes */
    int count;
    const char *directory;
};
int files_read(struct files *files, size_t most);
void files_free(struct files *files);

/* lua.c or machine.c: a state of an interpreter, in which one runner at a time may be. */
struct interpreter;
extern const char interpreter_name[];
int interpreter_open(struct interpreter **interpreter);
/* How many primes are in [from, to).  With a lock, which the caller holds, its check points are in
 * the interpreter's code, and others may run in this state meanwhile. */
int interpreter_primes(struct interpreter *interpreter, long from, long to, kr_gil_thread *lock,
                       long *primes);
void interpreter_close(struct interpreter *interpreter);

/* timeline.c */
int timeline_begin(void);
int timeline_end(struct timeline *timeline);
void timeline_free(struct timeline *timeline);

/* page.c, chart.c, picture.c */
struct page {
    FILE *out;
    int figures;
};
int page_check(const char *path); /* can it be written? */
int page_write(const struct tour *tour);
void write_text(FILE *out, const char *text);
void draw_bars(struct page *page, const struct chapter *chapter);
void draw_costs(struct page *page, const struct tour *tour);
void draw_timeline(struct page *page, const struct way *way);

#endif
