/* fetch - what its parts tell each other.
 *
 *     main.c      options
 *     work.c      starts a task for each URL: the one place that says where tasks run
 *     task.c      one URL: redirects, retries, the time it may take
 *     http.c      a GET on one connection: the request, and the head of the answer
 *     body.c      the body of the answer, however its end is told
 *     wire.c      one connection: lines and bytes
 *     trust.c     whom https believes
 *     url.c       taking URLs apart
 *     sink.c      where a body goes
 *     list.c      the lines of the lists
 *     output.c    results on standard output
 *     console.c   messages and the progress bar on standard error
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef FETCH_H
#define FETCH_H

#include <krait/krait.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Errors of our own, beside those of krait and of the system. */
enum {
    BAD_URL = -10000,    /* no URL, or none for us */
    BAD_SCHEME = -10001, /* neither http: nor https: */
    BAD_SERVER = -10002, /* does not speak HTTP/1 */
    HEAD_TOO_LONG = -10003,
    BODY_TOO_LONG = -10004,
    CUT_OFF = -10005,       /* the connection ended before the answer did */
    TOO_MANY_HOPS = -10006, /* redirects */
    BAD_STATUS = -10007,    /* an answer, but not what was asked for */
    NO_SUCH_HOST = -10008,
    BAD_TRUST = -10009, /* --ca-file */
};

struct options {
    unsigned jobs;
    bool threads;
    bool as_completed;
    bool quiet;
    bool insecure;
    const char *ca_file;   /* whom to trust; NULL: whom the system trusts */
    const char *directory; /* NULL: bodies are dropped */
    kr_time timeout;       /* for connecting and the head, then for each piece of the body */
    kr_time max_time;      /* for a URL with all its retries; KR_FOREVER: none */
    kr_time back_off;      /* before the first retry, twice as long before each next */
    unsigned retries;
    unsigned redirects;
    uint64_t max_size;
};

struct work;

/* One URL of the list: what is asked for, and what came of it. */
struct job {
    kr_group_task task;
    struct work *work;
    struct job *next;       /* work.c: of the list */
    struct job *next_shown; /* output.c: the same, as far as it is known there */
    size_t number;          /* in the list, from 1 */
    char *file;             /* where the body lies; NULL: nowhere */
    uint64_t bytes;         /* of the body */
    unsigned retries;
    int status; /* of HTTP; 0: no answer */
    int error;
    bool done;  /* output.c: the above is complete */
    bool shown; /* output.c */
    char url[];
};

/* work.c: exit status */
int work_run(const struct options *options, char **lists, size_t count);
void work_slot_free(struct work *work);

/* task.c: arg: the options; result: the job */
int task_fetch(const void *arg, void *result);

/* url.c */
enum { URL_MOST = 4096 };
struct url {
    bool tls;
    char host[256];
    char port[6];
    char authority[272]; /* for the Host line */
    char target[URL_MOST];
};
int url_parse(struct url *url, const char *text);
int url_follow(struct url *url, const char *location); /* relative to what it was before */

/* wire.c: all waits are krait's, and end with the caller's scope.  What was given out stays until
 * the next call. */
enum { WIRE_BUFFER = 16 * 1024 };
struct wire {
    kr_stream *stream;
    kr_time timeout; /* of each wait */
    char bytes[WIRE_BUFFER];
};
int wire_open(struct wire *wire, const struct url *url, const struct options *options);
int wire_send(struct wire *wire, const char *bytes, size_t size);
int wire_line(struct wire *wire, char **line); /* without its end; shorter than the buffer */
int64_t wire_read(struct wire *wire, const char **bytes, size_t most); /* 0: the end */
void wire_close(struct wire *wire);

/* trust.c: made by the first that asks, kept to the end */
int trust_get(kr_tls_context **context, const struct options *options);
void trust_forget(void);

/* http.c */
enum body_kind { BODY_NONE, BODY_SIZED, BODY_CHUNKED, BODY_TO_END };
struct answer {
    int status;
    enum body_kind kind;
    uint64_t size;       /* BODY_SIZED */
    kr_time retry_after; /* 0: not said */
    char location[URL_MOST];
};
int http_ask(struct wire *wire, const struct url *url, struct answer *answer);

/* sink.c: a file appears under its name when it is complete. */
struct sink {
    int fd;        /* -1: nowhere */
    char *path;    /* of the complete file */
    char *partial; /* of the file until then */
    uint64_t bytes, most;
};
int sink_open(struct sink *sink, const struct options *options, const struct job *job,
              const struct url *url);
int sink_put(struct sink *sink, const char *bytes, size_t size);
int sink_keep(struct sink *sink, char **file);
void sink_drop(struct sink *sink); /* after sink_keep: nothing */

/* body.c */
int body_receive(struct wire *wire, const struct answer *answer, struct sink *sink);

/* list.c: 1: a line that is not empty, good until the next call; 0: the end; negative */
struct list;
int list_open(struct list **list, const char *path);
int list_next(struct list *list, const char **line);
void list_close(struct list *list);

/* output.c */
void output_open(bool as_completed);
void output_expect(struct job *job); /* in the order of the list, before its task begins */
void output_done(struct job *job);   /* from its task */
int output_close(void);              /* shows what is done and was not shown; a negative error */
int output_error(void);

/* console.c */
void console_open(void);
void console_expect(void);
void console_all_known(void);
void console_bytes(uint64_t bytes);
void console_done(void);
void console_hide(void);
void console_close(void);
__attribute__((format(printf, 1, 2))) void complain(const char *format, ...);
const char *reason(int error);

#endif
