/* fault_vfs.h - a disk that fails on demand: it stands between SQLite and the real files. For the
 * tests of the store. */
#ifndef STUMPER_TESTS_FAULT_VFS_H
#define STUMPER_TESTS_FAULT_VFS_H

#include <stdbool.h>
#include <stdint.h>

enum fault {
    FAULT_NONE,
    FAULT_FULL,        /* a write finds no space */
    FAULT_TORN,        /* a write puts half of it down, then fails */
    FAULT_SYNC,        /* an fsync fails */
    FAULT_POWER_WRITE, /* the power goes in the middle of a write */
    FAULT_POWER_SYNC,  /* the power goes before an fsync has done anything */
};

/** From now on SQLite's files of this process are on that disk. Before the first store is opened.
 * @power: it can be cut; else what is written is not remembered, which is quicker. */
void fault_vfs_install(bool power);

/** The power goes now. Of what was not synced (or whose fsync has failed) some is on the disk and
 * some is not, sector by sector, whatever the order it was written in; a file that was removed or
 * cut off may have come again. The process dies. */
_Noreturn void fault_cut_power(void);

/** The @nth (from 1) such write or fsync from now on fails, and @times - 1 after it. @seed: of what
 * a power cut leaves. */
void fault_arm(enum fault fault, int64_t nth, int64_t times, uint64_t seed);

/** No more faults; was there one? */
bool fault_disarm(void);

#endif
