/* zip_end.c -- finds the end of a zip archive, and from it the central directory
 *
 * What stands at the end of the file, integers little-endian:
 *   1. central directory
 *   2. zip64 end record, where counts or offsets need it (torch always writes it): signature 06064b50, u64 length of
 *      the rest (44), u16 made by, u16 needed, u32 disk, u32 disk of the directory, u64 entries here, u64 entries in
 *      all, u64 length and u64 offset of the directory
 *   3. its locator: signature 07064b50, u32 disk, u64 offset of 2, u32 number of disks
 *   4. end record: signature 06054b50, u16 disk, u16 disk of the directory, u16 entries here, u16 entries in all,
 *      u32 length and u32 offset of the directory, u16 length of the comment; then the comment, then nothing
 */
#include "../lib/checked.h"
#include "../lib/error.h"
#include "zip_inner.h"

#include <stdlib.h>
#include <string.h>

enum { END = 22, LOCATOR = 20, END64 = 56 };

typedef struct end_record {
	uint64_t here, entries, length, offset;
	uint64_t at; /* where the directory must end */
} end_record;

static bool no_end(const ckpt_zip *z, ckpt_error *err)
{
	uint8_t head[4] = {0};
	size_t got;
	if (!ckpt_file_read_some(z->file, 0, sizeof head, head, &got, err)) return false;
	if (memcmp(head, "PK\3\4", 4) == 0)
		return ckpt_fail(err, CKPT_E_FORMAT,
		                 "the zip archive is truncated: no end-of-central-directory record in its %llu bytes "
		                 "(an interrupted download?)",
		                 (unsigned long long)z->file_size);
	return ckpt_fail(err, CKPT_E_FORMAT, "not a zip archive: no end-of-central-directory record");
}

/* The end record is the one whose comment reaches the end of the file. A reader that looks from the end, or that does
 * not mind what the comment says, must not find another one. */
static bool find_end(const ckpt_zip *z, const uint8_t *tail, size_t length, size_t *out, ckpt_error *err)
{
	size_t found = SIZE_MAX, last = SIZE_MAX, count = 0;
	size_t first = length > END + 65535 ? length - END - 65535 : 0;
	for (const uint8_t *p = tail + first; (p = memmem(p, length - (size_t)(p - tail), "PK\5\6", 4)); p += 4) {
		size_t i = (size_t)(p - tail);
		last = i;
		if (length - i < END || length - i - END != ckpt_le16(p + 20)) continue;
		if (!count++) found = i;
	}
	if (last == SIZE_MAX) return no_end(z, err);
	if (count == 0) {
		if (length - last < END) return no_end(z, err);
		size_t comment = ckpt_le16(tail + last + 20), rest = length - last - END;
		if (comment > rest)
			return ckpt_fail(err, CKPT_E_FORMAT,
			                 "the zip archive is truncated: its end record announces a comment of %zu "
			                 "bytes, %zu are there",
			                 comment, rest);
		found = last;
		if (!ckpt_zip_fail(z, CKPT_ZIP_TRAILING, NULL, z->file_size - rest + comment, err,
		                   "%zu bytes follow the end of the zip archive", rest - comment))
			return false;
	} else if ((count > 1 || last != found) &&
	           !ckpt_zip_fail(z, CKPT_ZIP_TRAILING, NULL, z->file_size - length + last, err,
	                          "the zip archive is ambiguous: it has a second end-of-central-directory record")) {
		return false;
	}
	*out = found;
	return true;
}

/* A field of the small end record is either the same as the 64-bit one or "look there". */
static bool agrees(uint64_t small, uint64_t big, uint64_t most)
{
	return small == most || small == big;
}

static bool read_end64(const ckpt_zip *z, const uint8_t *tail, size_t tail_length, size_t locator, end_record *end,
                       ckpt_error *err)
{
	const uint8_t *l = tail + locator;
	uint64_t locator_at = z->file_size - tail_length + locator, offset = ckpt_le64(l + 8), rest;
	if (ckpt_le32(l + 4) != 0 || ckpt_le32(l + 16) > 1)
		return ckpt_fail(err, CKPT_E_UNSUPPORTED, "the zip archive is split over several disks");
	if (locator < END64 || memcmp(tail + locator - END64, "PK\6\6", 4) != 0) {
		return ckpt_fail(err, CKPT_E_FORMAT,
		                 "the zip64 end record is not where it must be, in front of its locator at offset "
		                 "%llu",
		                 (unsigned long long)locator_at);
	}
	const uint8_t *e = tail + locator - END64;
	uint64_t at = locator_at - END64;
	if (offset != at && offset < at) {
		uint8_t head[4] = {0};
		size_t got;
		if (!ckpt_file_read_some(z->file, 0, sizeof head, head, &got, err)) return false;
		if (memcmp(head, "PK\3\4", 4) == 0)
			return ckpt_fail(err, CKPT_E_UNSUPPORTED,
			                 "these are several zip archives one after the other, the last one starts at "
			                 "offset %llu: a shard of a distributed checkpoint (.distcp)? Merge it with "
			                 "torch.distributed.checkpoint first",
			                 (unsigned long long)(at - offset));
		return ckpt_fail(err, CKPT_E_FORMAT, "%llu bytes stand in front of the zip archive",
		                 (unsigned long long)(at - offset));
	}
	if (offset != at)
		return ckpt_fail(err, CKPT_E_FORMAT,
		                 "the zip64 locator points to offset %llu, the zip64 end record is at %llu",
		                 (unsigned long long)offset, (unsigned long long)at);
	if (!ckpt_add_u64(ckpt_le64(e + 4), 12, &rest) || rest != END64)
		return ckpt_fail(err, CKPT_E_FORMAT, "the zip64 end record gives its length as %llu, not 44",
		                 (unsigned long long)ckpt_le64(e + 4));
	if (ckpt_le32(e + 16) != 0 || ckpt_le32(e + 20) != 0)
		return ckpt_fail(err, CKPT_E_UNSUPPORTED, "the zip archive is split over several disks");
	end_record big = {ckpt_le64(e + 24), ckpt_le64(e + 32), ckpt_le64(e + 40), ckpt_le64(e + 48), at};
	if (!agrees(end->here, big.here, 0xffff) || !agrees(end->entries, big.entries, 0xffff) ||
	    !agrees(end->length, big.length, 0xffffffff) || !agrees(end->offset, big.offset, 0xffffffff))
		return ckpt_fail(err, CKPT_E_FORMAT,
		                 "the two end records of the zip archive disagree: %llu and %llu entries, directory at "
		                 "%llu and %llu",
		                 (unsigned long long)end->entries, (unsigned long long)big.entries,
		                 (unsigned long long)end->offset, (unsigned long long)big.offset);
	*end = big;
	return true;
}

static bool check_directory(ckpt_zip *z, const end_record *end, ckpt_error *err)
{
	uint64_t stop;
	if (end->here != end->entries)
		return ckpt_fail(err, CKPT_E_UNSUPPORTED,
		                 "the zip archive is split: %llu of its %llu entries are on this disk",
		                 (unsigned long long)end->here, (unsigned long long)end->entries);
	if (!ckpt_add_u64(end->offset, end->length, &stop) || stop > end->at)
		return ckpt_fail(err, CKPT_E_FORMAT,
		                 "the central directory of the zip archive (offset %llu, %llu bytes) runs past its end "
		                 "at %llu",
		                 (unsigned long long)end->offset, (unsigned long long)end->length,
		                 (unsigned long long)end->at);
	if (stop != end->at)
		return ckpt_fail(err, CKPT_E_FORMAT,
		                 "the central directory of the zip archive ends at offset %llu, but its end record is "
		                 "at %llu: %llu bytes stand in front of the archive or between them",
		                 (unsigned long long)stop, (unsigned long long)end->at,
		                 (unsigned long long)(end->at - stop));
	if (end->entries > z->options.limits.zip_records)
		return ckpt_fail_limit(err, "records of the zip archive", end->entries, "zip-records",
		                       z->options.limits.zip_records);
	if (end->entries > end->length / 46)
		return ckpt_fail(
			err, CKPT_E_FORMAT,
			"the central directory of the zip archive has %llu bytes, too few for its %llu entries",
			(unsigned long long)end->length, (unsigned long long)end->entries);
	z->directory = end->offset;
	z->directory_length = end->length;
	z->expected = end->entries;
	return true;
}

bool ckpt_zip_find_directory(ckpt_zip *z, ckpt_error *err)
{
	bool ok = false;
	size_t length = z->file_size < ZIP_TAIL ? (size_t)z->file_size : ZIP_TAIL, at = 0;
	uint8_t *tail = malloc(length ? length : 1);
	if (!tail) return ckpt_fail_nomem(err);
	if (!ckpt_file_read(z->file, z->file_size - length, length, tail, err)) goto done;
	if (!find_end(z, tail, length, &at, err)) goto done;
	const uint8_t *e = tail + at;
	end_record end = {ckpt_le16(e + 8), ckpt_le16(e + 10), ckpt_le32(e + 12), ckpt_le32(e + 16),
	                  z->file_size - length + at};
	if (ckpt_le16(e + 4) != 0 || ckpt_le16(e + 6) != 0) {
		ckpt_fail(err, CKPT_E_UNSUPPORTED,
		          "the zip archive is split over several disks (this is disk %u, the directory is on %u)",
		          ckpt_le16(e + 4), ckpt_le16(e + 6));
		goto done;
	}
	if (at >= LOCATOR && memcmp(e - LOCATOR, "PK\6\7", 4) == 0) {
		if (!read_end64(z, tail, length, at - LOCATOR, &end, err)) goto done;
	} else if (end.entries == 0xffff || end.length == 0xffffffff || end.offset == 0xffffffff) {
		ckpt_fail(err, CKPT_E_FORMAT, "the zip archive needs a zip64 end record and has none");
		goto done;
	}
	if (!check_directory(z, &end, err)) goto done;
	z->central = malloc(end.length ? (size_t)end.length : 1);
	if (!z->central) {
		ckpt_fail_nomem(err);
		goto done;
	}
	uint64_t tail_at = z->file_size - length;
	if (end.offset >= tail_at)
		memcpy(z->central, tail + (end.offset - tail_at), (size_t)end.length);
	else if (!ckpt_file_read(z->file, end.offset, (size_t)end.length, z->central, err))
		goto done;
	ok = true;
done:
	free(tail);
	return ok;
}
