/* zip_local.c -- the local headers of a zip archive, and what lies between its records
 *
 * One record, integers little-endian:
 *   1. signature 04034b50, u16 needed, u16 flags, u16 method, u16 time, u16 date, u32 crc, u32 packed size, u32 size,
 *      u16 name length, u16 extra length; name; extra fields
 *   2. data
 *   3. with flag 8, the data descriptor: signature 08074b50 (may be absent), u32 crc, packed size and size of 32 or
 *      64 bits
 * torch writes flag 8, zeros for crc and sizes in 1, pads the extra fields so that the data start at a multiple of 64,
 * and in files beyond 4 GiB a zip64 field in 1 that means nothing; so sizes count only where 1 states them.
 */
#include "../lib/checked.h"
#include "../lib/crc.h"
#include "../lib/error.h"
#include "zip_inner.h"

#include <stdlib.h>
#include <string.h>

enum { LOCAL = 30, DESCRIPTOR = 24 };
enum { FLAG_DESCRIPTOR = 8 };
enum {
	WINDOW = 256 * 1024, /* holds any header (30 + 2 * 65535 bytes) and a small record */
	DENSE = 2 * 1024,    /* headers that are closer than this are read many at a time */
	CHECK_IN_ALL =
	    64 << 20,     /* bytes of small records whose CRC is compared here; that of others when they are read */
	SPARSE_READ = 512 /* else this much: a header of torch and the descriptor in front of it */
};

typedef struct window {
	ckpt_file *file;
	uint64_t at, limit; /* nothing is read at or behind limit */
	size_t length;
	uint8_t bytes[WINDOW];
} window;

/* The bytes at offset; reads up to `ahead` bytes more than asked. The range must end at or before the limit. */
static const uint8_t *look(window *w, uint64_t offset, size_t length, size_t ahead, ckpt_error *err)
{
	if (offset >= w->at && offset + length <= w->at + w->length) return w->bytes + (offset - w->at);
	size_t n = ahead > length ? ahead : length;
	if (n > w->limit - offset) n = (size_t)(w->limit - offset);
	w->length = 0;
	if (!ckpt_file_read(w->file, offset, n, w->bytes, err)) return NULL;
	w->at = offset;
	w->length = n;
	return w->bytes;
}

static int by_offset(const void *a, const void *b)
{
	const ckpt_zip_entry *x = *(const ckpt_zip_entry *const *)a, *y = *(const ckpt_zip_entry *const *)b;
	return x->at < y->at ? -1 : x->at > y->at;
}

static ckpt_zip_entry **sort_entries(const ckpt_zip *z)
{
	ckpt_zip_entry **sorted = malloc((z->count ? z->count : 1) * sizeof *sorted);
	if (!sorted) return NULL;
	bool in_order = true;
	for (size_t i = 0; i < z->count; i++) {
		sorted[i] = &z->entries[i];
		if (i && sorted[i - 1]->at > sorted[i]->at) in_order = false;
	}
	if (!in_order) qsort(sorted, z->count, sizeof *sorted, by_offset);
	return sorted;
}

static bool mismatch(const ckpt_zip *z, ckpt_zip_entry *e, const char *what, uint64_t local, uint64_t central,
                     ckpt_error *err)
{
	return ckpt_zip_fail(z, CKPT_ZIP_MISMATCH, e, e->at, err,
	                     "its two headers mismatch: %s is %llu in front of the data, %llu in the directory", what,
	                     (unsigned long long)local, (unsigned long long)central);
}

/* Sizes and CRC that the local header states must be those of the directory. */
static bool check_stated(const ckpt_zip *z, ckpt_zip_entry *e, const uint8_t *h, const uint8_t *extra,
                         size_t extra_length, ckpt_error *err)
{
	uint64_t size = ckpt_le32(h + 22), packed = ckpt_le32(h + 18), none;
	uint32_t crc = ckpt_le32(h + 14);
	bool later = e->flags & FLAG_DESCRIPTOR;
	unsigned want = (size == 0xffffffff ? 1u : 0) | (packed == 0xffffffff ? 2u : 0);
	if (want && !ckpt_zip_extra64(extra, extra_length, want, &size, &packed, &none) &&
	    !ckpt_zip_fail(z, CKPT_ZIP_SIZES, e, e->at, err, "its local header has a missing or bad zip64 extra field"))
		return false;
	if (size != e->size && !(later && size == 0) && !mismatch(z, e, "size", size, e->size, err)) return false;
	if (packed != e->packed && !(later && packed == 0) && !mismatch(z, e, "packed size", packed, e->packed, err))
		return false;
	if (crc != e->crc && !(later && crc == 0) && !mismatch(z, e, "CRC", crc, e->crc, err)) return false;
	return true;
}

/* Header of e; the record may use the file up to e->next. Sets e->data. */
static bool check_header(const ckpt_zip *z, ckpt_zip_entry *e, window *w, size_t ahead, ckpt_error *err)
{
	const uint64_t next = e->next;
	size_t length = LOCAL + e->name_length;
	if (next - e->at < length) {
		e->faulty = true;
		return ckpt_zip_fail(z, CKPT_ZIP_OVERLAP, e, e->at, err,
		                     "its header at offset %llu runs past offset %llu, where something else starts",
		                     (unsigned long long)e->at, (unsigned long long)next);
	}
	const uint8_t *h = look(w, e->at, length, ahead, err);
	if (!h) return false;
	if (memcmp(h, "PK\3\4", 4) != 0) {
		e->faulty = true;
		return ckpt_zip_fail(z, CKPT_ZIP_MISMATCH, e, e->at, err, "there is no header at its offset %llu",
		                     (unsigned long long)e->at);
	}
	if (ckpt_le16(h + 6) & 1 && !(e->flags & 1) &&
	    !ckpt_zip_fail(z, CKPT_ZIP_ENCRYPTED, e, e->at, err, "its local header marks it as encrypted"))
		return false;
	if (ckpt_le16(h + 6) != e->flags && !mismatch(z, e, "flags", ckpt_le16(h + 6), e->flags, err)) return false;
	if (ckpt_le16(h + 8) != e->method && !mismatch(z, e, "method", ckpt_le16(h + 8), e->method, err)) return false;
	size_t name = ckpt_le16(h + 26), extra = ckpt_le16(h + 28);
	if ((name != e->name_length || memcmp(h + LOCAL, e->name, name) != 0) &&
	    !ckpt_zip_fail(z, CKPT_ZIP_MISMATCH, e, e->at, err,
	                   "its two headers mismatch: the one in front of the data has another name"))
		return false;
	uint64_t data = e->at + LOCAL + name + extra;
	if (next - e->at < LOCAL + name + extra || e->packed > next - data) {
		e->faulty = true;
		return ckpt_zip_fail(z, CKPT_ZIP_OVERLAP, e, e->at, err,
		                     "its %llu bytes of header and %llu of data at offset %llu run past offset %llu, "
		                     "where something else starts (overlap)",
		                     (unsigned long long)(LOCAL + name + extra), (unsigned long long)e->packed,
		                     (unsigned long long)e->at, (unsigned long long)next);
	}
	e->data = data;
	if (!(h = look(w, e->at, LOCAL + name + extra, ahead, err))) return false;
	return check_stated(z, e, h, h + LOCAL + name, extra, err);
}

/* The CRC is compared here for a small stored record, whose bytes come with the header. */
static bool is_small(const ckpt_zip *z, const ckpt_zip_entry *e, uint64_t checked)
{
	return !z->options.skip_crc && e->method == CKPT_ZIP_STORED && e->size && e->size <= CKPT_ZIP_SMALL && e->crc &&
	       checked + e->size <= CHECK_IN_ALL;
}

static bool check_small(const ckpt_zip *z, ckpt_zip_entry *e, window *w, size_t ahead, ckpt_error *err)
{
	const uint8_t *data = look(w, e->data, (size_t)e->size, ahead, err);
	if (!data) return false;
	uint32_t crc = ckpt_crc32(0, data, (size_t)e->size);
	e->checked = crc == e->crc;
	if (e->checked) return true;
	return ckpt_zip_fail(z, CKPT_ZIP_CRC, e, e->data, err, "its CRC is %08x, its header says %08x: damaged data",
	                     crc, e->crc);
}

/* True when the bytes are the data descriptor of e. */
static bool is_descriptor(const ckpt_zip_entry *e, const uint8_t *p, size_t length)
{
	if (length == 16 || length == 24) {
		if (memcmp(p, "PK\7\10", 4) != 0) return false;
		p += 4;
		length -= 4;
	}
	if (ckpt_le32(p) != e->crc) return false;
	if (length == 12) return ckpt_le32(p + 4) == e->packed && ckpt_le32(p + 8) == e->size;
	return ckpt_le64(p + 4) == e->packed && ckpt_le64(p + 12) == e->size;
}

/* What lies between the end of e's data and e->next must be its descriptor, or nothing. */
static bool check_gap(const ckpt_zip *z, ckpt_zip_entry *e, window *w, size_t ahead, ckpt_error *err)
{
	uint64_t end = e->data + e->packed, gap = e->next - end;
	if (gap == 0) return true;
	if ((e->flags & FLAG_DESCRIPTOR) && (gap == 12 || gap == 16 || gap == 20 || gap == 24)) {
		const uint8_t *p = look(w, end, (size_t)gap, ahead, err);
		if (!p) return false;
		if (is_descriptor(e, p, (size_t)gap)) return true;
		return ckpt_zip_fail(z, CKPT_ZIP_MISMATCH, e, end, err,
		                     "the descriptor behind its data mismatches the directory");
	}
	return ckpt_zip_fail(z, CKPT_ZIP_HIDDEN, e, end, err,
	                     "%llu bytes follow its data at offset %llu that the directory does not list: a hidden or "
	                     "unlisted record?",
	                     (unsigned long long)gap, (unsigned long long)end);
}

static bool check_first(const ckpt_zip *z, uint64_t first, ckpt_error *err)
{
	if (first == 0) return true;
	return ckpt_zip_fail(z, CKPT_ZIP_PREFIX, NULL, 0, err,
	                     "%llu bytes stand in front of the first record of the zip archive",
	                     (unsigned long long)first);
}

bool ckpt_zip_locate(const ckpt_zip *z, const ckpt_zip_entry *e, ckpt_zip_entry *out, ckpt_error *err)
{
	ckpt_zip_entry found = *e;
	if (!e->data && !e->faulty) {
		window *w = malloc(sizeof *w);
		if (!w) return ckpt_fail_nomem(err);
		w->file = z->file;
		w->at = w->length = 0;
		w->limit = z->directory;
		bool ok = check_header(z, &found, w, SPARSE_READ, err);
		free(w);
		if (!ok) return false; /* *out stays as it was, and so unlocated */
	}
	*out = found;
	return true;
}

bool ckpt_zip_check_locals(ckpt_zip *z, ckpt_error *err)
{
	bool ok = false;
	uint64_t checked = 0;
	window *w = malloc(sizeof *w);
	ckpt_zip_entry **sorted = sort_entries(z);
	if (!w || !sorted) {
		ckpt_fail_nomem(err);
		goto done;
	}
	w->file = z->file;
	w->at = w->length = 0;
	w->limit = z->directory;
	bool remote = ckpt_file_is_remote(z->file); /* then a header costs a request: see ckpt_zip_locate */
	if (!check_first(z, z->count ? sorted[0]->at : z->directory, err)) goto done;
	for (size_t i = 0; i < z->count; i++) {
		ckpt_zip_entry *e = sorted[i];
		e->next = i + 1 < z->count && sorted[i + 1]->at < z->directory ? sorted[i + 1]->at : z->directory;
		if (e->at >= z->directory) {
			e->faulty = true;
			if (!ckpt_zip_fail(z, CKPT_ZIP_SIZES, e, e->at, err,
			                   "its offset %llu is past the start of the directory at %llu",
			                   (unsigned long long)e->at, (unsigned long long)z->directory))
				goto done;
			continue;
		}
		if (remote) continue;
		bool small = is_small(z, e, checked);
		size_t ahead = small || e->next - e->at <= DENSE ? WINDOW : SPARSE_READ;
		if (!check_header(z, e, w, ahead, err)) goto done;
		if (e->faulty) continue;
		if (small && !check_small(z, e, w, ahead, err)) goto done;
		if (small) checked += e->size;
		/* the descriptor and the next header come with one read */
		if (!check_gap(z, e, w, SPARSE_READ, err)) goto done;
	}
	ok = true;
done:
	free(sorted);
	free(w);
	return ok;
}
