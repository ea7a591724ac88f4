// SPDX-License-Identifier: Apache-2.0
// Without a file of orders: the program is our arguments, its environment is ours (the kernel takes both from its
// command line), and ip=ADDRESS::GATEWAY:NETMASK:HOSTNAME:DEVICE:off there sets the network.
#include "init.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char SEARCH_PATH[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// The value of `key` (such as "ip=") among the kernel's words; what follows "--" is not the kernel's.
static char *kernel_option(char *cmdline, const char *key)
{
    char *value = NULL;
    for (char *word; (word = strsep(&cmdline, " \n")) && strcmp(word, "--") != 0;)
        if (strncmp(word, key, strlen(key)) == 0) value = word + strlen(key);
    return value;
}

static void add_text(struct config *config, const char *key, const char *format, const char *word, int count)
{
    char text[NAME];
    snprintf(text, sizeof text, format, word, count);
    add(config, key, strdup(text));
}

// 255.255.255.0 is 24.
static int prefix_of(const char *netmask)
{
    struct in_addr mask;
    return inet_pton(AF_INET, netmask, &mask) == 1 ? __builtin_popcount(mask.s_addr) : 32;
}

void read_address(struct config *config)
{
    size_t size;
    char *field[7], *cmdline = read_file("/proc/cmdline", &size);
    char *value = cmdline ? kernel_option(cmdline, "ip=") : NULL;
    if (!value) return;
    for (int i = 0; i < 7; i++) {
        char *next = strsep(&value, ":");
        field[i] = next ? next : "";
    }
    if (!*field[0]) return;
    add_text(config, "interface", "- 0 %s", *field[5] ? field[5] : "eth0", 0);
    add_text(config, "address", "%s/%d", field[0], prefix_of(field[3]));
    if (*field[2]) add_text(config, "route", "default %s 0", field[2], 0);
    if (*field[4]) add(config, "hostname", field[4]);
}

void read_cmdline(struct config *config, char **words)
{
    unsetenv("ip");  // a kernel without this option of its own takes it for a variable
    setenv("PATH", SEARCH_PATH, 0);
    for (; *words; words++) add(config, "arg", *words);
    for (char **variable = environ; *variable; variable++) add(config, "env", *variable);
    add(config, "terminal", "0 0");
    read_address(config);
}
