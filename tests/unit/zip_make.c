/* zip_make.c -- zip archives made in memory, good ones and bad ones, for tests */
#include "zip_make.h"
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "../../lib/buffer.h"
#include "../../lib/checked.h"
#include "files.h"

zip_record *zip_add(zip_archive *z, const char *name, const void *data, size_t length)
{
	zip_record *r = &z->records[z->count++];
	*r =
	    (zip_record){.name = name, .local_name = name, .name_length = strlen(name), .data = data, .length = length};
	r->local_name_length = r->name_length;
	r->crc = r->local_crc = r->descriptor_crc = (uint32_t)crc32(0, data, (uInt)length);
	r->size = r->packed = r->local_size = r->local_packed = length;
	r->offset = r->local_extra_says = -1;
	return r;
}

zip_record *zip_add_deflated(zip_archive *z, const char *name, const void *data, size_t length)
{
	zip_record *r = zip_add(z, name, data, length);
	static uint8_t *packed[ZIP_RECORDS];
	size_t i = z->count - 1, room = length + length / 1000 + 64;
	packed[i] = realloc(packed[i], room);
	z_stream s = {0};
	deflateInit2(&s, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
	s.next_in = (Bytef *)(uintptr_t)data;
	s.avail_in = (uInt)length;
	s.next_out = packed[i];
	s.avail_out = (uInt)room;
	deflate(&s, Z_FINISH);
	r->data = packed[i];
	r->length = r->packed = r->local_packed = s.total_out;
	deflateEnd(&s);
	r->method = r->local_method = 8;
	return r;
}

static void put(ckpt_buffer *b, uint64_t v, size_t bytes)
{
	uint8_t text[8];
	ckpt_put64(text, v);
	ckpt_buffer_add(b, text, bytes);
}

static uint64_t small(uint64_t v, uint64_t most)
{
	return v < most ? v : most;
}

static void put_record(ckpt_buffer *b, const zip_record *r)
{
	put(b, 0x04034b50, 4);
	put(b, 20, 2);
	put(b, r->local_flags, 2);
	put(b, r->local_method, 2);
	put(b, 0, 4);
	put(b, r->local_crc, 4);
	put(b, r->local_packed, 4);
	put(b, r->local_size, 4);
	put(b, r->local_name_length, 2);
	put(b, r->local_extra_says >= 0 ? (uint64_t)r->local_extra_says : r->local_extra_length, 2);
	ckpt_buffer_add(b, r->local_name, r->local_name_length);
	ckpt_buffer_add(b, r->local_extra, r->local_extra_length);
	ckpt_buffer_add(b, r->data, r->length);
	if (r->descriptor == 16 || r->descriptor == 24) put(b, 0x08074b50, 4);
	if (r->descriptor) {
		size_t width = r->descriptor >= 20 ? 8 : 4;
		put(b, r->descriptor_crc, 4);
		put(b, r->packed, width);
		put(b, r->size, width);
	}
	ckpt_buffer_add(b, r->gap, r->gap_length);
}

static void put_entry(ckpt_buffer *b, const zip_record *r, uint64_t at)
{
	put(b, 0x02014b50, 4);
	put(b, 20, 2);
	put(b, 20, 2);
	put(b, r->flags, 2);
	put(b, r->method, 2);
	put(b, 0, 4);
	put(b, r->crc, 4);
	put(b, r->packed, 4);
	put(b, r->size, 4);
	put(b, r->name_length, 2);
	put(b, r->extra_length, 2);
	put(b, 0, 2);
	put(b, r->disk, 2);
	put(b, 0, 6);
	put(b, r->offset >= 0 ? (uint64_t)r->offset : at, 4);
	ckpt_buffer_add(b, r->name, r->name_length);
	ckpt_buffer_add(b, r->extra, r->extra_length);
}

static void put_end(ckpt_buffer *b, const zip_archive *z, uint64_t entries, uint64_t at)
{
	uint64_t length = b->length - at, end64 = b->length;
	uint64_t count = entries + (uint64_t)(int64_t)z->entries_off, offset = at + (uint64_t)(int64_t)z->offset_off;
	if (z->zip64) {
		put(b, 0x06064b50, 4);
		put(b, 44, 8);
		put(b, 0x031e, 2);
		put(b, 45, 2);
		put(b, 0, 8);
		put(b, entries + (uint64_t)(int64_t)z->entries64_off, 8);
		put(b, entries + (uint64_t)(int64_t)z->entries64_off, 8);
		put(b, length, 8);
		put(b, at + (uint64_t)(int64_t)z->offset64_off, 8);
		put(b, 0x07064b50, 4);
		put(b, 0, 4);
		put(b, end64 + (uint64_t)(int64_t)z->locator_off, 8);
		put(b, (uint64_t)(1 + z->disks64), 4);
	}
	put(b, 0x06054b50, 4);
	put(b, (uint64_t)z->disk, 2);
	put(b, (uint64_t)z->disk, 2);
	put(b, small(count, 0xffff), 2);
	put(b, small(count, 0xffff), 2);
	put(b, small(length + (uint64_t)(int64_t)z->length_off, 0xffffffff), 4);
	put(b, small(offset, 0xffffffff), 4);
	size_t comment = z->comment ? strlen(z->comment) : 0;
	put(b, z->comment_length ? z->comment_length : comment, 2);
	ckpt_buffer_add(b, z->comment, comment);
	if (z->tail) ckpt_buffer_str(b, z->tail);
}

uint8_t *zip_bytes(const zip_archive *z, size_t *length)
{
	ckpt_buffer b = {0};
	uint64_t at[ZIP_RECORDS], entries = 0;
	if (z->prefix) ckpt_buffer_str(&b, z->prefix);
	for (size_t i = 0; i < z->count; i++) {
		at[i] = b.length;
		put_record(&b, &z->records[i]);
	}
	uint64_t directory = b.length;
	for (size_t k = 0; k < z->count; k++) {
		size_t i = z->reverse ? z->count - 1 - k : k;
		if (z->records[i].skip) continue;
		put_entry(&b, &z->records[i], at[i]);
		entries++;
	}
	put_end(&b, z, entries, directory);
	*length = b.length;
	return (uint8_t *)b.data;
}

const char *zip_write(const zip_archive *z, const char *file)
{
	size_t length;
	uint8_t *bytes = zip_bytes(z, &length);
	const char *path = unit_write(file, bytes, length);
	free(bytes);
	return path;
}
