/* store_outbox.h - webhooks to be delivered: one is written in the transaction that ends a job with
 * a webhook_url. At least once: whoever takes one tells what became of it, and if the process dies
 * before that, it is due again. When one is due is told by the store's clock, which all processes
 * share and which is not set back while they run. See store.h for what holds for all operations. */
#ifndef STUMPER_STORE_STORE_OUTBOX_H
#define STUMPER_STORE_STORE_OUTBOX_H

#include "base/str.h"
#include "store/store.h"

struct outbox_row {
    int64_t number;
    char id[STORE_ID_BYTES]; /* webhook-id: the same at every try */
    char job_id[STORE_ID_BYTES];
    char key_id[STORE_ID_BYTES]; /* of the API key that ordered the job; "": none did */
    struct str url;
    struct str body; /* {"type": "job.succeeded", "timestamp": …, "data": {…}} */
    int64_t tries;   /* before this one */
    int64_t created_ms;
};

#define STORE_OUTBOX_TAKE_MAX 100

/* Take webhooks that are due, the longest due first; nobody else gets them until they are told of.
 * ERR_TOO_BIG: they do not fit into the arena; none was taken. */
struct store_outbox_take {
    struct store_op op;
    int64_t limit;   /* 1..STORE_OUTBOX_TAKE_MAX */
    struct arena *a; /* owns the results */
    struct outbox_row *ret;
    size_t ret_n;
    int64_t ret_next_in_ms; /* until the next one is due that was not taken; -1: there is none */
};
void store_outbox_take(struct store *s, struct store_outbox_take *o);

enum outbox_end {
    OUTBOX_DELIVERED,
    OUTBOX_RETRY,   /* again in retry_in_ms */
    OUTBOX_GIVEN_UP /* the receiver wants none, or all tries are spent */
};

/* Tell what became of one. ERR_NOT_FOUND: it was deleted with its job. */
struct store_outbox_tell {
    struct store_op op;
    int64_t number;
    enum outbox_end end;
    int64_t retry_in_ms; /* OUTBOX_RETRY: when */
    struct str problem;  /* of the last try, for people; may be empty */
};
void store_outbox_tell(struct store *s, struct store_outbox_tell *o);

#endif
