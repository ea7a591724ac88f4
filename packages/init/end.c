// SPDX-License-Identifier: Apache-2.0
// The end: nobody runs any more, everything is written, the status gets out, and the machine is switched off.
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined __x86_64__
#include <sys/io.h>
#endif

static void kill_all(void)
{
    kill(-1, SIGKILL);
    while (wait(NULL) > 0 || errno == EINTR) continue;
}

#if defined __x86_64__

static const char REPORT[] = "debug-exit ";  // PORT

// The device makes 2 * status + 1 of it, and eight bits of that get out. So of 128 and a signal's number the number
// does, and 128 itself becomes 1: it must not look like the success that 0 is.
static unsigned char seven_bits(int status)
{
    return status == 128 ? 1 : (unsigned char)(status & 127);
}

static void tell(const char *port, int status)
{
    unsigned short number = (unsigned short)strtoul(port, NULL, 0);
    if (ioperm(number, 1, 1) < 0)
        fail("use the port %s", port);
    else
        outb(seven_bits(status), number);
}

#else

static const char REPORT[] = "semihosting";

// Where nobody serves it, this instruction kills whoever executes it.
static void tell(const char *nothing, int status)
{
    (void)nothing;
    pid_t victim = fork();
    if (victim == 0) {
        long reason[2] = {0x20026, status};  // the application has ended
        register long operation __asm__("x0") = 0x20;
        register long *argument __asm__("x1") = reason;
        __asm__ volatile("hlt #0xf000" : "+r"(operation) : "r"(argument) : "memory");
    }
    waitpid(victim, NULL, 0);
    say("the status %d cannot be reported: nobody serves semihosting", status);
}

#endif

static const char RESET[] = "reset";

static void report(const char *how, int status)
{
    size_t length = sizeof REPORT - 1;
    if (strncmp(how, REPORT, length) == 0)
        tell(how + length, status);
    else if (strcmp(how, "none") != 0 && strcmp(how, RESET) != 0)
        say("unknown way to report a status: %s", how);
}

// The program's standard error is no place for "Power down", which the kernel takes for an emergency.
static void silence_kernel(void)
{
    int fd = open("/proc/sys/kernel/printk", O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, "0", 1) < 0) fail("silence the kernel");
    if (fd >= 0) close(fd);
}

int end(const struct config *config, int status)
{
    kill_all();
    unmount_volumes(config);
    sync();
    drain();
    const char *how = last(config, "report", "none");
    if (status) report(how, status);
    drain();
    silence_kernel();
    // Where the machine cannot be switched off, its monitor ends at a reset.
    reboot(strcmp(how, RESET) == 0 ? RB_AUTOBOOT : RB_POWER_OFF);
    return fail("switch off the machine");
}
