/* test_print.c -- tensors as torch prints them (against committed prints of torch 2.13) and as JSON */
#include "../../lib/print.h"
#include "../../lib/dtype.h"
#include "../../lib/limits.h"
#include "unit.h"
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the committed prints: see data/fixtures/print/make.py for their form ---- */

typedef struct golden {
	char name[128];
	ckpt_dtype dtype;
	size_t rank;
	uint64_t shape[CKPT_MAX_RANK];
	uint64_t bytes;
	uint8_t *data;
	ckpt_buffer expect;
} golden;

static void free_golden(golden *g)
{
	free(g->data);
	ckpt_buffer_free(&g->expect);
	memset(g, 0, sizeof *g);
}

static uint32_t step(uint32_t *state)
{
	return *state = *state * 1664525u + 1013904223u;
}

static bool parse_tensor(golden *g, const char *line)
{
	char dtype[32], shape[512];
	uint64_t elements;
	if (sscanf(line, "tensor %31s %511s", dtype, shape) != 2) return false;
	g->dtype = ckpt_dtype_parse(dtype);
	for (char *p = shape; *p != '-' && *p;) {
		g->shape[g->rank++] = strtoull(p, &p, 10);
		if (*p == ',') p++;
	}
	return ckpt_dtype_bytes(g->dtype, g->rank, g->shape, &elements, &g->bytes, NULL);
}

static bool parse_data(golden *g, const char *line)
{
	unsigned seed = 0;
	int exponent = 0;
	g->data = calloc((size_t)g->bytes + 1, 1);
	if (!strncmp(line, "hex ", 4)) {
		const char *p = line + 4;
		for (uint64_t i = 0; i < g->bytes; i++, p += 2)
			if (sscanf(p, "%2hhx", &g->data[i]) != 1) return false;
		return *p == '\n' || *p == 0;
	}
	if (sscanf(line, "uniform %u %d", &seed, &exponent) == 2) {
		const size_t item = ckpt_dtype_bits(g->dtype) / 8;
		for (size_t i = 0; i < g->bytes / item; i++) {
			double d = ldexp((double)(step(&seed) >> 8) - 8388608.0, exponent - 23);
			float f = (float)d;
			memcpy(g->data + i * item, item == 8 ? (void *)&d : (void *)&f, item);
		}
		return true;
	}
	if (sscanf(line, "bytes %u", &seed) != 1) return false;
	for (uint64_t i = 0; i < g->bytes; i++) g->data[i] = (uint8_t)(step(&seed) >> 24);
	return true;
}

/* The next case of an open file; false at its end. */
static bool next_golden(FILE *f, golden *g, char **line, size_t *size)
{
	bool expecting = false;
	free_golden(g);
	while (getline(line, size, f) > 0) {
		if (!strncmp(*line, "case ", 5)) {
			snprintf(g->name, sizeof g->name, "%.*s", (int)strcspn(*line + 5, "\n"), *line + 5);
		} else if (!strncmp(*line, "tensor ", 7)) {
			CU_ASSERT_FATAL(parse_tensor(g, *line));
		} else if (!strncmp(*line, "| ", 2)) {
			if (g->expect.length) ckpt_buffer_char(&g->expect, '\n');
			ckpt_buffer_add(&g->expect, *line + 2, strcspn(*line + 2, "\n"));
		} else if (!strcmp(*line, "expect\n")) {
			expecting = true;
		} else if (!strcmp(*line, "|\n")) { /* an empty line between blocks of a tensor */
			ckpt_buffer_char(&g->expect, '\n');
		} else if (!strncmp(*line, "end", 3)) {
			return true;
		} else if (!expecting && **line != '\n') {
			CU_ASSERT_FATAL(parse_data(g, *line));
		}
	}
	return false;
}

static void check_file(const char *name, unsigned least)
{
	char path[256], *line = NULL;
	size_t size = 0;
	unsigned cases = 0;
	golden g = {0};
	snprintf(path, sizeof path, "data/fixtures/print/%s", name);
	FILE *f = fopen(unit_data(path), "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	while (next_golden(f, &g, &line, &size)) {
		ckpt_buffer out = {0};
		ckpt_error err = {0};
		CU_ASSERT(ckpt_print_torch_memory(&out, g.dtype, g.rank, g.shape, g.data, &err));
		bool same = out.data && !strcmp(out.data, g.expect.data);
		if (!same)
			printf("# %s, %s: wanted\n%s\n# found %s\n%s\n", name, g.name, g.expect.data, err.text,
			       out.data);
		CU_ASSERT(same);
		ckpt_buffer_free(&out);
		cases++;
	}
	CU_ASSERT(cases >= least);
	free_golden(&g);
	free(line);
	fclose(f);
}

static void floats(void)
{
	check_file("floats.txt", 60);
}
static void integers(void)
{
	check_file("integers.txt", 17);
}
static void complexes(void)
{
	check_file("complex.txt", 10);
}
static void shapes(void)
{
	check_file("shapes.txt", 28);
}
static void summaries(void)
{
	check_file("summaries.txt", 37);
}

/* ---- what the prints do not show ---- */

static void appends(void)
{
	ckpt_buffer out = {0};
	const float v[7] = {1, 2, 3, 4, 5, 6, 7};
	const uint64_t shape[1] = {7};
	ckpt_buffer_fill(&out, 'x', 70); /* what stands before does not move the lines */
	CU_ASSERT(ckpt_print_torch_memory(&out, CKPT_F32, 1, shape, v, NULL));
	CU_ASSERT_STRING_EQUAL(out.data + 70, "tensor([1., 2., 3., 4., 5., 6., 7.])");
	ckpt_buffer_free(&out);
}

static void refuses(void)
{
	const struct {
		ckpt_dtype dtype;
		const char *word;
	} cases[] = {{CKPT_F6_E2M3, "F6_E2M3"},
	             {CKPT_QINT8, "scale"},
	             {CKPT_QUINT2X4, "scale"},
	             {CKPT_BITS8, "bits"},
	             {CKPT_BITS16, "bits"}};
	const uint8_t data[16] = {0};
	const uint64_t shape[1] = {4}, three[1] = {3};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		ckpt_buffer out = {0};
		ckpt_error err = {0};
		CU_ASSERT(!ckpt_print_torch_memory(&out, cases[i].dtype, 1, shape, data, &err));
		CU_ASSERT_EQUAL(err.code, CKPT_E_UNSUPPORTED);
		CU_ASSERT_PTR_NOT_NULL(strstr(err.text, cases[i].word));
		CU_ASSERT_EQUAL(out.length, 0);
		ckpt_buffer_free(&out);
	}
	ckpt_error err = {0};
	ckpt_source *s = ckpt_source_heap(data, 2, NULL);
	ckpt_print_view odd = {CKPT_F4, 1, three, s}, scalar = {CKPT_F4, 0, NULL, s};
	ckpt_buffer out = {0};
	CU_ASSERT(!ckpt_print_torch(&out, &odd, &err) && strstr(err.text, "not even"));
	CU_ASSERT(!ckpt_print_torch(&out, &scalar, &err));
	ckpt_source_unref(s);
	ckpt_buffer_free(&out);
}

/* 2^33 elements of which 6 at each end are shown; 2^30 of which all would be. */
static void huge(void)
{
	const float half = 0.5f;
	const uint64_t long_shape[2] = {UINT64_C(1) << 32, 2};
	uint64_t many[30];
	for (size_t i = 0; i < 30; i++) many[i] = 2;
	ckpt_source *s = ckpt_source_fill(&half, 4, UINT64_C(1) << 35, NULL);
	ckpt_buffer out = {0};
	ckpt_error err = {0};
	ckpt_print_view view = {CKPT_F32, 2, long_shape, s};
	CU_ASSERT(ckpt_print_torch(&out, &view, &err));
	CU_ASSERT_STRING_EQUAL(out.data,
	                       "tensor([[0.5000, 0.5000],\n        [0.5000, 0.5000],\n        [0.5000, 0.5000],\n"
	                       "        ...,\n        [0.5000, 0.5000],\n        [0.5000, 0.5000],\n"
	                       "        [0.5000, 0.5000]])");
	view.rank = 30, view.shape = many;
	CU_ASSERT(!ckpt_print_torch(&out, &view, &err));
	CU_ASSERT_EQUAL(err.code, CKPT_E_LIMIT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "1073741824"));
	ckpt_source_unref(s);
	ckpt_buffer_free(&out);
}

static bool fail_read(const ckpt_source *s, uint64_t offset, size_t length, void *destination, ckpt_error *err)
{
	(void)s, (void)offset, (void)length, (void)destination;
	if (err) err->code = CKPT_E_IO;
	return false;
}

static void read_errors(void)
{
	static const ckpt_source_ops ops = {"broken", fail_read, NULL, NULL};
	const uint64_t small[1] = {4}, large[2] = {100, 100};
	ckpt_source s = {&ops, 40000, 1};
	ckpt_print_view view = {CKPT_F32, 1, small, &s};
	ckpt_buffer out = {0};
	ckpt_error err = {0};
	CU_ASSERT(!ckpt_print_torch(&out, &view, &err) && err.code == CKPT_E_IO);
	view.rank = 2, view.shape = large, err.code = CKPT_OK;
	CU_ASSERT(!ckpt_print_torch(&out, &view, &err) && err.code == CKPT_E_IO);
	CU_ASSERT_EQUAL(out.length, 0);
}

/* ---- JSON ---- */

static bool collect(void *sink, const void *data, size_t length, ckpt_error *err)
{
	(void)err;
	ckpt_buffer_add(sink, data, length);
	return true;
}

static void check_json(ckpt_dtype dtype, size_t rank, const uint64_t *shape, const void *data, const char *expect)
{
	uint64_t elements, bytes;
	ckpt_buffer out = {0};
	ckpt_error err = {0};
	CU_ASSERT_FATAL(ckpt_dtype_bytes(dtype, rank, shape, &elements, &bytes, NULL));
	ckpt_source *s = ckpt_source_heap(data, (size_t)bytes, NULL);
	ckpt_print_view view = {dtype, rank, shape, s};
	CU_ASSERT(ckpt_print_json(&view, collect, &out, &err));
	if (!out.data || strcmp(out.data, expect))
		printf("# JSON wanted %s, found %s %s\n", expect, out.data, err.text);
	CU_ASSERT(out.data && !strcmp(out.data, expect));
	ckpt_source_unref(s);
	ckpt_buffer_free(&out);
}

static void json_values(void)
{
	const uint64_t s1[1] = {6}, s2[2] = {2, 3}, s4[1] = {4}, c2[2] = {1, 2};
	const float f[6] = {0.1f, -1, 16777216, 1e-45f, 3.4028235e38f, 1.0f / 3};
	const float odd[4] = {NAN, INFINITY, -INFINITY, -0.0f};
	const double d[6] = {0.1, 1.0 / 3, 1e300, 5e-324, 123456789012345678.0, 2.5};
	const int64_t i[6] = {0, -1, INT64_MAX, INT64_MIN, 7, 8};
	const uint64_t u[6] = {0, UINT64_MAX, 1, 2, 3, 4};
	const uint8_t b[6] = {0, 1, 0, 1, 1, 0};
	const float c[4] = {1, -2.5f, NAN, 0};
	const uint16_t h[4] = {0x2e66, 0x3c00, 0x7bff, 0x0001};
	check_json(CKPT_F32, 1, s1, f, "[0.1,-1.0,16777216.0,1e-45,3.4028235e+38,0.33333334]");
	check_json(CKPT_F32, 1, s4, odd, "[\"NaN\",\"Infinity\",\"-Infinity\",-0.0]");
	check_json(CKPT_F64, 2, s2, d, "[[0.1,0.3333333333333333,1e+300],\n[5e-324,1.2345678901234568e+17,2.5]]");
	check_json(CKPT_I64, 1, s1, i, "[0,-1,9223372036854775807,-9223372036854775808,7,8]");
	check_json(CKPT_U64, 1, s1, u, "[0,18446744073709551615,1,2,3,4]");
	check_json(CKPT_BOOL, 2, s2, b, "[[false,true,false],\n[true,true,false]]");
	check_json(CKPT_C64, 2, c2, c, "[[[1.0,-2.5],[\"NaN\",0.0]]]");
	check_json(CKPT_F16, 1, s4, h, "[0.099975586,1.0,65504.0,5.9604645e-08]");
	check_json(CKPT_F32, 0, NULL, f, "0.1");
	check_json(CKPT_I32, 0, NULL, i + 1, "-1");
}

static void json_shapes(void)
{
	const uint64_t e1[1] = {0}, e2[2] = {2, 0}, e3[3] = {2, 0, 5}, e4[2] = {0, 4}, s4[4] = {2, 1, 2, 1},
	               rows[2] = {UINT64_C(1) << 40, 0};
	const uint8_t v[4] = {1, 2, 3, 4};
	check_json(CKPT_F32, 1, e1, v, "[]");
	check_json(CKPT_F32, 2, e2, v, "[[],\n[]]");
	check_json(CKPT_F32, 3, e3, v, "[[],\n[]]");
	check_json(CKPT_F32, 2, e4, v, "[]");
	check_json(CKPT_U8, 4, s4, v, "[[[[1],\n[2]]],\n[[[3],\n[4]]]]");
	ckpt_source *s = ckpt_source_heap(v, 0, NULL);
	ckpt_print_view view = {CKPT_U8, 2, rows, s}, f4 = {CKPT_F4, 1, e1, s};
	ckpt_buffer out = {0};
	ckpt_error err = {0};
	CU_ASSERT(!ckpt_print_json(&view, collect, &out, &err) && err.code == CKPT_E_LIMIT);
	CU_ASSERT(!ckpt_print_json(&f4, collect, &out, &err) && err.code == CKPT_E_UNSUPPORTED);
	ckpt_source_unref(s);
	ckpt_buffer_free(&out);
}

typedef struct counter {
	uint64_t bytes, pieces, largest, commas;
} counter;

static bool count_piece(void *sink, const void *data, size_t length, ckpt_error *err)
{
	counter *c = sink;
	(void)err;
	c->bytes += length;
	c->pieces++;
	if (length > c->largest) c->largest = length;
	for (size_t i = 0; i < length; i++) c->commas += ((const char *)data)[i] == ',';
	return true;
}

static void json_streams(void)
{
	const uint8_t byte = 200;
	const uint64_t shape[2] = {1000, 301};
	ckpt_source *s = ckpt_source_fill(&byte, 1, 301000, NULL);
	ckpt_print_view view = {CKPT_U8, 2, shape, s};
	counter c = {0};
	CU_ASSERT(ckpt_print_json(&view, count_piece, &c, NULL));
	CU_ASSERT_EQUAL(c.commas, 301000 - 1);
	CU_ASSERT_EQUAL(c.bytes, 301000 * 3 + (301000 - 1) + 2 * 1000 + 2 + 999);
	CU_ASSERT(c.pieces > 10 && c.largest < 70000);
	ckpt_source_unref(s);
}

/* Numbers have a decimal point in a German program too, and the program's locale is as before afterwards. */
static void locales(void)
{
	const float v[2] = {0.5f, 1.25f};
	const uint64_t shape[1] = {2};
	const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"};
	const char *set = NULL;
	for (size_t i = 0; i < 4 && !set; i++) set = setlocale(LC_NUMERIC, names[i]);
	ckpt_buffer out = {0};
	CU_ASSERT(ckpt_print_torch_memory(&out, CKPT_F32, 1, shape, v, NULL));
	CU_ASSERT_STRING_EQUAL(out.data, "tensor([0.5000, 1.2500])");
	check_json(CKPT_F32, 1, shape, v, "[0.5,1.25]");
	if (set) CU_ASSERT_STRING_EQUAL(localeconv()->decimal_point, ",");
	setlocale(LC_NUMERIC, "C");
	ckpt_buffer_free(&out);
}

static const unit_case cases[] = {
	{"floats", floats},           {"integers", integers},
	{"complex", complexes},       {"shapes", shapes},
	{"summaries", summaries},     {"appends", appends},
	{"refuses", refuses},         {"huge", huge},
	{"read errors", read_errors}, {"json values", json_values},
	{"json shapes", json_shapes}, {"json streams", json_streams},
	{"locales", locales},         {0},
};
const unit_suite unit_print = {"print", cases};
