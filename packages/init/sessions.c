// SPDX-License-Identifier: Apache-2.0
// Programs that are started later, each served on a port of its own.  docs/guest.md has the frames.
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

// After the end of a program, its pipes may hold this much; a process that it left behind could write for ever.
enum { AFTER_END = 262144, PATIENCE_MS = 10000 };

struct session {
    char name[NAME];
    long since_ms;
    struct port port;
    bool connected, terminal, ended, told;
    struct winsize window;
    pid_t program;  // 0 before it is started
    int status;
    int errors;  // why it could not be executed; -1 once that is known
    char failure[TEXT];
    size_t failed;
    int streams[3];  // -1: closed
    bool waits[3];   // for the host to have taken what came from this stream
    size_t after_end;
    char input[FRAME];
    size_t start, end;
};

static struct session *sessions[SESSIONS];

static bool is_over(const struct session *session)
{
    return session->port.fd < 0 && session->told && (session->ended || !session->program);
}

static void forget_ended(void)
{
    for (int i = 0; i < SESSIONS; i++) {
        if (!sessions[i] || !is_over(sessions[i])) continue;
        free(sessions[i]);
        sessions[i] = NULL;
    }
}

// False if there are too many.
bool open_session(const char *name)
{
    forget_ended();
    for (int i = 0; i < SESSIONS; i++) {
        if (sessions[i]) continue;
        struct session *session = sessions[i] = calloc(1, sizeof **sessions);
        if (!session) abort();
        snprintf(session->name, sizeof session->name, "%s", name);
        session->since_ms = now_ms();
        session->port.fd = session->errors = -1;
        for (int stream = 0; stream < 3; stream++) session->streams[stream] = -1;
        return true;
    }
    say("there are %d sessions already", SESSIONS);
    return false;
}

static void close_end(int *end)
{
    if (*end >= 0) close(*end);
    *end = -1;
}

// A terminal is one descriptor for both directions.
static void close_stream(struct session *session, int stream)
{
    if (session->terminal && stream < 2) session->streams[1 - stream] = -1;
    close_end(&session->streams[stream]);
}

// ---- the program -------------------------------------------------------------------------------------------------

static bool make_pipes(struct session *session, struct streams *streams)
{
    for (int i = 0; i < 3; i++) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) < 0) return false;
        session->streams[i] = ends[i == 0];
        streams->program[i] = ends[i != 0];
        fcntl(session->streams[i], F_SETFL, O_NONBLOCK);
    }
    return true;
}

static bool make_terminal(struct session *session, struct streams *streams)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (master < 0) return false;
    session->streams[0] = session->streams[1] = master;
    if (grantpt(master) < 0 || unlockpt(master) < 0) return false;
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    for (int i = 0; i < 3; i++) streams->program[i] = slave;
    ioctl(master, TIOCSWINSZ, &session->window);
    return slave >= 0;
}

static int run_orders(char *orders, size_t size, const struct streams *streams, int errors)
{
    struct config config = {0};
    speak_to(errors);
    signal(SIGPIPE, SIG_DFL);
    if (!parse_config(&config, orders, size)) return CANNOT_PREPARE;
    return execute(&config, streams);
}

static bool spawn(struct session *session, char *orders, size_t size, struct streams *streams)
{
    int errors[2];
    if (!(session->terminal ? make_terminal : make_pipes)(session, streams)) return false;
    if (pipe2(errors, O_CLOEXEC | O_NONBLOCK) < 0) return false;
    pid_t program = fork();
    if (program == 0) _exit(run_orders(orders, size, streams, errors[1]));
    close(errors[1]);
    session->errors = errors[0];
    session->program = program > 0 ? program : 0;
    return program > 0;
}

static void tell_failure(struct session *session, int status)
{
    char text[TEXT + 1];
    text[0] = (char)status;
    memcpy(text + 1, session->failure, session->failed);
    put_frame(&session->port, 'f', text, 1 + session->failed);
    session->told = true;
}

static void start(struct session *session, char *orders, size_t size)
{
    struct streams streams = {.program = {-1, -1, -1}, .pty = session->terminal};
    if (session->program || session->told) return;
    if (!spawn(session, orders, size, &streams)) {
        session->failed = (size_t)snprintf(session->failure, TEXT, "start a program: %s\n", strerror(errno));
        tell_failure(session, CANNOT_PREPARE);
    }
    for (int i = 0; i < (session->terminal ? 1 : 3); i++) close_end(&streams.program[i]);
}

static void set_window(struct session *session, const char *data, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)data;
    if (size < 4) return;
    session->window.ws_row = (unsigned short)(bytes[0] | bytes[1] << 8);
    session->window.ws_col = (unsigned short)(bytes[2] | bytes[3] << 8);
    if (!session->program) session->terminal = true;
    if (session->terminal && session->streams[0] >= 0) ioctl(session->streams[0], TIOCSWINSZ, &session->window);
}

// ---- streams -----------------------------------------------------------------------------------------------------

static void take_input(struct session *session, const char *data, size_t size)
{
    if (session->streams[0] < 0)
        put_frame(&session->port, 'a', "0", 1);  // nobody reads it any more
    else if (size == 0 && !session->terminal)
        close_stream(session, 0);
    else if (size <= FRAME)
        memcpy(session->input, data, session->end = size), session->start = 0;
}

static void write_input(struct session *session)
{
    ssize_t put = write(session->streams[0], session->input + session->start, session->end - session->start);
    if (put < 0 && errno == EAGAIN) return;
    session->start = put < 0 ? session->end : session->start + (size_t)put;
    if (session->start < session->end) return;
    put_frame(&session->port, 'a', "0", 1);
    if (put < 0) close_stream(session, 0);
}

// False if nothing is there now.
static bool read_output(struct session *session, int stream)
{
    char data[FRAME], kind = (char)('0' + stream);
    ssize_t got = read(session->streams[stream], data, sizeof data);
    if (got < 0 && errno == EAGAIN) return false;
    put_frame(&session->port, kind, data, got < 0 ? 0 : (size_t)got);
    if (got <= 0) {
        close_stream(session, stream);
        return true;
    }
    // Only set here: emulated by QEMU 7.2, a comparison that is stored on a page which a fork shares goes wrong.
    session->waits[stream] = true;
    if (session->ended) session->after_end += (size_t)got;
    return true;
}

static void take(void *whom, char kind, char *data, size_t size)
{
    struct session *session = whom;
    if (kind == 's')
        start(session, data, size);
    else if (kind == 'w')
        set_window(session, data, size);
    else if (kind == '0')
        take_input(session, data, size);
    else if (kind == 'a' && size && (*data == '1' || *data == '2'))
        session->waits[*data - '0'] = false;
    else if (kind == 'k' && size && session->program && !session->ended)
        kill(session->program, *data);
}

// ---- the end -----------------------------------------------------------------------------------------------------

static void read_errors(struct session *session)
{
    ssize_t got = read(session->errors, session->failure + session->failed, TEXT - session->failed);
    if (got > 0) session->failed += (size_t)got;
    if (got > 0 || (got < 0 && errno == EAGAIN)) return;
    close_end(&session->errors);
    if (!session->failed) put_frame(&session->port, 'r', "", 0);
}

static bool is_silent(struct session *session)
{
    for (int stream = 1; stream < 3; stream++) {
        if (session->waits[stream]) return false;
        if (session->streams[stream] < 0 || session->after_end >= AFTER_END) continue;
        if (read_output(session, stream) && session->waits[stream]) return false;
    }
    return true;
}

static void tell_end(struct session *session)
{
    unsigned char status = (unsigned char)session->status;
    if (session->told || !session->ended || session->errors >= 0) return;
    if (session->failed) {
        tell_failure(session, session->status);
    } else if (is_silent(session)) {
        put_frame(&session->port, 'x', &status, 1);
        session->told = true;
    }
}

// The host has hung up, be it that it has heard all or that it is gone.
static void hang_up(struct session *session)
{
    close_port(&session->port);
    for (int stream = 0; stream < 3; stream++) close_stream(session, stream);
    close_end(&session->errors);
    if (session->program && !session->ended) kill_descendants(session->program);
    session->told = true;
}

void end_session(pid_t program, int status)
{
    for (int i = 0; i < SESSIONS; i++) {
        if (!sessions[i] || sessions[i]->ended || sessions[i]->program != program) continue;
        sessions[i]->ended = true;
        sessions[i]->status = WIFSIGNALED(status) ? KILLED + WTERMSIG(status) : WEXITSTATUS(status);
        tell_end(sessions[i]);
    }
}

// ---- the port ----------------------------------------------------------------------------------------------------

// The device takes a moment to appear, and another one to learn that there is a host behind it.
static void connect_port(struct session *session)
{
    struct port *port = &session->port;
    struct pollfd step = {.fd = port->fd, .events = POLLIN};
    if (port->fd < 0) port->fd = try_port(session->name);
    step.fd = port->fd;
    if (port->fd >= 0 && poll(&step, 1, 0) >= 0 && !(step.revents & POLLHUP)) {
        session->connected = true;
        put_frame(port, 'o', "", 0);
    } else if (now_ms() - session->since_ms > PATIENCE_MS) {
        hang_up(session);
    }
}

static bool waits_for_port(const struct session *session)
{
    return session && !session->connected && !session->told;
}

bool await_ports(void)
{
    bool some = false;
    for (int i = 0; i < SESSIONS; i++) {
        if (waits_for_port(sessions[i])) connect_port(sessions[i]);
        some |= waits_for_port(sessions[i]);
    }
    return some;
}

void watch_sessions(struct pollfd *steps)
{
    for (int i = 0; i < SESSION_STEPS; i++) steps[i] = (struct pollfd){.fd = -1};
    for (int i = 0; i < SESSIONS; i++, steps += STEPS) {
        const struct session *session = sessions[i];
        if (!session || !session->connected || session->port.fd < 0) continue;
        steps[0] = (struct pollfd){session->port.fd, has_frames(&session->port) ? POLLIN | POLLOUT : POLLIN, 0};
        if (session->errors >= 0) steps[1] = (struct pollfd){session->errors, POLLIN, 0};
        if (session->start < session->end) steps[2] = (struct pollfd){session->streams[0], POLLOUT, 0};
        for (int stream = 1; stream < 3; stream++)
            if (!session->waits[stream] && !session->told)
                steps[2 + stream] = (struct pollfd){session->streams[stream], POLLIN, 0};
    }
}

static void serve_session(struct session *session, const struct pollfd *steps)
{
    bool there = true;
    if (steps[1].revents) read_errors(session);
    if (steps[2].revents && session->streams[0] >= 0) write_input(session);
    for (int stream = 1; stream < 3; stream++)
        if (steps[2 + stream].revents && session->streams[stream] >= 0) read_output(session, stream);
    if (steps[0].revents & POLLIN) there = read_frames(&session->port, take, session);
    if (there && steps[0].revents & POLLHUP) there = false;
    tell_end(session);
    if (there && has_frames(&session->port)) there = send_frames(&session->port);
    if (!there) hang_up(session);
}

void serve_sessions(const struct pollfd *steps)
{
    for (int i = 0; i < SESSIONS; i++, steps += STEPS) {
        if (sessions[i] && sessions[i]->connected && sessions[i]->port.fd >= 0) serve_session(sessions[i], steps);
    }
    forget_ended();
}
