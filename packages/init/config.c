// SPDX-License-Identifier: Apache-2.0
// The records that say what to do, and the file that has them: "urunc 2", then KEY LENGTH, the value, a newline each.
#include "init.h"

#include <stdlib.h>
#include <string.h>

static const char FIRST_LINE[] = "urunc 2\n";

static const char *const KEYS[] = {
    "address", "arg",    "control",    "cwd",  "domainname", "env",   "exec",     "gid",   "group", "hostname", "interface",
    "mount",   "report", "rlimit",     "root", "route",      "stdio", "stopsignal", "sysctl", "terminal", "tmpfs", "uid",  "umask",
};

void add(struct config *config, const char *key, char *value)
{
    if (config->count % 64 == 0) {
        size_t size = (config->count + 64) * sizeof *config->records;
        config->records = realloc(config->records, size);
        if (!config->records) abort();
    }
    config->records[config->count++] = (struct record){key, value};
}

const char *last(const struct config *config, const char *key, const char *otherwise)
{
    for (size_t i = config->count; i-- > 0;)
        if (strcmp(config->records[i].key, key) == 0) return config->records[i].value;
    return otherwise;
}

long number(const struct config *config, const char *key, const char *otherwise, int base)
{
    return strtol(last(config, key, otherwise), NULL, base);
}

// Every value of a key, and NULL behind them, as execve wants them.
char **all(const struct config *config, const char *key)
{
    size_t count = 0;
    char **values = calloc(config->count + 1, sizeof *values);
    if (!values) abort();
    for (size_t i = 0; i < config->count; i++)
        if (strcmp(config->records[i].key, key) == 0) values[count++] = config->records[i].value;
    return values;
}

static bool is_known(const char *key)
{
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++)
        if (strcmp(KEYS[i], key) == 0) return true;
    return false;
}

// One record at `data`; returns what is behind it, or NULL.
static char *parse_record(struct config *config, char *data, const char *end)
{
    char *newline = memchr(data, '\n', (size_t)(end - data));
    char *space = newline ? memchr(data, ' ', (size_t)(newline - data)) : NULL;
    if (!space) return NULL;
    size_t length = strtoul(space + 1, NULL, 10);
    if (length >= (size_t)(end - newline - 1)) return NULL;
    char *value = newline + 1;
    *space = value[length] = '\0';
    if (is_known(data))
        add(config, data, value);
    else
        say("unknown key in the configuration: %s", data);
    return value + length + 1;
}

bool parse_config(struct config *config, char *data, size_t size)
{
    char *end = data + size;
    config->whole = true;
    size_t first = sizeof FIRST_LINE - 1;
    if (size < first || memcmp(data, FIRST_LINE, first) != 0) {
        say("the configuration is not of version 2");
        return false;
    }
    for (data += first; data && data < end;) data = parse_record(config, data, end);
    if (!data) say("the configuration ends within a record");
    return data != NULL;
}
