/* stumper migrate: brings a store's schema to this version, or tells what that would do. */
#include "cli/service.h"
#include "store/migrate.h"

#include <inttypes.h>
#include <stdio.h>

#define MIGRATE_ABOUT_BYTES_MAX 90

struct migrate {
    const char *store, *path;
    bool dry_run;
    struct errinfo why;
};

/* The first sentence of the comment that a step begins with. */
static void migrate_print_about(const char *text) {
    int printed = 0;
    for (const char *at = text; at[0] == '-' && at[1] == '-';) {
        for (at += 2; *at != '\n' && *at != '\0'; at++) {
            bool last = at[0] == '.' && (at[1] == ' ' || at[1] == '\n');
            if (last || (printed >= MIGRATE_ABOUT_BYTES_MAX && *at == ' ')) {
                (void)printf("%s\n", last ? "" : " …");
                return;
            }
            (void)putchar(*at);
            printed++;
        }
        at += *at == '\n';
    }
    (void)printf("\n");
}

static void migrate_print(const struct migrate *m, const struct store_migration *done) {
    char place[STORE_PLACE_BYTES];
    store_place(m->path, place);
    if (done->from == done->to) {
        (void)printf("%s: at schema %" PRId64 ", as this Stumper is: nothing to do\n", place,
                     done->to);
        return;
    }
    (void)printf("%s: ", place);
    if (done->from == 0) {
        (void)printf("%s schema %" PRId64 "\n", m->dry_run ? "empty; would make" : "made",
                     done->to);
    } else {
        (void)printf("%s schema %" PRId64 " to %" PRId64 "\n",
                     m->dry_run ? "would bring" : "brought from", done->from, done->to);
    }
    for (int64_t version = done->from; version < done->to; version++) {
        char name[48];
        const char *text;
        store_migration_step(m->path, version, name, &text);
        (void)printf("  %s ", name);
        migrate_print_about(text);
    }
}

static int migrate_run(struct migrate *m) {
    struct store_migration done;
    enum err e = service_store_path(m->store, &m->path, &m->why);
    if (e != ERR_OK) {
        return cmd_fail("migrate", EXIT_USAGE, "%s", errinfo_text(&m->why, e));
    }
    e = store_migrate(m->path, m->dry_run, &done, &m->why);
    if (e != ERR_OK) {
        return cmd_fail("migrate", e == ERR_USAGE ? EXIT_USAGE : EXIT_FAILED, "%s",
                        errinfo_text(&m->why, e));
    }
    migrate_print(m, &done);
    return m->dry_run && done.from < done.to ? EXIT_SHORT : EXIT_DONE;
}

int cmd_migrate(int argc, char **argv) {
    struct migrate m = {0};
    const struct opt rows[] = {
        {.name = "store",
         .kind = OPT_STR,
         .value = "STORE",
         .to = &m.store,
         .otherwise = "sqlite:stumper.db",
         .help = "which: sqlite:FILE, postgresql://USER@HOST/NAME"},
        {.name = "dry-run",
         .kind = OPT_FLAG,
         .to = &m.dry_run,
         .argv_only = true,
         .help = "change nothing, tell what would be done; exit status 3 if there is something"},
    };
    const struct opt_command command = {
        .name = "migrate",
        .summary = "bring a store's schema to this version",
        .about =
            "serve, worker and generate do this by themselves when they open a store. Done before, "
            "an upgrade of many processes stops here if it fails, and none of them waits. No "
            "step is left half done; of several that start at once one does it, and the others "
            "wait and find it done. A store that a newer Stumper has written is left alone: there "
            "is no way back but a backup.",
        .examples = "  stumper migrate --dry-run --store postgresql://db/jobs\n"
                    "  STUMPER_STORE=postgresql://db/jobs stumper migrate\n"
                    "  stumper migrate --store sqlite:/var/lib/stumper/stumper.db\n",
        .rows = rows,
        .rows_n = ARRAY_LEN(rows)};
    struct arena a;
    struct opt_result options;
    int code;
    arena_init(&a, (size_t)1024 * 1024);
    if (cmd_options(&command, argc, argv, &a, &options, &code)) {
        code = migrate_run(&m);
    }
    arena_release(&a);
    return code;
}
