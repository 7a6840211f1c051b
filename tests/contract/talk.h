/* talk.h - an HTTP client in plain bytes, for tests of servers: it can be as rude as need be. */
#ifndef STUMPER_TESTS_TALK_H
#define STUMPER_TESTS_TALK_H

#include <stdbool.h>
#include <stddef.h>

#define TALK_REPLY_BYTES ((size_t)1024 * 1024)

struct talk_reply {
    char bytes[TALK_REPLY_BYTES];
    size_t n;
    int status;       /* 0: none came */
    const char *body; /* NUL-terminated; chunked ones are put together */
    size_t body_n;
    bool closed; /* the server ended the connection behind it */
    int errnum;  /* of recv() */
};

/** Connect to a port of 127.0.0.1 / to a unix socket. */
int talk_dial(int port);
int talk_dial_unix(const char *path);

/** Send these bytes; fails the test if they do not go. */
void talk_say(int fd, const char *bytes);

/** Read one reply, for at most @ms. Lives until the next call. */
const struct talk_reply *talk_hear(int fd, int ms);

/** Read until @text came (true), the end, or @ms have passed. All that came is in @ret. */
bool talk_until(int fd, const char *text, int ms, struct talk_reply *ret);

/** A request on a connection of its own. @headers: "Name: value\r\n"…, or ""; @body NULL: none. */
const struct talk_reply *talk(int port, const char *method, const char *path, const char *headers,
                              const char *body);

/** The value of a header of a reply, until the next call; NULL if there is none. */
const char *talk_header(const struct talk_reply *r, const char *name);

#endif
