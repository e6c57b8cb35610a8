/* test_zip_read.c -- the strict reader of zip archives: what it accepts, what it refuses and why */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../../formats/text_index.h"
#include "../../formats/zip.h"
#include "../../lib/checked.h"
#include "../../lib/limits.h"
#include "files.h"
#include "unit.h"
#include "zip_make.h"

static ckpt_zip *open_with(const char *path, const ckpt_zip_options *options, ckpt_error *err)
{
	ckpt_file *f = ckpt_file_open(path, err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	ckpt_zip *z = ckpt_zip_open(f, options, err);
	ckpt_file_unref(f);
	return z;
}

static ckpt_zip *open_path(const char *path, ckpt_error *err)
{
	ckpt_zip_options options = {.limits = ckpt_limits_resolve(NULL)};
	return open_with(path, &options, err);
}

static ckpt_zip *accept(const zip_archive *a)
{
	ckpt_error err = {0};
	ckpt_zip *z = open_path(zip_write(a, "z.zip"), &err);
	if (!z) printf("# %s\n", err.text);
	CU_ASSERT_PTR_NOT_NULL_FATAL(z);
	return z;
}

static void expect_word(const ckpt_error *err, const char *word)
{
	if (!strstr(err->text, word)) printf("# wanted \"%s\" in: %s\n", word, err->text);
	CU_ASSERT_PTR_NOT_NULL(strstr(err->text, word));
}

static void refuse(const zip_archive *a, const char *word)
{
	ckpt_error err = {0};
	ckpt_zip *z = open_path(zip_write(a, "z.zip"), &err);
	CU_ASSERT_PTR_NULL(z);
	ckpt_zip_free(z);
	expect_word(&err, word);
}

/* The record inflated or mapped, and as a source. */
static void expect_record(ckpt_zip *z, const char *name, const void *data, size_t length)
{
	ckpt_error err = {0};
	ckpt_zip_bytes b;
	const ckpt_zip_entry *e = ckpt_zip_find(z, name, strlen(name));
	CU_ASSERT_PTR_NOT_NULL_FATAL(e);
	CU_ASSERT_EQUAL(e->size, length);
	CU_ASSERT_TRUE_FATAL(ckpt_zip_load(z, e, 1 << 30, "x", &b, &err));
	CU_ASSERT_EQUAL(b.length, length);
	CU_ASSERT_TRUE(memcmp(b.data, data, length) == 0);
	CU_ASSERT_TRUE(ckpt_zip_bytes_check(&b, &err));
	ckpt_zip_bytes_free(&b);
	ckpt_source *s = ckpt_zip_source(z, e, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	uint8_t *copy = malloc(length + 1);
	CU_ASSERT_TRUE(ckpt_source_read(s, 0, length, copy, &err));
	CU_ASSERT_TRUE(memcmp(copy, data, length) == 0);
	free(copy);
	ckpt_source_unref(s);
}

static const char text[] = "the bytes of a record";

static zip_archive two_records(void)
{
	zip_archive a = {0};
	zip_add(&a, "f/data.pkl", "abc", 3);
	zip_add(&a, "f/data/0", text, sizeof text);
	return a;
}

static void test_plain(void)
{
	zip_archive a = two_records();
	ckpt_zip *z = accept(&a);
	CU_ASSERT_EQUAL(ckpt_zip_count(z), 2);
	expect_record(z, "f/data.pkl", "abc", 3);
	expect_record(z, "f/data/0", text, sizeof text);
	CU_ASSERT_PTR_NULL(ckpt_zip_find(z, "f/data/1", 8));
	CU_ASSERT_PTR_NULL(ckpt_zip_find(z, "F/data/0", 8));
	CU_ASSERT_PTR_NULL(ckpt_zip_find(z, "", 0));
	CU_ASSERT_TRUE(ckpt_zip_at(z, 1)->checked);
	ckpt_zip_free(z);
}

static void test_empty(void)
{
	zip_archive a = {0};
	ckpt_zip *z = accept(&a);
	CU_ASSERT_EQUAL(ckpt_zip_count(z), 0);
	ckpt_zip_free(z);
	zip_add(&a, "f/none", "", 0);
	zip_add(&a, "f/folder/", "", 0);
	z = accept(&a);
	expect_record(z, "f/none", "", 0);
	ckpt_zip_free(z);
}

static void test_variants(void)
{
	zip_archive a = two_records();
	a.comment = "hello";
	a.zip64 = a.reverse = true;
	ckpt_zip *z = accept(&a);
	expect_record(z, "f/data/0", text, sizeof text);
	ckpt_zip_free(z);
	a.zip64 = false;
	static const int widths[] = {12, 16, 20, 24, 0};
	for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) { /* sizes behind the data, zeros in front */
		a = two_records();
		zip_record *r = &a.records[0];
		r->flags = r->local_flags = 8;
		r->descriptor = widths[i];
		r->local_size = r->local_packed = 0;
		r->local_crc = 0;
		z = accept(&a);
		expect_record(z, "f/data.pkl", "abc", 3);
		expect_record(z, "f/data/0", text, sizeof text);
		ckpt_zip_free(z);
	}
}

/* The fields that torch writes beyond 4 GiB: sizes 0 in front, a zip64 field there that makes no sense. */
static void test_zip64_fields(void)
{
	uint8_t central[28], local[28] = {1, 0, 24, 0, 0xff, 0xff, 0xff, 0xff, 0xff};
	zip_archive a = two_records();
	zip_record *r = &a.records[1];
	memset(central, 0, sizeof central);
	central[0] = 1;
	central[2] = 24;
	ckpt_put64(central + 4, r->size);
	ckpt_put64(central + 12, r->packed);
	ckpt_put64(central + 20, 30 + 10 + 3);
	r->extra = central;
	r->extra_length = sizeof central;
	r->size = r->packed = 0xffffffff;
	r->offset = 0xffffffff;
	r->local_extra = local;
	r->local_extra_length = sizeof local;
	r->flags = r->local_flags = 0x808;
	r->local_size = r->local_packed = r->local_crc = 0;
	a.zip64 = true;
	ckpt_zip *z = accept(&a);
	expect_record(z, "f/data/0", text, sizeof text);
	ckpt_zip_free(z);
	/* a local header that states 64-bit sizes must state the right ones */
	r->flags = r->local_flags = 0;
	r->local_crc = r->crc;
	r->local_size = r->local_packed = 0xffffffff;
	refuse(&a, "mismatch");
	ckpt_put64(local + 4, sizeof text);
	ckpt_put64(local + 12, sizeof text);
	ckpt_zip_free(accept(&a));
	r->local_extra_length = 12;
	local[2] = 8;
	refuse(&a, "zip64");
	r->extra_length = 20;
	refuse(&a, "zip64");
	r->extra_length = 0;
	refuse(&a, "zip64");
}

static void test_ends(void)
{
	static const struct {
		zip_archive change;
		const char *word;
	} cases[] = {
		{{.prefix = "0123456789"}, "10 bytes"},
		{{.tail = "rest"}, "4 bytes follow"},
		{{.comment = "x", .comment_length = 9}, "truncated"},
		{{.comment = "PK\5\6 a second one of twenty-two bytes"}, "second end"},
		{{.entries_off = -1}, "more than its 1 entries"},
		{{.entries_off = 1}, "too few"},
		{{.entries_off = 1000}, "too few"},
		{{.entries_off = 65533}, "zip64"},
		{{.length_off = 5}, "runs past its end"},
		{{.length_off = -5}, "5 bytes stand"},
		{{.offset_off = -7}, "7 bytes stand"},
		{{.offset_off = 100000}, "runs past its end"},
		{{.disk = 1}, "disks"},
		{{.zip64 = true, .entries64_off = 1}, "disagree"},
		{{.zip64 = true, .offset64_off = 1}, "disagree"},
		{{.zip64 = true, .locator_off = 8}, "locator"},
		{{.zip64 = true, .locator_off = -40}, "one after the other"},
		{{.zip64 = true, .disks64 = 1}, "disks"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		zip_archive a = cases[i].change;
		zip_archive good = two_records();
		memcpy(a.records, good.records, sizeof a.records);
		a.count = good.count;
		refuse(&a, cases[i].word);
	}
}

/* A change to the second record, and what the refusal must say. */
static void test_records(void)
{
	zip_archive a;
#define CHANGED(change, word)                                                                                          \
	do {                                                                                                           \
		a = two_records();                                                                                     \
		zip_record *r = a.records + 1;                                                                         \
		(void)r;                                                                                               \
		change;                                                                                                \
		refuse(&a, word);                                                                                      \
	} while (0)
	CHANGED(r->flags = r->local_flags = 1, "encrypted");
	CHANGED(r->local_flags = 1, "encrypted");
	CHANGED(r->flags = r->local_flags = 0x40, "encrypted");
	CHANGED(r->flags = r->local_flags = 0x2000, "encrypted");
	CHANGED(r->flags = r->local_flags = 0x10, "unsupported");
	CHANGED(r->local_flags = 8, "flags is 8");
	CHANGED(r->method = r->local_method = 12, "method 12");
	CHANGED(r->local_method = 8, "method is 8");
	CHANGED(r->local_name = "f/data/1", "another name");
	CHANGED(r->local_name_length = 7, "another name");
	CHANGED(r->local_size++, "size is 23");
	CHANGED(r->local_packed--, "packed size is 21");
	CHANGED(r->local_crc++, "CRC is");
	CHANGED(r->crc++; r->local_crc++, "damaged data");
	CHANGED(r->size++; r->local_size++, "sizes are 22 and 23");
	CHANGED(r->size--; r->local_size--; r->packed--; r->local_packed--; r->crc = r->local_crc = 0, "hidden");
	CHANGED(r->size++; r->local_size++; r->packed++; r->local_packed++, "overlap");
	CHANGED(r->packed = UINT32_MAX - 1; r->size = r->packed, "overlap");
	CHANGED(r->offset = 0, "runs past offset 0");
	CHANGED(r->offset = 5, "runs past");
	CHANGED(r->offset = 44, "hidden");
	CHANGED(r->offset = 0xfffffffe, "hidden");
	CHANGED(r->local_extra_says = 65535, "overlap");
	CHANGED(r->disk = 1, "disk 1");
	CHANGED(r->gap = "xxxx"; r->gap_length = 4, "hidden");
	CHANGED(r->skip = true, "hidden");
	CHANGED(a.records[0].skip = true, "in front of the first record");
	CHANGED(r->flags = r->local_flags = 8; r->descriptor = 16; r->descriptor_crc++, "descriptor");
	CHANGED(r->descriptor = 16, "hidden");
	CHANGED(r->extra = "\1"; r->extra_length = 1, "zip64");
	CHANGED(r->extra = "\x63\0\xff\0"; r->extra_length = 4, "zip64");
#undef CHANGED
}

static void test_names(void)
{
	static char longest[CKPT_ZIP_NAME_MOST + 2];
	static const struct {
		const char *name;
		size_t length;
		const char *word;
	} cases[] = {
		{"", 0, "empty"},
		{"/f/data/0", 9, "absolute"},
		{"f/../g", 6, "'..'"},
		{"..", 2, "'..'"},
		{"../f", 4, "'..'"},
		{"f/..", 4, "'..'"},
		{"f\\g", 3, "backslash"},
		{"f\0g", 3, "control"},
		{"f\ng", 3, "control"},
		{"f\x7fg", 3, "control"},
		{"f/\xff", 3, "UTF-8"},
		{"f/\xc0\xaf", 4, "UTF-8"},
		{"f/\xed\xa0\x80", 5, "UTF-8"},
		{"f/data/", 7, "folder"},
		{"f/data.pkl", 10, "twice"},
		{"F/DATA.pkl", 10, "case"},
		{longest, CKPT_ZIP_NAME_MOST + 1, "too long"},
	};
	memset(longest, 'n', sizeof longest - 1);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		zip_archive a = two_records();
		zip_record *r = &a.records[1];
		r->name = r->local_name = cases[i].name;
		r->name_length = r->local_name_length = cases[i].length;
		refuse(&a, cases[i].word);
	}
	zip_archive a = two_records();
	a.records[1].name = a.records[1].local_name = "f/...\xc3\xa9 x..";
	a.records[1].name_length = a.records[1].local_name_length = strlen(a.records[1].name);
	ckpt_zip_free(accept(&a));
}

static void test_deflated(void)
{
	enum { LARGE = 3000000 };
	uint8_t *large = malloc(LARGE);
	for (size_t i = 0; i < LARGE; i++) large[i] = (uint8_t)(i * i >> 12);
	zip_archive a = {0};
	zip_add_deflated(&a, "f/small", text, sizeof text);
	zip_add_deflated(&a, "f/large", large, LARGE);
	zip_add_deflated(&a, "f/none", "", 0);
	ckpt_zip *z = accept(&a);
	expect_record(z, "f/small", text, sizeof text);
	expect_record(z, "f/large", large, LARGE);
	expect_record(z, "f/none", "", 0);
	ckpt_zip_free(z);
	free(large);
}

static void refuse_source(const zip_archive *a, size_t record, const ckpt_limits *limits, const char *word)
{
	ckpt_error err = {0};
	ckpt_zip_options options = {.limits = ckpt_limits_resolve(limits)};
	uint8_t byte;
	ckpt_zip *z = open_with(zip_write(a, "z.zip"), &options, &err);
	if (z) {
		ckpt_source *s = ckpt_zip_source(z, ckpt_zip_at(z, record), &err);
		if (s) CU_ASSERT_FALSE(ckpt_source_read(s, 0, 1, &byte, &err));
		ckpt_source_unref(s);
	}
	ckpt_zip_free(z);
	expect_word(&err, word);
}

static void test_bad_deflate(void)
{
	static const size_t sizes[] = {600, 200000}; /* inflated at once, and on first use */
	for (size_t i = 0; i < 2; i++) {
		uint8_t *data = calloc(1, sizes[i] + 8);
		for (size_t k = 0; k < sizes[i]; k++) data[k] = (uint8_t)(k % 7 * k >> 3);
		zip_archive a = {0};
		zip_record *r = zip_add_deflated(&a, "f/0", data, sizes[i]), good = *r;
		r->size -= 1;
		r->local_size -= 1;
		refuse_source(&a, 0, NULL, "more than its size");
		r->size += 2;
		r->local_size += 2;
		refuse_source(&a, 0, NULL, "less than its size");
		*r = good;
		r->crc = ++r->local_crc;
		refuse_source(&a, 0, NULL, "damaged data");
		*r = good;
		r->length -= 5;
		r->packed = r->local_packed = r->length;
		refuse_source(&a, 0, NULL, "does not end");
		*r = good;
		uint8_t *longer = malloc(good.length + 3);
		memcpy(longer, good.data, good.length);
		memset(longer + good.length, 0, 3);
		r->data = longer;
		r->packed = r->local_packed = r->length = good.length + 3;
		refuse_source(&a, 0, NULL, "behind the end");
		memset(longer, 0xff, 8);
		refuse_source(&a, 0, NULL, "corrupt");
		*r = good;
		r->size = r->local_size = good.length * 1033 + 1032;
		refuse_source(&a, 0, NULL, "can become");
		*r = good;
		ckpt_limits limits = {.inflate_bytes = sizes[i] - 1};
		refuse_source(&a, 0, &limits, "inflate-bytes");
		free(longer);
		free(data);
	}
}

/* A record that is too large for its CRC to be compared while opening. */
static void test_crc_of_large(void)
{
	static uint8_t data[CKPT_ZIP_SMALL + 1];
	zip_archive a = {0};
	zip_record *r = zip_add(&a, "f/0", data, sizeof data);
	ckpt_zip_free(accept(&a));
	r->crc = ++r->local_crc;
	ckpt_zip_free(accept(&a));
	refuse_source(&a, 0, NULL, "CRC");
	ckpt_error err = {0};
	ckpt_zip_bytes b;
	ckpt_zip *z = accept(&a);
	CU_ASSERT_FALSE(ckpt_zip_load(z, ckpt_zip_at(z, 0), 1 << 20, "x", &b, &err));
	expect_word(&err, "damaged");
	CU_ASSERT_FALSE(ckpt_zip_load(z, ckpt_zip_at(z, 0), 9, "pickle-bytes", &b, &err));
	expect_word(&err, "pickle-bytes");
	ckpt_zip_free(z);
	r->crc = r->local_crc = 0; /* not computed */
	z = accept(&a);
	expect_record(z, "f/0", data, sizeof data);
	ckpt_zip_free(z);
}

static void test_limit(void)
{
	ckpt_error err = {0};
	zip_archive a = two_records();
	ckpt_zip_options options = {.limits = ckpt_limits_resolve(&(ckpt_limits){.zip_records = 1})};
	CU_ASSERT_PTR_NULL(open_with(zip_write(&a, "z.zip"), &options, &err));
	expect_word(&err, "zip-records");
}

static void count_fault(void *user, ckpt_zip_fault kind, const ckpt_zip_entry *e, uint64_t offset, const char *why)
{
	(void)e, (void)offset;
	CU_ASSERT_PTR_NOT_NULL(why);
	((int *)user)[kind]++;
}

/* With a callback the faults are told, and what can be read still is. */
static void test_told_faults(void)
{
	int faults[CKPT_ZIP_CRC + 1] = {0};
	ckpt_error err = {0};
	ckpt_zip_options options = {.limits = ckpt_limits_resolve(NULL), .fault = count_fault, .user = faults};
	zip_archive a = {.tail = "rest"};
	zip_add(&a, "f/data.pkl", "abc", 3);
	zip_add(&a, "f/data.pkl", "def", 3);
	zip_add(&a, "f/../x", "xyz", 3);
	zip_record *r = zip_add(&a, "f/1", text, sizeof text);
	r->crc = ++r->local_crc;
	r->gap = "....";
	r->gap_length = 4;
	r = zip_add(&a, "f/2", text, sizeof text);
	r->local_name = "f/3";
	r = zip_add(&a, "f/4", text, sizeof text);
	r->method = r->local_method = 99;
	r = zip_add(&a, "f/5", text, sizeof text);
	r->flags = r->local_flags = 1;
	ckpt_zip *z = open_with(zip_write(&a, "z.zip"), &options, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(z);
	static const ckpt_zip_fault once[] = {CKPT_ZIP_TRAILING, CKPT_ZIP_DUPLICATE, CKPT_ZIP_NAME,
	                                      CKPT_ZIP_CRC,      CKPT_ZIP_HIDDEN,    CKPT_ZIP_MISMATCH,
	                                      CKPT_ZIP_METHOD,   CKPT_ZIP_ENCRYPTED};
	for (size_t i = 0; i < sizeof once / sizeof *once; i++) CU_ASSERT_EQUAL(faults[once[i]], 1);
	CU_ASSERT_EQUAL(faults[CKPT_ZIP_PREFIX] + faults[CKPT_ZIP_OVERLAP] + faults[CKPT_ZIP_SIZES], 0);
	ckpt_zip_bytes b;
	CU_ASSERT_TRUE_FATAL(ckpt_zip_load(z, ckpt_zip_at(z, 1), 100, "x", &b, &err)); /* the second of two */
	CU_ASSERT_TRUE(memcmp(b.data, "def", 3) == 0);
	ckpt_zip_bytes_free(&b);
	CU_ASSERT_FALSE(ckpt_zip_load(z, ckpt_zip_at(z, 5), 100, "x", &b, &err));
	ckpt_zip_free(z);
}

/* No prefix of an archive is an archive, and no damaged byte does worse than an error. */
static void test_damage(void)
{
	zip_archive a = two_records();
	a.zip64 = true;
	zip_add_deflated(&a, "f/data/1", text, sizeof text);
	size_t length;
	uint8_t *bytes = zip_bytes(&a, &length);
	for (size_t n = 0; n < length; n++) {
		ckpt_error err = {0};
		ckpt_zip *z = open_path(unit_write("cut.zip", bytes, n), &err);
		CU_ASSERT_PTR_NULL(z);
		CU_ASSERT_NOT_EQUAL(err.code, CKPT_OK);
		ckpt_zip_free(z);
	}
	for (size_t n = 0; n < length; n++) {
		ckpt_error err = {0};
		for (int k = 0; k < 2; k++) {
			bytes[n] ^= k ? 0x80 : 0xff;
			ckpt_zip *z = open_path(unit_write("cut.zip", bytes, length), &err);
			CU_ASSERT_TRUE(z || err.code != CKPT_OK);
			ckpt_zip_free(z);
			bytes[n] ^= k ? 0x80 : 0xff;
		}
	}
	free(bytes);
}

/* Two records of 4.5 GiB of nothing, as torch lays them out; the file has no blocks for the data. */
static void test_beyond_4gib(void)
{
	const uint64_t size = UINT64_C(4831838208);
	uint8_t head[2][64] = {0}, directory[2][80] = {0}, end[56 + 20 + 22] = {0};
	const char *path = unit_path("huge.zip");
	int fd = open(path, O_CREAT | O_TRUNC | O_RDWR, 0600);
	CU_ASSERT_TRUE_FATAL(fd >= 0);
	uint64_t at = 0, starts[2];
	for (int i = 0; i < 2; i++) {
		uint8_t *h = head[i], *d = directory[i], *tail = head[i] + 40;
		starts[i] = at;
		ckpt_put32(h, 0x04034b50);
		ckpt_put16(h + 6, 0x808);
		ckpt_put16(h + 26, 3);
		memcpy(h + 30, i ? "f/1" : "f/0", 3);
		ckpt_put32(tail, 0x08074b50);
		ckpt_put64(tail + 8, size);
		ckpt_put64(tail + 16, size);
		CU_ASSERT_EQUAL(pwrite(fd, h, 33, (off_t)at), 33);
		CU_ASSERT_EQUAL(pwrite(fd, tail, 24, (off_t)(at + 33 + size)), 24);
		at += 33 + size + 24;
		ckpt_put32(d, 0x02014b50);
		ckpt_put16(d + 8, 0x808);
		ckpt_put32(d + 20, 0xffffffff);
		ckpt_put32(d + 24, 0xffffffff);
		ckpt_put16(d + 28, 3);
		ckpt_put16(d + 30, i ? 28 : 20);
		ckpt_put32(d + 42, i ? 0xffffffff : 0);
		memcpy(d + 46, i ? "f/1" : "f/0", 3);
		ckpt_put16(d + 49, 1);
		ckpt_put16(d + 51, i ? 24 : 16);
		ckpt_put64(d + 53, size);
		ckpt_put64(d + 61, size);
		ckpt_put64(d + 69, starts[i]);
	}
	uint64_t start = at;
	CU_ASSERT_EQUAL(pwrite(fd, directory[0], 69, (off_t)at), 69);
	CU_ASSERT_EQUAL(pwrite(fd, directory[1], 77, (off_t)at + 69), 77);
	at += 69 + 77;
	ckpt_put32(end, 0x06064b50);
	ckpt_put64(end + 4, 44);
	ckpt_put64(end + 24, 2);
	ckpt_put64(end + 32, 2);
	ckpt_put64(end + 40, at - start);
	ckpt_put64(end + 48, start);
	ckpt_put32(end + 56, 0x07064b50);
	ckpt_put64(end + 64, at);
	ckpt_put32(end + 72, 1);
	ckpt_put32(end + 76, 0x06054b50);
	ckpt_put16(end + 84, 2);
	ckpt_put16(end + 86, 2);
	ckpt_put32(end + 88, (uint32_t)(at - start));
	ckpt_put32(end + 92, 0xffffffff);
	CU_ASSERT_EQUAL(pwrite(fd, end, sizeof end, (off_t)at), (ssize_t)sizeof end);
	close(fd);
	ckpt_error err = {0};
	ckpt_zip *z = open_path(path, &err);
	if (!z) printf("# %s\n", err.text);
	CU_ASSERT_PTR_NOT_NULL_FATAL(z);
	const ckpt_zip_entry *e = ckpt_zip_find(z, "f/1", 3);
	CU_ASSERT_PTR_NOT_NULL_FATAL(e);
	CU_ASSERT_EQUAL(e->size, size);
	CU_ASSERT_EQUAL(e->data, starts[1] + 33);
	ckpt_source *s = ckpt_zip_source(z, e, &err);
	uint8_t byte = 1;
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_TRUE(ckpt_source_read(s, size - 1, 1, &byte, &err));
	CU_ASSERT_EQUAL(byte, 0);
	ckpt_source_unref(s);
	ckpt_zip_free(z);
	unlink(path);
}

static void test_text_index(void)
{
	enum { COUNT = 3000 };
	static char names[COUNT][16];
	for (int fold = 0; fold < 2; fold++) {
		ckpt_error err = {0};
		ckpt_text_index t;
		uint32_t found;
		CU_ASSERT_TRUE_FATAL(ckpt_text_index_init(&t, 4, fold, &err));
		CU_ASSERT_EQUAL(ckpt_text_index_find(&t, "", 0), UINT32_MAX);
		for (uint32_t i = 0; i < COUNT; i++) {
			int n = snprintf(names[i], sizeof names[i], "Name_%u", i);
			CU_ASSERT_TRUE(ckpt_text_index_add(&t, names[i], (size_t)n, i + 7, &found, &err));
			CU_ASSERT_EQUAL(found, i + 7);
		}
		for (uint32_t i = 0; i < COUNT; i++)
			CU_ASSERT_EQUAL(ckpt_text_index_find(&t, names[i], strlen(names[i])), i + 7);
		CU_ASSERT_TRUE(ckpt_text_index_add(&t, "Name_5", 6, 1, &found, &err));
		CU_ASSERT_EQUAL(found, 12);
		CU_ASSERT_EQUAL(ckpt_text_index_find(&t, "nAME_5", 6), fold ? 12 : UINT32_MAX);
		CU_ASSERT_EQUAL(ckpt_text_index_find(&t, "Name@5", 6), UINT32_MAX); /* not a letter's other case */
		CU_ASSERT_EQUAL(ckpt_text_index_find(&t, "Name_", 5), UINT32_MAX);
		ckpt_text_index_free(&t);
	}
}

static const unit_case cases[] = {
	{"text_index", test_text_index},
	{"plain", test_plain},
	{"empty", test_empty},
	{"variants", test_variants},
	{"zip64_fields", test_zip64_fields},
	{"ends", test_ends},
	{"records", test_records},
	{"names", test_names},
	{"deflated", test_deflated},
	{"bad_deflate", test_bad_deflate},
	{"crc_of_large", test_crc_of_large},
	{"limit", test_limit},
	{"told_faults", test_told_faults},
	{"damage", test_damage},
	{"beyond_4gib", test_beyond_4gib},
	{0},
};
const unit_suite unit_zip_read = {"zip_read", cases};
