/* test_checkpoint.c -- checkpoints, their index and aliases, edits, values */
#include "unit.h"

#include "../../lib/checkpoint.h"
#include "../../lib/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ckpt_checkpoint *three(void)
{
	ckpt_checkpoint *cp = ckpt_checkpoint_new(NULL);
	float w[6] = {0, 1, 2, 3, 4, 5};
	int64_t i[2] = {7, -8};
	CU_ASSERT(ckpt_checkpoint_add_bytes(cp, "layer.0.weight", CKPT_F32, 2, (uint64_t[]){2, 3}, w, sizeof w, NULL));
	CU_ASSERT(ckpt_checkpoint_add_bytes(cp, "layer.0.ids", CKPT_I64, 1, (uint64_t[]){2}, i, sizeof i, NULL));
	CU_ASSERT(ckpt_checkpoint_add_fill(cp, "layer.1.bias", CKPT_F16, 1, (uint64_t[]){3}, 1.0, NULL));
	return cp;
}

static void holds_tensors_by_order_and_name(void)
{
	ckpt_checkpoint *cp = three();
	CU_ASSERT_EQUAL(ckpt_checkpoint_tensor_count(cp), 3);
	const ckpt_tensor *t = ckpt_checkpoint_tensor_find(cp, "layer.1.bias");
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	uint16_t ones[3];
	CU_ASSERT(ckpt_tensor_read(t, 0, 6, ones, NULL));
	CU_ASSERT(ones[0] == 0x3c00 && ones[2] == 0x3c00);
	CU_ASSERT_PTR_NULL(ckpt_checkpoint_tensor_find(cp, "layer.1"));
	CU_ASSERT_PTR_NULL(ckpt_checkpoint_tensor_at(cp, 3));
	CU_ASSERT_STRING_EQUAL(ckpt_tensor_name(ckpt_checkpoint_tensor_at(cp, 1)), "layer.0.ids");
	ckpt_error err = {0};
	CU_ASSERT_FALSE(ckpt_tensor_read(t, 4, 3, ones, &err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "layer.1.bias"));
	ckpt_checkpoint_free(cp);
	ckpt_checkpoint_free(NULL);
}

static void refuses_what_does_not_fit(void)
{
	ckpt_checkpoint *cp = three();
	ckpt_error err = {0};
	float f[2] = {0};
	CU_ASSERT_FALSE(ckpt_checkpoint_add_bytes(cp, "layer.0.ids", CKPT_F32, 1, (uint64_t[]){2}, f, 8, &err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "duplicate"));
	CU_ASSERT_FALSE(ckpt_checkpoint_add_bytes(cp, "short", CKPT_F32, 1, (uint64_t[]){3}, f, 8, &err));
	CU_ASSERT(strstr(err.text, "12") && strstr(err.text, "8") && strstr(err.text, "short"));
	CU_ASSERT_FALSE(ckpt_checkpoint_add_bytes(cp, "huge", CKPT_F32, 2, (uint64_t[]){UINT64_MAX, 2}, f, 8, &err));
	CU_ASSERT_FALSE(ckpt_checkpoint_add_bytes(cp, "none", CKPT_DTYPE_NONE, 0, NULL, f, 8, &err));
	CU_ASSERT_FALSE(ckpt_checkpoint_add_fill(cp, "half", CKPT_F4, 1, (uint64_t[]){3}, 0, &err));
	CU_ASSERT_FALSE(ckpt_checkpoint_add_fill(cp, "opaque", CKPT_QINT8, 1, (uint64_t[]){3}, 2, &err));
	uint64_t shape[65] = {0};
	CU_ASSERT_FALSE(ckpt_checkpoint_add_fill(cp, "deep", CKPT_F32, 65, shape, 0, &err));
	cp->limits.tensors = 3;
	CU_ASSERT_FALSE(ckpt_checkpoint_add_bytes(cp, "fourth", CKPT_F32, 1, (uint64_t[]){2}, f, 8, &err));
	CU_ASSERT_EQUAL(err.code, CKPT_E_LIMIT);
	CU_ASSERT_EQUAL(ckpt_checkpoint_tensor_count(cp), 3);
	ckpt_checkpoint_free(cp);
}

static void fills_may_be_larger_than_memory(void)
{
	ckpt_checkpoint *cp = ckpt_checkpoint_new(NULL);
	CU_ASSERT(ckpt_checkpoint_add_fill(cp, "big", CKPT_F64, 2, (uint64_t[]){1u << 31, 1u << 20}, -2.0, NULL));
	const ckpt_tensor *t = ckpt_checkpoint_tensor_at(cp, 0);
	CU_ASSERT_EQUAL(ckpt_tensor_bytes(t), (uint64_t)1 << 54);
	double d;
	CU_ASSERT(ckpt_tensor_read(t, ((uint64_t)1 << 54) - 8, 8, &d, NULL) && d == -2.0);
	ckpt_checkpoint_free(cp);
}

static void the_index_finds_a_hundred_thousand(void)
{
	ckpt_name_index *x = ckpt_names_new();
	char (*names)[16] = calloc(100000, sizeof *names);
	CU_ASSERT_EQUAL(ckpt_names_find(x, "0"), SIZE_MAX);
	for (size_t i = 0; i < 100000; i++) {
		snprintf(names[i], sizeof names[i], "%zu", i);
		CU_ASSERT_EQUAL_FATAL(ckpt_names_find(x, names[i]), SIZE_MAX);
		CU_ASSERT_FATAL(ckpt_names_add(x, names[i], i));
	}
	for (size_t i = 0; i < 100000; i += 7)
		if (ckpt_names_find(x, names[i]) != i) CU_FAIL("lost a name");
	ckpt_names_free(x);
	free(names);
}

/* a and b tied, c a view of another shape at the same place, d elsewhere */
static ckpt_checkpoint *tied(void)
{
	static const char *const names[] = {"d", "a", "c", "b"};
	ckpt_checkpoint *cp = ckpt_checkpoint_new(NULL);
	float data[6] = {0, 1, 2, 3, 4, 5};
	ckpt_storage *s = ckpt_checkpoint_add_storage(cp, ckpt_source_heap(data, sizeof data, NULL), CKPT_F32, false, NULL);
	static const uint64_t square[2] = {2, 2}, wide[2] = {2, 1}, flat[1] = {4}, one[1] = {1};
	for (size_t i = 0; i < 4; i++) {
		size_t rank = i == 2 ? 1 : 2;
		uint64_t offset = i == 0 ? 2 : 0;
		const uint64_t *shape = i == 2 ? flat : square, *stride = i == 2 ? one : wide;
		ckpt_source *view = ckpt_source_strided(s->source, 4, offset, rank, shape, stride, NULL);
		ckpt_tensor *t;
		CU_ASSERT_FATAL(ckpt_checkpoint_add(cp, names[i], CKPT_F32, rank, shape, view, &t, NULL));
		t->storage = s;
		t->storage_offset = offset;
		t->stride = stride;
	}
	CU_ASSERT(ckpt_checkpoint_find_aliases(cp, NULL));
	return cp;
}

static void finds_aliases(void)
{
	ckpt_checkpoint *cp = tied();
	CU_ASSERT_PTR_NULL(ckpt_tensor_alias_of(ckpt_checkpoint_tensor_find(cp, "a")));
	CU_ASSERT_STRING_EQUAL(ckpt_tensor_alias_of(ckpt_checkpoint_tensor_find(cp, "b")), "a");
	CU_ASSERT_PTR_NULL(ckpt_tensor_alias_of(ckpt_checkpoint_tensor_find(cp, "c")));
	CU_ASSERT_PTR_NULL(ckpt_tensor_alias_of(ckpt_checkpoint_tensor_find(cp, "d")));
	ckpt_checkpoint_free(cp);
}

static void aliases_survive_their_first_name(void)
{
	ckpt_checkpoint *cp = tied();
	const char *const first[] = {"a"};
	CU_ASSERT(ckpt_checkpoint_select(cp, NULL, 0, first, 1, NULL));
	CU_ASSERT_EQUAL(ckpt_checkpoint_tensor_count(cp), 3);
	CU_ASSERT_PTR_NULL(ckpt_tensor_alias_of(ckpt_checkpoint_tensor_find(cp, "b")));
	ckpt_checkpoint_free(cp);
}

static void drops_and_restores_aliases(void)
{
	ckpt_checkpoint *cp = tied();
	CU_ASSERT(ckpt_checkpoint_metadata_set(cp, "format", "pt", NULL));
	CU_ASSERT(ckpt_checkpoint_drop_aliases(cp, true, NULL));
	CU_ASSERT_PTR_NULL(ckpt_checkpoint_tensor_find(cp, "b"));
	CU_ASSERT_EQUAL(ckpt_checkpoint_metadata_count(cp), 2);
	CU_ASSERT_STRING_EQUAL(ckpt_checkpoint_metadata_key(cp, 1), "b");
	CU_ASSERT_STRING_EQUAL(ckpt_checkpoint_metadata_value(cp, 1), "a");
	CU_ASSERT(ckpt_checkpoint_restore_aliases(cp, NULL));
	CU_ASSERT_EQUAL(ckpt_checkpoint_metadata_count(cp), 1);
	CU_ASSERT_STRING_EQUAL(ckpt_tensor_alias_of(ckpt_checkpoint_tensor_find(cp, "b")), "a");
	ckpt_checkpoint_free(cp);
}

static void casting_keeps_ties_and_leaves_integers(void)
{
	ckpt_checkpoint *cp = tied(), *other = three();
	CU_ASSERT(ckpt_checkpoint_cast(cp, CKPT_BF16, NULL));
	const ckpt_tensor *a = ckpt_checkpoint_tensor_find(cp, "a"), *b = ckpt_checkpoint_tensor_find(cp, "b");
	CU_ASSERT_EQUAL(ckpt_tensor_dtype(b), CKPT_BF16);
	CU_ASSERT_EQUAL(ckpt_tensor_bytes(a), 8);
	CU_ASSERT_PTR_EQUAL(a->source, b->source);
	CU_ASSERT(ckpt_checkpoint_cast(other, CKPT_F64, NULL));
	CU_ASSERT_EQUAL(ckpt_tensor_dtype(ckpt_checkpoint_tensor_at(other, 1)), CKPT_I64);
	double one;
	CU_ASSERT(ckpt_tensor_read(ckpt_checkpoint_tensor_at(other, 2), 16, 8, &one, NULL) && one == 1.0);
	ckpt_error err = {0};
	CU_ASSERT_FALSE(ckpt_checkpoint_cast(cp, CKPT_I64, &err));
	CU_ASSERT_FALSE(ckpt_checkpoint_cast(cp, CKPT_DTYPE_NONE, &err));
	CU_ASSERT_EQUAL(err.code, CKPT_E_USAGE);
	ckpt_checkpoint_free(cp);
	ckpt_checkpoint_free(other);
}

static void selects_by_shell_patterns(void)
{
	ckpt_checkpoint *cp = three();
	const char *const include[] = {"layer.0.*", "nothing"}, *const exclude[] = {"*.ids"};
	CU_ASSERT(ckpt_checkpoint_select(cp, include, 2, exclude, 1, NULL));
	CU_ASSERT_EQUAL(ckpt_checkpoint_tensor_count(cp), 1);
	CU_ASSERT_PTR_NOT_NULL(ckpt_checkpoint_tensor_find(cp, "layer.0.weight"));
	CU_ASSERT_PTR_NULL(ckpt_checkpoint_tensor_find(cp, "layer.1.bias"));
	ckpt_checkpoint_free(cp);
}

static void renames_by_regular_expression(void)
{
	ckpt_checkpoint *cp = three();
	CU_ASSERT(ckpt_checkpoint_rename(cp, "^layer\\.([0-9]+)", "encoder.\\1.x&\\\\", NULL));
	CU_ASSERT_PTR_NOT_NULL(ckpt_checkpoint_tensor_find(cp, "encoder.1.xlayer.1\\.bias"));
	CU_ASSERT_PTR_NULL(ckpt_checkpoint_tensor_find(cp, "layer.1.bias"));
	ckpt_error err = {0};
	CU_ASSERT_FALSE(ckpt_checkpoint_rename(cp, ".*", "same", &err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "same"));
	CU_ASSERT_PTR_NOT_NULL(ckpt_checkpoint_tensor_find(cp, "encoder.1.xlayer.1\\.bias"));
	CU_ASSERT_FALSE(ckpt_checkpoint_rename(cp, "(", "x", &err));
	CU_ASSERT_EQUAL(err.code, CKPT_E_USAGE);
	CU_ASSERT_FALSE(ckpt_checkpoint_rename(cp, "^.*bias$", "", &err));
	ckpt_checkpoint_free(cp);
}

static void merges_and_shows_subsets(void)
{
	ckpt_checkpoint *cp = tied(), *other = three();
	CU_ASSERT(ckpt_checkpoint_metadata_set(other, "k", "theirs", NULL));
	CU_ASSERT(ckpt_checkpoint_metadata_set(cp, "k", "ours", NULL));
	CU_ASSERT(ckpt_checkpoint_note(other, NULL, "a remark with %d", 5));
	CU_ASSERT(ckpt_checkpoint_merge(cp, other, NULL));
	CU_ASSERT_EQUAL(ckpt_checkpoint_tensor_count(cp), 7);
	CU_ASSERT_STRING_EQUAL(ckpt_checkpoint_metadata_value(cp, 0), "ours");
	CU_ASSERT_STRING_EQUAL(ckpt_checkpoint_note_at(cp, 0), "a remark with 5");
	size_t some[] = {1, 3, 4};
	ckpt_checkpoint *part = ckpt_checkpoint_subset(cp, some, 3, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(part);
	CU_ASSERT_STRING_EQUAL(ckpt_tensor_alias_of(ckpt_checkpoint_tensor_find(part, "b")), "a");
	ckpt_checkpoint_free(part);
	ckpt_error err = {0};
	CU_ASSERT_FALSE(ckpt_checkpoint_merge(cp, three(), &err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "duplicate"));
	ckpt_checkpoint_free(cp);
}

static void dtypes_have_one_table(void)
{
	for (unsigned d = 0; d < CKPT_DTYPE_COUNT; d++) {
		CU_ASSERT_EQUAL(ckpt_dtype_parse(ckpt_dtype_name((ckpt_dtype)d)), d);
		CU_ASSERT(ckpt_dtype_bits((ckpt_dtype)d) >= 4);
	}
	CU_ASSERT_EQUAL(ckpt_dtype_parse("torch.bfloat16"), CKPT_BF16);
	CU_ASSERT_EQUAL(ckpt_dtype_parse("bf16"), CKPT_BF16);
	CU_ASSERT_EQUAL(ckpt_dtype_parse("half"), CKPT_F16);
	CU_ASSERT_EQUAL(ckpt_dtype_parse("float8_e4m3fn"), CKPT_F8_E4M3);
	CU_ASSERT_EQUAL(ckpt_dtype_parse("float33"), CKPT_DTYPE_NONE);
	CU_ASSERT_EQUAL(ckpt_dtype_parse(NULL), CKPT_DTYPE_NONE);
}

static void values_keep_what_a_pickle_says(void)
{
	ckpt_arena a = {0};
	ckpt_value *od = ckpt_value_new_object(&a, CKPT_OBJECT_REDUCE, ckpt_value_new_global(&a, "collections", "OrderedDict"),
					       ckpt_value_new(&a, CKPT_VALUE_TUPLE));
	od->dict_items = 1;
	for (int64_t i = 0; i < 50; i++) {
		CU_ASSERT(ckpt_value_append(&a, od, ckpt_value_new_text(&a, CKPT_VALUE_STRING, "k\0k", 3)));
		CU_ASSERT(ckpt_value_append(&a, od, ckpt_value_new_int(&a, i)));
	}
	ckpt_value *const *pairs;
	size_t count;
	CU_ASSERT(ckpt_value_pairs(od, &pairs, &count));
	CU_ASSERT_EQUAL(count, 50);
	CU_ASSERT_EQUAL(ckpt_value_int(pairs[99]), 49);
	CU_ASSERT_EQUAL(ckpt_value_text(pairs[98], &count)[2], 'k');
	CU_ASSERT_EQUAL(count, 3);
	const ckpt_value *callable, *state;
	bool dict_items;
	ckpt_value_object(od, &callable, NULL, &state, &dict_items);
	CU_ASSERT(dict_items && !state);
	CU_ASSERT_STRING_EQUAL(ckpt_value_text(callable, NULL), "collections.OrderedDict");
	CU_ASSERT_EQUAL(ckpt_value_tensor(od), SIZE_MAX);
	ckpt_value *dotted = ckpt_value_new_global(&a, "a.b", "c.d");
	CU_ASSERT(ckpt_value_is_global(dotted, "a.b", "c.d"));
	CU_ASSERT_FALSE(ckpt_value_is_global(dotted, "a", "b.c.d"));
	CU_ASSERT_FALSE(ckpt_value_append(&a, dotted, od));
	CU_ASSERT_PTR_NULL(ckpt_value_item(dotted, 0));
	CU_ASSERT_FALSE(ckpt_value_pairs(dotted, &pairs, &count));
	ckpt_arena_free(&a);
}

static const unit_case cases[] = {
	{"holds_tensors_by_order_and_name", holds_tensors_by_order_and_name},
	{"refuses_what_does_not_fit", refuses_what_does_not_fit},
	{"fills_may_be_larger_than_memory", fills_may_be_larger_than_memory},
	{"the_index_finds_a_hundred_thousand", the_index_finds_a_hundred_thousand},
	{"finds_aliases", finds_aliases},
	{"aliases_survive_their_first_name", aliases_survive_their_first_name},
	{"drops_and_restores_aliases", drops_and_restores_aliases},
	{"casting_keeps_ties_and_leaves_integers", casting_keeps_ties_and_leaves_integers},
	{"selects_by_shell_patterns", selects_by_shell_patterns},
	{"renames_by_regular_expression", renames_by_regular_expression},
	{"merges_and_shows_subsets", merges_and_shows_subsets},
	{"dtypes_have_one_table", dtypes_have_one_table},
	{"values_keep_what_a_pickle_says", values_keep_what_a_pickle_says},
	{0},
};
const unit_suite unit_checkpoint = {"checkpoint", cases};
