// SPDX-License-Identifier: Apache-2.0
// Why something could not be mounted, where the kernel's own word does not say what to do about it.
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static const char ADVICE[] = "add its module to the initrd, and to /lib/modules-load";

// What stands at a place of each file system.
static const struct mark {
    const char *type;
    off_t place;
    const char *bytes;
} MARKS[] = {
    {"ext4", 1080, "\x53\xef"}, {"xfs", 0, "XFSB"},      {"btrfs", 65600, "_BHRfS_M"},
    {"erofs", 1024, "\xe2\xe1\xf5\xe0"}, {"squashfs", 0, "hsqs"},
};

static bool is_known(const char *type)
{
    size_t size;
    char *list = read_file("/proc/filesystems", &size);
    for (char *line; (line = strsep(&list, "\n"));) {
        const char *name = strrchr(line, '\t');
        if (name && strcmp(name + 1, type) == 0) return true;
    }
    return false;
}

static bool has_mark(int device, const struct mark *mark)
{
    char found[8];
    size_t size = strlen(mark->bytes);
    return pread(device, found, size, mark->place) == (ssize_t)size && memcmp(found, mark->bytes, size) == 0;
}

static const char *type_on(const char *path)
{
    const char *type = NULL;
    int device = open(path, O_RDONLY | O_CLOEXEC);
    for (size_t i = 0; device >= 0 && !type && i < sizeof MARKS / sizeof *MARKS; i++)
        if (has_mark(device, &MARKS[i])) type = MARKS[i].type;
    if (device >= 0) close(device);
    return type;
}

bool has_disks(void)
{
    if (access("/sys/bus/virtio/drivers/virtio_blk", F_OK) == 0) return true;
    errno = ENODEV;
    explain("the kernel has no driver virtio_blk: %s", ADVICE);
    return false;
}

// None of the types that we tried fitted.
void explain_disk(const char *path)
{
    const char *type = type_on(path);
    if (!type)
        explain("there is no file system on %s that we know: it is empty or damaged", path);
    else if (!is_known(type))
        explain("there is %s on %s, for which the kernel has no driver: %s", type, path, ADVICE);
    else
        explain("the %s on %s is damaged", type, path);
}

void explain_share(const char *type)
{
    if (!is_known(type)) explain("the kernel has no driver %s: %s", type, ADVICE);
}
