/* The names of functions, static ones too, from the table of symbols in an object's file.
 *
 * The dynamic linker knows only what is exported.  A file that was stripped tells nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/os.h"
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct image {
    const unsigned char *bytes;
    size_t size;
} image;

/* NULL: it does not lie in the file, or not as its type wants. */
static const void *part_of(const image *file, uint64_t at, uint64_t size)
{
    if (at > file->size || size > file->size - at || at % sizeof(uint64_t) != 0)
        return NULL;
    return file->bytes + at;
}

static bool is_function_at(const ElfW(Sym) * symbol, uint64_t value)
{
    return (symbol->st_info & 0xf) == STT_FUNC && symbol->st_value == value &&
           symbol->st_shndx != SHN_UNDEF;
}

static bool look_in(const image *file, const ElfW(Shdr) * table, const ElfW(Shdr) * strings,
                    uint64_t value, char *name, size_t size)
{
    const ElfW(Sym) *symbols = part_of(file, table->sh_offset, table->sh_size);
    if (symbols == NULL || strings->sh_offset > file->size ||
        strings->sh_size > file->size - strings->sh_offset)
        return false;
    const char *text = (const char *)file->bytes + strings->sh_offset;
    for (size_t i = 0; i < table->sh_size / sizeof *symbols; i++) {
        size_t at = symbols[i].st_name;
        if (!is_function_at(&symbols[i], value) || at >= strings->sh_size)
            continue;
        snprintf(name, size, "%.*s", (int)strnlen(text + at, strings->sh_size - at), text + at);
        return true;
    }
    return false;
}

static bool look(const image *file, uint64_t address, uint64_t base, char *name, size_t size)
{
    const ElfW(Ehdr) *head = part_of(file, 0, sizeof *head);
    if (head == NULL || memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 ||
        head->e_shentsize != sizeof(ElfW(Shdr)))
        return false;
    const ElfW(Shdr) *sections =
        part_of(file, head->e_shoff, (uint64_t)head->e_shnum * sizeof *sections);
    uint64_t value = head->e_type == ET_DYN ? address - base : address;
    for (size_t i = 0; sections != NULL && i < head->e_shnum; i++) {
        const ElfW(Shdr) *s = &sections[i];
        if (s->sh_type == SHT_SYMTAB && s->sh_link < head->e_shnum &&
            look_in(file, s, &sections[s->sh_link], value, name, size))
            return true;
    }
    return false;
}

static bool look_in_file(const char *path, uint64_t address, uint64_t base, char *name, size_t size)
{
    struct stat about;
    bool found = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    if (fstat(fd, &about) == 0 && about.st_size > 0) {
        image file = {.size = (size_t)about.st_size};
        void *bytes = mmap(NULL, file.size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes != MAP_FAILED) {
            file.bytes = bytes;
            found = look(&file, address, base, name, size);
            munmap(bytes, file.size);
        }
    }
    close(fd);
    return found;
}

typedef struct owner {
    ElfW(Addr) address;
    struct dl_phdr_info info;
} owner;

/* Does the object lie around the address? */
static int look_in_object(struct dl_phdr_info *info, size_t size, void *arg)
{
    owner *o = arg;
    (void)size;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || o->address - info->dlpi_addr < part->p_vaddr ||
            o->address - info->dlpi_addr - part->p_vaddr >= part->p_memsz)
            continue;
        o->info = *info;
        return 1;
    }
    return 0;
}

/* The program's path is what it was called by, which may lead nowhere from here. */
bool os_function_name(const void *function, char *name, size_t size)
{
    owner o = {.address = (ElfW(Addr))(uintptr_t)function};
    int saved = errno;
    bool found = dl_iterate_phdr(look_in_object, &o) != 0;
    if (found) {
        const char *path = o.info.dlpi_name;
        bool program = path == NULL || path[0] == 0;
        found = look_in_file(program ? "/proc/self/exe" : path, o.address, o.info.dlpi_addr, name,
                             size);
    }
    errno = saved;
    return found;
}
