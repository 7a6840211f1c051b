#include "io/address.h"

#include "base/defs.h"

#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#define V4(a, b, c, d)                                                                             \
    ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

static bool address_v4_is_public(uint32_t ip) {
    static const struct {
        uint32_t net;
        int bits;
    } special[] = {
        {V4(0, 0, 0, 0), 8},       {V4(10, 0, 0, 0), 8},     {V4(100, 64, 0, 0), 10},
        {V4(127, 0, 0, 0), 8},     {V4(169, 254, 0, 0), 16}, {V4(172, 16, 0, 0), 12},
        {V4(192, 0, 0, 0), 24},    {V4(192, 0, 2, 0), 24},   {V4(192, 31, 196, 0), 24},
        {V4(192, 52, 193, 0), 24}, {V4(192, 88, 99, 0), 24}, {V4(192, 168, 0, 0), 16},
        {V4(192, 175, 48, 0), 24}, {V4(198, 18, 0, 0), 15},  {V4(198, 51, 100, 0), 24},
        {V4(203, 0, 113, 0), 24},  {V4(224, 0, 0, 0), 3}, /* multicast and reserved */
    };
    for (size_t i = 0; i < ARRAY_LEN(special); i++) {
        if ((ip ^ special[i].net) >> (32 - special[i].bits) == 0) {
            return false;
        }
    }
    return true;
}

static uint32_t address_v4_in(const uint8_t *bytes) {
    return V4(bytes[0], bytes[1], bytes[2], bytes[3]);
}

/* Only 2000::/3 is given out; of that not 2001::/23 (Teredo among it), documentation and 6to4,
 * which would carry any IPv4 address. Translated ones (64:ff9b::/96) and mapped ones count as what
 * they stand for. */
static bool address_v6_is_public(const uint8_t ip[16]) {
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    static const uint8_t translated[12] = {0x00, 0x64, 0xff, 0x9b};
    static const uint8_t documentation[4] = {0x20, 0x01, 0x0d, 0xb8};
    if (memcmp(ip, mapped, sizeof mapped) == 0 || memcmp(ip, translated, sizeof translated) == 0) {
        return address_v4_is_public(address_v4_in(ip + 12));
    }
    bool given_out = ip[0] >> 5 == 1;
    bool special = (ip[0] == 0x20 && ip[1] == 0x01 && ip[2] < 2) ||
                   (ip[0] == 0x20 && ip[1] == 0x02) ||
                   memcmp(ip, documentation, sizeof documentation) == 0 ||
                   (ip[0] == 0x3f && ip[1] == 0xff && ip[2] < 0x10);
    return given_out && !special;
}

bool address_is_public(const struct sockaddr *a, socklen_t n) {
    if (a->sa_family == AF_INET && n >= sizeof(struct sockaddr_in)) {
        struct sockaddr_in v4;
        memcpy(&v4, a, sizeof v4);
        return address_v4_is_public(ntohl(v4.sin_addr.s_addr));
    }
    if (a->sa_family == AF_INET6 && n >= sizeof(struct sockaddr_in6)) {
        struct sockaddr_in6 v6;
        memcpy(&v6, a, sizeof v6);
        return address_v6_is_public(v6.sin6_addr.s6_addr);
    }
    return false;
}
