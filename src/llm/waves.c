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

/* Whoever comes now opens another one. */
static void wave_shut(struct llm_batch *b) {
    if (b->model->wave == b) {
        b->model->wave = NULL;
    }
}

static void wave_leave(void *ctx) {
    struct llm_batch *b = ctx;
    wave_shut(b);
    loop_timer_stop(&b->timer);
    batch_close(b);
}

static struct llm_batch *wave_new(struct llm_model *model) {
    struct llm *m = model->llm;
    struct llm_batch *b = mem_new(sizeof *b);
    *b = (struct llm_batch){.llm = m, .model = model, .first_ms = loop_now_ms(m->loop)};
    TAILQ_INIT(&b->calls);
    LIST_INSERT_HEAD(&m->batches, b, link);
    model->wave = b;
    return b;
}

/* A batch that an earlier process had put it in; it may have gone to a model that stood in. */
static bool wave_find_batch(struct llm_call *c) {
    struct llm_batch *b;
    LIST_FOREACH(b, &c->model->llm->batches, link) {
        if (b->state != BATCH_GATHERING && batch_has(b, c) && llm_call_readdress(c, b->model)) {
            llm_call_prepare(c);
            batch_attach(b, c);
            return true;
        }
    }
    return false;
}

static void wave_join(struct llm_call *c) {
    struct llm_model *model = c->model;
    struct llm *m = model->llm;
    if (wave_find_batch(c)) {
        return;
    }
    llm_call_prepare(c);
    struct llm_batch *b = model->wave != NULL ? model->wave : wave_new(model);
    TAILQ_INSERT_TAIL(&b->calls, c, link);
    c->batch = b;
    b->n++;
    b->bytes += c->body.n;
    bool full = b->n >= WAVE_CALLS_MAX || b->bytes >= WAVE_BYTES_MAX;
    if (full) {
        wave_shut(b);
    }
    int64_t age_ms = loop_now_ms(m->loop) - b->first_ms;
    int64_t wait_ms = MIN((int64_t)WAVE_QUIET_MS, MAX(WAVE_AGE_MS_MAX - age_ms, 0));
    loop_timer_start(m->loop, &b->timer, full ? 0 : wait_ms, wave_leave, b);
}

static void wave_unjoin(struct llm_call *c) {
    struct llm_batch *b = c->batch;
    TAILQ_REMOVE(&b->calls, c, link);
    c->batch = NULL;
    b->n--;
    b->bytes -= c->body.n;
    if (b->n == 0) {
        wave_shut(b);
        batch_free(b);
    }
}

static void wave_pump(struct llm_model *model) {
    (void)model; /* a wave leaves by its timer */
}

const struct llm_transport llm_waves = {
    .tariff = PRICE_BATCH, .join = wave_join, .leave = wave_unjoin, .pump = wave_pump};

void llm_use_batches(struct llm *m, const struct llm_book *book) {
    ASSERT(LIST_EMPTY(&m->calls));
    m->transport = &llm_waves;
    m->book = book;
}
