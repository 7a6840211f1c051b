/* url.h - inside the room: where a broker's server is. */
#ifndef STUMPER_BROKER_URL_H
#define STUMPER_BROKER_URL_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

#define URL_PART_BYTES 256
#define URL_NAME_BYTES 64
#define URL_LABEL_BYTES 320

/* SCHEME://[USER[:PASSWORD]@]HOST[:PORT][/PATH][?name=FLEET][&ca=FILE] */
struct broker_url {
    bool tls;
    char user[URL_PART_BYTES], password[URL_PART_BYTES]; /* percent-decoded, as is the path */
    char host[URL_PART_BYTES];
    char port[8];
    char path[URL_PART_BYTES];   /* without its slash; "" if there is none */
    char name[URL_NAME_BYTES];   /* tells fleets on one server apart: letters, digits, - _ . */
    char ca[URL_PART_BYTES];     /* PEM file of who vouches for the server; "": the system's */
    char label[URL_LABEL_BYTES]; /* "Redis at HOST:PORT", for people */
};

/* What a kind of server is called. */
struct broker_scheme {
    const char *plain, *tls;     /* "redis", "rediss" */
    const char *port, *port_tls; /* where none is given */
    const char *title;           /* "Redis" */
};

/** A fleet's name, percent-decoded, in @ret of URL_NAME_BYTES; false if it can be none. */
NODISCARD bool broker_name_read(struct str text, char *ret);

/**
 * Take @text apart. The password becomes a secret of the log.
 *
 * @return  ERR_USAGE, with a text that does not repeat the URL
 */
NODISCARD enum err broker_url_read(const char *text, const struct broker_scheme *scheme,
                                   struct broker_url *ret, struct errinfo *reterr);

#endif
