/* news.h - what other processes commit to the same store: written down by each beside what it
 * commits, asked for now and then by a thread with a connection of its own. Inside the room only.
 *
 * Nothing is missed: whoever could not ask in time, or met another server than before, is told
 * that all may have changed (`lost`). A change may be told twice, never before its commit.
 */
#ifndef STUMPER_STORE_NEWS_H
#define STUMPER_STORE_NEWS_H

#include "store/rules.h"
#include "store/watch.h"

struct news;

/** What the running transaction has changed; lives as long as it does. */
void news_gather(struct rules *r, struct watch_news *ret);

/** Begin to listen to what processes other than @process commit to @path, a server's. Errors as of
 * sql_open(). End with news_close(). */
NODISCARD enum err news_open(const char *path, int64_t process, struct watches *watches,
                             struct metrics *metrics, struct news **ret, struct errinfo *reterr);
void news_close(struct news *n);

/** In the transaction, at its end: write down for the others what it changes. */
void news_write(struct rules *r, const struct watch_news *told);

/** Somebody waits for what others do / no more. Any thread. */
void news_attend(struct news *n);
void news_unattend(struct news *n);

#endif
