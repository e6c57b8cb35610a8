/* zip_plan.c -- an archive as torch writes it, planned before its first byte is written
 *
 *  1. Each record: local header (30 bytes: version 0, flags 0x0808, or 0x0800 when empty, stored, no date, checksum and
 *     sizes 0), "prefix/name", a zip64 field when needed, a padding field, the data, a descriptor.
 *  2. The padding field is "FB", a 16-bit length and that many "Z": the data start on the next multiple of 64.
 *  3. The descriptor, left out when the record is empty: signature, checksum, size, size; the sizes are of 64 bits when
 *     the record has a zip64 field.
 *  4. The zip64 field is there when the size or the header's offset does not fit 32 bits: the size and (in the local
 *     header 0) the size again, the offset.
 *  5. The directory: 46 bytes and the name a record, a zip64 field as above, no padding field.
 *  6. The end: zip64 end record (56), its locator (20), end record (22), always all three.
 *
 * A plain archive has none of torch's habits: versions 2.0 (4.5 with a zip64 field), 1980-01-01, mode 0644, flag 0x0800
 * for names beyond ASCII only, no padding and no descriptor: checksum and sizes stand in the local header, whose zip64
 * field is there for sizes alone; the first two end records are there when a number needs them.
 */
#include "zip_plan.h"
#include "../lib/buffer.h"
#include "../lib/checked.h"
#include "../lib/crc.h"
#include "../lib/error.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ALIGNMENT = 64,
	LOCAL_SIZE = 30,
	CENTRAL_SIZE = 46,
	ID_DIGITS = 40,
	FLAG_DESCRIPTOR = 0x0008,
	FLAG_UTF8 = 0x0800,
	UNIX = 3 << 8,
	DOS_1980_01_01 = 1 << 5 | 1,
	CRC_IN_LOCAL = 14,
	CRC_IN_CENTRAL = 16,
	NAME_MOST = 65535
};

#define MAX32 UINT64_C(0xffffffff)
#define NO_PIECE SIZE_MAX

typedef struct record {
	uint64_t header, data, size; /* offsets of the local header and of the data; bytes */
	size_t piece;                /* whose checksum it is, or NO_PIECE: it is crc */
	size_t central;              /* offset of its entry in the directory */
	uint64_t head; /* bytes before those of the piece, with crc as their checksum */
	uint32_t crc;
	bool ascii; /* the name */
} record;

/* What the layout keeps until it is finished. */
typedef struct archive {
	record *records;
	size_t count, capacity;
	size_t identity;       /* index of the record, or SIZE_MAX */
	uint64_t names;        /* first half of the identity */
	ckpt_buffer directory; /* and the end records; without the checksums that are not known yet */
	uint64_t directory_at;
	bool plain;
} archive;

struct ckpt_zip_plan {
	ckpt_layout *layout;
	archive *a;
	char *prefix; /* with "/"; empty in a plain archive */
	ckpt_buffer pending; /* bytes that lie before the next source */
};

static void archive_free(void *state)
{
	archive *a = state;
	if (!a) return;
	free(a->records);
	ckpt_buffer_free(&a->directory);
	free(a);
}

ckpt_zip_plan *ckpt_zip_plan_new(const char *prefix, ckpt_error *err)
{
	ckpt_zip_plan *z = calloc(1, sizeof *z);
	archive *a = calloc(1, sizeof *a);
	char *copy = NULL;
	if (asprintf(&copy, "%s%s", prefix ? prefix : "", prefix ? "/" : "") < 0) copy = NULL;
	ckpt_layout *layout = ckpt_layout_new(err);
	if (!z || !a || !copy || !layout) {
		if (layout) ckpt_fail_nomem(err);
		free(z);
		free(a);
		free(copy);
		ckpt_layout_free(layout);
		return NULL;
	}
	a->identity = SIZE_MAX;
	a->plain = !prefix;
	layout->state = a;
	layout->free_state = archive_free;
	*z = (ckpt_zip_plan){.layout = layout, .a = a, .prefix = copy};
	return z;
}

void ckpt_zip_plan_free(ckpt_zip_plan *z)
{
	if (!z) return;
	ckpt_layout_free(z->layout);
	ckpt_buffer_free(&z->pending);
	free(z->prefix);
	free(z);
}

/* ---- one record ---- */

static uint64_t mix(uint64_t seed, uint64_t v)
{
	return seed ^ (v + UINT64_C(0x9e3779b97f4a7c15) + (seed << 6) + (seed >> 2));
}

static uint64_t hash_text(const char *text)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
	for (; *text; text++) h = (h ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
	return h;
}

static void add16(ckpt_buffer *b, uint64_t v) { ckpt_buffer_add(b, (uint8_t[2]){(uint8_t)v, (uint8_t)(v >> 8)}, 2); }

static void add32(ckpt_buffer *b, uint64_t v)
{
	uint8_t bytes[4];
	ckpt_put32(bytes, (uint32_t)v);
	ckpt_buffer_add(b, bytes, sizeof bytes);
}

static void add64(ckpt_buffer *b, uint64_t v)
{
	uint8_t bytes[8];
	ckpt_put64(bytes, v);
	ckpt_buffer_add(b, bytes, sizeof bytes);
}

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* Bytes of the zip64 field of a record. */
static unsigned zip64_size(const record *r)
{
	unsigned sizes = r->size >= MAX32 ? 16 : 0, offset = r->header >= MAX32 ? 8 : 0;
	return sizes + offset ? 4 + sizes + offset : 0;
}

/* In torch's local header the second size is 0. */
static void add_zip64(ckpt_buffer *b, const record *r, bool local)
{
	unsigned length = zip64_size(r);
	if (!length) return;
	add16(b, 1);
	add16(b, length - 4);
	if (r->size >= MAX32) {
		add64(b, r->size);
		add64(b, local ? 0 : r->size);
	}
	if (r->header >= MAX32) add64(b, r->header);
}

static unsigned record_flags(const archive *a, const record *r)
{
	if (a->plain) return r->ascii ? 0 : FLAG_UTF8;
	return FLAG_UTF8 | (r->size ? FLAG_DESCRIPTOR : 0);
}

static void add_name(ckpt_buffer *b, const ckpt_zip_plan *z, const char *name)
{
	ckpt_buffer_str(b, z->prefix);
	ckpt_buffer_str(b, name);
}

/* Bytes between the name and the data. */
static unsigned local_extra(const archive *a, const record *r)
{
	if (a->plain) return r->size >= MAX32 ? 20 : 0;
	return zip64_size(r) + 4;
}

static unsigned plain_version(const record *r) { return zip64_size(r) ? 45 : 20; }

static void add_plain_local(ckpt_zip_plan *z, const record *r, const char *name, size_t name_length)
{
	ckpt_buffer *b = &z->pending;
	ckpt_buffer_add(b, "PK\3\4", 4);
	add16(b, plain_version(r));
	add16(b, record_flags(z->a, r));
	add32(b, 0); /* method, time */
	add16(b, DOS_1980_01_01);
	add32(b, r->crc);
	add32(b, least(r->size, MAX32));
	add32(b, least(r->size, MAX32));
	add16(b, name_length);
	add16(b, local_extra(z->a, r));
	add_name(b, z, name);
	if (r->size < MAX32) return;
	add16(b, 1);
	add16(b, 16);
	add64(b, r->size);
	add64(b, r->size);
}

static void add_local(ckpt_zip_plan *z, const record *r, const char *name, size_t name_length, unsigned padding)
{
	ckpt_buffer *b = &z->pending;
	ckpt_buffer_add(b, "PK\3\4", 4);
	add16(b, 0);
	add16(b, record_flags(z->a, r));
	ckpt_buffer_fill(b, 0, 2 + 4 + 12); /* method, time and date, checksum and sizes */
	add16(b, name_length);
	add16(b, zip64_size(r) + 4 + padding);
	add_name(b, z, name);
	add_zip64(b, r, true);
	ckpt_buffer_add(b, "FB", 2);
	add16(b, padding);
	ckpt_buffer_fill(b, 'Z', padding);
}

static void add_central(ckpt_zip_plan *z, const record *r, const char *name, size_t name_length)
{
	ckpt_buffer *b = &z->a->directory;
	bool plain = z->a->plain;
	unsigned version = plain ? plain_version(r) : 0;
	ckpt_buffer_add(b, "PK\1\2", 4);
	add16(b, plain ? UNIX | version : 0);
	add16(b, version);
	add16(b, record_flags(z->a, r));
	add32(b, 0); /* method, time */
	add16(b, plain ? DOS_1980_01_01 : 0);
	add32(b, r->crc);
	add32(b, least(r->size, MAX32));
	add32(b, least(r->size, MAX32));
	add16(b, name_length);
	add16(b, zip64_size(r));
	ckpt_buffer_fill(b, 0, 2 + 2 + 2); /* comment, disk, internal attributes */
	add32(b, plain ? 0644u << 16 : 0);
	add32(b, least(r->header, MAX32));
	add_name(b, z, name);
	add_zip64(b, r, false);
}

static void add_descriptor(ckpt_zip_plan *z, const record *r)
{
	ckpt_buffer *b = &z->pending;
	if (!r->size || z->a->plain) return;
	ckpt_buffer_add(b, "PK\7\10", 4);
	add32(b, r->crc);
	for (int i = 0; i < 2; i++) {
		if (zip64_size(r))
			add64(b, r->size);
		else
			add32(b, r->size);
	}
}

/* Bytes that were put aside become a piece of the layout. */
static ckpt_piece *flush(ckpt_zip_plan *z, ckpt_error *err)
{
	if (!ckpt_buffer_ok(&z->pending, err)) return NULL;
	ckpt_piece *piece = ckpt_layout_bytes(z->layout, z->pending.data, z->pending.length, err);
	z->pending.length = 0;
	return piece;
}

static bool is_ascii(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text > 126) return false;
	return true;
}

/* Starts a record of `size` bytes: its local header is pending, its entry stands in the directory. */
static record *begin_record(ckpt_zip_plan *z, const char *name, uint64_t size, uint32_t crc, ckpt_error *err)
{
	archive *a = z->a;
	size_t name_length = strlen(z->prefix) + strlen(name);
	if (name_length > NAME_MOST) {
		ckpt_fail(err, CKPT_E_UNSUPPORTED, "a record name has %zu bytes; a zip archive holds at most %d",
		          name_length, NAME_MOST);
		return NULL;
	}
	if (a->count == a->capacity) {
		size_t capacity = a->capacity ? a->capacity * 2 : 64;
		record *grown = realloc(a->records, capacity * sizeof *grown);
		if (!grown) {
			ckpt_fail_nomem(err);
			return NULL;
		}
		a->records = grown;
		a->capacity = capacity;
	}
	record *r = &a->records[a->count];
	*r = (record){.header = z->layout->size + z->pending.length, .size = size, .piece = NO_PIECE, .crc = crc};
	r->ascii = is_ascii(name);
	uint64_t start = r->header + LOCAL_SIZE + name_length + local_extra(a, r), end;
	unsigned padding = a->plain ? 0 : (unsigned)(-start % ALIGNMENT);
	r->data = start + padding;
	if (r->data < r->header || !ckpt_add_u64(r->data, size, &end) || end > INT64_MAX - NAME_MOST) {
		ckpt_fail(err, CKPT_E_UNSUPPORTED, "the record %s of %" PRIu64 " bytes ends past the largest file",
		          name, size);
		return NULL;
	}
	if (a->plain)
		add_plain_local(z, r, name, name_length);
	else
		add_local(z, r, name, name_length, padding);
	r->central = a->directory.length;
	add_central(z, r, name, name_length);
	a->names = mix(mix(a->names, hash_text(name)), size);
	a->count++;
	return r;
}

bool ckpt_zip_plan_bytes(ckpt_zip_plan *z, const char *name, const void *bytes, size_t length, ckpt_error *err)
{
	record *r = begin_record(z, name, length, ckpt_crc32(0, bytes, length), err);
	if (!r || !flush(z, err) || !ckpt_layout_bytes(z->layout, bytes, length, err)) return false;
	add_descriptor(z, r);
	return ckpt_buffer_ok(&z->pending, err);
}

bool ckpt_zip_plan_source(ckpt_zip_plan *z, const char *name, ckpt_source *source, const char *label, ckpt_error *err)
{
	return ckpt_zip_plan_headed(z, name, NULL, 0, source, label, err);
}

bool ckpt_zip_plan_headed(ckpt_zip_plan *z, const char *name, const void *head, size_t head_length, ckpt_source *source,
                          const char *label, ckpt_error *err)
{
	uint64_t size;
	if (!ckpt_add_u64(source->length, head_length, &size)) size = UINT64_MAX; /* refused like all that is too long */
	record *r = begin_record(z, name, size, head_length ? ckpt_crc32(0, head, head_length) : 0, err);
	if (!r) return false;
	r->head = head_length;
	if (head_length) ckpt_buffer_add(&z->pending, head, head_length);
	if (!flush(z, err)) return false;
	if (source->length) {
		ckpt_piece *piece = ckpt_layout_source(z->layout, source, label, err);
		if (!piece) return false;
		piece->want_crc = true;
		r->piece = z->layout->count - 1;
	}
	add_descriptor(z, r);
	return ckpt_buffer_ok(&z->pending, err);
}

/* ---- identity ---- */

bool ckpt_zip_plan_identity(ckpt_zip_plan *z, ckpt_error *err)
{
	static const char zeros[ID_DIGITS];
	uint64_t names = z->a->names;
	if (!ckpt_zip_plan_bytes(z, ".data/serialization_id", zeros, ID_DIGITS, err)) return false;
	z->a->names = names;
	z->a->identity = z->a->count - 1;
	return true;
}

/* ---- the end ---- */

static void add_zip64_end(ckpt_buffer *b, uint64_t count, uint64_t size, uint64_t offset)
{
	ckpt_buffer_add(b, "PK\6\6", 4);
	add64(b, 44);
	add16(b, 0x031e); /* made by: 3.0 on Unix */
	add16(b, 45);
	add64(b, 0); /* disks */
	add64(b, count);
	add64(b, count);
	add64(b, size);
	add64(b, offset);
	ckpt_buffer_add(b, "PK\6\7", 4);
	add32(b, 0);
	add64(b, offset + size);
	add32(b, 1);
}

static void add_end(ckpt_buffer *b, uint64_t count, uint64_t size, uint64_t offset)
{
	ckpt_buffer_add(b, "PK\5\6", 4);
	add32(b, 0); /* disks */
	add16(b, least(count, 0xffff));
	add16(b, least(count, 0xffff));
	add32(b, least(size, MAX32));
	add32(b, least(offset, MAX32));
	add16(b, 0);
}

/* The checksum stands in two places: in the directory, and behind the data or in the local header. */
static bool patch_crc(archive *a, const record *r, uint32_t crc, ckpt_output *out, ckpt_error *err)
{
	uint8_t bytes[4];
	ckpt_put32(bytes, crc);
	memcpy(a->directory.data + r->central + CRC_IN_CENTRAL, bytes, sizeof bytes);
	uint64_t at = a->plain ? r->header + CRC_IN_LOCAL : r->data + r->size + 4;
	return ckpt_output_write(out, at, bytes, sizeof bytes, err);
}

static bool finish(ckpt_layout *layout, ckpt_output *out, ckpt_error *err)
{
	archive *a = layout->state;
	uint64_t contents = 0;
	for (size_t i = 0; i < a->count; i++) {
		const record *r = &a->records[i];
		uint32_t crc = r->crc;
		if (r->piece != NO_PIECE) crc = ckpt_crc32_combine(crc, layout->pieces[r->piece].crc, r->size - r->head);
		if (i == a->identity) {
			char text[ID_DIGITS + 1];
			snprintf(text, sizeof text, "%020" PRIu64 "%020" PRIu64, a->names, contents);
			crc = ckpt_crc32(0, text, ID_DIGITS);
			if (!ckpt_output_write(out, r->data, text, ID_DIGITS, err)) return false;
		}
		contents = mix(contents, crc);
		if ((r->piece != NO_PIECE || i == a->identity) && !patch_crc(a, r, crc, out, err)) return false;
	}
	return ckpt_output_write(out, a->directory_at, a->directory.data, a->directory.length, err);
}

ckpt_layout *ckpt_zip_plan_finish(ckpt_zip_plan *z, ckpt_error *err)
{
	archive *a = z->a;
	if (!flush(z, err)) return NULL;
	a->directory_at = z->layout->size;
	const uint64_t size = a->directory.length, offset = a->directory_at;
	if (!a->plain || a->count >= 0xffff || size >= MAX32 || offset >= MAX32)
		add_zip64_end(&a->directory, a->count, size, offset);
	add_end(&a->directory, a->count, size, offset);
	if (!ckpt_buffer_ok(&a->directory, err) || !ckpt_layout_zeros(z->layout, a->directory.length, err)) return NULL;
	z->layout->finish = finish;
	ckpt_layout *layout = z->layout;
	z->layout = NULL;
	z->a = NULL;
	return layout;
}
