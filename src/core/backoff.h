/* backoff.h - how long to wait before a retry (full jitter: AWS Architecture Blog, "Exponential
 * Backoff And Jitter"). */
#ifndef STUMPER_CORE_BACKOFF_H
#define STUMPER_CORE_BACKOFF_H

#include <stdint.h>

#define BACKOFF_BASE_MS 500
#define BACKOFF_MAX_MS 30000

/** Uniform in 0..min(BACKOFF_MAX_MS, BACKOFF_BASE_MS · 2^@failures). @random: 64 random bits.
 * @failures from 0. */
int64_t backoff_ms(int64_t failures, uint64_t random);

#endif
