#include "api/webhooks.h"

#include "base/mem.h"

#include <stdlib.h>

struct webhooks {
    struct api *api;
};

struct webhooks *webhooks_new(struct api *api) {
    struct webhooks *w = mem_new(sizeof *w);
    w->api = api;
    return w;
}

void webhooks_wake(struct webhooks *w) {
    (void)w;
}

void webhooks_stop(struct webhooks *w) {
    (void)w;
}

void webhooks_free(struct webhooks *w) {
    free(w);
}
