// SPDX-License-Identifier: Apache-2.0
// Whether the guest's memory was too small for what ran in it.
#include "init.h"

#include <stdlib.h>
#include <string.h>

// The number in a line that begins with this name, 0 if there is none.
static unsigned long find_number(const char *path, const char *name)
{
    size_t size;
    char *text = read_file(path, &size);
    char *line = text ? strstr(text, name) : NULL;
    unsigned long found = line ? strtoul(line + strlen(name), NULL, 10) : 0;
    free(text);
    return found;
}

// The kernel tells nobody but its own log why it has killed.
void say_if_short_of_memory(const char *program)
{
    if (find_number("/proc/vmstat", "oom_kill ") == 0) return;
    unsigned long size = find_number("/proc/meminfo", "MemTotal:") / 1024;
    say("%s or what it started was killed for want of memory: the guest has %lu MiB; give the container more", program, size);
}
