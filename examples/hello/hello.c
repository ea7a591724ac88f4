// SPDX-License-Identifier: Apache-2.0
// A unikernel in one file: greets on the first serial port, says what it was given, and ends.
//
// Words on the command line change what happens after the greeting:
//   exit=N   end with status N (1 to 127); without it the status is 0
//   echo     send back what arrives on the serial port, until Ctrl-C or Ctrl-D; control bytes as <hex>
//   spin     stay for ever
//   button   stay until somebody presses the power button of a machine with ACPI registers
#include <stdint.h>

enum { COM1 = 0x3f8, LINE_STATUS = COM1 + 5, RECEIVED = 0x01, SENT = 0x20 };
enum { CTRL_C = 3, CTRL_D = 4, RAM = 1, POWER_BUTTON = 0x100 };
enum { DEBUG_EXIT = 0x501, PM_STATUS = 0x600, PM_ENABLE = 0x602, PM_CONTROL = 0x604, SLEEP_NOW = 0x2000, GED_SLEEP = 0xfea00200, GED_S5 = 0x34 };

// What the monitor hands over: "hvm_start_info" and its memory map, version 1, of the PVH boot protocol.
struct start_info {
    uint32_t magic, version, flags, modules;
    uint64_t module_list, cmdline, rsdp, memmap;
    uint32_t memmap_entries, reserved;
};
struct memory {
    uint64_t address, size;
    uint32_t type, reserved;
};

static void outb(uint16_t port, uint8_t value) { __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port)); }
static void outw(uint16_t port, uint16_t value) { __asm__ volatile("outw %0, %1" ::"a"(value), "Nd"(port)); }
static uint8_t inb(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static uint16_t inw(uint16_t port)
{
    uint16_t value;
    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static void put(char byte)
{
    while (!(inb(LINE_STATUS) & SENT)) {}
    outb(COM1, byte);
}

static void print(const char *text)
{
    for (; *text; text++) {
        if (*text == '\n') put('\r');
        put(*text);
    }
}

static void print_number(uint32_t number)
{
    if (number >= 10) print_number(number / 10);
    put('0' + number % 10);
}

// All RAM of the memory map, rounded up: firmware keeps a few hundred KiB of what the machine has.
static uint32_t memory_mib(const struct start_info *info)
{
    const struct memory *map = (void *)(uintptr_t)info->memmap;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < info->memmap_entries; i++)
        if (map[i].type == RAM) bytes += map[i].size;
    return (bytes + 0xfffff) >> 20;
}

// The text behind the first word of `line` that starts with `prefix`, or nothing.
static const char *find(const char *line, const char *prefix)
{
    for (const char *word = line; *word; word++) {
        if (word > line && word[-1] != ' ') continue;
        const char *p = prefix, *w = word;
        while (*p && *p == *w) p++, w++;
        if (!*p) return w;
    }
    return 0;
}

static int has_word(const char *line, const char *word)
{
    const char *rest = find(line, word);
    return rest && (*rest == ' ' || !*rest);
}

static uint8_t number(const char *text)
{
    uint8_t value = 0;
    while (text && *text >= '0' && *text <= '9') value = value * 10 + *text++ - '0';
    return value;
}

static void echo(void)
{
    for (uint8_t byte = 0; byte != CTRL_C && byte != CTRL_D;) {
        while (!(inb(LINE_STATUS) & RECEIVED)) __asm__ volatile("pause");
        byte = inb(COM1);
        if (byte == '\r' || byte == '\n') {
            print("\n");
        } else if (byte < ' ') {
            print("<"), put('0' + byte / 16), put("0123456789abcdef"[byte % 16]), print(">");
        } else {
            put(byte);
        }
    }
    print("\n");
}

static void wait_for_button(void)
{
    outw(PM_ENABLE, POWER_BUTTON);
    print("waiting for the power button\n");
    while (!(inw(PM_STATUS) & POWER_BUTTON)) __asm__ volatile("pause");
    print("asked to shut down\n");
}

static void spin(void)
{
    for (;;) __asm__ volatile("hlt");
}

// QEMU's debug exit device carries a status; power-off is always 0.  Each machine hears one of the rest.
static void end(uint8_t status)
{
    if (status) outb(DEBUG_EXIT, status), print("no debug exit device here: the status is lost\n");
    outw(PM_CONTROL, SLEEP_NOW);                              // pc, q35
    *(volatile uint8_t *)(uintptr_t)GED_SLEEP = GED_S5;       // microvm
    __asm__ volatile("push $0; push $0; lidt (%esp); int3");  // no handlers: a triple fault resets
    spin();
}

void kernel(const struct start_info *info)
{
    const char *line = info->cmdline ? (void *)(uintptr_t)info->cmdline : "";
    print("Hello from a unikernel!\ncommand line: ");
    print(line);
    print("\nmemory: ");
    print_number(memory_mib(info));
    print(" MiB\n");
    if (has_word(line, "echo")) echo();
    if (has_word(line, "button")) wait_for_button();
    if (has_word(line, "spin")) spin();
    end(number(find(line, "exit=")));
}
