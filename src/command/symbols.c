/* What addresses in another process are called: by the symbols of the files that it has mapped.
 *
 * The page tells addresses, since a program could ask for names only under its loader's lock.  Here
 * the files' own tables are read, which know static functions and objects, too, where the program
 * was not stripped.  A file is looked into when an address lies in it, and kept.
 *
 * Files are another user's perhaps: every offset is compared with what was read.
 *
 * SPDX-License-Identifier: MIT
 */
#include "command/top.h"

#include <elf.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/global.h"
#include "os/io.h"

#if UINTPTR_MAX > UINT32_MAX
typedef Elf64_Ehdr elf_head;
typedef Elf64_Phdr elf_part;
typedef Elf64_Shdr elf_section;
typedef Elf64_Sym elf_symbol;
enum { ELF_CLASS = ELFCLASS64 };
#else
typedef Elf32_Ehdr elf_head;
typedef Elf32_Phdr elf_part;
typedef Elf32_Shdr elf_section;
typedef Elf32_Sym elf_symbol;
enum { ELF_CLASS = ELFCLASS32 };
#endif

enum { MODULES = 256, MOST_SECTIONS = 4096, MOST_PARTS = 256 };
#define MOST_BYTES ((uint64_t)1 << 30)

struct module {
    char *path;
    uintptr_t start;
    uint64_t bias; /* of its addresses in memory over those in the file */
    uint64_t end;  /* behind its last byte in memory */
    bool known;    /* the rest was looked for */
    elf_symbol *symbols;
    size_t symbol_count;
    char *names; /* closed by a zero byte */
    size_t names_size;
};

static struct module *modules KRI_GLOBAL;
static int module_count KRI_GLOBAL;
static pid_t modules_of KRI_GLOBAL;

/* Reading. */

/* NULL: not so many bytes are there.  One more is zero. */
static void *read_all(int fd, uint64_t offset, uint64_t size)
{
    if (size == 0 || size > MOST_BYTES || offset > INT64_MAX - size)
        return NULL;
    char *bytes = malloc((size_t)size + 1);
    size_t have = 0;
    while (bytes != NULL && have < size) {
        int64_t got = os_pread(fd, bytes + have, (size_t)size - have, (int64_t)(offset + have));
        if (got <= 0) {
            free(bytes);
            return NULL;
        }
        have += (size_t)got;
    }
    if (bytes != NULL)
        bytes[size] = '\0';
    return bytes;
}

static bool read_head(int fd, elf_head *head)
{
    return os_pread(fd, head, sizeof *head, 0) == (int64_t)sizeof *head &&
           memcmp(head->e_ident, ELFMAG, SELFMAG) == 0 && head->e_ident[EI_CLASS] == ELF_CLASS &&
           head->e_phentsize == sizeof(elf_part) && head->e_phnum <= MOST_PARTS;
}

/* Where its parts lie; the first of them at the file's begin. */
static bool read_parts(int fd, const elf_head *head, struct module *m)
{
    elf_part *parts = read_all(fd, head->e_phoff, (uint64_t)head->e_phnum * sizeof *parts);
    bool found = false;
    for (unsigned i = 0; parts != NULL && i < head->e_phnum; i++) {
        const elf_part *p = &parts[i];
        if (p->p_type != PT_LOAD)
            continue;
        if (!found)
            m->bias = m->start - (p->p_vaddr - p->p_offset);
        found = true;
        if (m->bias + p->p_vaddr + p->p_memsz > m->end)
            m->end = m->bias + p->p_vaddr + p->p_memsz;
    }
    free(parts);
    return found;
}

static void read_table(int fd, const elf_section *sections, unsigned count, uint32_t type,
                       struct module *m)
{
    for (unsigned i = 0; i < count && m->symbols == NULL; i++) {
        const elf_section *table = &sections[i];
        if (table->sh_type != type || table->sh_link >= count)
            continue;
        const elf_section *names = &sections[table->sh_link];
        m->symbols = read_all(fd, table->sh_offset, table->sh_size);
        m->symbol_count = (size_t)(table->sh_size / sizeof(elf_symbol));
        m->names = read_all(fd, names->sh_offset, names->sh_size);
        m->names_size = (size_t)names->sh_size;
        if (m->symbols != NULL && m->names != NULL)
            return;
        free(m->symbols);
        free(m->names);
        m->symbols = NULL;
        m->names = NULL;
    }
}

/* The long table where it was left in, else that of what the file exports. */
static void read_symbols(int fd, const elf_head *head, struct module *m)
{
    if (head->e_shnum == 0 || head->e_shnum > MOST_SECTIONS ||
        head->e_shentsize != sizeof(elf_section))
        return;
    elf_section *sections = read_all(fd, head->e_shoff, (uint64_t)head->e_shnum * sizeof *sections);
    if (sections == NULL)
        return;
    read_table(fd, sections, head->e_shnum, SHT_SYMTAB, m);
    read_table(fd, sections, head->e_shnum, SHT_DYNSYM, m);
    free(sections);
}

/* Where it lies for its process, which may have another root.  Another file may have that name by
 * now: a pipe is not to be waited for. */
static int open_module(const struct module *m)
{
    char path[PATH_MAX + 32];
    snprintf(path, sizeof path, "/proc/%d/root%s", (int)modules_of, m->path);
    int fd = os_open_file(path);
    return fd >= 0 ? fd : os_open_file(m->path);
}

static void get_to_know(struct module *m)
{
    elf_head head;
    m->known = true;
    m->end = m->start;
    int fd = open_module(m);
    if (fd < 0)
        return;
    if (read_head(fd, &head) && read_parts(fd, &head, m))
        read_symbols(fd, &head, m);
    os_close(fd);
}

/* Modules. */

static int add_module(const char *path, uintptr_t start, void *arg)
{
    (void)arg;
    if (module_count > 0 && strcmp(modules[module_count - 1].path, path) == 0)
        return 0;
    char *copy = module_count < MODULES ? strdup(path) : NULL;
    if (copy == NULL)
        return 1;
    modules[module_count++] = (struct module){.path = copy, .start = start};
    return 0;
}

void kri_symbols_forget(void)
{
    for (int i = 0; i < module_count; i++) {
        free(modules[i].path);
        free(modules[i].symbols);
        free(modules[i].names);
    }
    free(modules);
    modules = NULL;
    module_count = 0;
    modules_of = 0;
}

static void list_modules(pid_t pid)
{
    kri_symbols_forget();
    modules_of = pid;
    modules = calloc(MODULES, sizeof *modules);
    if (modules != NULL)
        (void)os_process_files(pid, add_module, NULL);
}

static struct module *find_in_list(uint64_t address)
{
    struct module *found = NULL;
    for (int i = 0; i < module_count; i++)
        if (modules[i].start <= address && (found == NULL || modules[i].start > found->start))
            found = &modules[i];
    if (found != NULL && !found->known)
        get_to_know(found);
    return found != NULL && address < found->end ? found : NULL;
}

static struct module *module_of(pid_t pid, uint64_t address)
{
    if (modules_of != pid)
        list_modules(pid);
    return find_in_list(address);
}

/* Symbols. */

static bool is_place(const elf_symbol *s)
{
    unsigned type = s->st_info & 15;
    return s->st_shndx != SHN_UNDEF && (type == STT_FUNC || type == STT_OBJECT);
}

static const elf_symbol *symbol_at(const struct module *m, uint64_t address)
{
    for (size_t i = 0; i < m->symbol_count; i++) {
        const elf_symbol *s = &m->symbols[i];
        uint64_t begin = m->bias + s->st_value;
        if (is_place(s) && address >= begin && address - begin < s->st_size &&
            s->st_name < m->names_size)
            return s;
    }
    return NULL;
}

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static void describe(const struct module *m, uint64_t address, char text[KRI_SYMBOL_TEXT])
{
    const elf_symbol *s = m != NULL ? symbol_at(m, address) : NULL;
    if (m == NULL)
        snprintf(text, KRI_SYMBOL_TEXT, "%#jx", (uintmax_t)address);
    else if (s == NULL)
        snprintf(text, KRI_SYMBOL_TEXT, "%.60s+%#jx", base_of(m->path),
                 (uintmax_t)(address - m->bias));
    else if (m->bias + s->st_value == address)
        snprintf(text, KRI_SYMBOL_TEXT, "%s", m->names + s->st_name);
    else
        snprintf(text, KRI_SYMBOL_TEXT, "%.70s+%#jx", m->names + s->st_name,
                 (uintmax_t)(address - m->bias - s->st_value));
}

void kri_symbol_of(pid_t pid, uint64_t address, char text[KRI_SYMBOL_TEXT])
{
    text[0] = '\0';
    if (address != 0)
        describe(module_of(pid, address), address, text);
}

static bool is_ours(const struct module *m, uint64_t address)
{
    if (m != NULL && strncmp(base_of(m->path), "libkrait.", strlen("libkrait.")) == 0)
        return true;
    const elf_symbol *s = m != NULL ? symbol_at(m, address) : NULL;
    const char *name = s != NULL ? m->names + s->st_name : "";
    return strncmp(name, "kr_", 3) == 0 || strncmp(name, "kri_", 4) == 0;
}

/* A return address may lie behind the last instruction of its function. */
void kri_symbol_of_caller(pid_t pid, const uint64_t *places, int count, char text[KRI_SYMBOL_TEXT])
{
    text[0] = '\0';
    for (int i = 0; i < count && places[i] != 0; i++) {
        const struct module *m = module_of(pid, places[i] - 1);
        describe(m, places[i] - 1, text);
        char *plus = strrchr(text, '+');
        if (plus != NULL && m != NULL && symbol_at(m, places[i] - 1) != NULL)
            *plus = '\0';
        if (!is_ours(m, places[i] - 1))
            return;
    }
}
