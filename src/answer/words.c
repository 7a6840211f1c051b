/* Tables grouped by meaning and searched from the top: they are short, and a name is looked up once
 * per token. The Greek letters serve commands, plain names and Unicode alike. */
#include "answer/words.h"

#include <string.h>

#define T(name, kind, op, text)                                                                    \
    { name, WORD_TOKEN, TOKEN_##kind, op, text }
#define FN(name, func) T(name, FUNC, AST_##func, NULL)
#define REL(name, rel) T(name, REL, AST_##rel, NULL)
#define ROLE(name, role)                                                                           \
    { name, WORD_##role, TOKEN_END, 0, NULL }

/* Good with and without a backslash. */
static const struct word functions[] = {
    FN("sin", SIN),
    FN("cos", COS),
    FN("tan", TAN),
    FN("tg", TAN),
    FN("cot", COT),
    FN("ctg", COT),
    FN("sec", SEC),
    FN("csc", CSC),
    FN("cosec", CSC),
    FN("arcsin", ASIN),
    FN("arccos", ACOS),
    FN("arctan", ATAN),
    FN("arctg", ATAN),
    FN("arccot", ACOT),
    FN("arcctg", ACOT),
    FN("arcsec", ASEC),
    FN("arccsc", ACSC),
    FN("arccosec", ACSC),
    FN("sinh", SINH),
    FN("cosh", COSH),
    FN("tanh", TANH),
    FN("coth", COTH),
    FN("sech", SECH),
    FN("csch", CSCH),
    FN("arcsinh", ASINH),
    FN("arsinh", ASINH),
    FN("arccosh", ACOSH),
    FN("arcosh", ACOSH),
    FN("arctanh", ATANH),
    FN("artanh", ATANH),
    FN("exp", EXP),
    FN("ln", LN),
    FN("log", LOG),
    FN("lg", LG),
    FN("max", MAX),
    FN("min", MIN),
    FN("gcd", GCD),
    FN("lcm", LCM),
    FN("floor", FLOOR),
    FN("ceil", CEIL),
    FN("arg", ARG),
    FN("det", DET),
    FN("sgn", SGN),
    FN("mod", MOD),
    T("sqrt", SQRT, 0, NULL),
    T("in", REL, AST_IN, NULL),
    T("cup", CUP, 0, NULL),
    T("and", AND, 0, NULL),
    T("pi", CONST, AST_PI, NULL),
    T("infty", CONST, AST_INF, NULL),
};

/* Only with a backslash. */
static const struct word commands[] = {
    T("frac", FRAC, 0, NULL),
    T("dfrac", FRAC, 0, NULL),
    T("tfrac", FRAC, 0, NULL),
    T("cfrac", FRAC, 0, NULL),
    T("cdot", TIMES, 0, NULL),
    T("times", TIMES, 0, NULL),
    T("ast", TIMES, 0, NULL),
    T("star", TIMES, 0, NULL),
    T("bullet", TIMES, 0, NULL),
    T("div", DIV, 0, NULL),
    T("over", OVER, 0, NULL),
    T("pounds", CURRENCY, 0, "£"),
    T("euro", CURRENCY, 0, "€"),
    T("pm", PM, 1, NULL),
    T("mp", PM, -1, NULL),
    T("circ", DEGREE, 0, NULL),
    T("degree", DEGREE, 0, NULL),
    T("textdegree", DEGREE, 0, NULL),
    T("prime", PRIME, 0, NULL),
    T("binom", BINOM, 0, NULL),
    T("dbinom", BINOM, 0, NULL),
    T("tbinom", BINOM, 0, NULL),
    T("choose", CHOOSE, 0, NULL),
    T("colon", COLON, 0, NULL),

    REL("le", LE),
    REL("leq", LE),
    REL("leqq", LE),
    REL("leqslant", LE),
    REL("ge", GE),
    REL("geq", GE),
    REL("geqq", GE),
    REL("geqslant", GE),
    REL("lt", LT),
    REL("gt", GT),
    REL("ne", NE),
    REL("neq", NE),
    REL("approx", APPROX),
    REL("simeq", APPROX),
    REL("equiv", RELATED),
    REL("cong", RELATED),
    REL("sim", RELATED),
    REL("propto", RELATED),
    REL("parallel", RELATED),
    REL("perp", RELATED),
    REL("notin", RELATED),
    REL("subset", RELATED),
    REL("subseteq", RELATED),
    REL("supset", RELATED),
    REL("to", RELATED),
    REL("mapsto", RELATED),
    REL("rightarrow", RELATED),
    REL("longrightarrow", RELATED),
    REL("Rightarrow", RELATED),
    REL("Longrightarrow", RELATED),
    REL("Leftrightarrow", RELATED),
    REL("iff", RELATED),
    REL("implies", RELATED),
    REL("therefore", RELATED),
    T("not", NOT, 0, NULL),
    T("neg", NOT, 0, NULL),
    T("lor", OR, 0, NULL),
    T("vee", OR, 0, NULL),
    T("land", AND, 0, NULL),
    T("wedge", AND, 0, NULL),

    T("cap", CAP, 0, NULL),
    T("bigcup", CUP, 0, NULL),
    T("cupdot", CUP, 0, NULL),
    T("bigcap", CAP, 0, NULL),
    T("setminus", SETMINUS, 0, NULL),
    T("smallsetminus", SETMINUS, 0, NULL),
    T("backslash", SETMINUS, 0, NULL),
    T("emptyset", SETNAME, 0, "empty"),
    T("varnothing", SETNAME, 0, "empty"),
    T("R", SETNAME, 0, "R"),
    T("Z", SETNAME, 0, "Z"),
    T("N", SETNAME, 0, "N"),
    T("Q", SETNAME, 0, "Q"),

    T("lparen", LPAREN, 0, NULL),
    T("rparen", RPAREN, 0, NULL),
    T("langle", LPAREN, 0, NULL),
    T("rangle", RPAREN, 0, NULL),
    T("lbrack", LBRACK, 0, NULL),
    T("rbrack", RBRACK, 0, NULL),
    T("lbrace", LSET, 0, NULL),
    T("rbrace", RSET, 0, NULL),
    T("lvert", BAR, 1, NULL),
    T("rvert", BAR, 2, NULL),
    T("vert", BAR, 0, NULL),
    T("lfloor", LFLOOR, 0, NULL),
    T("rfloor", RFLOOR, 0, NULL),
    T("lceil", LCEIL, 0, NULL),
    T("rceil", RCEIL, 0, NULL),
    T("mid", MID, 0, NULL),

    T("sum", BIG, AST_BIG_SUM, NULL),
    T("prod", BIG, AST_BIG_PROD, NULL),
    T("int", BIG, AST_BIG_OTHER, NULL),
    T("iint", BIG, AST_BIG_OTHER, NULL),
    T("oint", BIG, AST_BIG_OTHER, NULL),
    T("lim", BIG, AST_BIG_OTHER, NULL),
    T("ldots", ELLIPSIS, 0, NULL),
    T("cdots", ELLIPSIS, 0, NULL),
    T("dots", ELLIPSIS, 0, NULL),
    T("dotsc", ELLIPSIS, 0, NULL),
    T("dotsb", ELLIPSIS, 0, NULL),
    T("dotsm", ELLIPSIS, 0, NULL),
    T("vdots", ELLIPSIS, 0, NULL),
    T("overline", OVERLINE, 0, NULL),
    T("overrightarrow", ACCENT, 0, "vec"),
    T("vec", ACCENT, 0, "vec"),
    T("hat", ACCENT, 0, "hat"),
    T("widehat", ACCENT, 0, "hat"),
    T("bar", ACCENT, 0, "bar"),
    T("dot", ACCENT, 0, "dot"),
    T("tilde", ACCENT, 0, "tilde"),
    T("underline", ACCENT, 0, "line"),
    T("begin", BEGIN, 0, NULL),
    T("end", ENDENV, 0, NULL),

    FN("bmod", MOD),
    FN("pmod", MOD),
    FN("Re", RE),
    FN("Im", IM),
    FN("deg", OTHER),
    FN("dim", OTHER),
    FN("Pr", OTHER),
    FN("sup", OTHER),
    FN("inf", OTHER),
    T("angle", SYM, 0, NULL),
    T("measuredangle", SYM, 0, "angle"),
    T("partial", SYM, 0, NULL),
    T("ell", SYM, 0, NULL),
    T("forall", TEXT, 0, NULL),
    T("triangle", TEXT, 0, NULL),
    T("square", TEXT, 0, NULL),

    ROLE("left", SPACE),
    ROLE("right", SPACE),
    ROLE("middle", SPACE),
    ROLE("big", SPACE),
    ROLE("bigl", SPACE),
    ROLE("bigr", SPACE),
    ROLE("Big", SPACE),
    ROLE("Bigl", SPACE),
    ROLE("Bigr", SPACE),
    ROLE("bigg", SPACE),
    ROLE("biggl", SPACE),
    ROLE("biggr", SPACE),
    ROLE("Bigg", SPACE),
    ROLE("Biggl", SPACE),
    ROLE("Biggr", SPACE),
    ROLE("quad", SPACE),
    ROLE("qquad", SPACE),
    ROLE("enspace", SPACE),
    ROLE("thinspace", SPACE),
    ROLE("displaystyle", SPACE),
    ROLE("textstyle", SPACE),
    ROLE("scriptstyle", SPACE),
    ROLE("limits", SPACE),
    ROLE("nolimits", SPACE),
    ROLE("nonumber", SPACE),
    ROLE("hfill", SPACE),
    ROLE("newline", SPACE),
    ROLE("bf", SPACE),
    ROLE("rm", SPACE),
    ROLE("it", SPACE),
    ROLE("mathrm", FONT),
    ROLE("mathbf", FONT),
    ROLE("mathit", FONT),
    ROLE("mathsf", FONT),
    ROLE("mathtt", FONT),
    ROLE("mathcal", FONT),
    ROLE("mathscr", FONT),
    ROLE("mathfrak", FONT),
    ROLE("mathbb", FONT),
    ROLE("boldsymbol", FONT),
    ROLE("bm", FONT),
    ROLE("operatorname", FONT),
    ROLE("boxed", FONT),
    ROLE("fbox", FONT),
    ROLE("text", PROSE),
    ROLE("textbf", PROSE),
    ROLE("textit", PROSE),
    ROLE("textrm", PROSE),
    ROLE("textsf", PROSE),
    ROLE("texttt", PROSE),
    ROLE("textnormal", PROSE),
    ROLE("mbox", PROSE),
    ROLE("emph", PROSE),
    ROLE("hspace", SKIP_ARG),
    ROLE("vspace", SKIP_ARG),
    ROLE("color", SKIP_ARG),
    ROLE("phantom", SKIP_ARG),
    ROLE("tag", SKIP_ARG),
};

/* Only without one. */
static const struct word plain[] = {
    FN("asin", ASIN),
    FN("acos", ACOS),
    FN("atan", ATAN),
    FN("acot", ACOT),
    FN("asec", ASEC),
    FN("acsc", ACSC),
    FN("asinh", ASINH),
    FN("acosh", ACOSH),
    FN("atanh", ATANH),
    FN("abs", ABS),
    FN("sign", SGN),
    FN("signum", SGN),
    FN("ceiling", CEIL),
    FN("conj", CONJ),
    T("cbrt", FUNC, AST_ROOT, "3"),
    FN("binomial", BINOM),
    FN("binom", BINOM),
    FN("factorial", FACTORIAL),
    T("or", OR, 0, NULL),
    T("union", CUP, 0, NULL),
    T("choose", CHOOSE, 0, NULL),
    ROLE("Matrix", SPACE),
    T("inf", CONST, AST_INF, NULL),
    T("infinity", CONST, AST_INF, NULL),
    T("Infinity", CONST, AST_INF, NULL),
    T("oo", CONST, AST_INF, NULL),
    T("percent", PERCENT, 0, NULL),
    T("deg", DEGREE, 0, NULL),
    T("degree", DEGREE, 0, NULL),
    T("degrees", DEGREE, 0, NULL),
    T("sum", BIG, AST_BIG_SUM, NULL),
    T("frac", FRAC, 0, NULL),
};

/* In the order of U+0391 and of U+03B1. */
#define GREEK(name) T(name, SYM, 0, NULL)
static const struct word greek_capitals[] = {
    GREEK("Alpha"),   GREEK("Beta"), GREEK("Gamma"), GREEK("Delta"), GREEK("Epsilon"),
    GREEK("Zeta"),    GREEK("Eta"),  GREEK("Theta"), GREEK("Iota"),  GREEK("Kappa"),
    GREEK("Lambda"),  GREEK("Mu"),   GREEK("Nu"),    GREEK("Xi"),    GREEK("Omicron"),
    GREEK("Pi"),      GREEK("Rho"),  GREEK("Sigma"), GREEK("Sigma"), GREEK("Tau"),
    GREEK("Upsilon"), GREEK("Phi"),  GREEK("Chi"),   GREEK("Psi"),   GREEK("Omega"),
};
static const struct word greek_small[] = {
    GREEK("alpha"),   GREEK("beta"),  GREEK("gamma"),   GREEK("delta"),
    GREEK("epsilon"), GREEK("zeta"),  GREEK("eta"),     GREEK("theta"),
    GREEK("iota"),    GREEK("kappa"), GREEK("lambda"),  GREEK("mu"),
    GREEK("nu"),      GREEK("xi"),    GREEK("omicron"), T("pi", CONST, AST_PI, NULL),
    GREEK("rho"),     GREEK("sigma"), GREEK("sigma"),   GREEK("tau"),
    GREEK("upsilon"), GREEK("phi"),   GREEK("chi"),     GREEK("psi"),
    GREEK("omega"),
};
static const struct word greek_variants[] = {
    T("varepsilon", SYM, 0, "epsilon"), T("varphi", SYM, 0, "phi"),
    T("vartheta", SYM, 0, "theta"),     T("varrho", SYM, 0, "rho"),
    T("varsigma", SYM, 0, "sigma"),     T("varpi", SYM, 0, "varpi"),
};

struct unicode_word {
    uint32_t code;
    struct word word;
};

#define U(code, kind, op, text)                                                                    \
    { code, T("", kind, op, text) }
#define U_SPACE(code)                                                                              \
    { code, ROLE("", SPACE) }

static const struct unicode_word unicode[] = {
    U_SPACE(0xA0),
    U_SPACE(0xAD),
    U_SPACE(0x200B),
    U_SPACE(0x2060),
    U_SPACE(0x3000),
    U_SPACE(0xFEFF),
    U_SPACE(0x202F),
    U(0xA2, CURRENCY, 0, NULL),
    U(0xA3, CURRENCY, 0, NULL),
    U(0xA5, CURRENCY, 0, NULL),
    U(0x20AC, CURRENCY, 0, NULL),
    U(0x20B9, CURRENCY, 0, NULL),
    U(0xB0, DEGREE, 0, NULL),
    U(0xBA, DEGREE, 0, NULL),
    U(0x2103, DEGREE, 0, NULL),
    U(0xB1, PM, 1, NULL),
    U(0x2213, PM, -1, NULL),
    U(0xB7, TIMES, 0, NULL),
    U(0xD7, TIMES, 0, NULL),
    U(0x2022, TIMES, 0, NULL),
    U(0x2217, TIMES, 0, NULL),
    U(0x2219, TIMES, 0, NULL),
    U(0x22C5, TIMES, 0, NULL),
    U(0xF7, DIV, 0, NULL),
    U(0x2044, DIV, 0, NULL),
    U(0x2215, DIV, 0, NULL),
    U(0xFF0F, DIV, 0, NULL),
    U(0x2013, MINUS, 0, NULL),
    U(0x2014, MINUS, 0, NULL),
    U(0x2010, MINUS, 0, NULL),
    U(0x2011, MINUS, 0, NULL),
    U(0x2212, MINUS, 0, NULL),
    U(0xFF0D, MINUS, 0, NULL),
    U(0xFF0B, PLUS, 0, NULL),
    U(0xB5, SYM, 0, "mu"),
    U(0x2220, SYM, 0, "angle"),
    U(0x2202, SYM, 0, "partial"),
    U(0x3D1, SYM, 0, "theta"),
    U(0x3D5, SYM, 0, "phi"),
    U(0x3F5, SYM, 0, "epsilon"),
    U(0x2113, SYM, 0, "ell"),
    U(0x221E, CONST, AST_INF, NULL),
    U(0x212F, CONST, AST_E, NULL),
    U(0x2148, CONST, AST_I, NULL),
    U(0x2016, BAR, 0, NULL),
    U(0x2223, MID, 0, NULL),
    U(0x2032, PRIME, 0, NULL),
    U(0x2019, PRIME, 0, NULL),
    U(0x2026, ELLIPSIS, 0, NULL),
    U(0x22EF, ELLIPSIS, 0, NULL),
    U(0x2102, SETNAME, 0, "C"),
    U(0x2115, SETNAME, 0, "N"),
    U(0x211A, SETNAME, 0, "Q"),
    U(0x211D, SETNAME, 0, "R"),
    U(0x2124, SETNAME, 0, "Z"),
    U(0x2205, SETNAME, 0, "empty"),
    U(0x00D8, SETNAME, 0, "empty"),
    U(0x2190, REL, AST_RELATED, NULL),
    U(0x2192, REL, AST_RELATED, NULL),
    U(0x21D2, REL, AST_RELATED, NULL),
    U(0x21D4, REL, AST_RELATED, NULL),
    U(0x2209, REL, AST_RELATED, NULL),
    U(0x2261, REL, AST_RELATED, NULL),
    U(0x223C, REL, AST_RELATED, NULL),
    U(0x2282, REL, AST_RELATED, NULL),
    U(0x2225, REL, AST_RELATED, NULL),
    U(0x22A5, REL, AST_RELATED, NULL),
    U(0x2208, REL, AST_IN, NULL),
    U(0x2234, REL, AST_RELATED, NULL),
    U(0x2248, REL, AST_APPROX, NULL),
    U(0x2245, REL, AST_RELATED, NULL),
    U(0x2260, REL, AST_NE, NULL),
    U(0x2264, REL, AST_LE, NULL),
    U(0x2265, REL, AST_GE, NULL),
    U(0x2A7D, REL, AST_LE, NULL),
    U(0x2A7E, REL, AST_GE, NULL),
    U(0x2266, REL, AST_LE, NULL),
    U(0x2267, REL, AST_GE, NULL),
    U(0xFF1C, REL, AST_LT, NULL),
    U(0xFF1D, REL, AST_EQ, NULL),
    U(0xFF1E, REL, AST_GT, NULL),
    U(0x2200, TEXT, 0, "forall"),
    U(0x25B3, TEXT, 0, "triangle"),
    U(0x2211, BIG, AST_BIG_SUM, NULL),
    U(0x220F, BIG, AST_BIG_PROD, NULL),
    U(0x222B, BIG, AST_BIG_OTHER, NULL),
    U(0x2216, SETMINUS, 0, NULL),
    U(0x2227, AND, 0, NULL),
    U(0x2228, OR, 0, NULL),
    U(0x2229, CAP, 0, NULL),
    U(0x222A, CUP, 0, NULL),
    U(0x22C3, CUP, 0, NULL),
    U(0x221A, SQRT, 0, NULL),
    U(0x221B, FUNC, AST_ROOT, "3"),
    U(0x221C, FUNC, AST_ROOT, "4"),
    U(0x2236, COLON, 0, NULL),
    U(0xFF1A, COLON, 0, NULL),
    U(0x3001, COMMA, 0, NULL),
    U(0xFF0C, COMMA, 0, NULL),
    U(0xFF1B, SEMI, 0, NULL),
    U(0xFF05, PERCENT, 0, NULL),
    U(0xFF5C, MID, 0, NULL),
    U(0x2308, LCEIL, 0, NULL),
    U(0x2309, RCEIL, 0, NULL),
    U(0x230A, LFLOOR, 0, NULL),
    U(0x230B, RFLOOR, 0, NULL),
    U(0x27E8, LPAREN, 0, NULL),
    U(0x27E9, RPAREN, 0, NULL),
    U(0xFF08, LPAREN, 0, NULL),
    U(0xFF09, RPAREN, 0, NULL),
    U(0x3010, LBRACK, 0, NULL),
    U(0x3011, RBRACK, 0, NULL),
    U(0x2329, LPAREN, 0, NULL),
    U(0x232A, RPAREN, 0, NULL),
};

static const struct word *find(const struct word *table, size_t n, struct str name) {
    for (size_t i = 0; i < n; i++) {
        if (table[i].name[0] == name.p[0] && strncmp(table[i].name, name.p, name.n) == 0 &&
            table[i].name[name.n] == '\0') {
            return &table[i];
        }
    }
    return NULL;
}

#define FIND(table, name) find(table, ARRAY_LEN(table), name)

static const struct word *find_greek(struct str name) {
    const struct word *w = FIND(greek_small, name);
    w = w != NULL ? w : FIND(greek_capitals, name);
    return w != NULL ? w : FIND(greek_variants, name);
}

const struct word *word_command(struct str name) {
    if (name.n == 0) {
        return NULL;
    }
    const struct word *w = FIND(commands, name);
    w = w != NULL ? w : FIND(functions, name);
    return w != NULL ? w : find_greek(name);
}

const struct word *word_plain(struct str name) {
    if (name.n < 2) {
        return NULL;
    }
    const struct word *w = FIND(functions, name);
    w = w != NULL ? w : FIND(plain, name);
    return w != NULL ? w : find_greek(name);
}

const struct word *word_unicode(uint32_t code) {
    if (code >= 0x391 && code < 0x391 + ARRAY_LEN(greek_capitals)) {
        return &greek_capitals[code - 0x391];
    }
    if (code >= 0x3B1 && code < 0x3B1 + ARRAY_LEN(greek_small)) {
        return &greek_small[code - 0x3B1];
    }
    static const struct word space = ROLE("", SPACE);
    if (code >= 0x2000 && code <= 0x200A) {
        return &space;
    }
    for (size_t i = 0; i < ARRAY_LEN(unicode); i++) {
        if (unicode[i].code == code) {
            return &unicode[i].word;
        }
    }
    return NULL;
}
