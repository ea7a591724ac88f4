// SPDX-License-Identifier: Apache-2.0
// From the initramfs into the program's root.
#include "init.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

static const char NEW_ROOT[] = "/.urunc/root";

static void empty(int folder, const char *spared);

static void remove_entry(int folder, const char *name)
{
    int inner = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inner >= 0) empty(inner, "");
    unlinkat(folder, name, inner >= 0 ? AT_REMOVEDIR : 0);
}

// Closes `folder` as well.
static void empty(int folder, const char *spared)
{
    DIR *entries = fdopendir(folder);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") && strcmp(name, "..") && strcmp(name, spared)) remove_entry(folder, name);
    }
    if (entries) closedir(entries);
}

static bool switch_root(void)
{
    unmount_system();
    if (chdir(NEW_ROOT) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0) return false;
    return chroot(".") == 0 && chdir("/") == 0;
}

static bool is_initramfs(int root)
{
    struct statfs system;
    return fstatfs(root, &system) == 0 && (system.f_type == RAMFS_MAGIC || system.f_type == TMPFS_MAGIC);
}

// Its memory is better used otherwise; our own folder may have volumes.
static void empty_initramfs(int initramfs)
{
    if (is_initramfs(initramfs)) empty(openat(initramfs, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), ".urunc");
}

// As a tmpfs, it begins with the mode of /tmp.
static bool keep_root(int initramfs)
{
    return !is_initramfs(initramfs) || chmod("/", 0755) == 0;
}

// `initramfs` stays open on what was the root.
bool enter_root(const struct config *config, int initramfs)
{
    struct source source;
    const char *value = last(config, "root", NULL);
    if (!value) return keep_root(initramfs);
    char *fstype = parse_source(strdup(value), &source);
    source.fstype = fstype;
    make_directories(NEW_ROOT);
    if (!mount_source(&source, NEW_ROOT)) return fail("mount the root from %s %s", source.type, source.name);
    if (!switch_root()) return fail("enter the root");
    empty_initramfs(initramfs);
    mount_system();
    return true;
}

// The program need not see what it was not told: the variables of others, and us.
void remove_orders(int initramfs)
{
    unlinkat(initramfs, ".urunc/config", 0);
    unlinkat(initramfs, ".urunc/init", 0);
    unlinkat(initramfs, ".urunc/root", AT_REMOVEDIR);
    unlinkat(initramfs, ".urunc", AT_REMOVEDIR);
}
