/* Who may go next, and with which key. A model has a lane for each of its keys; each lane has
 * limits of its own (core/limit.h says what they mean). Whose turn it is (core/turn.h) takes the
 * lane that lets it go first; the others wait, so that a large call is not passed for ever by small
 * ones.
 *
 *     out    every lane is stopped (wrong key, no quota) or its circuit is open: a call that has
 *            another model in its chain goes there at once
 *     dead   every lane is stopped, or has let nobody through in tries_max probes: all that wait
 *            end with the reason
 */
#include "base/log.h"
#include "llm/client.h"

#include <stdio.h>

/* Whose turn it is, or NULL. */
static struct llm_call *llm_model_head(const struct llm_model *model) {
    int64_t oldest[ARRAY_LEN(model->waiting)];
    for (size_t i = 0; i < ARRAY_LEN(oldest); i++) {
        const struct llm_call *c = TAILQ_FIRST(&model->waiting[i]);
        oldest[i] = c != NULL ? c->joined : -1;
    }
    size_t next = turn_next(&model->turn, oldest, ARRAY_LEN(oldest));
    return next == TURN_NOBODY ? NULL : TAILQ_FIRST(&model->waiting[next]);
}

static struct limit_cost llm_call_cost(const struct llm_call *c) {
    return (struct limit_cost){.input_bytes = (int64_t)c->body.n,
                               .output_tokens_max = c->request.spec->output_tokens_max};
}

/* The lane that lets @c go first, from the one after the last on; it is to wait *@ret_ms. */
static struct llm_lane *llm_model_lane(struct llm_model *model, const struct limit_cost *cost,
                                       int64_t now_ms, int64_t *ret_ms) {
    struct llm_lane *best = NULL;
    *ret_ms = INT64_MAX;
    for (size_t i = 1; i <= model->lanes_n && *ret_ms > 0; i++) {
        struct llm_lane *lane = &model->lanes[(model->lane_last + i) % model->lanes_n];
        int64_t wait_ms = limit_wait_ms(&lane->limit, now_ms, cost);
        if (wait_ms < *ret_ms) {
            *ret_ms = wait_ms;
            best = lane;
        }
    }
    return best;
}

static bool llm_model_is_out(const struct llm_model *model, int64_t now_ms) {
    bool out = true;
    for (size_t i = 0; i < model->lanes_n; i++) {
        const struct limit *l = &model->lanes[i].limit;
        out = out && (limit_is_stopped(l, now_ms) || limit_is_broken(l));
    }
    return out;
}

bool llm_model_is_dead(const struct llm_model *model) {
    int64_t probes_max = model->llm->config->tries_max, now_ms = loop_now_ms(model->llm->loop);
    bool dead = true;
    for (size_t i = 0; i < model->lanes_n; i++) {
        const struct limit *l = &model->lanes[i].limit;
        dead = dead && (limit_is_stopped(l, now_ms) || limit_is_barren(l, probes_max));
    }
    return dead;
}

/* Those that wait for a model that is out go on elsewhere, if they can; if it is dead, all go. */
static void llm_model_evacuate(struct llm_model *model, int64_t now_ms) {
    bool dead = llm_model_is_dead(model);
    const struct llm_lane *lane = &model->lanes[model->lane_last];
    if (!dead && !llm_model_is_out(model, now_ms)) {
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(model->waiting); i++) {
        struct llm_call *c = TAILQ_FIRST(&model->waiting[i]), *next;
        for (; c != NULL; c = next) {
            next = TAILQ_NEXT(c, link);
            if (dead || c->chain_at + 1 < c->request.chain->n) {
                llm_call_pass_on(c, lane->err, &lane->why);
            }
        }
    }
}

static struct llm_queue *llm_call_queue(const struct llm_call *c) {
    return &c->model->waiting[c->request.priority];
}

static void llm_lanes_join(struct llm_call *c) {
    c->joined = c->model->joined++;
    TAILQ_INSERT_TAIL(llm_call_queue(c), c, link);
}

static void llm_lanes_leave(struct llm_call *c) {
    TAILQ_REMOVE(llm_call_queue(c), c, link);
}

static void llm_model_turn(void *ctx) {
    llm_lanes_pump(ctx);
}

/* As far as the limits and the HTTP client allow. */
void llm_lanes_pump(struct llm_model *model) {
    struct llm *m = model->llm;
    int64_t now_ms = loop_now_ms(m->loop), wait_ms;
    struct llm_call *c;
    if (m->closing) {
        return; /* the HTTP client may be gone */
    }
    llm_model_evacuate(model, now_ms);
    while ((c = llm_model_head(model)) != NULL) {
        llm_call_prepare(c);
        struct limit_cost cost = llm_call_cost(c);
        struct llm_lane *lane = llm_model_lane(model, &cost, now_ms, &wait_ms);
        if (wait_ms > 0) {
            if (m->partless != NULL && lane->limit.part <= 0) {
                m->partless(m->partless_ctx);
            }
            loop_timer_start(m->loop, &model->next_turn, wait_ms, llm_model_turn, model);
            return;
        }
        if (!llm_call_send(c, lane)) {
            return; /* the next reply makes room */
        }
        limit_send(&lane->limit, now_ms, &cost, &c->ticket);
        turn_use(&model->turn);
        model->lane_last = (size_t)(lane - model->lanes);
    }
    loop_timer_stop(&model->next_turn);
}

/* Tell when the model goes out and when it is back. */
static void llm_model_tell(struct llm_model *model, const struct llm_lane *lane, int64_t now_ms) {
    const struct llm_config *config = model->llm->config;
    bool out = llm_model_is_out(model, now_ms), was_out = model->trouble[0] != '\0';
    if (out == was_out) {
        return;
    }
    model->trouble[0] = '\0';
    if (out) {
        (void)snprintf(model->trouble, sizeof model->trouble, "%.*s: %s", STR_ARG(model->full_name),
                       errinfo_text(&lane->why, lane->err));
        log_redact(model->trouble);
    }
    if (config->on_trouble != NULL) {
        config->on_trouble(model->full_name, out ? model->trouble : NULL);
    }
}

const struct llm_transport llm_lanes = {
    .tariff = PRICE_DIRECT, .streams = true, .join = llm_lanes_join, .leave = llm_lanes_leave};

static void llm_lane_blame(struct llm_lane *lane, enum err e, const struct errinfo *why) {
    lane->err = e;
    lane->why = *why;
}

void llm_lane_note(struct llm_call *c, const struct http_reply *reply,
                   const struct wire_result *result, enum err e) {
    struct llm *m = c->model->llm;
    struct llm_lane *lane = c->lane;
    struct limit *l = &lane->limit;
    int64_t now_ms = loop_now_ms(m->loop);
    if (result != NULL) {
        struct limit_told told;
        limit_read_headers(reply->headers, &told);
        limit_tell(l, now_ms, &c->ticket, &told);
    }
    if (e == ERR_OK) {
        c->model->answers++;
        limit_answered(l, now_ms, &c->ticket, &result->answer.usage);
    } else if (e == ERR_RATE_LIMIT) {
        /* A wait that ends this call is not one that the others would have to sit out: they ask,
         * and end with the same words. */
        bool too_long = result->retry_after_ms > m->config->retry_wait_ms_max;
        m->stats.rate_limited++;
        llm_lane_blame(lane, e, &result->detail);
        limit_refused(l, now_ms, &c->ticket, too_long ? 0 : MAX(result->retry_after_ms, 0),
                      &result->words);
    } else if (err_class(e) == ERR_CLASS_RETRY) {
        llm_lane_blame(lane, e, result != NULL ? &result->detail : &reply->detail);
        limit_failed(l, now_ms, &c->ticket);
    } else {
        limit_left(l, now_ms, &c->ticket);
    }
    /* Of no use to anybody: a wrong key, or one without quota. (403 may be about one request.) */
    if (e == ERR_QUOTA || (e == ERR_AUTH && reply->status == 401)) {
        llm_lane_blame(lane, e, &result->detail);
        limit_stop(l, now_ms);
    }
    llm_model_tell(c->model, lane, now_ms);
}
