#include "cli/load.h"

#include "base/file.h"
#include "cli/lines.h"
#include "core/builtin.h"

#include <string.h>
#include <sys/stat.h>

#define LOAD_LINE_ARENA_BYTES_MAX ((size_t)16 * 1024 * 1024)
#define LOAD_BAD_LINES_SHOWN 5

/* --- taxonomies --- */

/* A text that ships with the program is right, or the build is broken. */
static const struct jnode *load_builtin(struct str text, struct arena *a) {
    const struct jnode *doc = NULL;
    enum err e = jnode_parse(text, a, &doc, NULL);
    ASSERT(e == ERR_OK);
    return doc;
}

void load_builtin_taxonomy(struct arena *a, struct taxonomy *ret) {
    struct jcheck c;
    jcheck_init(&c, a);
    bool right = taxonomy_read(&c, jcheck_root(load_builtin(builtin_taxonomy(), a)), a, ret);
    ASSERT(right);
}

static enum err load_json(const char *path, struct arena *a, const struct jnode **ret,
                          struct errinfo *reterr) {
    struct str text;
    const char *file = strcmp(path, "-") == 0 ? "/dev/stdin" : path;
    enum err e = file_read(file, LOAD_JSON_BYTES_MAX, a, &text, reterr);
    if (e != ERR_OK) {
        return e;
    }
    e = jnode_parse(text, a, ret, reterr);
    return e == ERR_OK ? ERR_OK : errinfo_wrap(reterr, e, "%s", path);
}

enum err load_taxonomy(const char *path, struct arena *a, struct taxonomy *ret,
                       struct errinfo *reterr) {
    const struct jnode *doc;
    struct jcheck c;
    enum err e = load_json(path, a, &doc, reterr);
    if (e != ERR_OK) {
        return e;
    }
    jcheck_init(&c, a);
    if (!taxonomy_read(&c, jcheck_root(doc), a, ret)) {
        return errinfo_set(reterr, ERR_INVALID, "%s: %s", path, jcheck_text(&c, a).p);
    }
    return ERR_OK;
}

enum err load_topics(const struct opt_strs *topics, const char *label, struct arena *a,
                     struct taxonomy *ret, struct errinfo *reterr) {
    struct sbuf list;
    struct jwrite w;
    struct jcheck c;
    const struct jnode *doc;
    for (size_t i = 0; i < topics->n; i++) {
        struct taxonomy_topic topic;
        enum err e = taxonomy_topic_parse(str_of(topics->v[i]), &topic, reterr);
        if (e != ERR_OK) {
            return errinfo_wrap(reterr, e, "%s", label);
        }
    }
    sbuf_init(&list, LOAD_JSON_BYTES_MAX);
    jwrite_init(&w, &list);
    jwrite_array(&w);
    for (size_t i = 0; i < topics->n; i++) {
        jwrite_cstr(&w, topics->v[i]);
    }
    jwrite_end(&w);
    enum err e = jnode_parse(sbuf_str(&list), a, &doc, reterr);
    sbuf_release(&list);
    jcheck_init(&c, a);
    if (e != ERR_OK || !taxonomy_read_list(&c, jcheck_root(doc), a, ret)) {
        return errinfo_set(reterr, ERR_INVALID, "%s: %s", label, jcheck_text(&c, a).p);
    }
    return ERR_OK;
}

/* --- seeds --- */

struct load_seeds {
    struct arena *a;      /* owns the seeds */
    struct arena scratch; /* of one line */
    struct job_seed *seeds;
    size_t n, capacity;
    int64_t bad_lines;
    struct sbuf bad; /* "line 3: …; line 7: …" */
};

static void load_seeds_keep(struct load_seeds *l, const struct job_seed *seed) {
    if (l->n == l->capacity) {
        l->capacity = MAX(l->capacity * 2, (size_t)64);
        struct job_seed *grown = ARENA_ARRAY(l->a, struct job_seed, l->capacity);
        if (l->n > 0) {
            memcpy(grown, l->seeds, l->n * sizeof *grown);
        }
        l->seeds = grown;
    }
    l->seeds[l->n++] = *seed;
}

static enum err load_seed(struct load_seeds *l, struct str line, struct job_seed *ret,
                          struct errinfo *reterr) {
    const struct jnode *doc;
    struct jcheck c;
    if (line.n > JOB_SEED_BYTES_MAX) {
        return errinfo_set(reterr, ERR_TOO_BIG, "longer than the %zu bytes that a seed may have",
                           JOB_SEED_BYTES_MAX);
    }
    enum err e = lines_parse(line, &l->scratch, &doc, reterr);
    if (e != ERR_OK) {
        return e;
    }
    jcheck_init(&c, &l->scratch);
    return job_seed_read(&c, jcheck_root(doc), S(""), l->a, ret)
               ? ERR_OK
               : errinfo_set(reterr, ERR_INVALID, "%s", jcheck_text(&c, &l->scratch).p);
}

static enum err load_seeds_lines(struct load_seeds *l, struct lines *lines,
                                 struct errinfo *reterr) {
    struct str line;
    while (lines_next(lines, &line)) {
        struct errinfo why = {0};
        struct job_seed seed;
        if (l->n >= JOB_SEEDS_MAX) {
            return errinfo_set(reterr, ERR_TOO_BIG, "%s has more than %d seeds", lines->path,
                               JOB_SEEDS_MAX);
        }
        enum err e = load_seed(l, line, &seed, &why);
        if (e == ERR_OK) {
            load_seeds_keep(l, &seed);
        } else if (l->bad_lines++ < LOAD_BAD_LINES_SHOWN) {
            sbuf_addf(&l->bad, "%sline %lld: %s", l->bad.n > 0 ? "; " : "",
                      (long long)lines->number, errinfo_text(&why, e));
        }
        arena_reset(&l->scratch);
    }
    return ERR_OK;
}

static enum err load_seeds_verdict(const struct load_seeds *l, const char *path,
                                   struct errinfo *reterr) {
    if (l->bad_lines > LOAD_BAD_LINES_SHOWN) {
        return errinfo_set(reterr, ERR_INVALID, "%s has %lld bad lines; the first: %s", path,
                           (long long)l->bad_lines, sbuf_str(&l->bad).p);
    }
    if (l->bad_lines > 0) {
        return errinfo_set(reterr, ERR_INVALID, "%s: %s", path, sbuf_str(&l->bad).p);
    }
    if (l->n == 0) {
        return errinfo_set(reterr, ERR_INVALID,
                           "%s has no seeds: write one {\"problem\": \"…\", \"answer\": \"…\"} a "
                           "line",
                           path);
    }
    return ERR_OK;
}

enum err load_seeds(const char *path, struct arena *a, const struct job_seed **ret, size_t *ret_n,
                    struct errinfo *reterr) {
    struct load_seeds l = {.a = a};
    struct lines lines;
    enum err e = lines_open(&lines, path, reterr);
    if (e != ERR_OK) {
        return e;
    }
    arena_init(&l.scratch, LOAD_LINE_ARENA_BYTES_MAX);
    sbuf_init(&l.bad, ERRINFO_BYTES * (LOAD_BAD_LINES_SHOWN + 1));
    e = load_seeds_lines(&l, &lines, reterr);
    enum err closed = lines_close(&lines, e == ERR_OK ? reterr : NULL);
    e = e == ERR_OK ? closed : e;
    e = e == ERR_OK ? load_seeds_verdict(&l, path, reterr) : e;
    sbuf_release(&l.bad);
    arena_release(&l.scratch);
    if (e == ERR_OK) {
        *ret = l.seeds;
        *ret_n = l.n;
    }
    return e;
}

enum err load_spec(const char *path, struct arena *a, const struct jnode **ret,
                   struct errinfo *reterr) {
    enum err e = load_json(path, a, ret, reterr);
    if (e == ERR_OK && jnode_type(*ret) != JNODE_OBJECT) {
        e = errinfo_set(reterr, ERR_INVALID,
                        "%s: is %s, must be an object such as "
                        "{\"num_problems\": 50, …}",
                        path, jnode_type_name(jnode_type(*ret)));
    }
    return e;
}

/* --- prompts --- */

static bool load_prompt_is_optional(enum prompt_kind kind, bool with_seeds) {
    return kind == PROMPT_REPAIR || kind == (with_seeds ? PROMPT_ENGINEER : PROMPT_ENGINEER_SEED);
}

static enum err load_prompt_text(const char *dir, enum prompt_kind kind, bool with_seeds,
                                 struct arena *a, struct str *ret, struct errinfo *reterr) {
    const char *path = str_fmt(a, "%s/%s", dir, prompt_file(kind)).p;
    enum err e = file_read(path, PROMPT_BYTES_MAX, a, ret, reterr);
    if (e == ERR_NOT_FOUND && load_prompt_is_optional(kind, with_seeds)) {
        *ret = builtin_prompt(kind);
        return ERR_OK;
    }
    if (e == ERR_NOT_FOUND) {
        return errinfo_set(reterr, e,
                           "--prompts: %s is missing; copy it from the prompts/ folder "
                           "of Stumper and change it there",
                           path);
    }
    return e;
}

enum err load_prompts(const char *dir, bool with_seeds, struct arena *a, struct prompts *ret,
                      struct errinfo *reterr) {
    struct stat st;
    if (dir != NULL && (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode))) {
        return errinfo_set(reterr, ERR_NOT_FOUND, "--prompts: %s is not a folder", dir);
    }
    for (int kind = 0; kind < PROMPT_COUNT; kind++) {
        struct str text = builtin_prompt((enum prompt_kind)kind);
        enum err e = ERR_OK;
        if (dir != NULL) {
            e = load_prompt_text(dir, (enum prompt_kind)kind, with_seeds, a, &text, reterr);
        }
        if (e != ERR_OK) {
            return e;
        }
        e = prompt_parse((enum prompt_kind)kind, text, a, &ret->templates[kind], reterr);
        if (e != ERR_OK) {
            return errinfo_wrap(reterr, e, "--prompts %s", dir != NULL ? dir : "(built in)");
        }
    }
    return ERR_OK;
}

/* --- prices --- */

static enum err load_config_prices(const struct config *config, struct arena *a,
                                   struct price_table *t, struct errinfo *reterr) {
    const struct jnode *prices = jnode_get(config->root, "prices");
    struct jcheck c;
    jcheck_init(&c, a);
    if (jnode_type(prices) == JNODE_NONE || jnode_type(prices) == JNODE_NULL ||
        price_table_add(t, &c, prices)) {
        return ERR_OK;
    }
    return errinfo_set(reterr, ERR_INVALID, "%s: prices: %s", config->path, jcheck_text(&c, a).p);
}

/* A provider's own "prices:" by model, as an object with full names. */
static const struct jnode *load_full_names(struct str provider, const struct jnode *prices,
                                           struct arena *a) {
    const struct jnode *value, *doc = NULL;
    struct sbuf text;
    struct jwrite w;
    struct str model;
    sbuf_init(&text, LOAD_JSON_BYTES_MAX);
    jwrite_init(&w, &text);
    jwrite_object(&w);
    for (void *i = jnode_next(prices, NULL, &model, &value); i != NULL;
         i = jnode_next(prices, i, &model, &value)) {
        jwrite_key_str(&w, str_fmt(a, "%.*s/%.*s", STR_ARG(provider), STR_ARG(model)));
        jwrite_raw(&w, jnode_text(value, a));
    }
    jwrite_end(&w);
    enum err e = jnode_parse(sbuf_str(&text), a, &doc, NULL);
    ASSERT(e == ERR_OK); /* we wrote it */
    sbuf_release(&text);
    return doc;
}

static enum err load_provider_prices(const struct config *config, struct arena *a,
                                     struct price_table *t, struct errinfo *reterr) {
    const struct jnode *providers = jnode_get(config->root, "providers"), *provider;
    struct jcheck c;
    struct str name;
    jcheck_init(&c, a);
    for (void *i = jnode_next(providers, NULL, &name, &provider); i != NULL;
         i = jnode_next(providers, i, &name, &provider)) {
        const struct jnode *prices = jnode_get(provider, "prices");
        if (jnode_type(prices) == JNODE_OBJECT &&
            !price_table_add(t, &c, load_full_names(name, prices, a))) {
            return errinfo_set(reterr, ERR_INVALID, "%s: providers: prices: %s", config->path,
                               jcheck_text(&c, a).p);
        }
    }
    return ERR_OK;
}

enum err load_prices(const struct config *config, const struct opt_strs *flags, const char *label,
                     struct arena *a, struct price_table **ret, struct errinfo *reterr) {
    struct price_table *t = NULL;
    struct jcheck c;
    jcheck_init(&c, a);
    bool right = price_table_read(&c, load_builtin(builtin_prices(), a), a, &t);
    ASSERT(right && t != NULL);
    enum err e = load_provider_prices(config, a, t, reterr);
    if (e == ERR_OK) {
        e = load_config_prices(config, a, t, reterr);
    }
    for (size_t i = 0; i < flags->n && e == ERR_OK; i++) {
        e = price_table_set(t, str_of(flags->v[i]), reterr);
        if (e != ERR_OK) {
            (void)errinfo_wrap(reterr, e, "%s", label);
        }
    }
    if (e == ERR_OK) {
        *ret = t;
    }
    return e;
}
