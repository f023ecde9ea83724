/* krait top in a terminal: draws, hears of another size, and puts the terminal back however it
 * ends.
 *
 * The terminal is a pair of descriptors; what the command draws is read here.
 *
 * SPDX-License-Identifier: MIT
 */
#include "top/help.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

enum { SCREEN = 1 << 20 };

static int master;
static pid_t top;
static char screen[SCREEN];
static size_t drawn;
static struct termios before;

static void set_size(unsigned short columns, unsigned short rows)
{
    struct winsize size = {.ws_col = columns, .ws_row = rows};
    CHECK_EQ(ioctl(master, TIOCSWINSZ, &size), 0);
}

static int open_terminal(void)
{
    master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0)
        SKIP("no terminal can be had here");
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0)
        SKIP("no terminal can be had here");
    return slave;
}

/* The command leads a session of its own, whose terminal this is. */
static void start_top(pid_t pid, const char *interval)
{
    char number[32];
    snprintf(number, sizeof number, "%d", (int)pid);
    const char *const argv[] = {KRAIT, "top", number, "--interval", interval, NULL};
    if (access(KRAIT, X_OK) != 0)
        SKIP("the command is not built");
    int slave = open_terminal();
    set_size(100, 24);
    CHECK_EQ(tcgetattr(slave, &before), 0);
    fflush(NULL);
    top = fork();
    CHECK_GE(top, 0);
    if (top == 0) {
        setsid();
        ioctl(slave, TIOCSCTTY, 0);
        for (int fd = 0; fd < 3; fd++)
            dup2(slave, fd);
        execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    /* Its own descriptor stays open here: so what was drawn can be read after the end, too. */
}

/* Reads what there is; waits for more a moment. */
static void read_more(void)
{
    struct pollfd p = {.fd = master, .events = POLLIN};
    if (poll(&p, 1, 20) <= 0)
        return;
    CHECK(drawn + 1 < SCREEN);
    ssize_t got = read(master, screen + drawn, SCREEN - 1 - drawn);
    drawn += got > 0 ? (size_t)got : 0;
    screen[drawn] = '\0';
}

/* From `from` on. */
static void await_drawn(size_t from, const char *text)
{
    while (strstr(screen + from, text) == NULL)
        read_more();
}

static void press(const char *keys)
{
    CHECK_EQ(write(master, keys, strlen(keys)), (ssize_t)strlen(keys));
}

static int await_end(void)
{
    int status;
    while (waitpid(top, &status, WNOHANG) == 0)
        read_more();
    for (int i = 0; i < 3; i++)
        read_more();
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* The settings are as before, the cursor is there, and the first screen. */
static void expect_restored(void)
{
    enum {
        KERNEL_CC = 19
    }; /* the rest of the array is the C library's, which may leave it as it was */
    struct termios now;
    CHECK_EQ(tcgetattr(master, &now), 0);
    CHECK_EQ(now.c_lflag, before.c_lflag);
    CHECK_EQ(now.c_iflag, before.c_iflag);
    CHECK_EQ(now.c_oflag, before.c_oflag);
    CHECK_EQ(memcmp(now.c_cc, before.c_cc, KERNEL_CC), 0);
    const char *last = screen, *at = screen;
    while ((at = strstr(at, "\033[?1049")) != NULL)
        last = at++;
    CHECK(strncmp(last, "\033[?1049l", 8) == 0);
    last = at = screen;
    while ((at = strstr(at, "\033[?25")) != NULL)
        last = at++;
    CHECK(strncmp(last, "\033[?25h", 6) == 0);
}

static void begin(void)
{
    CHECK_EQ(kr_status_start(&(kr_status_options){.interval = kr_ms(10)}), 0);
    start_top(getpid(), "0.1");
    await_drawn(0, "\033[?1049h");
    await_drawn(0, "q: quit");
}

TEST(q_ends_it)
{
    begin();
    CHECK(strstr(screen, "No pools, no loops") != NULL);
    press("q");
    CHECK_EQ(await_end(), 0);
    expect_restored();
}

TEST(keys_are_not_shown_meanwhile)
{
    struct termios now;
    begin();
    CHECK_EQ(tcgetattr(master, &now), 0);
    CHECK_EQ(now.c_lflag & (ICANON | ECHO), 0);
    CHECK(now.c_lflag & ISIG);
    press("q");
    CHECK_EQ(await_end(), 0);
    expect_restored();
}

TEST(ctrl_c_ends_it)
{
    begin();
    press("\003");
    CHECK_EQ(await_end(), 0);
    expect_restored();
}

TEST(ctrl_backslash_ends_it)
{
    begin();
    press("\034");
    CHECK_EQ(await_end(), 0);
    expect_restored();
}

TEST(being_terminated_restores_too)
{
    begin();
    CHECK_EQ(kill(top, SIGTERM), 0);
    CHECK_EQ(await_end(), 0);
    expect_restored();
}

/* It draws again and again, and what it draws changes. */
TEST(it_goes_on)
{
    begin();
    size_t from = drawn;
    kr_executor *pool;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 1, .name = "newcomer"}), 0);
    await_drawn(from, "newcomer");
    await_drawn(from, "processor ");
    kr_executor_release(pool);
    from = drawn;
    await_drawn(from, "No pools, no loops");
    press("q");
    CHECK_EQ(await_end(), 0);
    expect_restored();
}

/* The longest line of the last whole drawing, and how many there are. */
static void measure(size_t from, size_t *columns, size_t *rows)
{
    const char *last = NULL, *end = NULL, *at = screen + from;
    while ((at = strstr(at, "\033[H")) != NULL) {
        const char *over = strstr(at, "\033[J");
        const char *footer = over != NULL ? strstr(over, "\033[K") : NULL;
        if (footer == NULL)
            break;
        last = at + 3;
        end = footer + 3;
        at = footer;
    }
    size_t width = 0;
    *columns = 0;
    *rows = last != NULL;
    for (const char *c = last; c != NULL && c < end; c++) {
        if (*c == '\033') {
            c += strcspn(c, "mKJ");
        } else if (*c == '\n') {
            *rows += 1;
            width = 0;
        } else if (*c != '\r') {
            *columns = ++width > *columns ? width : *columns;
        }
    }
}

static void await_size(size_t from, size_t most_columns, size_t most_rows)
{
    size_t columns, rows;
    do {
        read_more();
        measure(from, &columns, &rows);
    } while (rows == 0 || columns > most_columns || rows > most_rows);
}

TEST(another_size)
{
    kr_executor *pools[8];
    for (int i = 0; i < 8; i++)
        CHECK_EQ(kr_thread_pool(&pools[i], &(kr_pool_options){.workers = 1}), 0);
    begin();
    size_t columns, rows, from = drawn;
    await_drawn(from, "pool-8");
    measure(0, &columns, &rows);
    CHECK_GE(columns, 41);
    CHECK_GE(rows, 7);
    set_size(40, 6);
    from = drawn;
    await_drawn(from, " more lines; q: quit");
    await_size(from, 40, 6);
    from = drawn;
    await_drawn(from, "\033[J"); /* and so it stays */
    await_size(from, 40, 6);
    set_size(100, 30);
    from = drawn;
    await_drawn(from, "pool-8");
    press("q");
    CHECK_EQ(await_end(), 0);
    expect_restored();
    for (int i = 0; i < 8; i++)
        kr_executor_release(pools[i]);
}

static void show_a_page(void *arg)
{
    int *ends = arg;
    CHECK_EQ(kr_status_start(NULL), 0);
    CHECK_EQ(write(ends[1], "r", 1), 1);
    for (;;)
        pause();
}

TEST(program_that_ends_meanwhile)
{
    int ends[2];
    char byte;
    CHECK_EQ(pipe(ends), 0);
    pid_t id = child(show_a_page, ends);
    CHECK_EQ(read(ends[0], &byte, 1), 1);
    start_top(id, "0.1");
    await_drawn(0, "q: quit");
    kill_and_reap(id);
    CHECK_EQ(await_end(), 1);
    expect_restored();
    const char *back = strstr(screen, "\033[?1049l");
    CHECK(strstr(back, "has ended") != NULL); /* where it stays to be read */
}

TEST(page_that_goes_meanwhile)
{
    begin();
    CHECK_EQ(kr_status_stop(), 0);
    CHECK_EQ(await_end(), 1);
    expect_restored();
    CHECK(strstr(screen, "shows its status page no more") != NULL);
}

TEST(terminal_that_hangs_up)
{
    begin();
    CHECK_EQ(kill(top, SIGHUP), 0);
    CHECK_EQ(await_end(), 0);
    expect_restored();
}

/* Ctrl-Z gives the terminal back, and fg goes on. */
TEST(ctrl_z_and_on)
{
    struct termios now;
    int status;
    begin();
    CHECK_EQ(kill(top, SIGTSTP), 0);
    pid_t id;
    while ((id = waitpid(top, &status, WUNTRACED | WNOHANG)) == 0)
        read_more();
    CHECK_EQ(id, top);
    CHECK(WIFSTOPPED(status));
    for (int i = 0; i < 3; i++)
        read_more();
    expect_restored();
    size_t from = drawn;
    CHECK_EQ(kill(top, SIGCONT), 0);
    await_drawn(from, "\033[?1049h");
    await_drawn(from, "q: quit");
    CHECK_EQ(tcgetattr(master, &now), 0);
    CHECK_EQ(now.c_lflag & (ICANON | ECHO), 0);
    press("q");
    CHECK_EQ(await_end(), 0);
    expect_restored();
}

/* What a shell does with a job that was stopped and is to end: 0, it ends; 1, it is stopped. */
static int end_in_background(int slave)
{
    int status;
    signal(SIGTTOU, SIG_IGN); /* only to give the terminal away */
    CHECK_EQ(waitpid(top, &status, WUNTRACED), top);
    CHECK(WIFSTOPPED(status));
    CHECK_EQ(tcsetpgrp(slave, getpgrp()), 0);
    CHECK_EQ(kill(top, SIGTERM), 0);
    CHECK_EQ(kill(top, SIGCONT), 0);
    CHECK_EQ(waitpid(top, &status, WUNTRACED), top);
    if (!WIFSTOPPED(status))
        return 0;
    CHECK_EQ(kill(top, SIGKILL), 0);
    return 1;
}

static void be_a_shell(const char *number, int slave)
{
    setsid();
    ioctl(slave, TIOCSCTTY, 0);
    top = fork();
    CHECK_GE(top, 0);
    if (top != 0)
        _exit(end_in_background(slave));
    setpgid(0, 0);
    signal(SIGTTOU, SIG_IGN);
    tcsetpgrp(slave, getpid());
    signal(SIGTTOU, SIG_DFL);
    for (int fd = 0; fd < 3; fd++)
        dup2(slave, fd);
    execl(KRAIT, KRAIT, "top", number, (char *)NULL);
    _exit(127);
}

TEST(ended_in_the_background)
{
    char number[32];
    if (access(KRAIT, X_OK) != 0)
        SKIP("the command is not built");
    CHECK_EQ(kr_status_start(&(kr_status_options){.interval = kr_ms(10)}), 0);
    int slave = open_terminal();
    set_size(100, 24);
    CHECK_EQ(tcgetattr(slave, &before), 0);
    snprintf(number, sizeof number, "%d", (int)getpid());
    fflush(NULL);
    top = fork();
    CHECK_GE(top, 0);
    if (top == 0)
        be_a_shell(number, slave);
    await_drawn(0, "q: quit");
    press("\032"); /* Ctrl-Z */
    CHECK_EQ(await_end(), 0);
    expect_restored();
}
