// SPDX-License-Identifier: Apache-2.0
// Frames on a port: a letter, four bytes of length (the lowest first), and as many bytes.
#include "init.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static size_t length_of(const char *head)
{
    const unsigned char *bytes = (const unsigned char *)head + 1;
    return bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16 | (size_t)bytes[3] << 24;
}

// There is always room: who sends waits for an answer before the next frame of the same kind.
void put_frame(struct port *port, char kind, const void *data, size_t size)
{
    if (sizeof port->out - port->end < FRAME_HEAD + size) {
        memmove(port->out, port->out + port->start, port->end - port->start);
        port->end -= port->start;
        port->start = 0;
    }
    if (sizeof port->out - port->end < FRAME_HEAD + size) return;
    char *frame = port->out + port->end;
    frame[0] = kind;
    for (int i = 0; i < 4; i++) frame[1 + i] = (char)(size >> 8 * i);
    memcpy(frame + FRAME_HEAD, data, size);
    port->end += FRAME_HEAD + size;
}

bool has_frames(const struct port *port)
{
    return port->start < port->end;
}

// False if there is nobody behind the port.
bool send_frames(struct port *port)
{
    ssize_t put = write(port->fd, port->out + port->start, port->end - port->start);
    if (put < 0) return errno == EAGAIN;
    port->start += (size_t)put;
    return true;
}

static void make_room(struct port *port, size_t size)
{
    if (port->room >= size) return;
    port->in = realloc(port->in, size);
    if (!port->in) abort();
    port->room = size;
}

// Every whole frame; what is there of the next one stays.
static bool take_frames(struct port *port, frame_taker *take, void *whom)
{
    while (port->got >= FRAME_HEAD) {
        size_t size = length_of(port->in), whole = FRAME_HEAD + size;
        if (size > LONGEST_FRAME) return false;
        make_room(port, whole);
        if (port->got < whole) break;
        take(whom, port->in[0], port->in + FRAME_HEAD, size);
        port->got -= whole;
        memmove(port->in, port->in + whole, port->got);
    }
    return true;
}

// False if there is nobody behind the port, or nobody who speaks like this.
bool read_frames(struct port *port, frame_taker *take, void *whom)
{
    make_room(port, FRAME_HEAD + FRAME);
    ssize_t got = read(port->fd, port->in + port->got, port->room - port->got);
    if (got <= 0) return got < 0 && errno == EAGAIN;
    port->got += (size_t)got;
    return take_frames(port, take, whom);
}

void close_port(struct port *port)
{
    if (port->fd >= 0) close(port->fd);
    free(port->in);
    port->fd = -1;
    port->in = NULL;
}
