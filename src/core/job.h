/* job.h - a job as a request asks for it: read, checked, and written back in one canonical form.
 *
 * The JSON is the body of POST /generate and of `generate --spec`; existing clients' field names
 * are kept.
 */
#ifndef STUMPER_CORE_JOB_H
#define STUMPER_CORE_JOB_H

#include "core/call.h"
#include "core/taxonomy.h"
#include "json/check.h"
#include "json/write.h"

#define JOB_PROBLEMS_MAX 10000000
#define JOB_CONCURRENCY_MAX 100000
#define JOB_SEEDS_MAX 1000000
#define JOB_SEED_PROBLEM_BYTES_MAX ((size_t)64 * 1024)
#define JOB_SEED_BYTES_MAX ((size_t)256 * 1024) /* one seed with all its members */
#define JOB_METADATA_BYTES_MAX ((size_t)16 * 1024)
#define JOB_NAME_BYTES_MAX ((size_t)200)
#define JOB_COST_USD_MAX 1000000 /* to it, nano-dollars survive the way through a JSON number */
#define JOB_DEADLINE_SECONDS_MAX 31536000
#define JOB_PRIORITY_MAX 100 /* and -100 the least; "low" is -10, "normal" 0, "high" 10 */
#define JOB_WEBHOOK_URL_BYTES_MAX ((size_t)2048)

/* "openai/gpt-5.4-mini" or {"provider":"openai","model_name":"gpt-5.4-mini"}. */
struct model_name {
    struct str provider; /* [a-z0-9][a-z0-9_-]*, lower case */
    struct str model;    /* as the provider spells it; may hold slashes */
};

/** Split "provider/model" at the first slash; the provider comes out in lower case. ERR_INVALID
 * with what is missing. */
NODISCARD enum err model_name_parse(struct str text, struct arena *a, struct model_name *ret,
                                    struct errinfo *reterr);

/* A problem to start from. */
struct job_seed {
    struct str problem;
    struct str answer;    /* may be empty */
    struct str source_id; /* may be empty */
    struct str tags;      /* a JSON array as text; may be empty */
    struct str reference; /* the whole seed as one canonical JSON object: carried into the result */
};

/**
 * Read one seed, {"problem", "answer"?, "tags"?, "source_id"?} (a line of a seeds file, an element
 * of seed_data). An answer may be a number, a source_id an integer. Other members are kept in the
 * reference. Errors go to @c under @place.
 *
 * @benchmark_name  put into the reference unless the seed has one; may be empty
 */
bool job_seed_read(struct jcheck *c, struct jplace place, struct str benchmark_name,
                   struct arena *a, struct job_seed *ret);

#define JOB_MODELS_MAX 8

/* A role's model, and those that stand in for it when it cannot answer, in this order. */
struct job_models {
    struct model_name v[JOB_MODELS_MAX];
    size_t n; /* at least 1 */
};

/* Who says whether two answers are the same. */
enum job_judge {
    JOB_JUDGE_PROOF_LLM, /* a proof, where the comparison finds one; else the checker */
    JOB_JUDGE_LLM,       /* the checker */
    JOB_JUDGE_BOTH,      /* both are asked; a proof wins, and a disagreement is recorded */
    JOB_JUDGES
};
/** "proof+llm", "llm", "both". */
const char *job_judge_name(enum job_judge judge);

struct job_spec {
    int64_t num_problems;
    struct job_models models[ROLE_COUNT];
    struct taxonomy taxonomy; /* the built-in one where the request names none */
    const struct job_seed *seeds;
    size_t seeds_n; /* 0: from the taxonomy */
    bool batches;   /* its calls may wait for their providers' batches, at half the price */
    int64_t concurrency;
    int64_t max_attempts;  /* 0: no limit */
    int64_t max_cost_nusd; /* MONEY_UNKNOWN: no limit */
    int64_t deadline_ms;   /* 0: none */
    int64_t
        stall_attempts;   /* stop after so many attempts in a row without an acceptance; 0: never */
    int64_t stall_errors; /* stop after so many errors in a row with one cause; 0: never */
    uint64_t seed; /* of the picks: the same seed gives the same subjects and variations; 0: chosen
                      when the job begins */
    enum job_judge judge;
    bool allow_text_answers; /* else a problem whose answer is not read whole as mathematics is
                                rejected before anybody is paid for looking at it */
    struct str name;
    struct str metadata; /* a JSON object as text; may be empty */
    int64_t priority;
    struct str webhook_url; /* http or https; may be empty */
};

#define JOB_CONCURRENCY_DEFAULT 64
#define JOB_CONCURRENCY_OF_BATCHES_DEFAULT 10000 /* a wave should hold all that is needed */
#define JOB_STALL_ATTEMPTS_DEFAULT 200
#define JOB_STALL_ERRORS_DEFAULT 50

/**
 * Read a request. All errors are collected in @c, with pointers. Unknown fields are errors; so are
 * fields that this version cannot honour, unless they ask for what it does anyway.
 *
 * @builtin  used when the request has no taxonomy of its own; must outlive @ret
 * @a        owns everything in @ret; keeps nothing of @request
 * @return   true if the spec is whole and right (c->n did not grow)
 */
bool job_spec_read(struct jcheck *c, const struct jnode *request, const struct taxonomy *builtin,
                   struct arena *a, struct job_spec *ret);

/** The same with models for the roles that the request does not name: @models[role], unless that
 * has none, too. Of a request that is wrong @ret has what is right (fields that are not are empty or
 * 0), so that it can be checked further and all its errors be told at once. */
bool job_spec_read_over(struct jcheck *c, const struct jnode *request,
                        const struct taxonomy *builtin, const struct job_models models[ROLE_COUNT],
                        struct arena *a, struct job_spec *ret);

/** Write the whole spec as one JSON object: reading it back gives the same spec. */
void job_spec_write(const struct job_spec *spec, struct jwrite *w);

/** The same without the taxonomy, which whoever reads it back must have. */
void job_spec_write_rest(const struct job_spec *spec, struct jwrite *w);

/**
 * The first difference that makes two specs different jobs, as the name of a field
 * ("engineer_model"), or NULL if they are the same job. Limits (concurrency, max_*, deadline,
 * stall_*), the mode, labels (name, metadata, priority, webhook_url) and models that stand in for
 * others may differ: a stopped job may go on with others.
 */
const char *job_spec_difference(const struct job_spec *a, const struct job_spec *b);

#endif
