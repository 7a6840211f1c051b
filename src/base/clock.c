#include "base/clock.h"

#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int64_t clock_skew_ms; /* written before main(), so that no thread can be there yet */

__attribute__((constructor)) static void clock_skew_from_environment(void) {
    const char *skew = getenv("STUMPER_CLOCK_SKEW_MS");
    ASSERT(skew == NULL || str_to_i64(str_of(skew), &clock_skew_ms));
}

static int64_t clock_ns(clockid_t id) {
    struct timespec t;
    (void)clock_gettime(id, &t); /* cannot fail for these two clocks */
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t clock_mono_us(void) {
    return clock_ns(CLOCK_MONOTONIC) / 1000;
}
int64_t clock_mono_ms(void) {
    return clock_ns(CLOCK_MONOTONIC) / 1000000;
}
int64_t clock_wall_ms(void) {
    return clock_ns(CLOCK_REALTIME) / 1000000 + clock_skew_ms;
}

void clock_rfc3339(int64_t wall_ms, char ret[CLOCK_RFC3339_BYTES]) {
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    char day[24];
    if (gmtime_r(&seconds, &tm) == NULL ||
        strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm) == 0) {
        day[0] = '\0';
    }
    (void)snprintf(ret, CLOCK_RFC3339_BYTES, "%s.%03dZ", day, (int)(wall_ms % 1000));
}
