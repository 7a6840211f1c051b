#include "api/problem.h"

#include "base/log.h"
#include "base/rng.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PROBLEM_TYPE "application/problem+json"
#define PROBLEM_DETAIL_BYTES 600
#define PROBLEM_INSTANCE_BYTES_MAX ((size_t)256)
#define PROBLEM_BUSY_RETRY_S 2

static const struct problem_row {
    const char *code;
    int status;
    bool retry;
} problem_rows[] = {
#define X(name, code, status, retry) [name] = {code, status, retry},
    PROBLEM_TABLE(X)
#undef X
};

static const char *problem_title(int status) {
    static const struct {
        int status;
        const char *title;
    } titles[] = {
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"},
    };
    for (size_t i = 0; i < ARRAY_LEN(titles); i++) {
        if (titles[i].status == status) {
            return titles[i].title;
        }
    }
    return "Error";
}

struct problem {
    enum problem_code code;
    struct str detail;
    const struct jcheck *check; /* what is wrong in doc; NULL: nothing */
    const struct jnode *doc;
    const struct jnode_where *where; /* … or where there is no JSON; NULL: there is */
    int64_t retry_s;                 /* 0: none */
    const char *allow;               /* NULL: none */
    const char *log;                 /* for the operator; NULL: none */
};

static void problem_error(struct jwrite *w, const char *pointer, size_t line, struct str detail) {
    jwrite_object(w);
    jwrite_key(w, "pointer");
    jwrite_cstr(w, pointer);
    jwrite_key(w, "line");
    jwrite_int(w, (int64_t)line);
    jwrite_key(w, "detail");
    jwrite_str(w, detail);
    jwrite_end(w);
}

static void problem_errors(const struct problem *p, struct str body, struct jwrite *w) {
    jwrite_key(w, "errors");
    jwrite_array(w);
    for (const struct jcheck_error *e = p->check != NULL ? p->check->first : NULL; e != NULL;
         e = e->next) {
        problem_error(w, e->pointer, jnode_line(p->doc, e->pointer, body), str_of(e->detail));
    }
    if (p->where != NULL) {
        problem_error(w, p->where->pointer, p->where->line, p->detail);
    }
    jwrite_end(w);
}

static void problem_body(struct call *c, const struct problem *p, const char *request_id) {
    const struct problem_row *row = &problem_rows[p->code];
    struct jwrite *w = call_json(c);
    char type[64];
    (void)snprintf(type, sizeof type, "/docs#%s", row->code);
    jwrite_object(w);
    jwrite_key(w, "type");
    jwrite_cstr(w, type);
    jwrite_key(w, "title");
    jwrite_cstr(w, problem_title(row->status));
    jwrite_key(w, "status");
    jwrite_int(w, row->status);
    jwrite_key(w, "detail");
    jwrite_str(w, p->detail);
    jwrite_key(w, "instance");
    jwrite_str(w, str_take_utf8(str_of(c->q->path), PROBLEM_INSTANCE_BYTES_MAX));
    jwrite_key(w, "code");
    jwrite_cstr(w, row->code);
    jwrite_key(w, "request_id");
    jwrite_cstr(w, request_id);
    jwrite_key(w, "retryable");
    jwrite_bool(w, row->retry);
    if (str_starts(str_of(c->id), S("job_"))) {
        jwrite_key(w, "job_id");
        jwrite_cstr(w, c->id);
    }
    if (p->check != NULL || p->where != NULL) {
        problem_errors(p, sbuf_str(c->q->body), w);
    }
    jwrite_end(w);
}

static void problem_answer(struct call *c, const struct problem *p) {
    const int status = problem_rows[p->code].status;
    char request_id[32], seconds[24];
    (void)snprintf(request_id, sizeof request_id, "req_%016" PRIx64, rng_u64(&c->api->rng));
    if (p->log != NULL) {
        log_error("%s %s %s: %s", request_id, c->q->method, c->q->path, p->log);
    }
    problem_body(c, p, request_id);
    struct httpd_response *r = call_response(c, status, PROBLEM_TYPE);
    httpd_response_header(r, "x-request-id", request_id);
    if (p->retry_s > 0) {
        (void)snprintf(seconds, sizeof seconds, "%" PRId64, p->retry_s);
        httpd_response_header(r, "retry-after", seconds);
    }
    if (p->allow != NULL) {
        httpd_response_header(r, "allow", p->allow);
    }
    if (p->code == PROBLEM_UNAUTHORIZED) {
        httpd_response_header(r, "www-authenticate", "Bearer realm=\"stumper\"");
    }
    call_send(c, r);
}

void problem_send(struct call *c, enum problem_code code, const char *fmt, ...) {
    char detail[PROBLEM_DETAIL_BYTES];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(detail, sizeof detail, fmt, args); /* what does not fit is cut */
    va_end(args);
    const struct problem p = {.code = code, .detail = str_of(detail)};
    problem_answer(c, &p);
}

void problem_send_later(struct call *c, enum problem_code code, int64_t retry_s, const char *fmt,
                        ...) {
    char detail[PROBLEM_DETAIL_BYTES];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(detail, sizeof detail, fmt, args);
    va_end(args);
    const struct problem p = {.code = code, .detail = str_of(detail), .retry_s = retry_s};
    problem_answer(c, &p);
}

void problem_send_method(struct call *c, const char *allow) {
    char detail[PROBLEM_DETAIL_BYTES];
    (void)snprintf(detail, sizeof detail, "This path takes %s.", allow);
    struct problem p = {.code = PROBLEM_METHOD, .detail = str_of(detail), .allow = allow};
    problem_answer(c, &p);
}

void problem_send_json(struct call *c, const struct jnode_where *where, const char *why) {
    const struct problem p = {.code = PROBLEM_BAD_JSON, .detail = str_of(why), .where = where};
    problem_answer(c, &p);
}

void problem_send_check(struct call *c, const struct jcheck *check, const struct jnode *doc) {
    char detail[PROBLEM_DETAIL_BYTES];
    (void)snprintf(detail, sizeof detail, "%zu of the request's fields %s wrong.", check->n,
                   check->n == 1 ? "is" : "are");
    struct problem p = {
        .code = PROBLEM_INVALID, .detail = str_of(detail), .check = check, .doc = doc};
    problem_answer(c, &p);
}

void problem_send_store(struct call *c, enum err e, const struct errinfo *detail) {
    if (e == ERR_NOT_FOUND) {
        problem_send(c, PROBLEM_NOT_FOUND, "There is no such job.");
    } else if (e == ERR_GONE) {
        problem_send(c, PROBLEM_GONE,
                     "The job was deleted, by somebody or when its time was over.");
    } else if (e == ERR_TOO_BIG) {
        problem_send(c, PROBLEM_INTERNAL, "The answer would be too large; ask for less at a time.");
    } else if (err_class(e) == ERR_CLASS_RETRY) {
        problem_send_later(c, PROBLEM_UNAVAILABLE, PROBLEM_BUSY_RETRY_S,
                           "The store is busy; nothing was changed.");
    } else {
        /* Paths and system errors are for the operator. */
        log_error("%s %s: %s", c->q->method, c->q->path, errinfo_text(detail, e));
        problem_send_later(c, e == ERR_DISK_FULL ? PROBLEM_DISK_FULL : PROBLEM_INTERNAL,
                           PROBLEM_BUSY_RETRY_S, "The server cannot do this now (%s).",
                           err_text(e));
    }
}

void problem_send_refused(struct call *c, int status, const char *reason) {
    static const enum problem_code codes[] = {PROBLEM_TOO_LARGE, PROBLEM_URI,      PROBLEM_HEADER,
                                              PROBLEM_INTERNAL,  PROBLEM_NOT_HTTP, PROBLEM_VERSION};
    enum problem_code code = PROBLEM_BAD_REQUEST;
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        code = problem_rows[codes[i]].status == status ? codes[i] : code;
    }
    problem_send(c, code, "%s", reason);
}
