/* test_safetensors.c -- the safetensors row against the reference test-suite: exact bytes, rules, attacks */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../formats/format.h"
#include "../../lib/checked.h"
#include "../../lib/layout.h"
#include "files.h"
#include "unit.h"

#define H0 "{\"test\":{\"dtype\":\"I32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}"
#define T(name, dtype, shape, begin, end)                                                                              \
	"\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" begin "," end "]}"

/* The file opens and has `count` tensors. */
static ckpt_checkpoint *accept(const char *path, size_t count)
{
	ckpt_error err = {0};
	ckpt_checkpoint *cp = ckpt_open(path, NULL, &err);
	if (!cp) printf("# %s\n", err.text);
	CU_ASSERT_PTR_NOT_NULL_FATAL(cp);
	CU_ASSERT_EQUAL(ckpt_checkpoint_tensor_count(cp), count);
	CU_ASSERT_STRING_EQUAL(ckpt_checkpoint_format(cp), "safetensors");
	return cp;
}

static void refuse(const char *path, const char *word)
{
	ckpt_error err = {0};
	ckpt_checkpoint *cp = ckpt_open(path, NULL, &err);
	CU_ASSERT_PTR_NULL(cp);
	ckpt_checkpoint_free(cp);
	if (!strstr(err.text, word)) printf("# wanted \"%s\" in: %s\n", word, err.text);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, word));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, path)); /* the file is named, once */
	if (strstr(err.text, path)) CU_ASSERT_PTR_NULL(strstr(strstr(err.text, path) + 1, path));
}

static void refuse_header(const char *header, size_t zeros, const char *word)
{
	refuse(unit_write_st("bad.safetensors", header, zeros), word);
}

static const char *save(const ckpt_checkpoint *cp)
{
	ckpt_error err = {0};
	ckpt_layout *l = ckpt_format_by_name("safetensors")->plan(cp, "saved.safetensors", NULL, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(l);
	const char *path = unit_path("saved.safetensors");
	ckpt_output *out = ckpt_output_new(path, l->size, true, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	CU_ASSERT_TRUE(ckpt_layout_fill(l, out, NULL, 0, l->size, false, &err));
	CU_ASSERT_TRUE(ckpt_output_finish(out, l->size, false, &err));
	CU_ASSERT_TRUE(ckpt_output_commit(out, false, &err));
	ckpt_output_free(out);
	ckpt_layout_free(l);
	return path;
}

/* Saves and compares with the exact bytes of the reference writer, which pads the header with spaces up to a multiple
 * of 8. */
static void check_saved(const ckpt_checkpoint *cp, const char *header, const void *data, size_t length)
{
	const char *path = save(cp);
	size_t got, n = strlen(header), padded = (n + 7) / 8 * 8;
	char *file = unit_read(path, &got);
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	CU_ASSERT_EQUAL_FATAL(got, 8 + padded + length);
	CU_ASSERT_EQUAL(ckpt_le64((uint8_t *)file), padded);
	CU_ASSERT_EQUAL(memcmp(file + 8, header, n), 0);
	CU_ASSERT_EQUAL(memcmp(file + 8 + n, "       ", padded - n), 0);
	CU_ASSERT_EQUAL(memcmp(file + 8 + padded, data, length), 0);
	free(file);
}

static void add(ckpt_checkpoint *cp, const char *name, ckpt_dtype dtype, size_t rank, const uint64_t *shape,
                const void *data, size_t length)
{
	ckpt_error err = {0};
	bool ok = ckpt_checkpoint_add_bytes(cp, name, dtype, rank, shape, data, length, &err);
	if (!ok) printf("# %s\n", err.text);
	CU_ASSERT_TRUE(ok);
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

static void test_accepts(void)
{
	static const struct {
		const char *header;
		size_t zeros, tensors;
	} rows[] = {
		{H0, 16, 1},
		{"{}", 0, 0},
		{"{}\r \t\n", 0, 0},
		{"\t\n{}\r ", 0, 0},
		{H0 "       ", 16, 1},
		{"{\"test\":{\"dtype\":\"I32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, 1},
		{"{\"test\":{\"dtype\":\"I32\",\"shape\":[2,0],\"data_offsets\":[0, 0]}}", 0, 1},
		{"{" T("z", "F32", "[0,18446744073709551615,2]", "0", "0") "}", 0, 1},
		{"{\"__metadata__\":null," T("w", "U8", "[1]", "0", "1") "}", 1, 1},
		{"{\"__metadata__\":{}," T("w", "U8", "[1]", "0", "1") "}", 1, 1},
		{"{\"w\":{\"x\":{\"y\":[1.5,1e99,123456789012345678901234567890]},\"dtype\":\"U8\",\"shape\":[1],"
	     "\"data_offsets\":[0,1],\"z\":null}}",
	     1, 1},
		{"{" T("", "U8", "[1]", "0", "1") "}", 1, 1},
		{"{" T("\x7f\\b\\f\\/", "U8", "[1]", "0", "1") "}", 1, 1},
		{"{" T("a", "U8", "[3]", "0", "3") "," T("b", "F32", "[1]", "3", "7") "}", 7, 2},
		{"{" T("a", "F4", "[1,2]", "0", "1") "}", 1, 1},
		{"{" T("a", "F6_E2M3", "[4]", "0", "3") "," T("b", "F6_E3M2", "[8]", "3", "9") "}", 9, 2},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		ckpt_checkpoint_free(
			accept(unit_write_st("ok.safetensors", rows[i].header, rows[i].zeros), rows[i].tensors));
}

static void test_refusals(void)
{
	static const struct {
		const char *header;
		size_t zeros;
		const char *word;
	} rows[] = {
		/* the length and the JSON */
		{"", 0, "header"},
		{"{", 0, "header"},
		{"\xff", 0, "header"},
		{"[]", 0, "an object"},
		{"\"x\"", 0, "an object"},
		{"null", 0, "an object"},
		{H0 "x", 16, "trailing"},
		{H0 H0, 16, "trailing"},
		{"\xef\xbb\xbf{}", 0, "header"},
		{"{" T("\xc0\xaf", "U8", "[1]", "0", "1") "}", 1, "UTF-8"},
		{"{" T("\\ud800", "U8", "[1]", "0", "1") "}", 1, "surrogate"},
		{"{" T("\\u0000", "U8", "[1]", "0", "1") "}", 1, "NUL"},
		{"{" T("a", "U8", "[1]", "0", "1") "," T("a", "U8", "[1]", "1", "2") "}", 2, "duplicate key 'a'"},
		{"{" T("a", "U8", "[1]", "0", "1") "," T("\\u0061", "U8", "[1]", "1", "2") "}", 2, "duplicate key 'a'"},
		{"{\"w\":{\"dtype\":\"U8\",\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}", 16,
	     "tensor 'w': invalid JSON: duplicate key 'dtype'"},
		/* fields */
		{"{\"w\":null}", 0, "tensor 'w': the entry must be an object, found null"},
		{"{\"w\":[\"I32\",[2,2],[0,16]]}", 16, "found an array"},
		{"{\"w\":{\"shape\":[4],\"data_offsets\":[0,16]}}", 16, "dtype is missing"},
		{"{\"w\":{\"dtype\":\"U8\",\"data_offsets\":[0,16]}}", 16, "shape is missing"},
		{"{\"w\":{\"dtype\":\"U8\",\"shape\":[16]}}", 16, "data_offsets is missing"},
		{"{\"w\":{\"dtype\":{\"I32\":null},\"shape\":[4],\"data_offsets\":[0,16]}}", 16, "dtype must be a string"},
		{"{" T("w", "f32", "[4]", "0", "16") "}", 16, "unknown dtype 'f32'"},
		{"{" T("w", "C128", "[1]", "0", "16") "}", 16, "unknown dtype 'C128'"},
		{"{" T("w", "F32", "null", "0", "16") "}", 16, "shape must be an array of integers, found null"},
		{"{" T("w", "F32", "[2.0,2]", "0", "16") "}", 16, "found 2.0"},
		{"{" T("w", "F32", "[2e0,2]", "0", "16") "}", 16, "found 2e0"},
		{"{" T("w", "F32", "[-0]", "0", "0") "}", 0, "found -0"},
		{"{" T("w", "F32", "[-2,-2]", "0", "16") "}", 16, "found -2"},
		{"{" T("w", "F32", "[\"2\"]", "0", "8") "}", 8, "found a string"},
		{"{" T("w", "F32", "[1e999999999]", "0", "16") "}", 16, "found 1e999999999"},
		{"{" T("w", "F32", "[4]", "0", "18446744073709551632") "}", 16, "found 18446744073709551632"},
		{"{\"w\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16,32]}}", 16, "2 integers, found 3"},
		{"{\"w\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0]}}", 16, "2 integers, found 1"},
		{"{\"w\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":{}}}", 16, "found an object"},
		/* metadata */
		{"{\"__metadata__\":[]}", 0, "__metadata__ must be an object"},
		{"{\"__metadata__\":{\"a\":1}}", 0, "found a number under 'a'"},
		{"{\"__metadata__\":{\"a\":null}}", 0, "found null under 'a'"},
		{"{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", 0, "duplicate key 'a'"},
		{"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "duplicate key '__metadata__'"},
		/* offsets */
		{"{" T("a", "F32", "[4]", "16", "32") "}", 32, "tensor 'a': data_offsets [16,32] leave a hole"},
		{"{" T("a", "F32", "[4]", "0", "16") "," T("b", "F32", "[4]", "20", "36") "}", 36, "ends at 16"},
		{"{" T("a", "F32", "[4]", "0", "16") "," T("b", "F32", "[4]", "0", "16") "}", 16, "overlap tensor 'a'"},
		{"{" T("a", "F32", "[4]", "0", "16") "," T("b", "F32", "[4]", "8", "24") "}", 24, "overlap tensor 'a'"},
		{"{" T("a", "F32", "[4]", "16", "0") "}", 16, "run backwards"},
		{"{" T("a", "F32", "[4]", "0", "16") "," T("z", "F32", "[0]", "8", "8") "}", 16, "overlap tensor 'a'"},
		{"{" T("a", "F32", "[4]", "0", "16") "," T("z", "F32", "[0]", "99", "99") "}", 16, "leave a hole"},
		{"{" T("test", "I32", "[2,2]", "0", "4") "}", 4, "hold 4 bytes, dtype I32 and shape [2,2] need 16"},
		{"{" T("test", "I32", "[2,18446744073709551614]", "0", "16") "}", 16, "tensor 'test'"},
		{"{" T("test", "I32", "[2,9223372036854775807]", "0", "16") "}", 16, "tensor 'test'"},
		{"{" T("test", "U8", "[18446744073709551615,2,0]", "0", "0") "}", 0, "tensor 'test'"},
		{"{" T("w", "F4", "[3]", "0", "2") "}", 2, "tensor 'w'"},
		{"{" T("w", "F6_E2M3", "[3]", "0", "2") "}", 2, "tensor 'w'"},
		{H0, 14, "truncated: tensor 'test' ends at byte 16 of the data, the file has only 14"},
		{H0, 0, "truncated"},
		{H0, 50, "34 trailing bytes"},
		{"{}", 1, "1 trailing bytes"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		refuse_header(rows[i].header, rows[i].zeros, rows[i].word);
}

static void test_length(void)
{
	static const char zeros[8], wraps[9] = "\xf8\xff\xff\xff\xff\xff\xff\xff",
	                            large[9] = "\x3c\0\0\0\0\xff\xff\xff";
	refuse(unit_write("l.safetensors", "", 0), "empty");
	refuse(unit_write("l.safetensors", "\x01\0\0\0\0\0\0", 7), "too small");
	refuse(unit_write("l.safetensors", zeros, 8), "header");
	refuse(unit_write("l.safetensors", "\x3c\0\0\0\0\0\0\0", 8), "truncated: the header should be 60 bytes long");
	refuse(unit_write("l.safetensors", wraps, 8), "header length is 18446744073709551608");
	refuse(unit_write("l.safetensors", large, 8), "header length");
	/* the limit is named, and can be moved */
	const char *path = unit_write_st("l.safetensors", H0, 16);
	ckpt_open_options options = {.limits.header_bytes = 59};
	ckpt_error err = {0};
	CU_ASSERT_PTR_NULL(ckpt_open(path, &options, &err));
	CU_ASSERT_EQUAL(err.code, CKPT_E_LIMIT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "header-bytes"));
	options.limits.header_bytes = 60;
	ckpt_checkpoint *cp = ckpt_open(path, &options, &err);
	CU_ASSERT_PTR_NOT_NULL(cp);
	ckpt_checkpoint_free(cp);
	options = (ckpt_open_options){.limits.tensors = 1};
	path =
		unit_write_st("l.safetensors", "{" T("a", "U8", "[1]", "0", "1") "," T("b", "U8", "[0]", "1", "1") "}", 1);
	CU_ASSERT_PTR_NULL(ckpt_open(path, &options, &err));
	CU_ASSERT_EQUAL(err.code, CKPT_E_LIMIT);
}

static void test_rank(void)
{
	for (int rank = 64; rank <= 65; rank++) {
		char header[512] = "{\"w\":{\"dtype\":\"U8\",\"shape\":[1";
		for (int i = 1; i < rank; i++) strcat(header, ",1");
		strcat(header, "],\"data_offsets\":[0,1]}}");
		if (rank == 64)
			ckpt_checkpoint_free(accept(unit_write_st("r.safetensors", header, 1), 1));
		else
			refuse_header(header, 1, "shape has 65 dimensions, at most 64");
	}
	char *wide = malloc(1200000);
	CU_ASSERT_PTR_NOT_NULL_FATAL(wide);
	int n = sprintf(wide, "{\"w\":{\"dtype\":\"U8\",\"shape\":[0");
	for (int i = 0; i < 100000; i++) n += sprintf(wide + n, ",0");
	strcpy(wide + n, "],\"data_offsets\":[0,0]}}");
	refuse_header(wide, 0, "shape has 100001 dimensions, at most 64");
	for (int i = 0; i < 450000; i++) n += sprintf(wide + n, ",0");
	strcpy(wide + n, "],\"data_offsets\":[0,0]}}");
	refuse_header(wide, 0, "the entry is 1100047 bytes of JSON, at most 1048576");
	free(wide);
}

/* Every proper prefix of a good file is refused. */
static void test_truncated(void)
{
	const char *path = unit_write_st("full.safetensors", "{" T("a", "F32", "[2]", "0", "8") "}  ", 8);
	size_t length;
	char *data = unit_read(path, &length);
	CU_ASSERT_PTR_NOT_NULL_FATAL(data);
	ckpt_checkpoint_free(accept(path, 1));
	for (size_t n = 0; n < length; n++) {
		path = unit_write("cut.safetensors", data, n);
		ckpt_error err = {0};
		ckpt_checkpoint *cp = ckpt_open(path, NULL, &err);
		CU_ASSERT_PTR_NULL(cp);
		CU_ASSERT_EQUAL(err.code, CKPT_E_FORMAT);
		ckpt_checkpoint_free(cp);
	}
	free(data);
}

/* Header order differs from data order; names are exact; sizes beyond 2^53 too. */
static void test_order_and_names(void)
{
	const char *path = unit_write_st(
		"o.safetensors",
		"{\"__metadata__\":{\"b\":\"2\",\"a\":\"1\"}," T("late", "U8", "[2]", "1", "3") "," T(
	        "z2", "U8", "[0]", "1", "1") "," T("\\u6743\\ud83d\\ude00\\/", "U8", "[1]", "0",
	                                           "1") "," T("z1", "F32", "[9007199254740993,0]", "1", "1") "}",
		3);
	ckpt_checkpoint *cp = accept(path, 4);
	static const char *const names[] = {"\xe6\x9d\x83\xf0\x9f\x98\x80/", "z2", "z1", "late"};
	for (size_t i = 0; i < 4; i++)
		CU_ASSERT_STRING_EQUAL(ckpt_tensor_name(ckpt_checkpoint_tensor_at(cp, i)), names[i]);
	CU_ASSERT_EQUAL(ckpt_tensor_shape(ckpt_checkpoint_tensor_at(cp, 2))[0], 9007199254740993u);
	CU_ASSERT_EQUAL(ckpt_checkpoint_metadata_count(cp), 2);
	CU_ASSERT_STRING_EQUAL(ckpt_checkpoint_metadata_key(cp, 0), "b");
	CU_ASSERT_STRING_EQUAL(ckpt_checkpoint_metadata_value(cp, 0), "2");
	ckpt_checkpoint_free(cp);
}

static void test_values(void)
{
	const char *path = unit_write_st("v.safetensors", "{" T("a", "U8", "[3]", "0", "3") "}", 3);
	FILE *f = fopen(path, "r+b");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	fseek(f, -3, SEEK_END);
	fwrite("\1\2\3", 1, 3, f);
	fclose(f);
	ckpt_checkpoint *cp = accept(path, 1);
	const ckpt_tensor *t = ckpt_checkpoint_tensor_find(cp, "a");
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	uint8_t got[2] = {0};
	ckpt_error err = {0};
	CU_ASSERT_TRUE(ckpt_tensor_read(t, 1, 2, got, &err));
	CU_ASSERT_EQUAL(got[0], 2);
	CU_ASSERT_EQUAL(got[1], 3);
	CU_ASSERT_FALSE(ckpt_tensor_read(t, 2, 2, got, &err));
	ckpt_checkpoint_free(cp);
}

/* The ten names of the reference's attack, and 20,000 names over one range, are refused at once. */
static void test_overlaps(void)
{
	for (unsigned count = 10; count <= 20000; count *= 2000) {
		char *header = malloc(count * 80 + 10);
		CU_ASSERT_PTR_NOT_NULL_FATAL(header);
		int n = sprintf(header, "{");
		for (unsigned i = 0; i < count; i++)
			n += sprintf(header + n,
			             "%s\"weight_%u\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]}",
			             i ? "," : "", i);
		strcpy(header + n, "}");
		refuse_header(header, 16,
		              "tensor 'weight_1': data_offsets [0,16] overlap tensor 'weight_0', which ends at 16");
		free(header);
	}
}

/* Eight sizes whose sum wraps around 2^64. */
static void test_sum_wraps(void)
{
	char header[2048];
	int n = sprintf(header, "{");
	for (unsigned i = 0; i < 8; i++)
		n +=
			sprintf(header + n,
		            "%s\"t%u\":{\"dtype\":\"U8\",\"shape\":[2305843009213693951],\"data_offsets\":[%llu,%llu]}",
		            i ? "," : "", i, 2305843009213693951ull * i, 2305843009213693951ull * (i + 1));
	strcpy(header + n, "}");
	refuse_header(header, 16, "truncated: tensor 't7'");
}

/* A tensor beyond 4 GiB in a sparse file. */
static void test_large(void)
{
	const char *path = unit_write_st("large.safetensors",
	                                 "{" T("a", "U8", "[5368709120]", "0",
	                                       "5368709120") "," T("b", "I16", "[1]", "5368709120", "5368709122") "}",
	                                 0);
	size_t length;
	char *head = unit_read(path, &length);
	free(head);
	FILE *f = fopen(path, "r+b");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	fseeko(f, (off_t)length + 5368709120, SEEK_SET);
	fwrite("\x34\x12", 1, 2, f);
	fclose(f);
	ckpt_checkpoint *cp = accept(path, 2);
	uint16_t got = 0;
	CU_ASSERT_TRUE(ckpt_tensor_read(ckpt_checkpoint_tensor_find(cp, "b"), 0, 2, &got, NULL));
	CU_ASSERT_EQUAL(got, 0x1234);
	uint8_t byte = 1;
	CU_ASSERT_TRUE(ckpt_tensor_read(ckpt_checkpoint_tensor_find(cp, "a"), 5368709119, 1, &byte, NULL));
	CU_ASSERT_EQUAL(byte, 0);
	ckpt_checkpoint_free(cp);
	remove(path);
}

static void test_not_safetensors(void)
{
	static const struct {
		const char *text, *word;
	} rows[] = {
		{"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n", "Git LFS pointer"},
		{"<!DOCTYPE html>\n<html><body>Sign in</body></html>", "HTML page"},
		{"\n<HTML><body>x</body></HTML>", "HTML page"},
		{"<?xml version=\"1.0\"?><Error/>", "XML"},
		{"Entry not found", "server's message"},
		{"{\"error\": \"Repository not found\"}", "a JSON text"},
		{"7z\xbc\xaf\x27\x1c____", "7z archive"},
		{"\x1f\x8b\x08\x08________", "gzip"},
		{"GGUF\x03____________", "GGUF"},
		{"\x89HDF\r\n\x1a\n________", "HDF5"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		refuse(unit_write("foreign.safetensors", rows[i].text, strlen(rows[i].text)), rows[i].word);
	uint8_t zeros[1024] = {0};
	refuse(unit_write("foreign.safetensors", zeros, sizeof zeros), "zeros");
	refuse(unit_path("absent.safetensors"), "No such file");
	refuse("/dev/null", "device");
}

/* ---- writing --------------------------------------------------------------------------------------------------- */

#define PT "{\"__metadata__\":{\"format\":\"pt\"}"

static void test_written_bytes(void)
{
	static const uint64_t s22[] = {2, 2}, s2[] = {2}, s0[] = {2, 0};
	static const uint8_t data[32] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20};
	ckpt_checkpoint *cp = ckpt_checkpoint_new(NULL);
	check_saved(cp, PT "}", "", 0);
	add(cp, "test2", CKPT_I32, 2, s22, data, 16);
	add(cp, "test", CKPT_F16, 1, s2, data + 16, 4);
	add(cp, "B", CKPT_I32, 2, s0, data, 0);
	add(cp, "s", CKPT_I64, 0, NULL, data, 8);
	add(cp, "test10", CKPT_I32, 0, NULL, data + 4, 4);
	add(cp, "\xc3\xa9\"\n", CKPT_I32, 1, s0, data + 8, 8);
	uint8_t wanted[40];
	memcpy(wanted, data, 8);           /* s */
	memcpy(wanted + 8, data + 4, 4);   /* test10 */
	memcpy(wanted + 12, data, 16);     /* test2 */
	memcpy(wanted + 28, data + 8, 8);  /* the one with the accent */
	memcpy(wanted + 36, data + 16, 4); /* test */
	check_saved(cp,
	            PT ",\"s\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]},"
	               "\"B\":{\"dtype\":\"I32\",\"shape\":[2,0],\"data_offsets\":[8,8]},"
	               "\"test10\":{\"dtype\":\"I32\",\"shape\":[],\"data_offsets\":[8,12]},"
	               "\"test2\":{\"dtype\":\"I32\",\"shape\":[2,2],\"data_offsets\":[12,28]},"
	               "\"\xc3\xa9\\\"\\n\":{\"dtype\":\"I32\",\"shape\":[2],\"data_offsets\":[28,36]},"
	               "\"test\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[36,40]}}",
	            wanted, sizeof wanted);
	ckpt_checkpoint *back = accept(unit_path("saved.safetensors"), 6);
	CU_ASSERT_STRING_EQUAL(ckpt_checkpoint_metadata_value(back, 0), "pt");
	ckpt_checkpoint_free(back);
	ckpt_checkpoint_free(cp);
}

static void test_written_metadata(void)
{
	ckpt_checkpoint *cp = ckpt_checkpoint_new(NULL);
	CU_ASSERT_TRUE(ckpt_checkpoint_metadata_set(cp, "z", "\t\x01/", NULL));
	CU_ASSERT_TRUE(ckpt_checkpoint_metadata_set(cp, "a", "", NULL));
	check_saved(cp, "{\"__metadata__\":{\"a\":\"\",\"format\":\"pt\",\"z\":\"\\t\\u0001/\"}}", "", 0);
	CU_ASSERT_TRUE(ckpt_checkpoint_metadata_set(cp, "format", "mlx", NULL));
	CU_ASSERT_TRUE(ckpt_checkpoint_metadata_set(cp, "a", "b", NULL));
	check_saved(cp, "{\"__metadata__\":{\"a\":\"b\",\"format\":\"mlx\",\"z\":\"\\t\\u0001/\"}}", "", 0);
	ckpt_checkpoint_free(cp);
}

/* Every dtype: what safetensors has names for goes out and comes back, in descending order. */
static void test_all_dtypes(void)
{
	ckpt_checkpoint *cp = ckpt_checkpoint_new(NULL);
	static const uint64_t shape[] = {8};
	uint8_t data[128];
	for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)(i * 7);
	for (int d = 0; d <= CKPT_U64; d++)
		add(cp, ckpt_dtype_name((ckpt_dtype)d), (ckpt_dtype)d, 1, shape, data, ckpt_dtype_bits((ckpt_dtype)d));
	ckpt_error err = {0};
	ckpt_checkpoint *back = accept(save(cp), 22);
	for (size_t i = 0; i < 22; i++) {
		const ckpt_tensor *t = ckpt_checkpoint_tensor_at(back, i);
		CU_ASSERT_EQUAL(ckpt_tensor_dtype(t), (ckpt_dtype)(CKPT_U64 - (int)i));
		CU_ASSERT_STRING_EQUAL(ckpt_tensor_name(t), ckpt_dtype_name(ckpt_tensor_dtype(t)));
		uint8_t got[128];
		CU_ASSERT_TRUE(ckpt_tensor_read(t, 0, (size_t)ckpt_tensor_bytes(t), got, &err));
		CU_ASSERT_EQUAL(memcmp(got, data, (size_t)ckpt_tensor_bytes(t)), 0);
	}
	ckpt_checkpoint_free(back);
	ckpt_checkpoint_free(cp);
}

static void test_unwritable(void)
{
	const ckpt_format *row = ckpt_format_by_name("safetensors");
	ckpt_error err = {0};
	for (int d = CKPT_C128; d < CKPT_DTYPE_COUNT; d++) CU_ASSERT_FALSE(row->holds_dtype((ckpt_dtype)d));
	static const char *const names[] = {"__metadata__", "bad\xff"};
	static const char *const words[] = {"'__metadata__'", "UTF-8"};
	for (size_t i = 0; i < 2; i++) {
		ckpt_checkpoint *cp = ckpt_checkpoint_new(NULL);
		add(cp, names[i], CKPT_U8, 0, NULL, "x", 1);
		CU_ASSERT_PTR_NULL(row->plan(cp, "x.safetensors", NULL, &err));
		CU_ASSERT_PTR_NOT_NULL(strstr(err.text, words[i]));
		ckpt_checkpoint_free(cp);
	}
	ckpt_checkpoint *cp = ckpt_checkpoint_new(NULL);
	CU_ASSERT_TRUE(ckpt_checkpoint_metadata_set(cp, "k", "\xff", NULL));
	CU_ASSERT_PTR_NULL(row->plan(cp, "x.safetensors", NULL, &err));
	ckpt_checkpoint_free(cp);
	/* a header that no reader would accept */
	cp = ckpt_checkpoint_new(NULL);
	add(cp, "w", CKPT_U8, 0, NULL, "x", 1);
	ckpt_save_options options = {.limits.header_bytes = 87};
	CU_ASSERT_PTR_NULL(row->plan(cp, "x.safetensors", &options, &err));
	CU_ASSERT_EQUAL(err.code, CKPT_E_LIMIT);
	options.limits.header_bytes = 88;
	ckpt_layout *l = row->plan(cp, "x.safetensors", &options, &err);
	CU_ASSERT_PTR_NOT_NULL(l);
	if (l) CU_ASSERT_EQUAL(l->size, 8 + 88 + 1);
	ckpt_layout_free(l);
	ckpt_checkpoint_free(cp);
}

static const unit_case cases[] = {
	{"accepts", test_accepts},
	{"refusals", test_refusals},
	{"length", test_length},
	{"rank", test_rank},
	{"truncated", test_truncated},
	{"order_and_names", test_order_and_names},
	{"values", test_values},
	{"overlaps", test_overlaps},
	{"sum_wraps", test_sum_wraps},
	{"large", test_large},
	{"not_safetensors", test_not_safetensors},
	{"written_bytes", test_written_bytes},
	{"written_metadata", test_written_metadata},
	{"all_dtypes", test_all_dtypes},
	{"unwritable", test_unwritable},
	{0},
};

const unit_suite unit_safetensors = {"safetensors", cases};
