/* utf8.h -- one strict UTF-8 decoder for everything that checks text */
#ifndef CKPT_LIB_UTF8_H
#define CKPT_LIB_UTF8_H
#include "ckpt.h"

/* Decodes one code point; returns its length in bytes (1 to 4), or 0 when the bytes are no strict UTF-8 (overlong,
 * surrogate, above 0x10ffff, cut off). */
size_t ckpt_utf8_decode(const char *text, size_t length, uint32_t *code_point);
/* Writes a code point (surrogates too, as Python's surrogatepass does); returns its length. */
size_t ckpt_utf8_encode(uint32_t code_point, char out[4]);
/* SIZE_MAX when all of it is valid, else the offset of the first bad byte. */
size_t ckpt_utf8_check(const char *text, size_t length);
/* Control, bidi, zero-width and other characters that must not reach a terminal as they are. */
bool ckpt_utf8_hidden(uint32_t code_point);
#endif
