// SPDX-License-Identifier: Apache-2.0
// File systems: those of the kernel itself, and those of devices and shares.
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SERIAL_LENGTH = 20 };  // the device has no more of it

static const char *const FILE_SYSTEMS[] = {"ext4", "ext3", "ext2", "xfs", "btrfs", "erofs", "squashfs", NULL};

// Somebody may have mounted it before us.
static void mount_one(const char *type, const char *target, unsigned long flags, const char *options)
{
    make_directories(target);
    if (mount(type, target, type, flags, options) < 0 && errno != EBUSY) fail("mount %s", target);
}

static void open_console(void)
{
    int fd = open("/dev/console", O_RDWR);
    for (int target = 0; fd >= 0 && target <= 2; target++) dup2(fd, target);
    if (fd > 2) close(fd);
}

void mount_system(void)
{
    mount_one("proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "");
    mount_one("sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, "");
    mount_one("devtmpfs", "/dev", MS_NOSUID, "mode=755");
    mount_one("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=620,ptmxmode=666");
    mount_one("tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777");
    symlink("/proc/self/fd", "/dev/fd");
    symlink("/proc/self/fd/0", "/dev/stdin");
    symlink("/proc/self/fd/1", "/dev/stdout");
    symlink("/proc/self/fd/2", "/dev/stderr");
    if (fcntl(STDERR_FILENO, F_GETFD) < 0) open_console();
}

void unmount_system(void)
{
    static const char *const TARGETS[] = {"/dev", "/sys", "/proc"};
    for (size_t i = 0; i < sizeof TARGETS / sizeof *TARGETS; i++) umount2(TARGETS[i], MNT_DETACH);
}

// /dev/vda stays; the serial of a virtio block device becomes its path.
static bool find_device(const char *source, char path[NAME])
{
    char serial[SERIAL_LENGTH + 1], name[NAME];
    snprintf(path, NAME, "%s", source);
    if (strncmp(source, "/dev/vd", 7) == 0 || *source != '/')
        if (!has_disks()) return false;
    if (*source == '/') return true;
    snprintf(serial, sizeof serial, "%s", source);
    if (!find_entry("/sys/block", "serial", serial, name)) return false;
    snprintf(path, NAME, "/dev/%.200s", name);
    return true;
}

// With none named, the first type that fits: others say that this is none of theirs, or that they are not there.
static bool mount_block(const struct source *source, const char *target, unsigned long flags)
{
    char device[NAME];
    const char *const named[] = {source->fstype, NULL};
    if (!find_device(source->name, device)) return false;
    for (const char *const *type = *source->fstype ? named : FILE_SYSTEMS; *type; type++) {
        if (mount(device, target, *type, flags | MS_SILENT, NULL) == 0) return true;
        if (errno == EUCLEAN || errno == EBADMSG) break;
        if (errno != EINVAL && errno != ENODEV) return false;
    }
    explain_disk(device);
    return false;
}

static bool mount_whole(const struct source *source, const char *target, unsigned long flags)
{
    bool plan9 = strcmp(source->type, "9p") == 0;
    const char *options = plan9 ? "trans=virtio,version=9p2000.L,msize=512000,cache=mmap" : "";
    if (mount(source->name, target, source->type, flags, options) == 0) return true;
    explain_share(source->type);
    return false;
}

// It needs a second step: binding takes over no flag but with a change of the mount.
static bool bind(const char *path, const char *target, unsigned long flags)
{
    if (mount(path, target, NULL, MS_BIND, NULL) < 0) return false;
    return !flags || mount(NULL, target, NULL, MS_REMOUNT | MS_BIND | flags, NULL) == 0;
}

// TAG is a share, TAG/NAME a part of one, which is mounted as a whole beside the copies first.
static bool mount_share(const struct source *source, const char *target, unsigned long flags)
{
    char place[NAME], part[TEXT];
    struct stat status;
    int length = (int)strcspn(source->name, "/");
    if (!source->name[length]) return mount_whole(source, target, flags);
    struct source whole = {.type = source->type, .name = strndup(source->name, (size_t)length)};
    snprintf(place, sizeof place, ".urunc/shares/%.200s", whole.name);
    if (stat(place, &status) < 0 && !(make_directories(place) && mount_whole(&whole, place, 0))) return false;
    snprintf(part, sizeof part, "%s%s", place, source->name + length);
    return bind(part, target, flags);
}

static bool mount_copy(const struct source *source, const char *target, unsigned long flags)
{
    return bind(source->name + strspn(source->name, "/"), target, flags);
}

// TYPE SOURCE ro|rw, cut out of `value`; returns the rest of it.
char *parse_source(char *value, struct source *source)
{
    source->type = take_word(&value);
    source->name = take_word(&value);
    source->readonly = strcmp(take_word(&value), "ro") == 0;
    source->fstype = "";
    return value ? value : "";
}

// The working directory is the initramfs, where copies are.
bool mount_source(const struct source *source, const char *target)
{
    unsigned long flags = source->readonly ? MS_RDONLY : 0;
    if (strcmp(source->type, "block") == 0) return mount_block(source, target, flags);
    if (strcmp(source->type, "copy") == 0) return mount_copy(source, target, flags);
    return mount_share(source, target, flags);
}
