/* share.h - who gets the next free slot, where several jobs want some. Pure arithmetic.
 *
 * Higher priorities first; then the tenant that has the fewest attempts in flight; then, of its
 * jobs, the one that has the fewest; then the one that came first. So a job of five problems gets
 * the next slot that falls free beside a job of ten thousand, a tenant with a hundred jobs no more
 * than one with a single job, and no slot stays empty while anybody wants one.
 */
#ifndef STUMPER_CORE_SHARE_H
#define STUMPER_CORE_SHARE_H

#include <stddef.h>
#include <stdint.h>

/* Whose jobs they are; one for all jobs of a tenant. */
struct share_tenant {
    int64_t in_flight;
};

struct share_job {
    struct share_tenant *tenant;
    int64_t priority;
    int64_t in_flight;
    int64_t wants; /* more slots, now */
};

/** The job that gets the next slot, or NULL if none wants one. @jobs: in order of arrival. */
struct share_job *share_next(struct share_job *const *jobs, size_t n);

#endif
