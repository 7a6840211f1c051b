#include "base/failpoint.h"

#include "base/str.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

bool failpoint_armed;
static struct str failpoint_name;
static atomic_llong failpoint_hits_left;

void failpoint_arm(const char *spec) {
    struct str name = str_of(spec);
    size_t colon = str_find_char(name, ':');
    int64_t hits = 1;
    if (colon != STR_NPOS) {
        ASSERT(str_to_i64(str_skip(name, colon + 1), &hits) && hits > 0);
        name = str_take(name, colon);
    }
    failpoint_name = name;
    atomic_store(&failpoint_hits_left, hits);
    failpoint_armed = name.n > 0;
}

/* Before main(), so that no thread can be there yet. */
__attribute__((constructor)) static void failpoint_arm_from_environment(void) {
    failpoint_arm(getenv("STUMPER_FAILPOINT"));
}

void failpoint_hit(const char *name) {
    if (!str_eq(str_of(name), failpoint_name) || atomic_fetch_sub(&failpoint_hits_left, 1) != 1) {
        return;
    }
    (void)kill(getpid(), SIGKILL);
    for (;;) {
        (void)pause(); /* the signal may take its time to reach a thread */
    }
}
