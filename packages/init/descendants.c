// SPDX-License-Identifier: Apache-2.0
// A program with all that it has started: its session, and whoever descends from it.
#include "init.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 4096 };

static pid_t found[MOST];
static size_t count;

static bool is_found(pid_t pid)
{
    for (size_t i = 0; i < count; i++)
        if (found[i] == pid) return true;
    return false;
}

// The name of a process may have brackets; behind the last one are its state, parent, group and session.
static bool belongs(const char *pid, pid_t program)
{
    char path[NAME], line[NAME];
    int parent, session;
    snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
    read_line(path, line, sizeof line);
    const char *rest = strrchr(line, ')');
    if (!rest || sscanf(rest, ") %*c %d %*d %d", &parent, &session) != 2) return false;
    return session == program || is_found(parent);
}

static bool find_more(pid_t program)
{
    size_t before = count;
    DIR *entries = opendir("/proc");
    for (struct dirent *entry; count < MOST && entries && (entry = readdir(entries));) {
        pid_t pid = (pid_t)atoi(entry->d_name);
        if (pid <= 0 || is_found(pid) || !belongs(entry->d_name, program)) continue;
        kill(pid, SIGSTOP);
        found[count++] = pid;
    }
    if (entries) closedir(entries);
    return count > before;
}

// Who is stopped starts nobody else, so in the end there are no more.
void kill_descendants(pid_t program)
{
    count = 0;
    found[count++] = program;
    kill(program, SIGSTOP);
    while (find_more(program)) continue;
    for (size_t i = 0; i < count; i++) kill(found[i], SIGKILL);
}
