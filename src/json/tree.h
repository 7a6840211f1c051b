/* tree.h - inside the room: what a parsed node is made of. */
#ifndef STUMPER_JSON_TREE_H
#define STUMPER_JSON_TREE_H

#include "json/node.h"

struct jnode {
    struct jnode *next; /* the next element or member */
    const char *key;    /* of a member; NUL-terminated */
    uint32_t key_n;
    enum jnode_type type;
    uint32_t n;  /* bytes of a string; elements or members */
    uint32_t at; /* where in its text it begins */
    union {
        bool boolean;
        int64_t integer;
        double real;
        const char *text;                    /* STRING: NUL-terminated */
        struct jnode *first;                 /* OBJECT: its members in the order of the text */
        const struct jnode *const *elements; /* ARRAY */
    } v;
};

#endif
