// SPDX-License-Identifier: Apache-2.0
// The first process of a Linux guest: prepares the system, runs one program, powers off when it ends.
#include "init.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

static void set_names(const struct config *config)
{
    const char *host = last(config, "hostname", ""), *domain = last(config, "domainname", "");
    if (*host && sethostname(host, strlen(host)) < 0) fail("set the host name %s", host);
    if (*domain && setdomainname(domain, strlen(domain)) < 0) fail("set the domain name %s", domain);
}

// PATH VALUE; a kernel that lacks one runs the program all the same.
static void set_sysctl(char *value)
{
    char path[TEXT];
    snprintf(path, sizeof path, "/proc/sys/%s", take_word(&value));
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0 || write(file, value, strlen(value)) < 0) fail("write %s to %s", value, path);
    if (file >= 0) close(file);
}

// The program is not run without its network or its data; without a configuration it may do with less.
static bool prepare(const struct config *config)
{
    int initramfs = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    set_names(config);
    if (!set_network(config) && config->whole) return false;
    for (char **value = all(config, "sysctl"); *value; value++) set_sysctl(*value);
    if (!enter_root(config, initramfs) || !mount_volumes(config, initramfs)) return false;
    if (config->whole) remove_orders(initramfs);
    return true;
}

static bool has_program(const struct config *config)
{
    if (last(config, "arg", NULL)) return true;
    say("no program to run");
    return false;
}

int main(int count, char **words)
{
    struct config config = {0};
    struct streams streams;
    if (getpid() != 1 && count > 1) return become(words + 1);  // the image's command has us, but all is done already
    mount_system();
    bool told = read_orders(&config, words + (count > 0));
    load_modules(wants_ports(&config));
    open_streams(&config, &streams);
    if (told && has_program(&config) && prepare(&config)) return end(&config, run(&config, &streams));
    connect_streams(&streams);
    return end(&config, CANNOT_PREPARE);
}
