// SPDX-License-Identifier: Apache-2.0
// Where we are told what to do: urunc's file, else the file of another runtime, else the kernel's command line.
#include "init.h"

#include <errno.h>
#include <stdlib.h>

static const char CONFIG[] = "/.urunc/config";

bool read_orders(struct config *config, char **words)
{
    size_t size;
    const char *urunit = getenv("URUNIT_CONFIG");
    char *data = read_file(CONFIG, &size);
    if (data) return parse_config(config, data, size);
    if (errno != ENOENT && errno != ENOTDIR) return fail("read %s", CONFIG);
    if (urunit) return read_urunit(config, urunit, words);
    read_cmdline(config, words);
    return true;
}
