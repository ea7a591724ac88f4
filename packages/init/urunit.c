// SPDX-License-Identifier: Apache-2.0
// The file of runtimes that know another first process: lines between UES and UEE are variables, between UCS and UCE
// UID:, GID: and WD: (the working directory), between UBS and UBE ID: (a block device's serial) and MP: (its target).
// The program is our arguments, where the words of a quoted argument are apart.
#include "init.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The value if the line has this key, with or without a space behind it.
static char *value_of(char *line, const char *key)
{
    size_t length = strlen(key);
    if (strncmp(line, key, length) != 0) return NULL;
    return line + length + strspn(line + length, " ");
}

static void add_mount(struct config *config, const char *serial, const char *target)
{
    char text[TEXT];
    snprintf(text, sizeof text, "block %s rw %s", serial, target);
    add(config, "mount", strdup(text));
}

static void read_setting(struct config *config, char *line)
{
    static const char *const KEYS[][2] = {{"UID:", "uid"}, {"GID:", "gid"}, {"WD:", "cwd"}};
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++) {
        char *value = value_of(line, KEYS[i][0]);
        if (value) add(config, KEYS[i][1], value);
    }
}

static void read_block(struct config *config, char *line, char **serial)
{
    char *target = value_of(line, "MP:"), *id = value_of(line, "ID:");
    if (id) *serial = id;
    if (target && *serial) add_mount(config, *serial, target);
}

static void read_lines(struct config *config, char *data)
{
    char *section = "", *serial = NULL;
    for (char *line; (line = strsep(&data, "\n"));) {
        bool begins = !strcmp(line, "UES") || !strcmp(line, "UCS") || !strcmp(line, "UBS");
        bool ends = !strcmp(line, "UEE") || !strcmp(line, "UCE") || !strcmp(line, "UBE");
        if (begins || ends)
            section = begins ? line : "";
        else if (*line && section[1] == 'E')
            add(config, "env", line);
        else if (section[1] == 'C')
            read_setting(config, line);
        else if (section[1] == 'B')
            read_block(config, line, &serial);
    }
}

// 'a and b' are two words of ours, and one of the program.
static char *join(char **words, size_t *used)
{
    char text[TEXT], quote = words[0][0];
    size_t size = 0;
    for (*used = 0; words[*used];) {
        const char *word = words[(*used)++];
        size += (size_t)snprintf(text + size, sizeof text - size, "%s%s", size ? " " : "", word);
        if (size >= sizeof text) return words[0];
        if (size > 1 && text[size - 1] == quote) break;
    }
    text[size - 1] = '\0';
    return strdup(text + 1);
}

static bool is_quoted(char **words)
{
    char quote = words[0][0];
    if (quote != '\'' && quote != '"') return false;
    for (size_t i = 0; words[i]; i++) {
        size_t length = strlen(words[i]);
        if (length > (i == 0) && words[i][length - 1] == quote) return true;
    }
    return false;
}

bool read_urunit(struct config *config, const char *path, char **words)
{
    size_t size, used;
    char *data = read_file(path, &size);
    if (!data) return fail("read %s", path);
    read_lines(config, data);
    for (; *words; words += used) {
        used = 1;
        add(config, "arg", is_quoted(words) ? join(words, &used) : *words);
    }
    add(config, "terminal", "0 0");
    read_address(config);
    return true;
}
