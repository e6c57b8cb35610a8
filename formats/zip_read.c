/* zip_read.c -- the central directory of a zip archive
 *
 * One entry, integers little-endian: signature 02014b50, u16 made by, u16 needed, u16 flags, u16 method, u16 time,
 * u16 date, u32 crc, u32 packed size, u32 size, u16 name length, u16 extra length, u16 comment length, u16 disk,
 * u16 and u32 attributes, u32 offset of the local header; then name, extra fields, comment. Sizes and offset of
 * 0xffffffff stand in the extra field 1 as 64 bits, in the order size, packed, offset. Dates are not looked at: torch
 * writes none.
 */
#include "zip.h"
#include "../lib/checked.h"
#include "../lib/error.h"
#include "../lib/utf8.h"
#include "zip_inner.h"

#include <stdlib.h>
#include <string.h>

enum { CENTRAL = 46 };
enum { FLAG_ENCRYPTED = 1, FLAG_STRONG = 0x40, FLAG_MASKED = 0x2000, FLAGS_KNOWN = 0x080e };

/* What a name may not be: empty, a path that leaves its folder, text that harms a terminal, another file's name. */
static const char *bad_name(const char *name, size_t length)
{
	unsigned char all = 0;
	if (length == 0) return "its name is empty";
	if (length > CKPT_ZIP_NAME_MOST) return "its name is too long";
	if (name[0] == '/') return "its name is an absolute path";
	for (size_t i = 0, part = 0; i <= length; i++) {
		if (i == length || name[i] == '/') {
			if (i - part == 2 && name[part] == '.' && name[part + 1] == '.')
				return "its name has '..' as a part of a path";
			part = i + 1;
			continue;
		}
		unsigned char c = (unsigned char)name[i];
		all |= c;
		if (c < 0x20 || c == 0x7f) return "its name holds a control character";
		if (c == '\\') return "its name holds a backslash";
	}
	return all & 0x80 && ckpt_utf8_check(name, length) != SIZE_MAX ? "its name is not UTF-8" : NULL;
}

static bool check_entry(ckpt_zip *z, ckpt_zip_entry *e, ckpt_error *err)
{
	uint64_t at = e->at;
	const char *why = bad_name(e->name, e->name_length);
	if (why && !ckpt_zip_fail(z, CKPT_ZIP_NAME, e, at, err, "%s", why)) return false;
	if ((e->flags & (FLAG_ENCRYPTED | FLAG_STRONG | FLAG_MASKED)) &&
	    !ckpt_zip_fail(z, CKPT_ZIP_ENCRYPTED, e, at, err, "it is marked as encrypted (flags 0x%04x)", e->flags))
		return false;
	if (e->method != CKPT_ZIP_STORED && e->method != CKPT_ZIP_DEFLATED) {
		e->faulty = true;
		if (!ckpt_zip_fail(z, CKPT_ZIP_METHOD, e, at, err,
		                   "compression method %u is unsupported (0 and 8 are supported)", e->method))
			return false;
	} else if ((e->flags & ~FLAGS_KNOWN & ~(FLAG_ENCRYPTED | FLAG_STRONG | FLAG_MASKED)) &&
	           !ckpt_zip_fail(z, CKPT_ZIP_METHOD, e, at, err, "its flags 0x%04x are unsupported", e->flags)) {
		return false;
	}
	if (e->method == CKPT_ZIP_STORED && e->packed != e->size) {
		e->faulty = true;
		if (!ckpt_zip_fail(z, CKPT_ZIP_SIZES, e, at, err, "it is stored, but its sizes are %llu and %llu bytes",
		                   (unsigned long long)e->packed, (unsigned long long)e->size))
			return false;
	}
	/* deflate makes at most 1032 bytes of one */
	if (e->method == CKPT_ZIP_DEFLATED && e->size / 1032 > e->packed) {
		e->faulty = true;
		if (!ckpt_zip_fail(z, CKPT_ZIP_SIZES, e, at, err,
		                   "its size of %llu bytes is more than %llu deflated bytes can become",
		                   (unsigned long long)e->size, (unsigned long long)e->packed))
			return false;
	}
	if (e->name_length && e->name[e->name_length - 1] == '/' && e->size &&
	    !ckpt_zip_fail(z, CKPT_ZIP_NAME, e, at, err, "its name is that of a folder, but it has %llu bytes",
	                   (unsigned long long)e->size))
		return false;
	return true;
}

/* Reads entry i at p; *next is where the following one starts. */
static bool read_entry(ckpt_zip *z, size_t i, const uint8_t *p, size_t left, const uint8_t **next, ckpt_error *err)
{
	if (left < CENTRAL || memcmp(p, "PK\1\2", 4) != 0)
		return ckpt_fail(err, CKPT_E_FORMAT,
		                 "the central directory of the zip archive is corrupt at entry %zu of %llu", i,
		                 (unsigned long long)z->expected);
	size_t name = ckpt_le16(p + 28), extra = ckpt_le16(p + 30), comment = ckpt_le16(p + 32);
	if (name + extra + comment > left - CENTRAL)
		return ckpt_fail(err, CKPT_E_FORMAT,
		                 "entry %zu of the zip archive runs past the end of the central directory", i);
	ckpt_zip_entry *e = &z->entries[i];
	*e = (ckpt_zip_entry){
		.name = (const char *)p + CENTRAL,
		.name_length = (uint32_t)name,
		.crc = ckpt_le32(p + 16),
		.at = ckpt_le32(p + 42),
		.packed = ckpt_le32(p + 20),
		.size = ckpt_le32(p + 24),
		.flags = ckpt_le16(p + 8),
		.method = ckpt_le16(p + 10),
	};
	if (ckpt_le16(p + 34) != 0)
		return ckpt_fail(err, CKPT_E_UNSUPPORTED, "entry %zu of the zip archive lies on disk %u", i,
		                 ckpt_le16(p + 34));
	unsigned want =
	    (e->size == 0xffffffff ? 1u : 0) | (e->packed == 0xffffffff ? 2u : 0) | (e->at == 0xffffffff ? 4u : 0);
	if (!ckpt_zip_extra64(p + CENTRAL + name, extra, want, &e->size, &e->packed, &e->at))
		return ckpt_fail(err, CKPT_E_FORMAT,
		                 "entry %zu of the zip archive has a missing or bad zip64 extra field", i);
	*next = p + CENTRAL + name + extra + comment;
	return check_entry(z, e, err);
}

static bool read_directory(ckpt_zip *z, ckpt_error *err)
{
	const uint8_t *p = z->central, *end = p + z->directory_length;
	z->entries = calloc(z->expected ? (size_t)z->expected : 1, sizeof *z->entries);
	if (!z->entries) return ckpt_fail_nomem(err);
	if (!ckpt_text_index_init(&z->index, (size_t)z->expected, true, err)) return false;
	for (size_t i = 0; i < z->expected; i++) {
		uint32_t found;
		if (!read_entry(z, i, p, (size_t)(end - p), &p, err)) return false;
		ckpt_zip_entry *e = &z->entries[i];
		z->count = i + 1;
		if (!ckpt_text_index_add(&z->index, e->name, e->name_length, (uint32_t)i, &found, err)) return false;
		if (found == i) continue;
		const ckpt_zip_entry *first = &z->entries[found];
		bool exact = memcmp(first->name, e->name, e->name_length) == 0;
		if (!ckpt_zip_fail(z, CKPT_ZIP_DUPLICATE, e, e->at, err,
		                   exact ? "duplicate name: the archive holds it twice, entries %u and %zu"
		                         : "duplicate name, but for the case of its letters, of entries %u and %zu",
		                   found, i))
			return false;
	}
	if (p != end)
		return ckpt_fail(
			err, CKPT_E_FORMAT,
			"the central directory of the zip archive has %zu bytes more than its %llu entries need",
			(size_t)(end - p), (unsigned long long)z->expected);
	return true;
}

ckpt_zip *ckpt_zip_open(ckpt_file *f, const ckpt_zip_options *options, ckpt_error *err)
{
	ckpt_zip *z = calloc(1, sizeof *z);
	if (!z) {
		ckpt_fail_nomem(err);
		return NULL;
	}
	z->file = ckpt_file_ref(f);
	z->file_size = ckpt_file_size(f);
	z->options = *options;
	if (!ckpt_zip_find_directory(z, err) || !read_directory(z, err) || !ckpt_zip_check_locals(z, err)) {
		ckpt_zip_free(z);
		return NULL;
	}
	return z;
}

void ckpt_zip_free(ckpt_zip *z)
{
	if (!z) return;
	ckpt_text_index_free(&z->index);
	free(z->entries);
	free(z->central);
	ckpt_file_unref(z->file);
	free(z);
}

size_t ckpt_zip_count(const ckpt_zip *z)
{
	return z->count;
}

const ckpt_zip_entry *ckpt_zip_at(const ckpt_zip *z, size_t i)
{
	return &z->entries[i];
}

const ckpt_zip_entry *ckpt_zip_find(const ckpt_zip *z, const char *name, size_t length)
{
	uint32_t i = ckpt_text_index_find(&z->index, name, length);
	if (i == UINT32_MAX) return NULL;
	const ckpt_zip_entry *e = &z->entries[i];
	return length == 0 || memcmp(e->name, name, length) == 0 ? e : NULL;
}

size_t ckpt_zip_index(const ckpt_zip *z, const ckpt_zip_entry *e)
{
	return (size_t)(e - z->entries);
}
