/* test_zip_plan.c -- planned archives, read back by minizip, and against offsets and bytes that torch wrote */
#include "../../formats/zip_plan.h"
#include "../../lib/checked.h"
#include "../../lib/crc.h"
#include "layout_file.h"
#include "unit.h"

#include <minizip/unzip.h>
#include <stdlib.h>
#include <string.h>

static ckpt_zip_plan *plan(const char *prefix)
{
	ckpt_zip_plan *z = ckpt_zip_plan_new(prefix, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(z);
	return z;
}

static void add_heap(ckpt_zip_plan *z, const char *name, const void *data, size_t length)
{
	ckpt_source *s = ckpt_source_heap(data, length, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_TRUE(ckpt_zip_plan_source(z, name, s, name, NULL));
	ckpt_source_unref(s);
}

static ckpt_layout *finish(ckpt_zip_plan *z)
{
	ckpt_error err = {0};
	ckpt_layout *layout = ckpt_zip_plan_finish(z, &err);
	CU_ASSERT_STRING_EQUAL(err.text, "");
	ckpt_zip_plan_free(z);
	CU_ASSERT_PTR_NOT_NULL_FATAL(layout);
	return layout;
}

/* Reads one record through minizip, which checks its CRC. */
static void same_record(unzFile zip, const char *name, const void *wanted, size_t length)
{
	unz_file_info64 info;
	CU_ASSERT_EQUAL_FATAL(unzLocateFile(zip, name, 1), UNZ_OK);
	CU_ASSERT_EQUAL(unzGetCurrentFileInfo64(zip, &info, NULL, 0, NULL, 0, NULL, 0), UNZ_OK);
	CU_ASSERT_EQUAL_FATAL(info.uncompressed_size, length);
	CU_ASSERT_EQUAL(info.compressed_size, length);
	CU_ASSERT_EQUAL(info.compression_method, 0);
	CU_ASSERT_EQUAL_FATAL(unzOpenCurrentFile(zip), UNZ_OK);
	if (length) CU_ASSERT_EQUAL(unzGetCurrentFileZStreamPos64(zip) % 64, 0);
	uint8_t *found = malloc(length + 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(found);
	CU_ASSERT_EQUAL(unzReadCurrentFile(zip, found, (unsigned)length + 1), (int)length);
	CU_ASSERT_EQUAL(unzCloseCurrentFile(zip), UNZ_OK);
	unit_same_bytes(name, found, length, wanted, length);
	free(found);
}

static void test_read_by_minizip(void)
{
	enum { LARGE = 3 << 20 };
	uint8_t *large = malloc(LARGE), id[41] = {0};
	CU_ASSERT_PTR_NOT_NULL_FATAL(large);
	for (size_t i = 0; i < LARGE; i++) large[i] = (uint8_t)(i * 7 + i / 1000);
	ckpt_zip_plan *z = plan("p q");
	CU_ASSERT_TRUE(ckpt_zip_plan_bytes(z, "first", "hello", 5, NULL));
	add_heap(z, "data/0", large, LARGE);
	add_heap(z, "data/1", "", 0);
	CU_ASSERT_TRUE(ckpt_zip_plan_bytes(z, "none", "", 0, NULL));
	add_heap(z, "data/gr\u00f6\u00dfe", "x", 1);
	add_heap(z, "tail", large, 65);
	CU_ASSERT_TRUE(ckpt_zip_plan_identity(z, NULL));
	const char *path = unit_path("plan.zip");
	CU_ASSERT_TRUE_FATAL(unit_write_layout(finish(z), path, NULL));
	unzFile zip = unzOpen64(path);
	CU_ASSERT_PTR_NOT_NULL_FATAL(zip);
	unz_global_info64 info;
	CU_ASSERT_EQUAL(unzGetGlobalInfo64(zip, &info), UNZ_OK);
	CU_ASSERT_EQUAL(info.number_entry, 7);
	same_record(zip, "p q/first", "hello", 5);
	same_record(zip, "p q/data/0", large, LARGE);
	same_record(zip, "p q/data/1", "", 0);
	same_record(zip, "p q/none", "", 0);
	same_record(zip, "p q/data/gr\u00f6\u00dfe", "x", 1);
	same_record(zip, "p q/tail", large, 65);
	CU_ASSERT_EQUAL_FATAL(unzLocateFile(zip, "p q/.data/serialization_id", 1), UNZ_OK);
	CU_ASSERT_EQUAL_FATAL(unzOpenCurrentFile(zip), UNZ_OK);
	CU_ASSERT_EQUAL(unzReadCurrentFile(zip, id, sizeof id), 40);
	CU_ASSERT_EQUAL(strspn((const char *)id, "0123456789"), 40);
	CU_ASSERT_EQUAL(unzCloseCurrentFile(zip), UNZ_OK);
	unzClose(zip);
	free(large);
}

static void test_empty(void)
{
	ckpt_layout *layout = finish(plan("x"));
	CU_ASSERT_EQUAL(layout->size, 56 + 20 + 22);
	const char *path = unit_path("empty.zip");
	CU_ASSERT_TRUE_FATAL(unit_write_layout(layout, path, NULL));
	unzFile zip = unzOpen64(path);
	unz_global_info64 info;
	CU_ASSERT_PTR_NOT_NULL_FATAL(zip);
	CU_ASSERT_EQUAL(unzGetGlobalInfo64(zip, &info), UNZ_OK);
	CU_ASSERT_EQUAL(info.number_entry, 0);
	unzClose(zip);
}

/* More entries than 16 bits count, which the zip64 end record holds. */
static void test_many(void)
{
	enum { COUNT = 70000 };
	ckpt_zip_plan *z = plan("many");
	char name[32];
	for (int i = 0; i < COUNT; i++) {
		snprintf(name, sizeof name, "data/%d", i);
		CU_ASSERT_TRUE_FATAL(ckpt_zip_plan_bytes(z, name, name, strlen(name), NULL));
	}
	const char *path = unit_path("many.zip");
	CU_ASSERT_TRUE_FATAL(unit_write_layout(finish(z), path, NULL));
	unzFile zip = unzOpen64(path);
	unz_global_info64 info;
	CU_ASSERT_PTR_NOT_NULL_FATAL(zip);
	CU_ASSERT_EQUAL(unzGetGlobalInfo64(zip, &info), UNZ_OK);
	CU_ASSERT_EQUAL(info.number_entry, COUNT);
	same_record(zip, "many/data/0", "data/0", 6);
	same_record(zip, "many/data/69999", "data/69999", 10);
	unzClose(zip);
}

/* A different content, name or size gives a different identity; another prefix does not. */
static void identity(const char *prefix, const char *name, const char *data, char id[41])
{
	ckpt_zip_plan *z = plan(prefix);
	size_t length;
	add_heap(z, name, data, strlen(data));
	CU_ASSERT_TRUE(ckpt_zip_plan_identity(z, NULL));
	ckpt_layout *layout = finish(z);
	const char *path = unit_path("identity.zip");
	CU_ASSERT_TRUE_FATAL(unit_write_layout(layout, path, NULL));
	uint8_t *bytes = unit_read_bytes(path, &length), *at = memmem(bytes, length, "PK\1\2", 4);
	CU_ASSERT_PTR_NOT_NULL_FATAL(at);
	memcpy(id, at - 16 - 40, 40);
	id[40] = 0;
	CU_ASSERT_EQUAL(ckpt_le32(at - 12), ckpt_crc32(0, id, 40));
	free(bytes);
}

static void test_identity(void)
{
	char first[41], other[41];
	identity("p", "a", "data", first);
	identity("q", "a", "data", other);
	CU_ASSERT_STRING_EQUAL(first, other);
	identity("p", "b", "data", other);
	CU_ASSERT_NOT_EQUAL(strncmp(first, other, 20), 0);
	CU_ASSERT_EQUAL(strcmp(first + 20, other + 20), 0);
	identity("p", "a", "dat0", other);
	CU_ASSERT_EQUAL(strncmp(first, other, 20), 0);
	CU_ASSERT_NOT_EQUAL(strcmp(first + 20, other + 20), 0);
}

/* A source that carries its checksum is verified while it is copied. */
static void test_expected_crc(void)
{
	for (uint32_t wrong = 0; wrong < 2; wrong++) {
		ckpt_error err = {0};
		ckpt_source *inner = ckpt_source_heap("abc", 3, NULL);
		CU_ASSERT_PTR_NOT_NULL_FATAL(inner);
		ckpt_source *s = ckpt_source_checked(inner, ckpt_crc32(0, "abc", 3) ^ wrong, NULL);
		CU_ASSERT_PTR_NOT_NULL_FATAL(s);
		ckpt_zip_plan *z = plan("p");
		CU_ASSERT_TRUE(ckpt_zip_plan_source(z, "data/0", s, "layer.weight", NULL));
		ckpt_source_unref(s);
		ckpt_source_unref(inner);
		bool ok = unit_write_layout(finish(z), unit_path("checked.zip"), &err);
		CU_ASSERT_EQUAL(ok, !wrong);
		if (wrong) CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "layer.weight"));
	}
}

static void test_long_names(void)
{
	ckpt_error err = {0};
	char *name = malloc(65536);
	CU_ASSERT_PTR_NOT_NULL_FATAL(name);
	memset(name, 'n', 65535);
	name[65535 - 2] = 0; /* with "p/" the most that there can be */
	ckpt_zip_plan *z = plan("p");
	CU_ASSERT_TRUE(ckpt_zip_plan_bytes(z, name, "1", 1, &err));
	name[65535 - 2] = 'n';
	name[65535 - 1] = 0;
	CU_ASSERT_FALSE(ckpt_zip_plan_bytes(z, name, "1", 1, &err));
	CU_ASSERT_EQUAL(err.code, CKPT_E_UNSUPPORTED);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "65536 bytes"));
	ckpt_zip_plan_free(z);
	free(name);
}

static ckpt_source *zeros(uint64_t length)
{
	ckpt_source *s = ckpt_source_fill("", 1, length, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	return s;
}

static void test_too_large(void)
{
	ckpt_error err = {0};
	ckpt_zip_plan *z = plan("p");
	ckpt_source *s = zeros(INT64_MAX);
	CU_ASSERT_FALSE(ckpt_zip_plan_source(z, "data/0", s, NULL, &err));
	CU_ASSERT_EQUAL(err.code, CKPT_E_UNSUPPORTED);
	ckpt_source_unref(s);
	ckpt_zip_plan_free(z);
	z = plan("p");
	s = zeros(INT64_MAX / 4 * 3);
	CU_ASSERT_TRUE(ckpt_zip_plan_source(z, "data/0", s, NULL, &err));
	CU_ASSERT_FALSE(ckpt_zip_plan_source(z, "data/1", s, NULL, &err));
	ckpt_source_unref(s);
	ckpt_zip_plan_free(z);
}

/* ---- beyond 4 GiB: what torch wrote around a large record ---- */

static size_t from_hex(const char *text, uint8_t *bytes)
{
	size_t n = 0;
	for (unsigned byte; sscanf(text + 2 * n, "%2x", &byte) == 1; n++) bytes[n] = (uint8_t)byte;
	return n;
}

/* A file with holes: writes what is no fill of the plan, sets the checksums of the fills, and finishes. */
static void write_sparse(ckpt_layout *layout, const uint32_t *crcs, const char *path)
{
	ckpt_output *out = ckpt_output_new(path, 0, true, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	for (size_t i = 0; i < layout->count; i++) {
		ckpt_piece *piece = &layout->pieces[i];
		if (piece->bytes)
			CU_ASSERT_TRUE(ckpt_output_write(out, piece->at, piece->bytes, (size_t)piece->length, NULL));
		if (!piece->source) continue;
		CU_ASSERT_TRUE(piece->want_crc);
		piece->crc = *crcs++;
		uint8_t data[16];
		if (piece->length > sizeof data) continue;
		CU_ASSERT_TRUE(ckpt_source_read(piece->source, 0, (size_t)piece->length, data, NULL));
		CU_ASSERT_TRUE(ckpt_output_write(out, piece->at, data, (size_t)piece->length, NULL));
	}
	CU_ASSERT_TRUE(layout->finish(layout, out, NULL));
	CU_ASSERT_TRUE(ckpt_output_finish(out, layout->size, false, NULL));
	CU_ASSERT_TRUE(ckpt_output_commit(out, false, NULL));
	ckpt_output_free(out);
}

/* Each line of the file: an offset, and the bytes that torch wrote there; the identity and its checksums may differ. */
static void compare_runs(const char *runs, const char *path)
{
	char *line = NULL;
	size_t room = 0;
	FILE *wanted = fopen(unit_data(runs), "r"), *found = fopen(path, "rb");
	CU_ASSERT_FATAL(wanted && found);
	while (getline(&line, &room, wanted) > 0) {
		char *hex;
		long at = strtol(line, &hex, 10);
		uint8_t want[4096], have[4096];
		size_t n = from_hex(hex + 1, want);
		CU_ASSERT_EQUAL_FATAL(fseek(found, at, SEEK_SET), 0);
		CU_ASSERT_EQUAL_FATAL(fread(have, 1, n, found), n);
		unit_ignore_identity(have, want, n, strlen("archive"));
		unit_same_bytes(runs, have, n, want, n);
	}
	uint8_t more;
	CU_ASSERT_EQUAL(fread(&more, 1, 1, found), 0);
	free(line);
	fclose(wanted);
	fclose(found);
}

/* size bytes of zeros and three ones of F32, behind the pickle that torch wrote for them. */
static void beyond(const char *runs, uint64_t size, uint32_t crc)
{
	static const float ones[3] = {1, 1, 1};
	char line[4096];
	uint8_t head[2048];
	FILE *f = fopen(unit_data(runs), "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	CU_ASSERT_PTR_NOT_NULL_FATAL(fgets(line, sizeof line, f));
	fclose(f);
	size_t n = from_hex(line + 2, head);
	const uint8_t *end = memmem(head, n, "PK\7\10", 4);
	CU_ASSERT_PTR_NOT_NULL_FATAL(end);
	ckpt_zip_plan *z = plan("archive");
	CU_ASSERT_TRUE(ckpt_zip_plan_bytes(z, "data.pkl", head + 64, (size_t)(end - head) - 64, NULL));
	CU_ASSERT_TRUE(ckpt_zip_plan_bytes(z, ".format_version", "1", 1, NULL));
	CU_ASSERT_TRUE(ckpt_zip_plan_bytes(z, ".storage_alignment", "64", 2, NULL));
	CU_ASSERT_TRUE(ckpt_zip_plan_bytes(z, "byteorder", "little", 6, NULL));
	ckpt_source *s = zeros(size);
	CU_ASSERT_TRUE(ckpt_zip_plan_source(z, "data/0", s, NULL, NULL));
	ckpt_source_unref(s);
	add_heap(z, "data/1", ones, sizeof ones);
	CU_ASSERT_TRUE(ckpt_zip_plan_bytes(z, "version", "3\n", 2, NULL));
	CU_ASSERT_TRUE(ckpt_zip_plan_identity(z, NULL));
	ckpt_layout *layout = finish(z);
	const char *path = unit_path("beyond.zip");
	write_sparse(layout, (uint32_t[]){crc, ckpt_crc32(0, ones, sizeof ones)}, path);
	ckpt_layout_free(layout);
	compare_runs(runs, path);
	remove(path);
}

/* CRC of a run of zeros without running over it. */
static uint32_t crc_of_zeros(uint64_t length)
{
	uint32_t crc = 0, power = ckpt_crc32(0, "", 1);
	uint64_t done = 0;
	for (uint64_t step = 1; step <= length && step; step *= 2) {
		if (length & step) {
			crc = done ? ckpt_crc32_combine(crc, power, step) : power;
			done += step;
		}
		power = ckpt_crc32_combine(power, power, step);
	}
	return crc;
}

static void test_large_size(void)
{
	beyond("data/fixtures/torch_write/large_size.txt", UINT64_C(0xffffffff), crc_of_zeros(UINT64_C(0xffffffff)));
}

static void test_large_offset(void)
{
	beyond("data/fixtures/torch_write/large_offset.txt", UINT64_C(0xfffffffe), crc_of_zeros(UINT64_C(0xfffffffe)));
}

static const unit_case cases[] = {
	{"read by minizip", test_read_by_minizip},
	{"empty archive", test_empty},
	{"more than 65535 records", test_many},
	{"identity", test_identity},
	{"expected checksum", test_expected_crc},
	{"long names", test_long_names},
	{"too large for a file", test_too_large},
	{"a record of 4 GiB, as torch", test_large_size},
	{"an offset of 4 GiB, as torch", test_large_offset},
	{0},
};

const unit_suite unit_zip_plan = {"zip_plan", cases};
