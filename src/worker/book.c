#include "worker/book.h"

#include "base/clock.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BOOK_ARENA_BYTES_MAX ((size_t)1024 * 1024 * 1024)
#define BOOK_NOTE_BYTES_MAX ((size_t)16 * 1024 * 1024)

/* Something that is being written. */
struct book_entry {
    struct book *book;
    struct arena a; /* what the operation points to */
    llm_noted_fn *done;
    void *ctx;
    union {
        struct store_batch_intend intend;
        struct store_batch_made made;
    } op;
};

struct book {
    struct loop *loop;
    struct store *store;
    const char *job_id;
    struct llm_book for_llm;
    int64_t entries; /* under way */
    struct arena a;  /* what was read */
    struct store_batches batches;
    struct llm *llm;
    book_read_fn *read;
    void *read_ctx;
    void (*closed)(void *ctx); /* NULL: it is open */
    void *closed_ctx;
    struct loop_timer tell;
};

/* --- writing */

static void book_closed(void *ctx) {
    struct book *b = ctx;
    if (b->entries == 0) { /* else something was begun meanwhile, and its end comes here again */
        b->closed(b->closed_ctx);
    }
}

static void book_tell_closed(struct book *b) {
    if (b->closed != NULL && b->entries == 0) {
        loop_timer_start(b->loop, &b->tell, 0, book_closed, b);
    }
}

static struct book_entry *book_entry_new(struct book *b, llm_noted_fn *done, void *ctx) {
    struct book_entry *e = mem_new(sizeof *e);
    e->book = b;
    e->done = done;
    e->ctx = ctx;
    arena_init(&e->a, BOOK_NOTE_BYTES_MAX);
    b->entries++;
    return e;
}

static void book_written(struct book_entry *e, const struct store_op *op) {
    struct book *b = e->book;
    if (b->closed == NULL) {
        e->done(e->ctx, op->err, &op->detail);
    }
    arena_release(&e->a);
    free(e);
    b->entries--;
    book_tell_closed(b);
}

static void book_intended(struct store_op *op) {
    book_written(CONTAINER_OF(op, struct book_entry, op.intend.op), op);
}

/* "<job>/<attempt>/<call>", as slots make it. */
static struct batch_call book_call_of(const char *tag) {
    struct str text = str_of(tag);
    size_t last = str_rfind(text, S("/"));
    ASSERT(last != STR_NPOS);
    struct str head = str_take(text, last);
    size_t first = str_rfind(head, S("/"));
    struct batch_call call;
    bool good = first != STR_NPOS && str_to_i64(str_skip(head, first + 1), &call.attempt_no) &&
                str_to_i64(str_skip(text, last + 1), &call.call_no);
    ASSERT(good);
    return call;
}

static void book_intend(void *ctx, const struct llm_note *note, llm_noted_fn *done,
                        void *done_ctx) {
    struct book *b = ctx;
    struct book_entry *e = book_entry_new(b, done, done_ctx);
    struct batch_call *calls = ARENA_ARRAY(&e->a, struct batch_call, note->n);
    for (size_t i = 0; i < note->n; i++) {
        calls[i] = book_call_of(note->tags[i]);
    }
    e->op.intend = (struct store_batch_intend){.op = {.loop = b->loop, .done = book_intended},
                                               .job_id = b->job_id,
                                               .mark = str_dup(&e->a, str_of(note->mark)),
                                               .model = str_dup(&e->a, note->model),
                                               .calls = calls,
                                               .n = note->n,
                                               .now_ms = note->created_ms};
    store_batch_intend(b->store, &e->op.intend);
}

static void book_made_written(struct store_op *op) {
    book_written(CONTAINER_OF(op, struct book_entry, op.made.op), op);
}

static void book_made(void *ctx, const char *mark, struct str id, llm_noted_fn *done,
                      void *done_ctx) {
    struct book *b = ctx;
    struct book_entry *e = book_entry_new(b, done, done_ctx);
    e->op.made = (struct store_batch_made){.op = {.loop = b->loop, .done = book_made_written},
                                           .mark = str_dup(&e->a, str_of(mark)),
                                           .id = str_dup(&e->a, id)};
    store_batch_made(b->store, &e->op.made);
}

/* --- reading */

static enum err book_adopt(struct book *b, const struct batch_row *row, struct errinfo *reterr) {
    const char **tags = ARENA_ARRAY(&b->a, const char *, row->n);
    for (size_t i = 0; i < row->n; i++) {
        tags[i] = str_fmt(&b->a, "%s/%" PRId64 "/%" PRId64, b->job_id, row->calls[i].attempt_no,
                          row->calls[i].call_no)
                      .p;
    }
    return llm_adopt(b->llm, &b->for_llm,
                     &(struct llm_note){.mark = str_cstr(&b->a, row->mark),
                                        .model = row->model,
                                        .id = row->id,
                                        .created_ms = row->created_ms,
                                        .tags = tags,
                                        .n = row->n},
                     reterr);
}

static void book_was_read(struct store_op *op) {
    struct book *b = CONTAINER_OF(op, struct book, batches.op);
    struct errinfo why = op->detail;
    enum err e = op->err;
    size_t n = e == ERR_OK ? b->batches.ret_n : 0;
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        e = book_adopt(b, &b->batches.ret[i], &why);
    }
    arena_reset(&b->a);
    b->read(b->read_ctx, e, &why, n);
}

void book_read(struct book *b, struct llm *m, book_read_fn *done, void *ctx) {
    b->llm = m;
    b->read = done;
    b->read_ctx = ctx;
    b->batches = (struct store_batches){
        .op = {.loop = b->loop, .done = book_was_read}, .job_id = b->job_id, .a = &b->a};
    store_batches(b->store, &b->batches);
}

/* --- life */

struct book *book_open(struct loop *l, struct store *store, const char *job_id) {
    struct book *b = mem_new(sizeof *b);
    *b = (struct book){.loop = l,
                       .store = store,
                       .job_id = job_id,
                       .for_llm = {.ctx = b, .intend = book_intend, .made = book_made}};
    arena_init(&b->a, BOOK_ARENA_BYTES_MAX);
    return b;
}

const struct llm_book *book_for_llm(struct book *b) {
    return &b->for_llm;
}

void book_close(struct book *b, void (*done)(void *ctx), void *ctx) {
    if (b->closed == NULL) {
        b->closed = done;
        b->closed_ctx = ctx;
        book_tell_closed(b);
    }
}

void book_free(struct book *b) {
    ASSERT(b->entries == 0);
    loop_timer_stop(&b->tell);
    arena_release(&b->a);
    free(b);
}
