#include "base/rng.h"

#include <math.h>
#include <sys/random.h>

uint64_t rng_mix(uint64_t x) {
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

void rng_init(struct rng *r, uint64_t seed) {
    for (int i = 0; i < 4; i++) {
        r->s[i] = rng_mix(seed + (uint64_t)i * UINT64_C(0x9e3779b97f4a7c15));
    }
}

void rng_init_stream(struct rng *r, uint64_t seed, uint64_t stream) {
    rng_init(r, rng_mix(seed) ^ rng_mix(~stream));
}

static uint64_t rng_rotl(uint64_t x, int k) {
    return (x << k) | (x >> (64 - k));
}

uint64_t rng_u64(struct rng *r) {
    uint64_t *s = r->s;
    uint64_t result = rng_rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rng_rotl(s[3], 45);
    return result;
}

uint64_t rng_below(struct rng *r, uint64_t n) {
    ASSERT(n > 0);
    uint64_t biased = (0 - n) % n; /* 2^64 mod n: values below it would favour small results */
    uint64_t x;
    do {
        x = rng_u64(r);
    } while (x < biased);
    return x % n;
}

int64_t rng_range(struct rng *r, int64_t lo, int64_t hi) {
    ASSERT(lo <= hi);
    uint64_t span = (uint64_t)hi - (uint64_t)lo + 1;
    return (int64_t)((uint64_t)lo + (span == 0 ? rng_u64(r) : rng_below(r, span)));
}

double rng_unit(struct rng *r) {
    return (double)(rng_u64(r) >> 11) * 0x1.0p-53;
}

bool rng_chance(struct rng *r, double p) {
    return rng_unit(r) < p;
}

double rng_normal(struct rng *r) { /* Box-Muller; the first factor avoids log(0) */
    double radius = sqrt(-2.0 * log(1.0 - rng_unit(r)));
    return radius * cos(6.283185307179586 * rng_unit(r));
}

void rng_os(void *ret, size_t n) {
    ASSERT(n <= 256); /* getrandom(2): up to 256 bytes come whole */
    ASSERT(getrandom(ret, n, 0) == (ssize_t)n);
}
