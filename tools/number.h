/* number.h -- numbers as people read them */
#ifndef CKPT_TOOLS_NUMBER_H
#define CKPT_TOOLS_NUMBER_H
#include <stddef.h>
#include <stdint.h>

#define CKPT_NUMBER_TEXT 32

/* "109,482,240"; returns text. */
const char *ckpt_count_text(uint64_t n, char *text, size_t size);
/* "512 B", "93.8 MB", "1.23 GB": three digits, decimal units; returns text. */
const char *ckpt_bytes_text(double bytes, char *text, size_t size);
/* The shortest decimal form that reads back as the same double ("0.1", "1e-05", "nan", "inf"); returns text. */
const char *ckpt_real_text(double d, char *text, size_t size);
/* "s" unless n is 1. */
const char *ckpt_plural(uint64_t n);
#endif
