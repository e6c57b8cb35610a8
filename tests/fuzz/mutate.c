/* mutate.c -- mutations that keep the outer shape: safetensors with a true length, zip with true CRCs, sizes and offsets */
#include "fuzz.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { RECORDS = 64 };

typedef struct record {
	const uint8_t *name, *data;
	size_t name_length, length; /* of the bytes in the file */
	uint32_t crc, size;
	unsigned method;
} record;

typedef struct out {
	uint8_t *data;
	size_t length, max;
} out;

static uint32_t get(const uint8_t *p, int bytes)
{
	uint32_t v = 0;
	for (int i = bytes; i-- > 0;) v = v << 8 | p[i];
	return v;
}

static void put(out *o, uint64_t value, int bytes)
{
	for (int i = 0; i < bytes; i++, value >>= 8)
		if (o->length < o->max) o->data[o->length++] = (uint8_t)value;
}

static void put_bytes(out *o, const uint8_t *p, size_t n)
{
	if (n > o->max - o->length) n = o->max - o->length;
	if (n) memcpy(o->data + o->length, p, n);
	o->length += n;
}

/* The records by their local headers, as far as these are sound and state their sizes. */
static size_t list(const uint8_t *p, size_t size, record *r)
{
	size_t at = 0, n = 0;
	while (n < RECORDS && size - at >= 30 && memcmp(p + at, "PK\3\4", 4) == 0) {
		size_t name = get(p + at + 26, 2), extra = get(p + at + 28, 2), packed = get(p + at + 18, 4);
		size_t left = size - at - 30;
		if (name > left || extra > left - name || packed > left - name - extra) break;
		r[n] = (record){.name = p + at + 30, .data = p + at + 30 + name + extra, .name_length = name, .length = packed,
		                .crc = get(p + at + 14, 4), .size = get(p + at + 22, 4), .method = get(p + at + 8, 2)};
		at += 30 + name + extra + packed;
		if (get(p + at - 30 - name - extra - packed + 6, 2) & 8 && size - at >= 16 && memcmp(p + at, "PK\7\10", 4) == 0) at += 16;
		n++;
	}
	return n;
}

static void headers(out *o, const record *r, const uint32_t *offset)
{
	put(o, offset ? 0x02014b50 : 0x04034b50, 4);
	if (offset) put(o, 20, 2);
	put(o, 20, 2), put(o, 0, 2), put(o, r->method, 2), put(o, 0x21u << 16, 4);
	put(o, r->crc, 4), put(o, r->length, 4), put(o, r->size, 4), put(o, r->name_length, 2), put(o, 0, 2);
	if (offset) put(o, 0, 2), put(o, 0, 2), put(o, 0, 2), put(o, 0, 4), put(o, *offset, 4);
	put_bytes(o, r->name, r->name_length);
}

static size_t build(const record *r, size_t n, uint8_t *data, size_t max)
{
	out o = {data, 0, max};
	uint32_t at[RECORDS];
	for (size_t i = 0; i < n; i++) {
		at[i] = (uint32_t)o.length;
		headers(&o, &r[i], NULL);
		put_bytes(&o, r[i].data, r[i].length);
	}
	size_t start = o.length;
	for (size_t i = 0; i < n; i++) headers(&o, &r[i], &at[i]);
	size_t directory = o.length - start;
	put(&o, 0x06054b50, 4), put(&o, 0, 4), put(&o, n, 2), put(&o, n, 2), put(&o, directory, 4), put(&o, start, 4), put(&o, 0, 2);
	return o.length;
}

static bool ends_in(const record *r, const char *suffix)
{
	size_t n = strlen(suffix);
	return r->name_length >= n && memcmp(r->name + r->name_length - n, suffix, n) == 0;
}

/* Changes one record (its data, now and then its name), drops one or doubles one. 0: it is no archive. */
static size_t mutate_zip(uint8_t *data, size_t size, size_t max, unsigned seed, fuzz_mutate mutate)
{
	record r[RECORDS];
	size_t n = list(data, size, r), result = 0;
	if (n == 0) return 0;
	size_t which = seed / 16 % n, room = max / 2;
	uint8_t *scratch = malloc(room + 1), *all = malloc(max + 1);
	if (scratch && all) {
		record *x = &r[which];
		bool name = seed % 16 == 1;
		const uint8_t *from = name ? x->name : x->data;
		size_t length = name ? x->name_length : x->length;
		if (seed % 16 == 2 && n > 1) {
			r[which] = r[--n];
		} else if (seed % 16 == 3 && n < RECORDS) {
			r[n++] = *x;
		} else if (length <= room) {
			memcpy(scratch, from, length);
			if (name) length = mutate(scratch, length, room > 300 ? 300 : room);
			else if (ends_in(x, ".pkl")) length = fuzz_mutate_pickle(scratch, length, room, seed / 16, mutate);
			else if (ends_in(x, ".npy")) length = fuzz_mutate_npy(scratch, length, room, seed / 16, mutate);
			else length = mutate(scratch, length, room);
			if (name) x->name = scratch, x->name_length = length;
			else x->data = scratch, x->length = length;
			if (!name && x->method == 0) x->size = (uint32_t)length, x->crc = (uint32_t)crc32(0, scratch, (uInt)length);
		}
		result = build(r, n, all, max);
		memcpy(data, all, result);
	}
	free(scratch);
	free(all);
	return result;
}

/* Changes the header and states its new length; 0: it is no such file. */
static size_t mutate_header(uint8_t *data, size_t size, size_t max, fuzz_mutate mutate)
{
	if (size < 10 || data[8] != '{' || get(data + 4, 4) != 0) return 0;
	size_t length = get(data, 4), tail = 0;
	if (length > size - 8) return 0;
	tail = size - 8 - length;
	uint8_t *rest = malloc(tail + 1);
	if (!rest) return 0;
	memcpy(rest, data + 8 + length, tail);
	length = mutate(data + 8, length, max - 8 - tail);
	for (int i = 0; i < 8; i++) data[i] = (uint8_t)((uint64_t)length >> (8 * i));
	memcpy(data + 8 + length, rest, tail);
	free(rest);
	return 8 + length + tail;
}

size_t fuzz_mutate_file(uint8_t *data, size_t size, size_t max, unsigned seed, fuzz_mutate mutate)
{
	size_t n = 0;
	if (seed % 4 != 0) n = mutate_zip(data, size, max, seed / 4, mutate);
	if (n == 0 && seed % 4 != 0) n = mutate_header(data, size, max, mutate);
	if (n == 0 && seed % 4 != 0) n = fuzz_mutate_tar(data, size, max, seed / 4, mutate);
	return n ? n : mutate(data, size, max);
}
