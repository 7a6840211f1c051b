/* client.h - requests to a running service, one after the other, for the commands that are its
 * clients.
 *
 * Where it is comes from --server or STUMPER_SERVER, the key from STUMPER_API_KEY alone, since a
 * command line can be seen by everybody. Errors are sentences for a person: no server there, what
 * the server's problem+json says with all its pointers, what to do about it.
 */
#ifndef STUMPER_CLI_CLIENT_H
#define STUMPER_CLI_CLIENT_H

#include "cli/opt.h"
#include "io/http.h"

#define CLIENT_SERVER_DEFAULT "http://127.0.0.1:8080"
#define CLIENT_REPLY_BYTES_MAX ((size_t)512 * 1024 * 1024)

struct client {
    const char *server; /* set by the row of client_row() */
    struct arena *a;    /* owns what replies are made of */
    struct loop *loop;
    struct http_client *http;
    const char *auth; /* a header, or NULL */
    bool interrupted; /* Ctrl-C came while a job was watched (watch.h) */
};

/** The row of --server. */
struct opt client_row(struct client *c);

/** Ready for requests; @a outlives it. End with client_release(). */
void client_init(struct client *c, struct arena *a);
void client_release(struct client *c);

struct client_reply {
    int status; /* 2xx */
    struct str body;
    const struct jnode *json; /* the body, if it is JSON; else NULL */
};

/**
 * Ask and wait.
 *
 * @path   with the query, from the slash on
 * @body   JSON, or empty
 * @return ERR_OK for 2xx | ERR_NETWORK, ERR_TIMEOUT (nobody there: says how to start one) | what
 *         stands for the status: ERR_NOT_FOUND, ERR_AUTH, ERR_CONFLICT, ERR_INVALID,
 * ERR_RATE_LIMIT, ERR_UNAVAILABLE
 */
NODISCARD enum err client_ask(struct client *c, const char *method, const char *path,
                              struct str body, struct client_reply *ret, struct errinfo *reterr);

#endif
