#include "contract/api_rig.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

int api_rig_set_up(void **state) {
    struct api_rig *r = mem_new(sizeof *r);
    struct errinfo why = {0};
    rig_init(&r->rig);
    ASSERT(rig_open(&r->rig) == ERR_OK);
    r->metrics = metrics_new();
    r->options = (struct api_options){
        .store = r->rig.store, .listen = {.address = "127.0.0.1", .fd = -1}, .metrics = r->metrics};
    *state = r;
    return api_rig_again(r, &why) == ERR_OK ? 0 : -1;
}

enum err api_rig_again(struct api_rig *r, struct errinfo *reterr) {
    if (r->api != NULL) {
        api_stop(r->api);
        r->api = NULL;
    }
    enum err e = api_start(&r->options, &r->api, reterr);
    r->port = e == ERR_OK ? api_port(r->api) : 0;
    return e;
}

int api_rig_tear_down(void **state) {
    struct api_rig *r = *state;
    if (r->api != NULL) {
        api_stop(r->api);
    }
    enum err e = rig_check(&r->rig);
    if (e != ERR_OK) {
        (void)fprintf(stderr, "%s\n", r->rig.detail.text);
    }
    rig_release(&r->rig);
    metrics_free(r->metrics);
    free(r);
    return e == ERR_OK ? 0 : -1;
}
