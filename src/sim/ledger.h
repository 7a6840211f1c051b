/* ledger.h - who was billed for what: a line of JSON for every call that was answered with 200, and
 * the sums. Answers that were broken off are summed apart: what was written of them is on the bill,
 * but their usage was never told.
 *
 * Its purpose is to be compared with a client's own books: what is answered is paid, whether the
 * client got to read it or not. Lines are buffered; journal_flush() writes them.
 */
#ifndef STUMPER_SIM_LEDGER_H
#define STUMPER_SIM_LEDGER_H

#include "core/price.h"
#include "sim/brain.h"
#include "sim/journal.h"
#include "sim/quota.h"

#define LEDGER_ID_BYTES 96

/* What is known of a call when it is answered. */
struct ledger_entry {
    enum role role; /* ROLE_COUNT: none, it was no question */
    enum fault fault;
    uint64_t request_hash;
    struct call_usage usage;
    bool batch;       /* answered in a batch, for half the price */
    bool broken_off;  /* its usage was not told */
    double served_ms; /* the latency it was answered with */
    char model[64];
    char client_id[LEDGER_ID_BYTES]; /* X-Client-Request-Id, or empty */
};

struct ledger {
    struct journal file;
    const struct price_table *prices;
    struct table requests, ids;          /* billed already */
    int64_t calls, useless;              /* all / of these with a fault */
    int64_t in_batches;                  /* of these */
    int64_t broken_off, broken_off_nusd; /* answers that were; beside all of these */
    int64_t repeated;                    /* same request as an earlier one that had no fault */
    int64_t repeated_ids;                /* same X-Client-Request-Id likewise */
    int64_t admitted;                    /* requests that no limit refused */
    int64_t refused[QUOTA_KINDS];
    double served_ms; /* sum of the latencies */
    int64_t by_role[ROLE_COUNT];
    struct call_usage usage;
    int64_t cost_nusd; /* of those with a known price */
};

/** @path: appended to, NULL for none. @prices: may be NULL. ERR_IO, ERR_READ_ONLY. */
NODISCARD enum err ledger_open(struct ledger *l, const char *path, const struct price_table *prices,
                               struct errinfo *reterr);

/** Writes what is pending. */
void ledger_close(struct ledger *l);

/** Book a call: into the sums, and as a line if there is a file. */
void ledger_add(struct ledger *l, const struct ledger_entry *e);

/** Count a request that limit @k refused. */
void ledger_refused(struct ledger *l, enum quota_kind k);

/** The sums as a JSON object. */
void ledger_summary(const struct ledger *l, struct sbuf *out);

#endif
