/* lock.h - one writer in the world: an exclusive flock on "<file>-lock", which holds the owner's
 * pid. Inside the room only. */
#ifndef STUMPER_STORE_LOCK_H
#define STUMPER_STORE_LOCK_H

#include "base/err.h"

struct store_lock {
    int fd;
    char path[4096];
};

/**
 * Take the lock of the store at @path. The kernel gives it back when the process dies, however it
 * dies.
 *
 * @return  ERR_BUSY (names the lock file and the pid) | ERR_READ_ONLY | ERR_DISK_FULL | ERR_IO
 */
NODISCARD enum err store_lock_take(struct store_lock *ret, const char *path,
                                   struct errinfo *reterr);

/** Remove the lock file and give the lock back; nothing if none was taken (fd < 0). */
void store_lock_release(struct store_lock *lock);

#endif
