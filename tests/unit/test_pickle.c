/* test_pickle.c -- the pickle machine: what each opcode makes, and what it refuses */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../formats/pickle_read.h"
#include "../../lib/buffer.h"
#include "../../lib/limits.h"
#include "unit.h"

typedef struct run {
	ckpt_arena arena;
	ckpt_pickle_result result;
	ckpt_error err;
	bool ok;
} run;

static run run_bytes(const void *bytes, size_t length, const ckpt_limits *limits)
{
	run r = {0};
	ckpt_pickle_options options = {.limits = ckpt_limits_resolve(limits), .record = "p", .arena = &r.arena};
	uint8_t *exact = malloc(length ? length : 1); /* so that a sanitizer sees a read past the end */
	memcpy(exact, bytes, length);
	r.ok = ckpt_pickle_read(exact, length, &options, &r.result, &r.err);
	free(exact);
	return r;
}

static ckpt_value *load(run *r, const void *bytes, size_t length)
{
	*r = run_bytes(bytes, length, NULL);
	if (!r->ok) printf("# %s\n", r->err.text);
	CU_ASSERT_TRUE_FATAL(r->ok);
	CU_ASSERT_EQUAL(r->result.consumed, length);
	CU_ASSERT_EQUAL(r->result.left, 0);
	return r->result.root;
}

#define LOAD(r, text) load(r, text, sizeof(text) - 1)

static void refuse_bytes(const void *bytes, size_t length, const ckpt_limits *limits, const char *word)
{
	run r = run_bytes(bytes, length, limits);
	CU_ASSERT_FALSE(r.ok);
	if (!strstr(r.err.text, word)) printf("# wanted \"%s\" in: %s\n", word, r.ok ? "success" : r.err.text);
	CU_ASSERT_PTR_NOT_NULL(strstr(r.err.text, word));
	ckpt_arena_free(&r.arena);
}

#define REFUSE(text, word) refuse_bytes(text, sizeof(text) - 1, NULL, word)

static bool is_text(const ckpt_value *v, ckpt_value_kind kind, const char *text, size_t length)
{
	return v->kind == kind && v->u.text.length == length && memcmp(v->u.text.bytes, text, length) == 0;
}

/* ---- plain values ---- */

static void expect_int(const void *bytes, size_t length, int64_t wanted)
{
	run r;
	const ckpt_value *v = load(&r, bytes, length);
	CU_ASSERT_EQUAL(v->kind, CKPT_VALUE_INT);
	CU_ASSERT_EQUAL(v->u.integer, wanted);
	ckpt_arena_free(&r.arena);
}

#define INT(text, wanted) expect_int(text, sizeof(text) - 1, wanted)

static void test_integers(void)
{
	INT("K\0.", 0);
	INT("K\xff.", 255);
	INT("M\xff\xff.", 65535);
	INT("J\xff\xff\xff\xff.", -1);
	INT("J\0\0\0\x80.", INT32_MIN);
	INT("\x8a\0.", 0);
	INT("\x8a\1\x80.", -128);
	INT("\x8a\5\0\0\0\x80\0.", INT64_C(2147483648));
	INT("\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f.", INT64_MAX);
	INT("\x8a\x08\0\0\0\0\0\0\0\x80.", INT64_MIN);
	INT("\x8a\x0a\xfe\xff\xff\xff\xff\xff\xff\xff\xff\xff.", -2);
	INT("\x8b\2\0\0\0\1\2.", 513);
	INT("I12\n.", 12);
	INT("I-9223372036854775808\n.", INT64_MIN);
	INT("L9223372036854775807L\n.", INT64_MAX);
	INT("I+0007\n.", 7);
}

static void expect_text(const void *bytes, size_t length, ckpt_value_kind kind, const char *text, size_t text_length)
{
	run r;
	const ckpt_value *v = load(&r, bytes, length);
	if (!is_text(v, kind, text, text_length)) printf("# kind %d: %s\n", v->kind, v->u.text.bytes);
	CU_ASSERT_TRUE(is_text(v, kind, text, text_length));
	CU_ASSERT_EQUAL(v->u.text.bytes[text_length], '\0');
	ckpt_arena_free(&r.arena);
}

#define TEXT(bytes, kind, text) expect_text(bytes, sizeof(bytes) - 1, CKPT_VALUE_##kind, text, sizeof(text) - 1)

static void test_big_integers(void)
{
	TEXT("\x8a\x09\0\0\0\0\0\0\0\x80\0.", BIGINT, "9223372036854775808");
	TEXT("\x8a\x09\xff\xff\xff\xff\xff\xff\xff\x7f\xff.", BIGINT, "-9223372036854775809");
	TEXT("\x8a\x09\0\0\0\0\0\0\0\0\xff.", BIGINT, "-18446744073709551616");
	TEXT("\x8a\x0b\0\0\0\0\0\0\0\0\0\0\1.", BIGINT, "1208925819614629174706176");
	TEXT("L99999999999999999999L\n.", BIGINT, "99999999999999999999");
	TEXT("I-0099999999999999999999\n.", BIGINT, "-99999999999999999999");
	/* magic number of the old format */
	TEXT("\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.", BIGINT, "119547037146038801333356");
	uint8_t bytes[2 + 40 + 1] = {0x8a, 40};
	char wanted[2 + 80 + 1] = "-0x1";
	memset(wanted + 4, '0', 78);
	bytes[2 + 39] = 0xff; /* -2^312 */
	bytes[2 + 40] = '.';
	expect_text(bytes, sizeof bytes, CKPT_VALUE_BIGINT, wanted, 4 + 78);
	bytes[2] = 1;
	bytes[2 + 39] = 0x20;
	memset(wanted, '0', 82);
	memcpy(wanted, "0x20", 4);
	wanted[81] = '1';
	expect_text(bytes, sizeof bytes, CKPT_VALUE_BIGINT, wanted, 82);
}

static void test_floats(void)
{
	run r;
	const ckpt_value *v = LOAD(&r, "G?\xe0\0\0\0\0\0\0.");
	CU_ASSERT_EQUAL(v->kind, CKPT_VALUE_FLOAT);
	CU_ASSERT_EQUAL(v->u.real, 0.5);
	ckpt_arena_free(&r.arena);
	CU_ASSERT_EQUAL(LOAD(&r, "F-2.5e3\n.")->u.real, -2500);
	ckpt_arena_free(&r.arena);
	CU_ASSERT_TRUE(isnan(LOAD(&r, "Fnan\n.")->u.real));
	ckpt_arena_free(&r.arena);
	CU_ASSERT_TRUE(isinf(LOAD(&r, "F-inf\n.")->u.real));
	ckpt_arena_free(&r.arena);
	REFUSE("F\n.", "float");
	REFUSE("F1.5x\n.", "float");
	REFUSE("F0x10\n.", "float");
	REFUSE("Fnan(1)\n.", "float");
}

static void test_constants(void)
{
	run r;
	CU_ASSERT_EQUAL(LOAD(&r, "N.")->kind, CKPT_VALUE_NONE);
	ckpt_arena_free(&r.arena);
	CU_ASSERT_TRUE(LOAD(&r, "\x88.")->u.boolean);
	ckpt_arena_free(&r.arena);
	CU_ASSERT_FALSE(LOAD(&r, "\x89.")->u.boolean);
	ckpt_arena_free(&r.arena);
	const ckpt_value *v = LOAD(&r, "I01\n.");
	CU_ASSERT_TRUE(v->kind == CKPT_VALUE_BOOL && v->u.boolean);
	ckpt_arena_free(&r.arena);
	v = LOAD(&r, "I00\n.");
	CU_ASSERT_TRUE(v->kind == CKPT_VALUE_BOOL && !v->u.boolean);
	ckpt_arena_free(&r.arena);
}

static void test_strings(void)
{
	TEXT("X\2\0\0\0\xc3\xa9.", STRING, "\xc3\xa9");
	TEXT("\x8c\1x.", STRING, "x");
	TEXT("\x8d\2\0\0\0\0\0\0\0ab.", STRING, "ab");
	TEXT("X\3\0\0\0\xed\xa0\x80.", STRING, "\xed\xa0\x80"); /* a lone surrogate */
	TEXT("X\3\0\0\0a\0b.", STRING, "a\0b");
	TEXT("C\2\xff\0.", BYTES, "\xff\0");
	TEXT("B\1\0\0\0z.", BYTES, "z");
	TEXT("\x8e\0\0\0\0\0\0\0\0.", BYTES, "");
	TEXT("\x96\1\0\0\0\0\0\0\0z.", BYTEARRAY, "z");
	TEXT("U\1x.", STRING, "x");
	TEXT("U\2\xff\xfe.", BYTES, "\xff\xfe");
	TEXT("T\3\0\0\0abc.", STRING, "abc");
	TEXT("S'a\\n\\x41\\101\\\\\\'\"'\n.", STRING, "a\nAA\\'\"");
	TEXT("S\"it's\"  \n.", STRING, "it's");
	TEXT("S''\n.", STRING, "");
	TEXT("S'\\xff'\n.", BYTES, "\xff");
	TEXT("Vx\\u00e9\xe9\\U0001f600\n.", STRING, "x\xc3\xa9\xc3\xa9\xf0\x9f\x98\x80");
	TEXT("Vback\\slash\n.", STRING, "back\\slash");
	REFUSE("X\2\0\0\0\xc3z.", "UTF-8");
	REFUSE("X\2\0\0\0\xc0\x80.", "UTF-8");
	REFUSE("X\4\0\0\0\xf4\x90\x80\x80.", "UTF-8");
	REFUSE("X\3\0\0\0\xe0\x80\x80.", "UTF-8");
	REFUSE("X\xff\xff\xff\xffz.", "truncated");
	REFUSE("\x8d\xff\xff\xff\xff\xff\xff\xff\xffz.", "truncated");
	REFUSE("T\xff\xff\xff\xffz.", "negative");
	REFUSE("S'a\n.", "quotes");
	REFUSE("S\n.", "quotes");
	REFUSE("S'\\q'\n.", "escape");
	REFUSE("S'\\x4'\n.", "escape");
	REFUSE("S'\\777'\n.", "escape");
	REFUSE("S'\\'\n.", "escape");
	REFUSE("V\\u12\n.", "escape");
	REFUSE("V\\U00110000\n.", "escape");
	REFUSE("V\\U-0000001\n.", "escape");
}

static void test_python2(void)
{
	run r;
	LOAD(&r, "U\1x.");
	CU_ASSERT_TRUE(r.result.python2);
	ckpt_arena_free(&r.arena);
	LOAD(&r, "\x80\2X\1\0\0\0x.");
	CU_ASSERT_FALSE(r.result.python2);
	CU_ASSERT_EQUAL(r.result.protocol, 2);
	CU_ASSERT_EQUAL(r.result.opcodes, 3);
	ckpt_arena_free(&r.arena);
	/* OrderedDict([['a', 1], ('b', 2)]) becomes the same as one whose items are set */
	const ckpt_value *v = LOAD(&r, "ccollections\nOrderedDict\n](](U\1aK\1e(U\1bK\2te\x85R.");
	ckpt_value *const *pairs;
	size_t count;
	CU_ASSERT_TRUE_FATAL(ckpt_value_pairs(v, &pairs, &count));
	CU_ASSERT_EQUAL_FATAL(count, 2);
	CU_ASSERT_TRUE(is_text(pairs[2], CKPT_VALUE_STRING, "b", 1));
	CU_ASSERT_EQUAL(pairs[3]->u.integer, 2);
	CU_ASSERT_EQUAL(v->u.object.parts->arguments->u.list.count, 0);
	ckpt_arena_free(&r.arena);
	REFUSE("ccollections\nOrderedDict\n](](U\1aK\1K\2ee\x85R.", "no pair");
	REFUSE("ccollections\nOrderedDict\n](](]K\1ee\x85R.", "hashed");
}

/* ---- containers ---- */

static void test_containers(void)
{
	run r;
	const ckpt_value *v = LOAD(&r, "(K\1K\2K\3t.");
	CU_ASSERT_TRUE(v->kind == CKPT_VALUE_TUPLE && v->u.list.count == 3 && v->u.list.items[2]->u.integer == 3);
	ckpt_arena_free(&r.arena);
	v = LOAD(&r, "K\1K\2K\3\x87\x85.");
	CU_ASSERT_EQUAL(v->u.list.items[0]->u.list.items[1]->u.integer, 2);
	ckpt_arena_free(&r.arena);
	v = LOAD(&r, "](K\1K\2e(eK\3a.");
	CU_ASSERT_TRUE(v->kind == CKPT_VALUE_LIST && v->u.list.count == 3);
	ckpt_arena_free(&r.arena);
	v = LOAD(&r, "}(K\1K\2K\1K\3uK\4K\5s.");
	CU_ASSERT_TRUE(v->kind == CKPT_VALUE_DICT && v->u.list.count == 6);
	ckpt_arena_free(&r.arena);
	v = LOAD(&r, "(K\1K\2d.");
	CU_ASSERT_TRUE(v->kind == CKPT_VALUE_DICT && v->u.list.count == 2);
	ckpt_arena_free(&r.arena);
	v = LOAD(&r, "(K\1K\2l.");
	CU_ASSERT_TRUE(v->kind == CKPT_VALUE_LIST && v->u.list.count == 2);
	ckpt_arena_free(&r.arena);
	v = LOAD(&r, "\x8f(K\1K\2\x90.");
	CU_ASSERT_TRUE(v->kind == CKPT_VALUE_SET && v->u.list.count == 2);
	ckpt_arena_free(&r.arena);
	v = LOAD(&r, "(t.");
	CU_ASSERT_TRUE(v->kind == CKPT_VALUE_TUPLE && v->u.list.count == 0);
	ckpt_arena_free(&r.arena);
	v = LOAD(&r, "(K\1\x91.");
	CU_ASSERT_TRUE(v->kind == CKPT_VALUE_FROZENSET && v->u.list.count == 1);
	ckpt_arena_free(&r.arena);
	REFUSE("}K\1a.", "type found is a dict");
	REFUSE("}(K\1e.", "type found is a dict");
	REFUSE("]K\1K\2s.", "type found is a list");
	REFUSE("K\1(K\1K\2u.", "type found is an int");
	REFUSE("}(K\1u.", "odd number");
	REFUSE("(K\1d.", "odd number");
	REFUSE("}]K\1s.", "hashed");
	REFUSE("}}K\1s.", "hashed");
	REFUSE("}\x8fK\1s.", "hashed");
	REFUSE("}]\x85\x85K\1s.", "hashed");
	REFUSE("\x8f(]\x90.", "hashed");
	REFUSE("(]\x91.", "hashed");
	REFUSE("](K\1\x90.", "added to a set");
}

static void test_stack(void)
{
	static const char ops[] = "abdeilorstuQR012\x81\x85\x86\x87\x90\x91\x92\x93\x94"
	                          "ph.q";
	for (size_t i = 0; i < sizeof ops - 1; i++) { /* on an empty stack */
		char bytes[] = {ops[i], '0', '\n', '0', '\n', '.', 0, 0};
		run r = run_bytes(bytes, sizeof bytes, NULL);
		CU_ASSERT_FALSE(r.ok);
		CU_ASSERT_NOT_EQUAL(r.err.code, CKPT_OK);
		ckpt_arena_free(&r.arena);
	}
	for (size_t i = 0; i < sizeof ops - 1; i++) { /* nothing above the mark */
		char bytes[] = {'N', 'N', '(', ops[i], '0', '\n', '0', '\n', '.', 0, 0};
		run r = run_bytes(bytes, sizeof bytes, NULL);
		if (!strchr("dltu1\x91"
		            "0ei",
		            ops[i]))
			CU_ASSERT_FALSE(r.ok);
		ckpt_arena_free(&r.arena);
	}
	REFUSE("K\1(0R.", "underflow");
	REFUSE("(.", "marks are left");
	REFUSE("K\1(.", "marks are left");
	REFUSE(".", "underflow");
	REFUSE("", "truncated");
	REFUSE("N", "without STOP");
	REFUSE("\xff.", "0xff is no opcode");
	run r;
	CU_ASSERT_EQUAL(LOAD(&r, "K\1K\2"
	                         "0.")
	                    ->u.integer,
	                1);
	ckpt_arena_free(&r.arena);
	CU_ASSERT_EQUAL(LOAD(&r, "K\1(K\2K\3"
	                         "1.")
	                    ->u.integer,
	                1);
	ckpt_arena_free(&r.arena);
	const ckpt_value *v = LOAD(&r, "]2\x86.");
	CU_ASSERT_PTR_EQUAL(v->u.list.items[0], v->u.list.items[1]);
	ckpt_arena_free(&r.arena);
	r = run_bytes("K\1K\2.after", 10, NULL);
	CU_ASSERT_TRUE(r.ok);
	CU_ASSERT_EQUAL(r.result.left, 1);
	CU_ASSERT_EQUAL(r.result.consumed, 5);
	ckpt_arena_free(&r.arena);
}

static void test_memo(void)
{
	run r;
	const ckpt_value *v = LOAD(&r, "]q\5h\5j\5\0\0\0\x87.");
	CU_ASSERT_PTR_EQUAL(v->u.list.items[0], v->u.list.items[2]);
	ckpt_arena_free(&r.arena);
	v = LOAD(&r, "]r\xff\xff\xff\1K\7q\0"
	             "0j\xff\xff\xff\1\x86."); /* far off, and overwritten below */
	CU_ASSERT_PTR_EQUAL(v->u.list.items[0], v->u.list.items[1]);
	ckpt_arena_free(&r.arena);
	v = LOAD(&r, "(]\x94}\x94h\1h\0t.");
	CU_ASSERT_EQUAL(v->u.list.items[3]->kind, CKPT_VALUE_LIST);
	ckpt_arena_free(&r.arena);
	CU_ASSERT_EQUAL(LOAD(&r, "K\1p12\n0K\2p12\n0g12\n.")->u.integer, 2);
	ckpt_arena_free(&r.arena);
	REFUSE("h\0.", "no entry 0");
	REFUSE("]q\1h\2.", "no entry 2");
	REFUSE("q\0.", "underflow");
	REFUSE("N(q\0.", "underflow");
	REFUSE("Nr\xff\xff\xff\xff.", "pickle-values");
	REFUSE("Np99999999999999999999999\n.", "memo");
	REFUSE("Np4294967296\n.", "out of range");
	REFUSE("Np-1\n.", "no number");
	REFUSE("Np\n.", "memo");
	ckpt_buffer b = {0};
	ckpt_buffer_char(&b, 'N');
	for (uint32_t i = 0; i < 5000; i++) { /* all far from each other */
		ckpt_buffer_char(&b, 'r');
		uint32_t number = 33000000 - i * 6000;
		for (int k = 0; k < 4; k++) ckpt_buffer_char(&b, (char)(number >> 8 * k));
	}
	ckpt_buffer_char(&b, '.');
	refuse_bytes(b.data, b.length, NULL, "too large for a memo");
	ckpt_buffer_free(&b);
}

static void test_frames(void)
{
	run r;
	CU_ASSERT_EQUAL(LOAD(&r, "\x80\4\x95\3\0\0\0\0\0\0\0K\7.")->u.integer, 7);
	ckpt_arena_free(&r.arena);
	CU_ASSERT_EQUAL(LOAD(&r, "\x80\4\x95\2\0\0\0\0\0\0\0K\7\x95\1\0\0\0\0\0\0\0.")->u.integer, 7);
	ckpt_arena_free(&r.arena);
	LOAD(&r, "\x80\4\x95\0\0\0\0\0\0\0\0N.");
	ckpt_arena_free(&r.arena);
	REFUSE("\x80\4\x95\1\0\0\0\0\0\0\0K\7.", "end of the frame");
	REFUSE("\x80\4\x95\x0a\0\0\0\0\0\0\0\x95\1\0\0\0\0\0\0\0N.", "inside of another");
	REFUSE("\x80\4\x95\xff\xff\xff\xff\xff\xff\xff\xff.", "runs past the end");
	REFUSE("\x80\6.", "protocol 6");
}

/* ---- calls ---- */

static void test_calls(void)
{
	run r;
	const ckpt_value *v = LOAD(&r, "cmy.mod\nThing\n(K\1t\x81}K\2K\3sb.");
	CU_ASSERT_EQUAL(v->kind, CKPT_VALUE_OBJECT);
	CU_ASSERT_EQUAL(v->object_kind, CKPT_OBJECT_NEWOBJ);
	CU_ASSERT_STRING_EQUAL(v->u.object.parts->callable->u.text.bytes, "my.mod.Thing");
	CU_ASSERT_STRING_EQUAL(ckpt_value_global_module(v->u.object.parts->callable, NULL), "my.mod");
	CU_ASSERT_EQUAL(v->u.object.parts->state->kind, CKPT_VALUE_DICT);
	ckpt_arena_free(&r.arena);
	v = LOAD(&r, "\x8c\1m\x8c\1n\x93)}\x92.");
	CU_ASSERT_EQUAL(v->object_kind, CKPT_OBJECT_NEWOBJ_EX);
	CU_ASSERT_EQUAL(v->u.object.parts->arguments->u.list.count, 2);
	ckpt_arena_free(&r.arena);
	v = LOAD(&r, "(im\nn\n.");
	CU_ASSERT_TRUE(v->object_kind == CKPT_OBJECT_INST && v->u.object.parts->arguments->u.list.count == 0);
	ckpt_arena_free(&r.arena);
	v = LOAD(&r, "(cm\nn\nK\1o.");
	CU_ASSERT_TRUE(v->object_kind == CKPT_OBJECT_INST && v->u.object.parts->arguments->u.list.count == 1);
	ckpt_arena_free(&r.arena);
	v = LOAD(&r, "ccollections\ndeque\n)R(K\1K\2e.");
	CU_ASSERT_TRUE(v->u.object.parts->count == 2 && !v->dict_items);
	ckpt_arena_free(&r.arena);
	v = LOAD(&r, "cmy\nDict\n)\x81K\1K\2s.");
	CU_ASSERT_TRUE(v->u.object.parts->count == 2 && v->dict_items);
	ckpt_arena_free(&r.arena);
	REFUSE("cm\nn\nK\1R.", "tuple");
	REFUSE("cm\nn\n]\x81.", "tuple");
	REFUSE("cm\nn\n))\x92.", "dict");
	REFUSE("K\1)R.", "no global");
	REFUSE("cm\nn\n)R)R.", "no global");
	REFUSE("]}b.", "type found is a list");
	REFUSE("cm\nn\n}b.", "type found is a global");
	REFUSE("cm\nn\n)R}b}b.", "already");
	REFUSE("cm\nn\n)R(K\1eK\1K\2s.", "is a list");
	REFUSE("cm\nn\n)RK\1K\2sK\3a.", "is a dict");
	REFUSE("ccollections\nOrderedDict\n)RK\3a.", "is a dict");
	REFUSE("ctorch\nSize\n)RK\3a.", "torch.Size");
	REFUSE("ctorch._utils\n_rebuild_tensor_v2\n)R}b.", "BUILD on a tensor");
	REFUSE("ctorch._utils\n_rebuild_tensor_v2\n)RK\1K\2s.", "a tensor");
	REFUSE("ctorch._utils\n_rebuild_parameter\n)R(K\1e.", "a tensor");
	REFUSE("c__builtin__\nset\n)R(K\1e.", "a set");
	REFUSE("c\xff\nn\n.", "UTF-8");
	REFUSE("cm\0\nn\n.", "NUL");
	REFUSE("cm", "no newline");
}

static void test_refused_names(void)
{
	REFUSE("cos\nsystem\n.", "os.system is not allowed");
	REFUSE("cposix\nsystem\n(Vx\ntR.", "posix.system");
	REFUSE("(S'x'\nios\nsystem\n.", "os.system");
	REFUSE("\x8c\2os\x8c\6system\x93.", "os.system");
	REFUSE("N\x8c\1n\x93.", "no string");
	REFUSE("\x82\1.", "extension");
	REFUSE("\x83\1\2.", "extension");
	REFUSE("\x84\1\2\3\4.", "extension");
	REFUSE("P7\n.", "persistent id");
	REFUSE("K\1Q.", "persistent id");
	REFUSE("\x97.", "unsupported");
	REFUSE("N\x98.", "unsupported");
	run r; /* binds a function, and runs nothing */
	LOAD(&r, "cfunctools\npartial\n(cm\nn\ntR.");
	ckpt_arena_free(&r.arena);
	REFUSE("cfunctools\npartial\n(cos\nsystem\ntR.", "os.system");
}

static void test_classes(void)
{
	static const struct {
		const char *module, *name;
		ckpt_pickle_class class;
	} names[] = {
		{"collections", "OrderedDict", CKPT_PICKLE_KNOWN},
		{"torch._utils", "_rebuild_tensor_v2", CKPT_PICKLE_KNOWN},
		{"torch", "FloatStorage", CKPT_PICKLE_KNOWN},
		{"torch.cuda", "HalfStorage", CKPT_PICKLE_KNOWN},
		{"torch.storage", "UntypedStorage", CKPT_PICKLE_KNOWN},
		{"torch", "bfloat16", CKPT_PICKLE_KNOWN},
		{"torch", "Size", CKPT_PICKLE_KNOWN},
		{"__builtin__", "set", CKPT_PICKLE_KNOWN},
		{"_codecs", "encode", CKPT_PICKLE_KNOWN},
		{"torch.serialization", "_get_layout", CKPT_PICKLE_KNOWN},
		{"torch._utils_", "_rebuild_tensor_v2", CKPT_PICKLE_SUSPICIOUS},
		{"numpy.core.multiarray", "_reconstruct", CKPT_PICKLE_SUSPICIOUS},
		{"torch.nn.modules.linear", "Linear", CKPT_PICKLE_SUSPICIOUS},
		{"torch._tensor", "_rebuild_from_type_v2", CKPT_PICKLE_SUSPICIOUS},
		{"__torch__.my", "Module", CKPT_PICKLE_SUSPICIOUS},
		{"pathlib", "PosixPath", CKPT_PICKLE_SUSPICIOUS},
		{"my", "Outer.Inner", CKPT_PICKLE_SUSPICIOUS},
		{"osmium", "system", CKPT_PICKLE_SUSPICIOUS},
		{"torch", "FloatStorage2", CKPT_PICKLE_SUSPICIOUS},
		{"os", "system", CKPT_PICKLE_DANGEROUS},
		{"os.path", "join", CKPT_PICKLE_DANGEROUS},
		{"asyncio.unix_events", "x", CKPT_PICKLE_DANGEROUS},
		{"__builtin__", "eval", CKPT_PICKLE_DANGEROUS},
		{"builtins", "getattr", CKPT_PICKLE_DANGEROUS},
		{"commands", "getoutput", CKPT_PICKLE_DANGEROUS},
		{"cPickle", "loads", CKPT_PICKLE_DANGEROUS},
		{"copy_reg", "_reconstructor", CKPT_PICKLE_DANGEROUS},
		{"torch", "load", CKPT_PICKLE_DANGEROUS},
		{"torch.hub", "load", CKPT_PICKLE_DANGEROUS},
		{"torch.storage", "_load_from_bytes", CKPT_PICKLE_DANGEROUS},
		{"torch.utils.collect_env", "run_and_read_all", CKPT_PICKLE_DANGEROUS},
		{"torch.fx.experimental.symbolic_shapes", "ShapeEnv.evaluate_guards_expression", CKPT_PICKLE_DANGEROUS},
		{"torch.serialization", "os.system", CKPT_PICKLE_DANGEROUS},
		{"numpy.f2py.crackfortran", "x", CKPT_PICKLE_DANGEROUS},
		{"pandas.io", "read_csv", CKPT_PICKLE_DANGEROUS},
		{"transformers.modeling", "from_pretrained", CKPT_PICKLE_DANGEROUS},
		{"transformers", "AutoModel.from_pretrained", CKPT_PICKLE_DANGEROUS},
		{"pathlib", "Path.unlink", CKPT_PICKLE_DANGEROUS},
		{"my", "thing.method", CKPT_PICKLE_DANGEROUS},
		{"my", "Thing.__class__", CKPT_PICKLE_DANGEROUS},
		{"my", "__subclasses__", CKPT_PICKLE_DANGEROUS},
		{"_codecs", "decode", CKPT_PICKLE_DANGEROUS},
		{"functools", "partial", CKPT_PICKLE_DANGEROUS},
		{"", "x", CKPT_PICKLE_DANGEROUS},
	};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		ckpt_pickle_class found = ckpt_pickle_classify(names[i].module, names[i].name);
		if (found != names[i].class) printf("# %s.%s is of class %d\n", names[i].module, names[i].name, found);
		CU_ASSERT_EQUAL(found, names[i].class);
	}
}

/* ---- events ---- */

static void write_event(void *user, const ckpt_pickle_event *e)
{
	static const char *const kinds[] = {"global", "unresolved", "computed", "dropped", "extension", "persistent"};
	ckpt_buffer_printf(user, "%s@%d:%s", kinds[e->kind], (int)e->offset, e->opcode);
	if (e->module) ckpt_buffer_printf(user, "=%s.%s/%d%s", e->module, e->name, e->class, e->called ? "!" : "");
	ckpt_buffer_char(user, ' ');
	CU_ASSERT_STRING_EQUAL(e->record, "p");
}

static void expect_events(const void *bytes, size_t length, bool ok, const char *wanted)
{
	ckpt_arena arena = {0};
	ckpt_buffer text = {0};
	ckpt_pickle_result result;
	ckpt_error err = {0};
	ckpt_pickle_options options = {.limits = ckpt_limits_resolve(NULL),
	                               .record = "p",
	                               .base = 100,
	                               .arena = &arena,
	                               .record_event = write_event,
	                               .user = &text};
	CU_ASSERT_EQUAL(ckpt_pickle_read(bytes, length, &options, &result, &err), ok);
	if (strcmp(text.data ? text.data : "", wanted) != 0) printf("# wanted %s\n# found  %s\n", wanted, text.data);
	CU_ASSERT_STRING_EQUAL(text.data ? text.data : "", wanted);
	ckpt_buffer_free(&text);
	ckpt_arena_free(&arena);
}

#define EVENTS(text, ok, wanted) expect_events(text, sizeof(text) - 1, ok, wanted)

static void test_events(void)
{
	EVENTS("cos\nsystem\n(Vx\ntR.", true, "global@100:GLOBAL=os.system/2! ");
	EVENTS("cos\nsystem\n.", true, "global@100:GLOBAL=os.system/2 ");
	EVENTS("cos\nsystem\n(Vx\ntR\xff", false,
	       "global@100:GLOBAL=os.system/2! "); /* what came before the error counts */
	EVENTS("\x8c\1m\x8c\1n\x93)\x81q\0"
	       "0h\0.",
	       true, "global@106:STACK_GLOBAL=m.n/1! dropped@111:POP ");
	EVENTS("(cm\nn\no("
	       "1.",
	       true, "global@101:GLOBAL=m.n/1! ");
	EVENTS("N(cm\nn\n)R1.", true, "global@102:GLOBAL=m.n/1! dropped@109:POP_MARK ");
	EVENTS("cm\nn\n)R)R.", true, "global@100:GLOBAL=m.n/1! computed@108:REDUCE ");
	EVENTS("K\1K\2\x93)R.", true, "unresolved@104:STACK_GLOBAL computed@106:REDUCE ");
	EVENTS("\x82\1)R.", true, "extension@100:EXT1 computed@103:REDUCE ");
	EVENTS("P7\n.", true, "persistent@100:PERSID ");
	EVENTS("(Vmodule\ntQ.", true, "persistent@110:BINPERSID ");
	EVENTS("(Vstorage\ntQ.", true, "");
	EVENTS("ctorch._tensor\n_rebuild_from_type_v2\n(cm\nn\nNNNtR.", true,
	       "global@100:GLOBAL=torch._tensor._rebuild_from_type_v2/1! global@138:GLOBAL=m.n/1! ");
	EVENTS("c_codecs\nencode\n(Vx\nVlatin1\ntR.", true, "global@100:GLOBAL=_codecs.encode/0! ");
	EVENTS("c_codecs\nencode\n(Vx\nVrot13\ntR.", true, "global@100:GLOBAL=_codecs.encode/1! ");
}

/* ---- limits and depth ---- */

static void test_limits(void)
{
	static const char many[] = "(]]]]]]]]]]t.";
	refuse_bytes(many, sizeof many - 1, &(ckpt_limits){.pickle_values = 8}, "pickle-values");
	static const char gets[] = "(]q\0h\0h\0h\0h\0t.";
	run r = run_bytes(gets, sizeof gets - 1, &(ckpt_limits){.pickle_values = 8});
	CU_ASSERT_TRUE(r.ok);
	ckpt_arena_free(&r.arena);
	refuse_bytes(many, sizeof many - 1, &(ckpt_limits){.pickle_bytes = 5}, "pickle-bytes");
	refuse_bytes("X\x0a\0\0\0aaaaaaaaaa.", 16, &(ckpt_limits){.pickle_bytes = 8}, "pickle-bytes");
	r = run_bytes(many, sizeof many - 1, &(ckpt_limits){.pickle_bytes = sizeof many - 1});
	CU_ASSERT_TRUE(r.ok);
	ckpt_arena_free(&r.arena);
	char *digits = malloc(5000);
	memset(digits, '7', 5000);
	digits[0] = 'L';
	digits[4998] = '\n';
	digits[4999] = '.';
	refuse_bytes(digits, 5000, NULL, "digits");
	free(digits);
	REFUSE("L1x\n.", "integer");
	REFUSE("I\n.", "integer");
	REFUSE("I-\n.", "integer");
	REFUSE("\x8b\xff\xff\xff\xff.", "negative");
}

static void test_deep(void)
{
	enum { DEPTH = 200000 };
	ckpt_buffer b = {0};
	ckpt_buffer_fill(&b, ']', DEPTH);
	ckpt_buffer_fill(&b, 'a', DEPTH - 1);
	ckpt_buffer_char(&b, '.');
	run r;
	const ckpt_value *v = load(&r, b.data, b.length);
	size_t depth = 1;
	while (v->u.list.count) {
		v = v->u.list.items[0];
		depth++;
	}
	CU_ASSERT_EQUAL(depth, DEPTH);
	ckpt_arena_free(&r.arena);
	ckpt_buffer_free(&b);
	v = LOAD(&r, "]q\0h\0a."); /* holds itself */
	CU_ASSERT_PTR_EQUAL(v, v->u.list.items[0]);
	ckpt_arena_free(&r.arena);
	/* a tuple that holds itself through a list, as CPython writes it */
	v = LOAD(&r, "(]q\0(h\0tq\1"
	             "ah\1"
	             "1h\1.");
	CU_ASSERT_EQUAL(v->kind, CKPT_VALUE_TUPLE);
	ckpt_arena_free(&r.arena);
}

/* No prefix of a stream is one, and no changed byte does worse than an error. */
static void test_damage(void)
{
	static const char stream[] =
		"\x80\4\x95\xe0\0\0\0\0\0\0\0}\x94(\x8c\1w\x94\x8c\x0ctorch._utils\x94\x8c\x12_rebuild_tensor_v2\x94\x93"
		"\x94(K\0K\2K\3\x86\x94K\3K\1\x86\x94\x89\x8c\x0b"
		"collections\x94\x8c\x0bOrderedDict\x94\x93\x94)R\x94"
		"t\x94R\x94X\1\0\0\0b\x94G?\xe0\0\0\0\0\0\0"
		"U\3abc\x8a\3\1\2\3\x8b\2\0\0\0\1\2(K\1\x91(lC\2xy"
		"S'q\\x41'\nVr\\u0041\nI7\nL8L\nF1.5\ncm\nn\n)\x81}\x8c\1k\x94Nsbtu(X\1\0\0\0iJ\0\0\0\0u.";
	char copy[sizeof stream];
	memcpy(copy, stream, sizeof stream);
	copy[3] = (char)(sizeof stream - 1 - 11); /* the frame reaches to the end */
	run whole = run_bytes(copy, sizeof copy - 1, NULL);
	CU_ASSERT_TRUE(!whole.ok || whole.result.consumed == sizeof copy - 1);
	ckpt_arena_free(&whole.arena);
	for (size_t n = 0; n + 1 < sizeof copy; n++) {
		run r = run_bytes(copy, n, NULL);
		CU_ASSERT_FALSE(r.ok);
		CU_ASSERT_NOT_EQUAL(r.err.code, CKPT_OK);
		ckpt_arena_free(&r.arena);
	}
	for (size_t n = 0; n + 1 < sizeof copy; n++)
		for (int k = 1; k < 256; k += 5) {
			copy[n] = (char)(copy[n] ^ k);
			run r = run_bytes(copy, sizeof copy - 1, NULL);
			CU_ASSERT_TRUE(r.ok || r.err.code != CKPT_OK);
			ckpt_arena_free(&r.arena);
			copy[n] = (char)(copy[n] ^ k);
		}
}

static const unit_case cases[] = {
	{"integers", test_integers},
	{"big_integers", test_big_integers},
	{"floats", test_floats},
	{"constants", test_constants},
	{"strings", test_strings},
	{"python2", test_python2},
	{"containers", test_containers},
	{"stack", test_stack},
	{"memo", test_memo},
	{"frames", test_frames},
	{"calls", test_calls},
	{"refused_names", test_refused_names},
	{"classes", test_classes},
	{"events", test_events},
	{"limits", test_limits},
	{"deep", test_deep},
	{"damage", test_damage},
	{0},
};
const unit_suite unit_pickle = {"pickle", cases};
