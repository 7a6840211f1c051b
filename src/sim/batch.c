#include "sim/batch.h"

#include "base/clock.h"
#include "base/mem.h"
#include "sim/exchange.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_TURN 100      /* questions answered in one go: some milliseconds */
#define BATCH_PAUSE_US 2000 /* between two goes, at least */
#define BATCH_FINALIZE_US 20000
#define BATCH_GOLDEN 0.618

enum { DRAW_TIME = 800, DRAW_EXPIRE };

static void batch_free(struct batch *b) {
    free(b->input);
    free(b->items);
    sbuf_release(&b->results);
    sbuf_release(&b->errors);
    sbuf_release(&b->metadata);
    free(b);
}

static void depot_file_free(struct depot_file *f) {
    sbuf_release(&f->data);
    free(f);
}

void depot_release(struct depot *d) {
    while (d->batches != NULL) {
        struct batch *b = d->batches;
        d->batches = b->next;
        batch_free(b);
    }
    while (d->files != NULL) {
        struct depot_file *f = d->files;
        d->files = f->next;
        depot_file_free(f);
    }
}

static bool depot_room(struct depot *d, size_t bytes) {
    bool room = bytes <= BATCH_KEPT_BYTES_MAX - MIN(d->bytes, BATCH_KEPT_BYTES_MAX);
    d->bytes += room ? bytes : 0;
    return room;
}

static void depot_id(struct sim_server *s, const char *prefix, char *out) {
    uint64_t serial = ++s->depot.serial;
    (void)snprintf(out, BATCH_ID_BYTES, "%s%016" PRIx64, prefix,
                   rng_mix(serial ^ (uint64_t)clock_wall_ms() << 20));
}

struct depot_file *depot_file_new(struct sim_server *s, struct str name, struct str purpose,
                                  struct str text) {
    if (!depot_room(&s->depot, text.n)) {
        return NULL;
    }
    struct depot_file *f = mem_new(sizeof *f);
    depot_id(s, "file-", f->id);
    (void)snprintf(f->name, sizeof f->name, "%.*s", STR_ARG(name));
    (void)snprintf(f->purpose, sizeof f->purpose, "%.*s", STR_ARG(purpose));
    sbuf_init(&f->data, text.n);
    sbuf_add(&f->data, text);
    f->created_s = clock_wall_ms() / 1000;
    f->next = s->depot.files;
    s->depot.files = f;
    return f;
}

struct depot_file *depot_file_find(const struct depot *d, struct str id) {
    struct depot_file *f = d->files;
    while (f != NULL && !str_eq(str_of(f->id), id)) {
        f = f->next;
    }
    return f;
}

void depot_file_drop(struct depot *d, struct depot_file *f) {
    struct depot_file **at = &d->files;
    while (*at != f) {
        at = &(*at)->next;
    }
    *at = f->next;
    d->bytes -= f->data.n;
    depot_file_free(f);
}

static void batch_turn(struct timer *t);

struct batch *batch_new(struct sim_server *s, const struct format *f, batch_write_fn *write,
                        const char *prefix, struct str input) {
    if (!depot_room(&s->depot, input.n)) {
        return NULL;
    }
    struct batch *b = mem_new(sizeof *b);
    b->server = s;
    b->format = f;
    b->write = write;
    b->timer.fire = batch_turn;
    b->input_bytes = input.n;
    b->input = mem_new(input.n + 1);
    memcpy(b->input, input.p, input.n);
    sbuf_init(&b->results, BATCH_KEPT_BYTES_MAX);
    sbuf_init(&b->errors, BATCH_KEPT_BYTES_MAX);
    sbuf_init(&b->metadata, SIM_BODY_BYTES_MAX);
    b->created_s = clock_wall_ms() / 1000;
    depot_id(s, prefix, b->id);
    b->next = s->depot.batches;
    s->depot.batches = b;
    return b;
}

bool batch_add(struct batch *b, struct batch_item item) {
    if (b->n == BATCH_ITEMS_MAX) {
        return false;
    }
    if ((b->n & (b->n - 1)) == 0) { /* room for twice as many */
        b->items = mem_resize(b->items, MAX(b->n * 2, (size_t)1), sizeof *b->items);
    }
    b->items[b->n++] = item;
    return true;
}

static size_t batch_common_factor(size_t a, size_t b) {
    while (b != 0) {
        size_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

void batch_start(struct batch *b) {
    struct rng r;
    rng_init_stream(&r, str_hash(str_of(b->id)), DRAW_TIME);
    b->took_us = (int64_t)(spread_draw(&b->server->options->batch_s, &r) * 1e6);
    b->begun_us = clock_mono_us();
    b->step = MAX((size_t)((double)b->n * BATCH_GOLDEN), (size_t)1);
    while (batch_common_factor(b->step, MAX(b->n, (size_t)1)) != 1) {
        b->step++;
    }
    timers_add(&b->server->timers, &b->timer, b->begun_us);
}

void batch_cancel(struct batch *b) {
    if (b->state == BATCH_VALIDATING || b->state == BATCH_RUNNING) {
        b->state = BATCH_CANCELLING;
        b->cancel_s = clock_wall_ms() / 1000;
        timers_remove(&b->server->timers, &b->timer);
        timers_add(&b->server->timers, &b->timer, clock_mono_us());
    }
}

void batch_drop(struct batch *b) {
    struct depot *d = &b->server->depot;
    ASSERT(d->batches == b);
    d->batches = b->next;
    d->bytes -= b->input_bytes;
    batch_free(b);
}

struct batch *batch_find(const struct depot *d, enum dialect dialect, struct str id) {
    struct batch *b = d->batches;
    while (b != NULL && (b->format->dialect != dialect || !str_eq(str_of(b->id), id))) {
        b = b->next;
    }
    return b;
}

/* The first from @b on that is of @dialect. */
static const struct batch *batch_of(const struct batch *b, enum dialect dialect) {
    while (b != NULL && b->format->dialect != dialect) {
        b = b->next;
    }
    return b;
}

struct batch_page batch_page(const struct depot *d, enum dialect dialect, struct str after,
                             int64_t limit) {
    const struct batch *b = after.n > 0 ? batch_find(d, dialect, after) : NULL;
    struct batch_page page = {.first = batch_of(b != NULL ? b->next : d->batches, dialect)};
    page.behind = page.first;
    for (int64_t i = 0; i < limit && page.behind != NULL; i++) {
        page.behind = batch_of(page.behind->next, dialect);
    }
    return page;
}

static void batch_bill(struct batch *b, const struct batch_item *item, const struct said *said) {
    struct ledger_entry e = {.role = said->reply.role,
                             .fault = said->reply.fault,
                             .request_hash = said->reply.request_hash,
                             .usage = brain_usage(&said->reply),
                             .batch = true};
    (void)snprintf(e.model, sizeof e.model, "%.*s", STR_ARG(said->model));
    (void)snprintf(e.client_id, sizeof e.client_id, "%.*s", STR_ARG(item->custom_id));
    ledger_add(&b->server->ledger, &e);
}

/* Answer @item into the scratch buffer; gives the status. */
static int batch_say(struct batch *b, const struct batch_item *item) {
    struct sim_server *s = b->server;
    struct sim_error e;
    struct said said = {.created_s = clock_wall_ms() / 1000};
    /* the batch's own copy, which is read once */
    struct sbuf body = {.p = b->input + (item->body.p - b->input), .n = item->body.n};
    sbuf_clear(&s->scratch);
    bool good = b->format->read(&body, &s->request, &e) &&
                ask_check(s, b->format->dialect, &s->request, &e);
    if (good) {
        brain_answer(&s->brain, &s->request, &s->text, &said.reply);
        if (!fault_billed(said.reply.fault)) {
            good = sim_error_set(&e, TROUBLE_INTERNAL, NULL, NULL,
                                 "The server had an error while processing your request.");
        }
    }
    if (!good) {
        sim_error_write(&e, b->format->dialect, NULL, &s->scratch);
        return sim_error_status(&e, b->format->dialect);
    }
    said.model = s->request.model;
    said.text = sbuf_str(&s->text);
    b->format->whole(&said, &s->scratch);
    batch_bill(b, item, &said);
    return 200;
}

static void batch_one(struct batch *b) {
    size_t at = (size_t)((uint64_t)b->done * b->step % b->n);
    const struct batch_item *item = &b->items[at];
    enum batch_fate fate = BATCH_CANCELLED;
    int status = 0;
    struct str body = S("");
    if (b->state != BATCH_CANCELLING) {
        uint64_t luck = rng_mix(str_hash(str_of(b->id)) + at);
        fate = BATCH_EXPIRED;
        if (brain_unit(luck, DRAW_EXPIRE) >= b->server->options->batch_expire) {
            status = batch_say(b, item);
            body = sbuf_str(&b->server->scratch);
            fate = status == 200 ? BATCH_SUCCEEDED : BATCH_ERRORED;
        }
    }
    b->write(b, item, fate, status, body);
    b->fates[fate]++;
    b->done++;
}

static void batch_end(struct batch *b) {
    struct sim_server *s = b->server;
    journal_flush(&s->truth.file);
    b->state = BATCH_ENDED;
    b->ended_s = clock_wall_ms() / 1000;
    if (b->format->dialect == DIALECT_OPENAI) { /* it has them as files */
        const struct {
            struct sbuf *lines;
            char *id;
        } files[] = {{&b->results, b->output_file}, {&b->errors, b->error_file}};
        for (size_t i = 0; i < ARRAY_LEN(files); i++) {
            struct depot_file *f = NULL;
            if (files[i].lines->n > 0) {
                f = depot_file_new(s, S("batch_output.jsonl"), S("batch_output"),
                                   sbuf_str(files[i].lines));
            }
            if (f != NULL) {
                memcpy(files[i].id, f->id, BATCH_ID_BYTES);
            }
            sbuf_release(files[i].lines);
        }
    }
}

/* Some questions' time has come. */
static void batch_turn(struct timer *t) {
    struct batch *b = CONTAINER_OF(t, struct batch, timer);
    int64_t now_us = clock_mono_us(), end_us = b->begun_us + b->took_us;
    if (b->state == BATCH_FINALIZING) {
        batch_end(b);
        return;
    }
    if (b->invalid[0] != '\0') {
        b->state = BATCH_FAILED;
        b->ended_s = clock_wall_ms() / 1000;
        return;
    }
    if (b->state == BATCH_VALIDATING) {
        b->state = BATCH_RUNNING;
    }
    bool all = now_us >= end_us || b->state == BATCH_CANCELLING;
    double share = all ? 1 : (double)(now_us - b->begun_us) / (double)b->took_us;
    size_t until = MIN((size_t)((double)b->n * share), b->done + BATCH_TURN);
    while (b->done < until) {
        batch_one(b);
    }
    if (all && b->done == b->n) {
        b->state = BATCH_FINALIZING;
        b->finalizing_s = clock_wall_ms() / 1000;
        timers_add(&b->server->timers, &b->timer, now_us + BATCH_FINALIZE_US);
        return;
    }
    double next = (double)b->took_us * (double)(b->done + 1) / (double)MAX(b->n, (size_t)1);
    int64_t next_us = all ? now_us : MIN(b->begun_us + (int64_t)next, end_us);
    timers_add(&b->server->timers, &b->timer, MAX(next_us, now_us + BATCH_PAUSE_US));
}
