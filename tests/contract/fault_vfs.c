/* Each file keeps what it would need to undo the writes since its last fsync; a power cut undoes
 * some of them and kills the process. Only the store's writing thread writes, so the order of
 * writes is the same in every run. */
#include "contract/fault_vfs.h"

#include "base/mem.h"
#include "base/rng.h"

#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct undo {
    struct undo *next; /* the write before */
    sqlite3_int64 offset;
    int n;
    char old[];
};

struct fault_file {
    sqlite3_file base;
    struct fault_file *next;
    struct undo *undos; /* the latest write first */
    sqlite3_file *real; /* behind this struct */
};

static struct {
    pthread_mutex_t lock;
    struct fault_file *files; /* that are open */
    enum fault fault;
    int64_t left, times;
    struct rng rng;
    bool hit;
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct fault_file *fault_of(sqlite3_file *f) {
    return (struct fault_file *)f;
}
static sqlite3_file *real_of(sqlite3_file *f) {
    return fault_of(f)->real;
}

/* Is it @fault's turn? */
static bool fault_due(enum fault fault) {
    bool due = false;
    pthread_mutex_lock(&disk.lock);
    if (disk.fault == fault && disk.times > 0 && --disk.left <= 0) {
        due = disk.hit = true;
        disk.times--;
    }
    pthread_mutex_unlock(&disk.lock);
    return due;
}

/* --- the power */

static void fault_forget(struct fault_file *f) {
    while (f->undos != NULL) {
        struct undo *u = f->undos;
        f->undos = u->next;
        free(u);
    }
}

/* What the bytes are now that a write will change; beyond the end they are nothing. */
static void fault_remember(struct fault_file *f, sqlite3_int64 offset, int n) {
    struct undo *u = mem_new(sizeof *u + (size_t)n);
    u->offset = offset;
    u->n = n;
    (void)f->real->pMethods->xRead(f->real, u->old, n, offset); /* a short read fills with zeros */
    u->next = f->undos;
    f->undos = u;
}

static void fault_cut_power(void) {
    bool all = rng_chance(&disk.rng, 0.3);
    for (struct fault_file *f = disk.files; f != NULL; f = f->next) {
        for (struct undo *u = f->undos; u != NULL; u = u->next) {
            if (all || rng_chance(&disk.rng, 0.5)) {
                (void)f->real->pMethods->xWrite(f->real, u->old, u->n, u->offset);
            }
        }
    }
    (void)kill(getpid(), SIGKILL);
    for (;;) {
        (void)pause();
    }
}

/* --- files */

static int fault_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 offset) {
    struct fault_file *f = fault_of(file);
    const struct sqlite3_io_methods *m = f->real->pMethods;
    if (fault_due(FAULT_FULL)) {
        return SQLITE_FULL;
    }
    fault_remember(f, offset, n);
    if (fault_due(FAULT_TORN)) {
        (void)m->xWrite(f->real, p, n / 2, offset);
        return SQLITE_IOERR_WRITE;
    }
    if (fault_due(FAULT_POWER_WRITE)) {
        (void)m->xWrite(f->real, p, n / 2, offset);
        fault_cut_power();
    }
    return m->xWrite(f->real, p, n, offset);
}

static int fault_sync(sqlite3_file *file, int flags) {
    if (fault_due(FAULT_SYNC)) {
        return SQLITE_IOERR_FSYNC;
    }
    if (fault_due(FAULT_POWER_SYNC)) {
        fault_cut_power();
    }
    fault_forget(fault_of(file));
    return real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int fault_close(sqlite3_file *file) {
    struct fault_file *f = fault_of(file);
    pthread_mutex_lock(&disk.lock);
    struct fault_file **at = &disk.files;
    while (*at != f) {
        at = &(*at)->next;
    }
    *at = f->next;
    pthread_mutex_unlock(&disk.lock);
    fault_forget(f);
    return f->real->pMethods->xClose(f->real);
}

/* The rest goes straight through. */
static int fault_read(sqlite3_file *f, void *p, int n, sqlite3_int64 offset) {
    return real_of(f)->pMethods->xRead(real_of(f), p, n, offset);
}
static int fault_truncate(sqlite3_file *f, sqlite3_int64 size) {
    return real_of(f)->pMethods->xTruncate(real_of(f), size);
}
static int fault_size(sqlite3_file *f, sqlite3_int64 *ret) {
    return real_of(f)->pMethods->xFileSize(real_of(f), ret);
}
static int fault_lock(sqlite3_file *f, int kind) {
    return real_of(f)->pMethods->xLock(real_of(f), kind);
}
static int fault_unlock(sqlite3_file *f, int kind) {
    return real_of(f)->pMethods->xUnlock(real_of(f), kind);
}
static int fault_check_lock(sqlite3_file *f, int *ret) {
    return real_of(f)->pMethods->xCheckReservedLock(real_of(f), ret);
}
static int fault_control(sqlite3_file *f, int op, void *arg) {
    return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}
static int fault_sector(sqlite3_file *f) {
    return real_of(f)->pMethods->xSectorSize(real_of(f));
}
static int fault_traits(sqlite3_file *f) {
    return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}
static int fault_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **ret) {
    return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, ret);
}
static int fault_shm_lock(sqlite3_file *f, int offset, int n, int flags) {
    return real_of(f)->pMethods->xShmLock(real_of(f), offset, n, flags);
}
static void fault_shm_barrier(sqlite3_file *f) {
    real_of(f)->pMethods->xShmBarrier(real_of(f));
}
static int fault_shm_unmap(sqlite3_file *f, int drop) {
    return real_of(f)->pMethods->xShmUnmap(real_of(f), drop);
}

static const struct sqlite3_io_methods fault_methods = {
    .iVersion = 2, /* without memory mapping */
    .xClose = fault_close,
    .xRead = fault_read,
    .xWrite = fault_write,
    .xTruncate = fault_truncate,
    .xSync = fault_sync,
    .xFileSize = fault_size,
    .xLock = fault_lock,
    .xUnlock = fault_unlock,
    .xCheckReservedLock = fault_check_lock,
    .xFileControl = fault_control,
    .xSectorSize = fault_sector,
    .xDeviceCharacteristics = fault_traits,
    .xShmMap = fault_shm_map,
    .xShmLock = fault_shm_lock,
    .xShmBarrier = fault_shm_barrier,
    .xShmUnmap = fault_shm_unmap,
};

static int fault_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                      int *ret_flags) {
    sqlite3_vfs *real = vfs->pAppData;
    struct fault_file *f = fault_of(file);
    *f = (struct fault_file){.real = (sqlite3_file *)(void *)(f + 1)};
    int rc = real->xOpen(real, name, f->real, flags, ret_flags);
    if (rc == SQLITE_OK) { /* else there is nothing to be closed */
        f->base.pMethods = &fault_methods;
        pthread_mutex_lock(&disk.lock);
        f->next = disk.files;
        disk.files = f;
        pthread_mutex_unlock(&disk.lock);
    }
    return rc;
}

void fault_vfs_install(void) {
    static sqlite3_vfs vfs;
    sqlite3_vfs *real = sqlite3_vfs_find(NULL);
    ASSERT(real != NULL);
    vfs = *real;
    vfs.zName = "fault";
    vfs.szOsFile = (int)sizeof(struct fault_file) + real->szOsFile;
    vfs.pAppData = real;
    vfs.pNext = NULL;
    vfs.xOpen = fault_open;
    ASSERT(sqlite3_vfs_register(&vfs, 1) == SQLITE_OK);
}

void fault_arm(enum fault fault, int64_t nth, int64_t times, uint64_t seed) {
    pthread_mutex_lock(&disk.lock);
    disk.fault = fault;
    disk.left = nth;
    disk.times = times;
    disk.hit = false;
    rng_init(&disk.rng, seed);
    pthread_mutex_unlock(&disk.lock);
}

bool fault_disarm(void) {
    pthread_mutex_lock(&disk.lock);
    disk.fault = FAULT_NONE;
    bool hit = disk.hit;
    pthread_mutex_unlock(&disk.lock);
    return hit;
}
