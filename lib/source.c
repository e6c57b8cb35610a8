/* source.c -- sources that hold or point to bytes: file range, memory, slice, fill, concatenation */
#include "source.h"
#include "checked.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>

void *ckpt_source_new(const ckpt_source_ops *ops, size_t size, uint64_t length, ckpt_error *err)
{
	ckpt_source *s = calloc(1, size);
	if (!s) {
		ckpt_fail_nomem(err);
		return NULL;
	}
	s->ops = ops;
	s->length = length;
	s->references = 1;
	return s;
}

ckpt_source *ckpt_source_ref(ckpt_source *s)
{
	__atomic_fetch_add(&s->references, 1, __ATOMIC_RELAXED);
	return s;
}

/* A chain of wrappers is released link by link: each drop releases its inner source, so depth is that of the edits. */
void ckpt_source_unref(ckpt_source *s)
{
	if (!s || __atomic_fetch_sub(&s->references, 1, __ATOMIC_ACQ_REL) != 1) return;
	if (s->ops->drop) s->ops->drop(s);
	free(s);
}

bool ckpt_source_read(const ckpt_source *s, uint64_t offset, size_t length, void *destination, ckpt_error *err)
{
	uint64_t end;
	if (!ckpt_add_u64(offset, length, &end) || end > s->length)
		return ckpt_fail(err, CKPT_E_USAGE, "bytes %llu to %llu are wanted, the tensor has %llu",
				 (unsigned long long)offset, (unsigned long long)offset + length,
				 (unsigned long long)s->length);
	if (length == 0) return true;
	return s->ops->read(s, offset, length, destination, err);
}

bool ckpt_source_extent(const ckpt_source *s, ckpt_extent *out) { return s->ops->extent && s->ops->extent(s, out); }

/* ---- a range of a file ---- */

typedef struct file_source {
	ckpt_source base;
	ckpt_file *file;
	uint64_t offset;
} file_source;

static bool file_read(const ckpt_source *s, uint64_t offset, size_t length, void *destination, ckpt_error *err)
{
	const file_source *f = (const file_source *)s;
	if (!ckpt_file_fetch(f->file, f->offset + offset, length, f->offset + s->length, err)) return false;
	return ckpt_file_read(f->file, f->offset + offset, length, destination, err);
}

static bool file_extent(const ckpt_source *s, ckpt_extent *out)
{
	const file_source *f = (const file_source *)s;
	*out = (ckpt_extent){f->file, f->offset};
	return !ckpt_file_is_remote(f->file); /* its bytes are not here yet */
}

static void file_drop(ckpt_source *s) { ckpt_file_unref(((file_source *)s)->file); }

static const ckpt_source_ops file_ops = {"file", file_read, file_extent, file_drop};

ckpt_source *ckpt_source_file(ckpt_file *f, uint64_t offset, uint64_t length, ckpt_error *err)
{
	uint64_t end;
	if (!ckpt_add_u64(offset, length, &end) || end > ckpt_file_size(f)) {
		ckpt_fail(err, CKPT_E_FORMAT, "the file is truncated: %llu bytes from offset %llu are wanted, it has %llu",
			  (unsigned long long)length, (unsigned long long)offset, (unsigned long long)ckpt_file_size(f));
		return NULL;
	}
	file_source *s = ckpt_source_new(&file_ops, sizeof *s, length, err);
	if (!s) return NULL;
	s->file = ckpt_file_ref(f);
	s->offset = offset;
	return &s->base;
}

/* ---- bytes in memory ---- */

typedef struct heap_source {
	ckpt_source base;
	unsigned char bytes[];
} heap_source;

static bool heap_read(const ckpt_source *s, uint64_t offset, size_t length, void *destination, ckpt_error *err)
{
	(void)err;
	memcpy(destination, ((const heap_source *)s)->bytes + offset, length);
	return true;
}

static const ckpt_source_ops heap_ops = {"heap", heap_read, NULL, NULL};

ckpt_source *ckpt_source_heap(const void *data, size_t length, ckpt_error *err)
{
	size_t size;
	if (__builtin_add_overflow(sizeof(heap_source), length, &size)) {
		ckpt_fail_nomem(err);
		return NULL;
	}
	heap_source *s = ckpt_source_new(&heap_ops, size, length, err);
	if (!s) return NULL;
	if (length) memcpy(s->bytes, data, length);
	return &s->base;
}

/* ---- a part of another source ---- */

typedef struct slice_source {
	ckpt_source base;
	ckpt_source *inner;
	uint64_t offset;
} slice_source;

static bool slice_read(const ckpt_source *s, uint64_t offset, size_t length, void *destination, ckpt_error *err)
{
	const slice_source *x = (const slice_source *)s;
	return ckpt_source_read(x->inner, x->offset + offset, length, destination, err);
}

static bool slice_extent(const ckpt_source *s, ckpt_extent *out)
{
	const slice_source *x = (const slice_source *)s;
	if (!ckpt_source_extent(x->inner, out)) return false;
	out->offset += x->offset;
	return true;
}

static void slice_drop(ckpt_source *s) { ckpt_source_unref(((slice_source *)s)->inner); }

static const ckpt_source_ops slice_ops = {"slice", slice_read, slice_extent, slice_drop};

ckpt_source *ckpt_source_slice(ckpt_source *inner, uint64_t offset, uint64_t length, ckpt_error *err)
{
	uint64_t end;
	if (!ckpt_add_u64(offset, length, &end) || end > inner->length) {
		ckpt_fail(err, CKPT_E_FORMAT, "bytes %llu to %llu are wanted, there are %llu", (unsigned long long)offset,
			  (unsigned long long)offset + length, (unsigned long long)inner->length);
		return NULL;
	}
	if (offset == 0 && length == inner->length) return ckpt_source_ref(inner);
	slice_source *s = ckpt_source_new(&slice_ops, sizeof *s, length, err);
	if (!s) return NULL;
	if (inner->ops == &slice_ops) { /* a slice of a slice is one slice */
		offset += ((slice_source *)inner)->offset;
		inner = ((slice_source *)inner)->inner;
	}
	s->inner = ckpt_source_ref(inner);
	s->offset = offset;
	return &s->base;
}

/* ---- a repeated pattern ---- */

typedef struct fill_source {
	ckpt_source base;
	unsigned char pattern[16];
	size_t period;
} fill_source;

static bool fill_read(const ckpt_source *s, uint64_t offset, size_t length, void *destination, ckpt_error *err)
{
	(void)err;
	const fill_source *f = (const fill_source *)s;
	unsigned char *d = destination;
	size_t phase = (size_t)(offset % f->period), head = length < f->period ? length : f->period;
	for (size_t i = 0; i < head; i++) d[i] = f->pattern[(phase + i) % f->period];
	for (size_t done = head; done < length;) { /* doubling copies of whole periods */
		size_t n = done < length - done ? done : length - done;
		memcpy(d + done, d, n);
		done += n;
	}
	return true;
}

static const ckpt_source_ops fill_ops = {"fill", fill_read, NULL, NULL};

ckpt_source *ckpt_source_fill(const void *pattern, size_t pattern_length, uint64_t length, ckpt_error *err)
{
	if (pattern_length < 1 || pattern_length > 16) {
		ckpt_fail(err, CKPT_E_USAGE, "a fill pattern has 1 to 16 bytes, found %zu", pattern_length);
		return NULL;
	}
	fill_source *s = ckpt_source_new(&fill_ops, sizeof *s, length, err);
	if (!s) return NULL;
	memcpy(s->pattern, pattern, pattern_length);
	s->period = pattern_length;
	return &s->base;
}

/* ---- several sources, one after the other ---- */

typedef struct concat_source {
	ckpt_source base;
	size_t count;
	struct {
		ckpt_source *source;
		uint64_t begin;
	} parts[];
} concat_source;

static bool concat_read(const ckpt_source *s, uint64_t offset, size_t length, void *destination, ckpt_error *err)
{
	const concat_source *c = (const concat_source *)s;
	size_t low = 0, high = c->count;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (c->parts[middle].begin <= offset)
			low = middle;
		else
			high = middle;
	}
	char *d = destination;
	for (size_t i = low; length > 0; i++) {
		uint64_t inside = offset - c->parts[i].begin, rest = c->parts[i].source->length - inside;
		size_t n = rest < length ? (size_t)rest : length;
		if (!ckpt_source_read(c->parts[i].source, inside, n, d, err)) return false;
		d += n;
		offset += n;
		length -= n;
	}
	return true;
}

static void concat_drop(ckpt_source *s)
{
	concat_source *c = (concat_source *)s;
	for (size_t i = 0; i < c->count; i++) ckpt_source_unref(c->parts[i].source);
}

static const ckpt_source_ops concat_ops = {"concat", concat_read, NULL, concat_drop};

ckpt_source *ckpt_source_concat(ckpt_source *const *parts, size_t count, ckpt_error *err)
{
	uint64_t length = 0;
	for (size_t i = 0; i < count; i++)
		if (!ckpt_add_u64(length, parts[i]->length, &length)) {
			ckpt_fail(err, CKPT_E_FORMAT, "%zu parts together overflow 64 bits", count);
			return NULL;
		}
	concat_source *c = NULL;
	if (count < (SIZE_MAX - sizeof *c) / sizeof c->parts[0])
		c = ckpt_source_new(&concat_ops, sizeof *c + count * sizeof c->parts[0], length, err);
	if (!c) return NULL;
	uint64_t begin = 0;
	for (size_t i = 0; i < count; i++) {
		if (parts[i]->length == 0) continue;
		c->parts[c->count].source = ckpt_source_ref(parts[i]);
		c->parts[c->count++].begin = begin;
		begin += parts[i]->length;
	}
	return &c->base;
}
