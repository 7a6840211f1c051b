/* rng.h - seeded random numbers: the same seed gives the same sequence on every machine
 * (xoshiro256**, Blackman and Vigna 2018, seeded by splitmix64). Not for secrets; those come from
 * rng_os(). */
#ifndef STUMPER_BASE_RNG_H
#define STUMPER_BASE_RNG_H

#include "base/defs.h"

#include <stdbool.h>
#include <stdint.h>

struct rng {
    uint64_t s[4];
};

/** Start the sequence of @seed. */
void rng_init(struct rng *r, uint64_t seed);

/** A generator of its own for (@seed, @stream): streams do not overlap in practice. */
void rng_init_stream(struct rng *r, uint64_t seed, uint64_t stream);

/** 64 uniform bits. */
uint64_t rng_u64(struct rng *r);

/** Uniform in 0..@n-1, without bias; @n > 0. */
uint64_t rng_below(struct rng *r, uint64_t n);

/** Uniform in @lo..@hi, both included; @lo <= @hi. */
int64_t rng_range(struct rng *r, int64_t lo, int64_t hi);

/** Uniform in [0, 1). */
double rng_unit(struct rng *r);

/** True with probability @p. */
bool rng_chance(struct rng *r, double p);

/** A standard normal deviate. */
double rng_normal(struct rng *r);

/** @n bytes of the operating system's randomness. Aborts if there is none. */
void rng_os(void *ret, size_t n);

/** A well-mixed 64-bit hash of @x (splitmix64's finaliser). */
uint64_t rng_mix(uint64_t x);

#endif
