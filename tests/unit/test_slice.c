/* test_slice.c -- Python's indexing: what is cut out, and what is refused */
#include "../../lib/slice.h"
#include "../../lib/dtype.h"
#include "unit.h"
#include <stdio.h>
#include <string.h>

typedef struct cut {
	const char *text;
	size_t rank;
	uint64_t shape[4];
	const char *values; /* of a tensor 0, 1, 2, ... of shape [2,3,4], or NULL */
} cut;

static void text_of(const uint8_t *bytes, uint64_t count, char *out, size_t size)
{
	size_t n = 0;
	for (uint64_t i = 0; i < count && n < size; i++)
		n += (size_t)snprintf(out + n, size - n, "%s%u", i ? " " : "", bytes[i]);
	if (!count) *out = 0;
}

static void cuts(void)
{
	const cut table[] = {
		{"0", 2, {3, 4}, "0 1 2 3 4 5 6 7 8 9 10 11"},
		{"-1", 2, {3, 4}, "12 13 14 15 16 17 18 19 20 21 22 23"},
		{"1,2,3", 0, {0}, "23"},
		{" 1 , -3 , 0 ", 0, {0}, "12"},
		{"-0,+1,1", 0, {0}, "5"},
		{":", 3, {2, 3, 4}, NULL},
		{"...", 3, {2, 3, 4}, NULL},
		{":,:,:", 3, {2, 3, 4}, NULL},
		{"...,0", 2, {2, 3}, "0 4 8 12 16 20"},
		{"0,...,0", 1, {3}, "0 4 8"},
		{"0,...", 2, {3, 4}, "0 1 2 3 4 5 6 7 8 9 10 11"},
		{"1,...,2,3", 0, {0}, "23"},
		{"0:1", 3, {1, 3, 4}, "0 1 2 3 4 5 6 7 8 9 10 11"},
		{"0:3,:5", 3, {2, 3, 4}, NULL},
		{":,1:3,::2", 3, {2, 2, 2}, "4 6 8 10 16 18 20 22"},
		{"0,::2,1::2", 2, {2, 2}, "1 3 9 11"},
		{"0,0,::3", 1, {2}, "0 3"},
		{"0,0,::4", 1, {1}, "0"},
		{"0,0,::18446744073709551615", 1, {1}, "0"},
		{"0,0,-2:", 1, {2}, "2 3"},
		{"0,0,:-2", 1, {2}, "0 1"},
		{"0,0,-9:2", 1, {2}, "0 1"},
		{"0,0,2:1", 1, {0}, ""},
		{"0,0,9:", 1, {0}, ""},
		{"2:,0", 2, {0, 4}, ""},
		{":18446744073709551615,0,0", 1, {2}, "0 12"},
	};
	const uint64_t shape[3] = {2, 3, 4};
	uint8_t all[24];
	for (uint8_t i = 0; i < 24; i++) all[i] = i;
	ckpt_source *inner = ckpt_source_heap(all, 24, NULL);
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		const cut *c = &table[i];
		ckpt_slice s;
		ckpt_error err = {0};
		uint64_t count = 1;
		uint8_t got[24];
		char text[200], whole[200];
		CU_ASSERT(ckpt_slice_parse(c->text, 3, shape, &s, &err));
		CU_ASSERT_EQUAL(s.rank, c->rank);
		for (size_t d = 0; d < c->rank; count *= c->shape[d++]) CU_ASSERT_EQUAL(s.shape[d], c->shape[d]);
		ckpt_source *part = ckpt_slice_source(&s, inner, CKPT_U8, &err);
		CU_ASSERT_PTR_NOT_NULL_FATAL(part);
		CU_ASSERT_EQUAL(part->length, count);
		CU_ASSERT(ckpt_source_read(part, 0, (size_t)count, got, &err));
		text_of(got, count, text, sizeof text);
		text_of(all, 24, whole, sizeof whole);
		if (strcmp(text, c->values ? c->values : whole)) printf("# [%s]: %s\n", c->text, text);
		CU_ASSERT_STRING_EQUAL(text, c->values ? c->values : whole);
		ckpt_source_unref(part);
	}
	ckpt_source_unref(inner);
}

static void refusals(void)
{
	const char *const table[][2] = {
		{"", "wanted"},
		{" ", "wanted"},
		{",", "wanted"},
		{"0,", "wanted"},
		{",0", "wanted"},
		{"a", "wanted"},
		{"0x1", "out of place"},
		{"1:2:3:4", "out of place"},
		{"1 2", "out of place"},
		{"....", "out of place"},
		{"..", "wanted"},
		{"...,...", "2 times"},
		{"0,0,0,0", "4 indices"},
		{"0,0,0,...,0", "4 indices"},
		{"2", "size 2"},
		{"-3", "index -3"},
		{"0,3", "dimension 1"},
		{"0,0,4", "size 4"},
		{"::0", "step"},
		{"::-1", "it is -1"},
		{"0,::-2", "dimension 1"},
		{"-", "sign"},
		{"--1", "sign"},
		{"+", "sign"},
		{"18446744073709551616", "above"},
		{"18446744073709551615", "outside"},
		{"0;1", "out of place"},
	};
	const uint64_t shape[3] = {2, 3, 4};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		ckpt_slice s = {.offset = 77};
		ckpt_error err = {0};
		CU_ASSERT(!ckpt_slice_parse(table[i][0], 3, shape, &s, &err));
		CU_ASSERT_EQUAL(err.code, CKPT_E_USAGE);
		if (!strstr(err.text, table[i][1])) printf("# [%s]: %s\n", table[i][0], err.text);
		CU_ASSERT_PTR_NOT_NULL(strstr(err.text, table[i][1]));
		CU_ASSERT_EQUAL(s.offset, 77);
	}
}

/* 0-dim, without elements, and with sizes whose products no 64-bit number holds. */
static void odd_shapes(void)
{
	const uint64_t empty[3] = {0, UINT64_MAX, UINT64_MAX}, one[1] = {5};
	ckpt_slice s;
	ckpt_error err = {0};
	CU_ASSERT(ckpt_slice_parse("...", 0, NULL, &s, &err));
	CU_ASSERT_EQUAL(s.rank, 0);
	CU_ASSERT(!ckpt_slice_parse("0", 0, NULL, &s, &err));
	CU_ASSERT(!ckpt_slice_parse(":", 0, NULL, &s, &err));
	CU_ASSERT(ckpt_slice_parse(":,5,::3", 3, empty, &s, &err));
	CU_ASSERT_EQUAL(s.rank, 2);
	CU_ASSERT_EQUAL(s.shape[0], 0);
	CU_ASSERT_EQUAL(s.shape[1], UINT64_MAX / 3);
	CU_ASSERT(!ckpt_slice_parse("0", 3, empty, &s, &err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "size 0"));
	CU_ASSERT(ckpt_slice_parse("2:2", 1, one, &s, &err));
	ckpt_source *inner = ckpt_source_heap("abcde", 5, NULL), *part = ckpt_slice_source(&s, inner, CKPT_I8, &err);
	CU_ASSERT(part && part->length == 0);
	ckpt_source_unref(part);
	ckpt_source_unref(inner);
}

/* Behind 4 GiB, and a plain range of a file stays one. */
static void large(void)
{
	const uint64_t shape[2] = {UINT64_C(1) << 31, 4};
	const uint32_t word = 0x01020304;
	uint32_t got[2] = {0};
	ckpt_slice s;
	ckpt_source *inner = ckpt_source_fill(&word, 4, UINT64_C(1) << 35, NULL);
	CU_ASSERT(ckpt_slice_parse("-1,1:3", 2, shape, &s, NULL));
	CU_ASSERT_EQUAL(s.offset, (UINT64_C(1) << 33) - 3);
	ckpt_source *part = ckpt_slice_source(&s, inner, CKPT_I32, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(part);
	CU_ASSERT(ckpt_source_read(part, 0, 8, got, NULL) && got[1] == word);
	ckpt_source_unref(part);
	ckpt_source_unref(inner);
}

static void elements_below_a_byte(void)
{
	const uint64_t shape[2] = {2, 4}, odd[2] = {2, 3}, six[2] = {2, 8};
	const uint8_t bytes[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
	uint8_t got[6] = {0};
	ckpt_slice s;
	ckpt_error err = {0};
	ckpt_source *inner = ckpt_source_heap(bytes, 4, NULL), *three = ckpt_source_heap(bytes, 3, NULL);
	ckpt_source *twelve = ckpt_source_heap(bytes, 12, NULL), *part;
	CU_ASSERT(ckpt_slice_parse(":,2:", 2, shape, &s, &err));
	part = ckpt_slice_source(&s, inner, CKPT_F4, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(part);
	CU_ASSERT(part->length == 2 && ckpt_source_read(part, 0, 2, got, &err) && got[0] == 2 && got[1] == 4);
	ckpt_source_unref(part);
	CU_ASSERT(ckpt_slice_parse("1,4:", 2, six, &s, &err));
	part = ckpt_slice_source(&s, twelve, CKPT_F6_E2M3, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(part);
	CU_ASSERT(part->length == 3 && ckpt_source_read(part, 0, 3, got, &err) && got[0] == 10 && got[2] == 12);
	ckpt_source_unref(part);
	const char *const bad[] = {":,1:", ":,:1", "0,0", ":,::2", "...,2"};
	for (size_t i = 0; i < 5; i++) {
		CU_ASSERT(ckpt_slice_parse(bad[i], 2, shape, &s, &err));
		CU_ASSERT_PTR_NULL(ckpt_slice_source(&s, inner, CKPT_F4, &err));
		CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "whole bytes"));
	}
	CU_ASSERT(ckpt_slice_parse("1", 2, odd, &s, &err));
	CU_ASSERT_PTR_NULL(ckpt_slice_source(&s, three, CKPT_F4, &err));
	ckpt_source_unref(inner);
	ckpt_source_unref(three);
	ckpt_source_unref(twelve);
}

static const unit_case cases[] = {
	{"cuts", cuts},
	{"refusals", refusals},
	{"odd shapes", odd_shapes},
	{"large", large},
	{"elements below a byte", elements_below_a_byte},
	{0},
};
const unit_suite unit_slice = {"slice", cases};
