/* unicode.h -- what characters are, through utf8proc, as the tokenizers library sees them */
#ifndef CKPT_TEXT_UNICODE_H
#define CKPT_TEXT_UNICODE_H
#include "aligned.h"

bool ckpt_unicode_space(uint32_t c);       /* White_Space */
bool ckpt_unicode_punctuation(uint32_t c); /* ASCII punctuation, and the categories P* */
bool ckpt_unicode_control(uint32_t c);     /* what BertNormalizer removes: C*, but not tab and line ends */
bool ckpt_unicode_mark(uint32_t c);        /* M* */
bool ckpt_unicode_nonspacing(uint32_t c);  /* Mn */
bool ckpt_unicode_numeric(uint32_t c);     /* N* */
bool ckpt_unicode_word(uint32_t c);        /* \w of Unicode regular expressions */
bool ckpt_unicode_chinese(uint32_t c);     /* the CJK blocks that BERT sets apart */

/* Columns that c takes on a terminal: 0, 1 or 2. */
unsigned ckpt_unicode_columns(uint32_t c);

/* The lower case of c into out (room for 2); returns how many. */
size_t ckpt_unicode_lower(uint32_t c, uint32_t out[2]);

/* Canonical or compatible decomposition of a valid text, in canonical order, composed again on request. Each character
 * carries the change that ckpt_aligned_change expects. */
void ckpt_unicode_normalize(ckpt_changes *out, const char *text, size_t length, bool compatible, bool compose);
/* The end of the grapheme cluster that begins at `at`. */
size_t ckpt_unicode_grapheme(const char *text, size_t length, size_t at);
#endif
