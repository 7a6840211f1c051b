/* A server driven by a loop of io/: a turn whenever a socket is ready, when answers were given
 * outside of a turn, when the library has more to do, and four times a second. */
#include "httpd/conn.h"

#include "base/mem.h"

#include <stdlib.h>
#include <uv.h>

struct httpd_drive {
    struct httpd *httpd;
    struct loop *loop;
    uv_poll_t poll;
    struct loop_timer next; /* for the next tick or the next sweep */
    bool soon;              /* … the next tick */
};

static void drive_turn(void *ctx) {
    struct httpd_drive *d = ctx;
    d->soon = false;
    httpd_turn(d->httpd);
    if (!d->soon) {
        int64_t ms = httpd_wait_ms(d->httpd);
        d->soon = ms == 0;
        loop_timer_start(d->loop, &d->next, ms, drive_turn, d);
    }
}

static void drive_on_ready(uv_poll_t *poll, int status, int events) {
    (void)status; /* an epoll descriptor has no errors of its own */
    (void)events;
    drive_turn(poll->data);
}

void drive_soon(struct httpd *h) {
    struct httpd_drive *d = h->drive;
    if (d != NULL && !d->soon) {
        d->soon = true;
        loop_timer_start(d->loop, &d->next, 0, drive_turn, d);
    }
}

void httpd_attach(struct httpd *h, struct loop *l) {
    struct httpd_drive *d = mem_new(sizeof *d);
    ASSERT(h->drive == NULL);
    d->httpd = h;
    d->loop = l;
    h->drive = d;
    ASSERT(uv_poll_init(loop_uv(l), &d->poll, h->poll_fd) == 0);
    d->poll.data = d;
    ASSERT(uv_poll_start(&d->poll, UV_READABLE, drive_on_ready) == 0);
    drive_soon(h);
}

static void drive_on_closed(uv_handle_t *handle) {
    free(handle->data);
}

void drive_free(struct httpd *h) {
    struct httpd_drive *d = h->drive;
    if (d != NULL) {
        h->drive = NULL;
        loop_timer_stop(&d->next);
        uv_close((uv_handle_t *)&d->poll, drive_on_closed);
    }
}
