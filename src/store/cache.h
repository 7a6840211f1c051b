/* cache.h - answers that were paid for once, in a file that several jobs share.
 *
 * Looked up by the whole request, so that nothing but the very same question finds an answer. A job
 * is never served with its own answers.
 *
 * Threads    any. Adding hands a copy to a thread of the cache's own. Looking up asks an index in
 *            memory, and reads the file only for what is in it: some microseconds in place of a
 *            call of seconds (docs/adr/0018).
 * Errors     a cache that cannot be written or read any more serves nothing; no call fails by it.
 */
#ifndef STUMPER_STORE_CACHE_H
#define STUMPER_STORE_CACHE_H

#include "base/sbuf.h"
#include "core/call.h"

struct cache;

/** Open or make it. ERR_BUSY (another process has it: names the lock file and the pid) |
 * ERR_CORRUPT (not a cache) | ERR_READ_ONLY | ERR_DISK_FULL | ERR_IO; the file is named. */
NODISCARD enum err cache_open(const char *path, struct cache **ret, struct errinfo *reterr);

/** Have @tell called at the first failure of writing, and at that of reading, from whichever thread
 * has it. Before anything is looked up or added. */
void cache_on_failure(struct cache *c, void (*tell)(void *ctx, const char *why), void *ctx);

/** Write what was added, close. The first failure of writing or reading, if there was one. */
NODISCARD enum err cache_close(struct cache *c, struct errinfo *reterr);

/**
 * Look @request of @job up.
 *
 * @ret_text  replaced by the texts of @ret, which borrow from it; without an answer it is left as
 *            it was, or, where one could not be read, empty
 * @ret       reused; finish, text and model_id as they were; cost, usage and tries 0
 */
NODISCARD bool cache_get(struct cache *c, struct str request, struct str job, struct sbuf *ret_text,
                         struct call_answer *ret);

/** Add an answer that @job paid for; nothing is borrowed. Other jobs find it once it is on disk. */
void cache_put(struct cache *c, struct str request, struct str job,
               const struct call_answer *answer);

#endif
