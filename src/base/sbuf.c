#include "base/sbuf.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SBUF_CAPACITY_MIN ((size_t)64)

void sbuf_init(struct sbuf *b, size_t bytes_max) {
    *b = (struct sbuf){.bytes_max = bytes_max};
}

void sbuf_release(struct sbuf *b) {
    free(b->p);
    sbuf_init(b, b->bytes_max);
}

void sbuf_clear(struct sbuf *b) {
    b->n = 0;
    b->overflowed = false;
    if (b->p != NULL) {
        b->p[0] = '\0';
    }
}

char *sbuf_reserve(struct sbuf *b, size_t n) {
    if (b->overflowed || n > b->bytes_max - b->n) {
        b->overflowed = true;
        return NULL;
    }
    size_t need = b->n + n + 1;
    if (need > b->capacity) {
        size_t capacity = MAX(MAX(need, b->capacity * 2), SBUF_CAPACITY_MIN);
        capacity = MAX(need, MIN(capacity, b->bytes_max + 1));
        b->p = mem_resize(b->p, capacity, 1);
        b->capacity = capacity;
    }
    return b->p + b->n;
}

void sbuf_grew(struct sbuf *b, size_t n) {
    ASSERT(b->n + n < b->capacity);
    b->n += n;
    b->p[b->n] = '\0';
}

void sbuf_add(struct sbuf *b, struct str s) {
    char *to = sbuf_reserve(b, s.n);
    if (to != NULL) {
        if (s.n > 0) {
            memcpy(to, s.p, s.n);
        }
        sbuf_grew(b, s.n);
    }
}

void sbuf_add_char(struct sbuf *b, char c) {
    sbuf_add(b, (struct str){&c, 1});
}

void sbuf_add_cstr(struct sbuf *b, const char *cstr) {
    sbuf_add(b, str_of(cstr));
}

void sbuf_addf(struct sbuf *b, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    ASSERT(n >= 0);
    char *to = sbuf_reserve(b, (size_t)n);
    if (to != NULL) {
        va_start(args, fmt);
        (void)vsnprintf(to, (size_t)n + 1, fmt, args); /* fits: just measured */
        va_end(args);
        sbuf_grew(b, (size_t)n);
    }
}

bool sbuf_overflowed(const struct sbuf *b) {
    return b->overflowed;
}

struct str sbuf_str(const struct sbuf *b) {
    return (struct str){b->p != NULL ? b->p : "", b->n};
}
