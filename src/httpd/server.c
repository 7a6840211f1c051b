/* The server: the library's daemon, its turns, and the end.
 *
 * libmicrohttpd is driven from outside: whoever waits watches one epoll descriptor that holds the
 * library's own and the clients that httpd_watch() was called for. Suspended connections are not
 * watched by the library; it walks over all of them whenever one is resumed, so whoever answers
 * many does it between two turns.
 */
#include "httpd/conn.h"

#include "base/clock.h"
#include "base/mem.h"
#include "io/limits.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define HTTPD_SWEEP_MS 250
#define HTTPD_HANGUPS 64
#define HTTPD_TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* As many as files may be open. */
static unsigned httpd_room(unsigned wanted) {
    int64_t room = limits_raise_files() - LIMITS_FILES_KEPT;
    int64_t most = wanted > 0 ? (int64_t)wanted : HTTPD_CONNECTIONS_MAX;
    return (unsigned)MAX(MIN(room, most), LIMITS_FILES_KEPT);
}

static struct MHD_OptionItem httpd_text(enum MHD_OPTION option, const char *text) {
    union {
        const char *given;
        void *taken;
    } p = {.given = text};
    return (struct MHD_OptionItem){option, 0, p.taken};
}

static enum err httpd_start(struct httpd *h, int fd, struct errinfo *reterr) {
    const struct httpd_options *o = &h->options;
    const bool tls = o->tls_cert != NULL;
    const struct MHD_OptionItem secure[] = {
        httpd_text(MHD_OPTION_HTTPS_MEM_CERT, o->tls_cert),
        httpd_text(MHD_OPTION_HTTPS_MEM_KEY, o->tls_key),
        httpd_text(MHD_OPTION_HTTPS_PRIORITIES, HTTPD_TLS_PRIORITIES),
        {MHD_OPTION_END, 0, NULL},
    };
    const struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO;
    h->daemon = MHD_start_daemon(
        tls ? flags | MHD_USE_TLS : flags, 0, NULL, NULL, conn_handle, h, MHD_OPTION_LISTEN_SOCKET,
        fd, MHD_OPTION_CONNECTION_LIMIT, httpd_room(o->connections_max),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, HTTPD_CONN_BYTES, MHD_OPTION_CONNECTION_TIMEOUT,
        o->stall_s, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_CONNECTION, conn_notify, h,
        MHD_OPTION_NOTIFY_COMPLETED, conn_completed, h, MHD_OPTION_URI_LOG_CALLBACK,
        conn_request_line, h, MHD_OPTION_ARRAY, tls ? secure : none, MHD_OPTION_END);
    if (h->daemon == NULL) {
        return tls ? errinfo_set(reterr, ERR_INVALID,
                                 "cannot serve TLS with this certificate and key")
                   : errinfo_set(reterr, ERR_IO, "cannot start the HTTP server");
    }
    struct epoll_event event = {.events = EPOLLIN};
    int mhd_fd = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    ASSERT(epoll_ctl(h->poll_fd, EPOLL_CTL_ADD, mhd_fd, &event) == 0);
    return ERR_OK;
}

enum err httpd_new(const struct httpd_options *options, struct httpd **ret,
                   struct errinfo *reterr) {
    struct httpd *h = mem_new(sizeof *h);
    int fd = -1;
    h->options = *options;
    h->queue = own_errors_queue();
    h->poll_fd = epoll_create1(EPOLL_CLOEXEC);
    guard_init(&h->guard, options->input_ms, options->idle_ms);
    buffers_init(&h->bodies, options->body_bytes_max);
    buffers_init(&h->streams, options->stream_bytes_max * 2); /* sent bytes stay for a while */
    enum err e = h->poll_fd < 0
                     ? errinfo_set(reterr, ERR_IO, "no epoll descriptor: %s", strerror(errno))
                     : listen_open(&options->listen, &fd, &h->port, reterr);
    if (e == ERR_OK) {
        e = httpd_start(h, fd, reterr);
        if (e != ERR_OK) {
            (void)close(fd);
        }
    }
    if (e != ERR_OK) {
        httpd_free(h);
        return e;
    }
    *ret = h;
    return ERR_OK;
}

int httpd_port(const struct httpd *h) {
    return h->port;
}

unsigned httpd_connections(const struct httpd *h) {
    return MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)->num_connections;
}

int httpd_fd(const struct httpd *h) {
    return h->poll_fd;
}

int64_t httpd_wait_ms(const struct httpd *h) {
    MHD_UNSIGNED_LONG_LONG mhd_ms;
    int64_t sweep_ms = MAX(h->sweep_ms - clock_mono_ms(), INT64_C(0));
    if (MHD_get_timeout(h->daemon, &mhd_ms) == MHD_YES && mhd_ms < (unsigned)HTTPD_SWEEP_MS) {
        return MIN((int64_t)mhd_ms, sweep_ms);
    }
    return sweep_ms;
}

static void httpd_hangups(struct httpd *h) {
    struct epoll_event events[HTTPD_HANGUPS];
    int n = epoll_wait(h->poll_fd, events, HTTPD_HANGUPS, 0);
    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr != NULL) {
            conn_drop(events[i].data.ptr);
        }
    }
}

/* The library has no answer for a request that is not there yet. Over TLS, too, the words are ours:
 * GnuTLS refuses them as long as hands are not shaken. */
static void httpd_goodbye(struct guard_conn *g) {
    const struct conn *c = CONTAINER_OF(g, struct conn, guard);
    const char *words = c->httpd->options.timeout_reply;
    if (words == NULL) {
        return;
    }
    const union MHD_ConnectionInfo *tls =
        MHD_get_connection_info(c->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (tls == NULL) {
        (void)send(c->guard.fd, words, strlen(words), MSG_DONTWAIT | MSG_NOSIGNAL);
    } else if (gnutls_record_send(tls->tls_session, words, strlen(words)) > 0) {
        (void)gnutls_bye(tls->tls_session, GNUTLS_SHUT_WR);
    }
}

void httpd_turn(struct httpd *h) {
    if (h->watched > 0) {
        httpd_hangups(h);
    }
    (void)MHD_run(h->daemon);
    int64_t now_ms = clock_mono_ms();
    if (now_ms >= h->sweep_ms) {
        guard_sweep(&h->guard, now_ms, httpd_goodbye);
        h->sweep_ms = now_ms + HTTPD_SWEEP_MS;
    }
}

/* The library can stop only when nothing is suspended. */
static void httpd_drop_all(struct httpd *h) {
    h->stopping = true;
    struct guard_conn *busy = &h->guard.lists[GUARD_BUSY];
    for (struct guard_conn *g = busy->next; g != busy; g = g->next) {
        conn_drop(CONTAINER_OF(g, struct conn, guard));
    }
    (void)MHD_run(h->daemon);
    MHD_stop_daemon(h->daemon);
}

void httpd_free(struct httpd *h) {
    drive_free(h);
    if (h->daemon != NULL) {
        httpd_drop_all(h);
    }
    if (h->daemon != NULL && h->options.listen.fd < 0 && h->options.listen.unix_path != NULL) {
        (void)unlink(h->options.listen.unix_path); /* ours; whoever is faster finds nobody there */
    }
    if (h->poll_fd >= 0) {
        (void)close(h->poll_fd);
    }
    buffers_release(&h->bodies);
    buffers_release(&h->streams);
    free(h);
}
