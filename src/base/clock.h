/* clock.h - the two clocks, and times as text. Only rooms from io/ up read a clock. */
#ifndef STUMPER_BASE_CLOCK_H
#define STUMPER_BASE_CLOCK_H

#include <stdint.h>

/** Milliseconds / microseconds of a clock that never jumps; its zero means nothing. */
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);

/** Milliseconds since 1970-01-01 UTC; in a test, STUMPER_CLOCK_SKEW_MS more or less (a faked clock
 * of the whole process makes timed waits of libraries spin). */
int64_t clock_wall_ms(void);

#define CLOCK_RFC3339_BYTES 32

/** @wall_ms as "2026-11-23T21:58:00.123Z" (RFC 3339). */
void clock_rfc3339(int64_t wall_ms, char ret[CLOCK_RFC3339_BYTES]);

#endif
