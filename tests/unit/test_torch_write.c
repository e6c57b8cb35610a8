/* test_torch_write.c -- whole files against those that torch wrote (data/fixtures/torch_write/make.py) */
#include "../../formats/torch_write.h"
#include "../../lib/checked.h"
#include "../../lib/dtype.h"
#include "layout_file.h"
#include "unit.h"

#include <minizip/unzip.h>
#include <stdlib.h>
#include <string.h>

#define FIXTURES "data/fixtures/torch_write/"

/* ---- checkpoints ---- */

static ckpt_checkpoint *checkpoint(void)
{
	ckpt_checkpoint *cp = ckpt_checkpoint_new(NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(cp);
	return cp;
}

/* Bytes 0 1 2 ..., or 0 1 0 1 ... for BOOL. */
static ckpt_source *counting(ckpt_dtype dtype, size_t length)
{
	uint8_t *bytes = malloc(length + 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
	for (size_t i = 0; i < length; i++) bytes[i] = (uint8_t)(dtype == CKPT_BOOL ? i % 2 : i);
	ckpt_source *s = ckpt_source_heap(bytes, length, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	free(bytes);
	return s;
}

static void add_source(ckpt_checkpoint *cp, const char *name, ckpt_dtype dtype, size_t rank, const uint64_t *shape,
                       ckpt_source *source)
{
	ckpt_error err = {0};
	CU_ASSERT_TRUE(ckpt_checkpoint_add(cp, name, dtype, rank, shape, source, NULL, &err));
	CU_ASSERT_STRING_EQUAL(err.text, "");
}

static void add_counting(ckpt_checkpoint *cp, const char *name, ckpt_dtype dtype, size_t rank, const uint64_t *shape)
{
	uint64_t elements, bytes;
	CU_ASSERT_TRUE_FATAL(ckpt_dtype_bytes(dtype, rank, shape, &elements, &bytes, NULL));
	add_source(cp, name, dtype, rank, shape, counting(dtype, (size_t)bytes));
}

#define ADD(cp, name, dtype, ...)                                                                                      \
	add_counting(cp, name, dtype, sizeof((uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t), (uint64_t[]){__VA_ARGS__})

static ckpt_checkpoint *two(void)
{
	static const float weight[] = {0, 1, 2, 3, 4, 5};
	static const int64_t bias[] = {0, 1, 2};
	ckpt_checkpoint *cp = checkpoint();
	ckpt_checkpoint_add_bytes(cp, "weight", CKPT_F32, 2, (uint64_t[]){2, 3}, weight, sizeof weight, NULL);
	ckpt_checkpoint_add_bytes(cp, "bias", CKPT_I64, 1, (uint64_t[]){3}, bias, sizeof bias, NULL);
	return cp;
}

/* ---- plans and files ---- */

typedef ckpt_layout *plan_fn(const ckpt_checkpoint *, const char *, const ckpt_save_options *, ckpt_error *);

/* The file's bytes, to be freed. The name below unit_folder() is the one that torch was given. */
static uint8_t *saved(plan_fn *plan, const ckpt_checkpoint *cp, const char *name, const ckpt_save_options *options,
                      size_t *length)
{
	ckpt_error err = {0};
	char path[4096];
	snprintf(path, sizeof path, "%s", unit_path(name));
	ckpt_layout *layout = plan(cp, path, options, &err);
	CU_ASSERT_STRING_EQUAL(err.text, "");
	CU_ASSERT_PTR_NOT_NULL_FATAL(layout);
	uint64_t size = layout->size;
	CU_ASSERT_EQUAL(layout->tensors, cp->count);
	CU_ASSERT_TRUE_FATAL(unit_write_layout(layout, path, &err));
	uint8_t *bytes = unit_read_bytes(path, length);
	CU_ASSERT_EQUAL(*length, size);
	return bytes;
}

/* Saves, frees the checkpoint, and compares with the fixture of that name, which torch wrote. */
static void same_as_torch(ckpt_checkpoint *cp, const char *name)
{
	char path[256];
	size_t found_length, wanted_length;
	snprintf(path, sizeof path, FIXTURES "%s", name);
	uint8_t *found = saved(ckpt_torch_plan, cp, name, NULL, &found_length);
	uint8_t *wanted = unit_read_bytes(unit_data(path), &wanted_length);
	if (found_length == wanted_length)
		unit_ignore_identity(found, wanted, wanted_length, strcspn(name, "."));
	unit_same_bytes(name, found, found_length, wanted, wanted_length);
	free(found);
	free(wanted);
	ckpt_checkpoint_free(cp);
}

static void refused(plan_fn *plan, ckpt_checkpoint *cp, const ckpt_save_options *options, ckpt_code code,
                    const char *part)
{
	ckpt_error err = {0};
	ckpt_layout *layout = plan(cp, "x.pt", options, &err);
	CU_ASSERT_PTR_NULL(layout);
	CU_ASSERT_EQUAL(err.code, code);
	if (!strstr(err.text, part)) printf("# '%s' does not say '%s'\n", err.text, part);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, part));
	ckpt_layout_free(layout);
	ckpt_checkpoint_free(cp);
}

/* ---- cases: zip ---- */

static void test_two(void) { same_as_torch(two(), "two.pt"); }
static void test_empty(void) { same_as_torch(checkpoint(), "empty.pt"); }

static void test_dtypes(void)
{
	ckpt_checkpoint *cp = checkpoint();
	for (unsigned d = 0; d < CKPT_DTYPE_COUNT; d++) {
		const ckpt_dtype_info *info = ckpt_dtype_get((ckpt_dtype)d);
		if (!info->torch || (info->kind == CKPT_CLASS_OPAQUE && info->storage)) continue;
		ADD(cp, info->name, (ckpt_dtype)d, 2, d == CKPT_F4 ? 6 : 3);
	}
	CU_ASSERT_EQUAL(cp->count, 27);
	same_as_torch(cp, "dtypes.pt");
}

static void test_shapes(void)
{
	ckpt_checkpoint *cp = checkpoint();
	add_counting(cp, "scalar", CKPT_F32, 0, NULL);
	ADD(cp, "empty", CKPT_F32, 0);
	ADD(cp, "hollow", CKPT_F16, 3, 0, 70000);
	ADD(cp, "five", CKPT_I64, 1, 2, 1, 2, 1);
	add_source(cp, "tied", CKPT_I64, 5, (uint64_t[]){1, 2, 1, 2, 1}, ckpt_source_ref(cp->tensors[3].source));
	ADD(cp, "0", CKPT_U8, 300);
	ADD(cp, "gew\u00f6hnlich.gr\u00f6\u00dfe", CKPT_I16, 7);
	CU_ASSERT_TRUE(ckpt_checkpoint_find_aliases(cp, NULL));
	CU_ASSERT_EQUAL(cp->tensors[4].alias_of, 3);
	same_as_torch(cp, "shapes.pt");
}

/* What torch wrote, read and written again: with all that stands beside the tensors. */
static void test_again(void)
{
	static const char *const names[] = {"two.pt", "empty.pt", "dtypes.pt", "shapes.pt", "training.pt"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char path[256];
		ckpt_error err = {0};
		snprintf(path, sizeof path, FIXTURES "%s", names[i]);
		ckpt_checkpoint *cp = ckpt_open(unit_data(path), NULL, &err);
		CU_ASSERT_STRING_EQUAL(err.text, "");
		CU_ASSERT_PTR_NOT_NULL_FATAL(cp);
		same_as_torch(cp, names[i]);
	}
}

/* Two records fewer or more: the tied one on the storage of the other, or on its own. */
static void test_copied_aliases(void)
{
	ckpt_save_options copy = {.aliases = CKPT_ALIASES_COPY};
	ckpt_checkpoint *cp = checkpoint();
	size_t length;
	ADD(cp, "a", CKPT_U8, 100);
	add_source(cp, "b", CKPT_U8, 1, (uint64_t[]){100}, ckpt_source_ref(cp->tensors[0].source));
	CU_ASSERT_TRUE(ckpt_checkpoint_find_aliases(cp, NULL));
	uint8_t *shared = saved(ckpt_torch_plan, cp, "aliases.pt", NULL, &length);
	CU_ASSERT_PTR_NULL(memmem(shared, length, "aliases/data/1", 14));
	uint8_t *copied = saved(ckpt_torch_plan, cp, "aliases.pt", &copy, &length);
	CU_ASSERT_PTR_NOT_NULL(memmem(copied, length, "aliases/data/1", 14));
	CU_ASSERT_PTR_NULL(memmem(copied, length, "aliases/data/2", 14));
	free(shared);
	free(copied);
	ckpt_checkpoint_free(cp);
}

static void test_prefixes(void)
{
	static const char *const names[][2] = {
		{"a.b.pt", "a.b/"},      {"noext", "noext/"}, {".pt", "archive/"}, {"x.", "x/"},
		{"..x.pt", "..x/"},      {"sp ace.bin", "sp ace/"}, {"m\u00e9.pt", "archive/"}, {"a\\b.pt", "b/"},
		{"d.e/f.pt", "f/"},      {"x.pt.", "x.pt/"},  {"d.e/f", "f/"},     {"a\\.pt", "archive/"},
		{"pytorch_model-00001-of-00002.bin", "pytorch_model-00001-of-00002/"},
	};
	ckpt_checkpoint *cp = checkpoint();
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		ckpt_layout *layout = ckpt_torch_plan(cp, names[i][0], NULL, NULL);
		CU_ASSERT_PTR_NOT_NULL_FATAL(layout);
		const char *head = layout->pieces[0].bytes;
		CU_ASSERT_EQUAL(strncmp(head + 30, names[i][1], strlen(names[i][1])), 0);
		CU_ASSERT_EQUAL(strncmp(head + 30 + strlen(names[i][1]), "data.pkl", 8), 0);
		ckpt_layout_free(layout);
	}
	ckpt_checkpoint_free(cp);
}

/* 1001 tensors: the last one is set alone. And every record is sound for an independent reader. */
static void test_many(void)
{
	enum { COUNT = 1001 };
	ckpt_checkpoint *cp = checkpoint();
	char name[64];
	for (uint64_t i = 0; i < COUNT; i++) {
		snprintf(name, sizeof name, "layer.%u", (unsigned)i);
		ADD(cp, name, CKPT_U8, i);
	}
	size_t length;
	free(saved(ckpt_torch_plan, cp, "many.pt", NULL, &length));
	ckpt_checkpoint_free(cp);
	unzFile zip = unzOpen64(unit_path("many.pt"));
	CU_ASSERT_PTR_NOT_NULL_FATAL(zip);
	size_t records = 0, bytes = 0;
	for (int more = unzGoToFirstFile(zip); more == UNZ_OK; more = unzGoToNextFile(zip), records++) {
		static uint8_t data[1 << 20];
		unz_file_info64 info;
		CU_ASSERT_EQUAL_FATAL(unzGetCurrentFileInfo64(zip, &info, name, sizeof name, NULL, 0, NULL, 0), UNZ_OK);
		CU_ASSERT_EQUAL_FATAL(unzOpenCurrentFile(zip), UNZ_OK);
		int n = unzReadCurrentFile(zip, data, sizeof data);
		CU_ASSERT_EQUAL(n, (int)info.uncompressed_size);
		CU_ASSERT_EQUAL(unzCloseCurrentFile(zip), UNZ_OK); /* the CRC */
		if (strcmp(name, "many/data.pkl") == 0) {
			CU_ASSERT_EQUAL(memcmp(data + n - 3, "s.", 2) && memcmp(data + n - 2, "s.", 2), 0);
			CU_ASSERT_PTR_NOT_NULL(memmem(data, (size_t)n, "uX\n\0\0\0layer.1000", 16));
		}
		if (strncmp(name, "many/data/", 10) == 0) bytes += (size_t)n;
	}
	CU_ASSERT_EQUAL(records, COUNT + 6);
	CU_ASSERT_EQUAL(bytes, COUNT * (COUNT - 1) / 2);
	unzClose(zip);
}

static void test_refused(void)
{
	static const struct {
		ckpt_dtype dtype;
		const char *part;
	} bad[] = {{CKPT_F6_E2M3, "tensor 'odd': torch has no dtype for F6_E2M3"},
	           {CKPT_F6_E3M2, "tensor 'odd': torch has no dtype for F6_E3M2"},
	           {CKPT_QINT8, "tensor 'odd': a quantised tensor (QINT8)"},
	           {CKPT_QUINT4X2, "tensor 'odd': a quantised tensor (QUINT4X2)"}};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		ckpt_checkpoint *cp = two();
		ADD(cp, "odd", bad[i].dtype, 4);
		refused(ckpt_torch_plan, cp, NULL, CKPT_E_UNSUPPORTED, bad[i].part);
	}
	ckpt_checkpoint *cp = checkpoint();
	ADD(cp, "half", CKPT_F4, 2, 3);
	refused(ckpt_torch_plan, cp, NULL, CKPT_E_UNSUPPORTED, "tensor 'half': torch packs two F4");
	cp = checkpoint();
	ADD(cp, "vast", CKPT_U8, 0, UINT64_C(1) << 40, UINT64_C(1) << 40);
	refused(ckpt_torch_plan, cp, NULL, CKPT_E_UNSUPPORTED,
	        "tensor 'vast': the shape [0,1099511627776,1099511627776]");
	cp = two();
	cp->tensors[1].unreadable = "it is sparse";
	refused(ckpt_torch_plan, cp, NULL, CKPT_E_UNSUPPORTED, "tensor 'bias': it is sparse");
	ckpt_save_options small = {.limits = {.pickle_bytes = 100}};
	refused(ckpt_torch_plan, two(), &small, CKPT_E_LIMIT, "pickle-bytes");
}

/* ---- cases: the value tree ---- */

static ckpt_value *str(ckpt_checkpoint *cp, const char *text)
{
	return ckpt_value_new_text(&cp->arena, CKPT_VALUE_STRING, text, strlen(text));
}

static ckpt_value *container(ckpt_checkpoint *cp, ckpt_value_kind kind) { return ckpt_value_new(&cp->arena, kind); }

static void put(ckpt_checkpoint *cp, ckpt_value *to, ckpt_value *item)
{
	CU_ASSERT_PTR_NOT_NULL_FATAL(item);
	CU_ASSERT_TRUE_FATAL(ckpt_value_append(&cp->arena, to, item));
}

static ckpt_value *call(ckpt_checkpoint *cp, const char *module, const char *name, ckpt_value *arguments)
{
	return ckpt_value_new_object(&cp->arena, CKPT_OBJECT_REDUCE, ckpt_value_new_global(&cp->arena, module, name),
	                             arguments);
}

static ckpt_value *ordered(ckpt_checkpoint *cp)
{
	ckpt_value *v = call(cp, "collections", "OrderedDict", container(cp, CKPT_VALUE_TUPLE));
	v->dict_items = 1;
	return v;
}

/* The persistent id of a storage, as a reader keeps it. */
static ckpt_value *storage_value(ckpt_checkpoint *cp, ckpt_storage *s, const char *key, const char *location)
{
	ckpt_value *v = container(cp, CKPT_VALUE_STORAGE), *id = container(cp, CKPT_VALUE_TUPLE);
	put(cp, id, str(cp, "storage"));
	put(cp, id, ckpt_value_new_global(&cp->arena, "torch", "FloatStorage"));
	put(cp, id, str(cp, key));
	put(cp, id, str(cp, location));
	put(cp, id, ckpt_value_new_int(&cp->arena, 6));
	v->u.persid.id = id;
	v->u.persid.storage = s;
	return v;
}

/* A view of `count` elements from `offset` of a storage of F32, listed under its name. */
static ckpt_value *view(ckpt_checkpoint *cp, const char *name, ckpt_storage *s, ckpt_value *storage, uint64_t offset,
                        uint64_t count, bool grad)
{
	ckpt_value *arguments = container(cp, CKPT_VALUE_TUPLE), *size = container(cp, CKPT_VALUE_TUPLE);
	ckpt_value *stride = container(cp, CKPT_VALUE_TUPLE), *flag = container(cp, CKPT_VALUE_BOOL);
	flag->u.boolean = grad;
	put(cp, size, ckpt_value_new_int(&cp->arena, (int64_t)count));
	put(cp, stride, ckpt_value_new_int(&cp->arena, 1));
	put(cp, arguments, storage);
	put(cp, arguments, ckpt_value_new_int(&cp->arena, (int64_t)offset));
	put(cp, arguments, size);
	put(cp, arguments, stride);
	put(cp, arguments, flag);
	put(cp, arguments, ordered(cp));
	ckpt_value *v = call(cp, "torch._utils", "_rebuild_tensor_v2", arguments);
	ckpt_tensor *t;
	v->kind = CKPT_VALUE_TENSOR;
	v->tensor = (uint32_t)cp->count;
	ckpt_source *source = ckpt_source_slice(s->source, offset * 4, count * 4, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(source);
	CU_ASSERT_TRUE_FATAL(ckpt_checkpoint_add(cp, name, CKPT_F32, 1, &count, source, &t, NULL));
	t->value = v;
	t->storage = s;
	t->storage_offset = offset;
	t->stride = ckpt_arena_alloc(&cp->arena, sizeof *t->stride);
	*(uint64_t *)(uintptr_t)t->stride = 1;
	return v;
}

/* {"epoch": 3, "sd": OrderedDict(a = storage[1:4], b = storage, c = a), "param": Parameter(b)} from a GPU's file. */
static ckpt_checkpoint *training(ckpt_dtype dtype)
{
	ckpt_checkpoint *cp = checkpoint();
	ckpt_storage *s = ckpt_checkpoint_add_storage(cp, counting(dtype, 24), CKPT_F32, dtype != CKPT_F32, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	cp->value = container(cp, CKPT_VALUE_DICT);
	cp->value_is_whole = true;
	put(cp, cp->value, str(cp, "epoch"));
	put(cp, cp->value, ckpt_value_new_int(&cp->arena, 3));
	put(cp, cp->value, str(cp, "sd"));
	ckpt_value *sd = ordered(cp), *key_a = str(cp, "a"), *key_b = str(cp, "b");
	put(cp, cp->value, sd);
	ckpt_value *a = view(cp, "sd.a", s, storage_value(cp, s, "123", "cuda:0"), 1, 3, false);
	ckpt_value *b = view(cp, "sd.b", s, storage_value(cp, s, "123", "cuda:0"), 0, 6, true);
	put(cp, sd, key_a);
	put(cp, sd, a);
	put(cp, sd, key_b);
	put(cp, sd, b);
	put(cp, sd, str(cp, "c"));
	put(cp, sd, a);
	put(cp, cp->value, str(cp, "param"));
	ckpt_value *arguments = container(cp, CKPT_VALUE_TUPLE);
	put(cp, arguments, b);
	put(cp, cp->value, call(cp, "torch._utils", "_rebuild_parameter", arguments));
	return cp;
}

static size_t occurrences(const uint8_t *bytes, size_t length, const void *part, size_t part_length)
{
	size_t n = 0;
	const uint8_t *end = bytes + length;
	for (; (bytes = memmem(bytes, (size_t)(end - bytes), part, part_length)) != NULL; bytes++) n++;
	return n;
}

#define count_of(bytes, length, literal) occurrences(bytes, length, literal, sizeof(literal) - 1)

/* The pickle that torch 2.13 writes for that object. */
#define TRAINING_HEAD                                                                                                  \
	"\x80\x02}q\0(X\5\0\0\0epochq\1K\3X\2\0\0\0sdq\2ccollections\nOrderedDict\nq\3)Rq\4("                          \
	"X\1\0\0\0aq\5ctorch._utils\n_rebuild_tensor_v2\nq\6((X\7\0\0\0storageq\7ctorch\nFloatStorage\nq\b"            \
	"X\1\0\0\0000q\t"                                                                                              \
	"X\3\0\0\0cpuq\nK\6tq\vQK\1K\3\x85q\fK\1\x85q\r\x89h\3)Rq\x0etq\x0fRq\x10"
static const char training_pickle[] = TRAINING_HEAD
	"X\1\0\0\0bq\x11h\6((h\7h\bh\th\nK\6tq\x12QK\0K\6\x85q\x13K\1\x85q\x14\x88h\3)Rq\x15tq\x16Rq\x17"
	"X\1\0\0\0cq\x18h\x10uX\5\0\0\0paramq\x19" "ctorch._utils\n_rebuild_parameter\nq\x1ah\x17\x85q\x1bRq\x1cu.";

static void test_tree(void)
{
	ckpt_checkpoint *cp = training(CKPT_F32);
	size_t length;
	uint8_t *bytes = saved(ckpt_torch_plan, cp, "train.pt", NULL, &length);
	unit_same_bytes("tree", bytes + 64, sizeof training_pickle - 1, training_pickle, sizeof training_pickle - 1);
	CU_ASSERT_EQUAL(count_of(bytes, length, "train/data/"), 2); /* one storage, in its place and in the directory */
	free(bytes);
	ckpt_checkpoint_free(cp);
}

/* After a cast the same tree holds tensors of their own, tied where they were one, and keeps requires_grad. */
static void test_cast_tree(void)
{
	ckpt_checkpoint *cp = training(CKPT_F32);
	size_t length;
	CU_ASSERT_TRUE_FATAL(ckpt_checkpoint_cast(cp, CKPT_BF16, NULL));
	uint8_t *bytes = saved(ckpt_torch_plan, cp, "cast.pt", NULL, &length);
	static const char head[] = "\x80\x02}q\0(X\5\0\0\0epochq\1K\3X\2\0\0\0sdq\2";
	unit_same_bytes("cast", bytes + 64, sizeof head - 1, head, sizeof head - 1);
	CU_ASSERT_EQUAL(count_of(bytes, length, "cast/data/"), 4);
	CU_ASSERT_EQUAL(count_of(bytes, length, "BFloat16Storage"), 1);
	CU_ASSERT_EQUAL(count_of(bytes, length, "FloatStorage"), 0);
	CU_ASSERT_EQUAL(count_of(bytes, length, "\x88h\3)R"), 1);
	CU_ASSERT_EQUAL(count_of(bytes, length, "X\1\0\0\0cq\x19h\x10"), 1);
	free(bytes);
	ckpt_checkpoint_free(cp);
}

/* A list that is no longer that of the tree becomes a plain dict: each view compact on a storage of its own. */
static void test_part_of_tree(void)
{
	ckpt_checkpoint *cp = training(CKPT_F32);
	size_t length;
	cp->value_is_whole = false;
	uint8_t *bytes = saved(ckpt_torch_plan, cp, "part.pt", NULL, &length);
	CU_ASSERT_EQUAL(count_of(bytes, length, "epoch"), 0);
	CU_ASSERT_EQUAL(count_of(bytes, length, "part/data/"), 4);
	CU_ASSERT_EQUAL(count_of(bytes, length, "X\4\0\0\0sd.a"), 1);
	CU_ASSERT_EQUAL(count_of(bytes, length, "cpuq\7K\3tq"), 1);
	free(bytes);
	ckpt_checkpoint_free(cp);
}

static void test_copied_tree(void)
{
	ckpt_save_options copy = {.aliases = CKPT_ALIASES_COPY};
	ckpt_checkpoint *cp = training(CKPT_F32);
	size_t length;
	uint8_t *bytes = saved(ckpt_torch_plan, cp, "copy.pt", &copy, &length);
	CU_ASSERT_EQUAL(count_of(bytes, length, "epoch"), 1);
	CU_ASSERT(count_of(bytes, length, "copy/data/") >= 4);
	free(bytes);
	ckpt_checkpoint_free(cp);
}

/* A storage that is listed as a tensor by itself: as it is, and after a cast. */
static void test_bare_storage(void)
{
	ckpt_checkpoint *cp = checkpoint();
	ckpt_storage *s = ckpt_checkpoint_add_storage(cp, counting(CKPT_F32, 24), CKPT_F32, false, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	ckpt_tensor *t;
	ckpt_source *source = ckpt_source_ref(s->source);
	CU_ASSERT_TRUE_FATAL(ckpt_checkpoint_add(cp, "0", CKPT_F32, 1, (uint64_t[]){6}, source, &t, NULL));
	cp->value = container(cp, CKPT_VALUE_LIST);
	cp->value_is_whole = true;
	t->storage = s;
	t->value = storage_value(cp, s, "0", "cpu");
	t->value->tensor = 0;
	put(cp, cp->value, t->value);
	size_t length;
	uint8_t *bytes = saved(ckpt_torch_plan, cp, "bare.pt", NULL, &length);
	CU_ASSERT_EQUAL(count_of(bytes, length, "torch\nFloatStorage\n"), 1);
	free(bytes);
	CU_ASSERT_TRUE_FATAL(ckpt_checkpoint_cast(cp, CKPT_F16, NULL));
	bytes = saved(ckpt_torch_plan, cp, "bare.pt", NULL, &length);
	CU_ASSERT_EQUAL(count_of(bytes, length, "torch\nHalfStorage\n"), 1);
	CU_ASSERT_EQUAL(count_of(bytes, length, "K\6tq\5Qa."), 1);
	free(bytes);
	ckpt_checkpoint_free(cp);
}

/* Strings that were one object with those of a storage's id stay one with the new ones. */
static void test_shared_words(void)
{
	ckpt_checkpoint *cp = checkpoint();
	ckpt_storage *s = ckpt_checkpoint_add_storage(cp, counting(CKPT_F32, 24), CKPT_F32, false, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	ckpt_value *storage = storage_value(cp, s, "0", "cpu");
	ckpt_value **id = storage->u.persid.id->u.list.items;
	cp->value = container(cp, CKPT_VALUE_LIST);
	cp->value_is_whole = true;
	put(cp, cp->value, id[3]);
	put(cp, cp->value, storage);
	put(cp, cp->value, id[0]);
	put(cp, cp->value, id[2]);
	put(cp, cp->value, str(cp, "cpu"));
	size_t length;
	uint8_t *bytes = saved(ckpt_torch_plan, cp, "words.pt", NULL, &length);
	static const char wanted[] = "\x80\x02]q\0(X\3\0\0\0cpuq\1(X\7\0\0\0storageq\2ctorch\nFloatStorage\nq\3"
	                             "X\1\0\0\0000q\4h\1K\6tq\5Qh\2h\4X\3\0\0\0cpuq\6e.";
	unit_same_bytes("words", bytes + 64, sizeof wanted - 1, wanted, sizeof wanted - 1);
	free(bytes);
	ckpt_checkpoint_free(cp);
}

/* ('module', class, file, source) of a legacy file: the class in an archive, the same again in a legacy file. */
static void test_modules(void)
{
	ckpt_checkpoint *cp = checkpoint();
	ckpt_value *id = container(cp, CKPT_VALUE_TUPLE);
	put(cp, id, str(cp, "module"));
	put(cp, id, ckpt_value_new_global(&cp->arena, "m", "Net"));
	put(cp, id, str(cp, "net.py"));
	put(cp, id, str(cp, "class Net"));
	cp->value = container(cp, CKPT_VALUE_PERSID);
	cp->value->u.persid.id = id;
	cp->value_is_whole = true;
	size_t length;
	uint8_t *bytes = saved(ckpt_torch_plan, cp, "module.pt", NULL, &length);
	static const char wanted[] = "\x80\x02" "cm\nNet\nq\0.";
	unit_same_bytes("module", bytes + 64, sizeof wanted - 1, wanted, sizeof wanted - 1);
	free(bytes);
	bytes = saved(ckpt_torch_legacy_plan, cp, "module.pt", NULL, &length);
	CU_ASSERT_EQUAL(count_of(bytes, length, "(X\6\0\0\0moduleq"), 1);
	free(bytes);
	cp->value->u.persid.id = str(cp, "what");
	refused(ckpt_torch_plan, cp, NULL, CKPT_E_UNSUPPORTED, "neither a storage nor a module");
}

static void test_unknown_storage(void)
{
	ckpt_checkpoint *cp = training(CKPT_F32);
	ckpt_value *loose = storage_value(cp, NULL, "0", "cpu");
	put(cp, cp->value, str(cp, "loose"));
	put(cp, cp->value, loose);
	refused(ckpt_torch_plan, cp, NULL, CKPT_E_UNSUPPORTED, "bytes are not known");
}

/* ---- cases: legacy ---- */

/* Keys are numbers of 14 digits, which torch takes from addresses: all become 1. */
static void ignore_keys(uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i + 19 <= length; i++)
		if (memcmp(bytes + i, "X\16\0\0\0", 5) == 0 && strspn((char *)bytes + i + 5, "0123456789") == 14)
			memset(bytes + i + 5, '1', 14);
}

static void test_legacy(void)
{
	size_t found_length, wanted_length;
	ckpt_checkpoint *cp = two();
	uint8_t *found = saved(ckpt_torch_legacy_plan, cp, "two_legacy.pt", NULL, &found_length);
	uint8_t *wanted = unit_read_bytes(unit_data(FIXTURES "two_legacy.pt"), &wanted_length);
	CU_ASSERT_PTR_NOT_NULL(memmem(found, found_length, "10000000000001", 14));
	ignore_keys(found, found_length);
	ignore_keys(wanted, wanted_length);
	unit_same_bytes("legacy", found, found_length, wanted, wanted_length);
	free(found);
	free(wanted);
	ckpt_checkpoint_free(cp);
}

/* In legacy files the key of a storage is a new string each time. */
static void test_legacy_shared(void)
{
	ckpt_checkpoint *cp = training(CKPT_F32);
	size_t length;
	uint8_t *bytes = saved(ckpt_torch_legacy_plan, cp, "train_legacy.pt", NULL, &length);
	CU_ASSERT_EQUAL(count_of(bytes, length, "10000000000000"), 3); /* two views, the list of keys */
	CU_ASSERT_EQUAL(count_of(bytes, length, "K\6Nt"), 2);
	CU_ASSERT_EQUAL(ckpt_le64(bytes + length - 24 - 8), 6);
	CU_ASSERT_EQUAL(bytes[length - 1], 23);
	free(bytes);
	ckpt_checkpoint_free(cp);
}

static void test_legacy_refused(void)
{
	static const ckpt_dtype untyped[] = {CKPT_U16, CKPT_U32, CKPT_U64, CKPT_F8_E4M3, CKPT_F4, CKPT_C32, CKPT_BITS8};
	for (size_t i = 0; i < sizeof untyped / sizeof *untyped; i++) {
		ckpt_checkpoint *cp = two();
		ADD(cp, "odd", untyped[i], 4);
		refused(ckpt_torch_legacy_plan, cp, NULL, CKPT_E_UNSUPPORTED, "tensor 'odd': torch cannot load");
	}
	ckpt_checkpoint *cp = training(CKPT_U8);
	refused(ckpt_torch_legacy_plan, cp, NULL, CKPT_E_UNSUPPORTED, "tensor 'sd.a': torch cannot load");
}

static const unit_case cases[] = {
	{"two tensors, as torch", test_two},
	{"no tensor, as torch", test_empty},
	{"every dtype, as torch", test_dtypes},
	{"shapes and aliases, as torch", test_shapes},
	{"read and written again, as torch", test_again},
	{"copied aliases", test_copied_aliases},
	{"prefix from the name", test_prefixes},
	{"many tensors", test_many},
	{"refused", test_refused},
	{"value tree", test_tree},
	{"value tree after a cast", test_cast_tree},
	{"part of a value tree", test_part_of_tree},
	{"value tree with copies", test_copied_tree},
	{"storage without a tensor", test_bare_storage},
	{"shared words", test_shared_words},
	{"modules", test_modules},
	{"unknown storage", test_unknown_storage},
	{"legacy, as torch", test_legacy},
	{"legacy with views", test_legacy_shared},
	{"legacy refused", test_legacy_refused},
	{0},
};

const unit_suite unit_torch_write = {"torch_write", cases};
