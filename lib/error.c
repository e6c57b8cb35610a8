/* error.c -- one failure, one whole sentence, safe to print */
#include "error.h"
#include "utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

size_t ckpt_escape(char *destination, size_t size, const char *text, size_t length)
{
	size_t used = 0;
	for (size_t i = 0; i < length;) {
		uint32_t c = (uint8_t)text[i];
		size_t n = ckpt_utf8_decode(text + i, length - i, &c);
		char piece[16];
		size_t m;
		if (n > 0 && !ckpt_utf8_hidden(c)) {
			memcpy(piece, text + i, n);
			m = n;
		} else {
			const char *format = c == '\n'   ? "\\n"
					     : c == '\t' ? "\\t"
					     : c == '\r' ? "\\r"
					     : n <= 1    ? "\\x%02x"
					     : c < 0x10000 ? "\\u%04x"
							   : "\\U%08x";
			m = (size_t)snprintf(piece, sizeof piece, format, c);
		}
		if (used + m + 1 > size) break;
		memcpy(destination + used, piece, m);
		used += m;
		i += n ? n : 1;
	}
	if (size > 0) destination[used] = '\0';
	return used;
}

static void set(ckpt_error *err, ckpt_code code, const char *raw)
{
	err->code = code;
	ckpt_escape(err->text, sizeof err->text, raw, strlen(raw));
}

bool ckpt_fail(ckpt_error *err, ckpt_code code, const char *format, ...)
{
	if (!err) return false;
	char raw[CKPT_ERROR_TEXT];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(raw, sizeof raw, format, arguments);
	va_end(arguments);
	set(err, code, raw);
	return false;
}

bool ckpt_fail_errno(ckpt_error *err, int errnum, const char *format, ...)
{
	if (!err) return false;
	char raw[CKPT_ERROR_TEXT], reason[128];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(raw, sizeof raw, format, arguments);
	va_end(arguments);
	size_t used = strlen(raw);
	snprintf(raw + used, sizeof raw - used, ": %s", strerror_r(errnum, reason, sizeof reason));
	set(err, CKPT_E_IO, raw);
	return false;
}

bool ckpt_fail_nomem(ckpt_error *err) { return ckpt_fail(err, CKPT_E_NOMEM, "out of memory"); }

bool ckpt_fail_limit(ckpt_error *err, const char *what, uint64_t value, const char *limit_name, uint64_t limit)
{
	return ckpt_fail(err, CKPT_E_LIMIT, "%s %llu exceeds the limit of %llu (raise it with --limit %s=N)", what,
			 (unsigned long long)value, (unsigned long long)limit, limit_name);
}

bool ckpt_error_prefix(ckpt_error *err, const char *format, ...)
{
	if (!err) return false;
	char prefix[CKPT_ERROR_TEXT / 2], safe[CKPT_ERROR_TEXT / 2], text[CKPT_ERROR_TEXT];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(prefix, sizeof prefix, format, arguments);
	va_end(arguments);
	ckpt_escape(safe, sizeof safe, prefix, strlen(prefix));
	memcpy(text, err->text, sizeof text);
	size_t used = (size_t)snprintf(err->text, sizeof err->text, "%s: ", safe);
	size_t room = sizeof err->text - used;
	size_t length = strlen(text);
	if (length >= room) { /* cut at a whole character */
		length = room - 1;
		while (length > 0 && ((uint8_t)text[length] & 0xc0) == 0x80) length--;
	}
	memcpy(err->text + used, text, length);
	err->text[used + length] = '\0';
	return false;
}
