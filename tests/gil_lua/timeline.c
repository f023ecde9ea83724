/* The picture of gil_lua: well-formed, whole, and never two that hold the lock at once.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gil_lua/tool.h"

#include <ctype.h>
#include <string.h>

/* Well-formedness, as far as such a picture goes: elements that are nested and closed, attributes
 * that are quoted and stand once, entities that XML knows. */

struct reader {
    const char *at;
    char open[16][32];
    int depth, elements;
};

static void read_name(struct reader *xml, char *name)
{
    int size = 0;
    CHECK(isalpha((unsigned char)*xml->at));
    while (isalnum((unsigned char)*xml->at) || *xml->at == '-' || *xml->at == ':') {
        CHECK(size < 31);
        name[size++] = *xml->at++;
    }
    name[size] = '\0';
}

static void read_entity(struct reader *xml)
{
    static const char *const known[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&apos;"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strncmp(xml->at, known[i], strlen(known[i])) == 0) {
            xml->at += strlen(known[i]);
            return;
        }
    }
    kri_test_fail(__FILE__, __LINE__, "no entity of XML");
}

static void read_attributes(struct reader *xml)
{
    char names[16][32];
    int count = 0;
    for (; isspace((unsigned char)*xml->at); count++) {
        CHECK(count < 16);
        xml->at++;
        read_name(xml, names[count]);
        for (int i = 0; i < count; i++)
            CHECK(strcmp(names[i], names[count]) != 0);
        CHECK_EQ(*xml->at++, '=');
        char quote = *xml->at++;
        CHECK(quote == '\'' || quote == '"');
        while (*xml->at != quote) {
            CHECK(*xml->at != '<' && *xml->at != '\0');
            if (*xml->at == '&')
                read_entity(xml);
            else
                xml->at++;
        }
        xml->at++;
    }
}

static void read_tag(struct reader *xml)
{
    char name[32];
    bool ends = *++xml->at == '/';
    xml->at += ends;
    read_name(xml, name);
    if (ends) {
        CHECK(xml->depth > 0);
        CHECK_STR(name, xml->open[--xml->depth]);
    } else {
        CHECK(xml->depth > 0 || xml->elements == 0);
        CHECK(xml->depth < 16);
        xml->elements++;
        read_attributes(xml);
        if (*xml->at == '/')
            xml->at++;
        else
            strcpy(xml->open[xml->depth++], name);
    }
    CHECK_EQ(*xml->at++, '>');
}

static void check_well_formed(const char *text)
{
    struct reader xml = {.at = text};
    CHECK(strncmp(text, "<?xml ", 6) == 0);
    xml.at = strstr(text, "?>") + 2;
    while (*xml.at) {
        if (*xml.at == '<')
            read_tag(&xml);
        else if (*xml.at == '&')
            read_entity(&xml);
        else
            CHECK(isspace((unsigned char)*xml.at++) || xml.depth > 0);
    }
    CHECK_EQ(xml.depth, 0);
}

/* The bars of one kind in the rows from y on. */
static int find_bars(const char *text, const char *kind, double bars[][3], int most)
{
    char begin[64];
    int count = 0;
    snprintf(begin, sizeof begin, "<rect class='%s' ", kind);
    while ((text = strstr(text, begin)) != NULL) {
        double *bar = bars[count++];
        CHECK(count <= most);
        text += strlen(begin);
        CHECK_EQ(sscanf(text, "x='%lf' y='%lf' width='%lf'", &bar[0], &bar[1], &bar[2]), 3);
    }
    return count;
}

static int by_place(const void *left, const void *right)
{
    const double *a = left, *b = right;
    return (a[0] > b[0]) - (a[0] < b[0]);
}

enum { BARS_MOST = 4000 };

/* Of a picture with one panel.  Bars are drawn at least 0.8 wide, and to two digits. */
static int check_one_at_a_time(const char *text)
{
    static double bars[BARS_MOST][3];
    int count = find_bars(text, "running", bars, BARS_MOST) - 1; /* the first is the legend's */
    qsort(bars + 1, (size_t)count, sizeof *bars, by_place);
    for (int i = 1; i < count; i++)
        CHECK(bars[i][0] + bars[i][2] <= bars[i + 1][0] + 0.85);
    return count;
}

TEST(a_convoy_is_drawn_under_two_policies)
{
    tool_begin();
    CHECK_EQ(tool_run("--timeline out.svg"), 0);
    const char *text = tool_read("out.svg");
    check_well_formed(text);
    CHECK(strstr(text, ">interval policy") < strstr(text, ">deadline policy"));
    CHECK(strstr(text, ">interval policy") != NULL);
    CHECK(strstr(text, ">answering<") != NULL);
    CHECK(strstr(text, ">computing 1<") != NULL);
    CHECK(strstr(text, ">computing 2<") != NULL);
    CHECK(strstr(text, ">time in ms<") != NULL);
    CHECK(strstr(text, ">waits for the lock<") != NULL);
}

TEST(a_convoy_is_drawn_under_the_policy_that_is_named)
{
    static const char *const names[] = {"deadline", "interval", "ticks"};
    tool_begin();
    for (int i = 0; i < 3; i++) {
        char line[64], title[64];
        snprintf(line, sizeof line, "-p %s -n 3 --timeline=out.svg", names[i]);
        snprintf(title, sizeof title, ">%s policy", names[i]);
        CHECK_EQ(tool_run(line), 0);
        const char *text = tool_read("out.svg");
        check_well_formed(text);
        CHECK(strstr(text, title) != NULL);
        CHECK(strstr(text, ">computing 3<") != NULL);
        CHECK_GE(check_one_at_a_time(text), 1);
    }
}

/* Names that XML has to be told of in other words; threads that begin and end in between. */
TEST(a_script_is_drawn)
{
    tool_begin();
    CHECK_EQ(tool_run_script("--timeline out.svg",
                             "local q = queue()\n"
                             "spawn('<&\\'\">', function() for i = 1, 9 do q:put(i) end end)\n"
                             "for i = 1, 9 do q:get() sleep(0.001) end\n"
                             "spawn('later', function() for i = 1, 1000000 do end end):join()\n"),
             0);
    const char *text = tool_read("out.svg");
    check_well_formed(text);
    CHECK(strstr(text, ">&lt;&amp;'\"&gt;<") != NULL);
    CHECK(strstr(text, ">later<") != NULL);
    CHECK(strstr(text, ">script.lua<") != NULL);
    CHECK(check_one_at_a_time(text) > 4);
}

TEST(a_script_that_fails_is_drawn_all_the_same)
{
    tool_begin();
    CHECK_EQ(tool_run_script("--timeline out.svg", "sleep(0.001) error('no way')\n"), 1);
    check_well_formed(tool_read("out.svg"));
}

TEST(a_picture_that_cannot_be_written_is_an_error)
{
    tool_begin();
    CHECK_EQ(tool_run("-p deadline --timeline no/such/folder.svg"), 1);
    CHECK(strstr(tool_read("err"), "no/such/folder.svg") != NULL);
    CHECK_EQ(tool_run("-p deadline --timeline /dev/full"), 1);
}
