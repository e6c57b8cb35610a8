/* test_layout.c -- files gathered from pieces: the same bytes for every thread count, CRCs, errors, interruption */
#include "unit.h"

#include "../../lib/crc.h"
#include "../../lib/error.h"
#include "../../lib/layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *path_of(const char *name)
{
	static char path[4096];
	snprintf(path, sizeof path, "%s/%s", unit_folder(), name);
	return path;
}

static unsigned char *pattern(size_t n)
{
	unsigned char *p = malloc(n);
	uint32_t x = 12345;
	for (size_t i = 0; i < n; i++) {
		x = x * 1664525u + 1013904223u;
		p[i] = (unsigned char)(x >> 24);
	}
	return p;
}

/* Pieces of many sizes, from a file (some neighbours there too), from memory and zeros; want receives the bytes. */
static ckpt_layout *make(ckpt_file *f, const unsigned char *data, unsigned char *want)
{
	static const size_t sizes[] = {1, 7, 100, 4096, 524288, 524287, 1500000, 3, 0, 65536};
	ckpt_layout *l = ckpt_layout_new(NULL);
	size_t at = 13;
	for (size_t round = 0; round < 3; round++)
		for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
			size_t n = sizes[i];
			ckpt_source *s = ckpt_source_file(f, at, n, NULL);
			ckpt_piece *p = ckpt_layout_source(l, s, "t", NULL);
			CU_ASSERT_PTR_NOT_NULL_FATAL(p);
			p->want_crc = true;
			memcpy(want + p->at, data + at, n);
			ckpt_source_unref(s);
			at += n + (i % 3 ? 0 : 5);
			p = i % 2 ? ckpt_layout_bytes(l, "header", 6, NULL) : ckpt_layout_zeros(l, i, NULL);
			if (i % 2)
				memcpy(want + p->at, "header", 6);
			else
				memset(want + p->at, 0, i);
		}
	return l;
}

static unsigned char *read_back(const char *path, size_t size)
{
	unsigned char *got = calloc(1, size + 1);
	FILE *f = fopen(path, "rb");
	CU_ASSERT_EQUAL(fread(got, 1, size + 1, f), size);
	fclose(f);
	return got;
}

static void the_same_bytes_for_every_thread_count(void)
{
	size_t total = 9000000;
	unsigned char *data = pattern(total), *want = malloc(total);
	FILE *out = fopen(path_of("in"), "wb");
	fwrite(data, 1, total, out);
	fclose(out);
	ckpt_file *f = ckpt_file_open(path_of("in"), NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	for (int threads = 1; threads <= 5; threads++) {
		ckpt_layout *l = make(f, data, want);
		ckpt_work work = {.threads = threads};
		ckpt_error err = {0};
		ckpt_output *o = ckpt_output_new(path_of("out"), l->size, true, &err);
		CU_ASSERT_PTR_NOT_NULL_FATAL(o);
		CU_ASSERT(ckpt_layout_fill(l, o, &work, 0, l->size, threads == 5, &err));
		CU_ASSERT(ckpt_output_finish(o, l->size, false, &err) && ckpt_output_commit(o, false, &err));
		for (size_t i = 0; i < l->count; i++)
			if (l->pieces[i].want_crc)
				CU_ASSERT_EQUAL(l->pieces[i].crc, ckpt_crc32(0, want + l->pieces[i].at, (size_t)l->pieces[i].length));
		unsigned char *got = read_back(path_of("out"), (size_t)l->size);
		CU_ASSERT_EQUAL(memcmp(got, want, (size_t)l->size), 0);
		free(got);
		ckpt_output_free(o);
		ckpt_layout_free(l);
	}
	ckpt_file_unref(f);
	free(data);
	free(want);
}

static bool bad_read(const ckpt_source *s, uint64_t offset, size_t length, void *destination, ckpt_error *err)
{
	(void)s;
	memset(destination, 0, length);
	return offset < 1000000 ? true : ckpt_fail(err, CKPT_E_FORMAT, "no bytes at %llu", (unsigned long long)offset);
}

static void the_lowest_error_wins_and_names_the_tensor(void)
{
	static const ckpt_source_ops ops = {"bad", bad_read, NULL, NULL};
	for (int threads = 1; threads <= 3; threads++) {
		ckpt_layout *l = ckpt_layout_new(NULL);
		ckpt_source *s = ckpt_source_new(&ops, sizeof *s, 5000000, NULL);
		CU_ASSERT_PTR_NOT_NULL_FATAL(ckpt_layout_source(l, s, "weight", NULL));
		ckpt_source_unref(s);
		ckpt_work work = {.threads = threads};
		ckpt_error err = {0};
		ckpt_output *o = ckpt_output_new(path_of("never"), l->size, true, &err);
		CU_ASSERT_FALSE(ckpt_layout_fill(l, o, &work, 0, l->size, false, &err));
		CU_ASSERT_STRING_EQUAL(err.text, "tensor 'weight': no bytes at 1048576");
		ckpt_output_free(o);
		ckpt_layout_free(l);
		CU_ASSERT_NOT_EQUAL(access(path_of("never"), F_OK), 0);
	}
}

static void a_wrong_crc_is_an_error(void)
{
	ckpt_layout *l = ckpt_layout_new(NULL);
	ckpt_source *s = ckpt_source_fill("abc", 3, 2000000, NULL);
	ckpt_piece *p = ckpt_layout_source(l, s, "data/0", NULL);
	ckpt_source_unref(s);
	p->check_crc = true;
	p->expect_crc = 0x12345678;
	ckpt_error err = {0};
	ckpt_output *o = ckpt_output_new(path_of("crc"), l->size, true, &err);
	CU_ASSERT_FALSE(ckpt_layout_fill(l, o, NULL, 0, l->size, false, &err));
	CU_ASSERT(strstr(err.text, "data/0") && strstr(err.text, "12345678") && strstr(err.text, "CRC"));
	l->pieces[0].expect_crc = l->pieces[0].crc;
	CU_ASSERT(ckpt_layout_fill(l, o, NULL, 0, l->size, false, &err));
	ckpt_output_free(o);
	ckpt_layout_free(l);
}

static bool stop_at_two(void *user, uint64_t done, uint64_t total)
{
	(void)total;
	uint64_t *calls = user;
	CU_ASSERT(done > 0);
	return ++*calls < 2;
}

static void progress_may_stop_it(void)
{
	for (int threads = 1; threads <= 3; threads++) {
		ckpt_layout *l = ckpt_layout_new(NULL);
		CU_ASSERT_PTR_NOT_NULL(ckpt_layout_zeros(l, 9000000, NULL));
		uint64_t calls = 0;
		ckpt_work work = {threads, stop_at_two, &calls};
		ckpt_error err = {0};
		ckpt_output *o = ckpt_output_new(path_of("stopped"), 0, true, &err);
		CU_ASSERT_FALSE(ckpt_layout_fill(l, o, &work, 0, l->size, false, &err));
		CU_ASSERT_EQUAL(err.code, CKPT_E_CANCELLED);
		CU_ASSERT_EQUAL(calls, 2);
		ckpt_output_free(o);
		ckpt_layout_free(l);
	}
}

static void impossible_sizes_are_refused(void)
{
	ckpt_layout *l = ckpt_layout_new(NULL);
	ckpt_error err = {0};
	CU_ASSERT_PTR_NOT_NULL(ckpt_layout_zeros(l, INT64_MAX - 1, &err));
	CU_ASSERT_PTR_NULL(ckpt_layout_zeros(l, 2, &err));
	CU_ASSERT_PTR_NULL(ckpt_layout_zeros(l, UINT64_MAX, &err));
	ckpt_layout_free(l);
	ckpt_layout_free(NULL);
}

static const unit_case cases[] = {
	{"the_same_bytes_for_every_thread_count", the_same_bytes_for_every_thread_count},
	{"the_lowest_error_wins_and_names_the_tensor", the_lowest_error_wins_and_names_the_tensor},
	{"a_wrong_crc_is_an_error", a_wrong_crc_is_an_error},
	{"progress_may_stop_it", progress_may_stop_it},
	{"impossible_sizes_are_refused", impossible_sizes_are_refused},
	{0},
};
const unit_suite unit_layout = {"layout", cases};
