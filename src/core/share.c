#include "core/share.h"

#include <stdbool.h>

static bool share_is_before(const struct share_job *a, const struct share_job *b) {
    if (a->priority != b->priority) {
        return a->priority > b->priority;
    }
    if (a->tenant->in_flight != b->tenant->in_flight) {
        return a->tenant->in_flight < b->tenant->in_flight;
    }
    return a->in_flight < b->in_flight;
}

struct share_job *share_next(struct share_job *const *jobs, size_t n) {
    struct share_job *best = NULL;
    for (size_t i = 0; i < n; i++) {
        if (jobs[i]->wants > 0 && (best == NULL || share_is_before(jobs[i], best))) {
            best = jobs[i];
        }
    }
    return best;
}
