/* Parts of limits that a fleet shares: what is told of each key and model that somebody asks, and
 * what comes of what is granted (core/part.h). */
#include "base/mem.h"
#include "llm/client.h"

static int64_t llm_model_waits(const struct llm_model *model) {
    int64_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(model->waiting); i++) {
        const struct llm_call *c;
        TAILQ_FOREACH(c, &model->waiting[i], link) {
            n++;
        }
    }
    return n;
}

static struct llm_part llm_lane_part(const struct llm_model *model, const struct llm_lane *lane,
                                     int64_t waits, int64_t now_ms) {
    int64_t lanes = (int64_t)model->lanes_n;
    const struct limit *l = &lane->limit;
    return (struct llm_part){.name = lane->part_name,
                             .demand = l->in_flight + (waits + lanes - 1) / lanes,
                             .held = now_ms < l->part_to_ms ? l->part : 0,
                             .units = (int64_t)l->in_flight_set};
}

size_t llm_parts(const struct llm *m, struct llm_part *ret, size_t max) {
    size_t n = 0;
    if (!m->config->limits.shared) {
        return 0;
    }
    for (const struct llm_model *model = m->models; model != NULL; model = model->next) {
        int64_t waits = llm_model_waits(model);
        for (size_t i = 0; i < model->lanes_n && n < max; i++) {
            if (waits > 0 || model->lanes[i].limit.seq > 0) {
                ret[n++] = llm_lane_part(model, &model->lanes[i], waits, loop_now_ms(m->loop));
            }
        }
    }
    return n;
}

static void llm_lane_grant(struct llm *m, struct llm_lane *lane, const struct llm_part *parts,
                           size_t n, int64_t to_ms) {
    for (size_t i = 0; i < n; i++) {
        if (parts[i].name == lane->part_name) {
            limit_share(&lane->limit, loop_now_ms(m->loop), parts[i].held, to_ms);
        }
    }
}

void llm_grant(struct llm *m, const struct llm_part *parts, size_t n, int64_t to_ms) {
    for (struct llm_model *model = m->models; model != NULL; model = model->next) {
        for (size_t i = 0; i < model->lanes_n; i++) {
            llm_lane_grant(m, &model->lanes[i], parts, n, to_ms);
        }
        llm_lanes_pump(model);
    }
}

void llm_on_partless(struct llm *m, void (*partless)(void *ctx), void *ctx) {
    m->partless = partless;
    m->partless_ctx = ctx;
}
