/* pattern.h -- what a tokenizer searches for: a fixed string, or a regular expression through PCRE2 with limits */
#ifndef CKPT_TEXT_PATTERN_H
#define CKPT_TEXT_PATTERN_H
#include "../ckpt.h"

typedef struct ckpt_pattern ckpt_pattern;
typedef struct ckpt_matcher ckpt_matcher; /* the memory that a search needs; one a thread */

ckpt_pattern *ckpt_pattern_string(const char *text, ckpt_error *err);
/* expression: as Oniguruma and Rust read it; \s and \w are those of Unicode. Refuses what PCRE2 cannot read. */
ckpt_pattern *ckpt_pattern_regex(const char *expression, ckpt_error *err);
void ckpt_pattern_free(ckpt_pattern *p);

ckpt_matcher *ckpt_matcher_new(ckpt_error *err);
void ckpt_matcher_free(ckpt_matcher *m);
/* All searches from here to the next begin share the steps that a text of so many bytes may cost. */
void ckpt_matcher_begin(ckpt_matcher *m, size_t length);

/* The first match at or behind `at` in a valid text; *found false: there is none. False: the searches since
 * ckpt_matcher_begin took too many steps. */
bool ckpt_pattern_find(const ckpt_pattern *p, ckpt_matcher *m, const char *text, size_t length, size_t at, bool *found,
                       size_t *begin, size_t *end, ckpt_error *err);
#endif
