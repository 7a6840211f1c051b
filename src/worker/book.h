/* book.h - the batches of one job, written down in its store: what llm.h asks a book for.
 *
 * Threading  on the thread of its loop.
 */
#ifndef STUMPER_WORKER_BOOK_H
#define STUMPER_WORKER_BOOK_H

#include "llm/llm.h"
#include "store/store_batch.h"

struct book;

/** @job_id is borrowed. Free with book_free(), after book_close(). */
struct book *book_open(struct loop *l, struct store *store, const char *job_id);

/** For calls of the job (llm_request). */
const struct llm_book *book_for_llm(struct book *b);

/** Called once: @n batches are under way, of an earlier run. */
typedef void book_read_fn(void *ctx, enum err err, const struct errinfo *why, size_t n);

/** Read what was written before, and let @m adopt those batches. */
void book_read(struct book *b, struct llm *m, book_read_fn *done, void *ctx);

/** Tell nobody anything any more; @done once nothing is being written, on a later tick. */
void book_close(struct book *b, void (*done)(void *ctx), void *ctx);
void book_free(struct book *b);

#endif
