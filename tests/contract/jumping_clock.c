#include "contract/jumping_clock.h"

#include <stdatomic.h>

int64_t __real_clock_wall_ms(void);
int64_t __wrap_clock_wall_ms(void);

static atomic_llong clock_ahead_ms;

int64_t __wrap_clock_wall_ms(void) {
    return __real_clock_wall_ms() + atomic_load(&clock_ahead_ms);
}

void clock_jump(int64_t ms) {
    (void)atomic_fetch_add(&clock_ahead_ms, ms);
}
