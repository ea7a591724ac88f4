// SPDX-License-Identifier: Apache-2.0
// Reading files and looking for things in the file system.
#include "init.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STEP = 65536, PATIENCE_MS = 2000, PAUSE_MS = 1 };

// The whole file, with a NUL behind it; NULL and errno if it cannot be read.
char *read_file(const char *path, size_t *size)
{
    char *data = NULL;
    ssize_t got = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return NULL;
    *size = 0;
    do {
        *size += (size_t)got;
        data = realloc(data, *size + STEP + 1);
        if (!data) abort();
        got = read(fd, data + *size, STEP);
    } while (got > 0);
    close(fd);
    data[*size] = '\0';
    return got < 0 ? NULL : data;
}

// The first line of a file, without its end; empty if there is none.
void read_line(const char *path, char *line, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : read(fd, line, size - 1);
    line[got < 0 ? 0 : got] = '\0';
    line[strcspn(line, "\n")] = '\0';
    if (fd >= 0) close(fd);
}

// A directory and those that it is in.
bool make_directories(const char *path)
{
    char part[TEXT];
    struct stat status;
    if (strlen(path) >= sizeof part) errno = ENAMETOOLONG;
    if (strlen(path) >= sizeof part) return false;
    for (size_t i = 1; i <= strlen(path); i++) {
        if (path[i] != '/' && path[i] != '\0') continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (stat(part, &status) < 0 && mkdir(part, 0755) < 0 && errno != EEXIST) return false;
    }
    return true;
}

// The entry of a folder of /sys whose file says this, if it is there.
bool look_for(const char *folder, const char *file, const char *content, char name[NAME])
{
    char path[TEXT], line[NAME];
    bool found = false;
    DIR *entries = opendir(folder);
    for (struct dirent *entry; !found && entries && (entry = readdir(entries));) {
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s/%s", folder, entry->d_name, file);
        read_line(path, line, sizeof line);
        found = strcasecmp(line, content) == 0;
        if (found) snprintf(name, NAME, "%s", entry->d_name);
    }
    if (entries) closedir(entries);
    return found;
}

// Drivers take a moment, so this one waits, but not for ever.
bool find_entry(const char *folder, const char *file, const char *content, char name[NAME])
{
    for (int waited = 0; waited <= PATIENCE_MS; waited += PAUSE_MS) {
        if (look_for(folder, file, content, name)) return true;
        usleep(PAUSE_MS * 1000);
    }
    errno = ENODEV;
    return false;
}

// The word up to the next space; `rest` is what is behind that. Empty at the end.
char *take_word(char **rest)
{
    char *word = strsep(rest, " ");
    return word ? word : "";
}
