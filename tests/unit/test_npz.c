/* test_npz.c -- archives of numpy: real ones, damaged ones, hostile ones, huge ones, and what is written */
#include "../../formats/format.h"
#include "../../formats/minizip_io.h"
#include "../../formats/npy_header.h"
#include "../../lib/checked.h"
#include "../../lib/crc.h"
#include "../../lib/layout.h"
#include "files.h"
#include "unit.h"
#include <fcntl.h>
#include <minizip/zip.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static ckpt_checkpoint *accept(const char *path, size_t count)
{
	ckpt_error err = {0};
	ckpt_checkpoint *cp = ckpt_open(path, NULL, &err);
	if (!cp) printf("# %s: %s\n", path, err.text);
	CU_ASSERT_PTR_NOT_NULL_FATAL(cp);
	CU_ASSERT_STRING_EQUAL(ckpt_checkpoint_format(cp), "npz");
	CU_ASSERT_EQUAL_FATAL(ckpt_checkpoint_tensor_count(cp), count);
	return cp;
}

static void refuse(const char *path, const char *word)
{
	ckpt_error err = {0};
	const ckpt_open_options options = {.format = "npz"};
	ckpt_checkpoint *cp = ckpt_open(path, &options, &err);
	CU_ASSERT_PTR_NULL(cp);
	ckpt_checkpoint_free(cp);
	if (!strstr(err.text, word)) printf("# wanted \"%s\" in: %s\n", word, err.text);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, word));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, path));
}

static const char *fixture(const char *name)
{
	char path[128];
	snprintf(path, sizeof path, "data/fixtures/numpy/%s", name);
	return unit_data(path);
}

static bool same_tensor(const ckpt_tensor *a, const ckpt_tensor *b)
{
	char x[8192], y[8192];
	const size_t n = (size_t)a->bytes;
	return b && a->dtype == b->dtype && a->rank == b->rank &&
	       !memcmp(a->shape, b->shape, a->rank * sizeof *a->shape) && n == b->bytes && n <= sizeof x &&
	       ckpt_tensor_read(a, 0, n, x, NULL) && ckpt_tensor_read(b, 0, n, y, NULL) && !memcmp(x, y, n);
}

static bool same(const ckpt_checkpoint *a, const ckpt_checkpoint *b)
{
	if (a->count != b->count) return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->tensors[i].name, b->tensors[i].name) || !same_tensor(&a->tensors[i], &b->tensors[i]))
			return false;
	return true;
}

/* ---- what numpy wrote ---------------------------------------------------------------------------------------- */

static void check_known(const ckpt_checkpoint *cp)
{
	const float w[6] = {0, 1, 2, 3, 4, 5};
	const double bias[4] = {0, 1, 2, 3};
	const int64_t t[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
	const uint8_t yes = 1;
	const uint32_t big[2] = {0, 1};
	const uint64_t s23[2] = {2, 3}, s4[1] = {4}, s34[2] = {3, 4}, s02[2] = {0, 2}, s2[1] = {2};
	const struct {
		const char *name;
		ckpt_dtype dtype;
		size_t rank;
		const uint64_t *shape;
		const void *data;
		size_t length;
	} wanted[] = {
		{"w", CKPT_F32, 2, s23, w, sizeof w},
		{"layer/0.bias", CKPT_F64, 1, s4, bias, sizeof bias},
		{"t", CKPT_I64, 2, s34, t, sizeof t},
		{"scalar", CKPT_BOOL, 0, NULL, &yes, 1},
		{"none", CKPT_F32, 2, s02, NULL, 0},
		{"gr\xc3\xb6\xc3\x9f"
	     "e",
	     CKPT_U32, 1, s2, big, sizeof big},
	};
	ckpt_checkpoint *made = ckpt_checkpoint_new(NULL);
	for (size_t i = 0; i < 6; i++) {
		CU_ASSERT(ckpt_checkpoint_add_bytes(made, wanted[i].name, wanted[i].dtype, wanted[i].rank,
		                                    wanted[i].shape, wanted[i].data, wanted[i].length, NULL));
		CU_ASSERT(same_tensor(&made->tensors[i], ckpt_checkpoint_tensor_find(cp, wanted[i].name)));
	}
	ckpt_checkpoint_free(made);
}

static void reads_numpy(void)
{
	ckpt_extent extent;
	ckpt_checkpoint *cp = accept(fixture("stored.npz"), 6);
	CU_ASSERT_STRING_EQUAL(ckpt_checkpoint_detail(cp), "6 stored arrays");
	CU_ASSERT(ckpt_source_extent(cp->tensors[0].source, &extent)); /* in its place in the file */
	check_known(cp);
	ckpt_checkpoint_free(cp);
	cp = accept(fixture("stream.npz"), 6);
	CU_ASSERT_STRING_EQUAL(ckpt_checkpoint_detail(cp), "6 arrays, 6 of them deflated");
	check_known(cp);
	ckpt_checkpoint_free(cp);
	cp = accept(fixture("deflated.npz"), 7);
	check_known(cp);
	int32_t numbers[1000];
	bool counts = ckpt_tensor_read(ckpt_checkpoint_tensor_find(cp, "long"), 0, sizeof numbers, numbers, NULL);
	for (int i = 0; i < 1000; i++) counts &= numbers[i] == i;
	CU_ASSERT(counts);
	ckpt_checkpoint_free(cp);
	cp = accept(fixture("positional.npz"), 2);
	CU_ASSERT_STRING_EQUAL(cp->tensors[1].name, "arr_1");
	ckpt_checkpoint_free(cp);
	ckpt_checkpoint_free(accept(fixture("empty.npz"), 0));
}

/* ---- damage -------------------------------------------------------------------------------------------------- */

/* No prefix of an archive is one; no changed byte changes a tensor unnoticed. */
static void damage(const char *name)
{
	size_t length;
	const ckpt_open_options options = {.format = "npz"};
	char *bytes = unit_read(fixture(name), &length);
	CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
	ckpt_checkpoint *good = ckpt_open(fixture(name), NULL, NULL);
	unsigned accepted = 0, wrong = 0;
	for (size_t n = 0; n < length; n++) {
		ckpt_checkpoint *cp = ckpt_open(unit_write("cut.npz", bytes, n), &options, NULL);
		accepted += cp != NULL;
		ckpt_checkpoint_free(cp);
	}
	CU_ASSERT_EQUAL(accepted, 0);
	for (size_t n = 0; n < length; n++) {
		const char flip = (char)(n % 3 ? 1 << n % 8 : 0xff);
		bytes[n] ^= flip;
		ckpt_checkpoint *cp = ckpt_open(unit_write("changed.npz", bytes, length), &options, NULL);
		if (cp && !same(cp, good)) {
			wrong++;
			printf("# %s: byte %zu\n", name, n);
		}
		accepted += cp != NULL;
		ckpt_checkpoint_free(cp);
		bytes[n] ^= flip;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT(accepted > 0 && accepted < length / 2); /* dates and attributes may change */
	ckpt_checkpoint_free(good);
	free(bytes);
}

static void damaged_stored(void)
{
	damage("stored.npz");
}
static void damaged_deflated(void)
{
	damage("deflated.npz");
}
static void damaged_stream(void)
{
	damage("stream.npz");
}

/* ---- writing ------------------------------------------------------------------------------------------------- */

static bool try_save(const ckpt_checkpoint *cp, const char *path, const ckpt_work *work, ckpt_error *err)
{
	ckpt_layout *l = ckpt_format_by_name("npz")->plan(cp, path, NULL, err);
	if (!l) return false;
	ckpt_output *out = ckpt_output_new(path, l->size, true, err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	bool ok = ckpt_layout_fill(l, out, work, 0, l->size, false, err) && l->finish(l, out, err) &&
	          ckpt_output_finish(out, l->size, false, err) && ckpt_output_commit(out, false, err);
	ckpt_output_free(out);
	ckpt_layout_free(l);
	return ok;
}

static const char *save(const ckpt_checkpoint *cp, const char *name)
{
	ckpt_error err = {0};
	const char *path = unit_path(name);
	bool ok = try_save(cp, path, NULL, &err);
	if (!ok) printf("# %s\n", err.text);
	CU_ASSERT_FATAL(ok);
	return path;
}

static void round_trips(void)
{
	const char *const names[] = {"stored.npz", "deflated.npz", "stream.npz", "empty.npz", "positional.npz"};
	for (size_t i = 0; i < 5; i++) {
		size_t first, second;
		ckpt_checkpoint *a = ckpt_open(fixture(names[i]), NULL, NULL);
		CU_ASSERT_PTR_NOT_NULL_FATAL(a);
		const char *path = save(a, "a.npz"), *again;
		ckpt_checkpoint *b = accept(path, a->count);
		CU_ASSERT(same(a, b));
		again = save(b, "b.npz");
		char *x = unit_read(path, &first), *y = unit_read(again, &second);
		CU_ASSERT(x && y && first == second &&
		          !memcmp(x, y, first)); /* nothing but the tensors decides the bytes */
		free(x);
		free(y);
		ckpt_checkpoint_free(a);
		ckpt_checkpoint_free(b);
	}
}

static void refuse_save(ckpt_checkpoint *cp, const char *word, const char *other)
{
	ckpt_error err = {0};
	const char *path = unit_path("never.npz");
	CU_ASSERT(!try_save(cp, path, NULL, &err));
	CU_ASSERT_EQUAL(err.code, CKPT_E_UNSUPPORTED);
	if (!strstr(err.text, word) || !strstr(err.text, other)) printf("# %s\n", err.text);
	CU_ASSERT(strstr(err.text, word) && strstr(err.text, other));
	CU_ASSERT(!unit_exists(path));
	ckpt_checkpoint_free(cp);
}

static ckpt_checkpoint *named(const char *name, const char *second, ckpt_dtype dtype)
{
	const uint64_t shape[1] = {2};
	ckpt_checkpoint *cp = ckpt_checkpoint_new(NULL);
	CU_ASSERT(ckpt_checkpoint_add_fill(cp, name, dtype, 1, shape, 0, NULL));
	if (second) CU_ASSERT(ckpt_checkpoint_add_fill(cp, second, dtype, 1, shape, 0, NULL));
	return cp;
}

static void refuses_to_write(void)
{
	char *long_name = calloc(1, 5000);
	memset(long_name, 'x', 4093);
	refuse_save(named("w", NULL, CKPT_BF16), "'w'", "--dtype f32");
	refuse_save(named("ok", "", CKPT_F32), "''", "empty");
	refuse_save(named("/etc/x", NULL, CKPT_F32), "'/etc/x'", "slash");
	refuse_save(named("a/../../x", NULL, CKPT_F32), "'a/../../x'", "'..'");
	refuse_save(named("../x", NULL, CKPT_F32), "'../x'", "'..'");
	refuse_save(named("a\\b", NULL, CKPT_F32), "npz", "backslash");
	refuse_save(named("a\nb", NULL, CKPT_F32), "a\\nb", "control");
	refuse_save(named("a\xff", NULL, CKPT_F32), "npz", "UTF-8");
	refuse_save(named(long_name, NULL, CKPT_F32), "up to 4092 bytes", "4093");
	refuse_save(named("layer.w", "Layer.W", CKPT_F32), "'layer.w'", "'Layer.W'");
	long_name[4092] = 0;
	ckpt_checkpoint *cp = named(long_name, "..", CKPT_F32); /* ".." becomes "...npy", a plain name */
	ckpt_checkpoint *back = accept(save(cp, "long.npz"), 2);
	CU_ASSERT(same(cp, back));
	ckpt_checkpoint_free(cp);
	ckpt_checkpoint_free(back);
	free(long_name);
}

static void too_many(void)
{
	ckpt_checkpoint *cp = ckpt_checkpoint_new(NULL);
	char name[32];
	for (int i = 0; i < 65535; i++) {
		snprintf(name, sizeof name, "%d", i);
		if (!ckpt_checkpoint_add_fill(cp, name, CKPT_U8, 0, NULL, 1, NULL)) break;
	}
	CU_ASSERT_EQUAL(cp->count, 65535);
	refuse_save(cp, "65534", "65535");
}

static bool stop(void *user, uint64_t done, uint64_t total)
{
	uint64_t *seen = user;
	CU_ASSERT(done > *seen && done <= total);
	*seen = done;
	return done < total / 2;
}

static void cancelled(void)
{
	const uint64_t shape[1] = {4 << 20};
	uint64_t seen = 0;
	ckpt_error err = {0};
	const ckpt_work work = {.progress = stop, .user = &seen};
	ckpt_checkpoint *cp = ckpt_checkpoint_new(NULL);
	CU_ASSERT(ckpt_checkpoint_add_fill(cp, "w", CKPT_U8, 1, shape, 1, NULL));
	CU_ASSERT(!try_save(cp, unit_path("never.npz"), &work, &err));
	CU_ASSERT_EQUAL(err.code, CKPT_E_CANCELLED);
	CU_ASSERT(seen >= 2 << 20 && seen < 3 << 20);
	CU_ASSERT(!unit_exists(unit_path("never.npz")));
	ckpt_checkpoint_free(cp);
}

/* ---- a wrong CRC in a large member --------------------------------------------------------------------------- */

static void wrong_crc(void)
{
	const uint64_t shape[1] = {300000};
	size_t length;
	char got[16];
	ckpt_error err = {0};
	ckpt_source *inner;
	uint32_t crc;
	ckpt_checkpoint *cp = ckpt_checkpoint_new(NULL);
	CU_ASSERT(ckpt_checkpoint_add_fill(cp, "w", CKPT_F32, 1, shape, 1.5, NULL));
	const char *path = save(cp, "crc.npz");
	ckpt_checkpoint_free(cp);

	cp = accept(path, 1);
	CU_ASSERT(ckpt_source_get_check(cp->tensors[0].source, &inner, &crc));
	CU_ASSERT(ckpt_tensor_read(&cp->tensors[0], 1000, 16, got, &err));
	ckpt_checkpoint_free(cp);

	char *bytes = unit_read(path, &length);
	CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
	bytes[length / 2] ^= 4;
	path = unit_write("crc.npz", bytes, length);
	free(bytes);
	cp = accept(path, 1);
	CU_ASSERT(!ckpt_tensor_read(&cp->tensors[0], 0, 4, got, &err)); /* not even the part that is right */
	CU_ASSERT(strstr(err.text, "CRC") && strstr(err.text, "'w'"));
	memset(&err, 0, sizeof err);
	CU_ASSERT(!try_save(cp, unit_path("never.npz"), NULL, &err));
	CU_ASSERT(strstr(err.text, "CRC") && strstr(err.text, "'w'"));
	CU_ASSERT(!unit_exists(unit_path("never.npz")));
	ckpt_checkpoint_free(cp);

	const ckpt_open_options options = {.skip_crc = true};
	cp = ckpt_open(path, &options, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(cp);
	CU_ASSERT(ckpt_tensor_read(&cp->tensors[0], 0, 4, got, &err));
	ckpt_checkpoint_free(cp);
}

/* ---- hostile archives, made with minizip --------------------------------------------------------------------- */

typedef struct entry {
	const char *name;
	unsigned long flags;
	int level;       /* 0: stored */
	const char *bad; /* instead of an array */
} entry;

static const char *make_zip(const entry *entries, size_t count)
{
	const uint64_t shape[1] = {3};
	const char *path = unit_path("made.npz");
	zipFile z = zipOpen64(path, APPEND_STATUS_CREATE);
	CU_ASSERT_PTR_NOT_NULL_FATAL(z);
	for (size_t i = 0; i < count; i++) {
		const entry *e = &entries[i];
		ckpt_buffer b = {0};
		if (e->bad) {
			ckpt_buffer_str(&b, e->bad);
		} else {
			CU_ASSERT(ckpt_npy_header_write(&b, CKPT_U8, 1, shape, NULL));
			ckpt_buffer_add(&b, "abc", 3);
		}
		CU_ASSERT_EQUAL(zipOpenNewFileInZip4_64(z, e->name, NULL, NULL, 0, NULL, 0, NULL,
		                                        e->level ? Z_DEFLATED : 0, e->level, 0, -MAX_WBITS,
		                                        DEF_MEM_LEVEL, 0, NULL, 0, 0, e->flags, 0),
		                ZIP_OK);
		CU_ASSERT_EQUAL(zipWriteInFileInZip(z, b.data, (unsigned)b.length), ZIP_OK);
		CU_ASSERT_EQUAL(zipCloseFileInZip(z), ZIP_OK);
		ckpt_buffer_free(&b);
	}
	CU_ASSERT_EQUAL(zipClose(z, NULL), ZIP_OK);
	return path;
}

static void refuse_made(const entry *entries, size_t count, const char *word)
{
	refuse(make_zip(entries, count), word);
}

static void hostile(void)
{
	const entry good = {"x.npy", 0, 0, NULL};
	const struct {
		entry entry;
		const char *word;
	} rows[] = {
		{{"y.txt", 0, 0, NULL}, "no array"},
		{{"y.NPY", 0, 0, NULL}, "no array"},
		{{".npy", 0, 0, NULL}, "no array"},
		{{"data.pkl", 0, 0, NULL}, "no array"},
		{{"../y.npy", 0, 0, NULL}, ".."},
		{{"a/../y.npy", 0, 0, NULL}, ".."},
		{{"/y.npy", 0, 0, NULL}, "absolute"},
		{{"a\\y.npy", 0, 0, NULL}, "backslash"},
		{{"a\x1b[31m.npy", 0, 0, NULL}, "control"},
		{{"x.npy", 0, 0, NULL}, "duplicate"},
		{{"X.npy", 0, 0, NULL}, "duplicate"},
		{{"\xff.npy", 0x800, 0, NULL}, "UTF-8"},
		{{"\xc3\xb6.npy", 0, 0, NULL}, "not marked as UTF-8"},
		{{"y.npy", 1, 0, NULL}, "encrypted"},
		{{"y.npy", 0x40, 0, NULL}, "encrypted"},
		{{"y.npy", 0, 0, "abc"}, "'y': the magic"},
		{{"y.npy", 0, 9, "abc"}, "'y': the magic"},
		{{"y.npy", 0, 0, "\x93NUMPY\1"}, "truncated"},
		{{"y.npy", 0, 9, "\x93NUMPY\1\1\1\1\1\1\1\1\1\1\1"}, "version"},
	};
	ckpt_checkpoint_free(accept(make_zip(&good, 1), 1));
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const entry both[2] = {good, rows[i].entry};
		refuse_made(both, 2, rows[i].word);
	}
	const entry marked[2] = {good, {"\xc3\xb6.npy", 0x800, 6, NULL}};
	ckpt_checkpoint *cp = accept(make_zip(marked, 2), 2);
	CU_ASSERT_STRING_EQUAL(cp->tensors[1].name, "\xc3\xb6");
	ckpt_checkpoint_free(cp);
}

/* Bytes in front, behind and between. */
static void stowaways(void)
{
	const entry two[2] = {{"x.npy", 0, 0, NULL}, {"y.npy", 0, 0, NULL}};
	size_t length;
	const char *path = make_zip(two, 2);
	char *bytes = unit_read(path, &length), *more = calloc(1, length + 64);
	CU_ASSERT_FATAL(bytes && more);
	memcpy(more + 5, bytes, length);
	memcpy(more, "#!/x\n", 5);
	refuse(unit_write("front.npz", more, length + 5), "");
	memcpy(more, bytes, length);
	refuse(unit_write("behind.npz", more, length + 5), "");
	memcpy(more + length, "PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22);
	refuse(unit_write("second.npz", more, length + 22), "");
	free(bytes);
	free(more);
}

/* ---- beyond 4 GiB -------------------------------------------------------------------------------------------- */

enum { HUGE_COUNT = 1 << 30 /* F32 elements: 4 GiB of them, a hole in the file */ };

static void put16(ckpt_buffer *b, unsigned v)
{
	ckpt_buffer_add(b, (uint8_t[2]){(uint8_t)v, (uint8_t)(v >> 8)}, 2);
}
static void put32(ckpt_buffer *b, uint64_t v)
{
	put16(b, v & 0xffff);
	put16(b, v >> 16 & 0xffff);
}
static void put64(ckpt_buffer *b, uint64_t v)
{
	put32(b, v & 0xffffffff);
	put32(b, v >> 32);
}

typedef struct record {
	const char *name;
	uint64_t at, packed, size;
	uint32_t crc;
	unsigned method;
} record;

/* Sizes always in the zip64 field, as numpy writes local headers; the offset too in the directory. */
static void put_header(ckpt_buffer *b, const record *r, bool central)
{
	ckpt_buffer_str(b, central ? "PK\1\2" : "PK\3\4");
	if (central) put16(b, 45);
	put16(b, 45);
	put16(b, 0);
	put16(b, r->method);
	put32(b, 0x210000);
	put32(b, r->crc);
	put32(b, UINT32_MAX);
	put32(b, UINT32_MAX);
	put16(b, (unsigned)strlen(r->name));
	put16(b, central ? 28 : 20);
	if (central) {
		put16(b, 0);
		put16(b, 0);
		put16(b, 0);
		put32(b, 0);
		put32(b, UINT32_MAX);
	}
	ckpt_buffer_str(b, r->name);
	put16(b, 1);
	put16(b, central ? 24 : 16);
	put64(b, r->size);
	put64(b, r->packed);
	if (central) put64(b, r->at);
}

static void put_end(ckpt_buffer *b, uint64_t directory, uint64_t length, unsigned count)
{
	ckpt_buffer_str(b, "PK\6\6");
	put64(b, 44);
	put16(b, 45);
	put16(b, 45);
	put32(b, 0);
	put32(b, 0);
	put64(b, count);
	put64(b, count);
	put64(b, length);
	put64(b, directory);
	ckpt_buffer_str(b, "PK\6\7");
	put32(b, 0);
	put64(b, directory + length);
	put32(b, 1);
	ckpt_buffer_str(b, "PK\5\6");
	put32(b, 0);
	put16(b, count);
	put16(b, count);
	put32(b, length);
	put32(b, UINT32_MAX);
	put16(b, 0);
}

/* A stored member of 4 GiB, then a small one, stored or as one stored block of deflate. */
static const char *make_huge(bool deflated)
{
	const uint64_t shape[1] = {HUGE_COUNT}, three[1] = {3};
	ckpt_buffer head = {0}, tail = {0}, npy = {0}, small = {0};
	CU_ASSERT(ckpt_npy_header_write(&npy, CKPT_F32, 1, shape, NULL));
	CU_ASSERT(ckpt_npy_header_write(&small, CKPT_U8, 1, three, NULL));
	ckpt_buffer_add(&small, "abc", 3);
	record a = {"a.npy", 0, npy.length + 4ull * HUGE_COUNT, npy.length + 4ull * HUGE_COUNT, 0, 0};
	record b = {"b.npy",
	            0,
	            small.length + (deflated ? 5 : 0),
	            small.length,
	            ckpt_crc32(0, small.data, small.length),
	            deflated ? 8 : 0};
	uint32_t zeros = ckpt_crc32(0, "\0\0\0", 4);
	for (uint64_t n = 4; n < 4ull * HUGE_COUNT; n *= 2) zeros = ckpt_crc32_combine(zeros, zeros, n);
	a.crc = ckpt_crc32_combine(ckpt_crc32(0, npy.data, npy.length), zeros, 4ull * HUGE_COUNT);
	put_header(&head, &a, false);
	ckpt_buffer_add(&head, npy.data, npy.length);
	b.at = head.length + 4ull * HUGE_COUNT;
	put_header(&tail, &b, false);
	if (deflated) {
		ckpt_buffer_char(&tail, 1);
		put16(&tail, (unsigned)small.length);
		put16(&tail, ~(unsigned)small.length & 0xffff);
	}
	ckpt_buffer_add(&tail, small.data, small.length);
	const size_t directory = tail.length;
	put_header(&tail, &a, true);
	put_header(&tail, &b, true);
	put_end(&tail, b.at + directory, tail.length - directory, 2);
	const char *path = unit_write("huge.npz", head.data, head.length);
	int fd = open(path, O_WRONLY);
	CU_ASSERT_EQUAL(pwrite(fd, tail.data, tail.length, (off_t)b.at), (ssize_t)tail.length);
	close(fd);
	ckpt_buffer_free(&head);
	ckpt_buffer_free(&tail);
	ckpt_buffer_free(&npy);
	ckpt_buffer_free(&small);
	return path;
}

static void beyond_4_gib(void)
{
	const ckpt_open_options options = {.skip_crc = true}; /* 4 GiB of zeros would be read to verify them */
	char text[3];
	float last = 1;
	const char *path = make_huge(false);
	ckpt_error err = {0};
	ckpt_checkpoint *cp = ckpt_open(path, &options, &err);
	if (!cp) printf("# %s\n", err.text);
	CU_ASSERT_PTR_NOT_NULL_FATAL(cp);
	CU_ASSERT_EQUAL_FATAL(cp->count, 2);
	CU_ASSERT_EQUAL(cp->tensors[0].bytes, 4ull * HUGE_COUNT);
	CU_ASSERT(ckpt_tensor_read(&cp->tensors[0], cp->tensors[0].bytes - 4, 4, &last, &err) && last == 0);
	CU_ASSERT(ckpt_tensor_read(&cp->tensors[1], 0, 3, text, &err) && !memcmp(text, "abc", 3));
	ckpt_checkpoint_free(cp);
	ckpt_checkpoint_free(accept(path, 2));
	path = make_huge(true);
	refuse(path, "beyond 4 GiB");
	unlink(path);
}

/* A file that shrinks under minizip is said to have changed, and not to be a bad archive. */
static void shrinks_under_minizip(void)
{
	static const uint8_t one[4] = {0};
	const char *path = unit_path("shrinks.npz");
	FILE *out = fopen(path, "wb");
	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	for (size_t i = 0; i < 20000; i++) fwrite(one, 1, sizeof one, out);
	fclose(out);
	ckpt_error err = {0}, bad = {0}, none = {0};
	ckpt_file *f = ckpt_file_open(path, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	ckpt_minizip m = {0}, whole = {0};
	CU_ASSERT_PTR_NULL(ckpt_minizip_open(&whole, f, &bad));
	CU_ASSERT_EQUAL(bad.code, CKPT_E_FORMAT);
	ckpt_minizip_free(&whole);
	CU_ASSERT_EQUAL_FATAL(truncate(path, 100), 0);
	CU_ASSERT_PTR_NULL(ckpt_minizip_open(&m, f, &err));
	CU_ASSERT_EQUAL(err.code, CKPT_E_CHANGED);
	CU_ASSERT_FALSE(ckpt_minizip_fail(&m, UNZ_BADZIPFILE, &none, "bad"));
	CU_ASSERT_EQUAL(none.code, CKPT_E_CHANGED);
	ckpt_minizip_free(&m);
	CU_ASSERT_FALSE(ckpt_minizip_fail(&m, UNZ_BADZIPFILE, NULL, "bad"));
	ckpt_file_unref(f);
	m = (ckpt_minizip){0};
	CU_ASSERT_FALSE(ckpt_minizip_fail(&m, Z_MEM_ERROR, &err, "bad"));
	CU_ASSERT_EQUAL(err.code, CKPT_E_NOMEM);
}

static const unit_case cases[] = {
	{"shrinks under minizip", shrinks_under_minizip},
	{"reads numpy", reads_numpy},
	{"damaged, stored", damaged_stored},
	{"damaged, deflated", damaged_deflated},
	{"damaged, stream", damaged_stream},
	{"round trips", round_trips},
	{"refuses to write", refuses_to_write},
	{"too many", too_many},
	{"cancelled", cancelled},
	{"wrong CRC", wrong_crc},
	{"hostile", hostile},
	{"stowaways", stowaways},
	{"beyond 4 GiB", beyond_4_gib},
	{0},
};
const unit_suite unit_npz = {"npz", cases};
