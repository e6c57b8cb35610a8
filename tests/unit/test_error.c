/* test_error.c -- error sentences, escaping, UTF-8, limits, buffers */
#include "unit.h"

#include "../../lib/arena.h"
#include "../../lib/buffer.h"
#include "../../lib/error.h"
#include "../../lib/limits.h"
#include "../../lib/utf8.h"

#include <string.h>

static void check_escape(const char *in, size_t length, const char *want)
{
	char out[256];
	size_t n = ckpt_escape(out, sizeof out, in, length);
	CU_ASSERT_STRING_EQUAL(out, want);
	CU_ASSERT_EQUAL(n, strlen(want));
}

static void escapes_what_a_terminal_must_not_see(void)
{
	check_escape("plain \xe6\x9d\x83", 9, "plain \xe6\x9d\x83");
	check_escape("a\nb\tc\rd\x1b[31m\x7f", 13, "a\\nb\\tc\\rd\\x1b[31m\\x7f");
	check_escape("\xff\xc0\x80", 3, "\\xff\\xc0\\x80");
	check_escape("\xe2\x80\xae", 3, "\\u202e");
	check_escape("\xf3\xa0\x80\x81", 4, "\\U000e0001");
	check_escape("a\0b", 3, "a\\x00b");
	check_escape("\xc2\x9b", 2, "\\u009b");
}

static void never_cuts_inside_a_character(void)
{
	char out[4];
	CU_ASSERT_EQUAL(ckpt_escape(out, sizeof out, "ab\xe6\x9d\x83", 5), 2);
	CU_ASSERT_STRING_EQUAL(out, "ab");
	CU_ASSERT_EQUAL(ckpt_escape(out, sizeof out, "\x1b", 1), 0);
	CU_ASSERT_STRING_EQUAL(out, "");
	CU_ASSERT_EQUAL(ckpt_escape(out, 0, "x", 1), 0);
}

static void prefixes_on_the_way_up(void)
{
	ckpt_error err = {0};
	CU_ASSERT_FALSE(ckpt_fail(&err, CKPT_E_FORMAT, "found %d, wanted %d", 3, 4));
	CU_ASSERT_FALSE(ckpt_error_prefix(&err, "tensor '%s'", "a\nb"));
	CU_ASSERT_STRING_EQUAL(err.text, "tensor 'a\\nb': found 3, wanted 4");
	CU_ASSERT_EQUAL(err.code, CKPT_E_FORMAT);
	CU_ASSERT_FALSE(ckpt_fail(NULL, CKPT_E_IO, "nobody listens"));
	CU_ASSERT_FALSE(ckpt_error_prefix(NULL, "nobody"));
}

static void long_texts_stay_inside(void)
{
	ckpt_error err = {0};
	char name[3000];
	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	ckpt_fail(&err, CKPT_E_FORMAT, "%s", name);
	CU_ASSERT_EQUAL(strlen(err.text), CKPT_ERROR_TEXT - 1);
	ckpt_error_prefix(&err, "%s", name);
	CU_ASSERT(strlen(err.text) < CKPT_ERROR_TEXT);
	ckpt_fail_errno(&err, 28, "%s", name);
	CU_ASSERT_EQUAL(err.code, CKPT_E_IO);
}

static void decodes_utf8_strictly(void)
{
	static const char *const bad[] = {"\x80", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80",
					  "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe6\x9d", "\xc3("};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) CU_ASSERT_EQUAL(ckpt_utf8_check(bad[i], strlen(bad[i])), 0);
	CU_ASSERT_EQUAL(ckpt_utf8_check("ok\xff", 3), 2);
	for (uint32_t c = 0; c <= 0x10ffff; c += c < 0x3000 ? 1 : 97) {
		char text[4];
		uint32_t back = 0;
		size_t n = ckpt_utf8_encode(c, text), m = ckpt_utf8_decode(text, n, &back);
		bool surrogate = c >= 0xd800 && c <= 0xdfff;
		if (surrogate ? m != 0 : m != n || back != c) {
			CU_FAIL("round trip");
			break;
		}
	}
}

static void limits_have_defaults_and_names(void)
{
	ckpt_limits limits = {0};
	ckpt_error err = {0};
	CU_ASSERT(ckpt_limits_set(&limits, "depth", 7, &err));
	limits = ckpt_limits_resolve(&limits);
	CU_ASSERT_EQUAL(limits.depth, 7);
	CU_ASSERT_EQUAL(limits.header_bytes, 100000000);
	CU_ASSERT_FALSE(ckpt_limits_set(&limits, "nonsense", 1, &err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "nonsense"));
	CU_ASSERT_FALSE(ckpt_limits_set(&limits, "depth", 0, &err));
	const char *name, *meaning;
	uint64_t value;
	size_t count = 0;
	while (ckpt_limits_at(count, &name, &value, &meaning)) {
		CU_ASSERT(value > 0 && *meaning);
		count++;
	}
	CU_ASSERT_EQUAL(count, sizeof limits / sizeof(uint64_t));
	ckpt_fail_limit(&err, "the nesting of JSON", 200, "depth", 128);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "200"));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "--limit depth="));
}

static void buffers_grow_and_stay_terminated(void)
{
	ckpt_buffer b = {0};
	for (int i = 0; i < 1000; i++) ckpt_buffer_printf(&b, "%d,", i);
	ckpt_buffer_fill(&b, ' ', 5);
	ckpt_buffer_char(&b, 'x');
	CU_ASSERT_EQUAL(b.length, strlen(b.data));
	CU_ASSERT_EQUAL(b.length, 3890 + 6);
	CU_ASSERT(ckpt_buffer_ok(&b, NULL));
	b.failed = true;
	ckpt_buffer_str(&b, "ignored");
	CU_ASSERT_EQUAL(b.length, 3890 + 6);
	ckpt_error err = {0};
	CU_ASSERT_FALSE(ckpt_buffer_ok(&b, &err));
	CU_ASSERT_EQUAL(err.code, CKPT_E_NOMEM);
	ckpt_buffer_free(&b);
}

static void arenas_align_and_zero(void)
{
	ckpt_arena a = {0};
	for (size_t size = 0; size < 5000; size += 37) {
		unsigned char *p = ckpt_arena_alloc(&a, size);
		CU_ASSERT_PTR_NOT_NULL_FATAL(p);
		CU_ASSERT_EQUAL((uintptr_t)p % 8, 0);
		for (size_t i = 0; i < size; i++)
			if (p[i]) CU_FAIL("not zeroed");
		memset(p, 0xee, size);
	}
	CU_ASSERT_PTR_NULL(ckpt_arena_alloc(&a, SIZE_MAX));
	CU_ASSERT_PTR_NULL(ckpt_arena_copy(&a, "", SIZE_MAX));
	CU_ASSERT_STRING_EQUAL(ckpt_arena_copy(&a, "name and more", 4), "name");
	ckpt_arena_free(&a);
	ckpt_arena_free(&a);
}

static const unit_case cases[] = {
	{"escapes_what_a_terminal_must_not_see", escapes_what_a_terminal_must_not_see},
	{"never_cuts_inside_a_character", never_cuts_inside_a_character},
	{"prefixes_on_the_way_up", prefixes_on_the_way_up},
	{"long_texts_stay_inside", long_texts_stay_inside},
	{"decodes_utf8_strictly", decodes_utf8_strictly},
	{"limits_have_defaults_and_names", limits_have_defaults_and_names},
	{"buffers_grow_and_stay_terminated", buffers_grow_and_stay_terminated},
	{"arenas_align_and_zero", arenas_align_and_zero},
	{0},
};
const unit_suite unit_error = {"error", cases};
