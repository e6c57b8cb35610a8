/* slice.c -- part of a tensor, as Python's indexing names it */
#include "slice.h"
#include "checked.h"
#include "dtype.h"
#include "error.h"
#include <string.h>

typedef struct number {
	bool given, negative;
	uint64_t size; /* without its sign */
} number;

typedef struct item {
	bool range, rest; /* rest: "..." */
	number part[3];   /* index, or start, stop, step */
} item;

typedef struct slicer {
	const char *text, *p; /* of the whole, and where it is read */
	size_t rank;
	const uint64_t *shape;
	uint64_t stride[CKPT_MAX_RANK]; /* of the whole tensor */
	size_t dim;                     /* next dimension to be cut */
	ckpt_slice *out;
} slicer;

static void skip_blanks(slicer *s)
{
	while (*s->p == ' ') s->p++;
}

/* An integer, or none. */
static bool parse_number(slicer *s, number *out, ckpt_error *err)
{
	number n = {0};
	skip_blanks(s);
	if (*s->p == '-' || *s->p == '+') {
		n.negative = *s->p++ == '-';
		if (*s->p < '0' || *s->p > '9')
			return ckpt_fail(err, CKPT_E_USAGE, "slice '%s': a sign without a number", s->text);
	}
	for (; *s->p >= '0' && *s->p <= '9'; s->p++) {
		n.given = true;
		if (!ckpt_mul_u64(n.size, 10, &n.size) || !ckpt_add_u64(n.size, (uint64_t)(*s->p - '0'), &n.size))
			return ckpt_fail(err, CKPT_E_USAGE, "slice '%s': a number is above 18446744073709551615",
			                 s->text);
	}
	skip_blanks(s);
	if (!n.size) n.negative = false;
	*out = n;
	return true;
}

static bool parse_item(slicer *s, item *out, ckpt_error *err)
{
	item it = {0};
	skip_blanks(s);
	if (!strncmp(s->p, "...", 3)) {
		it.rest = true;
		s->p += 3;
		skip_blanks(s);
	} else {
		size_t parts = 0;
		if (!parse_number(s, &it.part[0], err)) return false;
		while (*s->p == ':' && ++parts < 3) {
			s->p++;
			it.range = true;
			if (!parse_number(s, &it.part[parts], err)) return false;
		}
		if (!it.range && !it.part[0].given)
			return ckpt_fail(err, CKPT_E_USAGE, "slice '%s': an index or a range is wanted at '%.20s'",
			                 s->text, s->p);
	}
	if (*s->p && *s->p != ',')
		return ckpt_fail(err, CKPT_E_USAGE, "slice '%s': '%.20s' is out of place", s->text, s->p);
	*out = it;
	return true;
}

/* Bound of a range, cut to 0 .. size. */
static uint64_t bound(const number *n, uint64_t size, uint64_t otherwise)
{
	if (!n->given) return otherwise;
	if (n->negative) return n->size < size ? size - n->size : 0;
	return n->size < size ? n->size : size;
}

static void keep(slicer *s, uint64_t count, uint64_t stride)
{
	s->out->shape[s->out->rank] = count;
	s->out->stride[s->out->rank++] = stride;
}

static bool cut_range(slicer *s, const item *it, ckpt_error *err)
{
	const uint64_t size = s->shape[s->dim], stride = s->stride[s->dim];
	const number *step = &it->part[2];
	if (step->given && (step->negative || !step->size))
		return ckpt_fail(err, CKPT_E_USAGE,
		                 "slice '%s': the step of dimension %zu must be 1 or more, it is %s%llu", s->text,
		                 s->dim, step->negative ? "-" : "", (unsigned long long)step->size);
	const uint64_t by = step->given ? step->size : 1;
	const uint64_t start = bound(&it->part[0], size, 0), stop = bound(&it->part[1], size, size);
	const uint64_t count = start < stop ? (stop - start - 1) / by + 1 : 0;
	/* a step over the end is never taken, its product may not even exist */
	keep(s, count, count > 1 ? stride * by : stride);
	if (count) s->out->offset += start * stride;
	s->dim++;
	return true;
}

static bool cut_index(slicer *s, const number *n, ckpt_error *err)
{
	const uint64_t size = s->shape[s->dim];
	if (n->negative ? n->size > size : n->size >= size)
		return ckpt_fail(err, CKPT_E_USAGE,
		                 "slice '%s': index %s%llu is outside of dimension %zu of size %llu", s->text,
		                 n->negative ? "-" : "", (unsigned long long)n->size, s->dim, (unsigned long long)size);
	s->out->offset += (n->negative ? size - n->size : n->size) * s->stride[s->dim++];
	return true;
}

/* Items of the text, and whether one of them is "...". */
static bool count_items(slicer *s, size_t *count, ckpt_error *err)
{
	size_t items = 0, rests = 0;
	for (s->p = s->text;; s->p++) {
		item it;
		if (!parse_item(s, &it, err)) return false;
		if (it.rest)
			rests++;
		else
			items++;
		if (!*s->p) break;
	}
	if (rests > 1)
		return ckpt_fail(err, CKPT_E_USAGE, "slice '%s': '...' may stand once, it stands %zu times",
		                 s->text, rests);
	if (items > s->rank)
		return ckpt_fail(err, CKPT_E_USAGE, "slice '%s': %zu indices for a tensor of %zu dimensions", s->text,
		                 items, s->rank);
	*count = items;
	return true;
}

static void keep_whole(slicer *s, size_t dims)
{
	for (; dims; dims--, s->dim++) keep(s, s->shape[s->dim], s->stride[s->dim]);
}

/* Strides of the whole tensor. One without elements has no place to step to: its strides stay 0. */
static bool measure(slicer *s, ckpt_error *err)
{
	uint64_t elements;
	if (s->rank > CKPT_MAX_RANK || !ckpt_shape_elements(s->rank, s->shape, &elements))
		return ckpt_fail(err, CKPT_E_USAGE, "a tensor of %zu dimensions and too many elements cannot be sliced",
		                 s->rank);
	uint64_t stride = elements ? 1 : 0;
	for (size_t d = s->rank; d--; stride *= s->shape[d]) s->stride[d] = stride;
	return true;
}

bool ckpt_slice_parse(const char *text, size_t rank, const uint64_t *shape, ckpt_slice *out, ckpt_error *err)
{
	ckpt_slice slice = {0};
	slicer s = {.text = text, .rank = rank, .shape = shape, .out = &slice};
	size_t items = 0;
	if (!measure(&s, err) || !count_items(&s, &items, err)) return false;
	for (s.p = text;; s.p++) {
		item it;
		if (!parse_item(&s, &it, err)) return false;
		if (it.rest)
			keep_whole(&s, rank - items);
		else if (it.range ? !cut_range(&s, &it, err) : !cut_index(&s, &it.part[0], err))
			return false;
		if (!*s.p) break;
	}
	keep_whole(&s, rank - s.dim);
	*out = slice;
	return true;
}

/* The slice counted in bytes, for types of less than one. */
static bool to_bytes(const ckpt_slice *slice, unsigned bits, ckpt_slice *out, ckpt_error *err)
{
	ckpt_slice b = *slice;
	const size_t last = b.rank ? b.rank - 1 : 0;
	bool whole = b.rank && b.stride[last] <= 1 && b.offset % 8 * bits % 8 == 0 && b.shape[last] % 8 * bits % 8 == 0;
	for (size_t d = 0; whole && d < last; d++) {
		whole = b.shape[d] <= 1 || b.stride[d] % 8 * bits % 8 == 0;
		b.stride[d] = b.stride[d] / 8 * bits + b.stride[d] % 8 * bits / 8;
	}
	if (!whole)
		return ckpt_fail(err, CKPT_E_USAGE,
		                 "elements of %u bits can be sliced at whole bytes only, along the last dimension",
		                 bits);
	b.offset = b.offset / 8 * bits + b.offset % 8 * bits / 8;
	b.shape[last] = b.shape[last] / 8 * bits + b.shape[last] % 8 * bits / 8;
	*out = b;
	return true;
}

ckpt_source *ckpt_slice_source(const ckpt_slice *slice, ckpt_source *inner, ckpt_dtype dtype, ckpt_error *err)
{
	const unsigned bits = ckpt_dtype_bits(dtype);
	ckpt_slice s = *slice;
	if (bits < 8 && !to_bytes(slice, bits, &s, err)) return NULL;
	return ckpt_source_strided(inner, bits < 8 ? 1 : bits / 8, s.offset, s.rank, s.shape, s.stride, err);
}
