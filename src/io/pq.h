/* pq.h - a connection to a PostgreSQL server that gives up in time: libpq with deadlines, for the
 * rooms that ask one.
 *
 * Errors   the server's own words, without its name: whoever asked puts pq->name before them.
 *          Whenever the connection is of no use any more it is dropped (`conn` is NULL then).
 * Secrets  an address may hold a password: neither `name` nor an error repeats it, and it becomes
 *          a secret of the log.
 * Pooling  with "pool_mode=transaction" in the address there is a pooler between (pgbouncer), which
 *          gives a session for a transaction only: then there are no locks and no settings of a
 *          session, nothing is prepared, and no notification arrives.
 * Threading  one thread at a time.
 */
#ifndef STUMPER_IO_PQ_H
#define STUMPER_IO_PQ_H

#include "base/err.h"
#include "base/str.h"

#include <libpq-fe.h>
#include <stdbool.h>

#define PQ_CONNECT_S "5" /* for each of its addresses */

struct pq {
    PGconn *conn;      /* NULL: not connected */
    char *url;         /* with its secrets */
    char name[256];    /* without: "postgresql://HOST:PORT/DATABASE" */
    bool pooled;       /* each transaction may be in another session */
    int64_t answer_ms; /* so long an answer may take */
};

/**
 * Where a server is; does not connect. Release it with pq_release().
 *
 * @return  ERR_USAGE: @url is none; nothing of it is repeated
 */
NODISCARD enum err pq_init(struct pq *p, struct str url, int64_t answer_ms, struct errinfo *reterr);
void pq_release(struct pq *p);

/**
 * Connect, dropping what was there. What the server mentions by the way is not heard.
 *
 * @application  what the server is to call the session
 * @writable     a server that only reads (a standby) is none
 * @return       ERR_UNAVAILABLE: it is not there, or does not let us in
 */
NODISCARD enum err pq_connect(struct pq *p, const char *application, bool writable,
                              struct errinfo *reterr);
void pq_drop(struct pq *p);

/** The result of what was sent, the last if there are several; NULL: no answer in time, or the
 * connection has ended, and is dropped. Free it with PQclear(). */
PGresult *pq_await(struct pq *p);

/** What is sent from here on, each by a PQsend…() of the extended protocol, is answered in a row:
 * one journey for all of it. False: it cannot be now. Few and small statements only, for nothing is
 * read meanwhile. */
NODISCARD bool pq_begin_row(struct pq *p);

/** The results of the @n statements that were sent since: the last, or the first that failed; NULL
 * as pq_await(). */
PGresult *pq_end_row(struct pq *p, size_t n);

/** Send @text, which may be several statements, and await the result; NULL as pq_await(). */
PGresult *pq_ask(struct pq *p, const char *text);

/** Likewise one statement with parameters, as text. */
PGresult *pq_ask_with(struct pq *p, const char *text, const char *const *values, int n);

/** What a result means: ERR_OK, or why not; @ret_reason (borrowed from @result, or static) says it.
 */
enum err pq_judge(const PGresult *result, const char **ret_reason);

/** pq_ask() for its outcome only. */
NODISCARD enum err pq_do(struct pq *p, const char *text, struct errinfo *reterr);

/** The one number that @text asks for; @otherwise if it is NULL or there is none. */
NODISCARD enum err pq_ask_int(struct pq *p, const char *text, int64_t otherwise, int64_t *ret,
                              struct errinfo *reterr);

#endif
