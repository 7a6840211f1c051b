/* Whatever a model writes ends in a verdict, quickly, and is never executed or falsely equal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "answer/extract.h"
#include "base/mem.h"
#include "cases.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t cpu_ms(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Tells an end from a hang, under any sanitizer; how fast it is, the benchmark measures. */
#define MS_MAX 5000

static void never_equal(struct str gold, struct str given) {
    int64_t start = cpu_ms();
    struct answer_result r = compare_once(gold, given, NULL);
    int64_t spent = cpu_ms() - start;
    if (r.verdict == ANSWER_EQUAL || spent >= MS_MAX) {
        print_error("%s in %d ms: %.40s | %.40s\n", answer_verdict_name(r.verdict), (int)spent,
                    gold.p, given.p);
    }
    assert_int_not_equal(r.verdict, ANSWER_EQUAL);
    assert_true(spent < MS_MAX);
}

static void test_towers_and_factorials_of_factorials_end(void **state) {
    (void)state;
    static const char *const towers[] = {"9^{9^{9^9}}",        "9^9^9^9^9^9",
                                         "10^{10^{10^{10}}}!", "((10^{100})!)!",
                                         "2^{-9^{9^9}}",       "\\sqrt{9^{9^9}}",
                                         "e^{e^{e^{e^{e}}}}",  "\\binom{10^{30}}{10^{15}}",
                                         "(10^9)^{10^9}",      "\\sum_{k=1}^{10^9} k",
                                         "3!!!!!!!",           "0.5^{9^{9^{9}}}",
                                         "\\tan(10^{10^{8}})", "x^{999999999}",
                                         "(x+1)^{100000}",     "\\gcd(10^{400}, 7)",
                                         "\\log_{1} 5",        "0^0^0",
                                         "\\frac{1}{0}",       "\\floor(10^{400})"};
    for (size_t i = 0; i < ARRAY_LEN(towers); i++) {
        never_equal(S("12345"), str_of(towers[i]));
        (void)compare_once(str_of(towers[i]), str_of(towers[i]), NULL);
    }
}

/* @n times @unit between @head and @tail. */
static struct str repeated(const char *head, const char *unit, size_t n, const char *tail) {
    size_t u = strlen(unit), bytes = strlen(head) + u * n + strlen(tail);
    char *p = mem_new(bytes + 1), *w = stpcpy(p, head);
    for (size_t i = 0; i < n; i++) {
        w = mempcpy(w, unit, u);
    }
    (void)strcpy(w, tail); /* fits: counted above */
    return (struct str){p, bytes};
}

static void test_long_and_deep_texts_end(void **state) {
    (void)state;
    static const struct {
        const char *head, *unit;
        size_t n;
        const char *tail;
    } texts[] = {
        {"", "{", 10000, ""},
        {"", "(", 10000, "1"},
        {"1", "9", 1000000, ""},
        {"", "-", 30000, "1"},
        {"1", "+1", 20000, ""},
        {"1", "/2", 20000, ""},
        {"x", "^2", 20000, ""},
        {"", "\\sqrt{", 9000, "2"},
        {"1", "!", 30000, ""},
        {"", "|", 20000, ""},
        {"", "$", 50000, ""},
        {"", "\\boxed{", 8000, ""},
        {"", "\\frac", 10000, ""},
        {"1", ",1", 30000, ""},
        {"\\{1", ",x", 3000, "\\}"},
        {"x", "%", 20000, ""},
        {"", "\\begin{pmatrix}", 3000, ""},
        {"1", "\\\\", 20000, ""},
        {"a", "=a", 20000, ""},
        {"[", "[", 20000, "1"},
        {"x", "_1", 20000, ""},
        {"", "sin ", 12000, "x"},
        {"", "word ", 12000, "."},
        {"1", " \\cup [1,2]", 3000, ""},
        {"", "\\text{", 9000, "a"},
        {"", "\xCC\x81", 20000, "1"},
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct str s = repeated(texts[i].head, texts[i].unit, texts[i].n, texts[i].tail);
        never_equal(S("7"), s);
        never_equal(s, S("7"));
        char *p = (char *)(uintptr_t)s.p; /* our own */
        free(p);
    }
}

static void test_an_answer_is_looked_for_in_a_megabyte_of_anything(void **state) {
    (void)state;
    static const char *const units[] = {
        "1",    "\\(",   "$",    "$$ ",      "\\boxed{", "A ",  "answer is ",      "\n",
        " \n ", "\\[ x", "####", "</think>", "**",       "is ", "\\boxed{1} and ", "final answer",
        "$a$ ", "-$1,",  "=:",   "{("};
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        struct str s = repeated("x", units[i], 1000000 / strlen(units[i]), "y");
        struct arena a;
        int64_t start = cpu_ms();
        arena_init(&a, ANSWER_ARENA_BYTES);
        (void)answer_find(s, 0, &a);
        (void)answer_find(s, 4, &a);
        arena_release(&a);
        if (cpu_ms() - start >= MS_MAX) {
            print_error("%s: %d ms\n", units[i], (int)(cpu_ms() - start));
        }
        assert_true(cpu_ms() - start < MS_MAX);
        free((char *)(uintptr_t)s.p);
    }
}

static void test_any_bytes_are_accepted(void **state) {
    (void)state;
    uint64_t x = 88172645463325252u;
    for (int round = 0; round < 400; round++) {
        char bytes[64];
        for (size_t i = 0; i < sizeof bytes; i++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            static const char pieces[] =
                "\\{}()[]^_$%&|,.0123456789xyzabcfracsqrtpi +-*/=<>!\xCE\xB1";
            bytes[i] = round % 2 == 0 ? (char)x : pieces[x % (sizeof pieces - 1)];
        }
        struct str s = {bytes, sizeof bytes};
        struct arena a;
        arena_init(&a, ANSWER_ARENA_BYTES);
        (void)answer_extract(s, &a);
        (void)answer_is_definite(s, &a);
        arena_release(&a);
        (void)compare_once(S("x+1"), s, NULL);
    }
}

static void test_code_is_text(void **state) {
    (void)state;
    never_equal(S("42"), S("__import__('os').system('touch PWNED')"));
    never_equal(S("42"), S("eval(\"6*7\")"));
    never_equal(S("42"), S("\\input{/etc/passwd}"));
    never_equal(S("C"), S("D"));
    never_equal(S("x*y"), S("x^2"));
    never_equal(S("x-y"), S("0"));
}

static void test_a_degree_is_no_limit_and_no_power_of_a_function(void **state) {
    (void)state;
    never_equal(S("1"), S("\\sum_{0=1}^{o} k"));
    never_equal(S("1"), S("\\sum_{k=1}^{\\circ} k"));
    never_equal(S("\\sin x"), S("\\sin^{\\circ} x"));
}

static void test_values_that_agree_to_many_digits_are_told_apart(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"x", "x + 10^{-40}"},
        {"\\ln(640320^3+744)/\\sqrt{163}", "\\pi"},
        {"e^{\\pi\\sqrt{163}}", "262537412640768744"},
        {"\\frac{1}{2004!}", "\\frac{1}{2006!}"},
        {"\\sqrt{2}", "\\sqrt{2} + 10^{-200}"},
        {"99999998/99999999", "99999999/10^8"},
        {"\\sin x", "\\sin x + 10^{-60}"},
        {"(10^9)!", "(10^9)! + 1"},
        {"\\frac{1}{(10^8)!}", "\\frac{1}{(10^8)! + 1}"},
        {"\\pi", "\\pi + 10^{-800}"},
        {"\\sin x", "\\sin x + 10^{-400}"},
        {"e^{2000} + \\pi", "e^{2000} + 3"},
        {"\\tanh(3000)", "1"},
        {"\\tanh(x + 5000)", "1"},
        {"\\ln(e^{9000}\\pi + 1)", "9000 + \\ln\\pi"},
    };
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        never_equal(str_of(pairs[i][0]), str_of(pairs[i][1]));
        never_equal(str_of(pairs[i][1]), str_of(pairs[i][0]));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_towers_and_factorials_of_factorials_end),
        cmocka_unit_test(test_long_and_deep_texts_end),
        cmocka_unit_test(test_an_answer_is_looked_for_in_a_megabyte_of_anything),
        cmocka_unit_test(test_any_bytes_are_accepted),
        cmocka_unit_test(test_a_degree_is_no_limit_and_no_power_of_a_function),
        cmocka_unit_test(test_code_is_text),
        cmocka_unit_test(test_values_that_agree_to_many_digits_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
