/* The options are turned into a request of the same JSON that a spec file holds, so that one reader
 * (job_spec_read) has the rules and the ranges. Errors come back with JSON pointers; where the
 * value came from an option, the option's name takes the pointer's place. Taxonomies, topics and
 * seeds from flags do not go through JSON: they are loaded into the finished spec. */
#include "cli/job_options.h"

#include <string.h>

#define JOB_OPTIONS_BYTES_MAX ((size_t)1024 * 1024 * 1024) /* a spec may hold a million seeds */

#define TEXT_OF(number) TEXT_OF_(number)
#define TEXT_OF_(number) #number

/* clang-format off */
void job_options_rows(struct job_options *o, struct opt rows[JOB_OPTIONS_ROWS]) {
    const struct opt all[] = {
        {.group = "What to make", .name = "num-problems", .letter = 'n', .kind = OPT_INT, .value = "N",
         .to = &o->num_problems, .min = 1, .max = JOB_PROBLEMS_MAX,
         .help = "how many accepted problems to make"},
        {.name = "engineer", .kind = OPT_STR, .value = "MODEL", .to = &o->models[ROLE_ENGINEER],
         .help = "writes problems; MODEL is provider/model, such as openai/gpt-5.4-mini; further ones, "
                 "after commas, stand in when it fails"},
        {.name = "checker", .kind = OPT_STR, .value = "MODEL", .to = &o->models[ROLE_CHECKER],
         .help = "validates problems and judges answers"},
        {.name = "target", .kind = OPT_STR, .value = "MODEL", .to = &o->models[ROLE_TARGET],
         .help = "the model that is to fail"},
        {.name = "taxonomy", .kind = OPT_STR, .value = "FILE", .to = &o->taxonomy,
         .help = "subjects and topics to draw from, as JSON; without it the built-in ones"},
        {.name = "topic", .kind = OPT_STRS, .value = "SUBJECT/TOPIC", .to = &o->topics,
         .help = "draw from this topic instead of a taxonomy"},
        {.name = "seeds", .kind = OPT_STR, .value = "FILE.jsonl", .to = &o->seeds,
         .help = "start from these problems: {\"problem\", \"answer\"?, \"tags\"?, \"source_id\"?} a line"},
        {.name = "spec", .kind = OPT_STR, .value = "FILE", .to = &o->spec,
         .help = "a job request in JSON; options on the command line override its fields"},
        {.name = "prompts", .kind = OPT_STR, .value = "DIR", .to = &o->prompts,
         .help = "prompt templates to use instead of the built-in ones"},
        {.name = "judge", .kind = OPT_STR, .value = "WHO", .to = &o->judge, .otherwise = "proof+llm",
         .help = "who says whether answers are the same: proof+llm (a proof, else the checker), llm, both"},
        {.name = "allow-text-answers", .kind = OPT_FLAG, .to = &o->allow_text_answers,
         .help = "take problems whose answer is not mathematics, too"},
        {.name = "name", .kind = OPT_STR, .value = "TEXT", .to = &o->name,
         .help = "a name for the job, kept in its state"},
        {.name = "seed", .kind = OPT_INT, .value = "N", .to = &o->seed, .min = 1, .max = INT64_MAX,
         .help = "the same seed draws the same topics and variations; without it random"},
        {.name = "mode", .kind = OPT_STR, .value = "HOW", .to = &o->mode, .otherwise = "direct",
         .help = "direct: every call at once; batch: gathered into the providers' batches, at half the price, "
                 "within a day each"},
        {.group = "How much", .name = "concurrency", .kind = OPT_INT, .value = "N", .to = &o->concurrency,
         .min = 1, .max = JOB_CONCURRENCY_MAX, .otherwise = TEXT_OF(JOB_CONCURRENCY_DEFAULT),
         .help = "attempts in flight at once"},
        {.name = "max-cost", .kind = OPT_MONEY, .value = "USD", .to = &o->max_cost_nusd, .min = 1,
         .max = JOB_COST_USD_MAX * NUSD_PER_USD, .help = "never spend more than this"},
        {.name = "max-attempts", .kind = OPT_INT, .value = "N", .to = &o->max_attempts, .min = 1,
         .max = INT64_MAX, .help = "begin at most N attempts"},
        {.name = "deadline", .kind = OPT_DURATION, .value = "TIME", .to = &o->deadline_ms, .min = 1,
         .max = JOB_DEADLINE_SECONDS_MAX * INT64_C(1000), .help = "stop after 90s, 15m, 2h or 1d"},
        {.name = "stall-attempts", .kind = OPT_INT, .value = "N", .to = &o->stall_attempts, .min = 0,
         .max = INT64_MAX, .otherwise = TEXT_OF(JOB_STALL_ATTEMPTS_DEFAULT),
         .help = "stop after N attempts in a row without an accepted problem; 0: never"},
        {.name = "stall-errors", .kind = OPT_INT, .value = "N", .to = &o->stall_errors, .min = 0,
         .max = INT64_MAX, .otherwise = TEXT_OF(JOB_STALL_ERRORS_DEFAULT),
         .help = "stop after N errors in a row with one cause; 0: never"},
    };
    _Static_assert(ARRAY_LEN(all) == JOB_OPTIONS_ROWS, "the count in the header");
    memcpy(rows, all, sizeof all);
}
/* clang-format on */

/* An option and the field that says the same in a request. */
static const struct {
    const char *option, *field;
    enum job_value {
        JOB_VALUE_INT,
        JOB_VALUE_USD,
        JOB_VALUE_SECONDS,
        JOB_VALUE_TEXT,
        JOB_VALUE_BOOL
    } value;
    size_t offset; /* in struct job_options */
} job_fields[] = {
#define FIELD(option, field, value, member)                                                        \
    { option, field, value, offsetof(struct job_options, member) }
    FIELD("num-problems", "num_problems", JOB_VALUE_INT, num_problems),
    FIELD("engineer", "engineer_model", JOB_VALUE_TEXT, models[ROLE_ENGINEER]),
    FIELD("checker", "checker_model", JOB_VALUE_TEXT, models[ROLE_CHECKER]),
    FIELD("target", "target_model", JOB_VALUE_TEXT, models[ROLE_TARGET]),
    FIELD("concurrency", "concurrency", JOB_VALUE_INT, concurrency),
    FIELD("max-attempts", "max_attempts", JOB_VALUE_INT, max_attempts),
    FIELD("max-cost", "max_cost_usd", JOB_VALUE_USD, max_cost_nusd),
    FIELD("deadline", "deadline_seconds", JOB_VALUE_SECONDS, deadline_ms),
    FIELD("stall-attempts", "stall_attempts", JOB_VALUE_INT, stall_attempts),
    FIELD("stall-errors", "stall_errors", JOB_VALUE_INT, stall_errors),
    FIELD("seed", "seed", JOB_VALUE_INT, seed),
    FIELD("judge", "judge", JOB_VALUE_TEXT, judge),
    FIELD("allow-text-answers", "allow_text_answers", JOB_VALUE_BOOL, allow_text_answers),
    FIELD("mode", "mode", JOB_VALUE_TEXT, mode),
    FIELD("name", "name", JOB_VALUE_TEXT, name),
#undef FIELD
};

#define JOB_FIELDS ARRAY_LEN(job_fields)

/* Where problems come from: one of these options replaces all of these fields. */
static const char *const job_sources[] = {"taxonomy", "topic", "seeds"};
static const char *const job_source_fields[] = {"taxonomy", "topics", "use_seed_data", "seed_data",
                                                "benchmark_name"};

/* The merging of options and a spec file under way. */
struct job_merge {
    const struct job_options *o;
    const struct opt_result *r;
    const struct jnode *spec; /* NULL: no file */
    const char *source;       /* of job_sources: the one that speaks; NULL: none */
    struct arena *a;
    struct errinfo *reterr;
};

static bool job_spec_has(const struct job_merge *m, const char *field) {
    return jnode_type(jnode_get(m->spec, field)) != JNODE_NONE;
}

/* The row of a field, or JOB_FIELDS. */
static size_t job_field_find(struct str field) {
    size_t i = 0;
    field = str_eq(field, S("target_models")) ? S("target_model") : field;
    while (i < JOB_FIELDS && !str_eq(field, str_of(job_fields[i].field))) {
        i++;
    }
    return i;
}

/* Whose word counts for a field: the option's, or that of the spec file or nobody? */
static bool job_option_speaks(const struct job_merge *m, size_t i) {
    enum opt_origin origin = opt_origin(m->r, job_fields[i].option);
    bool in_spec =
        job_spec_has(m, job_fields[i].field) ||
        (strcmp(job_fields[i].field, "target_model") == 0 && job_spec_has(m, "target_models"));
    return origin == OPT_FROM_ARGV || (origin != OPT_FROM_DEFAULT && !in_spec);
}

static bool job_is_source_field(struct str field) {
    for (size_t i = 0; i < ARRAY_LEN(job_source_fields); i++) {
        if (str_eq(field, str_of(job_source_fields[i]))) {
            return true;
        }
    }
    return false;
}

/* The strongest of --taxonomy, --topic and --seeds; two equally strong ones are an error. */
static enum err job_choose_source(struct job_merge *m) {
    enum opt_origin best = OPT_FROM_DEFAULT;
    bool in_spec = false;
    for (size_t i = 0; i < ARRAY_LEN(job_sources); i++) {
        enum opt_origin origin = opt_origin(m->r, job_sources[i]);
        if (origin != OPT_FROM_DEFAULT && origin == best) {
            struct opt_label one = opt_label(m->r, m->source),
                             other = opt_label(m->r, job_sources[i]);
            return errinfo_set(m->reterr, ERR_INVALID, "%s and %s: give one of them", one.s,
                               other.s);
        }
        if (origin > best) {
            best = origin;
            m->source = job_sources[i];
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(job_source_fields); i++) {
        in_spec = in_spec || job_spec_has(m, job_source_fields[i]);
    }
    if (in_spec && best != OPT_FROM_ARGV) {
        m->source = NULL;
    }
    return ERR_OK;
}

static void job_write_option(const struct job_merge *m, size_t i, struct jwrite *w) {
    const char *at = (const char *)m->o + job_fields[i].offset;
    int64_t number = 0;
    const char *text = NULL;
    bool on = false;
    if (job_fields[i].value == JOB_VALUE_TEXT) {
        memcpy(&text, at, sizeof text);
    } else if (job_fields[i].value == JOB_VALUE_BOOL) {
        memcpy(&on, at, sizeof on);
    } else {
        memcpy(&number, at, sizeof number);
    }
    jwrite_key(w, job_fields[i].field);
    switch (job_fields[i].value) {
    case JOB_VALUE_INT:
        jwrite_int(w, number);
        break;
    case JOB_VALUE_USD:
        jwrite_usd(w, number);
        break;
    case JOB_VALUE_SECONDS:
        jwrite_real(w, (double)number / 1000);
        break;
    case JOB_VALUE_TEXT:
        jwrite_cstr(w, text);
        break;
    case JOB_VALUE_BOOL:
        jwrite_bool(w, on);
        break;
    }
}

/* The request that options and file make together. */
static void job_write_request(const struct job_merge *m, struct sbuf *out) {
    struct jwrite w;
    struct str key;
    const struct jnode *value;
    jwrite_init(&w, out);
    jwrite_object(&w);
    for (void *it = m->spec == NULL ? NULL : jnode_next(m->spec, NULL, &key, &value); it != NULL;
         it = jnode_next(m->spec, it, &key, &value)) {
        size_t i = job_field_find(key);
        bool replaced = (i < JOB_FIELDS && job_option_speaks(m, i)) ||
                        (m->source != NULL && job_is_source_field(key));
        if (!replaced) {
            jwrite_key_str(&w, key);
            jwrite_raw(&w, jnode_text(value, m->a));
        }
    }
    for (size_t i = 0; i < JOB_FIELDS; i++) {
        if (job_option_speaks(m, i)) {
            job_write_option(m, i, &w);
        }
    }
    jwrite_end(&w);
}

/* "/engineer_model" as the one who wrote it knows it: "--engineer" or "job.json: /engineer_model".
 */
static void job_add_place(const struct job_merge *m, const char *pointer, struct sbuf *out) {
    struct str rest = str_of(pointer[0] == '/' ? pointer + 1 : pointer);
    size_t i = job_field_find(str_split(&rest, '/'));
    bool known = i < JOB_FIELDS;
    bool in_spec = m->spec != NULL && (!known || job_spec_has(m, job_fields[i].field));
    if (known && (job_option_speaks(m, i) || !in_spec)) {
        sbuf_addf(out, "%s", opt_label(m->r, job_fields[i].option).s);
    } else {
        sbuf_addf(out, "%s%s%s", m->spec != NULL ? m->o->spec : "", m->spec != NULL ? ": " : "",
                  pointer);
    }
}

static enum err job_errors(const struct job_merge *m, const struct jcheck *c) {
    struct sbuf text;
    sbuf_init(&text, ERRINFO_BYTES * 8);
    for (const struct jcheck_error *e = c->first; e != NULL && text.n < ERRINFO_BYTES;
         e = e->next) {
        sbuf_add_cstr(&text, text.n > 0 ? "; " : "");
        job_add_place(m, e->pointer, &text);
        sbuf_addf(&text, ": %s", e->detail);
    }
    enum err e = errinfo_set(m->reterr, ERR_INVALID, "%s", sbuf_str(&text).p);
    sbuf_release(&text);
    return e;
}

static enum err job_read(const struct job_merge *m, const struct taxonomy *builtin,
                         struct job_spec *ret) {
    struct sbuf request;
    const struct jnode *doc;
    struct jcheck c;
    sbuf_init(&request, JOB_OPTIONS_BYTES_MAX);
    job_write_request(m, &request);
    enum err e = sbuf_overflowed(&request)
                     ? errinfo_set(m->reterr, ERR_TOO_BIG, "%s is too large", m->o->spec)
                     : jnode_parse(sbuf_str(&request), m->a, &doc, m->reterr);
    sbuf_release(&request);
    if (e != ERR_OK) {
        return e;
    }
    jcheck_init(&c, m->a);
    return job_spec_read(&c, doc, builtin, m->a, ret) ? ERR_OK : job_errors(m, &c);
}

static enum err job_load_source(const struct job_merge *m, struct job_spec *spec) {
    const struct job_options *o = m->o;
    enum err e = ERR_OK;
    if (m->source == NULL) {
        return ERR_OK;
    }
    struct opt_label label = opt_label(m->r, m->source);
    if (strcmp(m->source, "topic") == 0) {
        return load_topics(&o->topics, label.s, m->a, &spec->taxonomy, m->reterr);
    }
    if (strcmp(m->source, "taxonomy") == 0) {
        e = load_taxonomy(o->taxonomy, m->a, &spec->taxonomy, m->reterr);
    } else {
        e = load_seeds(o->seeds, m->a, &spec->seeds, &spec->seeds_n, m->reterr);
    }
    return e == ERR_OK ? ERR_OK : errinfo_wrap(m->reterr, e, "%s", label.s);
}

enum err job_options_spec(const struct job_options *o, const struct opt_result *r, struct arena *a,
                          struct job_spec *ret, struct errinfo *reterr) {
    struct job_merge m = {.o = o, .r = r, .a = a, .reterr = reterr};
    struct taxonomy *builtin = ARENA_NEW(a, struct taxonomy);
    struct job_spec spec;
    enum err e = ERR_OK;
    if (o->spec != NULL) {
        e = load_spec(o->spec, a, &m.spec, reterr);
    }
    e = e == ERR_OK ? job_choose_source(&m) : e;
    if (e != ERR_OK) {
        return e;
    }
    load_builtin_taxonomy(a, builtin);
    e = job_read(&m, builtin, &spec);
    e = e == ERR_OK ? job_load_source(&m, &spec) : e;
    if (e == ERR_OK) {
        *ret = spec;
    }
    return e;
}
