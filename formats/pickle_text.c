/* pickle_text.c -- opcodes of protocol 0, whose arguments are lines of text */
#include "../lib/error.h"
#include "../lib/utf8.h"
#include "pickle_inner.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS_MOST = 4300 }; /* Python's own limit on integers in text */

/* ---- numbers ---- */

static bool is_integer(const char *s, size_t length)
{
	size_t i = length && (*s == '-' || *s == '+');
	if (i == length) return false;
	for (; i < length; i++)
		if (s[i] < '0' || s[i] > '9') return false;
	return true;
}

static bool push_decimal(pickle_machine *m, const char *line, size_t length)
{
	char text[32];
	if (length > DIGITS_MOST)
		return ckpt_pickle_fail(m, "a number of %zu digits is too long (at most %d are read)", length,
		                        DIGITS_MOST);
	if (!is_integer(line, length)) return ckpt_pickle_fail(m, "its text is no integer number");
	bool minus = *line == '-';
	if (minus || *line == '+') line++, length--;
	while (length > 1 && *line == '0') line++, length--;
	if (length < 20) {
		uint64_t n = 0;
		for (size_t i = 0; i < length; i++) n = n * 10 + (uint64_t)(line[i] - '0');
		if (n <= INT64_MAX)
			return ckpt_pickle_push(m, ckpt_pickle_make_int(m, minus ? -(int64_t)n : (int64_t)n));
		if (minus && n == (uint64_t)INT64_MAX + 1)
			return ckpt_pickle_push(m, ckpt_pickle_make_int(m, INT64_MIN));
	}
	char *copy = length + 2 <= sizeof text ? text : malloc(length + 2);
	if (!copy) return ckpt_fail_nomem(m->err);
	size_t n = 0;
	if (minus) copy[n++] = '-';
	memcpy(copy + n, line, length);
	ckpt_value *v = ckpt_pickle_make_text(m, CKPT_VALUE_BIGINT, copy, n + length);
	if (copy != text) free(copy);
	return ckpt_pickle_push(m, v);
}

/* "01" and "00" are True and False of Python 2. */
static bool op_int(pickle_machine *m)
{
	const char *line;
	size_t length;
	if (!ckpt_pickle_line(m, &line, &length)) return false;
	if (length == 2 && line[0] == '0' && (line[1] == '0' || line[1] == '1')) {
		ckpt_value *v = ckpt_pickle_make(m, CKPT_VALUE_BOOL);
		if (v) v->u.boolean = line[1] == '1';
		return ckpt_pickle_push(m, v);
	}
	return push_decimal(m, line, length);
}

static bool op_long(pickle_machine *m)
{
	const char *line;
	size_t length;
	if (!ckpt_pickle_line(m, &line, &length)) return false;
	if (length && line[length - 1] == 'L') length--;
	return push_decimal(m, line, length);
}

static bool op_float(pickle_machine *m)
{
	const char *line;
	size_t length;
	char text[512], *end;
	if (!ckpt_pickle_line(m, &line, &length)) return false;
	if (length == 0 || length >= sizeof text)
		return ckpt_pickle_fail(m, "its text of %zu bytes is no float", length);
	memcpy(text, line, length);
	text[length] = '\0';
	locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	if (!c) return ckpt_fail_nomem(m->err);
	double value = strtod_l(text, &end, c);
	freelocale(c);
	if (end != text + length || strpbrk(text, "xX(")) return ckpt_pickle_fail(m, "its text is no float number");
	ckpt_value *v = ckpt_pickle_make(m, CKPT_VALUE_FLOAT);
	if (v) v->u.real = value;
	return ckpt_pickle_push(m, v);
}

/* ---- strings ---- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9') return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* n hexadecimal digits; -1 when there are none such. */
static int64_t hex_number(const char *s, size_t left, size_t n)
{
	int64_t v = 0;
	if (left < n) return -1;
	for (size_t i = 0; i < n; i++) {
		int d = hex_digit(s[i]);
		if (d < 0) return -1;
		v = v * 16 + d;
	}
	return v;
}

/* One escape of a str literal of Python behind its backslash; returns what it takes, 0 when it is none. */
static size_t unescape(const char *s, size_t left, char *out)
{
	static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
	const char *at = left ? strchr(from, *s) : NULL;
	if (at && *s) {
		*out = to[at - from];
		return 1;
	}
	if (left && *s == 'x') {
		int64_t v = hex_number(s + 1, left - 1, 2);
		*out = (char)v;
		return v < 0 ? 0 : 3;
	}
	size_t n = 0;
	unsigned v = 0;
	while (n < 3 && n < left && s[n] >= '0' && s[n] <= '7') v = v * 8 + (unsigned)(s[n++] - '0');
	*out = (char)v;
	return v > 255 ? 0 : n;
}

static bool op_string(pickle_machine *m)
{
	const char *line;
	size_t length, n = 0;
	if (!ckpt_pickle_line(m, &line, &length)) return false;
	while (length && (line[length - 1] == ' ' || line[length - 1] == '\r')) length--;
	if (length < 2 || (*line != '\'' && *line != '"') || line[length - 1] != *line)
		return ckpt_pickle_fail(m, "its string has no quotes around it");
	char *text = malloc(length);
	if (!text) return ckpt_fail_nomem(m->err);
	for (size_t i = 1; i + 1 < length;) {
		if (line[i] != '\\') {
			text[n++] = line[i++];
			continue;
		}
		size_t used = unescape(line + i + 1, length - i - 2, &text[n]);
		if (!used) {
			free(text);
			return ckpt_pickle_fail(m, "its string has a bad escape at byte %zu", i);
		}
		n++;
		i += 1 + used;
	}
	ckpt_value *v = ckpt_pickle_make_str2(m, text, n);
	free(text);
	return ckpt_pickle_push(m, v);
}

/* "raw-unicode-escape": Latin-1 with \uXXXX and \UXXXXXXXX. */
static bool op_unicode(pickle_machine *m)
{
	const char *line;
	size_t length, n = 0;
	if (!ckpt_pickle_line(m, &line, &length)) return false;
	char *text = malloc(length * 2 + 1); /* a byte becomes at most two, an escape of six or ten at most four */
	if (!text) return ckpt_fail_nomem(m->err);
	for (size_t i = 0; i < length;) {
		int64_t code = (uint8_t)line[i];
		size_t used = 1;
		if (code == '\\' && i + 1 < length && (line[i + 1] == 'u' || line[i + 1] == 'U')) {
			size_t digits = line[i + 1] == 'u' ? 4 : 8;
			code = hex_number(line + i + 2, length - i - 2, digits);
			used = 2 + digits;
		}
		if (code < 0 || code > 0x10ffff) {
			free(text);
			return ckpt_pickle_fail(m, "its string has a bad escape at byte %zu", i);
		}
		char bytes[4];
		size_t k = ckpt_utf8_encode((uint32_t)code, bytes);
		memcpy(text + n, bytes, k);
		n += k;
		i += used;
	}
	ckpt_value *v = ckpt_pickle_make_text(m, CKPT_VALUE_STRING, text, n);
	free(text);
	return ckpt_pickle_push(m, v);
}

const pickle_op ckpt_pickle_text_ops[] = {
	{'I', "INT", op_int},       {'L', "LONG", op_long},       {'F', "FLOAT", op_float},
	{'S', "STRING", op_string}, {'V', "UNICODE", op_unicode}, {0},
};
