/* Nothing here waits for a real disk: an fsync settles what the disk holds in our own books, which
 * is all that a test can see of it. For a power cut the books tell of every sector that was written
 * since its file's last fsync what the disk still has; the cut puts that back for some of them and
 * kills the process. Only the store's writing thread writes, so the order of writes is the same in
 * every run. */
#include "contract/fault_vfs.h"

#include "base/mem.h"
#include "base/rng.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTOR 512

/* A sector that may be lost. */
struct sector {
    bool failed;      /* its fsync failed: no later one will write it */
    char old[SECTOR]; /* what the disk has */
};

/* What is known of a path, whether it is open or was removed. */
struct platter {
    struct platter *next;
    char *path;
    struct sector **sectors; /* by place; NULL: the disk has what is read */
    size_t sectors_n;
    bool removed;               /* but its folder may not know yet */
    sqlite3_int64 synced_bytes; /* the file's size on the disk */
};

struct fault_file {
    sqlite3_file base;
    struct platter *platter; /* NULL: nobody cuts the power here */
    bool syncs_folder;       /* at its next fsync, as SQLite does with a journal that is new */
    sqlite3_file *real;      /* behind this struct */
};

static struct {
    pthread_mutex_t lock;
    struct platter *platters;
    bool power; /* it may be cut */
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

/* --- the books */

static struct platter *platter_of(const char *path) {
    pthread_mutex_lock(&disk.lock);
    struct platter *p = disk.platters;
    while (p != NULL && strcmp(p->path, path) != 0) {
        p = p->next;
    }
    if (p == NULL) {
        p = mem_new(sizeof *p);
        *p = (struct platter){.next = disk.platters, .path = mem_dup_cstr(path, strlen(path))};
        disk.platters = p;
    }
    pthread_mutex_unlock(&disk.lock);
    return p;
}

static void platter_grow(struct platter *p, size_t n) {
    if (n > p->sectors_n) {
        size_t more = MAX(n, 2 * p->sectors_n);
        p->sectors = mem_resize(p->sectors, more, sizeof p->sectors[0]);
        memset(p->sectors + p->sectors_n, 0, (more - p->sectors_n) * sizeof p->sectors[0]);
        p->sectors_n = more;
    }
}

/* The bytes from @offset on are about to change: what are they now? Beyond the end nothing. */
static void platter_remember(struct platter *p, sqlite3_file *real, sqlite3_int64 offset,
                             sqlite3_int64 n) {
    size_t first = (size_t)offset / SECTOR, end = (size_t)(offset + n + SECTOR - 1) / SECTOR;
    platter_grow(p, end);
    for (size_t i = first; i < end; i++) {
        if (p->sectors[i] == NULL) {
            struct sector *s = mem_new(sizeof *s);
            /* a short read fills with zeros */
            (void)real->pMethods->xRead(real, s->old, SECTOR, (sqlite3_int64)(i * SECTOR));
            p->sectors[i] = s;
        }
        p->sectors[i]->failed = false;
    }
}

static sqlite3_int64 fault_bytes(sqlite3_file *real) {
    sqlite3_int64 bytes = 0;
    (void)real->pMethods->xFileSize(real, &bytes);
    return bytes;
}

/* An fsync was @done, or has failed. */
static void platter_settle(struct platter *p, sqlite3_file *real, bool done) {
    for (size_t i = 0; i < p->sectors_n; i++) {
        if (p->sectors[i] != NULL && !done) {
            p->sectors[i]->failed = true;
        } else if (p->sectors[i] != NULL && !p->sectors[i]->failed) {
            free(p->sectors[i]);
            p->sectors[i] = NULL;
        }
    }
    if (done) {
        p->synced_bytes = fault_bytes(real);
    }
}

static void platter_forget(struct platter *p) {
    for (size_t i = 0; i < p->sectors_n; i++) {
        free(p->sectors[i]);
        p->sectors[i] = NULL;
    }
    p->synced_bytes = 0;
    p->removed = false;
}

/* All files are in one folder. */
static void folder_settle(void) {
    pthread_mutex_lock(&disk.lock);
    for (struct platter *p = disk.platters; p != NULL; p = p->next) {
        if (p->removed) {
            platter_forget(p);
        }
    }
    pthread_mutex_unlock(&disk.lock);
}

/* --- the power */

static void platter_lose(const struct platter *p, bool all) {
    int fd = -1; /* a file that was removed comes again only where something of it is put back */
    for (size_t i = 0; i < p->sectors_n; i++) {
        if (p->sectors[i] != NULL && (all || rng_chance(&disk.rng, 0.5))) {
            fd = fd >= 0 ? fd : open(p->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
            ASSERT(pwrite(fd, p->sectors[i]->old, SECTOR, (off_t)(i * SECTOR)) == SECTOR);
        }
    }
    if (fd >= 0 && all) {
        ASSERT(ftruncate(fd, p->synced_bytes) == 0);
    }
}

void fault_cut_power(void) {
    pthread_mutex_lock(&disk.lock); /* and nobody gets it any more */
    bool all = rng_chance(&disk.rng, 0.3);
    for (const struct platter *p = disk.platters; p != NULL; p = p->next) {
        platter_lose(p, all);
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
    if (f->platter != NULL) {
        platter_remember(f->platter, f->real, offset, n);
    }
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
    struct fault_file *f = fault_of(file);
    (void)flags;
    bool fails = fault_due(FAULT_SYNC);
    if (fault_due(FAULT_POWER_SYNC)) {
        fault_cut_power();
    }
    if (f->platter != NULL) {
        platter_settle(f->platter, f->real, !fails);
    }
    if (f->syncs_folder && !fails) {
        folder_settle();
        f->syncs_folder = false;
    }
    return fails ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

static int fault_truncate(sqlite3_file *file, sqlite3_int64 size) {
    struct fault_file *f = fault_of(file);
    sqlite3_int64 bytes = fault_bytes(f->real);
    if (f->platter != NULL && size < bytes) {
        platter_remember(f->platter, f->real, size, bytes - size);
    }
    return f->real->pMethods->xTruncate(f->real, size);
}

/* The rest goes straight through. */
static int fault_close(sqlite3_file *f) {
    return real_of(f)->pMethods->xClose(real_of(f));
}
static int fault_read(sqlite3_file *f, void *p, int n, sqlite3_int64 offset) {
    return real_of(f)->pMethods->xRead(real_of(f), p, n, offset);
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
        f->platter = disk.power && name != NULL ? platter_of(name) : NULL;
        if (f->platter != NULL && (flags & SQLITE_OPEN_CREATE) != 0) {
            f->platter->removed = false;
        }
        f->syncs_folder = (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0 &&
                          (flags & SQLITE_OPEN_CREATE) != 0;
    }
    return rc;
}

/* A name that was removed is on the disk until its folder was synced, with all that was in it. */
static int fault_remove(sqlite3_vfs *vfs, const char *name, int sync_folder) {
    sqlite3_vfs *real = vfs->pAppData;
    if (disk.power) {
        struct platter *p = platter_of(name);
        char old[SECTOR];
        int fd = open(name, O_RDONLY | O_CLOEXEC);
        ssize_t n;
        for (size_t i = 0; fd >= 0 && (n = pread(fd, old, SECTOR, (off_t)(i * SECTOR))) > 0; i++) {
            platter_grow(p, i + 1);
            if (p->sectors[i] == NULL) {
                p->sectors[i] = mem_new(sizeof *p->sectors[i]);
                memcpy(p->sectors[i]->old, old, (size_t)n);
            }
        }
        (void)close(fd);
        p->removed = true;
    }
    if (sync_folder != 0) {
        folder_settle();
    }
    return real->xDelete(real, name, 0);
}

void fault_vfs_install(bool power) {
    static sqlite3_vfs vfs;
    sqlite3_vfs *real = sqlite3_vfs_find(NULL);
    ASSERT(real != NULL);
    vfs = *real;
    vfs.zName = "fault";
    vfs.szOsFile = (int)sizeof(struct fault_file) + real->szOsFile;
    vfs.pAppData = real;
    vfs.pNext = NULL;
    vfs.xOpen = fault_open;
    vfs.xDelete = fault_remove;
    disk.power = power;
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
