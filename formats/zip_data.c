/* zip_data.c -- the bytes of a zip record: mapped, inflated, as a source */
#include "../lib/crc.h"
#include "../lib/error.h"
#include "../lib/file.h"
#include "zip_inner.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
	CHUNK = 64 * 1024,                    /* of an inflate stream, on either side */
	INFLATE_NOW = 64 * 1024,              /* records up to this size are inflated when they are opened, */
	INFLATE_NOW_IN_ALL = 16 * 1024 * 1024 /* as long as they make no more than this together */
};

/* What inflating needs to know; outlives the archive as the state of a source. */
typedef struct deflated {
	ckpt_file *file;
	uint64_t data, packed, size;
	uint32_t crc;
	bool skip_crc;
	char *name;
} deflated;

static bool fail_record(ckpt_error *err, const deflated *d, const char *text)
{
	return ckpt_fail(err, CKPT_E_FORMAT, "zip record '%s' %s (declared size: %llu bytes, deflated in %llu)",
	                 d->name, text, (unsigned long long)d->size, (unsigned long long)d->packed);
}

/* Runs the stream; out holds CHUNK bytes, in too. */
static bool inflate_all(const deflated *d, z_stream *s, uint8_t *in, uint8_t *out, ckpt_emit_fn emit, void *sink,
                        ckpt_error *err)
{
	uint64_t taken = 0, made = 0;
	uint32_t crc = 0;
	int state = Z_OK;
	while (state != Z_STREAM_END) {
		if (s->avail_in == 0 && taken < d->packed) {
			size_t n = d->packed - taken < CHUNK ? (size_t)(d->packed - taken) : CHUNK;
			if (!ckpt_file_read(d->file, d->data + taken, n, in, err)) return false;
			taken += n;
			s->next_in = in;
			s->avail_in = (uInt)n;
		}
		s->next_out = out;
		s->avail_out = CHUNK;
		state = inflate(s, Z_NO_FLUSH);
		if (state == Z_MEM_ERROR) return ckpt_fail_nomem(err);
		if (state == Z_BUF_ERROR) return fail_record(err, d, "has a corrupt deflate stream: it does not end");
		if (state != Z_OK && state != Z_STREAM_END) return fail_record(err, d, "has a corrupt deflate stream");
		size_t n = CHUNK - s->avail_out;
		if (n > d->size - made) return fail_record(err, d, "inflates to more than its size");
		made += n;
		crc = ckpt_crc32(crc, out, n);
		if (n && !emit(sink, out, n, err)) return false;
	}
	if (made != d->size) return fail_record(err, d, "inflates to less than its size");
	if (s->avail_in || taken < d->packed)
		return fail_record(err, d, "has bytes behind the end of its deflate stream");
	if (!d->skip_crc && d->crc && crc != d->crc)
		return ckpt_fail(err, CKPT_E_FORMAT,
		                 "zip record '%s': its CRC is %08x, its header says %08x: damaged data", d->name, crc,
		                 d->crc);
	return true;
}

static bool produce(void *state, ckpt_emit_fn emit, void *sink, ckpt_error *err)
{
	const deflated *d = state;
	z_stream s = {0};
	uint8_t *buffers = malloc(2 * CHUNK);
	if (!buffers) return ckpt_fail_nomem(err);
	if (inflateInit2(&s, -MAX_WBITS) != Z_OK) {
		free(buffers);
		return ckpt_fail_nomem(err);
	}
	bool ok = inflate_all(d, &s, buffers, buffers + CHUNK, emit, sink, err);
	inflateEnd(&s);
	free(buffers);
	return ok;
}

static void free_deflated(void *state)
{
	deflated *d = state;
	if (!d) return;
	ckpt_file_unref(d->file);
	free(d->name);
	free(d);
}

static deflated *new_deflated(const ckpt_zip *z, const ckpt_zip_entry *e, ckpt_error *err)
{
	deflated *d = calloc(1, sizeof *d);
	if (d) {
		*d = (deflated){
		    ckpt_file_ref(z->file),          e->data, e->packed, e->size, e->crc, z->options.skip_crc,
		    strndup(e->name, e->name_length)};
		if (d->name) return d;
		free_deflated(d);
	}
	ckpt_fail_nomem(err);
	return NULL;
}

typedef struct heap_sink {
	uint8_t *data;
	size_t length;
} heap_sink;

static bool emit_heap(void *sink, const void *data, size_t length, ckpt_error *err)
{
	heap_sink *h = sink;
	(void)err;
	memcpy(h->data + h->length, data, length); /* inflate_all never gives more than the size */
	h->length += length;
	return true;
}

static bool inflate_heap(const ckpt_zip *z, const ckpt_zip_entry *e, void **out, ckpt_error *err)
{
	heap_sink h = {malloc(e->size ? (size_t)e->size : 1), 0};
	deflated *d = new_deflated(z, e, err);
	bool ok = d && h.data;
	if (d && !h.data) ckpt_fail_nomem(err);
	if (ok) ok = produce(d, emit_heap, &h, err);
	free_deflated(d);
	if (ok)
		*out = h.data;
	else
		free(h.data);
	return ok;
}

static bool usable(const ckpt_zip *z, const ckpt_zip_entry *e, ckpt_error *err)
{
	if (e->faulty)
		return ckpt_fail(err, CKPT_E_FORMAT, "zip record '%.*s' cannot be read",
		                 (int)(e->name_length < 200 ? e->name_length : 200), e->name);
	if (e->method == CKPT_ZIP_DEFLATED && e->size > z->options.limits.inflate_bytes)
		return ckpt_fail_limit(err, "inflated bytes of a zip record", e->size, "inflate-bytes",
		                       z->options.limits.inflate_bytes);
	return true;
}

bool ckpt_zip_data(const ckpt_zip *z, const ckpt_zip_entry *e, uint64_t *data, ckpt_error *err)
{
	ckpt_zip_entry located;
	if (!ckpt_zip_locate(z, e, &located, err)) return false;
	*data = located.data;
	return true;
}

bool ckpt_zip_load(const ckpt_zip *z, const ckpt_zip_entry *entry, uint64_t most, const char *limit_name,
                   ckpt_zip_bytes *out, ckpt_error *err)
{
	ckpt_zip_bytes b = {0};
	ckpt_zip_entry located;
	const ckpt_zip_entry *e = &located;
	if (!usable(z, entry, err) || !ckpt_zip_locate(z, entry, &located, err)) return false;
	if (e->size > most) return ckpt_fail_limit(err, "bytes of a zip record", e->size, limit_name, most);
	b.length = (size_t)e->size;
	if (e->method == CKPT_ZIP_DEFLATED) {
		if (!inflate_heap(z, e, &b.heap, err)) return false;
		b.data = b.heap;
	} else if (e->size == 0) {
		b.data = (const uint8_t *)"";
	} else {
		b.mapping = ckpt_mapping_new(z->file, e->data, e->size, err);
		if (!b.mapping) return false;
		b.data = ckpt_mapping_data(b.mapping);
		if (!z->options.skip_crc && !e->checked && e->crc) {
			uint32_t crc = ckpt_crc32(0, b.data, b.length);
			if (crc != e->crc &&
			    !ckpt_zip_fail(z, CKPT_ZIP_CRC, e, e->data, err,
			                   "its CRC is %08x, its header says %08x: damaged data", crc, e->crc)) {
				ckpt_zip_bytes_free(&b);
				return false;
			}
		}
	}
	*out = b;
	return true;
}

bool ckpt_zip_bytes_check(const ckpt_zip_bytes *b, ckpt_error *err)
{
	return !b->mapping || ckpt_mapping_check(b->mapping, err);
}

void ckpt_zip_bytes_free(ckpt_zip_bytes *b)
{
	ckpt_mapping_free(b->mapping);
	free(b->heap);
	*b = (ckpt_zip_bytes){0};
}

/* ---- a stored record of an archive elsewhere, whose local header is read when the record is ---- */

typedef struct distant_source {
	ckpt_source base;
	ckpt_zip zip; /* as much of it as locating needs: nothing of the directory */
	ckpt_zip_entry entry;
	char *name;
	pthread_mutex_t lock;
	bool located;
} distant_source;

static bool distant_read(const ckpt_source *s, uint64_t offset, size_t length, void *destination, ckpt_error *err)
{
	distant_source *d = (distant_source *)s;
	pthread_mutex_lock(&d->lock);
	bool ok = d->located;
	if (!ok && ckpt_zip_locate(&d->zip, &d->entry, &d->entry, err)) ok = d->located = true;
	pthread_mutex_unlock(&d->lock);
	uint64_t at = d->entry.data;
	return ok && ckpt_file_fetch(d->zip.file, at + offset, length, at + s->length, err) &&
	       ckpt_file_read(d->zip.file, at + offset, length, destination, err);
}

static void distant_drop(ckpt_source *s)
{
	distant_source *d = (distant_source *)s;
	ckpt_file_unref(d->zip.file);
	pthread_mutex_destroy(&d->lock);
	free(d->name);
}

static const ckpt_source_ops distant_ops = {"distant", distant_read, NULL, distant_drop};

static ckpt_source *distant_source_new(const ckpt_zip *z, const ckpt_zip_entry *e, ckpt_error *err)
{
	char *name = strndup(e->name, e->name_length);
	distant_source *d = name ? ckpt_source_new(&distant_ops, sizeof *d, e->size, err) : NULL;
	if (!name) ckpt_fail_nomem(err);
	if (!d) {
		free(name);
		return NULL;
	}
	d->name = name;
	d->entry = *e;
	d->entry.name = name;
	d->zip = (ckpt_zip){.file = ckpt_file_ref(z->file), .directory = z->directory, .file_size = z->file_size};
	pthread_mutex_init(&d->lock, NULL);
	return &d->base;
}

static ckpt_source *stored_source(const ckpt_zip *z, const ckpt_zip_entry *e, ckpt_error *err)
{
	bool distant = ckpt_file_is_remote(z->file) && !e->data;
	ckpt_source *plain = distant ? distant_source_new(z, e, err) : ckpt_source_file(z->file, e->data, e->size, err);
	if (!plain || z->options.skip_crc || e->checked || !e->crc || !e->size) return plain;
	ckpt_source *checked = ckpt_source_checked(plain, e->crc, err);
	ckpt_source_unref(plain);
	return checked;
}

ckpt_source *ckpt_zip_source(ckpt_zip *z, const ckpt_zip_entry *entry, ckpt_error *err)
{
	ckpt_zip_entry located;
	const ckpt_zip_entry *e = &located;
	if (!usable(z, entry, err)) return NULL;
	if (entry->method == CKPT_ZIP_STORED) return stored_source(z, entry, err);
	if (!ckpt_zip_locate(z, entry, &located, err)) return NULL;
	if (e->size <= INFLATE_NOW && z->inflated + e->size <= INFLATE_NOW_IN_ALL) {
		void *bytes;
		if (!inflate_heap(z, e, &bytes, err)) return NULL;
		ckpt_source *s = ckpt_source_heap(bytes, (size_t)e->size, err);
		free(bytes);
		if (s) z->inflated += e->size;
		return s;
	}
	deflated *d = new_deflated(z, e, err);
	return d ? ckpt_source_spill(e->size, produce, d, free_deflated, err) : NULL;
}
