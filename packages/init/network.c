// SPDX-License-Identifier: Apache-2.0
// The network: interfaces found by their MAC, with the addresses and routes that follow them.
#include "init.h"
#include "netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct address {
    unsigned char family, prefix, size;
    struct in6_addr bytes;
};

// With or without a prefix; without one, it is a host.
static bool parse_address(const char *text, struct address *address)
{
    char host[NAME];
    snprintf(host, sizeof host, "%s", text);
    char *prefix = strchr(host, '/');
    if (prefix) *prefix++ = '\0';
    address->family = strchr(host, ':') ? AF_INET6 : AF_INET;
    address->size = address->family == AF_INET ? 4 : 16;
    address->prefix = (unsigned char)(prefix ? atoi(prefix) : address->size * 8);
    errno = EINVAL;
    return inet_pton(address->family, host, &address->bytes) == 1;
}

static bool set_up(unsigned index, unsigned mtu)
{
    struct ifinfomsg link = {.ifi_index = (int)index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    struct message message = begin(RTM_NEWLINK, 0, &link, sizeof link);
    if (mtu) attribute(&message, IFLA_MTU, &mtu, sizeof mtu);
    return send_message(&message);
}

static bool rename_link(unsigned index, const char *name)
{
    struct ifinfomsg link = {.ifi_index = (int)index};
    struct message message = begin(RTM_NEWLINK, 0, &link, sizeof link);
    attribute(&message, IFLA_IFNAME, name, strlen(name) + 1);
    return send_message(&message);
}

// Whoever has the name already gets another one, until it is his turn.
static bool give_name(unsigned index, const char *name)
{
    char other[IF_NAMESIZE];
    unsigned owner = if_nametoindex(name);
    snprintf(other, sizeof other, "link%u", owner);
    if (owner == index) return true;
    return (owner == 0 || rename_link(owner, other)) && rename_link(index, name);
}

// MAC MTU NAME; without a MAC (-), the one of this name. Returns its index, 0 if there is a problem.
static unsigned open_interface(const char *value)
{
    char text[NAME], name[NAME], *rest = text;
    snprintf(text, sizeof text, "%s", value);
    char *mac = take_word(&rest);
    unsigned mtu = (unsigned)atoi(take_word(&rest));
    bool found = strcmp(mac, "-") == 0 || find_entry("/sys/class/net", "address", mac, name);
    unsigned index = found ? if_nametoindex(*mac == '-' ? rest : name) : 0;
    if (!index) fail("find the interface %s (%s)", rest, mac);
    if (!index || (give_name(index, rest) && set_up(index, mtu))) return index;
    fail("set up the interface %s", rest);
    return 0;
}

// A kernel may have been built without IPv6: that costs a line, not the program.
static bool without_ipv6(const struct address *address, int error)
{
    return address->family == AF_INET6 && error == EOPNOTSUPP;
}

static bool add_address(unsigned index, const char *value)
{
    struct address address;
    if (!parse_address(value, &address)) return fail("parse the address %s", value);
    struct ifaddrmsg fixed = {.ifa_family = address.family, .ifa_prefixlen = address.prefix, .ifa_index = index};
    if (address.family == AF_INET6) fixed.ifa_flags = IFA_F_NODAD;  // the address is ours, and can be used at once
    struct message message = begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &fixed, sizeof fixed);
    attribute(&message, IFA_LOCAL, &address.bytes, address.size);
    attribute(&message, IFA_ADDRESS, &address.bytes, address.size);
    return send_message(&message) || fail("set the address %s", value) || without_ipv6(&address, errno);
}

// A gateway is always on the link, whatever the subnet is.
static bool send_route(unsigned index, const struct address *to, const struct address *gateway, unsigned metric)
{
    struct rtmsg fixed = {.rtm_family = to->family, .rtm_dst_len = to->prefix, .rtm_table = RT_TABLE_MAIN};
    fixed.rtm_protocol = RTPROT_BOOT;
    fixed.rtm_type = RTN_UNICAST;
    fixed.rtm_scope = gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
    fixed.rtm_flags = gateway ? RTNH_F_ONLINK : 0;
    struct message message = begin(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &fixed, sizeof fixed);
    if (to->prefix) attribute(&message, RTA_DST, &to->bytes, to->size);
    attribute(&message, RTA_OIF, &index, sizeof index);
    if (gateway) attribute(&message, RTA_GATEWAY, &gateway->bytes, gateway->size);
    if (metric) attribute(&message, RTA_PRIORITY, &metric, sizeof metric);
    return send_message(&message) || errno == EEXIST;
}

// DESTINATION|default GATEWAY|- METRIC
static bool add_route(unsigned index, const char *value)
{
    char text[NAME], *rest = text;
    struct address to = {.family = AF_INET, .size = 4}, gateway = to;
    snprintf(text, sizeof text, "%s", value);
    const char *destination = take_word(&rest), *by = take_word(&rest);
    bool direct = strcmp(by, "-") == 0, parsed = direct || parse_address(by, &gateway);
    if (strcmp(destination, "default") == 0)
        to.family = gateway.family;
    else
        parsed = parse_address(destination, &to) && parsed;
    unsigned metric = (unsigned)atoi(take_word(&rest));
    if (parsed && send_route(index, &to, direct ? NULL : &gateway, metric)) return true;
    return fail("set the route %s", value) || without_ipv6(&to, errno);
}

static bool set_record(const struct record *record, unsigned *index)
{
    if (strcmp(record->key, "interface") == 0) return (*index = open_interface(record->value)) != 0;
    if (strcmp(record->key, "address") == 0) return add_address(*index, record->value);
    return strcmp(record->key, "route") != 0 || add_route(*index, record->value);
}

bool set_network(const struct config *config)
{
    unsigned index = 0;
    bool done = set_up(if_nametoindex("lo"), 0) || fail("set up the interface lo");
    for (size_t i = 0; done && i < config->count; i++) done = set_record(&config->records[i], &index);
    return done;
}
