// SPDX-License-Identifier: Apache-2.0
// The first process of a Linux guest: prepares the system, runs one program, powers off when it ends.
//
//   /proc, /sys and /dev are mounted, and the modules that /lib/modules-load lists are loaded in its order.
//   ip=ADDRESS::GATEWAY:NETMASK:HOSTNAME:DEVICE:off on the kernel's command line sets the network.
//   The program and its arguments are our own arguments, its environment is ours: the kernel takes both from
//   its command line (arguments behind "--").  It owns the console as its terminal, so Ctrl-C reaches it.
//
// Whatever fails is one line on the console, beginning with "init:"; only what the program needs ends the guest.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CANNOT_RUN = 127, TEXT = 4096 };

static const char MODULE_LIST[] = "/lib/modules-load";
static const char SEARCH_PATH[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

struct network {
    struct sockaddr_in address, gateway, netmask;
    const char *hostname, *device;
};

// ---- errors ----------------------------------------------------------------------------------------------------

static void report(const char *format, ...)
{
    char line[TEXT];
    va_list words;
    va_start(words, format);
    vsnprintf(line, sizeof line, format, words);
    va_end(words);
    dprintf(STDERR_FILENO, "init: %s\n", line);
}

static int failed(const char *action, const char *object)
{
    report("%s %s: %s", action, object, strerror(errno));
    return -1;
}

// ---- files -----------------------------------------------------------------------------------------------------

// The first line of a file, empty if there is none.
static void read_line(const char *path, char line[TEXT])
{
    line[0] = '\0';
    FILE *file = fopen(path, "re");
    if (!file || !fgets(line, TEXT, file)) failed("read", path);
    if (file) fclose(file);
    line[strcspn(line, "\n")] = '\0';
}

static void mount_system(const char *type, const char *target, unsigned long flags)
{
    mkdir(target, 0755);
    if (mount(type, target, type, flags, "") < 0 && errno != EBUSY) failed("mount", target);
}

static void mount_all(void)
{
    mount_system("proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC);
    mount_system("sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC);
    mount_system("devtmpfs", "/dev", MS_NOSUID | MS_NOEXEC);
}

// ---- modules ---------------------------------------------------------------------------------------------------

static void load_module(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST)) failed("load module", path);
    if (fd >= 0) close(fd);
}

// A kernel with its drivers built in comes without the list.
static void load_modules(void)
{
    char path[TEXT];
    FILE *list = fopen(MODULE_LIST, "re");
    if (!list) {
        if (errno != ENOENT) failed("open", MODULE_LIST);
        return;
    }
    while (fgets(path, sizeof path, list)) {
        path[strcspn(path, "\n")] = '\0';
        if (*path) load_module(path);
    }
    fclose(list);
}

// ---- network ---------------------------------------------------------------------------------------------------

// The value of `key` (such as "ip=") among the kernel's words; what follows "--" is not the kernel's.
static char *kernel_option(char *cmdline, const char *key)
{
    char *value = NULL;
    for (char *word = strtok(cmdline, " "); word && strcmp(word, "--") != 0; word = strtok(NULL, " "))
        if (strncmp(word, key, strlen(key)) == 0) value = word + strlen(key);
    return value;
}

static int parse_address(const char *text, struct sockaddr_in *address)
{
    *address = (struct sockaddr_in){.sin_family = AF_INET};
    if (inet_pton(AF_INET, text, &address->sin_addr) == 1) return 0;
    report("ip=: '%s' is not an IPv4 address", text);
    return -1;
}

// An empty gateway stays 0.0.0.0, which is no gateway.
static int parse_network(char *value, struct network *network)
{
    const char *field[7] = {"", "", "", "", "", "", ""};
    for (int i = 0; i < 7 && value; i++) field[i] = strsep(&value, ":");
    network->hostname = field[4];
    network->device = *field[5] ? field[5] : "eth0";
    if (parse_address(field[0], &network->address) < 0) return -1;
    if (parse_address(*field[2] ? field[2] : "0.0.0.0", &network->gateway) < 0) return -1;
    return parse_address(field[3], &network->netmask);
}

static int configure(int sock, const char *device, unsigned long request, struct ifreq interface)
{
    strncpy(interface.ifr_name, device, IFNAMSIZ - 1);
    if (ioctl(sock, request, &interface) == 0) return 0;
    return failed("configure", device);
}

static int set_up(int sock, const char *device)
{
    return configure(sock, device, SIOCSIFFLAGS, (struct ifreq){.ifr_flags = IFF_UP | IFF_RUNNING});
}

static int set_address(int sock, const char *device, unsigned long request, const struct sockaddr_in *address)
{
    struct ifreq interface = {0};
    memcpy(&interface.ifr_addr, address, sizeof *address);
    return configure(sock, device, request, interface);
}

static int add_route(int sock, struct rtentry route)
{
    route.rt_flags |= RTF_UP;
    route.rt_dst.sa_family = route.rt_genmask.sa_family = AF_INET;
    if (ioctl(sock, SIOCADDRT, &route) == 0 || errno == EEXIST) return 0;
    return failed("add a route on", route.rt_dev);
}

// A gateway outside the subnet gets a route of its own first, or the kernel refuses it.
static int set_gateway(int sock, const struct network *network)
{
    struct rtentry direct = {.rt_flags = RTF_HOST, .rt_dev = (char *)network->device};
    struct rtentry beyond = {.rt_flags = RTF_GATEWAY, .rt_dev = (char *)network->device};
    in_addr_t gateway = network->gateway.sin_addr.s_addr;
    if (!gateway) return 0;
    memcpy(&direct.rt_dst, &network->gateway, sizeof direct.rt_dst);
    memcpy(&beyond.rt_gateway, &network->gateway, sizeof beyond.rt_gateway);
    int outside = (network->address.sin_addr.s_addr ^ gateway) & network->netmask.sin_addr.s_addr;
    if (outside && add_route(sock, direct) < 0) return -1;
    return add_route(sock, beyond);
}

static int set_device(int sock, const struct network *network)
{
    const char *device = network->device;
    if (set_address(sock, device, SIOCSIFADDR, &network->address) < 0) return -1;
    if (set_address(sock, device, SIOCSIFNETMASK, &network->netmask) < 0) return -1;
    if (set_up(sock, device) < 0) return -1;
    return set_gateway(sock, network);
}

static void set_network(void)
{
    char cmdline[TEXT];
    struct network network;
    int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    set_up(sock, "lo");
    read_line("/proc/cmdline", cmdline);
    char *value = kernel_option(cmdline, "ip=");
    if (value && parse_network(value, &network) == 0) {
        if (*network.hostname && sethostname(network.hostname, strlen(network.hostname)) < 0) failed("set hostname", network.hostname);
        set_device(sock, &network);
    }
    close(sock);
}

// ---- the program -----------------------------------------------------------------------------------------------

// The console that the kernel prints to, by its real name: /dev/console cannot be a controlling terminal.
static void own_console(void)
{
    char active[TEXT], path[TEXT + 8];
    read_line("/sys/class/tty/console/active", active);
    const char *last = strrchr(active, ' ');
    snprintf(path, sizeof path, "/dev/%s", last ? last + 1 : active);
    int fd = open(path, O_RDWR);
    if (fd < 0) {
        failed("open console", path);
        return;
    }
    setsid();
    ioctl(fd, TIOCSCTTY, 0);
    for (int target = 0; target <= 2; target++) dup2(fd, target);
    if (fd > 2) close(fd);
}

static void execute(char **words)
{
    own_console();
    execvp(words[0], words);
    failed("run", words[0]);
    _exit(CANNOT_RUN);
}

// Waits for the program, and for every orphan that becomes ours meanwhile.
static int wait_for(pid_t program)
{
    int status = 0;
    for (;;) {
        pid_t ended = wait(&status);
        if (ended == program) return status;
        if (ended < 0 && errno != EINTR) return failed("wait for", "the program");
    }
}

static void run(char **words)
{
    pid_t program = fork();
    if (program == 0) execute(words);
    if (program < 0) {
        failed("start", words[0]);
        return;
    }
    int status = wait_for(program);
    if (WIFSIGNALED(status)) report("%s was ended by signal %d", words[0], WTERMSIG(status));
    if (WIFEXITED(status) && WEXITSTATUS(status)) report("%s ended with status %d", words[0], WEXITSTATUS(status));
}

int main(int count, char **words)
{
    (void)count;
    mount_all();
    load_modules();
    set_network();
    unsetenv("ip");  // a kernel without this option of its own takes it for a variable
    setenv("PATH", SEARCH_PATH, 0);
    if (words[1])
        run(words + 1);
    else
        report("no program to run: write it behind \"--\" on the kernel's command line");
    sync();
    reboot(RB_POWER_OFF);
    return failed("switch off", "the machine");
}
