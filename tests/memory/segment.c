/* Anonymous memory by descriptor: sealed, shared, and refused when it is not what it should be.
 *
 * SPDX-License-Identifier: MIT
 */
#include "memory/segment.h"
#include "harness/test.h"
#include "os/os.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SIZE = 10000 };

TEST(two_mappings_are_the_same_memory)
{
    int fd = -1;
    void *one = NULL, *two = NULL;
    size_t size = 0;
    CHECK_EQ(kri_memfd_map(SIZE, &fd, &one), 0);
    CHECK_EQ(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    for (int i = 0; i < SIZE; i++)
        CHECK_EQ(((char *)one)[i], 0);
    CHECK_EQ(kri_memfd_attach(fd, SIZE, &two, &size), 0);
    CHECK_EQ(size, SIZE);
    CHECK(one != two);
    memcpy(one, "hello", 6);
    CHECK_STR(two, "hello");
    os_close(fd);
    kri_memfd_unmap(one, SIZE);
    CHECK_STR(two, "hello");
    kri_memfd_unmap(two, SIZE);
}

TEST(nobody_changes_its_length)
{
    int fd = -1;
    void *memory = NULL;
    CHECK_EQ(kri_memfd_map(SIZE, &fd, &memory), 0);
    CHECK_EQ(ftruncate(fd, SIZE / 2), -1);
    CHECK_EQ(ftruncate(fd, 2 * SIZE), -1);
    CHECK_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
    os_close(fd);
    kri_memfd_unmap(memory, SIZE);
}

TEST(what_is_no_sealed_memfd_is_refused)
{
    void *memory = NULL;
    int open_fd = memfd_create("open", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    CHECK_EQ(ftruncate(open_fd, SIZE), 0);
    CHECK_EQ(kri_memfd_attach(open_fd, SIZE, &memory, NULL), KR_ECORRUPT);
    CHECK_EQ(fcntl(open_fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    CHECK_EQ(kri_memfd_attach(open_fd, SIZE + 1, &memory, NULL), KR_ECORRUPT);
    CHECK_EQ(kri_memfd_attach(open_fd, SIZE, &memory, NULL), 0);
    kri_memfd_unmap(memory, SIZE);
    close(open_fd);
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    CHECK_EQ(kri_memfd_attach(file, 1, &memory, NULL), KR_ECORRUPT);
    CHECK_EQ(kri_memfd_attach(-1, 1, &memory, NULL), -EBADF);
    close(file);
}

TEST(bad_sizes_are_refused)
{
    int fd = -1;
    void *memory = NULL;
    CHECK_EQ(kri_memfd_map(0, &fd, &memory), -EINVAL);
    CHECK_EQ(kri_memfd_map(SIZE_MAX, &fd, &memory), -EFBIG);
    struct rlimit limit = {SIZE, SIZE};
    CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    CHECK_EQ(kri_memfd_map(SIZE + 1, &fd, &memory), -EFBIG);
    CHECK_EQ(kri_memfd_map(SIZE, &fd, &memory), 0);
    CHECK_EQ(fd >= 0, 1);
}
