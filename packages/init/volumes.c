// SPDX-License-Identifier: Apache-2.0
// What is mounted in the program's root: volumes and temporary file systems, in the order of their records.
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static bool make_file(const char *path)
{
    char folder[TEXT];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash) *slash = '\0';
    if (*folder && !make_directories(folder)) return false;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) return false;
    return close(fd) == 0;
}

// A file for a file, else a directory.
static bool make_target(const struct source *source, const char *target)
{
    struct stat status;
    if (stat(target, &status) == 0) return true;
    bool copy = strcmp(source->type, "copy") == 0;
    if (copy && stat(source->name + strspn(source->name, "/"), &status) == 0 && !S_ISDIR(status.st_mode))
        return make_file(target);
    return make_directories(target);
}

// A root that is read-only cannot be given what it lacks; all else that fails keeps the program from its data.
static bool mount_volume(const char *value)
{
    struct source source;
    const char *target = parse_source(strdup(value), &source);
    if (!make_target(&source, target)) {
        fail("make %s for a mount", target);
        return errno == EROFS;
    }
    return mount_source(&source, target) || fail("mount %s %s at %s", source.type, source.name, target);
}

static bool mount_tmpfs(const char *target)
{
    char options[NAME];
    struct stat status = {.st_mode = 01777};
    if (stat(target, &status) < 0 && !make_directories(target)) {
        fail("make %s for a mount", target);
        return errno == EROFS;
    }
    snprintf(options, sizeof options, "mode=%o,uid=%u,gid=%u", status.st_mode & 07777, status.st_uid, status.st_gid);
    if (mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, options) == 0) return true;
    return fail("mount tmpfs at %s", target);
}

bool mount_volumes(const struct config *config, int initramfs)
{
    bool mounted = true;
    if (fchdir(initramfs) < 0) return fail("enter the initramfs");
    for (size_t i = 0; mounted && i < config->count; i++) {
        const struct record *record = &config->records[i];
        if (strcmp(record->key, "mount") == 0) mounted = mount_volume(record->value);
        if (strcmp(record->key, "tmpfs") == 0) mounted = mount_tmpfs(record->value);
    }
    return chdir("/") == 0 && mounted;
}

// Whatever belongs on a disk gets there.
void unmount_volumes(const struct config *config)
{
    struct source source;
    for (size_t i = config->count; i-- > 0;) {
        const struct record *record = &config->records[i];
        if (strcmp(record->key, "tmpfs") == 0) umount2(record->value, 0);
        if (strcmp(record->key, "mount") == 0) umount2(parse_source(strdup(record->value), &source), 0);
    }
    mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL);
}
