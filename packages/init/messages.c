// SPDX-License-Identifier: Apache-2.0
// What we have to say: one line each, on our standard error.
#include "init.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// In one write, so that no line of anybody else gets in between.
static void write_line(const char *format, va_list words, const char *reason)
{
    char text[TEXT], line[TEXT + NAME];
    vsnprintf(text, sizeof text, format, words);
    int size = snprintf(line, sizeof line, "init: %s%s%s\n", text, *reason ? ": " : "", reason);
    if (write(STDERR_FILENO, line, (size_t)size) < 0) return;  // there is nobody else to tell
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
    write_line(format, words, strerror(error));
    va_end(words);
    errno = error;
    return false;
}
