#include "base/mem.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

NORETURN static void mem_exhausted(size_t size) {
    (void)fprintf(stderr, "stumper: out of memory (wanted %zu bytes)\n", size);
    abort();
}

static size_t mem_product(size_t n, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(n, size, &total)) {
        mem_exhausted((size_t)-1);
    }
    return total;
}

void *mem_new(size_t size) {
    return mem_new_array(1, size);
}

void *mem_new_array(size_t n, size_t size) {
    size_t total = mem_product(n, size);
    void *p = calloc(1, total == 0 ? 1 : total);
    if (p == NULL) {
        mem_exhausted(total);
    }
    return p;
}

void *mem_resize(void *p, size_t n, size_t size) {
    size_t total = mem_product(n, size);
    void *q = realloc(p, total == 0 ? 1 : total);
    if (q == NULL) {
        mem_exhausted(total);
    }
    return q;
}

char *mem_dup_cstr(const char *p, size_t n) {
    char *copy = mem_new(n + 1);
    if (n > 0) {
        memcpy(copy, p, n);
    }
    return copy;
}

void mem_trim(void) {
    (void)malloc_trim(0);
}
