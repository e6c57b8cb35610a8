/* pickle_scalar.c -- opcodes of the pickle machine that push one plain value: numbers, strings, bytes */
#include "../lib/checked.h"
#include "../lib/error.h"
#include "pickle_inner.h"

#include <stdlib.h>
#include <string.h>

enum { DECIMAL_BYTES = 32 }; /* longer integers are kept in hexadecimal, which takes no quadratic time */

/* ---- making values ---- */

ckpt_value *ckpt_pickle_make(pickle_machine *m, ckpt_value_kind kind)
{
	if (++m->values > m->options->limits.pickle_values) {
		ckpt_fail_limit(m->err, "values of a pickle:", m->values, "pickle-values",
		                m->options->limits.pickle_values);
		return NULL;
	}
	ckpt_value *v = ckpt_value_new(m->arena, kind);
	if (!v) ckpt_fail_nomem(m->err);
	return v;
}

ckpt_value *ckpt_pickle_make_text(pickle_machine *m, ckpt_value_kind kind, const void *bytes, size_t length)
{
	ckpt_value *v = ckpt_pickle_make(m, kind);
	if (!v) return NULL;
	v->u.text.bytes = ckpt_arena_copy(m->arena, bytes, length);
	v->u.text.length = length;
	if (v->u.text.bytes) return v;
	ckpt_fail_nomem(m->err);
	return NULL;
}

ckpt_value *ckpt_pickle_make_int(pickle_machine *m, int64_t integer)
{
	bool small = integer >= 0 && integer < 256;
	if (small && m->small[integer]) return m->small[integer];
	ckpt_value *v = ckpt_pickle_make(m, CKPT_VALUE_INT);
	if (!v) return NULL;
	v->u.integer = integer;
	if (small) m->small[integer] = v;
	return v;
}

/* Digits of a magnitude, little-endian, which is used up. */
static size_t decimal(uint8_t *magnitude, size_t length, char *out)
{
	char digits[DECIMAL_BYTES * 3];
	size_t count = 0, written = 0;
	while (length) {
		unsigned rest = 0;
		for (size_t i = length; i-- > 0;) {
			unsigned v = rest << 8 | magnitude[i];
			magnitude[i] = (uint8_t)(v / 10);
			rest = v % 10;
		}
		digits[count++] = (char)('0' + rest);
		while (length && magnitude[length - 1] == 0) length--;
	}
	while (count) out[written++] = digits[--count];
	return written;
}

static size_t hexadecimal(const uint8_t *magnitude, size_t length, char *out)
{
	static const char digits[] = "0123456789abcdef";
	size_t written = 0;
	out[written++] = '0';
	out[written++] = 'x';
	for (size_t i = length; i-- > 0;) {
		if (i + 1 < length || magnitude[i] >> 4) out[written++] = digits[magnitude[i] >> 4];
		out[written++] = digits[magnitude[i] & 15];
	}
	return written;
}

ckpt_value *ckpt_pickle_make_long(pickle_machine *m, const uint8_t *bytes, size_t length)
{
	bool negative = length && bytes[length - 1] & 0x80;
	uint8_t sign = negative ? 0xff : 0;
	while (length > 1 && bytes[length - 1] == sign && ((bytes[length - 2] ^ sign) & 0x80) == 0) length--;
	if (length <= 8) {
		uint64_t bits = negative ? UINT64_MAX : 0;
		for (size_t i = length; i-- > 0;) bits = bits << 8 | bytes[i];
		return ckpt_pickle_make_int(m, (int64_t)bits);
	}
	ckpt_value *v = NULL;
	uint8_t *magnitude = malloc(length);
	char *text = malloc(length * 3 + 4);
	if (!magnitude || !text) {
		ckpt_fail_nomem(m->err);
		goto done;
	}
	unsigned carry = negative;
	for (size_t i = 0; i < length; i++) {
		unsigned b = (unsigned)(bytes[i] ^ sign) + carry;
		magnitude[i] = (uint8_t)b;
		carry = b >> 8;
	}
	size_t used = length; /* -2^n has a magnitude as long as the number; nothing is carried out of it */
	while (used && magnitude[used - 1] == 0) used--;
	char *digits = text;
	if (negative) *digits++ = '-';
	size_t n = used <= DECIMAL_BYTES ? decimal(magnitude, used, digits) : hexadecimal(magnitude, used, digits);
	v = ckpt_pickle_make_text(m, CKPT_VALUE_BIGINT, text, (size_t)(digits - text) + n);
done:
	free(magnitude);
	free(text);
	return v;
}

/* ---- UTF-8 ---- */

static bool is_ascii(const uint8_t *s, size_t length)
{
	size_t i = 0;
	for (; i + 8 <= length; i += 8) {
		uint64_t word;
		memcpy(&word, s + i, 8);
		if (word & UINT64_C(0x8080808080808080)) return false;
	}
	for (; i < length; i++)
		if (s[i] & 0x80) return false;
	return true;
}

bool ckpt_pickle_is_utf8(const uint8_t *s, size_t length)
{
	if (is_ascii(s, length)) return true;
	for (size_t i = 0; i < length;) {
		if (s[i] < 0x80) {
			i++;
			continue;
		}
		size_t n = s[i] >= 0xf0 ? 4 : s[i] >= 0xe0 ? 3 : 2;
		if (s[i] < 0xc2 || s[i] > 0xf4 || length - i < n) return false;
		for (size_t k = 1; k < n; k++)
			if ((s[i + k] & 0xc0) != 0x80) return false;
		if (s[i] == 0xe0 && s[i + 1] < 0xa0) return false;
		if (s[i] == 0xf0 && s[i + 1] < 0x90) return false;
		if (s[i] == 0xf4 && s[i + 1] > 0x8f) return false;
		i += n;
	}
	return true;
}

ckpt_value *ckpt_pickle_make_str2(pickle_machine *m, const void *bytes, size_t length)
{
	m->result.python2 = true;
	ckpt_value_kind kind = ckpt_pickle_is_utf8(bytes, length) ? CKPT_VALUE_STRING : CKPT_VALUE_BYTES;
	return ckpt_pickle_make_text(m, kind, bytes, length);
}

/* ---- constants ---- */

/* The one value of its kind, made on first use. */
static bool push_single(pickle_machine *m, ckpt_value **single, ckpt_value_kind kind, bool boolean)
{
	if (!*single) {
		*single = ckpt_pickle_make(m, kind);
		if (*single && kind == CKPT_VALUE_BOOL) (*single)->u.boolean = boolean;
	}
	return ckpt_pickle_push(m, *single);
}

static bool op_none(pickle_machine *m)
{
	return push_single(m, &m->none, CKPT_VALUE_NONE, false);
}
static bool op_true(pickle_machine *m)
{
	return push_single(m, &m->yes, CKPT_VALUE_BOOL, true);
}
static bool op_false(pickle_machine *m)
{
	return push_single(m, &m->no, CKPT_VALUE_BOOL, false);
}
static bool op_empty_tuple(pickle_machine *m)
{
	return push_single(m, &m->empty_tuple, CKPT_VALUE_TUPLE, false);
}

/* ---- numbers ---- */

static bool op_binint(pickle_machine *m)
{
	const uint8_t *p = ckpt_pickle_take(m, 4);
	return p && ckpt_pickle_push(m, ckpt_pickle_make_int(m, (int32_t)ckpt_le32(p)));
}

static bool op_binint1(pickle_machine *m)
{
	const uint8_t *p = ckpt_pickle_take(m, 1);
	return p && ckpt_pickle_push(m, ckpt_pickle_make_int(m, *p));
}

static bool op_binint2(pickle_machine *m)
{
	const uint8_t *p = ckpt_pickle_take(m, 2);
	return p && ckpt_pickle_push(m, ckpt_pickle_make_int(m, ckpt_le16(p)));
}

static bool push_long(pickle_machine *m, uint64_t length)
{
	const uint8_t *p = ckpt_pickle_take(m, length);
	return p && ckpt_pickle_push(m, ckpt_pickle_make_long(m, p, (size_t)length));
}

static bool op_long1(pickle_machine *m)
{
	const uint8_t *p = ckpt_pickle_take(m, 1);
	return p && push_long(m, *p);
}

static bool op_long4(pickle_machine *m)
{
	const uint8_t *p = ckpt_pickle_take(m, 4);
	if (!p) return false;
	if (ckpt_le32(p) > INT32_MAX) return ckpt_pickle_fail(m, "the length of the number is negative");
	return push_long(m, ckpt_le32(p));
}

static bool op_binfloat(pickle_machine *m)
{
	const uint8_t *p = ckpt_pickle_take(m, 8);
	if (!p) return false;
	uint64_t bits = 0;
	for (int i = 0; i < 8; i++) bits = bits << 8 | p[i];
	ckpt_value *v = ckpt_pickle_make(m, CKPT_VALUE_FLOAT);
	if (v) memcpy(&v->u.real, &bits, 8);
	return ckpt_pickle_push(m, v);
}

/* ---- strings and bytes; their length has 1, 4 or 8 bytes ---- */

static const uint8_t *take_counted(pickle_machine *m, unsigned width, bool is_signed, size_t *length)
{
	const uint8_t *p = ckpt_pickle_take(m, width);
	if (!p) return NULL;
	uint64_t n = width == 1 ? *p : width == 4 ? ckpt_le32(p) : ckpt_le64(p);
	if (is_signed && n > INT32_MAX) {
		ckpt_pickle_fail(m, "its length is negative");
		return NULL;
	}
	p = ckpt_pickle_take(m, n);
	if (p) *length = (size_t)n;
	return p;
}

static bool push_unicode(pickle_machine *m, unsigned width)
{
	size_t length;
	const uint8_t *p = take_counted(m, width, false, &length);
	if (!p) return false;
	if (!ckpt_pickle_is_utf8(p, length)) return ckpt_pickle_fail(m, "its %zu bytes are no UTF-8", length);
	return ckpt_pickle_push(m, ckpt_pickle_make_text(m, CKPT_VALUE_STRING, p, length));
}

static bool op_short_binunicode(pickle_machine *m)
{
	return push_unicode(m, 1);
}
static bool op_binunicode(pickle_machine *m)
{
	return push_unicode(m, 4);
}
static bool op_binunicode8(pickle_machine *m)
{
	return push_unicode(m, 8);
}

static bool push_bytes(pickle_machine *m, unsigned width, ckpt_value_kind kind)
{
	size_t length;
	const uint8_t *p = take_counted(m, width, false, &length);
	return p && ckpt_pickle_push(m, ckpt_pickle_make_text(m, kind, p, length));
}

static bool op_short_binbytes(pickle_machine *m)
{
	return push_bytes(m, 1, CKPT_VALUE_BYTES);
}
static bool op_binbytes(pickle_machine *m)
{
	return push_bytes(m, 4, CKPT_VALUE_BYTES);
}
static bool op_binbytes8(pickle_machine *m)
{
	return push_bytes(m, 8, CKPT_VALUE_BYTES);
}
static bool op_bytearray8(pickle_machine *m)
{
	return push_bytes(m, 8, CKPT_VALUE_BYTEARRAY);
}

static bool push_str2(pickle_machine *m, unsigned width)
{
	size_t length;
	const uint8_t *p = take_counted(m, width, width == 4, &length);
	return p && ckpt_pickle_push(m, ckpt_pickle_make_str2(m, p, length));
}

static bool op_short_binstring(pickle_machine *m)
{
	return push_str2(m, 1);
}
static bool op_binstring(pickle_machine *m)
{
	return push_str2(m, 4);
}

const pickle_op ckpt_pickle_scalar_ops[] = {
	{'N', "NONE", op_none},
	{0x88, "NEWTRUE", op_true},
	{0x89, "NEWFALSE", op_false},
	{')', "EMPTY_TUPLE", op_empty_tuple},
	{'J', "BININT", op_binint},
	{'K', "BININT1", op_binint1},
	{'M', "BININT2", op_binint2},
	{0x8a, "LONG1", op_long1},
	{0x8b, "LONG4", op_long4},
	{'G', "BINFLOAT", op_binfloat},
	{0x8c, "SHORT_BINUNICODE", op_short_binunicode},
	{'X', "BINUNICODE", op_binunicode},
	{0x8d, "BINUNICODE8", op_binunicode8},
	{'C', "SHORT_BINBYTES", op_short_binbytes},
	{'B', "BINBYTES", op_binbytes},
	{0x8e, "BINBYTES8", op_binbytes8},
	{0x96, "BYTEARRAY8", op_bytearray8},
	{'U', "SHORT_BINSTRING", op_short_binstring},
	{'T', "BINSTRING", op_binstring},
	{0},
};
