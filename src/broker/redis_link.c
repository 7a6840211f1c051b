#include "broker/redis_link.h"

#include "base/clock.h"
#include "broker/remote.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINK_READ_BYTES 16384
#define LINK_ANSWER_BYTES_MAX ((size_t)4 << 20)

/* --- commands */

void redis_command_init(struct redis_command *c, int max, struct arena *a) {
    *c = (struct redis_command){.max = max};
    c->parts = ARENA_ARRAY(a, const char *, (size_t)max);
    c->sizes = ARENA_ARRAY(a, size_t, (size_t)max);
}

void redis_command_add(struct redis_command *c, struct str part) {
    ASSERT(c->n < c->max);
    c->parts[c->n] = part.p;
    c->sizes[c->n++] = part.n;
}

/* --- waiting */

static enum err link_wait(const struct redis_link *l, short events, int64_t until_ms,
                          struct errinfo *reterr) {
    struct pollfd p = {.fd = l->fd, .events = events};
    int64_t left_ms;
    while ((left_ms = until_ms - clock_mono_ms()) > 0) {
        int n = poll(&p, 1, (int)left_ms);
        if (n > 0) {
            return ERR_OK;
        }
        if (n < 0 && errno != EINTR) {
            return errinfo_set(reterr, ERR_NETWORK, "%s", strerror(errno));
        }
    }
    return errinfo_set(reterr, ERR_TIMEOUT, "it does not answer");
}

/* --- TLS */

/* What OpenSSL wants before it goes on; or why it does not. */
static enum err link_tls_wait(const struct redis_link *l, int result, int64_t until_ms,
                              struct errinfo *reterr) {
    int want = SSL_get_error(l->tls, result);
    if (want == SSL_ERROR_WANT_READ || want == SSL_ERROR_WANT_WRITE) {
        return link_wait(l, want == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, until_ms, reterr);
    }
    long verdict = SSL_get_verify_result(l->tls);
    if (verdict != X509_V_OK) {
        return errinfo_set(reterr, ERR_NETWORK, "its certificate is not good: %s",
                           X509_verify_cert_error_string(verdict));
    }
    const char *reason = ERR_reason_error_string(ERR_get_error());
    return errinfo_set(reterr, ERR_NETWORK, "TLS: %s", reason != NULL ? reason : "it hung up");
}

static enum err link_tls_prepare(struct redis_link *l, const struct broker_url *url,
                                 struct errinfo *reterr) {
    struct in6_addr address;
    char name[sizeof url->host]; /* OpenSSL's macro wants it without const */
    bool is_address = inet_pton(AF_INET, url->host, &address) == 1 ||
                      inet_pton(AF_INET6, url->host, &address) == 1;
    memcpy(name, url->host, sizeof name);
    l->tls_context = SSL_CTX_new(TLS_client_method());
    ASSERT(l->tls_context != NULL);
    SSL_CTX_set_verify(l->tls_context, SSL_VERIFY_PEER, NULL);
    if (url->ca[0] == '\0') {
        (void)SSL_CTX_set_default_verify_paths(l->tls_context); /* none: no certificate is good */
    } else if (SSL_CTX_load_verify_locations(l->tls_context, url->ca, NULL) != 1) {
        return errinfo_set(reterr, ERR_NETWORK, "no certificates can be read from %s", url->ca);
    }
    l->tls = SSL_new(l->tls_context);
    ASSERT(l->tls != NULL);
    bool set = is_address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(l->tls), url->host) == 1
                          : SSL_set1_host(l->tls, url->host) == 1 &&
                                SSL_set_tlsext_host_name(l->tls, name) == 1;
    ASSERT(set && SSL_set_fd(l->tls, l->fd) == 1);
    return ERR_OK;
}

static enum err link_tls_begin(struct redis_link *l, const struct broker_url *url, int64_t until_ms,
                               struct errinfo *reterr) {
    enum err e = link_tls_prepare(l, url, reterr);
    int n;
    while (e == ERR_OK && (ERR_clear_error(), n = SSL_connect(l->tls)) != 1) {
        e = link_tls_wait(l, n, until_ms, reterr);
    }
    return e;
}

/* --- connecting */

static enum err link_connect_to(struct redis_link *l, const struct addrinfo *to, int64_t until_ms,
                                struct errinfo *reterr) {
    int failed = 0, one = 1;
    socklen_t n = sizeof failed;
    l->fd = socket(to->ai_family, to->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, to->ai_protocol);
    if (l->fd < 0) {
        return errinfo_set(reterr, ERR_NETWORK, "%s", strerror(errno));
    }
    (void)setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* slower without */
    if (connect(l->fd, to->ai_addr, to->ai_addrlen) != 0) {
        failed = errno;
        if (failed == EINPROGRESS) {
            enum err e = link_wait(l, POLLOUT, until_ms, reterr);
            if (e != ERR_OK) {
                return e;
            }
            (void)getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &failed, &n);
        }
    }
    return failed == 0 ? ERR_OK : errinfo_set(reterr, ERR_NETWORK, "%s", strerror(failed));
}

static enum err link_connect(struct redis_link *l, const struct broker_url *url, int64_t until_ms,
                             struct errinfo *reterr) {
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *all;
    int failed = getaddrinfo(url->host, url->port, &hints, &all);
    if (failed != 0) {
        return errinfo_set(reterr, ERR_NETWORK, "%s", gai_strerror(failed));
    }
    enum err e = ERR_NETWORK;
    for (const struct addrinfo *to = all; to != NULL && e != ERR_OK; to = to->ai_next) {
        redis_link_close(l);
        e = link_connect_to(l, to, until_ms, reterr);
    }
    freeaddrinfo(all);
    return e;
}

enum err redis_link_open(struct redis_link *l, const struct broker_url *url,
                         struct errinfo *reterr) {
    int64_t until_ms = clock_mono_ms() + REMOTE_DEADLINE_MS;
    *l = (struct redis_link){.fd = -1};
    enum err e = link_connect(l, url, until_ms, reterr);
    if (e == ERR_OK && url->tls) {
        e = link_tls_begin(l, url, until_ms, reterr);
    }
    if (e == ERR_OK) {
        l->reader = redisReaderCreate();
        ASSERT(l->reader != NULL);
    }
    return e;
}

void redis_link_close(struct redis_link *l) {
    SSL_free(l->tls);
    SSL_CTX_free(l->tls_context);
    if (l->reader != NULL) {
        redisReaderFree(l->reader);
    }
    if (l->fd >= 0) {
        (void)close(l->fd); /* nothing is owed to it */
    }
    *l = (struct redis_link){.fd = -1};
}

/* --- talking */

static enum err link_write(struct redis_link *l, const char *p, size_t n, struct errinfo *reterr) {
    int64_t until_ms = clock_mono_ms() + REMOTE_DEADLINE_MS;
    enum err e = ERR_OK;
    while (n > 0 && e == ERR_OK) {
        ssize_t done;
        if (l->tls != NULL) {
            ERR_clear_error();
            done = SSL_write(l->tls, p, (int)MIN(n, LINK_READ_BYTES));
            e = done > 0 ? ERR_OK : link_tls_wait(l, (int)done, until_ms, reterr);
        } else {
            done = send(l->fd, p, n, MSG_NOSIGNAL);
            e = done >= 0         ? ERR_OK
                : errno == EAGAIN ? link_wait(l, POLLOUT, until_ms, reterr)
                                  : errinfo_set(reterr, ERR_NETWORK, "%s", strerror(errno));
        }
        p += MAX(done, 0);
        n -= (size_t)MAX(done, 0);
    }
    return e;
}

/* What has come in, to the reader; waits for it until then. */
static enum err link_read(struct redis_link *l, int64_t until_ms, struct errinfo *reterr) {
    char buf[LINK_READ_BYTES];
    ssize_t n = -1;
    enum err e = ERR_OK;
    while (e == ERR_OK && n <= 0) {
        if (l->tls != NULL) {
            ERR_clear_error();
            n = SSL_read(l->tls, buf, sizeof buf);
            e = n > 0 ? ERR_OK : link_tls_wait(l, (int)n, until_ms, reterr);
        } else {
            n = recv(l->fd, buf, sizeof buf, 0);
            e = n > 0                      ? ERR_OK
                : n < 0 && errno == EAGAIN ? link_wait(l, POLLIN, until_ms, reterr)
                                           : errinfo_set(reterr, ERR_NETWORK, "%s",
                                                         n == 0 ? "it hung up" : strerror(errno));
        }
    }
    if (e == ERR_OK && (l->fed_bytes += (size_t)n) > LINK_ANSWER_BYTES_MAX) {
        return errinfo_set(reterr, ERR_PROTOCOL, "an answer without end");
    }
    if (e == ERR_OK && redisReaderFeed(l->reader, buf, (size_t)n) != REDIS_OK) {
        return errinfo_set(reterr, ERR_PROTOCOL, "%s", redisReaderGetError(l->reader));
    }
    return e;
}

enum err redis_link_send(struct redis_link *l, const struct redis_command *c,
                         struct errinfo *reterr) {
    char *text = NULL;
    int n = redisFormatCommandArgv(&text, c->n, c->parts, c->sizes);
    ASSERT(n > 0);
    enum err e = link_write(l, text, (size_t)n, reterr);
    redisFreeCommand(text);
    return e;
}

enum err redis_link_receive(struct redis_link *l, int64_t wait_ms, redisReply **ret,
                            struct errinfo *reterr) {
    int64_t until_ms = clock_mono_ms() + wait_ms;
    for (;;) {
        void *reply = NULL;
        if (redisReaderGetReply(l->reader, &reply) != REDIS_OK) {
            return errinfo_set(reterr, ERR_PROTOCOL, "%s", redisReaderGetError(l->reader));
        }
        if (reply != NULL) {
            l->fed_bytes = 0;
            *ret = reply;
            return ERR_OK;
        }
        enum err e = link_read(l, until_ms, reterr);
        if (e == ERR_TIMEOUT) {
            *ret = NULL;
            return ERR_OK;
        }
        if (e != ERR_OK) {
            return e;
        }
    }
}

enum err redis_link_ask(struct redis_link *l, const struct redis_command *c, redisReply **ret,
                        struct errinfo *reterr) {
    redisReply *reply = NULL;
    enum err e = redis_link_send(l, c, reterr);
    e = e == ERR_OK ? redis_link_receive(l, REMOTE_DEADLINE_MS, &reply, reterr) : e;
    if (e != ERR_OK) {
        return e;
    }
    if (reply == NULL) {
        return errinfo_set(reterr, ERR_TIMEOUT, "it does not answer");
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        e = errinfo_set(reterr, ERR_PROTOCOL, "it says: %s", reply->str);
        freeReplyObject(reply);
        return e;
    }
    *ret = reply;
    return ERR_OK;
}
