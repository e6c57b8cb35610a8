/* layout.c -- gathers the pieces of an output file block by block, in parallel */
#include "layout.h"
#include "checked.h"
#include "crc.h"
#include "error.h"

#include <fcntl.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 512 << 10, BEHIND = 128 }; /* bytes of a block; blocks that may wait for the disk */

ckpt_layout *ckpt_layout_new(ckpt_error *err)
{
	ckpt_layout *l = calloc(1, sizeof *l);
	if (!l) ckpt_fail_nomem(err);
	return l;
}

void ckpt_layout_free(ckpt_layout *l)
{
	if (!l) return;
	for (size_t i = 0; i < l->count; i++) ckpt_source_unref(l->pieces[i].source);
	if (l->free_state) l->free_state(l->state);
	free(l->pieces);
	ckpt_arena_free(&l->arena);
	free(l);
}

static ckpt_piece *append(ckpt_layout *l, uint64_t length, ckpt_error *err)
{
	uint64_t end;
	if (!ckpt_add_u64(l->size, length, &end) || end > INT64_MAX) {
		ckpt_fail(err, CKPT_E_UNSUPPORTED, "the output would be larger than 2^63 bytes");
		return NULL;
	}
	if (l->count == l->capacity) {
		size_t capacity = l->capacity ? l->capacity * 2 : 64;
		ckpt_piece *pieces = reallocarray(l->pieces, capacity, sizeof *pieces);
		if (!pieces) {
			ckpt_fail_nomem(err);
			return NULL;
		}
		l->pieces = pieces;
		l->capacity = capacity;
	}
	ckpt_piece *p = &l->pieces[l->count++];
	*p = (ckpt_piece){.at = l->size, .length = length};
	l->size = end;
	return p;
}

ckpt_piece *ckpt_layout_bytes(ckpt_layout *l, const void *bytes, size_t length, ckpt_error *err)
{
	const void *copy = ckpt_arena_copy(&l->arena, bytes, length);
	if (!copy) {
		ckpt_fail_nomem(err);
		return NULL;
	}
	ckpt_piece *p = append(l, length, err);
	if (p) p->bytes = copy;
	return p;
}

ckpt_piece *ckpt_layout_source(ckpt_layout *l, ckpt_source *source, const char *name, ckpt_error *err)
{
	char *copy = name ? ckpt_arena_copy(&l->arena, name, strlen(name)) : NULL;
	if (name && !copy) {
		ckpt_fail_nomem(err);
		return NULL;
	}
	ckpt_piece *p = append(l, source->length, err);
	if (!p) return NULL;
	p->check_crc = ckpt_source_get_check(source, &source, &p->expect_crc);
	p->source = ckpt_source_ref(source);
	p->name = copy;
	return p;
}

ckpt_piece *ckpt_layout_zeros(ckpt_layout *l, uint64_t length, ckpt_error *err) { return append(l, length, err); }

/* ---- filling ---- */

/* CRCs of the parts of pieces, one part for each block that a piece touches. */
typedef struct part_table {
	uint64_t *first; /* of each piece */
	uint32_t *crc;
} part_table;

typedef struct fill {
	ckpt_layout *layout;
	ckpt_output *out;
	part_table parts;
	const ckpt_work *work;
	uint64_t done, total;
	bool write_behind, stop;
	uint64_t failed_block; /* lowest */
	ckpt_error error;
} fill;

static uint64_t blocks_of(const ckpt_piece *p)
{
	return p->length ? (p->at + p->length - 1) / BLOCK - p->at / BLOCK + 1 : 0;
}

static bool wants_crc(const ckpt_piece *p) { return p->want_crc || p->check_crc; }

static bool make_parts(fill *f, ckpt_error *err)
{
	uint64_t total = 0;
	f->parts.first = calloc(f->layout->count + 1, sizeof *f->parts.first);
	if (!f->parts.first) return ckpt_fail_nomem(err);
	for (size_t i = 0; i < f->layout->count; i++) {
		f->parts.first[i] = total;
		if (wants_crc(&f->layout->pieces[i])) total += blocks_of(&f->layout->pieces[i]);
	}
	f->parts.crc = calloc((size_t)total + 1, sizeof *f->parts.crc);
	return f->parts.crc ? true : ckpt_fail_nomem(err);
}

/* First piece that ends behind offset. */
static size_t find_piece(const ckpt_layout *l, uint64_t offset)
{
	size_t low = 0, high = l->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (l->pieces[middle].at + l->pieces[middle].length <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* A read that grows while the next piece continues the same range of the same file. */
typedef struct pending {
	ckpt_file *file;
	uint64_t offset;
	size_t length;
	unsigned char *to;
	const char *name;
} pending;

static bool flush(pending *r, ckpt_error *err)
{
	if (r->length == 0) return true;
	size_t length = r->length;
	r->length = 0;
	if (ckpt_file_read(r->file, r->offset, length, r->to, err)) return true;
	return r->name ? ckpt_error_prefix(err, "tensor '%s'", r->name) : false;
}

static bool fetch(const ckpt_piece *p, uint64_t inside, size_t length, unsigned char *to, pending *r, ckpt_error *err)
{
	ckpt_extent extent;
	if (!p->source) {
		if (p->bytes)
			memcpy(to, (const char *)p->bytes + inside, length);
		else
			memset(to, 0, length);
		return true;
	}
	if (ckpt_source_extent(p->source, &extent)) {
		uint64_t offset = extent.offset + inside;
		if (r->length && r->file == extent.file && r->offset + r->length == offset && r->to + r->length == to) {
			r->length += length;
			return true;
		}
		if (!flush(r, err)) return false;
		*r = (pending){extent.file, offset, length, to, p->name};
		return true;
	}
	if (ckpt_source_read(p->source, inside, length, to, err)) return true;
	return p->name ? ckpt_error_prefix(err, "tensor '%s'", p->name) : false;
}

static bool fill_block(fill *f, uint64_t block, unsigned char *buffer, ckpt_error *err)
{
	ckpt_layout *l = f->layout;
	uint64_t low = block * BLOCK, high = low + BLOCK < l->size ? low + BLOCK : l->size;
	size_t first = find_piece(l, low);
	pending r = {0};
	for (size_t i = first; i < l->count && l->pieces[i].at < high; i++) {
		const ckpt_piece *p = &l->pieces[i];
		uint64_t a = p->at > low ? p->at : low, b = p->at + p->length < high ? p->at + p->length : high;
		if (b > a && !fetch(p, a - p->at, (size_t)(b - a), buffer + (a - low), &r, err)) return false;
	}
	if (!flush(&r, err)) return false;
	for (size_t i = first; i < l->count && l->pieces[i].at < high; i++) {
		const ckpt_piece *p = &l->pieces[i];
		uint64_t a = p->at > low ? p->at : low, b = p->at + p->length < high ? p->at + p->length : high;
		if (b > a && wants_crc(p))
			f->parts.crc[f->parts.first[i] + (block - p->at / BLOCK)] =
				ckpt_crc32(0, buffer + (a - low), (size_t)(b - a));
	}
	return ckpt_output_write(f->out, low, buffer, (size_t)(high - low), err);
}

/* Starts writing this block to disk and lets go of one written some time ago, so that dirty pages never pile up. */
static void let_go(const fill *f, uint64_t block)
{
	int fd = ckpt_output_fd(f->out);
	sync_file_range(fd, (off_t)(block * BLOCK), BLOCK, SYNC_FILE_RANGE_WRITE);
	if (block < BEHIND) return;
	off_t old = (off_t)((block - BEHIND) * BLOCK);
	sync_file_range(fd, old, BLOCK, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
	posix_fadvise(fd, old, BLOCK, POSIX_FADV_DONTNEED);
}

/* Bookkeeping after a block, one thread at a time: progress, cancellation, the error of the lowest block. */
static void account(fill *f, uint64_t block, uint64_t bytes, bool ok, const ckpt_error *error)
{
	if (!ok && block < f->failed_block) {
		f->failed_block = block;
		f->error = *error;
	}
	if (!ok) __atomic_store_n(&f->stop, true, __ATOMIC_RELAXED);
	f->done += bytes;
	if (ok && f->work && f->work->progress && !__atomic_load_n(&f->stop, __ATOMIC_RELAXED) &&
	    !f->work->progress(f->work->user, f->done, f->total)) {
		if (f->failed_block == UINT64_MAX) ckpt_fail(&f->error, CKPT_E_CANCELLED, "interrupted");
		f->failed_block = block < f->failed_block ? block : f->failed_block;
		__atomic_store_n(&f->stop, true, __ATOMIC_RELAXED);
	}
}

static void fill_blocks(fill *f, int threads)
{
	uint64_t blocks = (f->layout->size + BLOCK - 1) / BLOCK, next = 0;
	if ((uint64_t)threads > blocks) threads = blocks ? (int)blocks : 1;
#pragma omp parallel num_threads(threads)
	{
		unsigned char *buffer = aligned_alloc(4096, BLOCK);
		for (;;) {
			uint64_t block = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED);
			if (block >= blocks || __atomic_load_n(&f->stop, __ATOMIC_RELAXED)) break;
			ckpt_error error = {0};
			bool ok = buffer ? fill_block(f, block, buffer, &error) : ckpt_fail_nomem(&error);
			if (ok && f->write_behind) let_go(f, block);
			uint64_t rest = f->layout->size - block * BLOCK;
#pragma omp critical(ckpt_layout_account)
			account(f, block, rest < BLOCK ? rest : BLOCK, ok, &error);
		}
		free(buffer);
	}
}

static bool join_crcs(fill *f, ckpt_error *err)
{
	for (size_t i = 0; i < f->layout->count; i++) {
		ckpt_piece *p = &f->layout->pieces[i];
		if (!wants_crc(p)) continue;
		uint64_t at = p->at, end = p->at + p->length;
		p->crc = 0;
		for (uint64_t k = 0; at < end; k++) {
			uint64_t stop = (at / BLOCK + 1) * BLOCK < end ? (at / BLOCK + 1) * BLOCK : end;
			p->crc = ckpt_crc32_combine(p->crc, f->parts.crc[f->parts.first[i] + k], stop - at);
			at = stop;
		}
		if (p->check_crc && p->crc != p->expect_crc)
			return ckpt_fail(err, CKPT_E_FORMAT,
					 "the bytes of %s%s%s have CRC %08x, the archive says %08x: the file is damaged",
					 p->name ? "tensor '" : "a record", p->name ? p->name : "", p->name ? "'" : "",
					 p->crc, p->expect_crc);
	}
	return true;
}

bool ckpt_layout_fill(ckpt_layout *l, ckpt_output *out, const ckpt_work *work, uint64_t done0, uint64_t total,
		      bool write_behind, ckpt_error *err)
{
	fill f = {.layout = l, .out = out, .work = work, .done = done0, .total = total, .write_behind = write_behind};
	f.failed_block = UINT64_MAX;
	int threads = work && work->threads > 0 ? work->threads : omp_get_max_threads();
	bool ok = make_parts(&f, err);
	if (ok) {
		fill_blocks(&f, threads);
		ok = f.failed_block == UINT64_MAX;
		if (!ok && err) *err = f.error;
	}
	if (ok) ok = join_crcs(&f, err);
	free(f.parts.first);
	free(f.parts.crc);
	return ok;
}
