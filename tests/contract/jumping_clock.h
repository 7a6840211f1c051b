/* jumping_clock.h - the time of day of this process may be set, as an operator or NTP does. A
 * program that has it is linked with --wrap=clock_wall_ms. */
#ifndef STUMPER_TESTS_JUMPING_CLOCK_H
#define STUMPER_TESTS_JUMPING_CLOCK_H

#include <stdint.h>

#define HOUR_MS INT64_C(3600000)

/** Set it forward by @ms, or back; any thread. */
void clock_jump(int64_t ms);

#endif
