/* postgres_link.h - a connection to PostgreSQL that knows who it is, gives up in time, and can be
 * made again. Inside the room only; with postgres.c the only files that know libpq.
 *
 * A writer holds an advisory lock with its key for as long as it is connected, by which others see
 * that its process lives; the server gives it back when the connection ends, however it ends. After
 * a loss the writer takes the lock again, ending its own former session if the server has not
 * noticed yet.
 *
 * With "pool_mode=transaction" in the address there is a pooler between (pgbouncer), which gives a
 * session for a transaction only: then there are no locks and no settings of a session, and nothing
 * is prepared.
 */
#ifndef STUMPER_STORE_POSTGRES_LINK_H
#define STUMPER_STORE_POSTGRES_LINK_H

#include "store/sql_driver.h"

#include <libpq-fe.h>

struct postgres_link {
    PGconn *conn;       /* NULL: not connected */
    int64_t generation; /* how often it was; what was prepared is of one generation */
    char *url;          /* with its secrets */
    enum sql_mode mode;
    bool pooled;                     /* each transaction may be in another session */
    int64_t key;                     /* random: whose session, whose row in `writers` */
    int64_t retry_mono_ms, pause_ms; /* not to be tried before */
    char name[256];                  /* without secrets */
};

/** ERR_USAGE: @url is none; nothing of it is repeated, for it may hold a password. / Let go of all.
 */
NODISCARD enum err postgres_link_init(struct postgres_link *l, const char *url, enum sql_mode mode,
                                      struct errinfo *reterr);
void postgres_link_release(struct postgres_link *l);

/**
 * Connect; a writer then holds the lock of its process. Blocks for POSTGRES_CONNECT_S at most, and
 * as long again for the lock.
 *
 * @return  ERR_UNAVAILABLE (the server is not there, or does not let us in)
 */
NODISCARD enum err postgres_link_connect(struct postgres_link *l, struct errinfo *reterr);

/** Forget the connection. */
void postgres_link_drop(struct postgres_link *l);

/** Notice, without asking the server anything, that the connection has ended. */
void postgres_link_notice(struct postgres_link *l);

/** What a transaction has to begin with, instead of the session; "" if there is nothing. Static. */
const char *postgres_link_settings(const struct postgres_link *l);

/** Connect if need be, but not more often than makes sense. */
NODISCARD enum err postgres_link_revive(struct postgres_link *l, struct errinfo *reterr);

/** The result of what was sent, the last if there are several; NULL: no answer in time, or the
 * connection has ended. */
PGresult *postgres_link_await(struct postgres_link *l);

/** Send @text, which may be several statements, and await the result. */
PGresult *postgres_link_ask(struct postgres_link *l, const char *text);

/** What a result means: ERR_OK, or why not; @reason (borrowed from @result or static) says it. An
 * answer that means the end of the connection drops it, so @result must be used before. */
enum err postgres_link_judge(const PGresult *result, const char **ret_reason);

/** postgres_link_ask() for its outcome only. */
NODISCARD enum err postgres_link_do(struct postgres_link *l, const char *text,
                                    struct errinfo *reterr);

/** The one number that @text asks for; @otherwise if it is NULL or there is none. */
NODISCARD enum err postgres_link_ask_int(struct postgres_link *l, const char *text,
                                         int64_t otherwise, int64_t *ret, struct errinfo *reterr);

#endif
