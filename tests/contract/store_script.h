/* store_script.h - a script of every writing operation that a store has, one after the other, and
 * what its file then says: for tests that break it off anywhere. */
#ifndef STUMPER_TESTS_STORE_SCRIPT_H
#define STUMPER_TESTS_STORE_SCRIPT_H

#include "contract/store_rig.h"

struct script {
    struct rig *rig;       /* open */
    int64_t first, second; /* workers */
    struct lease leases[4];
    int64_t webhooks[2];
};

/* One operation: its kind, as failpoints name it, and what begins it and waits for it. */
struct script_step {
    const char *kind;
    enum err (*run)(struct script *s);
};

extern const struct script_step script_steps[];
extern const int script_steps_n;

/** What the file at @path says, as text in @a: every table, without the rows of deleted jobs (which
 * are removed some time later), without times and what was drawn at random. */
struct str script_dump(const char *path, struct arena *a);

/** How many rows of deleted jobs are left. */
int64_t script_deleted_rows(const char *path);

#endif
