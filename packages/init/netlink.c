// SPDX-License-Identifier: Apache-2.0
// One message to the kernel's network, built piece by piece.
#include "netlink.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct message begin(int kind, int flags, const void *fixed, size_t size)
{
    struct message message = {.header = {.nlmsg_len = (__u32)NLMSG_LENGTH(size), .nlmsg_type = (__u16)kind}};
    message.header.nlmsg_flags = (__u16)(NLM_F_REQUEST | NLM_F_ACK | flags);
    memcpy(message.body, fixed, size);
    return message;
}

void attribute(struct message *message, int kind, const void *value, size_t size)
{
    size_t start = NLMSG_ALIGN(message->header.nlmsg_len);
    struct rtattr head = {.rta_len = (unsigned short)RTA_LENGTH(size), .rta_type = (unsigned short)kind};
    memcpy((char *)message + start, &head, sizeof head);
    memcpy((char *)message + start + RTA_LENGTH(0), value, size);
    message->header.nlmsg_len = (__u32)(start + RTA_LENGTH(size));
}

static int exchange(int sock, struct message *message)
{
    struct {
        struct nlmsghdr header;
        struct nlmsgerr error;
        struct message rest;
    } answer;
    if (send(sock, message, message->header.nlmsg_len, 0) < 0) return errno;
    if (recv(sock, &answer, sizeof answer, 0) < (ssize_t)NLMSG_LENGTH(sizeof answer.error)) return EPROTO;
    return -answer.error.error;
}

bool send_message(struct message *message)
{
    int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    int error = sock < 0 ? errno : exchange(sock, message);
    if (sock >= 0) close(sock);
    errno = error;
    return error == 0;
}
