/* test_options.c -- command lines, sizes, numbers and tables of the command */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../tools/number.h"
#include "../../tools/options.h"
#include "../../tools/table.h"
#include "unit.h"

struct values {
	bool flag, other;
	const char *text;
	ckpt_list list;
	uint64_t count, size;
	double real;
	int choice;
	ckpt_dtype dtype;
};

#define AT(field) offsetof(struct values, field)

static const ckpt_option table[] = {
	{"flag", 'f', CKPT_OPTION_FLAG, AT(flag), NULL, "", 0, 0},
	{"other", 'o', CKPT_OPTION_FLAG, AT(other), NULL, "", 0, 0},
	{"text", 't', CKPT_OPTION_TEXT, AT(text), "TEXT", "", 0, 0},
	{"list", 'l', CKPT_OPTION_LIST, AT(list), "TEXT", "", 0, 0},
	{"count", 0, CKPT_OPTION_COUNT, AT(count), "N", "", 1, 1024},
	{"size", 0, CKPT_OPTION_SIZE, AT(size), "SIZE", "", 1, 0},
	{"real", 0, CKPT_OPTION_REAL, AT(real), "X", "", 0, 0},
	{"choice", 0, CKPT_OPTION_CHOICE, AT(choice), "auto|drop|copy", "", 0, 0},
	{"dtype", 0, CKPT_OPTION_DTYPE, AT(dtype), "DTYPE", "", 0, 0},
	{0},
};

enum { ROOM = 32 };

/* Parses a line of words; joins the arguments with spaces into rest. */
static bool parse(const char *line, struct values *v, char *rest, ckpt_error *err)
{
	char copy[512], *words[ROOM];
	const char *arguments[ROOM];
	size_t count = 0;
	int argc = 0;
	ckpt_option_group group = {"Options", table, v};
	snprintf(copy, sizeof copy, "%s", line);
	for (char *at = copy; *at && argc < ROOM; argc++) {
		words[argc] = at;
		at += strcspn(at, " ");
		if (*at) *at++ = 0;
	}
	bool ok = ckpt_options_parse(&group, 1, argc, words, arguments, &count, err);
	rest[0] = 0;
	for (size_t i = 0; ok && i < count; i++) {
		if (i) strcat(rest, " ");
		strcat(rest, arguments[i]);
	}
	if (v->list.count) CU_ASSERT_PTR_NOT_NULL(v->list.items);
	return ok;
}

static void test_good_lines(void)
{
	struct values v = {0};
	ckpt_option_group group = {"Options", table, &v};
	ckpt_error err = {0};
	char rest[512];
	CU_ASSERT_TRUE(parse("a --flag b --count=7 --count2", &v, rest, &err) == false);
	v = (struct values){0};
	CU_ASSERT_TRUE(parse("a --flag b --count 1024 --real -1.5e3 --choice copy --dtype bf16 --size 1.5GB - -- --flag -x", &v,
	                     rest, &err));
	CU_ASSERT_STRING_EQUAL(rest, "a b - --flag -x");
	CU_ASSERT_TRUE(v.flag && !v.other);
	CU_ASSERT_EQUAL(v.count, 1024);
	CU_ASSERT_EQUAL(v.size, 1500000000);
	CU_ASSERT_DOUBLE_EQUAL(v.real, -1500, 0);
	CU_ASSERT_EQUAL(v.choice, 2);
	CU_ASSERT_EQUAL(v.dtype, CKPT_BF16);
	v = (struct values){0};
	CU_ASSERT_TRUE(parse("-fo -tvalue -l one -ltwo --list=three --list -f", &v, rest, &err));
	CU_ASSERT_TRUE(v.flag && v.other);
	CU_ASSERT_EQUAL(v.list.count, 4);
	ckpt_options_free(&group, 1);
	CU_ASSERT_PTR_NULL(v.list.items);
	v = (struct values){0};
	CU_ASSERT_TRUE(parse("", &v, rest, &err));
	CU_ASSERT_STRING_EQUAL(rest, "");
}

static void test_bad_lines(void)
{
	static const struct {
		const char *line, *says;
	} cases[] = {
		{"--flg", "did you mean --flag"},     {"--zzzzzzzz", "unknown option --zzzzzzzz"},
		{"-x", "unknown option -x"},          {"--flag=1", "takes no value"},
		{"--flag --flag", "twice"},           {"--text a --text b", "twice"},
		{"--text", "wants a value"},          {"-t", "wants a value"},
		{"--count 0", "from 1 to 1024"},      {"--count 1025", "from 1 to 1024"},
		{"--count -1", "not '-1'"},         {"--count 1x", "not '1x'"},
		{"--count=", "not ''"},             {"--count 99999999999999999999", "whole number"},
		{"--size 0", "a size"},               {"--size 5XB", "a size"},
		{"--size -5GB", "a size"},            {"--real nan", "a number"},
		{"--real inf", "a number"},           {"--real 0x10", "a number"},
		{"--real 1.", ""},                    {"--real=", "a number"},
		{"--choice dropp", "auto|drop|copy"}, {"--choice dro", "auto|drop|copy"},
		{"--choice=", "auto|drop|copy"},      {"--dtype f33", "a dtype"},
		{"--fla", "did you mean --flag"},     {"--=x", "unknown option"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct values v = {0};
		ckpt_option_group group = {"Options", table, &v};
		ckpt_error err = {0};
		char rest[512];
		bool ok = parse(cases[i].line, &v, rest, &err);
		if (*cases[i].says) {
			CU_ASSERT_FALSE(ok);
			CU_ASSERT_EQUAL(err.code, CKPT_E_USAGE);
			CU_ASSERT_PTR_NOT_NULL(strstr(err.text, cases[i].says));
			if (!strstr(err.text, cases[i].says)) printf("# %s: %s\n", cases[i].line, err.text);
		} else {
			CU_ASSERT_TRUE(ok);
		}
		ckpt_options_free(&group, 1);
	}
}

static void test_sizes(void)
{
	uint64_t n = 0;
	CU_ASSERT_TRUE(ckpt_parse_size("5GB", &n) && n == 5000000000);
	CU_ASSERT_TRUE(ckpt_parse_size("1.5GiB", &n) && n == 1610612736);
	CU_ASSERT_TRUE(ckpt_parse_size("10 mb", &n) && n == 10000000);
	CU_ASSERT_TRUE(ckpt_parse_size("0.000001TB", &n) && n == 1000000);
	CU_ASSERT_TRUE(ckpt_parse_size("0.1kb", &n) && n == 100);
	CU_ASSERT_TRUE(ckpt_parse_size("18446744073709551615", &n) && n == UINT64_MAX);
	CU_ASSERT_TRUE(ckpt_parse_size("12B", &n) && n == 12);
	CU_ASSERT_FALSE(ckpt_parse_size("18446744073709551616", &n));
	CU_ASSERT_FALSE(ckpt_parse_size("18446744073709551615KB", &n));
	CU_ASSERT_FALSE(ckpt_parse_size("", &n));
	CU_ASSERT_FALSE(ckpt_parse_size("GB", &n));
	CU_ASSERT_FALSE(ckpt_parse_size(".5GB", &n));
	CU_ASSERT_FALSE(ckpt_parse_size("5.GB", &n));
	CU_ASSERT_FALSE(ckpt_parse_size("1.5", &n));
	CU_ASSERT_FALSE(ckpt_parse_size("5GBx", &n));
	CU_ASSERT_FALSE(ckpt_parse_size(" 5GB", &n));
	CU_ASSERT_FALSE(ckpt_parse_size("1e3", &n));
	CU_ASSERT_EQUAL(n, 12);
}

static void test_distance(void)
{
	CU_ASSERT_EQUAL(ckpt_edit_distance("", ""), 0);
	CU_ASSERT_EQUAL(ckpt_edit_distance("abc", ""), 3);
	CU_ASSERT_EQUAL(ckpt_edit_distance("inspect", "inspcet"), 1);
	CU_ASSERT_EQUAL(ckpt_edit_distance("kitten", "sitting"), 3);
	CU_ASSERT_EQUAL(ckpt_edit_distance("convert", "covert"), 1);
	CU_ASSERT_EQUAL(ckpt_edit_distance("x", "0123456789012345678901234567890123456789012345678901234567890123"), SIZE_MAX);
}

static void test_numbers(void)
{
	char t[CKPT_NUMBER_TEXT];
	CU_ASSERT_STRING_EQUAL(ckpt_count_text(0, t, sizeof t), "0");
	CU_ASSERT_STRING_EQUAL(ckpt_count_text(999, t, sizeof t), "999");
	CU_ASSERT_STRING_EQUAL(ckpt_count_text(1000, t, sizeof t), "1,000");
	CU_ASSERT_STRING_EQUAL(ckpt_count_text(UINT64_MAX, t, sizeof t), "18,446,744,073,709,551,615");
	CU_ASSERT_STRING_EQUAL(ckpt_bytes_text(0, t, sizeof t), "0 B");
	CU_ASSERT_STRING_EQUAL(ckpt_bytes_text(999, t, sizeof t), "999 B");
	CU_ASSERT_STRING_EQUAL(ckpt_bytes_text(1000, t, sizeof t), "1.00 kB");
	CU_ASSERT_STRING_EQUAL(ckpt_bytes_text(999999, t, sizeof t), "1.00 MB");
	CU_ASSERT_STRING_EQUAL(ckpt_bytes_text(93763584, t, sizeof t), "93.8 MB");
	CU_ASSERT_STRING_EQUAL(ckpt_bytes_text(437928960, t, sizeof t), "438 MB");
	CU_ASSERT_STRING_EQUAL(ckpt_bytes_text(1.8e19, t, sizeof t), "18.0 EB");
	CU_ASSERT_STRING_EQUAL(ckpt_real_text(0.1, t, sizeof t), "0.1");
	CU_ASSERT_STRING_EQUAL(ckpt_real_text(0.1 + 0.2, t, sizeof t), "0.30000000000000004");
	CU_ASSERT_STRING_EQUAL(ckpt_real_text(1e-5, t, sizeof t), "1e-05");
	CU_ASSERT_STRING_EQUAL(ckpt_real_text(-INFINITY, t, sizeof t), "-inf");
	CU_ASSERT_STRING_EQUAL(ckpt_real_text(NAN, t, sizeof t), "nan");
}

/* What a table prints at a width; to be freed. */
static char *printed(size_t width, bool long_name)
{
	static const ckpt_column columns[] = {{"name", false, 8, true, 0, CKPT_STYLE_PLAIN},
	                                      {"size", true, 0, false, 0, CKPT_STYLE_PLAIN},
	                                      {"extra", false, 0, false, 1, CKPT_STYLE_PLAIN},
	                                      {"empty", false, 0, false, 0, CKPT_STYLE_PLAIN}};
	ckpt_terminal terminal = {.out = width > 0, .width = width};
	ckpt_table *t = ckpt_table_new(columns, 4);
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);
	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	ckpt_table_text(t, long_name ? "encoder.layer.11.weight" : "a\nb");
	ckpt_table_format(t, "%d", 1234);
	ckpt_table_text(t, "more");
	ckpt_table_text(t, "");
	ckpt_table_text(t, "\xc3\xa9\xe4\xbd\xa0"); /* one narrow, one wide character */
	ckpt_table_text(t, "5");
	ckpt_table_text(t, "");
	ckpt_table_text(t, "");
	CU_ASSERT_TRUE(ckpt_table_print(t, out, &terminal, true, NULL));
	ckpt_table_free(t);
	fclose(out);
	return text;
}

static void test_table(void)
{
	char *text = printed(0, false);
	CU_ASSERT_STRING_EQUAL(text, "name  size  extra\na\\nb  1234  more\n\xc3\xa9\xe4\xbd\xa0      5\n");
	free(text);
	text = printed(22, true);
	CU_ASSERT_STRING_EQUAL(text, "name       size  extra\nenco\xe2\x80\xa6ight  1234  more\n\xc3\xa9\xe4\xbd\xa0           5\n");
	free(text);
	text = printed(18, true);
	CU_ASSERT_STRING_EQUAL(text, "name          size\nencod\xe2\x80\xa6weight  1234\n\xc3\xa9\xe4\xbd\xa0              5\n"
	                             "(the terminal has no room for: extra)\n");
	free(text);
}

static const unit_case cases[] = {
	{"good command lines", test_good_lines},
	{"bad command lines", test_bad_lines},
	{"sizes", test_sizes},
	{"edit distance", test_distance},
	{"numbers for people", test_numbers},
	{"tables", test_table},
	{0},
};

const unit_suite unit_options = {"options", cases};
