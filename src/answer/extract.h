/* extract.h - the final answer in what a model wrote. */
#ifndef STUMPER_ANSWER_EXTRACT_H
#define STUMPER_ANSWER_EXTRACT_H

#include "base/str.h"

/**
 * Find the final answer: the last \boxed{} (braces balanced), "final answer is …", "#### …",
 * "Answer: …", else the last displayed or inline formula, else the last line. Reasoning in <think>
 * is skipped unless there is nothing else.
 *
 * @a       owns a copy where one must be made; the result otherwise points into @text
 * @return  trimmed, without surrounding $ and emphasis; empty if the text is
 */
struct str answer_extract(struct str text, struct arena *a);

#endif
