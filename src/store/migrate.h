/* migrate.h - bringing a store's schema to this version by itself; store_open() does it in any
 * case. */
#ifndef STUMPER_STORE_MIGRATE_H
#define STUMPER_STORE_MIGRATE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct store_migration {
    int64_t from; /* the version that was found; 0: nothing was there */
    int64_t to;   /* this program's */
};

/**
 * Bring the store at @path (as of store_open()) to this version; make it if nothing is there. One
 * process does it; others that come at the same time wait for it, for a minute, and find it done
 * (from == to).
 *
 * @dry_run  only tell what would be done: nothing is changed or made
 * @return   as store_open(); ERR_CORRUPT also says that the schema is newer
 */
NODISCARD enum err store_migrate(const char *path, bool dry_run, struct store_migration *ret,
                                 struct errinfo *reterr);

/** The file that takes the store at @path from @version to the next: its name below src/store/, and
 * what it does (SQL, which begins with a comment). */
void store_migration_step(const char *path, int64_t version, char ret_name[48],
                          const char **ret_text);

#endif
