/* source_strided.c -- the contiguous form of a strided view
 *
 * A byte range of the result is cut into boxes (a run along one dimension times all of the inner ones), at most two a
 * dimension. A box whose bytes lie close together in the inner source is read at once and gathered in memory;
 * otherwise it is read in runs along the dimension with the smallest stride, so that a transposed matrix costs one
 * read for each of its columns in the box and not one for each element.
 */
#include "checked.h"
#include "error.h"
#include "limits.h"
#include "source.h"

#include <stdlib.h>
#include <string.h>

typedef struct strided_source {
	ckpt_source base;
	ckpt_source *inner;
	uint64_t offset; /* elements */
	unsigned item;
	size_t rank; /* after merging; at least 1 */
	uint64_t shape[CKPT_MAX_RANK], stride[CKPT_MAX_RANK], below[CKPT_MAX_RANK]; /* below: elements of the inner dims */
} strided_source;

/* A box: dimensions first .. rank of the view, with counts; inner offset of its first element. */
typedef struct box {
	size_t first;
	uint64_t count; /* along dimension first; all of the others */
	uint64_t at;    /* element offset in inner */
	unsigned char *out;
} box;

static uint64_t box_count(const strided_source *s, const box *b, size_t d)
{
	return d == b->first ? b->count : s->shape[d];
}

/* Elements between the first and the last one of the box in inner, both included. */
static uint64_t box_span(const strided_source *s, const box *b)
{
	uint64_t span = 1;
	for (size_t d = b->first; d < s->rank; d++) span += (box_count(s, b, d) - 1) * s->stride[d];
	return span;
}

static void copy_run(const strided_source *s, unsigned char *out, uint64_t out_step, const unsigned char *in,
		     uint64_t in_step, uint64_t count)
{
	unsigned item = s->item;
	if (out_step == 1 && in_step == 1) {
		memcpy(out, in, count * item);
		return;
	}
	for (uint64_t i = 0; i < count; i++) memcpy(out + i * out_step * item, in + i * in_step * item, item);
}

/* Advances an odometer over the dimensions of the box except `skip`; false when it has gone round. */
static bool next_index(const strided_source *s, const box *b, size_t skip, uint64_t *index)
{
	for (size_t d = s->rank; d-- > b->first;) {
		if (d == skip) continue;
		if (++index[d] < box_count(s, b, d)) return true;
		index[d] = 0;
	}
	return false;
}

static void offsets(const strided_source *s, const box *b, const uint64_t *index, uint64_t *in, uint64_t *out)
{
	*in = *out = 0;
	for (size_t d = b->first; d < s->rank; d++) {
		*in += index[d] * s->stride[d];
		*out += index[d] * s->below[d];
	}
}

static bool read_gathered(const strided_source *s, const box *b, uint64_t span, ckpt_error *err)
{
	unsigned item = s->item;
	unsigned char *buffer = malloc((size_t)(span * item));
	if (!buffer) return ckpt_fail_nomem(err);
	bool ok = ckpt_source_read(s->inner, b->at * item, (size_t)(span * item), buffer, err);
	uint64_t index[CKPT_MAX_RANK] = {0}, in, out;
	size_t last = s->rank - 1;
	if (ok) {
		do {
			offsets(s, b, index, &in, &out);
			copy_run(s, b->out + out * item, 1, buffer + in * item, s->stride[last], box_count(s, b, last));
		} while (next_index(s, b, last, index));
	}
	free(buffer);
	return ok;
}

/* One run along dimension k: count elements, in_step apart in inner. */
static bool read_run(const strided_source *s, size_t k, uint64_t at, unsigned char *out, uint64_t count, ckpt_error *err)
{
	unsigned char buffer[32768];
	unsigned item = s->item;
	uint64_t in_step = s->stride[k], out_step = s->below[k];
	if (in_step == 1 && out_step == 1) return ckpt_source_read(s->inner, at * item, (size_t)(count * item), out, err);
	uint64_t most = in_step ? (sizeof buffer / item - 1) / in_step + 1 : UINT64_MAX;
	for (uint64_t done = 0; done < count;) {
		uint64_t n = count - done < most ? count - done : most;
		uint64_t span = (n - 1) * in_step + 1;
		if (!ckpt_source_read(s->inner, (at + done * in_step) * item, (size_t)(span * item), buffer, err)) return false;
		copy_run(s, out + done * out_step * item, out_step, buffer, in_step, n);
		done += n;
	}
	return true;
}

static bool read_runs(const strided_source *s, const box *b, ckpt_error *err)
{
	size_t k = s->rank - 1;
	for (size_t d = b->first; d < s->rank; d++) /* the densest dimension that has a run at all */
		if (box_count(s, b, d) > 1 && (box_count(s, b, k) == 1 || s->stride[d] < s->stride[k])) k = d;
	uint64_t index[CKPT_MAX_RANK] = {0}, in, out;
	do {
		offsets(s, b, index, &in, &out);
		if (!read_run(s, k, b->at + in, b->out + out * s->item, box_count(s, b, k), err)) return false;
	} while (next_index(s, b, k, index));
	return true;
}

static bool read_box(const strided_source *s, const box *b, ckpt_error *err)
{
	uint64_t span = box_span(s, b), bytes = b->count * s->below[b->first] * s->item;
	bool dense = span * s->item <= ((uint64_t)1 << 22) && span * s->item <= 64 * bytes;
	return dense ? read_gathered(s, b, span, err) : read_runs(s, b, err);
}

static bool read_elements(const strided_source *s, uint64_t begin, uint64_t end, unsigned char *out, ckpt_error *err)
{
	while (begin < end) {
		uint64_t index[CKPT_MAX_RANK], rest = begin, at = s->offset;
		for (size_t d = 0; d < s->rank; d++) {
			index[d] = rest / s->below[d];
			rest %= s->below[d];
			at += index[d] * s->stride[d];
		}
		size_t first = s->rank - 1;
		while (first > 0 && index[first] == 0 && s->below[first - 1] <= end - begin) first--;
		uint64_t count = (end - begin) / s->below[first];
		if (count > s->shape[first] - index[first]) count = s->shape[first] - index[first];
		box b = {first, count, at, out};
		if (!read_box(s, &b, err)) return false;
		begin += count * s->below[first];
		out += count * s->below[first] * s->item;
	}
	return true;
}

static bool strided_read(const ckpt_source *base, uint64_t offset, size_t length, void *destination, ckpt_error *err)
{
	const strided_source *s = (const strided_source *)base;
	unsigned char *d = destination, one[16];
	unsigned item = s->item;
	while (length > 0) {
		size_t skip = (size_t)(offset % item);
		uint64_t first = offset / item;
		size_t n;
		if (skip || length < item) { /* part of one element */
			if (!read_elements(s, first, first + 1, one, err)) return false;
			n = item - skip < length ? item - skip : length;
			memcpy(d, one + skip, n);
		} else {
			n = length - length % item;
			if (!read_elements(s, first, first + n / item, d, err)) return false;
		}
		d += n;
		offset += n;
		length -= n;
	}
	return true;
}

static void strided_drop(ckpt_source *s) { ckpt_source_unref(((strided_source *)s)->inner); }

static const ckpt_source_ops strided_ops = {"strided", strided_read, NULL, strided_drop};

/* Drops dimensions of size 1 and merges neighbours that are one run. */
static void merge(strided_source *s, size_t rank, const uint64_t *shape, const uint64_t *stride)
{
	for (size_t d = 0; d < rank; d++) {
		if (shape[d] == 1) continue;
		size_t last = s->rank;
		uint64_t run;
		if (last && ckpt_mul_u64(shape[d], stride[d], &run) && s->stride[last - 1] == run) {
			s->shape[last - 1] *= shape[d];
			s->stride[last - 1] = stride[d];
		} else {
			s->shape[last] = shape[d];
			s->stride[last] = stride[d];
			s->rank++;
		}
	}
	if (s->rank == 0) {
		s->shape[0] = s->stride[0] = 1;
		s->rank = 1;
	}
	uint64_t below = 1;
	for (size_t d = s->rank; d-- > 0;) {
		s->below[d] = below;
		below *= s->shape[d];
	}
}

/* False when the view leaves the elements that inner has. */
static bool inside(uint64_t elements, uint64_t offset, size_t rank, const uint64_t *shape, const uint64_t *stride)
{
	uint64_t last = offset;
	for (size_t d = 0; d < rank; d++) {
		uint64_t reach;
		if (!ckpt_mul_u64(shape[d] - 1, stride[d], &reach) || !ckpt_add_u64(last, reach, &last)) return false;
	}
	return last < elements;
}

ckpt_source *ckpt_source_strided(ckpt_source *inner, unsigned item, uint64_t offset, size_t rank, const uint64_t *shape,
				 const uint64_t *stride, ckpt_error *err)
{
	uint64_t elements, bytes;
	if (rank > CKPT_MAX_RANK || item < 1 || item > 16) {
		ckpt_fail(err, CKPT_E_UNSUPPORTED, "a view has %zu dimensions, at most %d are supported", rank, CKPT_MAX_RANK);
		return NULL;
	}
	if (!ckpt_shape_elements(rank, shape, &elements) || !ckpt_mul_u64(elements, item, &bytes)) {
		ckpt_fail(err, CKPT_E_FORMAT, "the sizes of a view overflow 64 bits");
		return NULL;
	}
	if (elements == 0) return ckpt_source_heap("", 0, err);
	if (!inside(inner->length / item, offset, rank, shape, stride)) {
		ckpt_fail(err, CKPT_E_FORMAT, "a view reaches past the %llu elements of its storage",
			  (unsigned long long)(inner->length / item));
		return NULL;
	}
	strided_source view = {.offset = offset, .item = item};
	merge(&view, rank, shape, stride);
	if (view.rank == 1 && (view.stride[0] == 1 || view.shape[0] == 1))
		return ckpt_source_slice(inner, offset * item, bytes, err);
	strided_source *s = ckpt_source_new(&strided_ops, sizeof *s, bytes, err);
	if (!s) return NULL;
	view.base = s->base;
	*s = view;
	s->inner = ckpt_source_ref(inner);
	return &s->base;
}
