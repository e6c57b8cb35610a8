/* classes.h -- how the tokenizers library classes characters from U+0080 on: some of its tables are older than
 * utf8proc's, some newer */
#ifndef CKPT_TEXT_CLASSES_H
#define CKPT_TEXT_CLASSES_H
#include <stdbool.h>
#include <stdint.h>

bool ckpt_class_punctuation(uint32_t c);
bool ckpt_class_control(uint32_t c);    /* what BertNormalizer removes */
bool ckpt_class_nonspacing(uint32_t c); /* the marks that BertNormalizer strips */
bool ckpt_class_mark(uint32_t c);       /* those that StripAccents strips */
bool ckpt_class_numeric(uint32_t c);    /* what Digits sets apart */
bool ckpt_class_word(uint32_t c);       /* what Whitespace joins to letters */
bool ckpt_class_decomposed(uint32_t c); /* what the normal forms decompose */
bool ckpt_class_ordered(uint32_t c);    /* the marks that the normal forms sort */
uint32_t ckpt_class_lower(uint32_t c);  /* c itself where it has no lower case of one character */
#endif
