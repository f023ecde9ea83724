/* Streams over whatever carries bytes: a descriptor, TLS, a pipe of a child.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_STREAM_STREAM_H
#define KRI_STREAM_STREAM_H

#include "wait/half_open.h"
#include "wait/wait.h"
#include <krait/stream.h>
#include <krait/tls.h>

/* What carries the bytes of a stream.  At most one runner is in read at a time, and at most one in
 * write or shutdown_write, beside the other.  close comes when nobody is in any of them, once, and
 * frees the transport.
 *
 * Whoever waits does so in a cancel scope of the stream's, which is what ends it when the stream is
 * closed: a transport passes -ECANCELED on and knows nothing of closing.
 *
 * read, write: as kr_read and kr_write; a read of the end is 0.  -ETIMEDOUT and -ECANCELED: nothing
 * was read or written; with KR_NOWAIT -ETIMEDOUT says that it would have waited.
 * shutdown_write: nothing more will be written; -EOPNOTSUPP.  NULL: so always.
 * held: of bytes that its writes have taken it could not send so many; a write of none tries again.
 * Asked by who was in write, after that.  NULL: never any.
 * below: the stream that it sends by, and may leave bytes to.  NULL: there is none.
 * finish: the last of a stream that is closed in good order, before close; NULL: nothing.
 * close: `abort` is true where that was not so.  It does not wait.
 * descriptor: to ask the system about addresses, or -EBADF.
 * ending: it is to be closed, so its runner's writes are refused; what is left goes still.  NULL:
 * never. */
typedef struct kri_transport kri_transport;
typedef struct kri_transport_ops {
    int64_t (*read)(kri_transport *transport, void *bytes, size_t size, kr_time timeout);
    int64_t (*write)(kri_transport *transport, const void *bytes, size_t size, kr_time timeout);
    int (*shutdown_write)(kri_transport *transport, kr_time timeout);
    size_t (*held)(const kri_transport *transport);
    kr_stream *(*below)(const kri_transport *transport);
    int (*finish)(kri_transport *transport, kr_time timeout);
    void (*close)(kri_transport *transport, bool abort);
    int (*descriptor)(const kri_transport *transport);
    bool (*ending)(const kri_transport *transport);
} kri_transport_ops;

struct kri_transport {
    const kri_transport_ops *ops;
};

/* kri_transport_passes - is it an error after which a writer may go on? */
static inline bool kri_transport_passes(int64_t error)
{
    return error == -ETIMEDOUT || error == -ECANCELED || error == -ENOMEM || error == -ENOBUFS ||
           error == -EMFILE || error == -ENFILE;
}

/* kri_stream_over - a stream over a transport, which belongs to it on success.  0; -ENOMEM,
 * -EINVAL: options.  (kri_stream_... without `over` are the connections' own, see
 * connection/stream.h.) */
int kri_stream_over(kr_stream **s, kri_transport *transport, const kr_stream_options *options);

/* kri_stream_pass_on - kr_stream_write for a transport above: also while the runner of the stream
 * is to close it, which kri_stream_is_ending tells. */
int kri_stream_pass_on(kr_stream *s, const void *bytes, size_t size, size_t *written,
                       kr_time timeout);
bool kri_stream_is_ending(kr_stream *s);

/* kri_stream_keep_open - the transport, which nobody closes until kri_stream_let_close is called,
 * with no wait between the two; NULL: the stream is closed, and nothing is kept. */
kri_transport *kri_stream_keep_open(kr_stream *s);
void kri_stream_let_close(kr_stream *s);

/* As kr_stream_connect and its like, for those whose streams no forked child is to have: on success
 * *half is noted still.  pre: *half is not noted */
int kri_stream_connect(kr_stream **s, const char *host, const char *service,
                       const kr_stream_options *options, kr_time timeout, kri_half_open *half);
int kri_stream_connect_unix(kr_stream **s, const char *path, const kr_stream_options *options,
                            kr_time timeout, kri_half_open *half);
int kri_tls_connect(kr_stream **s, kr_tls_context *context, const char *host, const char *service,
                    const kr_stream_options *options, kr_time timeout, kri_half_open *half);

#endif
