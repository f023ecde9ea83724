/* treesum -c: read lists of checksums, hash what they name, and judge.
 *
 * A line is, as sha256sum writes it,
 *
 *     [\]DIGEST, a space, a space or '*' (read in binary, which is all the same here), NAME
 *     [\]SHA256 (NAME) = DIGEST
 *     DIGEST, a space, NAME              as some systems have it; then the whole list must
 *
 * with a backslash before it when the name is escaped.  Empty lines and those that begin
 * with '#' are skipped.
 *
 * SPDX-License-Identifier: MIT
 */
#include "treesum.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct check {
    const struct options *options;
    const char *list; /* its name in messages, quoted */
    bool from_stdin;
    uintmax_t line;
    enum { ANY_FORM, TWO_SEPARATORS, ONE_SEPARATOR } form;
    uintmax_t proper, malformed, unreadable, wrong, right;
};

struct line {
    char *name;
    unsigned char digest[DIGEST_SIZE];
};

/* Reading a line */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* All of the text up to `end` is one digest. */
static bool parse_digest(const char *text, const char *end, unsigned char *digest)
{
    if (end - text != 2 * DIGEST_SIZE)
        return false;
    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        int high = hex_value(text[2 * i]);
        int low = hex_value(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        digest[i] = (unsigned char)(high * 16 + low);
    }
    return true;
}

/* Undo the escapes of a name, in place.  False: it is no escaped name, or holds a NUL. */
static bool parse_name(char *name, size_t length, bool escaped)
{
    if (!escaped)
        return true;
    char *to = name;
    for (size_t i = 0; i < length; i++) {
        char c = name[i];
        if (c == '\0')
            return false;
        if (c == '\\') {
            if (++i == length)
                return false;
            static const char letters[] = "nr\\";
            const char *found = name[i] ? strchr(letters, name[i]) : NULL;
            if (!found)
                return false;
            c = "\n\r\\"[found - letters];
        }
        *to++ = c;
    }
    if (to < name + length)
        *to = '\0';
    return true;
}

/* "NAME) = DIGEST" */
static bool parse_tagged(char *text, char *end, bool escaped, struct line *line)
{
    char *close = memrchr(text, ')', (size_t)(end - text));
    if (!close || !parse_name(text, (size_t)(close - text), escaped))
        return false;
    *close = '\0';
    char *digest = close + 1;
    while (is_blank(*digest))
        digest++;
    if (*digest++ != '=')
        return false;
    while (is_blank(*digest))
        digest++;
    line->name = text;
    return parse_digest(digest, end, line->digest);
}

/* "DIGEST  NAME" */
static bool parse_plain(struct check *check, char *text, char *end, bool escaped, struct line *line)
{
    if (end - text < 2 * DIGEST_SIZE + 2 + (*text == '\\'))
        return false;
    char *name = text + 2 * DIGEST_SIZE;
    if (!is_blank(*name) || !parse_digest(text, name, line->digest))
        return false;
    name++;
    if (end - name == 1 || (*name != ' ' && *name != '*')) {
        if (check->form == TWO_SEPARATORS)
            return false;
        check->form = ONE_SEPARATOR;
    } else if (check->form != ONE_SEPARATOR) {
        check->form = TWO_SEPARATORS;
        name++;
    }
    line->name = name;
    return parse_name(name, (size_t)(end - name), escaped);
}

static bool parse_line(struct check *check, char *text, char *end, struct line *line)
{
    while (is_blank(*text))
        text++;
    bool escaped = *text == '\\';
    if (escaped)
        text++;
    if (strncmp(text, "SHA256", 6) != 0)
        return parse_plain(check, text, end, escaped, line);
    text += 6;
    if (*text == ' ')
        text++;
    return *text == '(' && parse_tagged(text + 1, end, escaped, line);
}

/* Judging a file, when its turn comes */

static int show_unreadable(struct check *check, const struct file *file)
{
    if (check->options->ignore_missing && file->error == -ENOENT)
        return 0;
    complain_path(file->path, reason(file->error));
    check->unreadable++;
    return check->options->status ? 0 : output_verdict(file->path, "FAILED open or read");
}

static int show_verdict(void *context, const struct file *file)
{
    struct check *check = context;
    if (file->kind == FILE_NOTE) {
        complain("%s", file->path);
        return 0;
    }
    if (file->error)
        return show_unreadable(check, file);
    bool right = memcmp(file->digest, file->wanted, DIGEST_SIZE) == 0;
    if (right)
        check->right++;
    else
        check->wrong++;
    if (check->options->status || (right && check->options->quiet))
        return 0;
    return output_verdict(file->path, right ? "OK" : "FAILED");
}

/* Reading a list */

static int add_malformed(struct check *check, struct work *work)
{
    check->malformed++;
    if (!check->options->warn)
        return 0;
    char *note;
    if (asprintf(&note, "%s: %ju: improperly formatted SHA256 checksum line", check->list,
                 check->line) < 0)
        return -ENOMEM;
    int err = work_add(work, &(struct file){.path = note, .kind = FILE_NOTE}, 0);
    free(note);
    return err;
}

static int add_line(struct check *check, struct work *work, char *text, size_t length)
{
    if (*text == '#')
        return 0;
    if (text[length - 1] == '\n')
        text[--length] = '\0';
    if (length > 0 && text[length - 1] == '\r')
        text[--length] = '\0';
    if (length == 0)
        return 0;
    struct line line;
    if (!parse_line(check, text, text + length, &line) ||
        (check->from_stdin && strcmp(line.name, "-") == 0))
        return add_malformed(check, work);
    check->proper++;
    struct stat status;
    off_t size = 0;
    if (work_wants_sizes(work) && stat(line.name, &status) == 0 && S_ISREG(status.st_mode))
        size = status.st_size;
    struct file file = {.path = line.name, .wanted = line.digest, .kind = FILE_NAMED};
    return work_add(work, &file, size);
}

static int add_lines(struct check *check, struct work *work, FILE *stream)
{
    char *text = NULL;
    size_t capacity = 0;
    ssize_t length;
    int err = 0;
    while (!err && (length = getline(&text, &capacity, stream)) > 0) {
        check->line++;
        err = kr_cancelled() ? -ECANCELED : add_line(check, work, text, (size_t)length);
    }
    free(text);
    return err ? err : work_finish(work);
}

static const char *plural(uintmax_t count, const char *one, const char *many)
{
    return count == 1 ? one : many;
}

/* What is said below a list, and whether all of it was right. */
static bool conclude(const struct check *check)
{
    const struct options *options = check->options;
    if (check->proper == 0) {
        complain("%s: no properly formatted checksum lines found", check->list);
        return false;
    }
    if (!options->status) {
        if (check->malformed)
            complain("WARNING: %ju %s improperly formatted", check->malformed,
                     plural(check->malformed, "line is", "lines are"));
        if (check->unreadable)
            complain("WARNING: %ju listed %s could not be read", check->unreadable,
                     plural(check->unreadable, "file", "files"));
        if (check->wrong)
            complain("WARNING: %ju computed %s did NOT match", check->wrong,
                     plural(check->wrong, "checksum", "checksums"));
        if (options->ignore_missing && check->right == 0)
            complain("%s: no file was verified", check->list);
    }
    return check->right && !check->wrong && !check->unreadable &&
           !(options->strict && check->malformed);
}

static int check_stream(struct check *check, struct work *work, FILE *stream)
{
    work_show(work, show_verdict, check);
    int err = add_lines(check, work, stream);
    if (err)
        return err;
    if (ferror(stream)) {
        if (kr_cancelled())
            return -ECANCELED;
        complain("%s: read error", check->list);
        return 1;
    }
    return conclude(check) ? 0 : 1;
}

/* The list is read through these two, so that Ctrl-C ends the wait for a list on a pipe. */

static ssize_t read_list(void *cookie, char *buffer, size_t size)
{
    int fd = *(int *)cookie;
    int err = wait_ready(fd, POLLIN, NULL);
    if (!err)
        return read(fd, buffer, size);
    errno = -err;
    return -1;
}

static FILE *open_list(const char *name, bool from_stdin, int *fd)
{
    *fd = from_stdin ? STDIN_FILENO : open_path(name, O_RDONLY);
    if (*fd < 0)
        return NULL;
    return fopencookie(fd, "r", (cookie_io_functions_t){.read = read_list});
}

static int check_list(struct work *work, const struct options *options, const char *name)
{
    bool from_stdin = strcmp(name, "-") == 0;
    int fd;
    FILE *stream = open_list(name, from_stdin, &fd);
    if (!stream) {
        complain_path(name, strerror(errno));
        if (fd > STDIN_FILENO)
            close(fd);
        return 1;
    }
    char *quoted = quote(from_stdin ? "standard input" : name);
    struct check check = {
        .options = options, .list = quoted ? quoted : name, .from_stdin = from_stdin};
    int status = check_stream(&check, work, stream);
    free(quoted);
    fclose(stream);
    if (!from_stdin)
        close(fd);
    return status;
}

int check_lists(struct work *work, const struct options *options, char **lists, size_t count)
{
    int status = 0;
    for (size_t i = 0; i < count; i++) {
        int one = check_list(work, options, lists[i]);
        if (one < 0)
            return one;
        status |= one;
    }
    return status;
}
