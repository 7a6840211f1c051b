#include "base/id.h"

#include "base/clock.h"
#include "base/rng.h"

#include <string.h>

void id_new(const char *prefix, char ret[ID_BYTES]) {
    ASSERT(strlen(prefix) <= 12);
    uint8_t b[16];
    rng_os(b, sizeof b);
    uint64_t ms = (uint64_t)clock_wall_ms();
    for (int i = 0; i < 6; i++) {
        b[i] = (uint8_t)(ms >> (8 * (5 - i)));
    }
    b[6] = (uint8_t)((b[6] & 0x0F) | 0x70);
    b[8] = (uint8_t)((b[8] & 0x3F) | 0x80);
    static const char digits[] = "0123456789abcdef";
    char *to = stpcpy(ret, prefix);
    *to++ = '_';
    for (size_t i = 0; i < sizeof b; i++) {
        *to++ = digits[b[i] >> 4];
        *to++ = digits[b[i] & 15];
    }
    *to = '\0';
}
