/* classes.h -- how the tokenizers library classes characters from U+0080 on, whose tables are older than utf8proc's */
#ifndef CKPT_TEXT_CLASSES_H
#define CKPT_TEXT_CLASSES_H
#include <stdbool.h>
#include <stdint.h>

bool ckpt_class_punctuation(uint32_t c);
bool ckpt_class_control(uint32_t c);    /* what BertNormalizer removes */
bool ckpt_class_nonspacing(uint32_t c); /* the marks that BertNormalizer strips */
bool ckpt_class_mark(uint32_t c);       /* those that StripAccents strips */
bool ckpt_class_whole(uint32_t c);      /* what no form decomposes */
#endif
