/* extract.h - the final answer in what a model wrote.
 *
 * Pure text work: linear in the length of the text (each rule reads it once), nothing is evaluated.
 * Any bytes are accepted. */
#ifndef STUMPER_ANSWER_EXTRACT_H
#define STUMPER_ANSWER_EXTRACT_H

#include "base/str.h"

/* Where an answer was found, surest first. Those after ANSWER_FROM_TAG are guesses: the writer did
 * not mark the answer, so it must never be the ground for saying that two answers differ. */
enum answer_source {
    ANSWER_FROM_BOX,     /* \boxed{…}, \fbox{…}; several close together are joined by ", " */
    ANSWER_FROM_MARK,    /* "final answer is …", "Answer: …", "#### …" */
    ANSWER_FROM_TAG,     /* <answer>…</answer> */
    ANSWER_FROM_FORMULA, /* the last formula */
    ANSWER_FROM_NUMBER,  /* the last number, or the last choice letter */
    ANSWER_FROM_LINE,    /* nothing looks like an answer: the last line */
};

struct answer_found {
    struct str text; /* trimmed, without surrounding $ and emphasis */
    enum answer_source source;
};

/**
 * Find the final answer.
 *
 * Reasoning up to the last </think> and everything after a chat-template token is skipped unless
 * there is nothing else.
 *
 * @choices  0, or how many lettered choices the question has: then only a letter from A to the
 *           @choices-th is an answer (returned as a capital), anything else is ANSWER_FROM_LINE
 * @a        owns a copy where one must be made; the text otherwise points into @text
 * @return   an empty text if @text has none
 */
struct answer_found answer_find(struct str text, int choices, struct arena *a);

/** @s without surrounding $, emphasis, white space and closing punctuation. */
struct str answer_strip(struct str s);

/** The text of answer_find() for a question without choices. */
struct str answer_extract(struct str text, struct arena *a);

#endif
