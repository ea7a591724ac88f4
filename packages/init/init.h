// SPDX-License-Identifier: Apache-2.0
// The first process of a Linux guest.  docs/guest.md says what it is told and what it does.
#pragma once
#define _GNU_SOURCE
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

// Exit statuses of our own; the last two are those of a shell.
enum { CANNOT_PREPARE = 125, CANNOT_EXECUTE = 126, NOT_FOUND = 127, KILLED = 128 };

enum { TEXT = 4096, NAME = 256 };

// ---- messages.c: one line each, on our standard error, unless somebody else listens -----------------------------

void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void speak_to(int fd);
bool fail(const char *format, ...) __attribute__((format(printf, 1, 2)));  // with what errno means; always false
void explain(const char *format, ...) __attribute__((format(printf, 1, 2)));

// ---- config.c: what we are told, as records in their order -------------------------------------------------------

struct record {
    const char *key;
    char *value;
};

struct config {
    struct record *records;
    size_t count;
    bool whole;  // says everything, so that nothing of it may be missing
};

void add(struct config *config, const char *key, char *value);
const char *last(const struct config *config, const char *key, const char *otherwise);
long number(const struct config *config, const char *key, const char *otherwise, int base);
char **all(const struct config *config, const char *key);
bool parse_config(struct config *config, char *data, size_t size);

// ---- files.c -----------------------------------------------------------------------------------------------------

char *read_file(const char *path, size_t *size);
void read_line(const char *path, char *line, size_t size);
bool make_directories(const char *path);
bool look_for(const char *folder, const char *file, const char *content, char name[NAME]);
bool find_entry(const char *folder, const char *file, const char *content, char name[NAME]);
char *take_word(char **rest);

// ---- orders.c, urunit.c, cmdline.c: where we are told ------------------------------------------------------------

bool read_orders(struct config *config, char **words);
bool read_urunit(struct config *config, const char *path, char **words);
void read_cmdline(struct config *config, char **words);
void read_address(struct config *config);

// ---- modules.c, network.c ----------------------------------------------------------------------------------------

void load_modules(bool without_ports);
void load_ports(void);
bool set_network(const struct config *config);

// ---- mounts.c, reasons.c, root.c, volumes.c ----------------------------------------------------------------------

struct source {
    const char *type, *name, *fstype;
    bool readonly;
};

void mount_system(void);
void unmount_system(void);
char *parse_source(char *value, struct source *source);
bool has_disks(void);
void explain_disk(const char *path);
void explain_share(const char *type);
bool mount_source(const struct source *source, const char *target);

bool enter_root(const struct config *config, int initramfs);
void remove_orders(int initramfs);

bool mount_volumes(const struct config *config, int initramfs);
void unmount_volumes(const struct config *config);

// ---- streams.c, relay.c: the program's standard input, output and error ------------------------------------------

struct streams {
    int program[3];  // what the program gets
    int ours[3];     // the other ends of its pipes, where the streams are ports
    bool ports;
    bool terminal;  // is its controlling terminal
    bool pty;       // is to become that
};

bool wants_ports(const struct config *config);
void open_streams(const struct config *config, struct streams *streams);
void connect_streams(const struct streams *streams);
int open_port(const char *name);
int try_port(const char *name);

void add_relay(int from, int to);
void relay(int signals);
void drain(void);
long now_ms(void);

// ---- control.c, program.c, memory.c, end.c ---------------------------------------------------------------------------------

void open_control(const struct config *config);
void listen_to_control(void);
void read_control(pid_t program);
void drain_control(void);

int run(const struct config *config, const struct streams *streams);
int execute(const struct config *config, const struct streams *streams);
int become(char **words);

void say_if_short_of_memory(const char *program);

int end(const struct config *config, int status);

// ---- frames.c, sessions.c, descendants.c: programs that are started later ----------------------------------------

enum { FRAME_HEAD = 5, FRAME = 16384, LONGEST_FRAME = 4 << 20, WAITING = 2 * (FRAME_HEAD + FRAME) + 2 * TEXT };

struct port {
    int fd;
    char *in;
    size_t got, room;
    size_t start, end;
    char out[WAITING];
};

typedef void frame_taker(void *whom, char kind, char *data, size_t size);

void put_frame(struct port *port, char kind, const void *data, size_t size);
bool has_frames(const struct port *port);
bool send_frames(struct port *port);
bool read_frames(struct port *port, frame_taker *take, void *whom);
void close_port(struct port *port);

// Each waits for its port, its errors, and the program's three streams.
enum { SESSIONS = 16, STEPS = 5, SESSION_STEPS = SESSIONS * STEPS };

struct pollfd;
bool open_session(const char *name);
bool await_ports(void);
void watch_sessions(struct pollfd *steps);
void serve_sessions(const struct pollfd *steps);
void end_session(pid_t program, int status);

void kill_descendants(pid_t program);
