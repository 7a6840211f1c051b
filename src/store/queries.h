/* queries.h - the texts that the rules run, by number. Inside the room only. */
#ifndef STUMPER_STORE_QUERIES_H
#define STUMPER_STORE_QUERIES_H

#include <stddef.h>

enum {
    Q_JOB_FIND,
    Q_JOB_ADD,
    Q_JOB_COUNT,
    Q_JOB_STATE,
    Q_SPEC_ADD,
    Q_TEXT_FIND,
    Q_TEXT_ADD,
    Q_IDEM_FIND,
    Q_EVENT_ADD,
    Q_EVENT_DROP,
    Q_USAGE_ADD,
    /* leases, the ledger, problems */
    Q_TOKENS_TAKE,
    Q_WAITING,
    Q_WAITING_END,
    Q_LEASE_AGAIN,
    Q_LEASE_NEW,
    Q_LEASE_LIVE,
    Q_LEASE_END,
    Q_LEASE_BACK,
    Q_LEASES_BACK,
    Q_LEASES_LOST,
    Q_CRASHED,
    Q_CALL_ADD,
    Q_CALLS_SUM,
    Q_PROBLEM_ADD,
    /* batches */
    Q_BATCH_ADD,
    Q_BATCH_CALL,
    Q_BATCH_CALLS_FORGET,
    Q_BATCHES_FORGET,
    Q_BATCH_MADE,
    /* workers */
    Q_WORKER_ADD,
    Q_WORKER_BEAT,
    Q_WORKER_SILENT,
    Q_WORKER_DROP,
    Q_WORKERS_SPARE,
    Q_WORKERS_DROP,
    Q_JOBS_AT_HOME,
    Q_JOBS_LEASED,
    Q_JOBS_UNDER_WAY,
    /* keys and webhooks */
    Q_KEY_ADD,
    Q_KEY_REVOKE,
    Q_KEY_SPEND_ADD,
    Q_KEY_SPEND_SWEEP,
    Q_OUTBOX_ADD,
    Q_OUTBOX_FIND_DUE,
    Q_OUTBOX_TAKEN,
    Q_OUTBOX_NEXT,
    Q_OUTBOX_TELL,
    Q_OUTBOX_UNTAKE,
    Q_OUTBOX_DROP,
    Q_OUTBOX_SWEEP,
    /* deletion */
    Q_JOB_DELETE,
    Q_JOB_DELETED,
    Q_GONE_ADD,
    Q_GONE_SWEEP,
    Q_GONE,
    Q_JOBS_ENDED,
    Q_CALLS_DROP,
    Q_PROBLEMS_DROP,
    Q_EVENTS_DROP,
    Q_ATTEMPTS_DROP,
    Q_BATCH_CALLS_DROP,
    Q_BATCHES_DROP,
    Q_SPEC_DROP,
    Q_USAGE_DROP,
    Q_JOB_DROP,
    Q_TEXT_DROP,
    Q_COUNT
};

extern const char *const queries_texts[Q_COUNT];

#endif
