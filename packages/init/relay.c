// SPDX-License-Identifier: Apache-2.0
// Bytes between ports and pipes, both without waiting: at most one buffer is on the way in each direction.
#include "init.h"

#include <errno.h>
#include <poll.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { RELAYS = 3, SIZE = 16384, GRACE_MS = 100, PAUSE_MS = 5 };

struct relay {
    int from, to;  // -1: nothing more comes
    bool paused;
    size_t start, end;
    char data[SIZE];
};

static struct relay relays[RELAYS];
static size_t count;
static long opened_ms;

long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void add_relay(int from, int to)
{
    opened_ms = now_ms();
    relays[count++] = (struct relay){.from = from, .to = to};
}

static bool is_empty(const struct relay *relay)
{
    return relay->start == relay->end;
}

// The program reads the end of its input. A port of output stays open: closing it drops what is on its way.
static void stop(struct relay *relay)
{
    close(relay->from);
    if (relay == relays) close(relay->to);
    relay->from = -1;
    relay->start = relay->end = 0;
}

static bool fill(struct relay *relay)
{
    ssize_t got = read(relay->from, relay->data, SIZE);
    relay->start = 0;
    relay->end = got < 0 ? 0 : (size_t)got;
    return got > 0 || (got < 0 && errno == EAGAIN);
}

static bool flush(struct relay *relay)
{
    ssize_t put = write(relay->to, relay->data + relay->start, relay->end - relay->start);
    if (put > 0) relay->start += (size_t)put;
    return put >= 0 || errno == EAGAIN;
}

static struct pollfd next_step(const struct relay *relay)
{
    if (relay->from < 0 || relay->paused) return (struct pollfd){.fd = -1};
    if (is_empty(relay)) return (struct pollfd){.fd = relay->from, .events = POLLIN};
    return (struct pollfd){.fd = relay->to, .events = POLLOUT};
}

// A new port takes a moment to learn that there is a host behind it; later, it means that the host hung up. Others do not
// wait for it.
static void move(struct relay *relay, short ready)
{
    bool moved = !ready;
    if (ready & POLLIN)
        moved = fill(relay);
    else if (ready & POLLOUT)
        moved = flush(relay);
    relay->paused = !moved && now_ms() - opened_ms <= GRACE_MS;
    if (!moved && !relay->paused) stop(relay);
}

// Until `signals` can be read.
void relay(int signals)
{
    struct pollfd steps[RELAYS + 1 + SESSION_STEPS];
    do {
        bool paused = await_ports();
        for (size_t i = 0; i < count; i++) {
            steps[i] = next_step(&relays[i]);
            paused |= relays[i].paused;
        }
        steps[count] = (struct pollfd){.fd = signals, .events = POLLIN};
        watch_sessions(steps + count + 1);
        if (poll(steps, count + 1 + SESSION_STEPS, paused ? PAUSE_MS : -1) < 0) continue;
        for (size_t i = 0; i < count; i++) move(&relays[i], steps[i].revents);
        serve_sessions(steps + count + 1);
    } while (!(steps[count].revents & POLLIN));
}

static bool wait_until_taken(const struct relay *relay)
{
    struct pollfd step = {.fd = relay->to, .events = POLLOUT};
    return poll(&step, 1, -1) == 1 && (step.revents & POLLOUT);
}

static void drain_one(struct relay *relay)
{
    while (relay->to >= 0 && wait_until_taken(relay)) {
        if (is_empty(relay) && relay->from >= 0) fill(relay);
        if (is_empty(relay)) return;
        flush(relay);
    }
}

// Until the host has all that was written, unless it hung up.
void drain(void)
{
    for (size_t i = 1; i < count; i++) drain_one(&relays[i]);
    drain_control();
    tcdrain(STDERR_FILENO);
}
