/* Input and outputs at once, and the pipes one by one.
 *
 * Behaviours: section 13.7
 *
 * SPDX-License-Identifier: MIT
 */
#include "subprocess/help.h"
#include "wait/wait.h"
#include <fcntl.h>
#include <stdio.h>

enum { MANY = 1 << 20 };

static void communicate(kr_subprocess *p, kr_subprocess_data *data)
{
    CHECK_EQ(kr_subprocess_communicate(p, data, kr_sec(60)), 0);
    int code = 1;
    CHECK_EQ(kr_subprocess_returncode(p, &code), 0);
    CHECK_EQ(code, 0);
    kr_subprocess_release(p);
}

static char *random_bytes(void)
{
    uint64_t state = kri_test_seed();
    char *bytes = malloc(MANY);
    for (int i = 0; i < MANY; i++)
        bytes[i] = (char)kri_test_random(&state);
    return bytes;
}

/* The pipes, by hand. */

RUNNER_TEST(test_stdin_stdout)
{
    kr_subprocess *p = start(ARGV("cat"), OPTIONS(ALL_PIPES));
    CHECK_EQ(kr_write(kr_subprocess_pipe(p, 0), "some data\n", 10, KR_FOREVER), 10);
    expect_line(p, "some data\n");
    CHECK_EQ(kr_subprocess_close_pipe(p, 0), 0);
    expect_line(p, "");
    CHECK_EQ(end(p), 0);
}

RUNNER_TEST(test_stdin_broken_pipe)
{
    signal(SIGPIPE, SIG_DFL);
    kr_subprocess *p = start(ARGV("true"), OPTIONS(.stdin_to = KR_TO_PIPE));
    CHECK_EQ(kr_subprocess_wait(p, NULL, KR_FOREVER), 0);
    CHECK_EQ(kr_write(kr_subprocess_pipe(p, 0), "x", 1, KR_FOREVER), -EPIPE);
    CHECK_EQ(end(p), 0);
}

RUNNER_TEST(test_read_stdout_after_process_exit)
{
    kr_subprocess *p = shell("echo one; echo two", OPTIONS(.stdout_to = KR_TO_PIPE));
    CHECK_EQ(kr_subprocess_wait(p, NULL, KR_FOREVER), 0);
    expect_line(p, "one\n");
    expect_line(p, "two\n");
    expect_line(p, "");
    kr_subprocess_release(p);
}

/* Data, then the pipes' ends, then the end of the program. */
RUNNER_TEST(test_subprocess_consistent_callbacks)
{
    kr_subprocess *p =
        shell("echo out; echo err >&2; exec >&- 2>&-; read go; exit 5", OPTIONS(ALL_PIPES));
    char text[64];
    int code;
    read_text(p, 1, text, sizeof text, false);
    CHECK_STR(text, "out\n");
    read_text(p, 2, text, sizeof text, false);
    CHECK_STR(text, "err\n");
    CHECK_EQ(kr_subprocess_returncode(p, &code), -EAGAIN);
    CHECK_EQ(kr_subprocess_close_pipe(p, 0), 0);
    CHECK_EQ(end(p), 5);
}

RUNNER_TEST(a_pipe_that_is_taken_stays_open)
{
    kr_subprocess *p = start(ARGV("cat"), OPTIONS(.stdin_to = KR_TO_PIPE, .stdout_to = KR_TO_PIPE));
    int in = kr_subprocess_take_pipe(p, 0), out = kr_subprocess_take_pipe(p, 1);
    CHECK_EQ(kr_subprocess_pipe(p, 0), -EBADF);
    CHECK_EQ(kr_write(in, "text", 4, KR_FOREVER), 4);
    CHECK_EQ(kr_close(in), 0);
    CHECK_EQ(end(p), 0);
    char text[8];
    CHECK_EQ(kr_read(out, text, sizeof text, KR_FOREVER), 4);
    CHECK_EQ(kr_read(out, text, sizeof text, KR_FOREVER), 0);
    CHECK_EQ(kr_close(out), 0);
}

RUNNER_TEST(pipes_as_streams)
{
    enum { LINES = 5000 };
    KR_AUTO(kr_stream) *in = NULL;
    KR_AUTO(kr_stream) *out = NULL;
    char line[32];
    const char *got;
    size_t size;
    kr_subprocess *p = start(ARGV("cat"), OPTIONS(.stdin_to = KR_TO_PIPE, .stdout_to = KR_TO_PIPE));
    CHECK_EQ(kr_stream_open(&in, kr_subprocess_take_pipe(p, 0), NULL), 0);
    CHECK_EQ(kr_stream_open(&out, kr_subprocess_take_pipe(p, 1), NULL), 0);
    for (int i = 0; i < LINES; i++) {
        int length = snprintf(line, sizeof line, "line %d\n", i);
        CHECK_EQ(kr_stream_write(in, line, (size_t)length, NULL, KR_FOREVER), 0);
        CHECK_EQ(kr_stream_read_line(out, &got, &size, KR_FOREVER), 0);
        CHECK_EQ(size, length);
        CHECK(memcmp(got, line, size) == 0);
    }
    CHECK_EQ(kr_stream_close(in, KR_FOREVER), 0);
    CHECK_EQ(kr_stream_read_line(out, &got, &size, KR_FOREVER), KR_EOF);
    CHECK_EQ(kr_stream_close(out, KR_FOREVER), 0);
    CHECK_EQ(end(p), 0);
}

/* At once. */

RUNNER_TEST(test_communicate)
{
    kr_subprocess_data data = {.input = "some data", .input_size = 9};
    communicate(start(ARGV("cat"), OPTIONS(ALL_PIPES)), &data);
    CHECK_EQ(data.output_size, 9);
    CHECK_STR(data.output, "some data");
    CHECK_EQ(data.error_output_size, 0);
    forget(&data);
}

RUNNER_TEST(test_communicate_none_input)
{
    kr_subprocess_data data = {.input = NULL};
    communicate(shell("cat; echo over", OPTIONS(.stdin_to = KR_TO_PIPE, .stdout_to = KR_TO_PIPE)),
                &data);
    CHECK_STR(data.output, "over\n");
    CHECK(data.error_output == NULL);
    forget(&data);
    communicate(start(ARGV("cat"), OPTIONS(.stdin_to = KR_TO_PIPE)), NULL);
    communicate(start(ARGV("true"), NULL), NULL);
    kr_subprocess *p = start(ARGV("true"), NULL);
    CHECK_EQ(kr_subprocess_communicate(p, &(kr_subprocess_data){.input_size = 1}, 0), -EINVAL);
    CHECK_EQ(kr_subprocess_communicate(p, &(kr_subprocess_data){.reserved = {1}}, 0), -EINVAL);
    CHECK_EQ(kr_subprocess_communicate(p, NULL, -1), -EINVAL);
    CHECK_EQ(end(p), 0);
}

RUNNER_TEST(test_empty_input)
{
    kr_subprocess_data data = {.input = "", .input_size = 0};
    communicate(start(ARGV("cat"), OPTIONS(ALL_PIPES)), &data);
    CHECK_EQ(data.output_size, 0);
    CHECK_STR(data.output, "");
    forget(&data);
}

/* Far more than the pipes hold, both ways at once. */
RUNNER_TEST(much_goes_through)
{
    char *bytes = random_bytes();
    kr_subprocess_data data = {.input = bytes, .input_size = MANY};
    communicate(shell("tee /dev/stderr", OPTIONS(ALL_PIPES)), &data);
    CHECK_EQ(data.output_size, MANY);
    CHECK(memcmp(data.output, bytes, MANY) == 0);
    CHECK_EQ(data.error_output_size, MANY);
    CHECK(memcmp(data.error_output, bytes, MANY) == 0);
    forget(&data);
    free(bytes);
}

RUNNER_TEST(errors_as_output)
{
    kr_subprocess_data data = {.input = NULL};
    communicate(shell("echo out; echo err >&2",
                      OPTIONS(.stdout_to = KR_TO_PIPE, .stderr_to = KR_TO_STDOUT)),
                &data);
    CHECK_STR(data.output, "out\nerr\n");
    forget(&data);
}

RUNNER_TEST(test_communicate_ignore_broken_pipe)
{
    char *bytes = random_bytes();
    kr_subprocess_data data = {.input = bytes, .input_size = MANY};
    communicate(shell("exec <&-; echo over", OPTIONS(ALL_PIPES)), &data);
    CHECK_STR(data.output, "over\n");
    forget(&data);
    free(bytes);
}

/* What was there before a time limit, or a kill, is not lost. */
RUNNER_TEST(a_call_that_is_cut_short_goes_on)
{
    char *bytes = random_bytes();
    int gate[2];
    CHECK_EQ(pipe2(gate, O_CLOEXEC), 0);
    kr_subprocess *p = shell("head -c 1000; read go <&3; cat",
                             OPTIONS(ALL_PIPES, .descriptors = &gate[0], .descriptor_count = 1));
    kr_subprocess_data data = {.input = bytes, .input_size = MANY};
    CHECK_EQ(kr_subprocess_communicate(p, &data, kr_ms(50)), -ETIMEDOUT);
    CHECK(data.output == NULL);
    CHECK_EQ(write(gate[1], "\n", 1), 1);
    communicate(p, &data);
    CHECK_GE(data.output_size, 1000);
    CHECK(memcmp(data.output, bytes, 1000) == 0);
    CHECK(memcmp(data.output + data.output_size - 1000, bytes + MANY - 1000, 1000) == 0);
    forget(&data);
    free(bytes);
    close(gate[0]);
    close(gate[1]);
}

RUNNER_TEST(what_a_killed_program_has_written)
{
    kr_subprocess_data data = {.input = NULL};
    int gate[2];
    char word[8];
    CHECK_EQ(pipe2(gate, O_CLOEXEC), 0);
    kr_subprocess *p =
        shell("echo so far; echo >&3; exec sleep 1000",
              OPTIONS(.stdout_to = KR_TO_PIPE, .descriptors = &gate[1], .descriptor_count = 1));
    CHECK_EQ(read(gate[0], word, sizeof word), 1);
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    CHECK_EQ(kr_cancel_scope_enter(&scope, kr_ms(20)), 0);
    CHECK_EQ(kr_subprocess_communicate(p, &data, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ETIMEDOUT);
    CHECK_EQ(kr_subprocess_kill(p), 0);
    CHECK_EQ(kr_subprocess_communicate(p, &data, KR_FOREVER), 0);
    CHECK_STR(data.output, "so far\n");
    forget(&data);
    CHECK_EQ(end(p), -SIGKILL);
    close(gate[0]);
    close(gate[1]);
}

/* Endless output, and endless input to one who does not read. */
RUNNER_TEST(a_limit)
{
    kr_subprocess *p = start(ARGV("cat", "/dev/zero"), OPTIONS(ALL_PIPES));
    kr_subprocess_data data = {.limit = 100000};
    CHECK_EQ(kr_subprocess_communicate(p, &data, KR_FOREVER), -EMSGSIZE);
    CHECK_EQ(kr_subprocess_communicate(p, &data, KR_FOREVER), -EMSGSIZE);
    data.limit = 0;
    CHECK_EQ(kr_subprocess_communicate(p, &data, kr_ms(1)), -ETIMEDOUT);
    CHECK_EQ(kr_subprocess_kill(p), 0);
    CHECK_EQ(kr_subprocess_communicate(p, &data, KR_FOREVER), 0);
    CHECK_GE(data.output_size, 100001);
    forget(&data);
    kr_subprocess_release(p);
    data = (kr_subprocess_data){.input = "12345", .input_size = 5, .limit = 5};
    communicate(start(ARGV("cat"), OPTIONS(ALL_PIPES)), &data);
    CHECK_STR(data.output, "12345");
    forget(&data);
}

static kr_cancel_scope inside;

static int communicate_too(void *arg)
{
    CHECK_EQ(kr_cancel_scope_enter(&inside, KR_FOREVER), 0);
    int err = kr_subprocess_communicate(arg, NULL, KR_FOREVER);
    CHECK_EQ(kr_cancel_scope_exit(&inside), 0);
    return err;
}

TEST(only_one_communicates)
{
    kr_thread *t;
    int err = 1;
    kr_subprocess *p = start(ARGV("sleep", "1000"), OPTIONS(.stdout_to = KR_TO_PIPE));
    CHECK_EQ(kr_thread_start(&t, communicate_too, p, 0, NULL), 0);
    kri_test_wait_parked(&inside.state, 1);
    CHECK_EQ(kr_subprocess_communicate(p, NULL, KR_NOWAIT), -EBUSY);
    CHECK_EQ(kr_subprocess_pipe(p, 1), -EBUSY);
    CHECK_EQ(kr_subprocess_close_pipe(p, 1), -EBUSY);
    CHECK_EQ(kr_subprocess_kill(p), 0);
    CHECK_EQ(kr_thread_join(t, &err, KR_FOREVER), 0);
    CHECK_EQ(err, 0);
    kr_thread_release(t);
    kr_subprocess_release(p);
    expect_no_child();
}

RUNNER_TEST(from_beginning_to_end)
{
    int code = 1;
    kr_subprocess_data data = {.input = "b\na\n", .input_size = 4};
    CHECK_EQ(kr_subprocess_run(ARGV("sort"), NULL, &data, &code, kr_sec(60)), 0);
    CHECK_STR(data.output, "a\nb\n");
    CHECK_EQ(code, 0);
    forget(&data);
    CHECK_EQ(kr_subprocess_run(ARGV("sh", "-c", "exit 9"), NULL, NULL, &code, kr_sec(60)), 0);
    CHECK_EQ(code, 9);
    CHECK_EQ(kr_subprocess_run(ARGV("sleep", "1000"), NULL, NULL, &code, kr_ms(10)), -ETIMEDOUT);
    CHECK_EQ(kr_subprocess_run(ARGV("no such program"), NULL, NULL, &code, kr_ms(10)), -ENOENT);
    CHECK_EQ(kr_subprocess_run(ARGV("true"), NULL, NULL, &code, -1), -EINVAL);
}
