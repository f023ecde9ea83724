/* tour.html: one file that needs nothing else, neither scripts nor fonts nor a network.
 *
 * It is HTML and well-formed XML.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tour.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

extern const char page_style[]; /* style.css */

void write_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        const char *name = *text == '&'    ? "&amp;"
                           : *text == '<'  ? "&lt;"
                           : *text == '>'  ? "&gt;"
                           : *text == '\'' ? "&#39;"
                                           : NULL;
        if (name)
            fputs(name, out);
        else
            fputc((unsigned char)*text < ' ' ? ' ' : *text, out);
    }
}

static void write_element(FILE *out, const char *element, const char *text)
{
    fprintf(out, "<%s>", element);
    write_text(out, text);
    fprintf(out, "</%s>\n", element);
}

static void write_head(FILE *out, const struct tour *tour)
{
    char date[64] = "";
    time_t now = time(NULL);
    struct tm parts;
    if (localtime_r(&now, &parts))
        strftime(date, sizeof date, "%Y-%m-%d %H:%M", &parts);
    fputs("<!DOCTYPE html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'/>\n"
          "<meta name='viewport' content='width=device-width, initial-scale=1'/>\n"
          "<meta name='color-scheme' content='light dark'/>\n"
          "<title>What concurrency is worth on this machine</title>\n<style>\n",
          out);
    fputs(page_style, out);
    fputs("</style>\n</head>\n<body>\n"
          "<svg class='defs' aria-hidden='true'><defs><pattern id='hatch' width='6' height='6' "
          "patternUnits='userSpaceOnUse' patternTransform='rotate(45)'>"
          "<rect class='ground' width='6' height='6'/>"
          "<line class='hatch' x1='0' y1='0' x2='0' y2='6'/></pattern></defs></svg>\n"
          "<header><h1>What concurrency is worth on this machine</h1>\n<p class='soft'>",
          out);
    write_text(out, tour->machine);
    fprintf(out, ". Measured %s with krait %s.</p></header>\n", date, kr_version());
}

static void write_contents(FILE *out, const struct tour *tour)
{
    fputs("<nav aria-label='On this page'><ul><li><a href='#advice'>What follows</a></li>\n", out);
    if (tour->costs[COROUTINE].name)
        fputs("<li><a href='#costs'>What a runner costs</a></li>\n", out);
    for (int i = 0; i < CHAPTERS; i++) {
        if (tour->chapters[i].count > 0)
            fprintf(out, "<li><a href='#%s'>%s</a></li>\n", tour->chapters[i].id,
                    tour->chapters[i].title);
    }
    fputs("</ul></nav>\n", out);
}

static void write_advice(FILE *out, const struct tour *tour)
{
    fputs("<section id='advice'><h2>What follows</h2>\n<ul class='advice'>\n", out);
    for (int i = 0; i < tour->advice_count; i++)
        write_element(out, "li", tour->advice[i]);
    fputs("</ul></section>\n", out);
}

/* Where any of the chapter's runners ran. */
static uint64_t cores_of(const struct chapter *chapter)
{
    uint64_t cores = 0;
    for (int i = 0; i < chapter->count; i++) {
        const struct timeline *timeline = &chapter->ways[i].timeline;
        for (int lane = 0; lane < timeline->lane_count; lane++)
            cores |= timeline->lanes[lane].cores;
    }
    return cores;
}

static void write_legend(FILE *out, uint64_t cores)
{
    fputs("<ul class='legend'>", out);
    for (int core = 0; core < 64; core++) {
        if (cores >> core & 1)
            fprintf(out,
                    "<li><svg height='16' aria-hidden='true'><rect class='c%d' width='26' "
                    "height='16'/></svg>runs on processor %d</li>\n",
                    core % 8, core);
    }
    fputs("<li><svg height='16' aria-hidden='true'><rect class='lock' y='3' width='26' "
          "height='10'/></svg>waits for a lock</li>\n"
          "<li><svg height='16' aria-hidden='true'><rect class='wait' y='6' width='26' "
          "height='3'/></svg>waits for something else</li>\n"
          "<li><svg height='16' aria-hidden='true'><line class='link' x1='13' x2='13' y1='0' "
          "y2='13'/><circle class='dot' cx='13' cy='13' r='2.5'/></svg>who let whom go on</li>"
          "</ul>\n",
          out);
}

static void write_chapter(struct page *page, const struct chapter *chapter)
{
    bool any = false;
    if (chapter->count == 0)
        return;
    fprintf(page->out, "<section id='%s'><h2>%s</h2>\n", chapter->id, chapter->title);
    write_element(page->out, "p", chapter->what);
    draw_bars(page, chapter);
    for (int i = 0; i < chapter->count; i++)
        any = any || chapter->ways[i].timeline.span_count > 0;
    if (any) {
        fputs("<h3>Who ran when</h3>\n<p class='soft'>From the moment when the runners are asked "
              "for until the last is gone. Where a lane is empty, its runner is not there, or has "
              "no work.</p>\n",
              page->out);
        write_legend(page->out, cores_of(chapter));
        for (int i = 0; i < chapter->count; i++)
            draw_timeline(page, &chapter->ways[i]);
    }
    fputs("</section>\n", page->out);
}

static void write_costs(struct page *page, const struct tour *tour)
{
    fputs("<section id='costs'><h2>What a runner costs</h2>\n<p>Each measured in a new process. "
          "What the kernel keeps for a thread or a process, such as its stack there, is not in "
          "its memory here.</p>\n",
          page->out);
    draw_costs(page, tour);
    fputs("</section>\n", page->out);
}

static void write_page(struct page *page, const struct tour *tour)
{
    FILE *out = page->out;
    write_head(out, tour);
    write_contents(out, tour);
    fputs("<main>\n", out);
    write_advice(out, tour);
    if (tour->costs[COROUTINE].name)
        write_costs(page, tour);
    for (int i = 0; i < CHAPTERS; i++)
        write_chapter(page, &tour->chapters[i]);
    fputs(
        "</main>\n<footer><p>The times are the best of several runs, without a trace. The pictures "
        "are of one more run each, made from krait's own trace of it, which takes some time "
        "itself. A bar says that a runner was at work; where more of them than processors were, "
        "those on one processor took turns.</p></footer>\n</body>\n</html>\n",
        out);
}

/* Where it goes */

/* Something that is no file, such as a pipe, is written to and not replaced. */
static bool is_special(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && !S_ISREG(status.st_mode);
}

/* A file without a name leaves nothing behind; not every file system has such. */
static int try_folder(const char *path)
{
    char text[4096];
    if (snprintf(text, sizeof text, "%s", path) >= (int)sizeof text - 8)
        return -ENAMETOOLONG;
    char *slash = strrchr(text, '/');
    if (slash)
        slash[1] = '\0'; /* with the slash: it may be the root */
    else
        strcpy(text, ".");
    int fd = open(text, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
        snprintf(text, sizeof text, "%s.XXXXXX", path);
        fd = mkostemp(text, O_CLOEXEC);
        if (fd >= 0)
            unlink(text);
    }
    if (fd < 0)
        return -errno;
    close(fd);
    return 0;
}

int page_check(const char *path)
{
    struct stat status;
    if (!*path)
        return -ENOENT;
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return -EISDIR;
    if (is_special(path))
        return access(path, W_OK) == 0 ? 0 : -errno;
    return try_folder(path);
}

static int write_whole(int fd, const char *text, size_t size)
{
    int err = kr_write_all(fd, text, size, NULL, KR_FOREVER);
    return close(fd) != 0 && !err ? -errno : err;
}

/* Under another name first, so that there is a whole page or none. */
static int replace(const char *path, const char *text, size_t size)
{
    char temporary[4096];
    mode_t mask = umask(0);
    umask(mask);
    snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int err = fchmod(fd, 0666 & ~mask) != 0 ? -errno : 0;
    int written = write_whole(fd, text, size);
    if (!err)
        err = written;
    if (!err && rename(temporary, path) != 0)
        err = -errno;
    if (err)
        unlink(temporary);
    return err;
}

int page_write(const struct tour *tour)
{
    char *text = NULL;
    size_t size = 0;
    struct page page = {.out = open_memstream(&text, &size)};
    if (!page.out)
        return -errno;
    write_page(&page, tour);
    int err = ferror(page.out) ? -ENOMEM : 0;
    if (fclose(page.out) != 0)
        err = -ENOMEM;
    if (!err && is_special(tour->page)) {
        int fd = open(tour->page, O_WRONLY | O_CLOEXEC);
        err = fd < 0 ? -errno : write_whole(fd, text, size);
    } else if (!err) {
        err = replace(tour->page, text, size);
    }
    free(text);
    return err;
}
