// SPDX-License-Identifier: Apache-2.0
// The kernel modules that /lib/modules-load lists, in its order.  A kernel with its drivers built in comes without.
// The driver of ports takes its time to set them up, which the program need not wait for: it comes later.
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char LIST[] = "/lib/modules-load", PORTS[] = "virtio_console";

static int later = -1;  // opened at once, since its file may be gone by then

static void load(int fd, const char *path)
{
    if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST)) fail("load module %s", path);
    if (fd >= 0) close(fd);
}

void load_modules(bool without_ports)
{
    size_t size;
    char *list = read_file(LIST, &size);
    if (!list && errno != ENOENT) fail("read %s", LIST);
    for (char *path; (path = strsep(&list, "\n"));)
        if (without_ports && strstr(path, PORTS))
            later = open(path, O_RDONLY | O_CLOEXEC);
        else if (*path)
            load(open(path, O_RDONLY | O_CLOEXEC), path);
}

void load_ports(void)
{
    if (later >= 0) load(later, PORTS);
    later = -1;
}
