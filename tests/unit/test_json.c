/* test_json.c -- the strict JSON layer: what it refuses, what it keeps exact, what it writes */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../lib/json.h"
#include "unit.h"

static ckpt_json *parse(const char *text, ckpt_error *err)
{
	return ckpt_json_parse(text, strlen(text), 128, err);
}

/* The text is refused and the message holds `word`. */
static void refuse(const char *text, size_t length, const char *word)
{
	ckpt_error err = {0};
	ckpt_json *v = ckpt_json_parse(text, length, 128, &err);
	CU_ASSERT_PTR_NULL(v);
	if (!strstr(err.text, word)) fprintf(stderr, "# %s: wanted \"%s\" in: %s\n", text, word, err.text);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, word));
	ckpt_json_free(v);
}

static void test_refusals(void)
{
	static const struct {
		const char *text, *word;
	} rows[] = {
		{"", "ends where a value"},
		{"  ", "ends where a value"},
		{"{", "quoted key"},
		{"[", "a value"},
		{"[1", "',' or ']'"},
		{"[1,]", "a value"},
		{"{\"a\":1,}", "quoted key"},
		{"{\"a\"}", "':'"},
		{"{a:1}", "quoted key"},
		{"{'a':1}", "quoted key"},
		{"{\"a\":1 \"b\":2}", "',' or '}'"},
		{"{\"a\":1]", "',' or '}'"},
		{"[1}", "',' or ']'"},
		{"[1 2]", "',' or ']'"},
		{"// c\n1", "a value"},
		{"1 2", "trailing"},
		{"{}x", "trailing"},
		{"{}{}", "trailing"},
		{"nul", "a value"},
		{"nulL", "a value"},
		{"truex", "trailing"},
		{"NaN", "a value"},
		{"Infinity", "a value"},
		{"-", "a digit"},
		{"-a", "a digit"},
		{"+1", "a value"},
		{"01", "leading zero"},
		{"-01", "leading zero"},
		{"1.", "a digit"},
		{".5", "a value"},
		{"1e", "a digit"},
		{"1e+", "a digit"},
		{"0x10", "trailing"},
		{"\"a", "does not end"},
		{"\"a\\", "inside a string"},
		{"\"a\\\"", "does not end"},
		{"\"\\x41\"", "unknown escape"},
		{"\"\\u12\"", "four hexadecimal"},
		{"\"\\u12g4\"", "four hexadecimal"},
		{"\"\\u0000\"", "NUL"},
		{"\"\\ud800\"", "lone surrogate"},
		{"\"\\ud800x\"", "lone surrogate"},
		{"\"\\ud800\\u0041\"", "lone surrogate"},
		{"\"\\udc00\"", "lone surrogate"},
		{"\"\\ud83d\\ud83d\"", "lone surrogate"},
		{"\"\xed\xa0\x80\"", "UTF-8"},
		{"\"\xc0\xaf\"", "UTF-8"},
		{"\"\xe0\x80\xaf\"", "UTF-8"},
		{"\"\xf0\x80\x80\xaf\"", "UTF-8"},
		{"\"\xf4\x90\x80\x80\"", "UTF-8"},
		{"\"\xff\"", "UTF-8"},
		{"\"\x80\"", "UTF-8"},
		{"\"\xe6\x9d\"", "UTF-8"},
		{"\"a\nb\"", "control character"},
		{"\"\x1f\"", "control character"},
		{"\xef\xbb\xbf{}", "byte 0xef"},
		{"{\"a\":1,\"a\":2}", "duplicate key 'a'"},
		{"{\"a\":1,\"\\u0061\":2}", "duplicate key 'a'"},
		{"[{\"x\":{\"k\":1,\"k\":2}}]", "duplicate key 'k'"},
		{"{\"\":1,\"\":2}", "duplicate key ''"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		refuse(rows[i].text, strlen(rows[i].text), rows[i].word);
	refuse("\"a\0b\"", 5, "control character");
	refuse("\"\\\0\"", 4, "unknown escape");
	refuse("{}\0", 3, "trailing");
}

static void test_position(void)
{
	refuse("{\n \"a\": 1,\n  x}", 15, "line 3, column 3");
	refuse("x", 1, "line 1, column 1");
}

/* Every proper prefix of a text that ends in a bracket is refused. */
static void test_truncated(void)
{
	static const char text[] =
		"{\"w\\u00e9\\ud83d\\ude00\":{\"d\":\"F32\",\"s\":[1,-2.5e+3,{}],\"x\":[true,false,null]}}";
	for (size_t n = 0; n < sizeof text - 1; n++) {
		char *copy = malloc(n ? n : 1); /* exactly as long, so that a sanitizer sees each read behind it */
		memcpy(copy, text, n);
		ckpt_error err = {0};
		ckpt_json *v = ckpt_json_parse(copy, n, 128, &err);
		CU_ASSERT_PTR_NULL(v);
		CU_ASSERT_EQUAL(err.code, CKPT_E_FORMAT);
		ckpt_json_free(v);
		free(copy);
	}
	ckpt_json *v = parse(text, NULL);
	CU_ASSERT_PTR_NOT_NULL(v);
	ckpt_json_free(v);
}

static void test_tree(void)
{
	ckpt_error err = {0};
	ckpt_json *v = parse(
		" {\"a\": [1, \"n2\", \"s\", \"\"],\t\"b\": {}, \"\": null, \"c\": true,\r\n\"d\":[] ,\"e\":false} ", &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(v);
	CU_ASSERT_EQUAL(ckpt_json_get_kind(v), CKPT_JSON_OBJECT);
	const ckpt_json *a = ckpt_json_member(v, "a");
	CU_ASSERT_PTR_NOT_NULL_FATAL(a);
	CU_ASSERT_EQUAL(ckpt_json_get_kind(a), CKPT_JSON_ARRAY);
	const ckpt_json *item = ckpt_json_child(a);
	CU_ASSERT_EQUAL(ckpt_json_get_kind(item), CKPT_JSON_NUMBER);
	CU_ASSERT_STRING_EQUAL(ckpt_json_number(item), "1");
	CU_ASSERT_PTR_NULL(ckpt_json_string(item));
	item = ckpt_json_next(item);
	CU_ASSERT_EQUAL(ckpt_json_get_kind(item), CKPT_JSON_STRING);
	CU_ASSERT_STRING_EQUAL(ckpt_json_string(item), "n2");
	CU_ASSERT_PTR_NULL(ckpt_json_number(item));
	item = ckpt_json_next(item);
	CU_ASSERT_STRING_EQUAL(ckpt_json_string(item), "s");
	item = ckpt_json_next(item);
	CU_ASSERT_STRING_EQUAL(ckpt_json_string(item), "");
	CU_ASSERT_PTR_NULL(ckpt_json_next(item));
	const ckpt_json *b = ckpt_json_next(a);
	CU_ASSERT_STRING_EQUAL(ckpt_json_key(b), "b");
	CU_ASSERT_PTR_NULL(ckpt_json_child(b));
	CU_ASSERT_STRING_EQUAL(ckpt_json_kind_name(b), "an object");
	CU_ASSERT_EQUAL(ckpt_json_get_kind(ckpt_json_member(v, "")), CKPT_JSON_NULL);
	CU_ASSERT_TRUE(ckpt_json_is_true(ckpt_json_member(v, "c")));
	CU_ASSERT_FALSE(ckpt_json_is_true(ckpt_json_member(v, "e")));
	CU_ASSERT_EQUAL(ckpt_json_get_kind(ckpt_json_member(v, "e")), CKPT_JSON_BOOL);
	CU_ASSERT_STRING_EQUAL(ckpt_json_kind_name(ckpt_json_member(v, "d")), "an array");
	CU_ASSERT_PTR_NULL(ckpt_json_member(v, "A")); /* case matters */
	ckpt_json_free(v);
}

static void test_numbers(void)
{
	static const struct {
		const char *text;
		bool is_u64, is_i64;
		uint64_t u64;
		int64_t i64;
	} rows[] = {
		{"0", true, true, 0, 0},
		{"9007199254740993", true, true, 9007199254740993u, 9007199254740993},
		{"9223372036854775807", true, true, INT64_MAX, INT64_MAX},
		{"9223372036854775808", true, false, 9223372036854775808u, 0},
		{"18446744073709551615", true, false, UINT64_MAX, 0},
		{"18446744073709551616", false, false, 0, 0},
		{"18446744073709551632", false, false, 0, 0},
		{"184467440737095516150", false, false, 0, 0},
		{"-1", false, true, 0, -1},
		{"-9223372036854775808", false, true, 0, INT64_MIN},
		{"-9223372036854775809", false, false, 0, 0},
		{"-0", false, false, 0, 0},
		{"2.0", false, false, 0, 0},
		{"2e0", false, false, 0, 0},
		{"1e999999999", false, false, 0, 0},
		{"\"2\"", false, false, 0, 0},
		{"null", false, false, 0, 0},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		ckpt_json *v = parse(rows[i].text, NULL);
		CU_ASSERT_PTR_NOT_NULL_FATAL(v);
		uint64_t u = 77;
		int64_t s = 77;
		CU_ASSERT_EQUAL(ckpt_json_u64(v, &u), rows[i].is_u64);
		CU_ASSERT_EQUAL(u, rows[i].is_u64 ? rows[i].u64 : 77);
		CU_ASSERT_EQUAL(ckpt_json_i64(v, &s), rows[i].is_i64);
		CU_ASSERT_EQUAL(s, rows[i].is_i64 ? rows[i].i64 : 77);
		ckpt_json_free(v);
	}
}

static void test_doubles(void)
{
	static const struct {
		const char *text;
		bool ok;
		double value;
	} rows[] = {
		{"1e-12", true, 1e-12}, {"-0", true, 0}, {"0.1", true, 0.1}, {"1e400", false, 0}, {"\"1\"", false, 0}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		ckpt_json *v = parse(rows[i].text, NULL);
		CU_ASSERT_PTR_NOT_NULL_FATAL(v);
		double d = 77;
		CU_ASSERT_EQUAL(ckpt_json_f64(v, &d), rows[i].ok);
		CU_ASSERT_EQUAL(d, rows[i].ok ? rows[i].value : 77);
		ckpt_json_free(v);
	}
}

static char *nested(size_t depth)
{
	char *text = malloc(2 * depth + 1);
	memset(text, '[', depth);
	memset(text + depth, ']', depth);
	text[2 * depth] = 0;
	return text;
}

static void test_depth(void)
{
	ckpt_error err = {0};
	char *text = nested(1200);
	ckpt_json *v = ckpt_json_parse(text + 1200 - 128, 256, 128, &err);
	CU_ASSERT_PTR_NOT_NULL(v);
	ckpt_json_free(v);
	CU_ASSERT_PTR_NULL(ckpt_json_parse(text + 1200 - 129, 258, 128, &err));
	CU_ASSERT_EQUAL(err.code, CKPT_E_LIMIT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "depth"));
	/* whatever the caller allows, cJSON's own bound holds */
	v = ckpt_json_parse(text + 1200 - 999, 2 * 999, UINT64_MAX, NULL);
	CU_ASSERT_PTR_NOT_NULL(v);
	ckpt_json_free(v);
	CU_ASSERT_PTR_NULL(ckpt_json_parse(text + 1200 - 1000, 2000, UINT64_MAX, NULL));
	CU_ASSERT_PTR_NULL(ckpt_json_parse("[]", 2, 0, NULL));
	free(text);
}

/* Many keys: fast, and the one duplicate is found. */
static void test_many_keys(void)
{
	ckpt_buffer b = {0};
	ckpt_buffer_char(&b, '{');
	for (unsigned i = 0; i < 50000; i++) ckpt_buffer_printf(&b, "\"layer.%u.weight\":%u,", i, i);
	size_t length = b.length;
	ckpt_buffer_str(&b, "\"last\":0}");
	ckpt_json *v = ckpt_json_parse(b.data, b.length, 128, NULL);
	CU_ASSERT_PTR_NOT_NULL(v);
	ckpt_json_free(v);
	b.length = length;
	ckpt_buffer_str(&b, "\"layer.33333.weight\":0}");
	ckpt_error err = {0};
	CU_ASSERT_PTR_NULL(ckpt_json_parse(b.data, b.length, 128, &err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "duplicate key 'layer.33333.weight'"));
	ckpt_buffer_free(&b);
}

struct seen {
	ckpt_buffer text;
	size_t stop_after;
};

static bool note_member(void *user, const char *key, const char *value, size_t length, ckpt_error *err)
{
	(void)err;
	struct seen *seen = user;
	ckpt_buffer_printf(&seen->text, "<%s=%.*s>", key, (int)length, value);
	return seen->stop_after == 0 || --seen->stop_after > 0;
}

static bool each(const char *text, struct seen *seen, ckpt_error *err)
{
	*seen = (struct seen){.stop_after = seen->stop_after};
	ckpt_buffer_str(&seen->text, "");
	return ckpt_json_each_member(text, strlen(text), 128, note_member, seen, err);
}

static void test_each_member(void)
{
	struct seen seen = {0};
	CU_ASSERT_TRUE(each(" { \"a\" : [1, 2 ] , \"\\u00e9\\\"\":{\"x\":{}},\"\" :null }\n", &seen, NULL));
	CU_ASSERT_STRING_EQUAL(seen.text.data, "<a=[1, 2 ]><\xc3\xa9\"={\"x\":{}}><=null>");
	ckpt_buffer_free(&seen.text);
	CU_ASSERT_TRUE(each("{}", &seen, NULL));
	ckpt_buffer_free(&seen.text);

	static const struct {
		const char *text, *word;
	} bad[] = {{"[]", "an object"},
	           {"\"x\"", "an object"},
	           {"", "an object"},
	           {"{\"a\":1,\"a\":2}", "duplicate key 'a'"},
	           {"{\"a\":1,\"\\u0061\":2}", "duplicate key 'a'"},
	           {"{\"a\":1}x", "trailing"},
	           {"{\"a\":1,}", "quoted key"},
	           {"{\"a\":1", "',' or '}'"},
	           {"{\"a\":}", "a value"},
	           {"{\"a\":[1}", "',' or ']'"}};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		ckpt_error err = {0};
		CU_ASSERT_FALSE(each(bad[i].text, &seen, &err));
		CU_ASSERT_PTR_NOT_NULL(strstr(err.text, bad[i].word));
		ckpt_buffer_free(&seen.text);
	}
	seen.stop_after = 1;
	CU_ASSERT_FALSE(each("{\"a\":1,\"b\":2}", &seen, NULL));
	CU_ASSERT_STRING_EQUAL(seen.text.data, "<a=1>");
	ckpt_buffer_free(&seen.text);
}

static void check_written(const char *text, size_t length, bool ascii, const char *wanted)
{
	ckpt_buffer b = {0};
	ckpt_json_write_string(&b, text, length, ascii);
	CU_ASSERT_STRING_EQUAL(b.data, wanted);
	ckpt_buffer_free(&b);
}

static void test_write_string(void)
{
	static const char text[] = "a\"\\/\b\t\n\f\r\x01\x1f\x7f\xc3\xa9\xf0\x9f\x98\x80z";
	check_written(text, sizeof text - 1, false,
	              "\"a\\\"\\\\/\\b\\t\\n\\f\\r\\u0001\\u001f\x7f\xc3\xa9\xf0\x9f\x98\x80z\"");
	check_written(text, sizeof text - 1, true,
	              "\"a\\\"\\\\/\\b\\t\\n\\f\\r\\u0001\\u001f\\u007f\\u00e9\\ud83d\\ude00z\"");
	check_written("\xff\xc3", 2, false, "\"\\udcff\\udcc3\"");
	check_written("\0", 1, false, "\"\\u0000\"");
	check_written("", 0, true, "\"\"");
}

static const unit_case cases[] = {
	{"refusals", test_refusals},
	{"position", test_position},
	{"truncated", test_truncated},
	{"tree", test_tree},
	{"numbers", test_numbers},
	{"doubles", test_doubles},
	{"depth", test_depth},
	{"many_keys", test_many_keys},
	{"each_member", test_each_member},
	{"write_string", test_write_string},
	{0},
};

const unit_suite unit_json = {"json", cases};
