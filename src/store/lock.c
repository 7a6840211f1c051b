/* The file is removed by its owner while it still holds the lock. Whoever opened it just before
 * then locks a file that is no longer there; so after locking, the path must still lead to what was
 * locked, or all begins anew. */
#include "store/lock.h"

#include "base/file.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err lock_fail(const struct store_lock *lock, int errnum, struct errinfo *reterr) {
    enum err e = file_err(errnum);
    return errinfo_set(reterr, e == ERR_NOT_FOUND ? ERR_IO : e, "cannot write %s: %s", lock->path,
                       strerror(errnum));
}

static enum err lock_busy(const struct store_lock *lock, const char *path, struct errinfo *reterr) {
    char pid[24] = "";
    ssize_t n = pread(lock->fd, pid, sizeof pid - 1, 0);
    struct str owner = str_trim((struct str){pid, n > 0 ? (size_t)n : 0});
    return errinfo_set(
        reterr, ERR_BUSY,
        "%s is in use by process %.*s (lock file %s): stop that, or use another file", path,
        owner.n > 0 ? (int)owner.n : 7, owner.n > 0 ? owner.p : "unknown", lock->path);
}

static bool lock_is_at_its_path(const struct store_lock *lock) {
    struct stat held, there;
    return fstat(lock->fd, &held) == 0 && stat(lock->path, &there) == 0 &&
           held.st_ino == there.st_ino && held.st_dev == there.st_dev;
}

static enum err lock_sign(const struct store_lock *lock, struct errinfo *reterr) {
    char pid[24];
    int n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (ftruncate(lock->fd, 0) != 0 || pwrite(lock->fd, pid, (size_t)n, 0) != n) {
        return lock_fail(lock, errno, reterr);
    }
    return ERR_OK;
}

enum err store_lock_take(struct store_lock *ret, const char *path, struct errinfo *reterr) {
    struct store_lock lock = {.fd = -1};
    if ((size_t)snprintf(lock.path, sizeof lock.path, "%s-lock", path) >= sizeof lock.path) {
        return errinfo_set(reterr, ERR_IO, "cannot open %s: the path is too long", path);
    }
    for (;;) {
        lock.fd = open(lock.path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
        if (lock.fd < 0) {
            return lock_fail(&lock, errno, reterr);
        }
        enum err e = ERR_OK;
        if (flock(lock.fd, LOCK_EX | LOCK_NB) != 0) {
            e = errno == EWOULDBLOCK ? lock_busy(&lock, path, reterr)
                                     : lock_fail(&lock, errno, reterr);
        } else if (lock_is_at_its_path(&lock)) {
            e = lock_sign(&lock, reterr);
            if (e == ERR_OK) {
                *ret = lock;
                return ERR_OK;
            }
            (void)unlink(lock.path);
        }
        (void)close(lock.fd);
        if (e != ERR_OK) {
            return e;
        }
    }
}

void store_lock_release(struct store_lock *lock) {
    if (lock->fd < 0) {
        return;
    }
    (void)unlink(lock->path);
    (void)close(lock->fd); /* unlocks */
    lock->fd = -1;
}
