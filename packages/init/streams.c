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
static const char ALL_PORTS[] = "/sys/class/virtio-ports";
static const char VIRTIO_DEVICES[] = "/sys/bus/virtio/devices", CONSOLE_DEVICE[] = "0x0003";
static const char VIRTIO_TERMINAL[] = "/dev/hvc0";
static const char PORTS[] = "virtio-ports";  // below /sys/class
static const char *const STREAMS[3] = {"org.urunc.stdin", "org.urunc.stdout", "org.urunc.stderr"};

// What ports are found in. The program's root may not have these folders, and no room for them.
static int classes = -1, devices = -1;

static int open_device(const char *name)
{
    return openat(devices, name, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
}

// One that may not be there yet; it is not waited for.
int try_port(const char *name)
{
    char entry[NAME];
    bool found = fchdir(classes) == 0 && look_for(PORTS, "name", name, entry);
    return chdir("/") < 0 || !found ? -1 : open_device(entry);
}

// A port that has a name already may not have its device yet.
int open_port(const char *name)
{
    char entry[NAME];
    bool found = fchdir(classes) == 0 && find_entry(PORTS, "name", name, entry);
    if (chdir("/") < 0 || !found) return -1;
    for (int try = 0; try < TRIES; try++) {
        int fd = open_device(entry);
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

// Between a port and the program is a pipe: a port can be opened only once, programs open /dev/stdout again, and
// the program can begin before there are ports.
static bool make_pipes(struct streams *streams)
{
    for (int i = 0; i < 3; i++) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) < 0) return fail("make a pipe");
        streams->ours[i] = ends[i == 0];
        streams->program[i] = ends[i != 0];
        fcntl(streams->ours[i], F_SETFL, O_NONBLOCK);
    }
    speak_through(streams->program[2]);
    return streams->ports = true;
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
    return has_entry(DRIVER, "virtio") && (!has_entry(ALL_PORTS, "vport") || has_entry(ALL_PORTS, "p0"));
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
static void make_raw(int fd)
{
    struct termios settings;
    if (tcgetattr(fd, &settings) < 0) return;
    cfmakeraw(&settings);
    tcsetattr(fd, TCSANOW, &settings);
}

static void open_console(struct streams *streams)
{
    char path[NAME];
    find_console(path);
    use_terminal(streams, path);
    make_raw(streams->program[0]);
}

bool wants_ports(const struct config *config)
{
    return !last(config, "terminal", NULL) && strcmp(last(config, "stdio", "console"), "ports") == 0;
}

// The device is there before its driver is.
static bool may_have_ports(void)
{
    char path[TEXT], kind[NAME] = "";
    DIR *entries = opendir(VIRTIO_DEVICES);
    for (struct dirent *entry; strcmp(kind, CONSOLE_DEVICE) && entries && (entry = readdir(entries));) {
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s/device", VIRTIO_DEVICES, entry->d_name);
        read_line(path, kind, sizeof kind);
    }
    if (entries) closedir(entries);
    if (strcmp(kind, CONSOLE_DEVICE) == 0) return true;
    errno = ENODEV;
    return fail("open the port %s", STREAMS[0]);
}

void open_streams(const struct config *config, struct streams *streams)
{
    const char *terminal = last(config, "terminal", NULL);
    *streams = (struct streams){.program = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}};
    classes = open("/sys/class", O_PATH | O_DIRECTORY | O_CLOEXEC);
    devices = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (terminal)
        open_terminal(terminal, streams);
    else if (!wants_ports(config) || !may_have_ports() || !make_pipes(streams))
        open_console(streams);
}

// Without ports, all of it is on the console.
static int open_end(int index, bool *ports)
{
    int port = *ports ? open_port(STREAMS[index]) : -1;
    if (port >= 0) return port;
    if (*ports) fail("open the port %s", STREAMS[index]);
    *ports = false;
    int console = open_device("console");
    make_raw(console);
    return console;
}

void connect_streams(const struct streams *streams)
{
    bool ports = true;
    if (!streams->ports) return;
    load_ports();
    for (int i = 0; i < 3; i++) {
        int end = open_end(i, &ports), ours = streams->ours[i];
        if (i == 0)
            add_relay(end, ours);
        else
            add_relay(ours, end);
    }
}
