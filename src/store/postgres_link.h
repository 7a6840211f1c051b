/* postgres_link.h - a connection to PostgreSQL (io/pq.h) that knows who it is, and can be made
 * again. Inside the room only; with postgres.c the only files that know libpq.
 *
 * A writer holds an advisory lock with its key for as long as it is connected, by which others see
 * that its process lives; the server gives it back when the connection ends, however it ends. After
 * a loss the writer takes the lock again, ending its own former session if the server has not
 * noticed yet.
 */
#ifndef STUMPER_STORE_POSTGRES_LINK_H
#define STUMPER_STORE_POSTGRES_LINK_H

#include "io/pq.h"
#include "store/sql_driver.h"

struct postgres_link {
    struct pq pq;
    int64_t generation; /* how often it was; what was prepared is of one generation */
    enum sql_mode mode;
    int64_t key;                     /* random: whose session, whose row in `writers` */
    int64_t retry_mono_ms, pause_ms; /* not to be tried before */
};

/** ERR_USAGE: @url is none; nothing of it is repeated. Let go of it with pq_release(&l->pq). */
NODISCARD enum err postgres_link_init(struct postgres_link *l, const char *url, enum sql_mode mode,
                                      struct errinfo *reterr);

/**
 * Connect; a writer then holds the lock of its process. Blocks for PQ_CONNECT_S at most, and
 * as long again for the lock.
 *
 * @return  ERR_UNAVAILABLE (the server is not there, or does not let us in)
 */
NODISCARD enum err postgres_link_connect(struct postgres_link *l, struct errinfo *reterr);

/** Notice, without asking the server anything, that the connection has ended. */
void postgres_link_notice(struct postgres_link *l);

/** What a transaction has to begin with, instead of the session; "" if there is nothing. Static. */
const char *postgres_link_settings(const struct postgres_link *l);

/** Connect if need be, but not more often than makes sense. */
NODISCARD enum err postgres_link_revive(struct postgres_link *l, struct errinfo *reterr);

/** As pq_do() and pq_ask_int(), with the name of the server in errors. */
NODISCARD enum err postgres_link_do(struct postgres_link *l, const char *text,
                                    struct errinfo *reterr);
NODISCARD enum err postgres_link_ask_int(struct postgres_link *l, const char *text,
                                         int64_t otherwise, int64_t *ret, struct errinfo *reterr);

#endif
