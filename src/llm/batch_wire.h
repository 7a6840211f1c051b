/* batch_wire.h - how a format's batches are written and read: bytes in, bytes out, as in wire.h.
 *
 *     open, add …, close ─► the questions ─► (upload ─► order) ─► make ─► look … ─► results, a
 *                                                                             line an answer
 */
#ifndef STUMPER_LLM_BATCH_WIRE_H
#define STUMPER_LLM_BATCH_WIRE_H

#include "llm/wire.h"

#define BATCH_ID_BYTES 128  /* room for a provider's name of a batch or file, with its NUL */
#define BATCH_RESULTS_MAX 2 /* documents with results that a batch may have */

enum batch_progress { BATCH_UNDER_WAY, BATCH_ENDED, BATCH_REFUSED };

/* What a provider says of a batch. */
struct batch_told {
    char id[BATCH_ID_BYTES];
    struct str mark; /* ours, where it is kept; empty: not there */
    enum batch_progress progress;
    int64_t created_ms;                    /* by its clock; -1: not told */
    int64_t calls;                         /* so many are in it; -1: not told */
    struct str results[BATCH_RESULTS_MAX]; /* URLs; empty: none */
    bool crowded;                          /* REFUSED since too much is under way */
    struct str reason;                     /* REFUSED: for a person */
};

/* One line of results. */
struct batch_result {
    struct str custom_id;
    bool answered; /* `status` and `body` are what a direct call would have got */
    int status;
    struct str body;
    struct str reason; /* not answered: expired, cancelled */
};

struct batch_wire {
    const char *endpoint; /* OpenAI: where its lines would go; else NULL */
    bool keeps_marks;     /* a batch shows our mark when it is looked at */
    /** URLs: where the questions are uploaded (NULL: they are the order), where batches are made
     * and listed, the next page of the list, one batch, its end. */
    struct str (*upload_url)(const struct llm_provider *p, struct arena *a);
    struct str (*make_url)(const struct llm_provider *p, struct arena *a);
    struct str (*list_url)(const struct llm_provider *p, const char *after, struct arena *a);
    struct str (*one_url)(const struct llm_provider *p, const char *id, struct arena *a);
    struct str (*cancel_url)(const struct llm_provider *p, const char *id, struct arena *a);
    /** The questions, and the header that says what form they have. */
    const char *(*content_type)(const char *mark, struct arena *a);
    void (*open)(const char *mark, struct sbuf *out);
    void (*add)(const struct batch_wire *w, const char *custom_id, bool first, struct str body,
                struct sbuf *out);
    void (*close)(const char *mark, struct sbuf *out);
    /** The order for questions that were uploaded as @file. */
    void (*order)(const struct batch_wire *w, const char *file, const char *mark, struct sbuf *out);
    /** Read a batch's object / a line of results; false: it is none. */
    bool (*told)(const struct llm_provider *p, const struct jnode *doc, struct arena *a,
                 struct batch_told *ret);
    bool (*result)(const struct jnode *line, struct arena *a, struct batch_result *ret);
};

extern const struct batch_wire batch_openai_chat;
extern const struct batch_wire batch_openai_responses;
extern const struct batch_wire batch_anthropic;

/** Copy a provider's id; false if it is none that could be part of a URL. */
bool batch_take_id(struct str id, char ret[BATCH_ID_BYTES]);

#endif
