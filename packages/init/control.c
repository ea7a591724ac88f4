// SPDX-License-Identifier: Apache-2.0
// The control port: lines say what signal the program gets, and where a further program is asked for.  The kernel tells us with SIGIO that there is something.
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATIENCE_MS = 1000, TRIES = 100, PAUSE_US = 1000 };

static int control = -1;
static int stop_signal;
static bool unanswered;

void open_control(const struct config *config)
{
    const char *name = last(config, "control", NULL);
    stop_signal = (int)number(config, "stopsignal", "15", 10);
    if (!name) return;
    control = open_port(name);
    if (control < 0) fail("open the port %s", name);
}

// For this process, not the one that opened it.
void listen_to_control(void)
{
    if (control < 0) return;
    fcntl(control, F_SETOWN, getpid());
    fcntl(control, F_SETFL, O_NONBLOCK | O_ASYNC);
}

// A port takes a moment to learn that there is a host behind it, and SIGIO comes again then. Or there is none any more.
static void answer(void)
{
    unanswered = write(control, "ok\n", 3) < 0 && errno == EAGAIN;
}

static void obey(const char *line, pid_t program)
{
    int signal = 0;
    if (strncmp(line, "exec ", 5) == 0) {
        if (open_session(line + 5)) answer();
        return;
    }
    if (strcmp(line, "stop") == 0) signal = stop_signal;
    if (strncmp(line, "signal ", 7) == 0) signal = atoi(line + 7);
    if (signal <= 0)
        say("unknown line on the control port: %s", line);
    else if (kill(program, signal) < 0)
        fail("send signal %d", signal);
    else
        answer();
}

// Whole lines; the rest of one waits for its end.
void read_control(pid_t program)
{
    static char text[NAME];
    static size_t size;
    for (ssize_t got; control >= 0 && (got = read(control, text + size, sizeof text - 1 - size)) > 0;) {
        text[size += (size_t)got] = '\0';
        char *line = text;
        for (char *end; (end = strchr(line, '\n')); line = end + 1) {
            *end = '\0';
            obey(line, program);
        }
        size = strlen(line) < sizeof text - 1 ? strlen(line) : 0;
        memmove(text, line, size);
    }
    if (unanswered) answer();
}

// Until the host has our answer, unless it hung up: the program may have ended at once.
void drain_control(void)
{
    for (int try = 0; unanswered && try < TRIES; try++) {
        usleep(PAUSE_US);
        answer();
    }
    unanswered = false;
    struct pollfd step = {.fd = control, .events = POLLOUT};
    if (control >= 0) poll(&step, 1, PATIENCE_MS);
}
