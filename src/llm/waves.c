/* Calls gather in a wave, a wave becomes a batch. A wave leaves when nobody has joined it for a
 * moment: attempts do everything but waiting for answers in milliseconds, so whoever could come has
 * come then. What trickles in leaves after a while in any case, and a full wave at once
 * (docs/adr/0021). */
#include "base/mem.h"
#include "llm/batch.h"

#define WAVE_QUIET_MS 500
#define WAVE_AGE_MS_MAX 10000
#define WAVE_CALLS_MAX 10000 /* far below what providers take: results are read at one go */
#define WAVE_BYTES_MAX ((size_t)64 * 1024 * 1024)

static void wave_leave(void *ctx) {
    struct llm_batch *b = ctx;
    loop_timer_stop(&b->timer);
    batch_close(b);
}

static bool wave_is_full(const struct llm_batch *b) {
    return b->n >= WAVE_CALLS_MAX || b->bytes >= WAVE_BYTES_MAX;
}

/* The wave that gathers for @c's model and book; a full one is about to leave. */
static struct llm_batch *wave_for(const struct llm_call *c) {
    struct llm *m = c->model->llm;
    struct llm_batch *b;
    LIST_FOREACH(b, &m->batches, link) {
        if (b->state == BATCH_GATHERING && b->model == c->model && b->book == c->request.book &&
            !wave_is_full(b)) {
            return b;
        }
    }
    b = mem_new(sizeof *b);
    *b = (struct llm_batch){
        .llm = m, .model = c->model, .book = c->request.book, .first_ms = loop_now_ms(m->loop)};
    TAILQ_INIT(&b->calls);
    LIST_INSERT_HEAD(&m->batches, b, link);
    return b;
}

/* A batch that an earlier process had put it in; it may have gone to a model that stood in. */
static bool wave_find_batch(struct llm_call *c) {
    struct llm_batch *b;
    LIST_FOREACH(b, &c->model->llm->batches, link) {
        if (b->book == c->request.book && b->state != BATCH_GATHERING &&
            batch_has(b, llm_call_tag(c)) && llm_call_readdress(c, b->model)) {
            llm_call_prepare(c);
            batch_attach(b, c);
            return true;
        }
    }
    return false;
}

static void wave_join(struct llm_call *c) {
    struct llm *m = c->model->llm;
    if (wave_find_batch(c)) {
        return;
    }
    llm_call_prepare(c);
    struct llm_batch *b = wave_for(c);
    TAILQ_INSERT_TAIL(&b->calls, c, link);
    c->batch = b;
    b->n++;
    b->bytes += c->body.n;
    int64_t age_ms = loop_now_ms(m->loop) - b->first_ms;
    int64_t wait_ms = MIN((int64_t)WAVE_QUIET_MS, MAX(WAVE_AGE_MS_MAX - age_ms, 0));
    loop_timer_start(m->loop, &b->timer, wave_is_full(b) ? 0 : wait_ms, wave_leave, b);
}

static void wave_unjoin(struct llm_call *c) {
    struct llm_batch *b = c->batch;
    TAILQ_REMOVE(&b->calls, c, link);
    c->batch = NULL;
    b->n--;
    b->bytes -= c->body.n;
    if (b->n == 0) {
        batch_free(b);
    }
}

const struct llm_transport llm_waves = {
    .tariff = PRICE_BATCH, .join = wave_join, .leave = wave_unjoin};

static bool wave_chain_has(const struct llm_chain *chain, const struct llm_model *model) {
    bool has = false;
    for (size_t i = 0; i < chain->n; i++) {
        has = has || chain->models[i] == model;
    }
    return has;
}

bool llm_awaits(const struct llm *m, const struct llm_book *book, const struct llm_chain *chain,
                const char *tag) {
    const struct llm_batch *b;
    LIST_FOREACH(b, &m->batches, link) {
        if (b->book == book && b->state != BATCH_GATHERING && wave_chain_has(chain, b->model) &&
            batch_has(b, tag)) {
            return true;
        }
    }
    return false;
}

void llm_abandon(struct llm *m, const struct llm_book *book) {
    struct llm_batch *b, *next;
    for (b = LIST_FIRST(&m->batches); b != NULL; b = next) {
        next = LIST_NEXT(b, link);
        if (b->book == book) {
            batch_end(b);
        }
    }
}

void llm_relinquish_batches(struct llm *m, const struct llm_book *book) {
    struct llm_batch *b;
    LIST_FOREACH(b, &m->batches, link) {
        if (b->book == book && b->state != BATCH_GATHERING) {
            b->unwanted = true;
            batch_relinquish(b);
        }
    }
}
