/* test_npy.c -- arrays of numpy: those that numpy wrote, those that nobody should, and what is written back */
#include "../../formats/format.h"
#include "../../formats/npy_header.h"
#include "../../lib/cast.h"
#include "../../lib/layout.h"
#include "files.h"
#include "unit.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static ckpt_checkpoint *accept(const char *path)
{
	ckpt_error err = {0};
	ckpt_checkpoint *cp = ckpt_open(path, NULL, &err);
	if (!cp) printf("# %s: %s\n", path, err.text);
	CU_ASSERT_PTR_NOT_NULL_FATAL(cp);
	CU_ASSERT_STRING_EQUAL(ckpt_checkpoint_format(cp), "npy");
	CU_ASSERT_EQUAL_FATAL(ckpt_checkpoint_tensor_count(cp), 1);
	return cp;
}

static ckpt_checkpoint *fixture(const char *name)
{
	char path[128];
	snprintf(path, sizeof path, "data/fixtures/numpy/%s", name);
	return accept(unit_data(path));
}

/* The elements are 0, 1, 2, ... in row-major order. */
static void check_counts(const ckpt_tensor *t)
{
	uint8_t bytes[512];
	double values[64];
	const ckpt_dtype dtype = ckpt_tensor_dtype(t);
	const bool complex = dtype == CKPT_C64 || dtype == CKPT_C128;
	const ckpt_dtype part = dtype == CKPT_C64 ? CKPT_F32 : dtype == CKPT_C128 ? CKPT_F64 : dtype;
	const size_t count = (size_t)ckpt_tensor_elements(t) * (complex ? 2 : 1);
	CU_ASSERT_FATAL(count <= 64 && ckpt_tensor_bytes(t) <= sizeof bytes);
	CU_ASSERT(ckpt_tensor_read(t, 0, (size_t)ckpt_tensor_bytes(t), bytes, NULL));
	ckpt_cast_to_f64(part, bytes, values, count);
	for (size_t i = 0; i < count; i++) {
		double n = complex              ? (double)(i / 2) * (i % 2 ? -1 : 1)
		           : dtype == CKPT_BOOL ? (double)(i % 2)
		                                : (double)i;
		CU_ASSERT_EQUAL(values[i], n);
	}
}

typedef struct known {
	const char *name; /* of file and tensor */
	ckpt_dtype dtype;
	size_t rank;
	uint64_t shape[5];
	bool plain; /* little-endian, C order, version 1.0: numpy.save writes the very same bytes */
} known;

static const known table[] = {
	{"b1", CKPT_BOOL, 2, {2, 3}, true},
	{"i1", CKPT_I8, 2, {2, 3}, true},
	{"u1", CKPT_U8, 2, {2, 3}, true},
	{"i2", CKPT_I16, 2, {2, 3}, true},
	{"u2", CKPT_U16, 2, {2, 3}, true},
	{"i4", CKPT_I32, 2, {2, 3}, true},
	{"u4", CKPT_U32, 2, {2, 3}, true},
	{"i8", CKPT_I64, 2, {2, 3}, true},
	{"u8", CKPT_U64, 2, {2, 3}, true},
	{"f2", CKPT_F16, 2, {2, 3}, true},
	{"f4", CKPT_F32, 2, {2, 3}, true},
	{"f8", CKPT_F64, 2, {2, 3}, true},
	{"c8", CKPT_C64, 2, {2, 3}, true},
	{"c16", CKPT_C128, 2, {2, 3}, true},
	{"scalar", CKPT_F32, 0, {0}, true},
	{"empty", CKPT_F32, 2, {0, 3}, true},
	{"one", CKPT_I16, 1, {5}, true},
	{"deep", CKPT_I32, 5, {1, 2, 1, 3, 1}, true},
	{"fortran", CKPT_F32, 3, {2, 3, 4}, false},
	{"big", CKPT_F64, 2, {2, 3}, false},
	{"big_fortran_complex", CKPT_C64, 2, {3, 2}, false},
	{"version_2", CKPT_F32, 2, {2, 3}, false},
	{"version_3", CKPT_F32, 2, {2, 3}, false},
};
enum { KNOWN = sizeof table / sizeof table[0] };

static void reads_numpy(void)
{
	for (size_t i = 0; i < KNOWN; i++) {
		char file[64];
		snprintf(file, sizeof file, "%s.npy", table[i].name);
		ckpt_checkpoint *cp = fixture(file);
		const ckpt_tensor *t = ckpt_checkpoint_tensor_at(cp, 0);
		CU_ASSERT_STRING_EQUAL(ckpt_tensor_name(t), table[i].name);
		CU_ASSERT_EQUAL(ckpt_tensor_dtype(t), table[i].dtype);
		CU_ASSERT_EQUAL_FATAL(ckpt_tensor_rank(t), table[i].rank);
		CU_ASSERT_EQUAL(memcmp(ckpt_tensor_shape(t), table[i].shape, table[i].rank * sizeof(uint64_t)), 0);
		if (table[i].rank) {
			check_counts(t);
		} else {
			float seven = 0;
			CU_ASSERT(ckpt_tensor_read(t, 0, 4, &seven, NULL) && seven == 7);
		}
		ckpt_checkpoint_free(cp);
	}
}

/* C order and little-endian data are a plain range of the file. */
static void stays_in_place(void)
{
	ckpt_extent extent;
	ckpt_checkpoint *cp = fixture("f4.npy");
	CU_ASSERT(ckpt_source_extent(cp->tensors[0].source, &extent));
	CU_ASSERT_EQUAL(extent.offset, 128);
	ckpt_checkpoint_free(cp);
	cp = fixture("fortran.npy");
	CU_ASSERT(!ckpt_source_extent(cp->tensors[0].source, &extent));
	CU_ASSERT_STRING_EQUAL(ckpt_checkpoint_detail(cp), "Fortran order");
	ckpt_checkpoint_free(cp);
	cp = fixture("big_fortran_complex.npy");
	CU_ASSERT_STRING_EQUAL(ckpt_checkpoint_detail(cp), "Fortran order, big-endian");
	ckpt_checkpoint_free(cp);
}

/* ---- writing ------------------------------------------------------------------------------------------------- */

static ckpt_layout *plan(const ckpt_checkpoint *cp, ckpt_error *err)
{
	return ckpt_format_by_name("npy")->plan(cp, "x.npy", NULL, err);
}

static const char *save(const ckpt_checkpoint *cp, const char *name)
{
	ckpt_error err = {0};
	const char *path = unit_path(name);
	ckpt_layout *l = plan(cp, &err);
	if (!l) printf("# %s\n", err.text);
	CU_ASSERT_PTR_NOT_NULL_FATAL(l);
	ckpt_output *out = ckpt_output_new(path, l->size, true, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	CU_ASSERT(ckpt_layout_fill(l, out, NULL, 0, l->size, false, &err));
	CU_ASSERT(ckpt_output_finish(out, l->size, false, &err));
	CU_ASSERT(ckpt_output_commit(out, false, &err));
	ckpt_output_free(out);
	ckpt_layout_free(l);
	return path;
}

static void writes_as_numpy(void)
{
	for (size_t i = 0; i < KNOWN; i++) {
		char file[64], original[128];
		snprintf(file, sizeof file, "%s.npy", table[i].name);
		snprintf(original, sizeof original, "data/fixtures/numpy/%s", file);
		ckpt_checkpoint *cp = fixture(file);
		const char *path = save(cp, file);
		ckpt_checkpoint_free(cp);
		size_t wanted, got;
		char *a = unit_read(unit_data(original), &wanted), *b = unit_read(path, &got);
		CU_ASSERT_FATAL(a && b);
		if (table[i].plain) {
			CU_ASSERT_EQUAL(got, wanted);
			CU_ASSERT(got == wanted && !memcmp(a, b, got));
		} else {
			cp = accept(path);
			check_counts(ckpt_checkpoint_tensor_at(cp, 0));
			CU_ASSERT_STRING_EQUAL(ckpt_checkpoint_detail(cp), "");
			ckpt_checkpoint_free(cp);
		}
		free(a);
		free(b);
	}
}

/* Every number of digits and dimensions: the data begin at a multiple of 64, and the header is read back. */
static void headers_round_trip(void)
{
	uint64_t shape[CKPT_MAX_RANK];
	for (size_t rank = 0; rank <= CKPT_MAX_RANK; rank++) {
		ckpt_buffer b = {0};
		ckpt_npy_header h;
		ckpt_error err = {0};
		uint64_t length;
		for (size_t d = 0; d < rank; d++) shape[d] = d % 7 == 3 ? UINT64_MAX - d : d * d;
		CU_ASSERT(ckpt_npy_header_write(&b, CKPT_I16, rank, shape, &err));
		CU_ASSERT_EQUAL(b.length % 64, 0);
		CU_ASSERT(b.length > 0 && b.data[b.length - 1] == '\n');
		const uint64_t size = b.length + (rank ? 0 : 2); /* the first dimension is 0 */
		const uint8_t *head = (const uint8_t *)b.data;
		CU_ASSERT(ckpt_npy_header_length(head, 12, size, 1 << 20, &length, &err) && length == b.length);
		CU_ASSERT(ckpt_npy_header_parse(head, b.length, size, &h, &err));
		CU_ASSERT_EQUAL(h.rank, rank);
		CU_ASSERT_EQUAL(memcmp(h.shape, shape, rank * sizeof *shape), 0);
		ckpt_buffer_free(&b);
	}
}

static void refuse_plan(ckpt_checkpoint *cp, const char *word, const char *other)
{
	ckpt_error err = {0};
	ckpt_layout *l = plan(cp, &err);
	CU_ASSERT_PTR_NULL(l);
	ckpt_layout_free(l);
	CU_ASSERT_EQUAL(err.code, CKPT_E_UNSUPPORTED);
	if (!strstr(err.text, word) || !strstr(err.text, other)) printf("# %s\n", err.text);
	CU_ASSERT(strstr(err.text, word) && strstr(err.text, other));
	ckpt_checkpoint_free(cp);
}

static ckpt_checkpoint *filled(ckpt_dtype dtype, size_t tensors)
{
	const uint64_t shape[1] = {4};
	ckpt_checkpoint *cp = ckpt_checkpoint_new(NULL);
	for (size_t i = 0; i < tensors; i++) {
		char name[32];
		snprintf(name, sizeof name, "t%zu", i);
		CU_ASSERT(ckpt_checkpoint_add_fill(cp, name, dtype, 1, shape, 0, NULL));
	}
	return cp;
}

static void refuses_to_write(void)
{
	refuse_plan(filled(CKPT_F32, 0), "one tensor", "0");
	refuse_plan(filled(CKPT_F32, 2), "one tensor", "2");
	refuse_plan(filled(CKPT_BF16, 1), "'t0'", "--dtype f32");
	refuse_plan(filled(CKPT_F8_E4M3, 1), "F8_E4M3", "--dtype f32");
	refuse_plan(filled(CKPT_F4, 1), "'t0'", "F4");
	refuse_plan(filled(CKPT_C32, 1), "'t0'", "C32");
	refuse_plan(filled(CKPT_QINT8, 1), "'t0'", "QINT8");
	for (int d = 0; d < CKPT_DTYPE_COUNT; d++) {
		ckpt_error err = {0};
		ckpt_checkpoint *cp = filled((ckpt_dtype)d, 1);
		ckpt_layout *l = plan(cp, &err);
		CU_ASSERT_EQUAL(l != NULL, ckpt_npy_holds_dtype((ckpt_dtype)d));
		ckpt_layout_free(l);
		ckpt_checkpoint_free(cp);
	}
}

/* ---- hand-made headers --------------------------------------------------------------------------------------- */

static const char *write_npy(uint8_t major, uint8_t minor, const char *text, size_t data)
{
	static char file[4096];
	const size_t length = strlen(text), prefix = major == 1 ? 10 : 12;
	memset(file, 0, sizeof file);
	memcpy(file, CKPT_NPY_MAGIC, 6);
	file[6] = (char)major, file[7] = (char)minor;
	file[8] = (char)length, file[9] = (char)(length >> 8);
	memcpy(file + prefix, text, length);
	return unit_write("hand.npy", file, prefix + length + data);
}

#define DICT(descr, order, shape) "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape ", }"

static void accepts_odd(void)
{
	const struct {
		uint8_t major;
		const char *text;
		size_t data;
		size_t rank;
	} rows[] = {
		{1, DICT("'<f4'", "False", "(2,)") "  \n", 8, 1},
		{1, "{'shape': (2, 1), 'fortran_order': True, 'descr': '<f4'}", 8, 2},
		{1, "\n{ 'shape' :( 2 ,1 , ) ,\t'fortran_order':False,'descr':\"<f4\" }\r\n", 8, 2},
		{1, DICT("'<f4'", "False", "()"), 4, 0},
		{1, DICT("'<f4'", "False", "(2L, 1L)"), 8, 2}, /* Python 2 */
		{2, DICT("'<f4'", "False", "(2L,)"), 8, 1},
		{3, DICT("'<f4'", "False", "(2,)"), 8, 1},
		{1, DICT("'>u1'", "False", "(2,)"), 2, 1},
		{1, DICT("'<b1'", "False", "(2,)"), 2, 1},
		{1, DICT("'|i1'", "True", "(2, 3)"), 6, 2},
		{1, DICT("'<f4'", "True", "(0, 18446744073709551615, 3)"), 0, 3},
		{1, DICT("'>c16'", "False", "(1,)"), 16, 1},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		ckpt_checkpoint *cp = accept(write_npy(rows[i].major, 0, rows[i].text, rows[i].data));
		const ckpt_tensor *t = ckpt_checkpoint_tensor_at(cp, 0);
		CU_ASSERT_EQUAL(ckpt_tensor_rank(t), rows[i].rank);
		CU_ASSERT_EQUAL(ckpt_tensor_bytes(t), rows[i].data);
		CU_ASSERT_STRING_EQUAL(ckpt_tensor_name(t), "hand");
		ckpt_checkpoint_free(cp);
	}
}

static void refuse(const char *path, const char *word)
{
	ckpt_error err = {0};
	ckpt_checkpoint *cp = ckpt_open(path, NULL, &err);
	CU_ASSERT_PTR_NULL(cp);
	ckpt_checkpoint_free(cp);
	if (!strstr(err.text, word)) printf("# wanted \"%s\" in: %s\n", word, err.text);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, word));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, path));
}

static void refuses_headers(void)
{
	static const struct {
		const char *text;
		size_t data;
		const char *word;
	} rows[] = {
		{"", 8, "no dict"},
		{"[]", 8, "no dict"},
		{"((((((((((((((", 8, "no dict"},
		{"{}", 8, "no key 'descr'"},
		{"{'descr': '<f4'}", 8, "no key 'fortran_order'"},
		{"{'descr': '<f4', 'fortran_order': False}", 8, "no key 'shape'"},
		{DICT("'<f4'", "False", "(2,)") "x", 8, "1 bytes follow"},
		{DICT("'<f4'", "False", "(2,)") "{}", 8, "2 bytes follow"},
		{"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 8, "'descr' twice"},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'x': 1}", 8, "unknown key 'x'"},
		{"{'descr': '<f4' 'fortran_order': False, 'shape': (2,)}", 8, "',' is wanted"},
		{"{'descr' '<f4', 'fortran_order': False, 'shape': (2,)}", 8, "':' is wanted"},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)", 8, "',' is missing"},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': (2,", 8, "no plain integer"},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': (2", 8, "',' is missing"},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': ", 8, "'(' is missing"},
		{"{'descr': '<f4', 'fortran_order': False, 'shape", 8, "not a plain string"},
		{"{'de\\x73cr': '<f4', 'fortran_order': False, 'shape': (2,)}", 8, "not a plain string"},
		{"{descr: '<f4'}", 8, "a key is no string"},
		{"{, }", 8, "a key is no string"},
		{DICT("'<f4'", "False", "(2)"), 8, "not a tuple"},
		{DICT("'<f4'", "False", "[2]"), 8, "'(' is wanted"},
		{DICT("'<f4'", "False", "2"), 8, "'(' is wanted"},
		{DICT("'<f4'", "False", "(,)"), 8, "no plain integer"},
		{DICT("'<f4'", "False", "(2,,)"), 8, "no plain integer"},
		{DICT("'<f4'", "False", "(2 3)"), 8, "',' is wanted"},
		{DICT("'<f4'", "False", "(-2,)"), 8, "dimension 0 of the .npy shape is negative"},
		{DICT("'<f4'", "False", "(1, -2)"), 8, "dimension 1 of the .npy shape is negative"},
		{DICT("'<f4'", "False", "(2.0,)"), 8, "',' is wanted"},
		{DICT("'<f4'", "False", "(02,)"), 8, "no plain integer"},
		{DICT("'<f4'", "False", "(0x2,)"), 8, "',' is wanted"},
		{DICT("'<f4'", "False", "(True,)"), 8, "no plain integer"},
		{DICT("'<f4'", "False", "(18446744073709551616,)"), 8, "above 64 bits"},
		{DICT("'<f4'", "False", "(4294967296, 4294967296)"), 0, "overflow"},
		{DICT("'<f4'", "False", "(4611686018427387904,)"), 0, "overflow"},
		{DICT("'<f4'", "0", "(2,)"), 8, "neither True nor False"},
		{DICT("'<f4'", "None", "(2,)"), 8, "neither True nor False"},
		{DICT("'<f4'", "False", "(2,)"), 7, "7 bytes of data, dtype F32 and shape [2] want 8"},
		{DICT("'<f4'", "False", "(2,)"), 0, "truncated"},
		{DICT("'<f4'", "False", "(2,)"), 9, "too long"},
		{DICT("'<f4'", "False", "(0,)"), 1, "want 0"},
		{DICT("'|O'", "False", "(2,)"), 16, "pickle"},
		{DICT("'O'", "False", "(2,)"), 16, "pickle"},
		{DICT("'<U4'", "False", "(2,)"), 32, "'<U4' is text"},
		{DICT("'|S4'", "False", "(2,)"), 8, "byte strings"},
		{DICT("'|V2'", "False", "(2,)"), 4, "bfloat16"},
		{DICT("'<M8[ns]'", "False", "(2,)"), 16, "datetime64"},
		{DICT("'<m8[s]'", "False", "(2,)"), 16, "timedelta64"},
		{DICT("'<f16'", "False", "(2,)"), 32, "long double"},
		{DICT("'<c32'", "False", "(2,)"), 64, "long double"},
		{DICT("'|f4'", "False", "(2,)"), 8, "without a byte order"},
		{DICT("'f4'", "False", "(2,)"), 8, "byte order"},
		{DICT("'=f4'", "False", "(2,)"), 8, "byte order"},
		{DICT("''", "False", "(2,)"), 8, "byte order"},
		{DICT("'<'", "False", "(2,)"), 8, "no dtype"},
		{DICT("'<f3'", "False", "(2,)"), 8, "no dtype"},
		{DICT("'<f4 '", "False", "(2,)"), 8, "no dtype"},
		{DICT("'<f4aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'", "False", "(2,)"), 8, "no dtype"},
		{DICT("[('a', '<f4'), ('b', '<i4')]", "False", "(2,)"), 16, "structured dtype"},
		{DICT("('<f4', (2,))", "False", "(2,)"), 16, "structured dtype"},
		{DICT("{'names': []}", "False", "(2,)"), 16, "structured dtype"},
		{DICT("5", "False", "(2,)"), 8, "descr is no string"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		refuse(write_npy(1, 0, rows[i].text, rows[i].data), rows[i].word);
	refuse(write_npy(3, 0, DICT("'<f4'", "False", "(2L,)"), 8), "',' is wanted");
}

static void refuses_prefixes(void)
{
	const char good[] = DICT("'<f4'", "False", "(2,)");
	refuse(write_npy(4, 0, good, 8), "version 4.0");
	refuse(write_npy(0, 0, good, 8), "version 0.0");
	refuse(write_npy(1, 1, good, 8), "version 1.1");
	refuse(unit_write("hand.npy", "\x93NUMPX\1\0", 8), "magic");
	refuse(unit_write("hand.npy", "\x93NUMPY\1\0\xff\xff{}", 12), "65545 bytes of header, the array has 12");
	refuse(unit_write("hand.npy", "\x93NUMPY\2\0\xff\xff\xff\xff{}", 14), "header-bytes");
	refuse(unit_write("hand.npy", "\x93NUMPY\2\0\xff\xff\xff\5{}", 14), "header-bytes");
	refuse(unit_write("hand.npy", "\x93NUMPY\2\0\xff\xff\1\0{}", 14), "past the end");
}

static void rank_limit(void)
{
	char text[1024] = "{'descr': '<f4', 'fortran_order': False, 'shape': (";
	for (size_t i = 0; i < CKPT_MAX_RANK; i++) strcat(text, "1,");
	char more[1040];
	snprintf(more, sizeof more, "%s1)}", text);
	strcat(text, ")}");
	ckpt_checkpoint *cp = accept(write_npy(1, 0, text, 4));
	CU_ASSERT_EQUAL(ckpt_tensor_rank(ckpt_checkpoint_tensor_at(cp, 0)), CKPT_MAX_RANK);
	ckpt_checkpoint_free(cp);
	refuse(write_npy(1, 0, more, 4), "more than 64 dimensions");
}

/* No prefix of a file is a file. */
static void truncated_everywhere(void)
{
	size_t length;
	char *bytes = unit_read(unit_data("data/fixtures/numpy/version_2.npy"), &length);
	CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
	for (size_t n = 0; n < length; n++) {
		ckpt_error err = {0};
		ckpt_checkpoint *cp = ckpt_open(unit_write("cut.npy", bytes, n), NULL, &err);
		CU_ASSERT_PTR_NULL(cp);
		CU_ASSERT(err.code != CKPT_OK && err.text[0]);
		ckpt_checkpoint_free(cp);
	}
	free(bytes);
}

/* 4 GiB and four bytes, most of them a hole. */
static void beyond_4_gib(void)
{
	const char *text = DICT("'>i4'", "True", "(2, 536870913)");
	const char *path = write_npy(1, 0, text, 0);
	const off_t begin = (off_t)(10 + strlen(text));
	const off_t size = 2 * INT64_C(536870913) * 4;
	const uint8_t last[4] = {1, 2, 3, 4};
	int32_t got = 0;
	int fd = open(path, O_WRONLY);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(pwrite(fd, last, 4, begin + size - 4), 4);
	close(fd);
	ckpt_checkpoint *cp = accept(path);
	const ckpt_tensor *t = ckpt_checkpoint_tensor_at(cp, 0);
	CU_ASSERT_EQUAL(ckpt_tensor_bytes(t), (uint64_t)size);
	CU_ASSERT(ckpt_tensor_read(t, (uint64_t)size - 4, 4, &got, NULL));
	CU_ASSERT_EQUAL(got, 0x01020304);
	ckpt_checkpoint_free(cp);
	unlink(path);
}

static const unit_case cases[] = {
	{"reads numpy", reads_numpy},
	{"stays in place", stays_in_place},
	{"writes as numpy", writes_as_numpy},
	{"headers round trip", headers_round_trip},
	{"refuses to write", refuses_to_write},
	{"accepts odd", accepts_odd},
	{"refuses headers", refuses_headers},
	{"refuses prefixes", refuses_prefixes},
	{"rank limit", rank_limit},
	{"truncated everywhere", truncated_everywhere},
	{"beyond 4 GiB", beyond_4_gib},
	{0},
};
const unit_suite unit_npy = {"npy", cases};
