/* Whatever headers a provider sends, limits are sane numbers, and a limiter that is told them says
 * finite waits. */
#include "base/defs.h"
#include "core/limit.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct limit_cost cost = {.input_bytes = 4000, .output_tokens_max = 1000};
    const struct limit_set set = {0};
    struct limit_told told;
    struct limit_ticket t;
    struct limit l;
    limit_read_headers((struct str){(const char *)data, size}, &told);
    ASSERT(limit_duration_ms((struct str){(const char *)data, size}) >= -1);
    limit_init(&l, LIMIT_AT_ADMISSION, &set);
    for (int64_t now_ms = 1000, calls = 1; calls <= 10; now_ms += 10, calls++) {
        int64_t wait_ms = limit_wait_ms(&l, now_ms, &cost);
        ASSERT(wait_ms >= 0 && wait_ms <= calls * 200000);
        limit_send(&l, now_ms, &cost, &t);
        limit_tell(&l, now_ms, &t, &told);
        limit_answered(&l, now_ms, &t,
                       &(struct call_usage){.input_tokens = 1000, .output_tokens = 500});
    }
    for (int k = 0; k < LIMIT_KINDS; k++) {
        ASSERT(told.of[k].per_minute == -1 || told.of[k].per_minute > 0);
        ASSERT(told.of[k].remaining >= -1 && limit_per_minute(&l, (enum limit_kind)k) >= -1);
    }
    return 0;
}
