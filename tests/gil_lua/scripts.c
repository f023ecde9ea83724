/* Scripts of gil_lua: threads, what gives the lock away, errors.
 *
 * NEVER stands for check points that are so far apart that none is reached: what goes on then, goes
 * on because a function of Lua's gave the lock away.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gil_lua/tool.h"

#include <string.h>

#define NEVER "-c 1000000000"

TEST(a_thread_gets_its_arguments_and_gives_its_results)
{
    tool_begin();
    tool_expect(NEVER,
                "local t = spawn('adder', function(a, b) return a + b, a .. b end, 3, 4)\n"
                "print(t:join())\n"
                "print(t:join())\n"
                "print(spawn('nothing', function() end):join())\n",
                "true\t7\t34\ntrue\t7\t34\ntrue\n");
}

TEST(the_end_of_the_script_waits_for_threads_and_their_threads)
{
    tool_begin();
    tool_expect(NEVER,
                "spawn('outer', function()\n"
                "    spawn('inner', function() sleep(0.05) print('inner') end)\n"
                "    sleep(0.01) print('outer')\n"
                "end)\n",
                "outer\ninner\n");
}

/* The other sets `seen`, which it can only while the first has given the lock away. */
#define GIVES_AWAY(name, before, what)                                                             \
    TEST(name##_gives_the_lock_away)                                                               \
    {                                                                                              \
        tool_begin();                                                                              \
        CHECK_EQ(tool_run_script(NEVER, before "\nlocal seen\n"                                    \
                                               "spawn('other', function() seen = true end)\n"      \
                                               "while not seen do " what " end\n"),                \
                 0);                                                                               \
    }

GIVES_AWAY(print, "", "print('x')")
GIVES_AWAY(sleep, "", "sleep(0.001)")

TEST(join_gives_the_lock_away)
{
    tool_begin();
    tool_expect(NEVER,
                "local t = spawn('other', function() print('other') end)\n"
                "t:join() print('joined')\n",
                "other\njoined\n");
}

/* What waits for the other, which could not come if the lock were kept. */
TEST(a_queue_gives_the_lock_away)
{
    tool_begin();
    tool_expect(NEVER,
                "local to, from = queue(1), queue()\n"
                "spawn('other', function()\n"
                "    for i = 1, 5 do from:put({to:get().x * 2}) end\n"
                "end)\n"
                "for i = 1, 5 do to:put({x = i}) end\n"
                "for i = 1, 5 do print(from:get()[1]) end\n",
                "2\n4\n6\n8\n10\n");
}

TEST(a_lock_gives_the_interpreter_lock_away)
{
    tool_begin();
    tool_expect(NEVER,
                "local l, q = lock(), queue()\n"
                "l:acquire()\n"
                "spawn('other', function() q:put(1) l:acquire() print('other') l:release() end)\n"
                "q:get() print('first') l:release()\n",
                "first\nother\n");
}

TEST(datagrams_give_the_lock_away)
{
    tool_begin();
    tool_expect(NEVER,
                "local server, client = udp(), udp()\n"
                "spawn('server', function()\n"
                "    for i = 1, 3 do server:send(server:recv() .. '!') end\n"
                "end)\n"
                "client:connect(server:port())\n"
                "for i = 1, 3 do client:send('hello') print(client:recv()) end\n",
                "hello!\nhello!\nhello!\n");
}

TEST(connections_give_the_lock_away)
{
    tool_begin();
    tool_expect(NEVER,
                "local listener = tcp()\n"
                "spawn('server', function()\n"
                "    local c = listener:accept()\n"
                "    local bytes = c:recv()\n"
                "    while bytes do c:send(bytes .. '!') bytes = c:recv() end\n"
                "    print('end')\n"
                "end)\n"
                "local c = connect(listener:port())\n"
                "for i = 1, 3 do c:send('hello') print(c:recv()) end\n"
                "c:close()\n",
                "hello!\nhello!\nhello!\nend\n");
}

TEST(closing_a_socket_ends_the_wait_of_another_thread)
{
    tool_begin();
    tool_expect(NEVER,
                "local s, q = udp(), queue()\n"
                "local t = spawn('waiting', function() q:put(1) return pcall(s.recv, s) end)\n"
                "q:get() sleep(0.02) s:close()\n"
                "print((select(2, t:join())))\n",
                "false\n");
}

/* Those that compute have no end of their own: the one who stops them gets in at a check point. */
TEST(check_points_let_others_in_under_every_policy)
{
    static const char *const options[] = {
        "-p deadline -c 1", "-p deadline -c 1000", "-p deadline -c loops",
        "-p interval -c 1", "-p interval -c 1000", "-p interval -c loops",
        "-p ticks -c 1",    "-p ticks -c 10",      "-p ticks -c loops",
    };
    tool_begin();
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        tool_expect(options[i],
                    "local stop\n"
                    "for i = 1, 3 do spawn('computing', function() while not stop do end end) end\n"
                    "sleep(0.02)\n"
                    "stop = true\n",
                    "");
}

TEST(coroutines_have_check_points_too)
{
    tool_begin();
    tool_expect("-c 10",
                "local stop\n"
                "spawn('computing', coroutine.wrap(function() while not stop do end end))\n"
                "sleep(0.01)\n"
                "stop = true\n",
                "");
}

/* A lock makes an update whole that check points between any two instructions tear apart. */
TEST(an_update_under_a_lock_is_never_lost)
{
    tool_begin();
    tool_expect("-c 1 -i 0.01",
                "local l, all = lock(), {}\n"
                "counter = 0\n"
                "for i = 1, 3 do all[i] = spawn('counting', function()\n"
                "    for i = 1, 300 do l:acquire() counter = counter + 1 l:release() end\n"
                "end) end\n"
                "for i = 1, 3 do all[i]:join() end\n"
                "print(counter)\n",
                "900\n");
}

TEST(an_error_in_a_thread_is_told_of)
{
    tool_begin();
    CHECK_EQ(tool_run_script("", "local t = spawn('bad', function() error('no way') end)\n"
                                 "print(t:join())\n"
                                 "spawn('worse', function() error({}) end):join()\n"
                                 "print('goes on')\n"),
             1);
    CHECK_STR(tool_read("out"), "false\tscript.lua:1: no way\ngoes on\n");
    CHECK_STR(tool_read("err"), "gil_lua: thread bad: script.lua:1: no way\n"
                                "gil_lua: thread worse: an error that is no text\n");
}

TEST(an_error_of_the_script_is_told_of_when_its_threads_have_ended)
{
    tool_begin();
    CHECK_EQ(tool_run_script("", "spawn('other', function() sleep(0.02) print('other') end)\n"
                                 "error('no way')\n"),
             1);
    CHECK_STR(tool_read("out"), "other\n");
    CHECK(strstr(tool_read("err"), "script.lua:2: no way") != NULL);
    CHECK_EQ(tool_run_script("", "x = = 1\n"), 1);
    CHECK(strstr(tool_read("err"), "script.lua:1") != NULL);
    CHECK_EQ(tool_run("run no-such.lua"), 1);
    CHECK(strstr(tool_read("err"), "no-such.lua") != NULL);
}

TEST(bad_arguments_of_functions_are_errors)
{
    tool_begin();
    tool_expect("",
                "local s = udp()\n"
                "for _, call in ipairs {\n"
                "    function() spawn('x', 1) end, function() spawn(print, print) end,\n"
                "    function() sleep(-1) end, function() sleep('x') end,\n"
                "    function() sleep(1 / 0) end, function() sleep(0 / 0) end,\n"
                "    function() queue(-1) end, function() queue():put() end,\n"
                "    function() lock():release() end, function() udp(65536) end,\n"
                "    function() tcp(s:port() + 65536) end, function() connect(1) end,\n"
                "    function() socket(-1):recv() end, function() s.recv(lock()) end,\n"
                "    function() listing(1) end, function() listing(print) end,\n"
                "} do assert(not pcall(call), _) end\n",
                "");
}

/* Threads that begin, work, start others, fail and end at random, and are forgotten meanwhile. */
static void at_random(const char *options)
{
    static const char script[] =
        "local seed, threads = ...\n"
        "math.randomseed(tonumber(seed))\n"
        "local ended, q = 0, queue()\n"
        "local function work(depth)\n"
        "    local what = math.random(6)\n"
        "    local t = {}\n"
        "    for i = 1, math.random(300) do t[i] = tostring(i) end\n"
        "    if what == 1 then sleep(math.random() / 1000)\n"
        "    elseif what == 2 and depth < 3 then spawn('inner', work, depth + 1)\n"
        "    elseif what == 3 and depth < 3 then spawn('joined', work, depth + 1):join()\n"
        "    elseif what == 4 then collectgarbage('step')\n"
        "    elseif what == 5 then coroutine.wrap(function() coroutine.yield() end)() end\n"
        "    if depth == 0 then q:put(what) end\n"
        "    return table.unpack(t)\n"
        "end\n"
        "for i = 1, threads do\n"
        "    spawn('outer ' .. i, work, 0)\n"
        "    if math.random(4) == 1 then sleep(0) collectgarbage() end\n"
        "end\n"
        "for i = 1, threads do q:get() end\n";
    char line[256];
    tool_write("random.lua", script);
    snprintf(line, sizeof line, "%s run random.lua %u 150", options, (unsigned)kri_test_seed());
    int status = tool_run(line);
    CHECK_STR(tool_read("err"), "");
    CHECK_EQ(status, 0);
}

TEST(threads_end_at_random_under_the_deadline_policy)
{
    tool_begin();
    at_random("-c 7 -i 0.05");
}

TEST(threads_end_at_random_under_the_interval_policy)
{
    tool_begin();
    at_random("-p interval -c 7 -i 0.05");
}

TEST(threads_end_at_random_under_the_ticks_policy)
{
    tool_begin();
    at_random("-p ticks -c 7");
}
