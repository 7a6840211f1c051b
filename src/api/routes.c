#include "api/routes.h"

#include "base/defs.h"
#include "store/store_key.h"

#include <stdio.h>
#include <string.h>

#define READ STORE_SCOPE_READ
#define SUBMIT STORE_SCOPE_SUBMIT
#define ADMIN STORE_SCOPE_ADMIN

static const struct route routes[] = {
    {"GET", "/status/{id}", status_run, READ, false, false},
    {"POST", "/generate", submit_run, SUBMIT, true, false},
    {"POST", "/v1/jobs", submit_run, SUBMIT, true, false},
    {"GET", "/jobs", jobs_list, READ, false, false},
    {"GET", "/jobs/{id}", status_run, READ, false, false},
    {"DELETE", "/jobs/{id}", jobs_delete, SUBMIT, false, false},
    {"GET", "/jobs/{id}/results", results_run, READ, false, false},
    {"GET", "/jobs/{id}/events", events_run, READ, false, false},
    {"POST", "/jobs/{id}/cancel", jobs_cancel, SUBMIT, false, false},
    {"POST", "/jobs/{id}/pause", jobs_pause, SUBMIT, false, false},
    {"POST", "/jobs/{id}/resume", jobs_resume, SUBMIT, false, false},
    {"GET", "/keys", keys_list, ADMIN, false, false},
    {"POST", "/keys", keys_add, ADMIN, true, false},
    {"DELETE", "/keys/{id}", keys_revoke, ADMIN, false, false},
    {"GET", "/workers", workers_list, ADMIN, false, false},
    {"POST", "/workers/{id}/drain", workers_drain, ADMIN, false, false},
    {"GET", "/livez", pages_livez, 0, false, true},
    {"GET", "/readyz", pages_readyz, 0, false, true},
    {"GET", "/metrics", pages_metrics, 0, false, true},
    {"GET", "/openapi.json", pages_openapi, 0, false, false},
    {"GET", "/docs", pages_docs, 0, false, false},
    {"GET", "/", pages_root, 0, false, false},
};

const struct route *routes_all(size_t *ret_n) {
    *ret_n = ARRAY_LEN(routes);
    return routes;
}

/* An id has no slash and is not empty. */
static bool route_fits(const char *pattern, const char *path, char ret_id[STORE_ID_BYTES]) {
    const char *hole = strchr(pattern, '{');
    size_t head = hole != NULL ? (size_t)(hole - pattern) : 0;
    if (hole == NULL) {
        return strcmp(pattern, path) == 0;
    }
    if (strncmp(pattern, path, head) != 0) {
        return false;
    }
    const char *tail = hole + sizeof "{id}" - 1;
    size_t n = strcspn(path + head, "/");
    if (n == 0 || n >= STORE_ID_BYTES || strcmp(path + head + n, tail) != 0) {
        return false;
    }
    memcpy(ret_id, path + head, n);
    ret_id[n] = '\0';
    return true;
}

static bool route_method(const struct route *r, const char *method) {
    return strcmp(r->method, method) == 0 ||
           (strcmp(method, "HEAD") == 0 && strcmp(r->method, "GET") == 0);
}

const struct route *route_find(const char *method, const char *path, char ret_id[STORE_ID_BYTES],
                               char ret_allow[ROUTE_ALLOW_BYTES]) {
    size_t n = 0;
    ret_allow[0] = '\0';
    ret_id[0] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        const struct route *r = &routes[i];
        if (!route_fits(r->path, path, ret_id)) {
            continue;
        }
        if (route_method(r, method)) {
            return r;
        }
        n += (size_t)snprintf(ret_allow + n, ROUTE_ALLOW_BYTES - n, "%s%s%s", n > 0 ? ", " : "",
                              r->method, strcmp(r->method, "GET") == 0 ? ", HEAD" : "");
        ASSERT(n < ROUTE_ALLOW_BYTES);
    }
    return NULL;
}
