/* json_scan.c -- RFC 8259 to the letter: strict UTF-8, no lone surrogate, no NUL, nothing behind the value */
#include <stdio.h>
#include <string.h>
#include "error.h"
#include "json_scan.h"
#include "utf8.h"

/* ---- messages -------------------------------------------------------------------------------------------------- */

static bool fail_at(const ckpt_json_scanner *s, size_t at, const char *what)
{
	size_t line = 1, start = 0;
	for (size_t i = 0; i < at; i++)
		if (s->text[i] == '\n') {
			line++;
			start = i + 1;
		}
	return ckpt_fail(s->err, CKPT_E_FORMAT, "invalid JSON at line %zu, column %zu: %s", line, at - start + 1, what);
}

bool ckpt_json_fail_unexpected(const ckpt_json_scanner *s, const char *wanted)
{
	if (s->at >= s->length) {
		char what[96];
		snprintf(what, sizeof what, "the text ends where %s should be", wanted);
		return fail_at(s, s->at, what);
	}
	unsigned char c = s->text[s->at];
	char what[96];
	if (c > 0x20 && c < 0x7f)
		snprintf(what, sizeof what, "'%c' where %s should be", c, wanted);
	else
		snprintf(what, sizeof what, "byte 0x%02x where %s should be", c, wanted);
	return fail_at(s, s->at, what);
}

/* ---- scanning -------------------------------------------------------------------------------------------------- */

static void emit(ckpt_json_scanner *s, const void *data, size_t length)
{
	if (s->out) ckpt_buffer_add(s->out, data, length);
}

static int hex_digit(unsigned char c)
{
	if (c >= '0' && c <= '9') return c - '0';
	if (c >= 'a' && c <= 'f') return c - 'a' + 10;
	if (c >= 'A' && c <= 'F') return c - 'A' + 10;
	return -1;
}

/* The four digits at `at`, or -1. */
static long hex4(const ckpt_json_scanner *s, size_t at)
{
	if (s->length - at < 4) return -1;
	long value = 0;
	for (size_t i = 0; i < 4; i++) {
		int digit = hex_digit(s->text[at + i]);
		if (digit < 0) return -1;
		value = value * 16 + digit;
	}
	return value;
}

/* at stands on the backslash; moves behind the escape. */
static bool scan_escape(ckpt_json_scanner *s)
{
	size_t start = s->at++;
	int c = ckpt_json_peek(s);
	if (c < 0) return fail_at(s, s->at, "the text ends inside a string");
	if (c != 'u') {
		if (c == 0 || !strchr("\"\\/bfnrt", c)) return fail_at(s, start, "unknown escape in a string");
		s->at++;
		return true;
	}
	long unit = hex4(s, s->at + 1);
	if (unit < 0) return fail_at(s, start, "\\u without four hexadecimal digits");
	if (unit == 0) return fail_at(s, start, "a NUL character (\\u0000) in a string");
	s->at += 5;
	if (unit < 0xd800 || unit > 0xdfff) return true;
	long second =
		unit < 0xdc00 && s->length - s->at >= 2 && memcmp(s->text + s->at, "\\u", 2) == 0 ? hex4(s, s->at + 2) : -1;
	if (second < 0xdc00 || second > 0xdfff) return fail_at(s, start, "lone surrogate in a string");
	s->at += 6;
	return true;
}

/* at stands on the opening quote; moves behind the closing one. */
static bool scan_string(ckpt_json_scanner *s)
{
	size_t start = s->at++;
	for (;;) {
		while (s->at < s->length && s->text[s->at] >= 0x20 && s->text[s->at] < 0x80 && s->text[s->at] != '"' &&
		       s->text[s->at] != '\\')
			s->at++;
		int c = ckpt_json_peek(s);
		if (c < 0) return fail_at(s, start, "a string that does not end");
		if (c == '"') break;
		if (c == '\\') {
			if (!scan_escape(s)) return false;
		} else if (c < 0x20) {
			return fail_at(s, s->at, "control character in a string");
		} else {
			uint32_t code_point;
			size_t n = ckpt_utf8_decode((const char *)s->text + s->at, s->length - s->at, &code_point);
			if (n == 0) return fail_at(s, s->at, "invalid UTF-8 in a string");
			s->at += n;
		}
	}
	s->at++;
	return true;
}

static bool skip_digits(ckpt_json_scanner *s)
{
	size_t start = s->at;
	while (s->at < s->length && s->text[s->at] >= '0' && s->text[s->at] <= '9') s->at++;
	return s->at > start;
}

static bool scan_number(ckpt_json_scanner *s)
{
	size_t start = s->at;
	if (ckpt_json_peek(s) == '-') s->at++;
	if (ckpt_json_peek(s) == '0') {
		s->at++;
		if (ckpt_json_peek(s) >= '0' && ckpt_json_peek(s) <= '9')
			return fail_at(s, start, "a number with a leading zero");
	} else if (!skip_digits(s)) {
		return ckpt_json_fail_unexpected(s, "a digit");
	}
	if (ckpt_json_peek(s) == '.') {
		s->at++;
		if (!skip_digits(s)) return ckpt_json_fail_unexpected(s, "a digit");
	}
	if (ckpt_json_peek(s) == 'e' || ckpt_json_peek(s) == 'E') {
		s->at++;
		if (ckpt_json_peek(s) == '+' || ckpt_json_peek(s) == '-') s->at++;
		if (!skip_digits(s)) return ckpt_json_fail_unexpected(s, "a digit");
	}
	emit(s, "\"n", 2);
	emit(s, s->text + start, s->at - start);
	emit(s, "\"", 1);
	return true;
}

static bool scan_word(ckpt_json_scanner *s)
{
	static const char *const words[] = {"true", "false", "null"};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		size_t n = strlen(words[i]);
		if (s->length - s->at < n || memcmp(s->text + s->at, words[i], n) != 0) continue;
		s->at += n;
		emit(s, words[i], n);
		return true;
	}
	return ckpt_json_fail_unexpected(s, "a value");
}

static bool scan_scalar(ckpt_json_scanner *s)
{
	int c = ckpt_json_peek(s);
	if (c == '"') {
		size_t start = s->at;
		if (!scan_string(s)) return false;
		emit(s, "\"s", 2);
		emit(s, s->text + start + 1, s->at - start - 1);
		return true;
	}
	return c == '-' || (c >= '0' && c <= '9') ? scan_number(s) : scan_word(s);
}

/* A member's key and the colon. */
bool ckpt_json_scan_key(ckpt_json_scanner *s)
{
	ckpt_json_skip_space(s);
	size_t start = s->at;
	if (ckpt_json_peek(s) != '"') return ckpt_json_fail_unexpected(s, "a quoted key");
	if (!scan_string(s)) return false;
	emit(s, s->text + start, s->at - start);
	ckpt_json_skip_space(s);
	if (ckpt_json_peek(s) != ':') return ckpt_json_fail_unexpected(s, "':'");
	s->at++;
	emit(s, ":", 1);
	return true;
}

/* Behind an item of a container that ends with `close`: *more says whether another one follows. */
bool ckpt_json_scan_separator(ckpt_json_scanner *s, char close, bool *more)
{
	ckpt_json_skip_space(s);
	int c = ckpt_json_peek(s);
	*more = c == ',';
	if (c != ',' && c != close) return ckpt_json_fail_unexpected(s, close == '}' ? "',' or '}'" : "',' or ']'");
	s->at++;
	emit(s, *more ? "," : &close, 1);
	return true;
}

/* One value without the space around it. The stack holds the closing brackets that are still due. */
bool ckpt_json_scan_value(ckpt_json_scanner *s, size_t depth)
{
	char stack[CKPT_JSON_MAX_DEPTH];
	size_t level = 0;
	do {
		ckpt_json_skip_space(s);
		int c = ckpt_json_peek(s);
		if (c == '{' || c == '[') {
			if (level == depth) {
				ckpt_fail_limit(s->err, "the nesting of the JSON", s->depth + 1, "depth", s->depth);
				return false;
			}
			char close = c == '{' ? '}' : ']';
			stack[level++] = close;
			emit(s, c == '{' ? "{" : "[", 1);
			s->at++;
			ckpt_json_skip_space(s);
			if (ckpt_json_peek(s) != close) {
				if (close == '}' && !ckpt_json_scan_key(s)) return false;
				continue;
			}
			s->at++;
			emit(s, &close, 1);
			level--;
		} else if (!scan_scalar(s)) {
			return false;
		}
		/* behind a value: close what ends here, up to the next item */
		bool more = false;
		while (level > 0 && !more) {
			if (!ckpt_json_scan_separator(s, stack[level - 1], &more)) return false;
			if (!more) level--;
		}
		if (more && stack[level - 1] == '}' && !ckpt_json_scan_key(s)) return false;
	} while (level > 0);
	return true;
}

bool ckpt_json_scan_end(ckpt_json_scanner *s)
{
	ckpt_json_skip_space(s);
	if (s->at == s->length) return true;
	return fail_at(s, s->at, "trailing characters behind the value");
}
