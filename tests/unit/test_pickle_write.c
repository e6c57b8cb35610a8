/* test_pickle_write.c -- pickles against those that CPython wrote (data/fixtures/torch_write/make.py) */
#include "../../formats/pickle_write.h"
#include "../../lib/checked.h"
#include "layout_file.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static ckpt_arena arena;

/* ---- building trees ---- */

static ckpt_value *text_kind(ckpt_value_kind kind, const char *text, size_t length)
{
	return ckpt_value_new_text(&arena, kind, text, length);
}

static ckpt_value *str(const char *text) { return text_kind(CKPT_VALUE_STRING, text, strlen(text)); }
static ckpt_value *num(int64_t n) { return ckpt_value_new_int(&arena, n); }
static ckpt_value *big(const char *text) { return text_kind(CKPT_VALUE_BIGINT, text, strlen(text)); }
static ckpt_value *none(void) { return ckpt_value_new(&arena, CKPT_VALUE_NONE); }
static ckpt_value *container(ckpt_value_kind kind) { return ckpt_value_new(&arena, kind); }
static void add(ckpt_value *to, ckpt_value *item) { CU_ASSERT_TRUE_FATAL(ckpt_value_append(&arena, to, item)); }

static ckpt_value *real(double d)
{
	ckpt_value *v = container(CKPT_VALUE_FLOAT);
	v->u.real = d;
	return v;
}

static ckpt_value *flag(bool b)
{
	ckpt_value *v = container(CKPT_VALUE_BOOL);
	v->u.boolean = b;
	return v;
}

/* A container of the items up to a NULL. */
static ckpt_value *of(ckpt_value_kind kind, ckpt_value **items)
{
	ckpt_value *v = container(kind);
	for (; *items; items++) add(v, *items);
	return v;
}

#define LIST(...)  of(CKPT_VALUE_LIST, (ckpt_value *[]){__VA_ARGS__, NULL})
#define TUPLE(...) of(CKPT_VALUE_TUPLE, (ckpt_value *[]){__VA_ARGS__, NULL})
#define DICT(...)  of(CKPT_VALUE_DICT, (ckpt_value *[]){__VA_ARGS__, NULL})

static ckpt_value *call(const char *module, const char *name, ckpt_value *arguments)
{
	ckpt_value *callable = ckpt_value_new_global(&arena, module, name);
	return ckpt_value_new_object(&arena, CKPT_OBJECT_REDUCE, callable, arguments);
}

static ckpt_value *ordered(void)
{
	ckpt_value *v = call("collections", "OrderedDict", container(CKPT_VALUE_TUPLE));
	v->dict_items = 1;
	return v;
}

static void pair(ckpt_value *to, const char *key, ckpt_value *value)
{
	add(to, str(key));
	add(to, value);
}

/* ---- writing them ---- */

static ckpt_pickler *pickled(const ckpt_value *v, uint64_t limit, ckpt_pickle_hook hook, void *user, ckpt_error *err)
{
	ckpt_pickler *p = ckpt_pickler_new(limit, err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	ckpt_pickle_start(p);
	if (ckpt_pickle_value(p, v, hook, user, err) && ckpt_pickle_stop(p, err)) return p;
	ckpt_pickler_free(p);
	return NULL;
}

static void same_as(const char *what, const ckpt_value *v, const void *wanted, size_t length)
{
	ckpt_error err = {0};
	ckpt_pickler *p = pickled(v, 1 << 20, NULL, NULL, &err);
	CU_ASSERT_STRING_EQUAL(err.text, "");
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	unit_same_bytes(what, ckpt_pickler_bytes(p)->data, ckpt_pickler_bytes(p)->length, wanted, length);
	ckpt_pickler_free(p);
}

#define SAME_AS(v, wanted) same_as(#v, v, wanted, sizeof(wanted) - 1)

static void same_as_file(const ckpt_value *v, const char *name)
{
	char path[256];
	size_t length;
	snprintf(path, sizeof path, "data/fixtures/torch_write/%s", name);
	uint8_t *wanted = unit_read_bytes(unit_data(path), &length);
	same_as(name, v, wanted, length);
	free(wanted);
}

static void refused(const ckpt_value *v, ckpt_code code, const char *part)
{
	ckpt_error err = {0};
	ckpt_pickler *p = pickled(v, 1 << 20, NULL, NULL, &err);
	CU_ASSERT_PTR_NULL(p);
	CU_ASSERT_EQUAL(err.code, code);
	if (!strstr(err.text, part)) CU_FAIL("another message");
	ckpt_pickler_free(p);
}

/* ---- cases ---- */

/* 1 << bits, or its negative, in hexadecimal. */
static ckpt_value *power(unsigned bits, bool negative)
{
	char text[1024] = "-0x";
	size_t n = 3;
	text[n++] = (char)('0' + (1 << bits % 4));
	for (unsigned i = 0; i < bits / 4; i++) text[n++] = '0';
	text[n] = 0;
	return big(negative ? text : text + 1);
}

static ckpt_value *ints(void)
{
	static const int64_t small[] = {0, 255, 256, 65535, 65536, -1, INT32_MAX, INT32_MIN, 2147483648, -2147483649,
	                                INT64_MAX, INT64_MIN};
	ckpt_value *v = container(CKPT_VALUE_LIST);
	for (size_t i = 0; i < sizeof small / sizeof *small; i++) add(v, num(small[i]));
	add(v, big("9223372036854775808"));
	add(v, big("-9223372036854775809"));
	add(v, power(71, false));
	add(v, power(71, true));
	add(v, power(2039, false));
	add(v, power(2039, true));
	add(v, power(2040, false));
	return v;
}

static ckpt_value *sets(void)
{
	return LIST(of(CKPT_VALUE_SET, (ckpt_value *[]){num(7), NULL}),
	            of(CKPT_VALUE_FROZENSET, (ckpt_value *[]){num(8), NULL}), container(CKPT_VALUE_SET));
}

static ckpt_value *byte_strings(void)
{
	return LIST(text_kind(CKPT_VALUE_BYTES, "", 0), text_kind(CKPT_VALUE_BYTES, "a\xff", 2),
	            text_kind(CKPT_VALUE_BYTEARRAY, "", 0), text_kind(CKPT_VALUE_BYTEARRAY, "xyz", 3));
}

/* A tuple and a list that hold each other, as seen from the list. */
static ckpt_value *ring(bool wide)
{
	ckpt_value *list = container(CKPT_VALUE_LIST);
	add(list, wide ? TUPLE(list, num(1), num(2), num(3)) : TUPLE(list, num(1)));
	return list;
}

static void test_values(void)
{
	ckpt_value *v = ordered(), *shared = LIST(str("x"), real(1.5));
	pair(v, "ints", ints());
	pair(v, "floats", LIST(real(0), real(-1.5), real(__builtin_inf())));
	pair(v, "flags", TUPLE(flag(true), flag(false), none(), container(CKPT_VALUE_TUPLE)));
	pair(v, "shared", TUPLE(shared, shared));
	pair(v, "bytes", byte_strings());
	pair(v, "sets", sets());
	pair(v, "text", str("gr\u00f6\u00dfe \xed\xa0\x80"));
	add(v, num(5));
	add(v, DICT(str("one"), num(1)));
	pair(v, "ring", ring(false));
	pair(v, "wide", ring(true));
	pair(v, "tuples", TUPLE(TUPLE(num(1)), TUPLE(num(1), num(2)), TUPLE(num(1), num(2), num(3)),
	                        TUPLE(num(1), num(2), num(3), num(4))));
	pair(v, "class", call("__builtin__", "complex", TUPLE(real(1), real(2))));
	same_as_file(v, "values.pkl");
	ckpt_arena_free(&arena);
}

static void test_batches(void)
{
	static const int64_t counts[] = {0, 1, 2, 1000, 1001};
	ckpt_value *all = container(CKPT_VALUE_LIST);
	for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
		ckpt_value *list = container(CKPT_VALUE_LIST), *dict = container(CKPT_VALUE_DICT), *object = ordered();
		for (int64_t i = 0; i < counts[c]; i++) {
			add(list, none());
			add(dict, num(i));
			add(dict, none());
			add(object, num(i));
			add(object, none());
		}
		add(all, list);
		add(all, dict);
		add(all, object);
	}
	same_as_file(all, "batches.pkl");
	ckpt_arena_free(&arena);
}

/* A tuple that is met first, and holds itself through a list: its parts are popped when it is there already. */
static void test_self_reference(void)
{
	ckpt_value *list = container(CKPT_VALUE_LIST), *pair_of = TUPLE(list, num(1));
	add(list, pair_of);
	SAME_AS(pair_of, "\x80\x02]q\0h\0K\1\x86q\1aK\1" "00h\1.");
	list = container(CKPT_VALUE_LIST);
	ckpt_value *four = TUPLE(list, num(1), num(2), num(3));
	add(list, four);
	SAME_AS(four, "\x80\x02(]q\0(h\0K\1K\2K\3tq\1aK\1K\2K\3" "1h\1.");
	list = container(CKPT_VALUE_LIST);
	ckpt_value *object = call("m", "f", TUPLE(list));
	add(list, object);
	SAME_AS(object, "\x80\x02" "cm\nf\nq\0]q\1h\0h\1\x85q\2Rq\3a0h\2R0h\3.");
	ckpt_value *self = container(CKPT_VALUE_DICT);
	pair(self, "me", self);
	SAME_AS(self, "\x80\x02}q\0X\2\0\0\0meq\1h\0s.");
	ckpt_arena_free(&arena);
}

static void test_objects(void)
{
	ckpt_value *class = ckpt_value_new_global(&arena, "m", "C");
	ckpt_value *v = ckpt_value_new_object(&arena, CKPT_OBJECT_NEWOBJ, class, container(CKPT_VALUE_TUPLE));
	v->u.object.parts->state = DICT(str("a"), v);
	SAME_AS(v, "\x80\x02" "cm\nC\nq\0)\x81q\1}q\2X\1\0\0\0aq\3h\1sb.");
	v = ckpt_value_new_object(&arena, CKPT_OBJECT_NEWOBJ_EX, class, TUPLE(TUPLE(num(1)), DICT(str("k"), num(2))));
	SAME_AS(v, "\x80\x02" "cm\nC\nq\0K\1\x85q\1}q\2X\1\0\0\0kq\3K\2s\x92q\4.");
	v = ckpt_value_new_object(&arena, CKPT_OBJECT_INST, class, TUPLE(num(1), num(2)));
	SAME_AS(v, "\x80\x02(cm\nC\nq\0K\1K\2oq\1.");
	v = call("m", "L", container(CKPT_VALUE_TUPLE));
	add(v, num(1));
	SAME_AS(v, "\x80\x02" "cm\nL\nq\0)Rq\1K\1a.");
	add(v, num(2));
	SAME_AS(v, "\x80\x02" "cm\nL\nq\0)Rq\1(K\1K\2e.");
	ckpt_arena_free(&arena);
}

/* Two nodes of one global are one thing; a name with dots has no place in protocol 2. */
static void test_globals(void)
{
	ckpt_value *v = TUPLE(ckpt_value_new_global(&arena, "a.b", "c"), ckpt_value_new_global(&arena, "a.b", "c"));
	SAME_AS(v, "\x80\x02" "ca.b\nc\nq\0h\0\x86q\1.");
	refused(ckpt_value_new_global(&arena, "m", "A.B"), CKPT_E_UNSUPPORTED, "'m.A.B' lies inside of a class");
	refused(ckpt_value_new_global(&arena, "m", "a\nb"), CKPT_E_UNSUPPORTED, "'m.a");
	ckpt_arena_free(&arena);
}

static void test_strings(void)
{
	SAME_AS(str(""), "\x80\x02X\0\0\0\0q\0.");
	SAME_AS(text_kind(CKPT_VALUE_STRING, "a\0b", 3), "\x80\x02X\3\0\0\0a\0bq\0.");
	SAME_AS(text_kind(CKPT_VALUE_STRING, "\xe9t\xe9", 3), "\x80\x02X\5\0\0\0\xc3\xa9t\xc3\xa9q\0."); /* Latin-1 */
	SAME_AS(text_kind(CKPT_VALUE_STRING, "\xed\xa0", 2), "\x80\x02X\4\0\0\0\xc3\xad\xc2\xa0q\0."); /* cut off */
	ckpt_arena_free(&arena);
}

static void test_integers(void)
{
	SAME_AS(big("0"), "\x80\x02\x8a\0.");
	SAME_AS(big("-0x0"), "\x80\x02\x8a\0.");
	SAME_AS(big("0x80"), "\x80\x02\x8a\2\x80\0.");
	SAME_AS(big("-128"), "\x80\x02\x8a\1\x80.");
	SAME_AS(big("-129"), "\x80\x02\x8a\2\x7f\xff.");
	SAME_AS(big("-0xFfFf"), "\x80\x02\x8a\3\1\0\xff.");
	SAME_AS(big("340282366920938463463374607431768211455"),
	        "\x80\x02\x8a\x11\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0.");
	refused(big("12a"), CKPT_E_USAGE, "'12a' is no integer");
	refused(big("0x"), CKPT_E_USAGE, "no integer");
	refused(big(""), CKPT_E_USAGE, "no integer");
	refused(big("--1"), CKPT_E_USAGE, "no integer");
	char digits[4302];
	memset(digits, '9', sizeof digits);
	digits[4301] = 0;
	refused(big(digits), CKPT_E_UNSUPPORTED, "4301 decimal digits");
	ckpt_arena_free(&arena);
}

/* From 256 memo entries on, numbers of 4 bytes. */
static void test_long_memo(void)
{
	ckpt_value *v = container(CKPT_VALUE_LIST), *last = NULL;
	for (int i = 0; i < 256; i++) add(v, last = str("s"));
	add(v, last);
	ckpt_pickler *p = pickled(v, 1 << 20, NULL, NULL, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	const ckpt_buffer *b = ckpt_pickler_bytes(p);
	static const char tail[] = "X\1\0\0\0sq\xffX\1\0\0\0sr\0\1\0\0j\0\1\0\0e.";
	CU_ASSERT_FATAL(b->length > sizeof tail);
	unit_same_bytes("tail", b->data + b->length - (sizeof tail - 1), sizeof tail - 1, tail, sizeof tail - 1);
	ckpt_pickler_free(p);
	ckpt_arena_free(&arena);
}

static void test_deep(void)
{
	enum { DEPTH = 300000 };
	ckpt_value *v = container(CKPT_VALUE_LIST);
	for (int i = 0; i < DEPTH; i++) v = i % 2 ? LIST(v) : TUPLE(v);
	ckpt_error err = {0};
	ckpt_pickler *p = pickled(v, UINT32_MAX, NULL, NULL, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	CU_ASSERT(ckpt_pickler_bytes(p)->length > 5 * DEPTH);
	ckpt_pickler_free(p);
	p = pickled(v, 1000, NULL, NULL, &err);
	CU_ASSERT_PTR_NULL(p);
	CU_ASSERT_EQUAL(err.code, CKPT_E_LIMIT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "pickle-bytes"));
	ckpt_arena_free(&arena);
}

/* ---- the hook ---- */

static ckpt_pickle_answer hook(void *user, ckpt_pickler *p, const ckpt_value *v, ckpt_error *err)
{
	int *calls = user;
	(void)err;
	++*calls;
	if (v->kind == CKPT_VALUE_STORAGE) {
		ckpt_pickle_word(p, "stored");
		return CKPT_PICKLE_WRITTEN;
	}
	return v->kind == CKPT_VALUE_TENSOR ? CKPT_PICKLE_WALK : CKPT_PICKLE_FAILED;
}

static void test_hook(void)
{
	ckpt_value *id = container(CKPT_VALUE_PERSID), *storage = container(CKPT_VALUE_STORAGE);
	id->u.persid.id = TUPLE(str("p"));
	ckpt_value *tensor = call("m", "T", TUPLE(storage));
	tensor->kind = CKPT_VALUE_TENSOR;
	SAME_AS(id, "\x80\x02X\1\0\0\0pq\0\x85q\1Q.");
	int calls = 0;
	ckpt_pickler *p = pickled(LIST(tensor, tensor, storage), 1000, hook, &calls, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	static const char wanted[] = "\x80\x02]q\0(cm\nT\nq\1X\6\0\0\0storedq\2\x85q\3Rq\4h\4h\2e.";
	unit_same_bytes("hook", ckpt_pickler_bytes(p)->data, ckpt_pickler_bytes(p)->length, wanted, sizeof wanted - 1);
	CU_ASSERT_EQUAL(calls, 3); /* the tensor once, the storage, which is not in the memo, twice */
	ckpt_pickler_free(p);
	CU_ASSERT_PTR_NULL(pickled(id, 1000, hook, &calls, NULL));
	ckpt_arena_free(&arena);
}

/* A node that is the word serves it, and the other way round. */
static void test_words(void)
{
	ckpt_value *first = str("cpu"), *second = str("cpu");
	ckpt_pickler *p = ckpt_pickler_new(1000, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	ckpt_pickle_start(p);
	CU_ASSERT_TRUE(ckpt_pickle_value(p, first, NULL, NULL, NULL));
	ckpt_pickle_same(p, first, "cpu");
	ckpt_pickle_word(p, "cpu");
	ckpt_pickle_same(p, second, "cpu");
	CU_ASSERT_TRUE(ckpt_pickle_value(p, second, NULL, NULL, NULL));
	CU_ASSERT_TRUE(ckpt_pickle_stop(p, NULL));
	ckpt_pickle_start(p); /* a new stream knows nothing */
	ckpt_pickle_word(p, "cpu");
	CU_ASSERT_TRUE(ckpt_pickle_value(p, first, NULL, NULL, NULL));
	CU_ASSERT_TRUE(ckpt_pickle_stop(p, NULL));
	static const char wanted[] = "\x80\x02X\3\0\0\0cpuq\0h\0h\0.\x80\x02X\3\0\0\0cpuq\0X\3\0\0\0cpuq\1.";
	unit_same_bytes("words", ckpt_pickler_bytes(p)->data, ckpt_pickler_bytes(p)->length, wanted, sizeof wanted - 1);
	ckpt_pickler_free(p);
	ckpt_arena_free(&arena);
}

static void test_malformed(void)
{
	refused(container(CKPT_VALUE_PERSID), CKPT_E_UNSUPPORTED, "persistent id");
	ckpt_value *class = ckpt_value_new_global(&arena, "m", "C");
	refused(ckpt_value_new_object(&arena, CKPT_OBJECT_REDUCE, class, NULL), CKPT_E_UNSUPPORTED, "arguments");
	refused(ckpt_value_new_object(&arena, CKPT_OBJECT_INST, class, none()), CKPT_E_UNSUPPORTED, "arguments");
	ckpt_value *odd = none();
	odd->kind = 99;
	refused(odd, CKPT_E_USAGE, "99");
	ckpt_arena_free(&arena);
}

static const unit_case cases[] = {
	{"every kind of value as CPython", test_values},
	{"batches as CPython", test_batches},
	{"what holds itself", test_self_reference},
	{"objects", test_objects},
	{"globals", test_globals},
	{"strings", test_strings},
	{"large integers", test_integers},
	{"long memo", test_long_memo},
	{"deep nesting and the limit", test_deep},
	{"hook", test_hook},
	{"words", test_words},
	{"malformed trees", test_malformed},
	{0},
};

const unit_suite unit_pickle_write = {"pickle_write", cases};
