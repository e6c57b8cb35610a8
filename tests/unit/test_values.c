/* test_values.c -- value trees of pickles as text and as JSON: sharing, cycles, depth, odd keys */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../lib/json.h"
#include "../../lib/value.h"
#include "../../tools/graph.h"
#include "../../tools/values.h"
#include "unit.h"

static ckpt_value *text(ckpt_arena *a, const char *s)
{
	return ckpt_value_new_text(a, CKPT_VALUE_STRING, s, strlen(s));
}

static ckpt_value *real(ckpt_arena *a, double d)
{
	ckpt_value *v = ckpt_value_new(a, CKPT_VALUE_FLOAT);
	v->u.real = d;
	return v;
}

static void put(ckpt_arena *a, ckpt_value *dict, ckpt_value *key, ckpt_value *item)
{
	CU_ASSERT_TRUE(ckpt_value_append(a, dict, key));
	CU_ASSERT_TRUE(ckpt_value_append(a, dict, item));
}

static ckpt_value *tensor(ckpt_arena *a)
{
	ckpt_value *v = ckpt_value_new_object(a, CKPT_OBJECT_REDUCE, ckpt_value_new_global(a, "torch._utils", "_rebuild"),
	                                      ckpt_value_new(a, CKPT_VALUE_TUPLE));
	v->kind = CKPT_VALUE_TENSOR;
	return v;
}

static void expect_text(const ckpt_value *root, size_t depth, const char *want)
{
	ckpt_values_limits limits = {.depth = depth, .lines = 100, .each = 10, .width = 0};
	ckpt_buffer b = {0};
	CU_ASSERT_TRUE(ckpt_values_text(root, &limits, &b, NULL));
	CU_ASSERT_STRING_EQUAL(b.data ? b.data : "", want);
	if (strcmp(b.data ? b.data : "", want) != 0) printf("# got:\n%s\n", b.data ? b.data : "");
	ckpt_buffer_free(&b);
}

static void expect_json(const ckpt_value *root, const ckpt_checkpoint *cp, size_t depth, const char *want)
{
	ckpt_buffer b = {0};
	ckpt_error err = {0};
	CU_ASSERT_TRUE(ckpt_values_json(root, cp, depth, &b, NULL));
	if (want) {
		CU_ASSERT_STRING_EQUAL(b.data, want);
		if (strcmp(b.data, want) != 0) printf("# got: %s\n", b.data);
	}
	if (!strstr(b.data, "\\udc")) { /* bytes that are no UTF-8: Python reads it, the strict parser does not */
		ckpt_json *parsed = ckpt_json_parse(b.data, b.length, 10000, &err);
		CU_ASSERT_PTR_NOT_NULL(parsed);
		if (!parsed) printf("# %s\n", err.text);
		ckpt_json_free(parsed);
	}
	ckpt_buffer_free(&b);
}

static ckpt_value *training(ckpt_arena *a)
{
	ckpt_value *root = ckpt_value_new(a, CKPT_VALUE_DICT), *state = ckpt_value_new(a, CKPT_VALUE_DICT);
	ckpt_value *model = ckpt_value_new(a, CKPT_VALUE_DICT), *betas = ckpt_value_new(a, CKPT_VALUE_TUPLE);
	for (int i = 0; i < 4; i++) put(a, model, text(a, i == 0 ? "w" : i == 1 ? "b" : i == 2 ? "u" : "v"), tensor(a));
	for (int i = 0; i < 20; i++) put(a, model, ckpt_value_new_int(a, i), tensor(a));
	for (int64_t i = 0; i < 5; i++) {
		ckpt_value *entry = ckpt_value_new(a, CKPT_VALUE_DICT);
		put(a, entry, text(a, "step"), ckpt_value_new_int(a, i == 3 ? 8 : 7));
		put(a, entry, text(a, "exp_avg"), tensor(a));
		put(a, state, ckpt_value_new_int(a, i), entry);
	}
	ckpt_value_append(a, betas, real(a, 0.9));
	ckpt_value_append(a, betas, real(a, 0.999));
	put(a, root, text(a, "epoch"), ckpt_value_new_int(a, 3));
	put(a, root, text(a, "model"), model);
	put(a, root, text(a, "state"), state);
	put(a, root, text(a, "betas"), betas);
	put(a, root, text(a, "again"), state);
	put(a, root, text(a, "none"), ckpt_value_new(a, CKPT_VALUE_NONE));
	put(a, root, text(a, "esc\033[0m"), text(a, "a\nb"));
	return root;
}

static void test_training(void)
{
	ckpt_arena a = {0};
	ckpt_value *root = training(&a);
	ckpt_checkpoint *cp = ckpt_checkpoint_new(NULL);
	bool any = false;
	expect_text(root, 10,
	            "  epoch: 3\n"
	            "  model: dict of 24 tensors\n"
	            "  state: &1 dict of 5\n"
	            "    {0..2}: {\"step\": 7, \"exp_avg\": tensor}\n"
	            "    3: {\"step\": 8, \"exp_avg\": tensor}\n"
	            "    4: {\"step\": 7, \"exp_avg\": tensor}\n"
	            "  betas: (0.9, 0.999)\n"
	            "  again: *1\n"
	            "  none: None\n"
	            "  esc\\x1b[0m: \"a\\nb\"\n");
	expect_json(root, cp, 100, NULL);
	CU_ASSERT_TRUE(ckpt_values_any(root, &any, NULL) && any);
	CU_ASSERT_TRUE(ckpt_values_any(ckpt_child_at(root, 1).item, &any, NULL) && !any);
	ckpt_checkpoint_free(cp);
	ckpt_arena_free(&a);
}

static void test_cycle(void)
{
	ckpt_arena a = {0};
	ckpt_value *list = ckpt_value_new(&a, CKPT_VALUE_LIST), *dict = ckpt_value_new(&a, CKPT_VALUE_DICT);
	ckpt_value_append(&a, list, ckpt_value_new_int(&a, 1));
	ckpt_value_append(&a, list, dict);
	put(&a, dict, text(&a, "self"), list);
	expect_text(list, 10, "  [0]: 1\n  [1]: {\"self\": *1}\n");
	expect_json(list, NULL, 10, "{\"$id\":1,\"$value\":[1,{\"self\":{\"$ref\":1}}]}");
	ckpt_arena_free(&a);
}

/* 60 levels of [x, x]: 2^60 leaves when written out. */
static void test_bomb(void)
{
	ckpt_arena a = {0};
	ckpt_value *v = ckpt_value_new(&a, CKPT_VALUE_LIST);
	for (int i = 0; i < 60; i++) {
		ckpt_value *outer = ckpt_value_new(&a, CKPT_VALUE_TUPLE);
		ckpt_value_append(&a, outer, v);
		ckpt_value_append(&a, outer, v);
		v = outer;
	}
	ckpt_values_limits limits = {.depth = 100, .lines = 1000, .each = 10, .width = 0};
	ckpt_buffer b = {0};
	CU_ASSERT_TRUE(ckpt_values_text(v, &limits, &b, NULL));
	CU_ASSERT_TRUE(b.length < 20000);
	ckpt_buffer_free(&b);
	expect_json(v, NULL, 100, NULL);
	ckpt_arena_free(&a);
}

static void test_deep(void)
{
	ckpt_arena a = {0};
	ckpt_value *v = ckpt_value_new_int(&a, 1);
	bool any = false;
	for (int i = 0; i < 200000; i++) {
		ckpt_value *outer = ckpt_value_new(&a, CKPT_VALUE_DICT);
		put(&a, outer, text(&a, "k"), v);
		v = outer;
	}
	expect_text(v, 2, "  k: dict of 1\n    k: dict of 1 (nested deeper than 2)\n");
	expect_json(v, NULL, 2, "{\"k\":{\"k\":{\"$deep\":\"dict\"}}}");
	CU_ASSERT_TRUE(ckpt_values_any(v, &any, NULL) && any);
	ckpt_arena_free(&a);
}

static void test_odd(void)
{
	ckpt_arena a = {0};
	ckpt_value *dict = ckpt_value_new(&a, CKPT_VALUE_DICT), *tuple = ckpt_value_new(&a, CKPT_VALUE_TUPLE);
	ckpt_value *set = ckpt_value_new(&a, CKPT_VALUE_SET), *args = ckpt_value_new(&a, CKPT_VALUE_TUPLE);
	ckpt_value *object = ckpt_value_new_object(&a, CKPT_OBJECT_REDUCE, ckpt_value_new_global(&a, "torch", "device"), args);
	ckpt_value *space = ckpt_value_new_object(&a, CKPT_OBJECT_NEWOBJ, ckpt_value_new_global(&a, "argparse", "Namespace"),
	                                          ckpt_value_new(&a, CKPT_VALUE_TUPLE));
	ckpt_value *state = ckpt_value_new(&a, CKPT_VALUE_DICT);
	ckpt_value_append(&a, tuple, ckpt_value_new_int(&a, 1));
	ckpt_value_append(&a, tuple, ckpt_value_new_int(&a, 2));
	ckpt_value_append(&a, set, ckpt_value_new_int(&a, 5));
	ckpt_value_append(&a, args, text(&a, "cpu"));
	put(&a, state, text(&a, "lr"), real(&a, 0.5));
	space->u.object.parts->state = state;
	put(&a, dict, ckpt_value_new_int(&a, 1), real(&a, NAN));
	put(&a, dict, text(&a, "1"), ckpt_value_new_text(&a, CKPT_VALUE_BYTES, "\0\377", 2));
	put(&a, dict, tuple, set);
	put(&a, dict, text(&a, "d"), object);
	put(&a, dict, text(&a, "n"), space);
	put(&a, dict, text(&a, "g"), ckpt_value_new_global(&a, "torch", "int8"));
	put(&a, dict, text(&a, "i"), ckpt_value_new_text(&a, CKPT_VALUE_BIGINT, "36893488147419103232", 20));
	put(&a, dict, text(&a, "bad\xff"), ckpt_value_new(&a, CKPT_VALUE_LIST));
	expect_text(dict, 10,
	            "  1: nan\n  1: bytes(2) 00ff\n  tuple: {5}\n  d: torch.device(\"cpu\")\n"
	            "  n: argparse.Namespace{\"lr\": 0.5}\n  g: torch.int8\n  i: 36893488147419103232\n  bad\\xff: []\n");
	expect_json(dict, NULL, 10,
	            "{\"$dict\":[[1,{\"$float\":\"nan\"}],[\"1\",{\"$bytes\":\"00ff\"}],[[1,2],{\"$set\":[5]}],"
	            "[\"d\",{\"$object\":\"torch.device\",\"arguments\":[\"cpu\"]}],"
	            "[\"n\",{\"$object\":\"argparse.Namespace\",\"state\":{\"lr\":0.5}}],"
	            "[\"g\",{\"$global\":\"torch.int8\"}],[\"i\",36893488147419103232],[\"bad\\udcff\",[]]]}");
	ckpt_arena_free(&a);
}

/* An object with arguments, pairs and a state; lists longer than is shown. */
static void test_parts(void)
{
	ckpt_arena a = {0};
	ckpt_value *args = ckpt_value_new(&a, CKPT_VALUE_TUPLE), *list = ckpt_value_new(&a, CKPT_VALUE_LIST);
	ckpt_value *v = ckpt_value_new_object(&a, CKPT_OBJECT_REDUCE, ckpt_value_new_global(&a, "m", "C"), args);
	ckpt_value *inner = ckpt_value_new(&a, CKPT_VALUE_LIST);
	ckpt_value_append(&a, inner, ckpt_value_new_int(&a, 9));
	v->dict_items = 1;
	put(&a, v, text(&a, "a"), inner);
	put(&a, v, text(&a, "b"), ckpt_value_new_int(&a, 2));
	ckpt_value_append(&a, args, ckpt_value_new_int(&a, 7));
	v->u.object.parts->state = text(&a, "s");
	expect_json(v, NULL, 10,
	            "{\"$object\":\"m.C\",\"arguments\":[7],\"items\":[[\"a\",[9]],[\"b\",2]],\"state\":\"s\"}");
	expect_text(v, 10, "  (arguments): (7)\n  a: [9]\n  b: 2\n  (state): \"s\"\n");
	for (int i = 0; i < 199; i++) ckpt_value_append(&a, list, ckpt_value_new_int(&a, i));
	ckpt_value *holder = ckpt_value_new(&a, CKPT_VALUE_LIST);
	ckpt_value_append(&a, holder, list);
	expect_text(holder, 10, "  [0]: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, \xe2\x80\xa6 199 in all]\n");
	expect_text(ckpt_value_new_int(&a, 5), 10, "5\n");
	ckpt_arena_free(&a);
}

static const unit_case cases[] = {
	{"a training checkpoint", test_training},
	{"a list within itself", test_cycle},
	{"shared lists are shown once", test_bomb},
	{"200,000 levels", test_deep},
	{"odd keys and kinds", test_odd},
	{"parts of objects", test_parts},
	{0},
};

const unit_suite unit_values = {"values", cases};
