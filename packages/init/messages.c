// SPDX-License-Identifier: Apache-2.0
// What we have to say: one line each, on our standard error, unless somebody else listens.
#include "init.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int listener = STDERR_FILENO;

void speak_to(int fd)
{
    listener = fd;
}

// In one write, so that no line of anybody else gets in between.
static void write_line(const char *format, va_list words, const char *why)
{
    char text[TEXT], line[2 * TEXT + NAME];
    vsnprintf(text, sizeof text, format, words);
    int size = snprintf(line, sizeof line, "init: %s%s%s\n", text, *why ? ": " : "", why);
    if (write(listener, line, (size_t)size) < 0) return;  // there is nobody else to tell
}

static char reason[TEXT];

// What the next failure has for a reason, instead of what errno means.
void explain(const char *format, ...)
{
    va_list words;
    va_start(words, format);
    vsnprintf(reason, sizeof reason, format, words);
    va_end(words);
}

void say(const char *format, ...)
{
    va_list words;
    va_start(words, format);
    write_line(format, words, "");
    va_end(words);
}

bool fail(const char *format, ...)
{
    va_list words;
    int error = errno;
    va_start(words, format);
    write_line(format, words, *reason ? reason : strerror(error));
    *reason = '\0';
    va_end(words);
    errno = error;
    return false;
}
