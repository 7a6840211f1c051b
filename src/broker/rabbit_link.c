#include "broker/rabbit_link.h"

#include "base/clock.h"
#include "base/defs.h"
#include "base/rng.h"
#include "broker/remote.h"

#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#define LINK_CHANNEL_PUT 1
#define LINK_CHANNEL_TAKE 2
#define LINK_HEARTBEAT_S 5
#define LINK_FRAME_BYTES_MAX 131072
#define LINK_GOODBYE_MS 1000
#define LINK_CONSUMER_BYTES 32
#define LINK_CA_FILE "/etc/ssl/certs/ca-certificates.crt"

static struct timeval link_time(int64_t ms) {
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

/* --- errors */

static enum err link_says(struct rabbit_link *l, amqp_bytes_t text, struct errinfo *reterr) {
    l->broken = true;
    return errinfo_set(reterr, ERR_PROTOCOL, "it says: %.*s", (int)MIN(text.len, 200),
                       (const char *)text.bytes);
}

static enum err link_status(struct rabbit_link *l, int status, struct errinfo *reterr) {
    if (status == AMQP_STATUS_OK) {
        return ERR_OK;
    }
    l->broken = true;
    if (status == AMQP_STATUS_TIMEOUT || status == AMQP_STATUS_HEARTBEAT_TIMEOUT) {
        return errinfo_set(reterr, ERR_TIMEOUT, "it does not answer");
    }
    return errinfo_set(reterr, ERR_NETWORK, "%s", amqp_error_string2(status));
}

static enum err link_reply(struct rabbit_link *l, amqp_rpc_reply_t reply, struct errinfo *reterr) {
    if (reply.reply_type == AMQP_RESPONSE_NORMAL) {
        return ERR_OK;
    }
    if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION) {
        return reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD
                   ? link_says(l, ((amqp_connection_close_t *)reply.reply.decoded)->reply_text,
                               reterr)
                   : link_says(l, ((amqp_channel_close_t *)reply.reply.decoded)->reply_text,
                               reterr);
    }
    return link_status(l, reply.library_error, reterr);
}

static enum err link_last_reply(struct rabbit_link *l, struct errinfo *reterr) {
    return link_reply(l, amqp_get_rpc_reply(l->amqp), reterr);
}

/* --- connecting */

/* Who vouches for the server; librabbitmq wants to be told. */
static const char *link_ca_file(const struct broker_url *url) {
    const char *told = url->ca[0] != '\0' ? url->ca : getenv("SSL_CERT_FILE");
    return told != NULL && told[0] != '\0' ? told : LINK_CA_FILE;
}

static amqp_socket_t *link_socket(struct rabbit_link *l, const struct broker_url *url,
                                  struct errinfo *reterr) {
    if (!url->tls) {
        amqp_socket_t *s = amqp_tcp_socket_new(l->amqp);
        ASSERT(s != NULL);
        return s;
    }
    const char *ca = link_ca_file(url);
    amqp_socket_t *s = amqp_ssl_socket_new(l->amqp);
    ASSERT(s != NULL);
    if (amqp_ssl_socket_set_cacert(s, ca) != AMQP_STATUS_OK) {
        (void)errinfo_set(reterr, ERR_NETWORK, "no certificates can be read from %s", ca);
        return NULL;
    }
    amqp_ssl_socket_set_verify_peer(s, 1);
    amqp_ssl_socket_set_verify_hostname(s, 1);
    return s;
}

static enum err link_log_in(struct rabbit_link *l, const struct broker_url *url,
                            struct errinfo *reterr) {
    const char *vhost = url->path[0] != '\0' ? url->path : "/";
    const char *user = url->user[0] != '\0' ? url->user : "guest";
    const char *password = url->password[0] != '\0' ? url->password : "guest";
    return link_reply(l,
                      amqp_login(l->amqp, vhost, AMQP_DEFAULT_MAX_CHANNELS, LINK_FRAME_BYTES_MAX,
                                 LINK_HEARTBEAT_S, AMQP_SASL_METHOD_PLAIN, user, password),
                      reterr);
}

static enum err link_open_channels(struct rabbit_link *l, struct errinfo *reterr) {
    enum err e = ERR_OK;
    for (amqp_channel_t c = LINK_CHANNEL_PUT; c <= LINK_CHANNEL_TAKE && e == ERR_OK; c++) {
        (void)amqp_channel_open(l->amqp, c);
        e = link_last_reply(l, reterr);
    }
    if (e == ERR_OK) {
        (void)amqp_confirm_select(l->amqp, LINK_CHANNEL_PUT);
        e = link_last_reply(l, reterr);
    }
    return e;
}

enum err rabbit_link_open(struct rabbit_link *l, const struct broker_url *url,
                          struct errinfo *reterr) {
    struct timeval deadline = link_time(REMOTE_DEADLINE_MS);
    *l = (struct rabbit_link){.deliver = l->deliver, .ctx = l->ctx, .amqp = amqp_new_connection()};
    ASSERT(l->amqp != NULL);
    (void)amqp_set_handshake_timeout(l->amqp, &deadline);
    (void)amqp_set_rpc_timeout(l->amqp, &deadline);
    amqp_socket_t *s = link_socket(l, url, reterr);
    l->broken = true; /* until it is open */
    if (s == NULL) {
        return ERR_NETWORK;
    }
    int status = amqp_socket_open_noblock(s, url->host, atoi(url->port), &deadline);
    enum err e = link_status(l, status, reterr);
    e = e == ERR_OK ? link_log_in(l, url, reterr) : e;
    e = e == ERR_OK ? link_open_channels(l, reterr) : e;
    l->broken = e != ERR_OK;
    return e;
}

void rabbit_link_close(struct rabbit_link *l) {
    if (l->amqp == NULL) {
        return;
    }
    if (!l->broken) {
        struct timeval deadline = link_time(LINK_GOODBYE_MS);
        (void)amqp_set_rpc_timeout(l->amqp, &deadline);
        (void)amqp_connection_close(l->amqp, AMQP_REPLY_SUCCESS); /* else it notices by itself */
    }
    (void)amqp_destroy_connection(l->amqp); /* nothing more can be done about it */
    l->amqp = NULL;
}

int rabbit_link_fd(const struct rabbit_link *l) {
    return amqp_get_sockfd(l->amqp);
}

/* --- queues */

static amqp_table_entry_t link_text(const char *key, const char *text) {
    return (amqp_table_entry_t){
        .key = amqp_cstring_bytes(key),
        .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes(text)}};
}

static amqp_table_entry_t link_number(const char *key, int64_t v) {
    return (amqp_table_entry_t){.key = amqp_cstring_bytes(key),
                                .value = {.kind = AMQP_FIELD_KIND_I64, .value.i64 = v}};
}

enum err rabbit_link_declare(struct rabbit_link *l, const char *queue, size_t most, int64_t ttl_ms,
                             struct errinfo *reterr) {
    amqp_table_entry_t entries[] = {
        link_text("x-queue-type", "quorum"), link_number("x-max-length", (int64_t)most),
        link_text("x-overflow", "reject-publish"), link_number("x-message-ttl", ttl_ms)};
    (void)amqp_queue_declare(l->amqp, LINK_CHANNEL_TAKE, amqp_cstring_bytes(queue), 0, 1, 0, 0,
                             (amqp_table_t){ARRAY_LEN(entries), entries});
    return link_last_reply(l, reterr);
}

enum err rabbit_link_count(struct rabbit_link *l, const char *queue, size_t *ret,
                           struct errinfo *reterr) {
    const amqp_queue_declare_ok_t *ok = amqp_queue_declare(
        l->amqp, LINK_CHANNEL_TAKE, amqp_cstring_bytes(queue), 1, 1, 0, 0, amqp_empty_table);
    enum err e = link_last_reply(l, reterr);
    if (e == ERR_OK && ok != NULL) {
        *ret = ok->message_count;
    }
    return e;
}

/* --- publishing */

enum err rabbit_link_publish(struct rabbit_link *l, const char *queue, struct str body,
                             struct errinfo *reterr) {
    const amqp_basic_properties_t persistent = {._flags = AMQP_BASIC_DELIVERY_MODE_FLAG,
                                                .delivery_mode = AMQP_DELIVERY_PERSISTENT};
    char copy[RABBIT_BODY_BYTES_MAX];
    ASSERT(l->unconfirmed < RABBIT_UNCONFIRMED_MAX && body.n < sizeof copy);
    memcpy(copy, body.p, body.n);
    if (l->unconfirmed == 0) {
        l->confirmed_below = l->published + 1;
        memset(l->confirmed, 0, sizeof l->confirmed);
    }
    int status =
        amqp_basic_publish(l->amqp, LINK_CHANNEL_PUT, amqp_empty_bytes, amqp_cstring_bytes(queue),
                           1, 0, &persistent, (amqp_bytes_t){.len = body.n, .bytes = copy});
    l->published++;
    l->unconfirmed++;
    return link_status(l, status, reterr);
}

/* It has @tag, or, if @multiple, all up to it; or it has no room for them, which is as good: the
 * reconciler publishes again what the store says is needed. */
static void link_on_confirm(struct rabbit_link *l, uint64_t tag, bool multiple) {
    uint64_t last = MIN(tag, l->published);
    for (uint64_t t = multiple ? l->confirmed_below : tag; t <= last; t++) {
        uint64_t at = t - l->confirmed_below;
        if (t >= l->confirmed_below && at < RABBIT_UNCONFIRMED_MAX && !l->confirmed[at]) {
            l->confirmed[at] = true;
            l->unconfirmed--;
        }
    }
}

enum err rabbit_link_confirm(struct rabbit_link *l, struct errinfo *reterr) {
    int64_t until_ms = clock_mono_ms() + REMOTE_DEADLINE_MS;
    enum err e = ERR_OK;
    bool any;
    while (e == ERR_OK && l->unconfirmed > 0) {
        int64_t left_ms = until_ms - clock_mono_ms();
        l->broken = left_ms <= 0;
        e = left_ms > 0 ? rabbit_link_pump(l, left_ms, &any, reterr)
                        : errinfo_set(reterr, ERR_TIMEOUT, "it confirms nothing");
    }
    return e;
}

/* --- taking */

/* "CONSUMER.NUMBER", by a number that no consumer ever had: a quorum queue takes one for another of
 * the same name, whose deliveries it then waits for, and that even after a restart. */
static amqp_bytes_t link_consumer(const struct rabbit_link *l, int consumer, char *name,
                                  size_t size) {
    int n = snprintf(name, size, "%d.%016" PRIx64, consumer, l->consumers[consumer]);
    return (amqp_bytes_t){.len = (size_t)n, .bytes = name};
}

enum err rabbit_link_consume(struct rabbit_link *l, const char *queue, int consumer,
                             size_t prefetch, struct errinfo *reterr) {
    char name[LINK_CONSUMER_BYTES];
    rng_os(&l->consumers[consumer], sizeof l->consumers[consumer]);
    (void)amqp_basic_qos(l->amqp, LINK_CHANNEL_TAKE, 0, (uint16_t)prefetch, 0);
    enum err e = link_last_reply(l, reterr);
    if (e == ERR_OK) {
        (void)amqp_basic_consume(l->amqp, LINK_CHANNEL_TAKE, amqp_cstring_bytes(queue),
                                 link_consumer(l, consumer, name, sizeof name), 0, 0, 0,
                                 amqp_empty_table);
        e = link_last_reply(l, reterr);
    }
    return e;
}

enum err rabbit_link_cancel(struct rabbit_link *l, int consumer, struct errinfo *reterr) {
    char name[LINK_CONSUMER_BYTES];
    (void)amqp_basic_cancel(l->amqp, LINK_CHANNEL_TAKE,
                            link_consumer(l, consumer, name, sizeof name));
    return link_last_reply(l, reterr);
}

enum err rabbit_link_ack(struct rabbit_link *l, uint64_t tag, struct errinfo *reterr) {
    return link_status(l, amqp_basic_ack(l->amqp, LINK_CHANNEL_TAKE, tag, 0), reterr);
}

enum err rabbit_link_return(struct rabbit_link *l, uint64_t tag, struct errinfo *reterr) {
    return link_status(l, amqp_basic_nack(l->amqp, LINK_CHANNEL_TAKE, tag, 0, 1), reterr);
}

static enum err link_on_deliver(struct rabbit_link *l, const amqp_basic_deliver_t *d,
                                struct errinfo *reterr) {
    amqp_message_t message;
    uint64_t tag = d->delivery_tag;
    int consumer = d->consumer_tag.len > 0 ? *(const char *)d->consumer_tag.bytes - '0' : -1;
    enum err e = link_reply(l, amqp_read_message(l->amqp, LINK_CHANNEL_TAKE, &message, 0), reterr);
    if (e == ERR_OK) {
        bool fits = message.body.len <= RABBIT_BODY_BYTES_MAX;
        l->deliver(l->ctx, consumer, tag,
                   (struct str){message.body.bytes, fits ? message.body.len : 0});
        amqp_destroy_message(&message);
    }
    return e;
}

static enum err link_on_method(struct rabbit_link *l, const amqp_method_t *m,
                               struct errinfo *reterr) {
    switch (m->id) {
    case AMQP_BASIC_ACK_METHOD: {
        const amqp_basic_ack_t *ack = m->decoded;
        link_on_confirm(l, ack->delivery_tag, ack->multiple);
        return ERR_OK;
    }
    case AMQP_BASIC_NACK_METHOD: {
        const amqp_basic_nack_t *nack = m->decoded;
        link_on_confirm(l, nack->delivery_tag, nack->multiple);
        return ERR_OK;
    }
    case AMQP_BASIC_DELIVER_METHOD:
        return link_on_deliver(l, m->decoded, reterr);
    case AMQP_BASIC_RETURN_METHOD: /* nowhere to put it */
    case AMQP_BASIC_CANCEL_METHOD:
        l->broken = true;
        return errinfo_set(reterr, ERR_UNAVAILABLE, "a queue of ours was deleted");
    case AMQP_CHANNEL_CLOSE_METHOD:
        return link_says(l, ((amqp_channel_close_t *)m->decoded)->reply_text, reterr);
    case AMQP_CONNECTION_CLOSE_METHOD:
        return link_says(l, ((amqp_connection_close_t *)m->decoded)->reply_text, reterr);
    default:
        return ERR_OK;
    }
}

enum err rabbit_link_pump(struct rabbit_link *l, int64_t wait_ms, bool *ret_any,
                          struct errinfo *reterr) {
    struct timeval wait = link_time(wait_ms);
    amqp_frame_t frame;
    int status = amqp_simple_wait_frame_noblock(l->amqp, &frame, &wait);
    *ret_any = status == AMQP_STATUS_OK;
    if (status == AMQP_STATUS_TIMEOUT) {
        return ERR_OK;
    }
    enum err e = link_status(l, status, reterr);
    if (e == ERR_OK && frame.frame_type == AMQP_FRAME_METHOD) {
        e = link_on_method(l, &frame.payload.method, reterr);
    }
    amqp_maybe_release_buffers(l->amqp);
    return e;
}
