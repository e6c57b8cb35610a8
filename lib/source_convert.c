/* source_convert.c -- sources that compute their bytes from another source: cast, byte swap, negation
 *
 * All three work on whole items: a read of any byte range covers the items that it touches, converts them in a buffer
 * on the stack and hands over the wanted part.
 */
#include "cast.h"
#include "checked.h"
#include "dtype.h"
#include "error.h"
#include "source.h"

#include <string.h>

enum { BUFFER = 65536 }; /* bytes converted at once, on the stack */

typedef struct convert_source {
	ckpt_source base;
	ckpt_source *inner;
	ckpt_dtype from, to;
	unsigned item; /* bytes of an item of this source */
	bool imaginary;
	void (*convert)(const struct convert_source *s, const void *in, void *out, size_t count);
} convert_source;

static bool convert_read(const ckpt_source *base, uint64_t offset, size_t length, void *destination, ckpt_error *err)
{
	const convert_source *s = (const convert_source *)base;
	unsigned in_item = (unsigned)(s->from == s->to ? s->item : ckpt_dtype_bits(s->from) / 8);
	size_t step = BUFFER / (in_item > s->item ? in_item : s->item);
	_Alignas(64) unsigned char in[BUFFER], out[BUFFER];
	unsigned char *d = destination;
	while (length > 0) {
		uint64_t first = offset / s->item;
		size_t skip = (size_t)(offset % s->item);
		size_t items = (skip + length + s->item - 1) / s->item;
		if (items > step) items = step;
		size_t bytes = items * s->item;
		size_t n = bytes - skip < length ? bytes - skip : length;
		if (!ckpt_source_read(s->inner, first * in_item, items * in_item, in, err)) return false;
		bool whole = skip == 0 && n == bytes;
		s->convert(s, in, whole ? d : out, items);
		if (!whole) memcpy(d, out + skip, n);
		d += n;
		offset += n;
		length -= n;
	}
	return true;
}

static void convert_drop(ckpt_source *s) { ckpt_source_unref(((convert_source *)s)->inner); }

static const ckpt_source_ops cast_ops = {"cast", convert_read, NULL, convert_drop};
static const ckpt_source_ops swap_ops = {"swap", convert_read, NULL, convert_drop};
static const ckpt_source_ops negate_ops = {"negate", convert_read, NULL, convert_drop};

static void do_cast(const convert_source *s, const void *in, void *out, size_t count)
{
	ckpt_cast(s->from, s->to, in, out, count);
}

ckpt_source *ckpt_source_cast(ckpt_source *inner, ckpt_dtype from, ckpt_dtype to, ckpt_error *err)
{
	if (from == to) return ckpt_source_ref(inner);
	if (!ckpt_cast_supported(from, to)) {
		ckpt_fail(err, CKPT_E_UNSUPPORTED, "cannot convert %s to %s", ckpt_dtype_name(from), ckpt_dtype_name(to));
		return NULL;
	}
	uint64_t length;
	unsigned in = ckpt_dtype_bits(from) / 8, out = ckpt_dtype_bits(to) / 8;
	if (!ckpt_mul_u64(inner->length / in, out, &length)) {
		ckpt_fail(err, CKPT_E_FORMAT, "%llu elements of %s overflow 64 bits", (unsigned long long)(inner->length / in),
			  ckpt_dtype_name(to));
		return NULL;
	}
	convert_source *s = ckpt_source_new(&cast_ops, sizeof *s, length, err);
	if (!s) return NULL;
	s->inner = ckpt_source_ref(inner);
	s->from = from;
	s->to = to;
	s->item = out;
	s->convert = do_cast;
	return &s->base;
}

static void do_swap(const convert_source *s, const void *in, void *out, size_t count)
{
	const unsigned char *p = in;
	unsigned char *q = out;
	unsigned item = s->item;
	for (size_t i = 0; i < count; i++, p += item, q += item)
		for (unsigned k = 0; k < item; k++) q[k] = p[item - 1 - k];
}

ckpt_source *ckpt_source_swap(ckpt_source *inner, unsigned item, ckpt_error *err)
{
	if (item == 1) return ckpt_source_ref(inner);
	if ((item != 2 && item != 4 && item != 8 && item != 16) || inner->length % item) {
		ckpt_fail(err, CKPT_E_FORMAT, "cannot swap %llu bytes in items of %u", (unsigned long long)inner->length, item);
		return NULL;
	}
	convert_source *s = ckpt_source_new(&swap_ops, sizeof *s, inner->length, err);
	if (!s) return NULL;
	s->inner = ckpt_source_ref(inner);
	s->item = item;
	s->convert = do_swap;
	return &s->base;
}

/* Floating-point numbers lose or gain their sign bit; integers are negated in two's complement. */
static void do_negate(const convert_source *s, const void *in, void *out, size_t count)
{
	const ckpt_dtype_info *info = ckpt_dtype_get(s->from);
	const unsigned char *p = in;
	unsigned char *q = out;
	unsigned part = info->kind == CKPT_CLASS_COMPLEX ? s->item / 2 : s->item;
	memcpy(q, p, count * s->item);
	for (size_t i = 0; i < count * s->item / part; i++, q += part) {
		if (s->imaginary && i % 2 == 0) continue;
		if (info->kind == CKPT_CLASS_INT || info->kind == CKPT_CLASS_UINT) {
			unsigned carry = 1;
			for (unsigned k = 0; k < part; k++) {
				unsigned v = (unsigned)(unsigned char)~q[k] + carry;
				q[k] = (unsigned char)v;
				carry = v >> 8;
			}
		} else {
			q[part - 1] ^= 0x80;
		}
	}
}

ckpt_source *ckpt_source_negate(ckpt_source *inner, ckpt_dtype dtype, bool imaginary_only, ckpt_error *err)
{
	const ckpt_dtype_info *info = ckpt_dtype_get(dtype);
	bool signless = dtype == CKPT_F8_E8M0 || dtype == CKPT_F8_E4M3FNUZ || dtype == CKPT_F8_E5M2FNUZ;
	if (info->bits % 8 || info->kind == CKPT_CLASS_BOOL || info->kind == CKPT_CLASS_OPAQUE || signless ||
	    (imaginary_only && info->kind != CKPT_CLASS_COMPLEX)) {
		ckpt_fail(err, CKPT_E_UNSUPPORTED, "cannot negate %s", info->name);
		return NULL;
	}
	convert_source *s = ckpt_source_new(&negate_ops, sizeof *s, inner->length, err);
	if (!s) return NULL;
	s->inner = ckpt_source_ref(inner);
	s->from = s->to = dtype;
	s->item = info->bits / 8;
	s->imaginary = imaginary_only;
	s->convert = do_negate;
	return &s->base;
}
