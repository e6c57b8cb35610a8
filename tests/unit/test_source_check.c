/* test_source_check.c -- sources that know the CRC of their bytes: nothing is given away before it was verified */
#include "../../lib/crc.h"
#include "../../lib/layout.h"
#include "../../lib/source.h"
#include "files.h"
#include "unit.h"
#include <stdlib.h>
#include <string.h>

enum { LENGTH = 1500000 }; /* more than one chunk */

/* A file source, whose plain range must not show before it was verified. */
static ckpt_source *on_disk(uint32_t *crc)
{
	char *bytes = malloc(LENGTH);
	CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
	for (size_t i = 0; i < LENGTH; i++) bytes[i] = (char)(i % 251);
	*crc = ckpt_crc32(0, bytes, LENGTH);
	ckpt_file *f = ckpt_file_open(unit_write("checked.bin", bytes, LENGTH), NULL);
	free(bytes);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	ckpt_source *s = ckpt_source_file(f, 0, LENGTH, NULL);
	ckpt_file_unref(f);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	return s;
}

static void right(void)
{
	uint32_t crc, got_crc;
	uint8_t got[3];
	ckpt_extent extent;
	ckpt_source *inner = on_disk(&crc), *found = NULL;
	ckpt_source *s = ckpt_source_checked(inner, crc, NULL);
	CU_ASSERT_EQUAL(s->length, LENGTH);
	CU_ASSERT(ckpt_source_get_check(s, &found, &got_crc) && found == inner && got_crc == crc);
	CU_ASSERT(!ckpt_source_get_check(inner, &found, &got_crc));
	CU_ASSERT(!ckpt_source_extent(s, &extent));
	CU_ASSERT(ckpt_source_read(s, 250, 3, got, NULL) && got[0] == 250 && got[1] == 0 && got[2] == 1);
	CU_ASSERT(ckpt_source_extent(s, &extent) && extent.offset == 0);
	ckpt_source_unref(s);
	ckpt_source_unref(inner);
}

static void wrong(void)
{
	uint32_t crc;
	uint8_t got[3] = {7, 7, 7};
	ckpt_extent extent;
	ckpt_source *inner = on_disk(&crc), *s = ckpt_source_checked(inner, crc ^ 1, NULL);
	for (int i = 0; i < 2; i++) {
		ckpt_error err = {0};
		CU_ASSERT(!ckpt_source_read(s, 0, 3, got, &err));
		CU_ASSERT_EQUAL(err.code, CKPT_E_FORMAT);
		CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "CRC"));
		CU_ASSERT_EQUAL(got[0], 7);
		CU_ASSERT(!ckpt_source_extent(s, &extent));
	}
	ckpt_source_unref(s);
	ckpt_source_unref(inner);
}

typedef struct flaky {
	ckpt_source base;
	int failures;
} flaky;

static bool flaky_read(const ckpt_source *s, uint64_t offset, size_t length, void *destination, ckpt_error *err)
{
	flaky *f = (flaky *)s;
	(void)offset;
	if (f->failures-- > 0) {
		if (err) err->code = CKPT_E_IO;
		return false;
	}
	memset(destination, 'a', length);
	return true;
}

/* A read that failed says nothing about the bytes. */
static void read_errors(void)
{
	static const ckpt_source_ops ops = {"flaky", flaky_read, NULL, NULL};
	char got;
	ckpt_error err = {0};
	flaky *f = ckpt_source_new(&ops, sizeof *f, 3, NULL);
	f->failures = 1;
	ckpt_source *s = ckpt_source_checked(&f->base, ckpt_crc32(0, "aaa", 3), NULL);
	CU_ASSERT(!ckpt_source_read(s, 1, 1, &got, &err) && err.code == CKPT_E_IO);
	CU_ASSERT(ckpt_source_read(s, 1, 1, &got, &err) && got == 'a');
	ckpt_source_unref(s);
	ckpt_source_unref(&f->base);
}

/* A layout copies the plain range and verifies on the way. */
static bool fills(ckpt_source *s, ckpt_error *err)
{
	ckpt_layout *l = ckpt_layout_new(NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(l);
	const ckpt_piece *p = ckpt_layout_source(l, s, "w", NULL);
	CU_ASSERT(p && p->check_crc && p->source != s);
	ckpt_output *out = ckpt_output_new(unit_path("checked.out"), l->size, true, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	bool ok = ckpt_layout_fill(l, out, NULL, 0, l->size, false, err);
	ckpt_output_free(out);
	ckpt_layout_free(l);
	return ok;
}

static void layouts(void)
{
	uint32_t crc;
	ckpt_error err = {0};
	ckpt_source *inner = on_disk(&crc), *good = ckpt_source_checked(inner, crc, NULL);
	ckpt_source *bad = ckpt_source_checked(inner, crc + 1, NULL), *none = ckpt_source_heap("", 0, NULL);
	ckpt_source *empty = ckpt_source_checked(none, 0, NULL);
	CU_ASSERT(fills(good, &err));
	CU_ASSERT(fills(empty, &err));
	CU_ASSERT(!fills(bad, &err));
	CU_ASSERT(strstr(err.text, "CRC") && strstr(err.text, "w"));
	ckpt_source_unref(good);
	ckpt_source_unref(bad);
	ckpt_source_unref(empty);
	ckpt_source_unref(none);
	ckpt_source_unref(inner);
}

static const unit_case cases[] = {
	{"right", right}, {"wrong", wrong}, {"read errors", read_errors}, {"layouts", layouts}, {0},
};
const unit_suite unit_source_check = {"source_check", cases};
