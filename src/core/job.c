/* Reading a request is one pass over the list of fields below; each reader tells what is wrong and
 * goes on, so that a person can mend everything at once. */
#include "core/job.h"

#include <math.h>
#include <string.h>

/* Every field that a request may have, in the order in which a spec is written. */
static const char *const job_fields[] = {
    "num_problems",
    "engineer_model",
    "checker_model",
    "target_model",
    "target_models",
    "taxonomy",
    "topics",
    "use_seed_data",
    "seed_data",
    "benchmark_name",
    "concurrency",
    "max_attempts",
    "max_cost_usd",
    "deadline_seconds",
    "stall_attempts",
    "stall_errors",
    "seed",
    "name",
    "metadata",
    "use_search",
    "samples",
    "solve_rate_max",
    "votes",
    "priority",
    "webhook_url",
    "judge",
    "allow_text_answers",
    "mode",
    NULL,
};

static const char *const job_model_fields[ROLE_COUNT] = {[ROLE_ENGINEER] = "engineer_model",
                                                         [ROLE_CHECKER] = "checker_model",
                                                         [ROLE_TARGET] = "target_model"};

/* --- reading --- */

static bool job_is_absent(const struct jnode *j) {
    return jnode_type(j) == JNODE_NONE || jnode_type(j) == JNODE_NULL;
}

/* {"provider": "openai", "model_name": "gpt-5.4-mini"} as "openai/gpt-5.4-mini". */
static struct str job_model_text(struct jcheck *c, struct jplace place, struct arena *a) {
    static const char *const keys[] = {"provider", "model_name", NULL};
    for (size_t i = 0; keys[i] != NULL; i++) {
        (void)jcheck_is(c, jcheck_member(c, place, keys[i]), JNODE_STRING, true);
    }
    jcheck_known(c, place, keys);
    return str_fmt(a, "%.*s/%.*s", STR_ARG(jnode_get_str(place.node, "provider")),
                   STR_ARG(jnode_get_str(place.node, "model_name")));
}

/* The next model of a role; further ones stand in for the first. */
static void job_add_model(struct jcheck *c, const char *pointer, struct str text, struct arena *a,
                          struct job_models *m) {
    struct errinfo info = {0};
    struct model_name name;
    if (m->n == JOB_MODELS_MAX) {
        jcheck_fail(c, pointer, "must name at most %d models", JOB_MODELS_MAX);
    } else if (model_name_parse(text, a, &name, &info) != ERR_OK) {
        jcheck_fail(c, pointer, "%s", info.text);
    } else {
        m->v[m->n++] = name;
    }
}

static void job_read_model(struct jcheck *c, struct jplace place, struct arena *a,
                           struct job_models *m) {
    size_t errors = c->n;
    struct str text = jnode_str(place.node);
    enum jnode_type type = jnode_type(place.node);
    if (type == JNODE_OBJECT) {
        text = job_model_text(c, place, a);
    } else if (type != JNODE_STRING) {
        jcheck_fail(c, place.pointer,
                    "%s; must be \"provider/model\" or {\"provider\", \"model_name\"}",
                    type == JNODE_NONE ? "is missing" : "is of the wrong type");
    }
    for (bool more = true; more && c->n == errors; more = text.n > 0) {
        job_add_model(c, place.pointer, str_split(&text, ','), a, m);
    }
}

/* A role's model, or several, as an array or with commas between them: the first, and those that
 * stand in for it. */
static void job_read_role(struct jcheck *c, struct jplace place, struct arena *a, enum role role,
                          struct job_spec *spec) {
    struct job_models models = {0};
    size_t errors = c->n, n = jnode_len(place.node);
    if (job_is_absent(place.node) && spec->models[role].n > 0) {
        return; /* there is one to fall back on */
    }
    if (jnode_type(place.node) != JNODE_ARRAY) {
        job_read_model(c, place, a, &models);
    }
    for (size_t i = 0; jnode_type(place.node) == JNODE_ARRAY && i < n && c->n == errors; i++) {
        job_read_model(c, jcheck_element(c, place, i), a, &models);
    }
    if (c->n == errors && models.n == 0) {
        jcheck_fail(c, place.pointer, "names no model; must be \"provider/model\"");
    }
    spec->models[role] = models;
}

/* target_models with one entry is another way to write target_model. */
static struct jplace job_target_place(struct jcheck *c, struct jplace root) {
    struct jplace one = jcheck_member(c, root, "target_model");
    struct jplace many = jcheck_member(c, root, "target_models");
    if (job_is_absent(many.node) || !jcheck_is(c, many, JNODE_ARRAY, true)) {
        return one;
    }
    if (jnode_len(many.node) != 1) {
        jcheck_fail(c, many.pointer,
                    "must hold one model: several targets are not available in this version");
    } else if (!job_is_absent(one.node)) {
        jcheck_fail(c, many.pointer, "give target_model or target_models, not both");
    }
    return jcheck_element(c, many, 0);
}

static void job_read_models(struct jcheck *c, struct jplace root, struct arena *a,
                            struct job_spec *spec) {
    job_read_role(c, jcheck_member(c, root, "engineer_model"), a, ROLE_ENGINEER, spec);
    job_read_role(c, jcheck_member(c, root, "checker_model"), a, ROLE_CHECKER, spec);
    job_read_role(c, job_target_place(c, root), a, ROLE_TARGET, spec);
}

static void job_read_topics(struct jcheck *c, struct jplace root, const struct taxonomy *builtin,
                            struct arena *a, struct job_spec *spec) {
    struct jplace taxonomy = jcheck_member(c, root, "taxonomy");
    struct jplace topics = jcheck_member(c, root, "topics");
    if (!job_is_absent(taxonomy.node) && !job_is_absent(topics.node)) {
        jcheck_fail(c, topics.pointer, "give taxonomy or topics, not both");
    } else if (!job_is_absent(taxonomy.node)) {
        (void)taxonomy_read(c, taxonomy, a, &spec->taxonomy);
    } else if (!job_is_absent(topics.node)) {
        (void)taxonomy_read_list(c, topics, a, &spec->taxonomy);
    } else {
        spec->taxonomy = *builtin;
    }
}

/* Seeds are used if they are given, unless use_seed_data says no. */
static void job_read_seeds(struct jcheck *c, struct jplace root, struct arena *a,
                           struct job_spec *spec) {
    struct jplace place = jcheck_member(c, root, "seed_data");
    size_t n = jnode_len(place.node);
    bool use = jcheck_bool(c, root, "use_seed_data", n > 0);
    struct str benchmark = jcheck_str(c, root, "benchmark_name", JOB_NAME_BYTES_MAX);
    if (!job_is_absent(place.node) && !jcheck_is(c, place, JNODE_ARRAY, true)) {
        return;
    }
    if (use && n == 0) {
        jcheck_fail(c, place.pointer,
                    "use_seed_data needs seed_data: an array of {\"problem\", \"answer\"?, "
                    "\"tags\"?, \"source_id\"?} (benchmarks are not fetched by name)");
    }
    if (n > JOB_SEEDS_MAX) {
        jcheck_fail(c, place.pointer, "must hold at most %d seeds, not %zu", JOB_SEEDS_MAX, n);
    }
    if (!use || n == 0 || n > JOB_SEEDS_MAX) {
        return;
    }
    struct job_seed *seeds = ARENA_ARRAY(a, struct job_seed, n);
    for (size_t i = 0; i < n; i++) {
        (void)job_seed_read(c, jcheck_element(c, place, i), benchmark, a, &seeds[i]);
    }
    spec->seeds = seeds;
    spec->seeds_n = n;
}

/* A positive amount in units of 1/@scale; absent gives @otherwise. */
static int64_t job_read_scaled(struct jcheck *c, struct jplace root, const char *key, double max,
                               double scale, int64_t otherwise) {
    size_t errors = c->n;
    double v = jcheck_real(c, root, key, 0, max, 0);
    int64_t scaled = llround(v * scale);
    if (c->n != errors || job_is_absent(jnode_get(root.node, key))) {
        return otherwise;
    }
    if (scaled <= 0) {
        jcheck_fail(c, jcheck_member(c, root, key).pointer,
                    "must be more than 0; leave it out for no limit");
    }
    return scaled;
}

static void job_read_limits(struct jcheck *c, struct jplace root, struct job_spec *spec) {
    spec->concurrency =
        jcheck_int(c, root, "concurrency", 1, JOB_CONCURRENCY_MAX,
                   spec->batches ? JOB_CONCURRENCY_OF_BATCHES_DEFAULT : JOB_CONCURRENCY_DEFAULT);
    spec->max_attempts = jcheck_int(c, root, "max_attempts", 0, INT64_MAX, 0);
    spec->max_cost_nusd = job_read_scaled(c, root, "max_cost_usd", JOB_COST_USD_MAX,
                                          (double)NUSD_PER_USD, MONEY_UNKNOWN);
    spec->deadline_ms =
        job_read_scaled(c, root, "deadline_seconds", JOB_DEADLINE_SECONDS_MAX, 1000, 0);
    spec->stall_attempts =
        jcheck_int(c, root, "stall_attempts", 0, INT64_MAX, JOB_STALL_ATTEMPTS_DEFAULT);
    spec->stall_errors =
        jcheck_int(c, root, "stall_errors", 0, INT64_MAX, JOB_STALL_ERRORS_DEFAULT);
    spec->seed = (uint64_t)jcheck_int(c, root, "seed", 0, INT64_MAX, 0);
}

const char *job_judge_name(enum job_judge judge) {
    static const char *const names[JOB_JUDGES] = {
        [JOB_JUDGE_PROOF_LLM] = "proof+llm", [JOB_JUDGE_LLM] = "llm", [JOB_JUDGE_BOTH] = "both"};
    ASSERT((unsigned)judge < JOB_JUDGES);
    return names[judge];
}

static enum job_judge job_read_judge(struct jcheck *c, struct jplace root) {
    struct str name = jcheck_str(c, root, "judge", JOB_NAME_BYTES_MAX);
    for (int i = 0; i < JOB_JUDGES; i++) {
        if (name.n == 0 || str_eq(name, str_of(job_judge_name((enum job_judge)i)))) {
            return (enum job_judge)i;
        }
    }
    jcheck_fail(c, "/judge", "must be \"proof+llm\", \"llm\" or \"both\"");
    return JOB_JUDGE_PROOF_LLM;
}

static bool job_read_mode(struct jcheck *c, struct jplace root) {
    struct str mode = jcheck_str(c, root, "mode", JOB_NAME_BYTES_MAX);
    bool batches = str_eq(mode, S("batch"));
    if (mode.n > 0 && !batches && !str_eq(mode, S("direct"))) {
        jcheck_fail(c, "/mode", "must be \"direct\" or \"batch\"");
    }
    return batches;
}

/* A number, or one of three names. */
static int64_t job_read_priority(struct jcheck *c, struct jplace root) {
    static const struct {
        const char *name;
        int64_t priority;
    } names[] = {{"low", -10}, {"normal", 0}, {"high", 10}};
    const struct jnode *j = jnode_get(root.node, "priority");
    for (size_t i = 0; jnode_type(j) == JNODE_STRING && i < ARRAY_LEN(names); i++) {
        if (str_eq(jnode_str(j), str_of(names[i].name))) {
            return names[i].priority;
        }
    }
    if (jnode_type(j) == JNODE_STRING) {
        jcheck_fail(c, "/priority", "must be \"low\", \"normal\", \"high\" or a number");
        return 0;
    }
    return jcheck_int(c, root, "priority", -JOB_PRIORITY_MAX, JOB_PRIORITY_MAX, 0);
}

static struct str job_read_webhook(struct jcheck *c, struct jplace root, struct arena *a) {
    struct str url = jcheck_str(c, root, "webhook_url", JOB_WEBHOOK_URL_BYTES_MAX);
    bool secure = str_starts(url, S("https://")), plain = str_starts(url, S("http://"));
    size_t scheme_n = secure ? sizeof "https://" - 1 : sizeof "http://" - 1;
    bool right = (secure || plain) && url.n > scheme_n && url.p[scheme_n] != '/';
    for (size_t i = 0; right && i < url.n; i++) {
        right = (unsigned char)url.p[i] > ' ' && (unsigned char)url.p[i] < 0x7f;
    }
    if (url.n > 0 && !right) {
        jcheck_fail(c, "/webhook_url", "must be an http or https URL in ASCII");
    }
    return str_dup(a, url);
}

static void job_read_labels(struct jcheck *c, struct jplace root, struct arena *a,
                            struct job_spec *spec) {
    struct jplace metadata = jcheck_member(c, root, "metadata");
    spec->name = str_dup(a, jcheck_str(c, root, "name", JOB_NAME_BYTES_MAX));
    spec->metadata = S("");
    if (jcheck_is(c, metadata, JNODE_OBJECT, false)) {
        spec->metadata = jnode_text_sorted(metadata.node, a);
        if (spec->metadata.n > JOB_METADATA_BYTES_MAX) {
            jcheck_fail(c, metadata.pointer, "must be at most %zu bytes long, not %zu",
                        JOB_METADATA_BYTES_MAX, spec->metadata.n);
        }
    }
    spec->priority = job_read_priority(c, root);
    spec->webhook_url = job_read_webhook(c, root, a);
}

/* Fields of the interface that this version does not have: a value that asks for what it does
 * anyway is welcome, any other is told, never passed over. */
static void job_check_unavailable(struct jcheck *c, struct jplace root) {
    static const char unavailable[] = "not available in this version";
    if (jcheck_bool(c, root, "use_search", false)) {
        jcheck_fail(c, "/use_search", "no search provider is configured: searching is %s",
                    unavailable);
    }
    if (jcheck_int(c, root, "samples", 1, INT64_MAX, 1) != 1) {
        jcheck_fail(c, "/samples", "must be 1: several samples per target are %s", unavailable);
    }
    if (jcheck_int(c, root, "votes", 1, INT64_MAX, 1) != 1) {
        jcheck_fail(c, "/votes", "must be 1: several votes of the checker are %s", unavailable);
    }
    if (jcheck_real(c, root, "solve_rate_max", 0, 1, 0) >= 1) {
        jcheck_fail(c, "/solve_rate_max",
                    "must be less than 1: keeping problems that the target solved is %s",
                    unavailable);
    }
}

bool job_spec_read(struct jcheck *c, const struct jnode *request, const struct taxonomy *builtin,
                   struct arena *a, struct job_spec *ret) {
    const struct job_models none[ROLE_COUNT] = {0};
    return job_spec_read_over(c, request, builtin, none, a, ret);
}

bool job_spec_read_over(struct jcheck *c, const struct jnode *request,
                        const struct taxonomy *builtin, const struct job_models models[ROLE_COUNT],
                        struct arena *a, struct job_spec *ret) {
    size_t errors = c->n;
    struct job_spec spec = {0};
    memcpy(spec.models, models, sizeof spec.models);
    struct jplace root = jcheck_root(request);
    if (!jcheck_is(c, root, JNODE_OBJECT, true)) {
        *ret = (struct job_spec){0};
        return false;
    }
    jcheck_known(c, root, job_fields);
    if (jcheck_is(c, jcheck_member(c, root, "num_problems"), JNODE_INT, true)) {
        spec.num_problems = jcheck_int(c, root, "num_problems", 1, JOB_PROBLEMS_MAX, 1);
    }
    job_read_models(c, root, a, &spec);
    job_read_topics(c, root, builtin, a, &spec);
    job_read_seeds(c, root, a, &spec);
    spec.batches = job_read_mode(c, root);
    job_read_limits(c, root, &spec);
    spec.judge = job_read_judge(c, root);
    spec.allow_text_answers = jcheck_bool(c, root, "allow_text_answers", false);
    job_read_labels(c, root, a, &spec);
    job_check_unavailable(c, root);
    *ret = spec;
    return c->n == errors;
}

/* --- writing --- */

static void job_write_limits(const struct job_spec *spec, struct jwrite *w) {
    jwrite_key(w, "concurrency");
    jwrite_int(w, spec->concurrency);
    jwrite_key(w, "max_attempts");
    jwrite_int(w, spec->max_attempts);
    if (spec->max_cost_nusd != MONEY_UNKNOWN) {
        jwrite_key(w, "max_cost_usd");
        jwrite_usd(w, spec->max_cost_nusd);
    }
    if (spec->deadline_ms > 0) {
        jwrite_key(w, "deadline_seconds");
        jwrite_real(w, (double)spec->deadline_ms / 1000);
    }
    jwrite_key(w, "stall_attempts");
    jwrite_int(w, spec->stall_attempts);
    jwrite_key(w, "stall_errors");
    jwrite_int(w, spec->stall_errors);
    jwrite_key(w, "seed");
    jwrite_int(w, (int64_t)spec->seed);
}

static void job_write_manner(const struct job_spec *spec, struct jwrite *w) {
    if (spec->batches) {
        jwrite_key(w, "mode");
        jwrite_cstr(w, "batch");
    }
    if (spec->judge != JOB_JUDGE_PROOF_LLM) {
        jwrite_key(w, "judge");
        jwrite_cstr(w, job_judge_name(spec->judge));
    }
    if (spec->allow_text_answers) {
        jwrite_key(w, "allow_text_answers");
        jwrite_bool(w, true);
    }
}

static void job_write_labels(const struct job_spec *spec, struct jwrite *w) {
    if (spec->name.n > 0) {
        jwrite_key(w, "name");
        jwrite_str(w, spec->name);
    }
    if (spec->metadata.n > 0) {
        jwrite_key(w, "metadata");
        jwrite_raw(w, spec->metadata);
    }
    if (spec->priority != 0) {
        jwrite_key(w, "priority");
        jwrite_int(w, spec->priority);
    }
    if (spec->webhook_url.n > 0) {
        jwrite_key(w, "webhook_url");
        jwrite_str(w, spec->webhook_url);
    }
}

static void job_write_models(const struct job_models *m, struct jwrite *w) {
    if (m->n > 1) {
        jwrite_array(w);
    }
    for (size_t i = 0; i < m->n; i++) {
        jwrite_object(w);
        jwrite_key(w, "provider");
        jwrite_str(w, m->v[i].provider);
        jwrite_key(w, "model_name");
        jwrite_str(w, m->v[i].model);
        jwrite_end(w);
    }
    if (m->n > 1) {
        jwrite_end(w);
    }
}

static void job_write(const struct job_spec *spec, bool with_taxonomy, struct jwrite *w) {
    ASSERT(spec->seed <= INT64_MAX);
    jwrite_object(w);
    jwrite_key(w, "num_problems");
    jwrite_int(w, spec->num_problems);
    for (int role = 0; role < ROLE_COUNT; role++) {
        jwrite_key(w, job_model_fields[role]);
        job_write_models(&spec->models[role], w);
    }
    if (with_taxonomy) {
        jwrite_key(w, "taxonomy");
        taxonomy_write(&spec->taxonomy, w);
    }
    if (spec->seeds_n > 0) {
        jwrite_key(w, "seed_data");
        jwrite_array(w);
        for (size_t i = 0; i < spec->seeds_n; i++) {
            jwrite_raw(w, spec->seeds[i].reference);
        }
        jwrite_end(w);
    }
    job_write_limits(spec, w);
    job_write_manner(spec, w);
    job_write_labels(spec, w);
    jwrite_end(w);
}

void job_spec_write(const struct job_spec *spec, struct jwrite *w) {
    job_write(spec, true, w);
}

void job_spec_write_rest(const struct job_spec *spec, struct jwrite *w) {
    job_write(spec, false, w);
}

/* --- comparing --- */

static bool job_seeds_eq(const struct job_spec *a, const struct job_spec *b) {
    bool same = a->seeds_n == b->seeds_n;
    for (size_t i = 0; same && i < a->seeds_n; i++) {
        same = str_eq(a->seeds[i].reference, b->seeds[i].reference);
    }
    return same;
}

const char *job_spec_difference(const struct job_spec *a, const struct job_spec *b) {
    if (a->num_problems != b->num_problems) {
        return "num_problems";
    }
    for (int role = 0; role < ROLE_COUNT; role++) {
        const struct model_name *one = &a->models[role].v[0], *other = &b->models[role].v[0];
        if (!str_eq(one->provider, other->provider) || !str_eq(one->model, other->model)) {
            return job_model_fields[role];
        }
    }
    if (!job_seeds_eq(a, b)) {
        return "seed_data";
    }
    if (a->seeds_n == 0 && !taxonomy_eq(&a->taxonomy, &b->taxonomy)) {
        return "taxonomy";
    }
    if (a->judge != b->judge || a->allow_text_answers != b->allow_text_answers) {
        return a->judge != b->judge ? "judge" : "allow_text_answers";
    }
    return a->seed != b->seed ? "seed" : NULL;
}
