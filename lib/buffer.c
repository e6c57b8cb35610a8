/* buffer.c -- a growing run of bytes */
#include "buffer.h"
#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ckpt_buffer_free(ckpt_buffer *b)
{
	free(b->data);
	*b = (ckpt_buffer){0};
}

static bool reserve(ckpt_buffer *b, size_t more)
{
	if (b->failed) return false;
	size_t need;
	if (__builtin_add_overflow(b->length, more, &need) || __builtin_add_overflow(need, (size_t)1, &need)) {
		b->failed = true;
		return false;
	}
	if (need <= b->capacity) return true;
	size_t capacity = b->capacity < 256 ? 256 : b->capacity + b->capacity / 2;
	if (capacity < need) capacity = need;
	char *data = realloc(b->data, capacity);
	if (!data) {
		b->failed = true;
		return false;
	}
	b->data = data;
	b->capacity = capacity;
	return true;
}

void ckpt_buffer_add(ckpt_buffer *b, const void *data, size_t length)
{
	if (!reserve(b, length)) return;
	if (length) memcpy(b->data + b->length, data, length);
	b->length += length;
	b->data[b->length] = '\0';
}

void ckpt_buffer_str(ckpt_buffer *b, const char *text) { ckpt_buffer_add(b, text, strlen(text)); }
void ckpt_buffer_char(ckpt_buffer *b, char c) { ckpt_buffer_add(b, &c, 1); }

void ckpt_buffer_fill(ckpt_buffer *b, char c, size_t count)
{
	if (!reserve(b, count)) return;
	memset(b->data + b->length, c, count);
	b->length += count;
	b->data[b->length] = '\0';
}

void ckpt_buffer_printf(ckpt_buffer *b, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	va_list again;
	va_copy(again, arguments);
	int n = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (n < 0) b->failed = true;
	if (n >= 0 && reserve(b, (size_t)n)) {
		vsnprintf(b->data + b->length, (size_t)n + 1, format, again);
		b->length += (size_t)n;
	}
	va_end(again);
}

bool ckpt_buffer_ok(const ckpt_buffer *b, ckpt_error *err) { return b->failed ? ckpt_fail_nomem(err) : true; }
