// SPDX-License-Identifier: Apache-2.0
// The program: becomes its user, is executed, and is waited for.
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const LIMITS[] = {
    [RLIMIT_CPU] = "RLIMIT_CPU",
    [RLIMIT_FSIZE] = "RLIMIT_FSIZE",
    [RLIMIT_DATA] = "RLIMIT_DATA",
    [RLIMIT_STACK] = "RLIMIT_STACK",
    [RLIMIT_CORE] = "RLIMIT_CORE",
    [RLIMIT_RSS] = "RLIMIT_RSS",
    [RLIMIT_NPROC] = "RLIMIT_NPROC",
    [RLIMIT_NOFILE] = "RLIMIT_NOFILE",
    [RLIMIT_MEMLOCK] = "RLIMIT_MEMLOCK",
    [RLIMIT_AS] = "RLIMIT_AS",
    [RLIMIT_LOCKS] = "RLIMIT_LOCKS",
    [RLIMIT_SIGPENDING] = "RLIMIT_SIGPENDING",
    [RLIMIT_MSGQUEUE] = "RLIMIT_MSGQUEUE",
    [RLIMIT_NICE] = "RLIMIT_NICE",
    [RLIMIT_RTPRIO] = "RLIMIT_RTPRIO",
    [RLIMIT_RTTIME] = "RLIMIT_RTTIME",
};

// ---- in the program's process ------------------------------------------------------------------------------------

// It owns what it reads and writes, as it owns its files.
static void take_streams(const struct streams *streams, uid_t user)
{
    for (int i = 0; i < 3; i++) {
        dup2(streams->program[i], i);
        fchown(i, user, (gid_t)-1);
    }
    if (!streams->terminal)
        setsid();
    else if (setpgid(0, 0) == 0)
        tcsetpgrp(STDIN_FILENO, getpid());  // Ctrl-C is for it
    if (streams->pty) ioctl(STDIN_FILENO, TIOCSCTTY, 0);
}

// NAME SOFT HARD
static bool set_limit(char *value)
{
    char *name = take_word(&value);
    int resource = atoi(name);
    for (size_t i = 0; i < sizeof LIMITS / sizeof *LIMITS; i++)
        if (strcmp(LIMITS[i], name) == 0) resource = (int)i;
    struct rlimit limit = {.rlim_cur = strtoull(take_word(&value), NULL, 10)};
    limit.rlim_max = strtoull(take_word(&value), NULL, 10);
    return setrlimit(resource, &limit) == 0 || fail("set the limit %s", name);
}

static bool set_limits(const struct config *config)
{
    bool done = true;
    for (char **value = all(config, "rlimit"); done && *value; value++) done = set_limit(*value);
    return done;
}

static bool set_groups(const struct config *config)
{
    char **values = all(config, "group");
    gid_t groups[NGROUPS_MAX];
    size_t count = 0;
    for (; values[count] && count < NGROUPS_MAX; count++) groups[count] = (gid_t)strtoul(values[count], NULL, 10);
    return setgroups(count, groups) == 0;
}

static bool become_user(const struct config *config)
{
    const char *folder = last(config, "cwd", "/");
    uid_t user = (uid_t)number(config, "uid", "0", 10);
    gid_t group = (gid_t)number(config, "gid", "0", 10);
    make_directories(folder);  // if it cannot be made, it cannot be entered
    umask((mode_t)number(config, "umask", "22", 8));
    if (!set_groups(config) || setgid(group) < 0 || setuid(user) < 0) return fail("become user %u", user);
    return chdir(folder) == 0 || fail("enter the working directory %s", folder);
}

static void set_environment(const struct config *config)
{
    environ = all(config, "env");
    if (getenv("HOME")) return;
    const struct passwd *user = getpwuid(getuid());
    setenv("HOME", user ? user->pw_dir : "/", 1);
}

// Returns only if it fails, with the status that says why.
int become(char **words)
{
    execvp(words[0], words);
    fail("run %s", words[0]);
    return errno == ENOENT || errno == ENOTDIR ? NOT_FOUND : CANNOT_EXECUTE;
}

int execute(const struct config *config, const struct streams *streams)
{
    sigset_t none;
    sigemptyset(&none);
    take_streams(streams, (uid_t)number(config, "uid", "0", 10));
    if (!set_limits(config) || !become_user(config)) return CANNOT_PREPARE;
    set_environment(config);
    sigprocmask(SIG_SETMASK, &none, NULL);
    return become(all(config, "arg"));
}

// ---- in ours -----------------------------------------------------------------------------------------------------

static int open_signals(void)
{
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    sigaddset(&mask, SIGIO);
    sigaddset(&mask, SIGTTOU);  // the terminal is ours, whoever is in front of it
    sigprocmask(SIG_BLOCK, &mask, NULL);
    return signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
}

// Waits for the program, and for every orphan that becomes ours meanwhile.
static int serve(pid_t program, int signals, const struct config *config, const struct streams *streams)
{
    struct signalfd_siginfo signal;
    connect_streams(streams);
    open_control(config);
    listen_to_control();
    for (int status;;) {
        read_control(program);
        for (pid_t ended; (ended = waitpid(-1, &status, WNOHANG)) > 0;) {
            if (ended == program) return status;
            end_session(ended, status);
        }
        relay(signals);
        while (read(signals, &signal, sizeof signal) > 0) continue;
    }
}

static int status_of(int status, const struct config *config)
{
    const char *how = last(config, "report", "none");
    bool unreported = strcmp(how, "none") == 0 || strcmp(how, "reset") == 0;
    const char *program = *all(config, "arg");
    if (status) say_if_short_of_memory(program);
    if (WIFSIGNALED(status)) {
        if (unreported) say("%s was ended by signal %d", program, WTERMSIG(status));
        return KILLED + WTERMSIG(status);
    }
    if (unreported && WEXITSTATUS(status)) say("%s ended with status %d", program, WEXITSTATUS(status));
    return WEXITSTATUS(status);
}

// An init gets our place; a process of ours stays for the streams and for signals.
static int give_way(const struct config *config, const struct streams *streams, int signals)
{
    pid_t helper = fork();
    if (helper == 0) {
        signal(SIGPIPE, SIG_IGN);
        serve(1, signals, config, streams);
    }
    return execute(config, streams);
}

int run(const struct config *config, const struct streams *streams)
{
    int signals = open_signals();
    if (*last(config, "exec", "") == '1') return give_way(config, streams, signals);
    pid_t program = fork();
    if (program == 0) _exit(execute(config, streams));
    if (program > 0) return status_of(serve(program, signals, config, streams), config);
    fail("start the program");
    return CANNOT_PREPARE;
}
