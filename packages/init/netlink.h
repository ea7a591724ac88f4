// SPDX-License-Identifier: Apache-2.0
// One message to the kernel's network, built piece by piece.
#pragma once
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stddef.h>

struct message {
    struct nlmsghdr header;
    char body[512];
};

struct message begin(int kind, int flags, const void *fixed, size_t size);
void attribute(struct message *message, int kind, const void *value, size_t size);
bool send_message(struct message *message);  // and waits for the answer; false and errno if that is an error
