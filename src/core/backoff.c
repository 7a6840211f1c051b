#include "core/backoff.h"

#include "base/defs.h"

int64_t backoff_ms(int64_t failures, uint64_t random) {
    ASSERT(failures >= 0);
    int64_t longest = BACKOFF_MAX_MS;
    if (failures < 16) { /* doubling past that would only be cut down again */
        longest = MIN(BACKOFF_MAX_MS, (int64_t)BACKOFF_BASE_MS << failures);
    }
    return (int64_t)(random % (uint64_t)(longest + 1));
}
