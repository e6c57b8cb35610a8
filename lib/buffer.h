/* buffer.h -- a growing run of bytes, for headers and text that are built in memory */
#ifndef CKPT_LIB_BUFFER_H
#define CKPT_LIB_BUFFER_H
#include "ckpt.h"

/* Start with {0}. After a failed append `failed` stays set and later appends do nothing, so that a builder checks
 * once at its end. data is NUL-terminated (not counted) whenever it is not NULL. */
typedef struct ckpt_buffer {
	char *data;
	size_t length, capacity;
	bool failed;
} ckpt_buffer;

void ckpt_buffer_free(ckpt_buffer *b);
void ckpt_buffer_add(ckpt_buffer *b, const void *data, size_t length);
void ckpt_buffer_str(ckpt_buffer *b, const char *text);
void ckpt_buffer_char(ckpt_buffer *b, char c);
void ckpt_buffer_fill(ckpt_buffer *b, char c, size_t count);
void ckpt_buffer_printf(ckpt_buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* False and an out-of-memory error when an append failed. */
bool ckpt_buffer_ok(const ckpt_buffer *b, ckpt_error *err);
#endif
