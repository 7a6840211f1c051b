/* api.h - the service's HTTP interface: docs/openapi.yaml, kept.
 *
 * One thread with a loop of its own answers requests, keeps event streams, and delivers webhooks.
 * It reads and writes the store and nothing else: who does the work learns of it there
 * (store_watch()).
 *
 * Durability  a job is answered with 202 after the store has committed it.
 * Access      with no key in the store everybody may do everything; as soon as there is one (also
 *             one that was revoked), every request but /livez, /readyz, the documents and, from
 *             loopback or a unix socket, /metrics needs a good one. A key sees its own jobs, one
 *             with the scope admin all.
 * Limits      on everything that a client can make grow: connections, headers, bodies, JSON depth,
 *             time to send, waiting requests, event streams and what waits in them.
 * Secrets     keys are compared by their digests in constant time and are never logged; so are the
 *             secrets of webhooks.
 * Threading   api_drain() from any thread; the rest from the one that started it.
 */
#ifndef STUMPER_API_API_H
#define STUMPER_API_API_H

#include "base/metrics.h"
#include "core/job.h"
#include "httpd/httpd.h"
#include "store/store.h"

#define API_BODY_BYTES_DEFAULT ((size_t)8 * 1024 * 1024)
#define API_CONNECTIONS_DEFAULT 10000
#define API_WAIT_SECONDS_MAX 600 /* of Prefer: wait=N; ?wait=N is cut at 20 */

struct api;

struct api_options {
    struct store *store; /* open; outlives the api */
    struct httpd_listen listen;
    const char *tls_cert, *tls_key;  /* PEM texts, or NULL */
    const struct job_models *models; /* ROLE_COUNT of them, for requests that name none; n 0: they
                                        must */
    /** Say with jcheck_fail() what in a well-formed request cannot be done here, such as a model of
     * a provider without a key. Called on the api's thread; must not block. May be NULL. */
    void (*check_spec)(void *ctx, const struct job_spec *spec, struct jcheck *c);
    void *ctx;
    /** True while something that the service can do without cannot be reached, to be told by
     * /readyz. Called on the api's thread; must not block. May be NULL. */
    bool (*degraded)(void *ctx);
    void *degraded_ctx;
    size_t body_bytes_max;    /* 0: API_BODY_BYTES_DEFAULT */
    unsigned connections_max; /* 0: API_CONNECTIONS_DEFAULT */
    int64_t queued_max;       /* refuse jobs while so many are queued; 0: any number */
    int64_t default_wait_s;   /* as if requests for jobs had Prefer: wait=N; 0: they have not */
    int64_t retain_ms;        /* how long jobs are kept after their end, to be told; 0: for ever */
    const char *webhook_secrets; /* "whsec_" and base64 of 24 to 64 bytes; several, after spaces,
                                    while one replaces another; NULL: webhooks are not taken */
    bool private_webhooks;       /* deliver also to addresses that are not public */
    bool open_elsewhere;         /* listen beyond loopback although there is no key */
    bool health_only;            /* /livez, /readyz and /metrics, nothing else */
    struct metrics *metrics;     /* or NULL */
};

/**
 * Listen and start the thread. End it with api_stop().
 *
 * @options  copied; what it points to outlives the api
 * @return   ERR_INVALID: webhook_secrets | ERR_AUTH: no key is in the store, and the address is not
 *           loopback's nor a unix socket: the text names the command that makes one | what
 *           httpd_new() and the store say
 */
NODISCARD enum err api_start(const struct api_options *options, struct api **ret,
                             struct errinfo *reterr);

/** The TCP port it listens on; 0 for a unix socket. */
int api_port(const struct api *a);

/** From now on /readyz says 503 and no job is taken (503); everything else goes on. */
void api_drain(struct api *a);

/** Close all connections, end the thread, free. What was being submitted is committed or not; a
 * client that had no answer asks again. */
void api_stop(struct api *a);

#endif
