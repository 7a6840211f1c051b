/* Promises of json/repair.h: what a model meant is read, what it did not write is never made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "json/repair.h"
#include "json/write.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_BYTES ((size_t)64 * 1024 * 1024)

/* A reply, the value that it must give, and the notes (any but these fail). */
struct good {
    const char *text, *json;
    unsigned notes;
};

static void assert_good(const struct good *g) {
    struct arena a;
    const struct jnode *value = NULL, *wanted = NULL;
    unsigned notes = ~0u;
    struct errinfo info = {0};
    arena_init(&a, ARENA_BYTES);
    enum err e = jrepair_parse(str_of(g->text), &a, &value, &notes, &info);
    if (e != ERR_OK) {
        fail_msg("%s\n  gave %s: %s", g->text, err_name(e), info.text);
    }
    assert_int_equal(jnode_parse(str_of(g->json), &a, &wanted, &info), ERR_OK);
    const char *is = jnode_text(value, &a).p, *want = jnode_text(wanted, &a).p;
    if (strcmp(is, want) != 0 || notes != g->notes) {
        fail_msg("%s\n  gave   %s (notes 0x%x)\n  wanted %s (notes 0x%x)", g->text, is, notes, want,
                 g->notes);
    }
    arena_release(&a);
}

static void assert_all_good(const struct good *goods, size_t n) {
    for (size_t i = 0; i < n; i++) {
        assert_good(&goods[i]);
    }
}
#define ALL_GOOD(goods) assert_all_good((goods), ARRAY_LEN(goods))

/* A reply that holds no value to be had, and why. */
struct bad {
    const char *text;
    enum err e;
    const char *reason; /* a part of it; NULL: any */
};

static void assert_bad(const struct bad *b) {
    struct arena a;
    const struct jnode *value = NULL;
    unsigned notes = 77;
    struct errinfo info = {0};
    arena_init(&a, ARENA_BYTES);
    enum err e = jrepair_parse(str_of(b->text), &a, &value, &notes, &info);
    if (e == ERR_OK) {
        fail_msg("%s\n  gave   %s", b->text, jnode_text(value, &a).p);
    }
    if (e != b->e || (b->reason != NULL && strstr(info.text, b->reason) == NULL)) {
        fail_msg("%s\n  gave   %s: %s\n  wanted %s: %s", b->text, err_name(e), info.text,
                 err_name(b->e), b->reason != NULL ? b->reason : "anything");
    }
    assert_null(value);
    assert_int_equal(notes, 77);
    arena_release(&a);
}

static void assert_all_bad(const struct bad *bads, size_t n) {
    for (size_t i = 0; i < n; i++) {
        assert_bad(&bads[i]);
    }
}
#define ALL_BAD(bads) assert_all_bad((bads), ARRAY_LEN(bads))

/* ---- the samples of the field ---- */

static void check_sample(const struct jnode *sample, struct arena *a) {
    const char *name = jnode_get_str(sample, "name").p;
    const struct jnode *intended = jnode_get(sample, "intended"), *value = NULL;
    struct errinfo info = {0};
    unsigned notes;
    enum err e = jrepair_parse(jnode_get_str(sample, "text"), a, &value, &notes, &info);
    if (jnode_type(intended) != JNODE_NULL) {
        if (e != ERR_OK || !str_eq(jnode_text(value, a), jnode_text(intended, a))) {
            fail_msg("%s: %s %s", name, info.text, e == ERR_OK ? jnode_text(value, a).p : "");
        }
    } else {
        assert_int_equal(e, strncmp(name, "truncated_", 10) == 0 ? ERR_TRUNCATED : ERR_MALFORMED);
    }
}

static void test_every_sample_gives_its_intended_value_or_error(void **state) {
    (void)state;
    struct arena a;
    struct str text;
    struct errinfo info = {0};
    const struct jnode *samples = NULL;
    arena_init(&a, ARENA_BYTES);
    const char *path = str_fmt(&a, "%s/unit/data/json-samples.json", getenv("TESTS_DIR")).p;
    assert_int_equal(file_read(path, 1 << 20, &a, &text, &info), ERR_OK);
    assert_int_equal(jnode_parse(text, &a, &samples, &info), ERR_OK);
    assert_int_equal(jnode_len(samples), 16);
    for (size_t i = 0; i < jnode_len(samples); i++) {
        check_sample(jnode_at(samples, i), &a);
    }
    arena_release(&a);
}

static void test_policy_errors_say_what_and_where(void **state) {
    (void)state;
    static const struct bad bads[] = {
        {"{\"a\": 1,000, \"b\": .5, \"c\": 007, \"d\": +3, \"e\": 50%}", ERR_MALFORMED,
         "line 1, column 7: \"1,000\" is not a JSON number"},
        {"{\"b\": .5}", ERR_MALFORMED, "line 1, column 7: \".5\" is not a JSON number"},
        {"{\"b\":\n 007}", ERR_MALFORMED, "line 2, column 2: \"007\" is not a JSON number"},
        {"{\"d\": +3}", ERR_MALFORMED, "column 7: \"+3\" is not a JSON number"},
        {"{\"e\": 50%}", ERR_MALFORMED, "column 7: \"50%\" is not a JSON number"},
        {"{\"e\": 5.}", ERR_MALFORMED, "\"5.\" is not a JSON number"},
        {"{\"e\": 0x1F}", ERR_MALFORMED, "\"0x1F\" is not a JSON number"},
        {"{\"e\": 1_000}", ERR_MALFORMED, "\"1_000\" is not a JSON number"},
        {"{\"e\": 1/2}", ERR_MALFORMED, "\"1/2\" is not a JSON number"},
        {"[1,000, {\"a\": 1}]", ERR_MALFORMED, "column 4: \"000\" is not a JSON number"},
        {"[1 000]", ERR_MALFORMED, "column 2: \"1 000\" is one number or two"},
        {"{\"s\": \"\\ud83d and \\u0000\"}", ERR_MALFORMED,
         "line 1, column 8: \"\\ud83d\" is only half of a surrogate pair"},
        {"{\"s\": \"\xC3\xA9\\u0000\"}", ERR_MALFORMED,
         "line 1, column 9: \"\\u0000\" is the NUL character"},
        {"{\"s\": \"\\ude00\"}", ERR_MALFORMED, "\"\\ude00\" is only half"},
        {"{\"s\": \"\\ud83d\\u0041\"}", ERR_MALFORMED, "\"\\ud83d\" is only half"},
        {"{\"a\": 1, \"a\": 2}", ERR_MALFORMED, "duplicate object key"},
        {"{\"a\": 1e999}", ERR_MALFORMED, "real number overflow"},
        {"{\"a\": 123456789012345678901234567890}", ERR_MALFORMED, "too big integer"},
        {"{\"a\": \"\xFF\"}", ERR_MALFORMED, "a byte that is not UTF-8"},
    };
    ALL_BAD(bads);
}

/* ---- finding the value ---- */

static void test_clean_json_comes_back_untouched(void **state) {
    (void)state;
    static const char *const clean[] = {
        "{\"b\": 1, \"a\": [true, null, -0.5e-3], \"\": {}}",
        "[[], {}, \"\"]",
        "{\"s\": \"\\\"quoted\\\" \\\\ \\/ \\b\\f\\n\\r\\t \\u0041\\ud83d\\ude00\"}",
        "{\"s\": \"\\nThe line\\nnext\\tcolumn\\n\\nand\\r\\nmore\\f\"}",
        "{\"s\": \"a, \\\"b\\\": {c} [d] ```json {x}``` // # <think>\"}",
        "{\"s\": \"step one\\nexists\\nu\\nTo\\tand\\top\\team\\return\"}",
        "{\"p\": \"C:\\\\new\\\\table \\\\frac{1}{2} \\\\nu \\\\\\\\ x\"}",
        "{\"s\": \"\\u005cfrac\", \"t\": \"\\u00e9\xC3\xA9\"}",
        "{\"a\": \"don't\", \"b\": \"5\\\" pipe\", \"c\": \"\xE2\x80\x9Cx\xE2\x80\x9D\"}",
        "{\"price\": \"$5\\ntotal $6\"}",
    };
    for (size_t i = 0; i < ARRAY_LEN(clean); i++) {
        const struct good g = {clean[i], clean[i], 0};
        assert_good(&g);
    }
}

static void test_text_around_the_value_is_dropped(void **state) {
    (void)state;
    static const struct good goods[] = {
        {"\xEF\xBB\xBF{\"a\": 1}", "{\"a\":1}", JREPAIR_EXTRACTED},
        {" \n{\"a\": 1}\n ", "{\"a\":1}", 0},
        {"Sure! Here it is:\n\n{\"a\": 1}\n\nHope this helps.", "{\"a\":1}", JREPAIR_EXTRACTED},
        {"```\n[1, 2]\n```", "[1,2]", JREPAIR_EXTRACTED},
        {"~~~json\n{\"a\": 1}\n~~~", "{\"a\":1}", JREPAIR_EXTRACTED},
        {"```json{\"a\": 1}```", "{\"a\":1}", JREPAIR_EXTRACTED},
        {"```json[1, 2]```", "[1,2]", JREPAIR_EXTRACTED},
        {"The list: [\"a\", \"b\"].", "[\"a\",\"b\"]", JREPAIR_EXTRACTED},
        {"const x = {\"a\": 1};", "{\"a\":1}", JREPAIR_EXTRACTED},
        {"<answer>{\"a\": 1}</answer>", "{\"a\":1}", JREPAIR_EXTRACTED},
        {"It is '{\"a\": 1}'.", "{\"a\":1}", JREPAIR_EXTRACTED},
        {"```json\n{\"md\": \"```py\\nx\\n```\"}\n```", "{\"md\":\"```py\\nx\\n```\"}",
         JREPAIR_EXTRACTED},
        {"```json\n{\"md\": \"```py\nx\n```\"}\n```", "{\"md\":\"```py\\nx\\n```\"}",
         JREPAIR_EXTRACTED | JREPAIR_CONTROLS},
    };
    ALL_GOOD(goods);
}

static void test_braces_of_prose_and_latex_are_not_the_value(void **state) {
    (void)state;
    static const struct good goods[] = {
        {"Since \\frac{1}{2} of {x | x > 0} and \\{1, 2\\} lie in [0, 1), we get {\"a\": 1}.",
         "{\"a\":1}", JREPAIR_EXTRACTED},
        {"With x_{n+1} = \\sqrt[3]{x_{n}} and G{\\\"o}del [see below]: {\"a\": 1} {sic}",
         "{\"a\":1}", JREPAIR_EXTRACTED},
        {"{\"a\": 1}\nThe roots are in [0, 3] and {1, 2}.", "{\"a\":1}", JREPAIR_EXTRACTED},
        {"The roots are [1, 2]. {\"answer\": 42}. Here 42 is in [0, 100].", "{\"answer\":42}",
         JREPAIR_EXTRACTED},
        {"He said \"use {x\" and it's {\"a\": \"b}\"}", "{\"a\":\"b}\"}", JREPAIR_EXTRACTED},
        {"Set {{\"a\": 1}}", "{\"a\":1}", JREPAIR_EXTRACTED | JREPAIR_CLOSERS},
        {"the key {\"a is missing a quote. Final: {\"b\": 1}", "{\"b\":1}", JREPAIR_EXTRACTED},
    };
    ALL_GOOD(goods);
    static const struct bad bads[] = {
        {"The answer is $\\frac{1}{2}$ with x[0], \\sqrt[3]{2} and {x}.", ERR_EMPTY, "no JSON"},
        {"I am sorry, I cannot help with that.", ERR_EMPTY, "no JSON"},
        {"42", ERR_EMPTY, NULL},
        {"\"just a string\"", ERR_EMPTY, NULL},
        {"", ERR_EMPTY, "the text is empty"},
        {" \n\t", ERR_EMPTY, "the text is empty"},
        {"\xEF\xBB\xBF", ERR_EMPTY, "the text is empty"},
    };
    ALL_BAD(bads);
}

static void test_after_reasoning_the_last_complete_value_counts(void **state) {
    (void)state;
    static const struct good goods[] = {
        {"<think>maybe {\"a\": 1}? or {\"a\":</think>\n{\"a\": 2}", "{\"a\":2}", JREPAIR_EXTRACTED},
        {"<think>one</think> <think>{\"a\": 1}</think>```json\n{\"a\": 2}\n```", "{\"a\":2}",
         JREPAIR_EXTRACTED},
        {"so {\"a\": 1} is wrong</think>{\"a\": 2}", "{\"a\":2}", JREPAIR_EXTRACTED},
        {"<think>let me try {\"a\": 1}, no: {\"a\": 2}", "{\"a\":2}", JREPAIR_EXTRACTED},
        {"First a draft:\n```json\n{\"a\": 1}\n```\nBetter:\n```json\n{\"a\": 2}\n```\nDone.",
         "{\"a\":2}", JREPAIR_EXTRACTED},
        {"Draft {'a': 1}. The set {\"a\": } is odd. Final: {\"a\": 2,}", "{\"a\":2}",
         JREPAIR_EXTRACTED | JREPAIR_COMMAS},
        {"<think>x</think>{\"s\": \"a </think> b\"}", "{\"s\":\"a </think> b\"}",
         JREPAIR_EXTRACTED},
        {"Here: {\"s\": \"a </think> {\\\"b\\\": 1} [1]\"}",
         "{\"s\":\"a </think> {\\\"b\\\": 1} [1]\"}", JREPAIR_EXTRACTED},
        {"Here: {\"s\": \"<think>a</think> b\"}", "{\"s\":\"<think>a</think> b\"}",
         JREPAIR_EXTRACTED},
        {"{\"a\": 1}\n```json\n{ \"a\": 1 }\n```", "{\"a\":1}", JREPAIR_EXTRACTED},
        {"{\"a\": 1,000}\nCorrected:\n{\"a\": 1000}", "{\"a\":1000}", JREPAIR_EXTRACTED},
    };
    ALL_GOOD(goods);
    static const struct bad bads[] = {
        {"<think>{\"a\": 1} it is</think>", ERR_EMPTY, NULL},
        {"{\"a\": 1}</think> no", ERR_EMPTY, NULL},
        {"<think>{\"a\": 1} it is</think> I cannot say.", ERR_EMPTY, NULL},
        {"{\"a\": 1} it is</think> I cannot say.", ERR_EMPTY, NULL},
        {"<think>{\"a\": 1}</think> {\"a\": 2, \"b\": \"cut", ERR_TRUNCATED, "column 39"},
        {"Draft {\"a\": 1}. Final: {\"a\": 2, \"b\"", ERR_TRUNCATED, NULL},
        {"Draft {\"a\": 1}. Final: {\"a\": 1,000}", ERR_MALFORMED, "\"1,000\""},
    };
    ALL_BAD(bads);
}

static void test_values_that_contradict_each_other_are_refused(void **state) {
    (void)state;
    static const struct bad bads[] = {
        {"{\"valid\": true}\n{\"valid\": false}", ERR_MALFORMED, "line 2, column 1: a second JSON"},
        {"{\"a\": 1}, {\"a\": 2}", ERR_MALFORMED, "a second JSON value"},
        {"Both: {\"a\": 1} {\"a\": 2}", ERR_MALFORMED, "a second JSON value"},
        {"{\"a\": 1}\nWait, no:\n{\"a\": 2}", ERR_MALFORMED, "line 3, column 1: a second JSON"},
        {"```json\n{\"a\": 1}\n```\nor\n```json\n{\"a\": 2}\n```", ERR_MALFORMED, "a second JSON"},
        {"[1, 2], [3, 4]", ERR_MALFORMED, "a second JSON value"},
        {"{\"a\": {\"b\": 1}}, \"c\": 2}", ERR_MALFORMED, "column 16: the value ends here"},
    };
    ALL_BAD(bads);
}

static void test_a_truncated_value_is_never_filled_in(void **state) {
    (void)state;
    static const struct bad bads[] = {
        {"{\"a\": 1, \"b\":", ERR_TRUNCATED, "column 14: the text ends where a value is due"},
        {"{\"final\": \"the ans", ERR_TRUNCATED, "column 11: the string that starts here"},
        {"{\"final\": \"the \"ans\" and", ERR_TRUNCATED, "column 11: the string that starts here"},
        {"{\"a\": [1, 2", ERR_TRUNCATED, "column 7: the array that starts here does not end"},
        {"{\"a\": {\"b\": 1}", ERR_TRUNCATED, "column 1: the object that starts here"},
        {"{\"a\": tru", ERR_TRUNCATED, NULL},
        {"{\"a\": -", ERR_TRUNCATED, NULL},
        {"{\"a\": 1.", ERR_TRUNCATED, NULL},
        {"{\"a\": 12", ERR_TRUNCATED, NULL},
        {"{\"a", ERR_TRUNCATED, NULL},
        {"{\"a\"", ERR_TRUNCATED, NULL},
        {"{", ERR_TRUNCATED, NULL},
        {"[", ERR_TRUNCATED, NULL},
        {"[\"one\", \"two", ERR_TRUNCATED, NULL},
        {"[[1, 2], [3, 4]", ERR_TRUNCATED, "column 1: the array"},
        {"[{\"a\": 1}, {\"b\": 2}, ", ERR_TRUNCATED, "column 1: the array"},
        {"{\"a\": \"x\\", ERR_TRUNCATED, NULL},
        {"```json\n{\"a\": 1, \"b\":\n```\nHope this helps!", ERR_TRUNCATED, NULL},
        {"```json\n{\"a\": [1, 2\n```", ERR_TRUNCATED, NULL},
        {"\"{\\\"a\\\": [1, 2", ERR_TRUNCATED, NULL},
        {"{'a': 'cut", ERR_TRUNCATED, NULL},
        {"{\"s\": \"a </think> [1] b", ERR_TRUNCATED, "column 7"},
        {"{\"a\": 1 /* cut", ERR_TRUNCATED, NULL},
    };
    ALL_BAD(bads);
}

static void test_no_prefix_of_a_value_is_taken_for_it(void **state) {
    (void)state;
    static const char *const texts[] = {
        "{\"a\": {\"b\": [1, -2.5e3, {\"c\": null}]}, \"s\": \"x \\\"y\\\", {z: [1]}\", \"t\": "
        "true}",
        "Draft {\"a\": 0}. Final:\n```json\n{\"a\": {\"b\": [[1], [2, [3]]]}, \"c\": "
        "\"\\frac{1}{2}\"}",
        "[[1, 2], [\"x\", {\"a\": 1}], {\"b\": [{}]}]",
        "{'a': 'it's', 'b': [True, {'c': None,},], // x\n 'd': \"say \"hi\" x\"}",
        "\"{\\\"a\\\": [{\\\"b\\\": 1}, 2]}",
    };
    static const size_t from[] = {1, 32, 1, 1, 4};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        for (size_t n = from[i]; n < strlen(texts[i]); n++) {
            struct arena a;
            const struct jnode *value = NULL;
            unsigned notes;
            arena_init(&a, ARENA_BYTES);
            enum err e = jrepair_parse((struct str){texts[i], n}, &a, &value, &notes, NULL);
            if (e != ERR_TRUNCATED && e != ERR_MALFORMED) {
                fail_msg("%.*s gave %s", (int)n, texts[i], err_name(e));
            }
            arena_release(&a);
        }
    }
}

/* ---- LaTeX ---- */

static void test_latex_that_parses_silently_wrong_is_restored(void **state) {
    (void)state;
    static const struct good goods[] = {
        {"{\"s\": \"\\frac{1}{2} \\beta \\neq \\rho \\times \\theta\"}",
         "{\"s\": \"\\\\frac{1}{2} \\\\beta \\\\neq \\\\rho \\\\times \\\\theta\"}", JREPAIR_LATEX},
        {"{\"s\": \"\\begin{bmatrix} \\text{x} \\right) \\not\\in \\binom{n}{k}\"}",
         "{\"s\": \"\\\\begin{bmatrix} \\\\text{x} \\\\right) \\\\not\\\\in \\\\binom{n}{k}\"}",
         JREPAIR_LATEX},
        {"{\"a\": \"\\\\frac{1}{2}\", \"b\": \"\\frac{1}{2}\"}",
         "{\"a\": \"\\\\frac{1}{2}\", \"b\": \"\\\\frac{1}{2}\"}", JREPAIR_LATEX},
        {"{\"s\": \"\\\\\\frac\"}", "{\"s\": \"\\\\\\\\frac\"}", JREPAIR_LATEX},
        {"{\"s\": \"\\{\\} \\, \\; \\! \\% \\# \\& \\_ \\$ \\( \\) \\[ \\] \\1\"}",
         "{\"s\": \"\\\\{\\\\} \\\\, \\\\; \\\\! \\\\% \\\\# \\\\& \\\\_ \\\\$ \\\\( \\\\) \\\\[ "
         "\\\\] \\\\1\"}",
         JREPAIR_LATEX},
        {"{\"s\": \"\\u0041 \\upsilon \\u12\"}", "{\"s\": \"A \\\\upsilon \\\\u12\"}",
         JREPAIR_LATEX},
        {"{\"k_\\alpha\": 1}", "{\"k_\\\\alpha\": 1}", JREPAIR_LATEX},
        {"{\"s\": \"x\\timesy \\Times \\rightx \\text_\"}",
         "{\"s\": \"x\\timesy \\\\Times \\rightx \\\\text_\"}", JREPAIR_LATEX},
        {"{\"s\": \"C:\\Users\\Public\"}", "{\"s\": \"C:\\\\Users\\\\Public\"}", JREPAIR_LATEX},
        {"Sure: {\"s\": \"\\frac12\", 'b': \"\\tfrac12\",}",
         "{\"s\": \"\\\\frac12\", \"b\": \"\\\\tfrac12\"}",
         JREPAIR_LATEX | JREPAIR_EXTRACTED | JREPAIR_QUOTES | JREPAIR_COMMAS},
    };
    ALL_GOOD(goods);
}

static void test_row_ends_are_restored_where_the_environment_is_bare(void **state) {
    (void)state;
    static const struct good goods[] = {
        {"{\"s\": \"\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\\\5 \\\\[2pt] 6 \\\\\\hline "
         "x\\end{pmatrix} \\\\ y\"}",
         "{\"s\": \"\\\\begin{pmatrix} 1 & 2 \\\\\\\\ 3 & 4 \\\\\\\\5 \\\\\\\\[2pt] 6 "
         "\\\\\\\\\\\\hline x\\\\end{pmatrix} \\\\ y\"}",
         JREPAIR_LATEX},
        {"{\"s\": \"\\begin{cases} \\\\frac12 \\\\{ \\\\, \\\\\\\\ 3 \\\\\\\\\\\\hline \\\\\\\"\"}",
         "{\"s\": \"\\\\begin{cases} \\\\frac12 \\\\{ \\\\, \\\\\\\\ 3 \\\\\\\\\\\\hline "
         "\\\\\\\"\"}",
         JREPAIR_LATEX},
        {"{\"s\": \"\\\\begin{cases} 1 \\\\ 2\", \"t\": \"\\begin{x}\", \"u\": \"a \\\\ b\"}",
         "{\"s\": \"\\\\begin{cases} 1 \\\\ 2\", \"t\": \"\\\\begin{x}\", \"u\": \"a \\\\ b\"}",
         JREPAIR_LATEX},
        {"{'s': '\\begin{x} 1 \\\\\n 2'}", "{\"s\": \"\\\\begin{x} 1 \\\\\\\\\\n 2\"}",
         JREPAIR_LATEX | JREPAIR_QUOTES | JREPAIR_CONTROLS},
    };
    ALL_GOOD(goods);
}

static void test_newlines_and_tabs_before_words_stay(void **state) {
    (void)state;
    static const struct good goods[] = {
        {"{\"s\": \"\\alpha\\nThe\\nnext\\n\\beta\\return\\tab\\nbut\"}",
         "{\"s\": \"\\\\alpha\\nThe\\nnext\\n\\\\beta\\return\\tab\\nbut\"}", JREPAIR_LATEX},
        {"{\"s\": \"\\frac12\\nUse\\nit\\tonce\"}", "{\"s\": \"\\\\frac12\\nUse\\nit\\tonce\"}",
         JREPAIR_LATEX},
    };
    ALL_GOOD(goods);
}

static void test_ambiguous_words_need_a_sign_of_latex(void **state) {
    (void)state;
    static const char *const words[] = {
        "ne", "ni", "nu", "neg", "nmid", "nless", "nexists", "nparallel",
        "to", "rm", "bf", "tan", "top",  "tag",   "tiny",
    };
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        struct arena a;
        arena_init(&a, ARENA_BYTES);
        const char *w = words[i];
        const char *plain = str_fmt(&a, "{\"s\": \"x \\%s y\"}", w).p;
        const char *before = str_fmt(&a, "{\"s\": \"\\%s \\alpha\"}", w).p;
        const struct good goods[] = {
            {plain, plain, 0},
            {before, str_fmt(&a, "{\"s\": \"\\%s \\\\alpha\"}", w).p, JREPAIR_LATEX},
            {str_fmt(&a, "{\"s\": \"\\alpha\", \"t\": \"x \\%s\"}", w).p,
             str_fmt(&a, "{\"s\": \"\\\\alpha\", \"t\": \"x \\\\%s\"}", w).p, JREPAIR_LATEX},
            {str_fmt(&a, "{\"s\": \"$x \\%s y$\"}", w).p,
             str_fmt(&a, "{\"s\": \"$x \\\\%s y$\"}", w).p, JREPAIR_LATEX},
            {str_fmt(&a, "{\"s\": \"$$x \\%s y$$\"}", w).p,
             str_fmt(&a, "{\"s\": \"$$x \\\\%s y$$\"}", w).p, JREPAIR_LATEX},
        };
        ALL_GOOD(goods);
        const char *money[] = {
            str_fmt(&a, "{\"s\": \"costs $5 \\%s\", \"t\": \"$\"}", w).p,
            str_fmt(&a, "{\"s\": \"$x$ \\%s $y$\"}", w).p,
            str_fmt(&a, "{\"s\": \"\\\\$5 \\%s \\\\$6\"}", w).p,
        };
        for (size_t k = 0; k < ARRAY_LEN(money); k++) {
            const struct good g = {money[k], money[k], 0};
            assert_good(&g);
        }
        arena_release(&a);
    }
}

/* ---- mending ---- */

static void test_commas_are_mended(void **state) {
    (void)state;
    static const struct good goods[] = {
        {"{\"a\": 1, \"b\": [1, 2,],}", "{\"a\":1,\"b\":[1,2]}", JREPAIR_COMMAS},
        {"{\"a\": 1 \"b\": 2\n\"c\": \"x\" \"d\": []}", "{\"a\":1,\"b\":2,\"c\":\"x\",\"d\":[]}",
         JREPAIR_COMMAS},
        {"{\"a\": \"x\"\n \"b\": \"y\"}", "{\"a\":\"x\",\"b\":\"y\"}", JREPAIR_COMMAS},
        {"[{\"a\": 1} {\"a\": 2}]", "[{\"a\":1},{\"a\":2}]", JREPAIR_COMMAS},
        {"[\"a\" \"b\"\n\"c\"]", "[\"a\",\"b\",\"c\"]", JREPAIR_COMMAS},
        {"{\"a\": 1,, \"b\": 2}", "{\"a\":1,\"b\":2}", JREPAIR_COMMAS},
        {"[,1]", "[1]", JREPAIR_COMMAS},
    };
    ALL_GOOD(goods);
}

static void test_quotes_are_mended(void **state) {
    (void)state;
    static const struct good goods[] = {
        {"{'a': 'it's the dogs' day', 'b': \"it's\"}",
         "{\"a\":\"it's the dogs' day\",\"b\":\"it's\"}", JREPAIR_QUOTES},
        {"{'a': 'don\\'t', 'b': 'say \"x\"'}", "{\"a\":\"don't\",\"b\":\"say \\\"x\\\"\"}",
         JREPAIR_QUOTES},
        {"['rock 'n' roll', 'x']", "[\"rock 'n' roll\",\"x\"]", JREPAIR_QUOTES},
        {"{\xE2\x80\x9C"
         "a\xE2\x80\x9D: \xE2\x80\x9Cit\xE2\x80\x99s \"b\" \xE2\x80\x9D, \xE2\x80\x98"
         "c\xE2\x80\x99: 1}",
         "{\"a\":\"it\xE2\x80\x99s \\\"b\\\" \",\"c\":1}", JREPAIR_QUOTES},
        {"{a: 1, b_2: \"x\", 0: \"y\"}", "{\"a\":1,\"b_2\":\"x\",\"0\":\"y\"}", JREPAIR_QUOTES},
        {"{\"a\": \"He said \"hi\" to me\", \"b\": 1}",
         "{\"a\":\"He said \\\"hi\\\" to me\",\"b\":1}", JREPAIR_QUOTES},
        {"{\"a\": \"He said \"hi\", and left\", \"b\": 1}",
         "{\"a\":\"He said \\\"hi\\\", and left\",\"b\":1}", JREPAIR_QUOTES},
        {"{\"a\": \"He said \"hi\", note: x\", \"b\": 1}",
         "{\"a\":\"He said \\\"hi\\\", note: x\",\"b\":1}", JREPAIR_QUOTES},
        {"{\"a\": \"the set {\"x\"} is it\", \"b\": 1}",
         "{\"a\":\"the set {\\\"x\\\"} is it\",\"b\":1}", JREPAIR_QUOTES},
        {"[\"He said \"hi\", \"bye\" now\", \"x\"]",
         "[\"He said \\\"hi\\\", \\\"bye\\\" now\",\"x\"]", JREPAIR_QUOTES},
        {"{\"a\": \"a 5\" pipe\", \"b\": 1}", "{\"a\":\"a 5\\\" pipe\",\"b\":1}", JREPAIR_QUOTES},
        {"{\"a\": \"\"hello\"\", \"b\": 1}", "{\"a\":\"\\\"hello\\\"\",\"b\":1}", JREPAIR_QUOTES},
        {"{\"a\": \"f(\"x\") \\frac12\"}", "{\"a\":\"f(\\\"x\\\") \\\\frac12\"}",
         JREPAIR_QUOTES | JREPAIR_LATEX},
    };
    ALL_GOOD(goods);
}

static void test_quotes_that_only_a_guess_can_mend_are_refused(void **state) {
    (void)state;
    static const struct bad bads[] = {
        {"{\"p\": \"Parse {\"x\": 1}\", \"a\": \"1\"}", ERR_MALFORMED,
         "column 7: the string that starts here has a quotation mark inside"},
        {"{\"a\": \"x,\n \"b\": 1}", ERR_MALFORMED, "column 7: the string that starts here"},
        {"{\"a\": \"draft, then {\"a\": \"b\"}", ERR_MALFORMED, "column 7: the string"},
        {"[\"5\" pipe\", \"x\"]", ERR_TRUNCATED, NULL},
        {"{\"a\": \"use \"}\" to close\"}", ERR_MALFORMED, "column 14: the value ends here"},
        {"{\"o\": {\"a\": \"use a \"}\" b \"}}", ERR_MALFORMED, "a colon is missing"},
        {"{\"a\": \"\"\"text\"\"\"}", ERR_MALFORMED, "triple"},
        {"{\"a\": hello, \"b\": {\"c\": 1}}", ERR_MALFORMED,
         "column 7: text without quotation marks"},
        {"{\"a\": , \"b\": 1}", ERR_MALFORMED, "column 7: a value is missing here"},
        {"{\"a\" 1}", ERR_MALFORMED, "column 6: a colon is missing here"},
        {"{\"a\": [1, 2}", ERR_MALFORMED, "this bracket does not match"},
        {"{\"a\": [1, \"b\": 2}", ERR_MALFORMED, NULL},
    };
    ALL_BAD(bads);
}

static void test_literals_comments_controls_and_closers_are_mended(void **state) {
    (void)state;
    static const struct good goods[] = {
        {"{\"a\": True, \"b\": None, \"c\": NaN, \"d\": -Infinity, \"e\": undefined, \"f\": FALSE}",
         "{\"a\":true,\"b\":null,\"c\":null,\"d\":null,\"e\":null,\"f\":false}", JREPAIR_LITERALS},
        {"{\"a\": \"None\", \"b\": \"True\", \"c\": null,}",
         "{\"a\":\"None\",\"b\":\"True\",\"c\":null}", JREPAIR_COMMAS},
        {"{ // first\n \"a\": 1, # second\n /* third */ \"b\": \"http://x/#y\" // end\n}",
         "{\"a\":1,\"b\":\"http://x/#y\"}", JREPAIR_COMMENTS},
        {"{\"a\": \"x\", // say \"hi\"\n \"b\": 1}", "{\"a\":\"x\",\"b\":1}", JREPAIR_COMMENTS},
        {"{\"a\": \"one\ntwo\r\n\tthree\x01\"}", "{\"a\":\"one\\ntwo\\r\\n\\tthree\\u0001\"}",
         JREPAIR_CONTROLS},
        {"[1, 2, ...]", "[1,2]", JREPAIR_ELLIPSIS},
        {"{\"a\": [\"x\", \"...\", \xE2\x80\xA6], ...}", "{\"a\":[\"x\",\"...\"]}",
         JREPAIR_ELLIPSIS},
        {"{\"a\": [1, 2]]}", "{\"a\":[1,2]}", JREPAIR_CLOSERS},
        {"{\"a\": [1, 2]], \"b\": 3}", "{\"a\":[1,2],\"b\":3}", JREPAIR_CLOSERS},
        {"[1, 2]}]", "[1,2]", JREPAIR_CLOSERS},
    };
    ALL_GOOD(goods);
}

static void test_json_inside_a_json_string_is_unpacked(void **state) {
    (void)state;
    static const struct good goods[] = {
        {"\"{\\\"a\\\": 42}\"", "{\"a\":42}", JREPAIR_DECODED},
        {"\"{\\n  \\\"a\\\": 42\\n}\"", "{\"a\":42}", JREPAIR_DECODED},
        {"{\\\"a\\\": 42}", "{\"a\":42}", JREPAIR_DECODED},
        {"{\\n \\\"a\\\": \\\"x\\\",\\n \\\"b\\\": [1]\\n}", "{\"a\":\"x\",\"b\":[1]}",
         JREPAIR_DECODED},
        {"\"[\\\"a\\\", \\\"b\\\"]\"", "[\"a\",\"b\"]", JREPAIR_DECODED},
        {"```json\n\"{\\\"a\\\": 42}\"\n```", "{\"a\":42}", JREPAIR_DECODED | JREPAIR_EXTRACTED},
        {"\"{\\\"s\\\": \\\"\\\\\\\\frac{1}{2}\\\"}\"", "{\"s\":\"\\\\frac{1}{2}\"}",
         JREPAIR_DECODED},
        {"\"{\\\"s\\\": \\\"\\\\frac{1}{2}\\\"}\"", "{\"s\":\"\\\\frac{1}{2}\"}",
         JREPAIR_DECODED | JREPAIR_LATEX},
        {"\"{\\\"s\\\": \\\"\\frac{1}{2}\\\"}\"", "{\"s\":\"\\\\frac{1}{2}\"}",
         JREPAIR_DECODED | JREPAIR_LATEX},
        {"\"{\\\"s\\\": \\\"a\\\\nb\\\"}\"", "{\"s\":\"a\\nb\"}", JREPAIR_DECODED},
        {"\"\\\"{\\\\\\\"a\\\\\\\": 42}\\\"\"", "{\"a\":42}", JREPAIR_DECODED | JREPAIR_EXTRACTED},
    };
    ALL_GOOD(goods);
    static const struct good kept[] = {
        {"{\"s\": \"{\\\"a\\\": 42}\"}", "{\"s\":\"{\\\"a\\\": 42}\"}", 0}};
    ALL_GOOD(kept);
}

static void test_members_keep_their_order(void **state) {
    (void)state;
    static const struct good goods[] = {
        {"{'z': 1, 'a': {'y': 2, 'b': 3}, 'm': 4,}", "{\"z\":1,\"a\":{\"y\":2,\"b\":3},\"m\":4}",
         JREPAIR_QUOTES | JREPAIR_COMMAS},
    };
    ALL_GOOD(goods);
}

/* ---- limits ---- */

/* @unit again and again, up to @bytes: nobody can find a value in it. */
static void assert_tangle(const char *unit, size_t bytes) {
    struct arena a;
    const struct jnode *value = NULL;
    unsigned notes;
    struct sbuf text;
    sbuf_init(&text, bytes);
    while (!sbuf_overflowed(&text)) {
        sbuf_add_cstr(&text, unit);
    }
    arena_init(&a, ARENA_BYTES);
    enum err e = jrepair_parse(sbuf_str(&text), &a, &value, &notes, NULL);
    if (e == ERR_OK || e == ERR_TOO_BIG) {
        fail_msg("%s... gave %s", unit, err_name(e));
    }
    arena_release(&a);
    sbuf_release(&text);
}

static void test_a_tangle_ends_soon_and_without_a_value(void **state) {
    (void)state;
    static const char *const units[] = {
        "[",          "{",           "\\",
        "\"",         "'",           "{\"",
        "[\"",        "{\"a\":",     "[\"a\",",
        "[\"#",       "[\"a\"#",     "{\"a\":\"\" ",
        "{\\\"",      "[\\\"a\\\",", "{'a':'",
        "[x",         "{x:",         "```",
        "<think>",    "[0,1)",       "{\"a\":[",
        "[{",         "[]#",         "{\"a\":1,",
        "\"{\\\"",    "\\nu$",       "{\"a\":\"\\nu$ ",
        "// {\"a\" ",
    };
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        assert_tangle(units[i], 32 * 1024);
    }
    assert_tangle("[", JREPAIR_BYTES_MAX);
    assert_tangle("\\", JREPAIR_BYTES_MAX);
    assert_tangle("{\"a\": \"\\\\\\", JREPAIR_BYTES_MAX);
}

static void test_the_size_has_a_limit(void **state) {
    (void)state;
    struct arena a;
    const struct jnode *value = NULL;
    unsigned notes;
    char *text = calloc(1, JREPAIR_BYTES_MAX + 1);
    assert_non_null(text);
    memset(text, ' ', JREPAIR_BYTES_MAX + 1);
    arena_init(&a, ARENA_BYTES);
    struct str s = {text, JREPAIR_BYTES_MAX + 1};
    assert_int_equal(jrepair_parse(s, &a, &value, &notes, NULL), ERR_TOO_BIG);
    s.n--;
    assert_int_equal(jrepair_parse(s, &a, &value, &notes, NULL), ERR_EMPTY);
    arena_release(&a);
    free(text);
}

static void test_a_big_but_honest_reply_is_read(void **state) {
    (void)state;
    struct sbuf b;
    struct arena a;
    const struct jnode *value = NULL;
    unsigned notes;
    sbuf_init(&b, JREPAIR_BYTES_MAX);
    sbuf_add_cstr(&b, "We use \\frac{1}{2}.\n{'problems': [");
    for (int i = 0; i < 4000; i++) {
        sbuf_addf(&b, "{'id': %d, 'text': \"a \"quoted\" word, \\frac{1}{%d}, it's\",},\n", i, i);
    }
    sbuf_add_cstr(&b, "]}");
    arena_init(&a, ARENA_BYTES);
    assert_int_equal(jrepair_parse(sbuf_str(&b), &a, &value, &notes, NULL), ERR_OK);
    assert_int_equal(jnode_len(jnode_get(value, "problems")), 4000);
    assert_string_equal(jnode_get_str(jnode_at(jnode_get(value, "problems"), 3999), "text").p,
                        "a \"quoted\" word, \\frac{1}{3999}, it's");
    arena_release(&a);
    sbuf_release(&b);
}

static void test_nesting_has_a_limit(void **state) {
    (void)state;
    char text[2 * (JNODE_DEPTH_MAX + 2) + 1] = "";
    memset(text, '[', JNODE_DEPTH_MAX + 2);
    memset(text + JNODE_DEPTH_MAX + 2, ']', JNODE_DEPTH_MAX + 2);
    const struct bad b = {text, ERR_MALFORMED, "nested too deeply"};
    assert_bad(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_sample_gives_its_intended_value_or_error),
        cmocka_unit_test(test_policy_errors_say_what_and_where),
        cmocka_unit_test(test_clean_json_comes_back_untouched),
        cmocka_unit_test(test_text_around_the_value_is_dropped),
        cmocka_unit_test(test_braces_of_prose_and_latex_are_not_the_value),
        cmocka_unit_test(test_after_reasoning_the_last_complete_value_counts),
        cmocka_unit_test(test_values_that_contradict_each_other_are_refused),
        cmocka_unit_test(test_a_truncated_value_is_never_filled_in),
        cmocka_unit_test(test_no_prefix_of_a_value_is_taken_for_it),
        cmocka_unit_test(test_latex_that_parses_silently_wrong_is_restored),
        cmocka_unit_test(test_row_ends_are_restored_where_the_environment_is_bare),
        cmocka_unit_test(test_newlines_and_tabs_before_words_stay),
        cmocka_unit_test(test_ambiguous_words_need_a_sign_of_latex),
        cmocka_unit_test(test_commas_are_mended),
        cmocka_unit_test(test_quotes_are_mended),
        cmocka_unit_test(test_quotes_that_only_a_guess_can_mend_are_refused),
        cmocka_unit_test(test_literals_comments_controls_and_closers_are_mended),
        cmocka_unit_test(test_json_inside_a_json_string_is_unpacked),
        cmocka_unit_test(test_members_keep_their_order),
        cmocka_unit_test(test_a_tangle_ends_soon_and_without_a_value),
        cmocka_unit_test(test_the_size_has_a_limit),
        cmocka_unit_test(test_a_big_but_honest_reply_is_read),
        cmocka_unit_test(test_nesting_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
