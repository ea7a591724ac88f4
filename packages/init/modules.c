// SPDX-License-Identifier: Apache-2.0
// The kernel modules that /lib/modules-load lists, in its order.  A kernel with its drivers built in comes without.
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char LIST[] = "/lib/modules-load";

static void load_module(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST)) fail("load module %s", path);
    if (fd >= 0) close(fd);
}

void load_modules(void)
{
    size_t size;
    char *list = read_file(LIST, &size);
    if (!list && errno != ENOENT) fail("read %s", LIST);
    for (char *path; (path = strsep(&list, "\n"));)
        if (*path) load_module(path);
}
