/* OpenAI's files, as far as batches need them: uploaded as multipart/form-data, read back whole. */
#include "sim/exchange.h"

#include <stdio.h>
#include <string.h>

static double files_show(struct exchange *x, const struct depot_file *f) {
    struct jwrite w;
    jwrite_init(&w, &x->answer.body->data);
    jwrite_object(&w);
    format_str(&w, "id", f->id);
    format_str(&w, "object", "file");
    format_int(&w, "bytes", (int64_t)f->data.n);
    format_int(&w, "created_at", f->created_s);
    jwrite_key(&w, "expires_at");
    jwrite_null(&w);
    format_str(&w, "filename", f->name);
    format_str(&w, "purpose", f->purpose);
    format_str(&w, "status", "processed");
    jwrite_end(&w);
    return 0;
}

/* The value of @name="…" in a part's headers. */
static struct str files_quoted(struct str headers, struct str name) {
    size_t at = str_find(headers, name);
    if (at == STR_NPOS) {
        return S("");
    }
    struct str rest = str_skip(headers, at + name.n);
    size_t end = str_find_char(rest, '"');
    return end == STR_NPOS ? S("") : str_take(rest, end);
}

struct files_form {
    struct str file, filename, purpose;
};

/* Take a form apart at "\r\n--BOUNDARY". */
static bool files_form_read(struct str type, struct str body, struct files_form *ret) {
    char delimiter[80];
    size_t at = str_find(type, S("boundary="));
    *ret = (struct files_form){0};
    if (!str_starts(type, S("multipart/form-data")) || at == STR_NPOS) {
        return false;
    }
    struct str boundary = str_skip(type, at + sizeof "boundary=" - 1);
    boundary = str_starts(boundary, S("\"")) ? str_take(str_skip(boundary, 1), boundary.n - 2)
                                             : str_take(boundary, str_find_char(boundary, ';'));
    int n = snprintf(delimiter, sizeof delimiter, "\r\n--%.*s", STR_ARG(str_take(boundary, 70)));
    struct str mark = {delimiter, (size_t)n};
    size_t next = str_starts(body, str_skip(mark, 2)) ? mark.n - 2 : STR_NPOS;
    while (next != STR_NPOS && str_starts(str_skip(body, next), S("\r\n"))) {
        body = str_skip(body, next);
        size_t head = str_find(body, S("\r\n\r\n"));
        next = head == STR_NPOS ? STR_NPOS : str_find(str_skip(body, head), mark);
        if (next == STR_NPOS) {
            return false;
        }
        struct str headers = str_take(body, head);
        struct str value = str_take(str_skip(body, head + 4), next > 4 ? next - 4 : 0);
        struct str name = files_quoted(headers, S(" name=\""));
        if (str_eq(name, S("file"))) {
            ret->file = value;
            ret->filename = files_quoted(headers, S("filename=\""));
        } else if (str_eq(name, S("purpose"))) {
            ret->purpose = value;
        }
        next += head + mark.n;
    }
    return next != STR_NPOS && str_starts(str_skip(body, next), S("--"));
}

double files_create(struct exchange *x) {
    struct files_form form;
    struct depot_file *f = NULL;
    if (!files_form_read(httpd_header(x->q, "content-type"), sbuf_str(x->q->body), &form) ||
        form.file.n == 0) {
        EXCHANGE_REFUSE(x, TROUBLE_REQUEST, "file", "missing_required_parameter",
                        "'file' is a required property, sent as multipart/form-data");
    } else if (!str_eq(form.purpose, S("batch"))) {
        EXCHANGE_REFUSE(x, TROUBLE_REQUEST, "purpose", "invalid_value",
                        "'%.*s' is not one of ['batch'] - 'purpose'",
                        STR_ARG(str_take(form.purpose, 40)));
    } else if (form.file.n > BATCH_FILE_BYTES_MAX) {
        exchange_too_large(x);
    } else if ((f = depot_file_new(x->server, form.filename, form.purpose, form.file)) == NULL) {
        EXCHANGE_REFUSE(x, TROUBLE_TOO_LARGE, NULL, NULL, "This simulator keeps no more.");
    } else {
        return files_show(x, f);
    }
    return 0;
}

/* The file in the path; NULL: the answer says that there is none. */
static struct depot_file *files_find(struct exchange *x) {
    struct depot_file *f = depot_file_find(&x->server->depot, x->name);
    if (f == NULL) {
        EXCHANGE_REFUSE(x, TROUBLE_NOT_FOUND, "id", NULL, "No such File object: %.*s",
                        STR_ARG(str_take(x->name, 60)));
    }
    return f;
}

double files_get(struct exchange *x) {
    struct depot_file *f = files_find(x);
    return f != NULL ? files_show(x, f) : 0;
}

double files_content(struct exchange *x) {
    struct depot_file *f = files_find(x);
    if (f != NULL) {
        x->answer.content_type = "application/octet-stream";
        sbuf_add(&x->answer.body->data, sbuf_str(&f->data));
    }
    return 0;
}

double files_delete(struct exchange *x) {
    struct depot_file *f = files_find(x);
    struct jwrite w;
    if (f != NULL) {
        jwrite_init(&w, &x->answer.body->data);
        jwrite_object(&w);
        format_str(&w, "id", f->id);
        format_str(&w, "object", "file");
        jwrite_key(&w, "deleted");
        jwrite_bool(&w, true);
        jwrite_end(&w);
        depot_file_drop(&x->server->depot, f);
    }
    return 0;
}
