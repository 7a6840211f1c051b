#include "api_rig.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int rig_setup(void **state) {
    struct rig *r = mem_new(sizeof *r);
    struct errinfo why = {0};
    (void)snprintf(r->folder, sizeof r->folder, "/tmp/stumper-api-XXXXXX");
    ASSERT(mkdtemp(r->folder) != NULL);
    (void)snprintf(r->path, sizeof r->path, "%s/jobs.db", r->folder);
    r->loop = loop_new();
    r->metrics = metrics_new();
    if (store_open(r->path, NULL, &r->store, &why) != ERR_OK) {
        (void)fprintf(stderr, "%s\n", why.text);
        return -1;
    }
    r->options = (struct api_options){
        .store = r->store, .listen = {.address = "127.0.0.1", .fd = -1}, .metrics = r->metrics};
    *state = r;
    return rig_again(r, &why) == ERR_OK ? 0 : -1;
}

enum err rig_again(struct rig *r, struct errinfo *reterr) {
    if (r->api != NULL) {
        api_stop(r->api);
        r->api = NULL;
    }
    enum err e = api_start(&r->options, &r->api, reterr);
    r->port = e == ERR_OK ? api_port(r->api) : 0;
    return e;
}

int rig_teardown(void **state) {
    struct rig *r = *state;
    char command[128];
    if (r->api != NULL) {
        api_stop(r->api);
    }
    store_close(r->store);
    loop_run(r->loop);
    loop_free(r->loop);
    metrics_free(r->metrics);
    (void)snprintf(command, sizeof command, "rm -rf %s", r->folder);
    int code = system(command);
    free(r);
    return code;
}
