/* test_source.c -- every source gives every byte range, and the ranges agree with the whole */
#include "unit.h"

#include "../../lib/dtype.h"
#include "../../lib/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t state = 1;
static uint32_t next_random(void)
{
	state = state * 1664525u + 1013904223u;
	return state >> 8;
}

/* Compares many random ranges of s with the expected bytes. */
static void check_ranges(const ckpt_source *s, const unsigned char *want, size_t length)
{
	CU_ASSERT_EQUAL(s->length, length);
	unsigned char *got = malloc(length + 1);
	for (int i = 0; i < 300; i++) {
		size_t a = length ? next_random() % (length + 1) : 0, n = length - a ? next_random() % (length - a + 1) : 0;
		if (i == 0) a = 0, n = length;
		got[n] = 0x5a;
		if (!ckpt_source_read(s, a, n, got, NULL) || memcmp(got, want + a, n) != 0 || got[n] != 0x5a) {
			CU_FAIL("a range differs");
			break;
		}
	}
	ckpt_error err = {0};
	CU_ASSERT_FALSE(ckpt_source_read(s, 0, length + 1, got, &err));
	CU_ASSERT_EQUAL(err.code, CKPT_E_USAGE);
	CU_ASSERT_FALSE(ckpt_source_read(s, UINT64_MAX, 1, got, NULL));
	free(got);
}

static unsigned char *bytes(size_t n)
{
	unsigned char *p = malloc(n + 1);
	for (size_t i = 0; i < n; i++) p[i] = (unsigned char)next_random();
	return p;
}

static void file_ranges_are_extents(void)
{
	char path[4096];
	unsigned char *data = bytes(5000);
	snprintf(path, sizeof path, "%s/extent", unit_folder());
	FILE *out = fopen(path, "wb");
	fwrite(data, 1, 5000, out);
	fclose(out);
	ckpt_file *f = ckpt_file_open(path, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	ckpt_source *s = ckpt_source_file(f, 100, 4000, NULL), *part = ckpt_source_slice(s, 7, 1000, NULL);
	ckpt_source *part2 = ckpt_source_slice(part, 3, 10, NULL);
	check_ranges(s, data + 100, 4000);
	check_ranges(part, data + 107, 1000);
	ckpt_extent e;
	CU_ASSERT(ckpt_source_extent(part2, &e) && e.file == f && e.offset == 110);
	ckpt_error err = {0};
	CU_ASSERT_PTR_NULL(ckpt_source_file(f, 4999, 2, &err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "5000"));
	CU_ASSERT_PTR_NULL(ckpt_source_file(f, UINT64_MAX, 2, &err));
	CU_ASSERT_PTR_NULL(ckpt_source_slice(s, 3999, 2, &err));
	ckpt_source_unref(part2);
	ckpt_source_unref(part);
	ckpt_source_unref(s);
	ckpt_file_unref(f);
	free(data);
}

static void fills_repeat_their_pattern(void)
{
	for (size_t period = 1; period <= 16; period++) {
		unsigned char pattern[16], want[1000];
		for (size_t i = 0; i < period; i++) pattern[i] = (unsigned char)(i * 17 + 1);
		for (size_t i = 0; i < sizeof want; i++) want[i] = pattern[i % period];
		ckpt_source *s = ckpt_source_fill(pattern, period, sizeof want, NULL);
		check_ranges(s, want, sizeof want);
		ckpt_extent e;
		CU_ASSERT_FALSE(ckpt_source_extent(s, &e));
		ckpt_source_unref(s);
	}
	CU_ASSERT_PTR_NULL(ckpt_source_fill("", 0, 5, NULL));
	ckpt_source *huge = ckpt_source_fill("\1\2", 2, UINT64_MAX - 1, NULL);
	unsigned char two[2];
	CU_ASSERT(ckpt_source_read(huge, (uint64_t)1 << 62, 2, two, NULL) && two[0] == 1 && two[1] == 2);
	ckpt_source_unref(huge);
}

static void concatenation_joins(void)
{
	unsigned char *data = bytes(3000);
	ckpt_source *parts[4] = {ckpt_source_heap(data, 1000, NULL), ckpt_source_heap("", 0, NULL),
				 ckpt_source_heap(data + 1000, 1, NULL), ckpt_source_heap(data + 1001, 1999, NULL)};
	ckpt_source *s = ckpt_source_concat(parts, 4, NULL), *none = ckpt_source_concat(NULL, 0, NULL);
	for (int i = 0; i < 4; i++) ckpt_source_unref(parts[i]);
	check_ranges(s, data, 3000);
	check_ranges(none, data, 0);
	ckpt_source *huge = ckpt_source_fill("x", 1, UINT64_MAX, NULL);
	ckpt_source *both[2] = {huge, s};
	CU_ASSERT_PTR_NULL(ckpt_source_concat(both, 2, NULL));
	ckpt_source_unref(huge);
	ckpt_source_unref(s);
	ckpt_source_unref(none);
	free(data);
}

static void swaps_reverse_items(void)
{
	unsigned char *data = bytes(160000), *want = malloc(160000);
	for (unsigned item = 2; item <= 16; item *= 2) {
		for (size_t i = 0; i < 160000; i++) want[i] = data[i / item * item + item - 1 - i % item];
		ckpt_source *inner = ckpt_source_heap(data, 160000, NULL), *s = ckpt_source_swap(inner, item, NULL);
		check_ranges(s, want, 160000);
		ckpt_source_unref(s);
		ckpt_source_unref(inner);
	}
	ckpt_source *odd = ckpt_source_heap(data, 7, NULL);
	CU_ASSERT_PTR_NULL(ckpt_source_swap(odd, 2, NULL));
	CU_ASSERT_PTR_NULL(ckpt_source_swap(odd, 3, NULL));
	ckpt_source_unref(odd);
	free(data);
	free(want);
}

static void casts_convert_ranges(void)
{
	enum { N = 40000 };
	float *in = malloc(N * sizeof *in);
	uint16_t *want = malloc(N * sizeof *want);
	for (size_t i = 0; i < N; i++) {
		uint32_t bits = (uint32_t)(next_random() & 0xffff) << 16;
		want[i] = (uint16_t)(bits >> 16);
		if ((want[i] & 0x7fff) > 0x7f80) want[i] = 0x4000, bits = 0x40000000; /* no NaN here */
		memcpy(&in[i], &bits, 4);
	}
	ckpt_source *inner = ckpt_source_heap(in, N * sizeof *in, NULL), *s = ckpt_source_cast(inner, CKPT_F32, CKPT_BF16, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	check_ranges(s, (unsigned char *)want, N * sizeof *want);
	ckpt_source *back = ckpt_source_cast(s, CKPT_BF16, CKPT_F32, NULL);
	check_ranges(back, (unsigned char *)in, N * sizeof *in);
	ckpt_error err = {0};
	CU_ASSERT_PTR_NULL(ckpt_source_cast(inner, CKPT_QINT8, CKPT_F32, &err));
	CU_ASSERT_EQUAL(err.code, CKPT_E_UNSUPPORTED);
	ckpt_source_unref(back);
	ckpt_source_unref(s);
	ckpt_source_unref(inner);
	free(in);
	free(want);
}

static void negation_flips_the_sign(void)
{
	double z[4] = {1.5, -2.5, 0.0, 3.0}, conj[4] = {1.5, 2.5, 0.0, -3.0}, neg[4] = {-1.5, 2.5, -0.0, -3.0};
	int16_t i[3] = {5, -7, INT16_MIN}, minus[3] = {-5, 7, INT16_MIN};
	ckpt_source *a = ckpt_source_heap(z, sizeof z, NULL), *b = ckpt_source_heap(i, sizeof i, NULL);
	ckpt_source *c = ckpt_source_negate(a, CKPT_C128, true, NULL), *d = ckpt_source_negate(a, CKPT_F64, false, NULL);
	ckpt_source *e = ckpt_source_negate(b, CKPT_I16, false, NULL);
	check_ranges(c, (unsigned char *)conj, sizeof conj);
	check_ranges(d, (unsigned char *)neg, sizeof neg);
	check_ranges(e, (unsigned char *)minus, sizeof minus);
	CU_ASSERT_PTR_NULL(ckpt_source_negate(a, CKPT_F64, true, NULL));
	CU_ASSERT_PTR_NULL(ckpt_source_negate(a, CKPT_BOOL, false, NULL));
	ckpt_source_unref(a);
	ckpt_source_unref(b);
	ckpt_source_unref(c);
	ckpt_source_unref(d);
	ckpt_source_unref(e);
}

/* ---- strided views against a plain loop ---- */

static void naive(unsigned char *out, const unsigned char *in, unsigned item, uint64_t offset, size_t rank,
		  const uint64_t *shape, const uint64_t *stride)
{
	uint64_t index[8] = {0}, n = 1;
	for (size_t d = 0; d < rank; d++) n *= shape[d];
	for (uint64_t i = 0; i < n; i++) {
		uint64_t at = offset;
		for (size_t d = 0; d < rank; d++) at += index[d] * stride[d];
		memcpy(out + i * item, in + at * item, item);
		for (size_t d = rank; d-- > 0;) {
			if (++index[d] < shape[d]) break;
			index[d] = 0;
		}
	}
}

static void check_view(const unsigned char *data, size_t length, unsigned item, uint64_t offset, size_t rank,
		       const uint64_t *shape, const uint64_t *stride)
{
	uint64_t n = 1;
	for (size_t d = 0; d < rank; d++) n *= shape[d];
	unsigned char *want = malloc((size_t)n * item + 1);
	naive(want, data, item, offset, rank, shape, stride);
	ckpt_source *inner = ckpt_source_heap(data, length, NULL);
	ckpt_source *s = ckpt_source_strided(inner, item, offset, rank, shape, stride, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	check_ranges(s, want, (size_t)n * item);
	ckpt_source_unref(s);
	ckpt_source_unref(inner);
	free(want);
}

static void views_equal_a_plain_loop(void)
{
	unsigned char *data = bytes(200000);
	check_view(data, 200000, 4, 0, 2, (uint64_t[]){100, 50}, (uint64_t[]){1, 100});       /* transposed */
	check_view(data, 200000, 4, 11, 2, (uint64_t[]){100, 50}, (uint64_t[]){70, 1});       /* columns of a wider one */
	check_view(data, 200000, 8, 3, 3, (uint64_t[]){3, 5, 7}, (uint64_t[]){0, 1, 13});     /* expanded */
	check_view(data, 200000, 1, 0, 1, (uint64_t[]){1000}, (uint64_t[]){199});             /* every 199th byte */
	check_view(data, 200000, 16, 5, 2, (uint64_t[]){1000, 3}, (uint64_t[]){3, 1});        /* contiguous after all */
	check_view(data, 200000, 2, 9, 0, NULL, NULL);                                        /* one element */
	check_view(data, 200000, 2, 0, 3, (uint64_t[]){4, 0, 5}, (uint64_t[]){1, 1, 1});      /* none */
	for (int i = 0; i < 200; i++) {
		uint64_t shape[5], stride[5], reach = 0;
		size_t rank = 1 + next_random() % 5;
		for (size_t d = 0; d < rank; d++) {
			shape[d] = 1 + next_random() % 7;
			stride[d] = next_random() % 40;
			reach += (shape[d] - 1) * stride[d];
		}
		check_view(data, 200000, 1u << next_random() % 5, next_random() % 5000, rank, shape, stride);
		CU_ASSERT(reach < 5000);
	}
	free(data);
}

static void large_transposes_are_read_in_runs(void)
{
	enum { R = 700, C = 3100 }; /* 8.7 MB of 4-byte items: more than what is gathered at once */
	unsigned char *data = bytes((size_t)R * C * 4);
	check_view(data, (size_t)R * C * 4, 4, 0, 2, (uint64_t[]){C, R}, (uint64_t[]){1, C});
	check_view(data, (size_t)R * C * 4, 4, 0, 2, (uint64_t[]){R / 7, C / 2}, (uint64_t[]){7 * C, 2});
	free(data);
}

static void views_outside_are_refused(void)
{
	ckpt_source *inner = ckpt_source_heap("0123456789abcdef", 16, NULL);
	ckpt_error err = {0};
	uint64_t shape[65], stride[65];
	for (int i = 0; i < 65; i++) shape[i] = stride[i] = 1;
	CU_ASSERT_PTR_NULL(ckpt_source_strided(inner, 4, 0, 1, (uint64_t[]){5}, (uint64_t[]){1}, &err));
	CU_ASSERT_PTR_NULL(ckpt_source_strided(inner, 4, 4, 0, NULL, NULL, &err));
	CU_ASSERT_PTR_NULL(ckpt_source_strided(inner, 4, UINT64_MAX, 1, (uint64_t[]){2}, (uint64_t[]){1}, &err));
	CU_ASSERT_PTR_NULL(ckpt_source_strided(inner, 4, 0, 1, (uint64_t[]){3}, (uint64_t[]){UINT64_MAX}, &err));
	CU_ASSERT_PTR_NULL(ckpt_source_strided(inner, 4, 0, 2, (uint64_t[]){UINT64_MAX, 2}, (uint64_t[]){0, 0}, &err));
	CU_ASSERT_PTR_NULL(ckpt_source_strided(inner, 4, 0, 65, shape, stride, &err));
	ckpt_source *s = ckpt_source_strided(inner, 4, 99, 1, (uint64_t[]){0}, (uint64_t[]){1}, &err);
	CU_ASSERT(s && s->length == 0); /* no element, no place */
	ckpt_source_unref(s);
	ckpt_source_unref(inner);
}

/* ---- spills ---- */

typedef struct producer {
	const unsigned char *data;
	size_t length;
	int runs, freed;
	bool fail;
} producer;

static bool produce(void *state_, ckpt_emit_fn emit, void *sink, ckpt_error *err)
{
	producer *p = state_;
	p->runs++;
	if (p->fail) {
		if (err) err->code = CKPT_E_FORMAT, strcpy(err->text, "bad stream");
		return false;
	}
	for (size_t done = 0; done < p->length;) {
		size_t n = 1 + next_random() % 70000;
		if (n > p->length - done) n = p->length - done;
		if (!emit(sink, p->data + done, n, err)) return false;
		done += n;
	}
	return true;
}

static void count_free(void *state_) { ((producer *)state_)->freed++; }

static void spills_run_once_and_check_their_length(void)
{
	static const size_t lengths[] = {0, 1000, 3000000};
	unsigned char *data = bytes(3000000);
	for (size_t i = 0; i < 3; i++) {
		producer p = {.data = data, .length = lengths[i]};
		ckpt_source *s = ckpt_source_spill(lengths[i], produce, &p, count_free, NULL);
		check_ranges(s, data, lengths[i]);
		CU_ASSERT_EQUAL(p.runs, lengths[i] ? 1 : 0);
		ckpt_source_unref(s);
		CU_ASSERT_EQUAL(p.freed, 1);
	}
	producer more = {.data = data, .length = 1001}, less = {.data = data, .length = 999}, bad = {.fail = true};
	producer *wrong[] = {&more, &less, &bad};
	for (size_t i = 0; i < 3; i++) {
		ckpt_error err = {0};
		unsigned char b[4];
		ckpt_source *s = ckpt_source_spill(1000, produce, wrong[i], count_free, NULL);
		CU_ASSERT_FALSE(ckpt_source_read(s, 0, 4, b, &err));
		CU_ASSERT_EQUAL(err.code, CKPT_E_FORMAT);
		CU_ASSERT_FALSE(ckpt_source_read(s, 0, 4, b, &err));
		CU_ASSERT_EQUAL(wrong[i]->runs, 1);
		ckpt_source_unref(s);
	}
	free(data);
}

static const unit_case cases[] = {
	{"file_ranges_are_extents", file_ranges_are_extents},
	{"fills_repeat_their_pattern", fills_repeat_their_pattern},
	{"concatenation_joins", concatenation_joins},
	{"swaps_reverse_items", swaps_reverse_items},
	{"casts_convert_ranges", casts_convert_ranges},
	{"negation_flips_the_sign", negation_flips_the_sign},
	{"views_equal_a_plain_loop", views_equal_a_plain_loop},
	{"large_transposes_are_read_in_runs", large_transposes_are_read_in_runs},
	{"views_outside_are_refused", views_outside_are_refused},
	{"spills_run_once_and_check_their_length", spills_run_once_and_check_their_length},
	{0},
};
const unit_suite unit_source = {"source", cases};
