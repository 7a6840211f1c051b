/* store_batch.h - operations of who asks in batches: which calls wait for which of a provider's
 * batches. See store.h for what holds for all operations.
 *
 * A batch is written down before it is made, and again when the provider's name for it is known, so
 * that after a crash at any moment the next run knows what to look for. A call is awaited until its
 * answer is in the ledger (store_record(), store_finish()) or its attempt has ended; nothing has to
 * be said about it. A batch that no call is awaited from is forgotten.
 */
#ifndef STUMPER_STORE_STORE_BATCH_H
#define STUMPER_STORE_STORE_BATCH_H

#include "store/store.h"

struct batch_call {
    int64_t attempt_no, call_no;
};

/* A batch is about to be made; its calls are not awaited from any earlier one any more.
 * ERR_NOT_FOUND: no such job. */
struct store_batch_intend {
    struct store_op op;
    const char *job_id;
    struct str mark;  /* our own name for it; new */
    struct str model; /* "provider/model" */
    const struct batch_call *calls;
    size_t n;
    int64_t now_ms;
};
void store_batch_intend(struct store *s, struct store_batch_intend *o);

/* It was made, and the provider calls it @id. Nothing happens if it was forgotten meanwhile. */
struct store_batch_made {
    struct store_op op;
    struct str mark, id;
};
void store_batch_made(struct store *s, struct store_batch_made *o);

struct batch_row {
    struct str mark, model;
    struct str id; /* empty: it may never have been made */
    int64_t created_ms;
    const struct batch_call *calls; /* that are awaited from it, in order */
    size_t n;                       /* at least 1 */
};
/* The batches of a job that calls are awaited from, oldest first. ERR_NOT_FOUND | ERR_TOO_BIG: they
 * do not fit into the arena. */
struct store_batches {
    struct store_op op;
    const char *job_id;
    struct arena *a; /* owns the results; not touched by the caller until done */
    struct batch_row *ret;
    size_t ret_n;
};
void store_batches(struct store *s, struct store_batches *o);

#endif
