// SPDX-License-Identifier: Apache-2.0
// The program's standard input, output and error: ports, a terminal, or the console.
#include "init.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { TRIES = 2000, PAUSE_US = 1000 };

static const char DRIVER[] = "/sys/bus/virtio/drivers/virtio_console";
static const char VIRTIO_TERMINAL[] = "/dev/hvc0";
static const char PORTS[] = "/sys/class/virtio-ports";
static const char *const STREAMS[3] = {"org.urunc.stdin", "org.urunc.stdout", "org.urunc.stderr"};

// A port that has a name already may not have its device yet.
int open_port(const char *name)
{
    char entry[NAME], path[NAME];
    if (!find_entry(PORTS, "name", name, entry)) return -1;
    snprintf(path, sizeof path, "/dev/%.200s", entry);
    for (int try = 0; try < TRIES; try++) {
        int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        if (fd >= 0 || (errno != ENXIO && errno != ENOENT)) return fd;
        usleep(PAUSE_US);
    }
    return -1;
}

// Our own messages must not wait for a reader, since that is us.
static void speak_through(int pipe)
{
    char path[NAME];
    snprintf(path, sizeof path, "/proc/self/fd/%d", pipe);
    int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0) dup2(fd, STDERR_FILENO);
    if (fd >= 0) close(fd);
}

// Between a port and the program is a pipe: a port can be opened only once, and programs open /dev/stdout again.
static bool open_ports(struct streams *streams)
{
    for (int i = 0; i < 3; i++) {
        int ends[2], port = open_port(STREAMS[i]);
        if (port < 0 || pipe2(ends, O_CLOEXEC) < 0) return fail("open the port %s", STREAMS[i]);
        int ours = ends[i == 0];
        fcntl(ours, F_SETFL, O_NONBLOCK);
        streams->program[i] = ends[i != 0];
        if (i == 0)
            add_relay(port, ours);
        else
            add_relay(ours, port);
    }
    speak_through(streams->program[2]);
    return true;
}

static bool has_entry(const char *folder, const char *part)
{
    bool found = false;
    DIR *entries = opendir(folder);
    for (struct dirent *entry; !found && entries && (entry = readdir(entries));)
        found = strstr(entry->d_name, part) != NULL;
    if (entries) closedir(entries);
    return found;
}

// Ports appear in the order of their numbers, and only number 0 is a terminal.
static bool may_still_come(void)
{
    return has_entry(DRIVER, "virtio") && (!has_entry(PORTS, "vport") || has_entry(PORTS, "p0"));
}

static bool has_virtio_terminal(void)
{
    for (int try = 0; try < TRIES; try++) {
        if (access(VIRTIO_TERMINAL, F_OK) == 0) return true;
        if (!may_still_come()) return false;
        usleep(PAUSE_US);
    }
    return false;
}

// The device behind the console: /dev/console itself cannot be a controlling terminal.
static void find_console(char path[NAME])
{
    char active[NAME];
    read_line("/sys/class/tty/console/active", active, sizeof active);
    const char *last = strrchr(active, ' ');
    snprintf(path, NAME, "/dev/%.200s", last ? last + 1 : *active ? active : "console");
}

static void use_terminal(struct streams *streams, const char *path)
{
    int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) fail("open %s", path);
    if (fd < 0) return;
    dup2(fd, STDERR_FILENO);
    for (int i = 0; i < 3; i++) streams->program[i] = fd;
}

// We own it, so that its output is not dropped when the program ends, as that of a program's own session would be.
static void open_terminal(const char *size, struct streams *streams)
{
    char path[NAME];
    struct winsize window = {0};
    char *columns;
    window.ws_row = (unsigned short)strtoul(size, &columns, 10);
    window.ws_col = (unsigned short)strtoul(columns, NULL, 10);
    find_console(path);
    bool sized = window.ws_row && window.ws_col;
    use_terminal(streams, sized && has_virtio_terminal() ? VIRTIO_TERMINAL : path);
    if (sized) ioctl(streams->program[0], TIOCSWINSZ, &window);
    setsid();
    streams->terminal = ioctl(streams->program[0], TIOCSCTTY, 1) == 0;
}

// It changes no byte, and nobody's Ctrl-C means anything to it.
static void open_console(struct streams *streams)
{
    char path[NAME];
    struct termios settings;
    find_console(path);
    use_terminal(streams, path);
    if (tcgetattr(streams->program[0], &settings) < 0) return;
    cfmakeraw(&settings);
    tcsetattr(streams->program[0], TCSANOW, &settings);
}

void open_streams(const struct config *config, struct streams *streams)
{
    const char *terminal = last(config, "terminal", NULL);
    *streams = (struct streams){.program = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}};
    if (terminal)
        open_terminal(terminal, streams);
    else if (strcmp(last(config, "stdio", "console"), "ports") != 0 || !open_ports(streams))
        open_console(streams);
}
