/* test_limits.c -- named limits: defaults, setting one, and the document that lists them */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../lib/limits.h"
#include "unit.h"

static void zero_means_the_default(void)
{
	ckpt_limits given = {.depth = 7};
	ckpt_limits all = ckpt_limits_resolve(NULL), some = ckpt_limits_resolve(&given);
	CU_ASSERT_EQUAL(all.depth, 128);
	CU_ASSERT_EQUAL(all.header_bytes, 100000000);
	CU_ASSERT_EQUAL(all.inflate_bytes, UINT64_C(68719476736));
	CU_ASSERT_EQUAL(some.depth, 7);
	CU_ASSERT_EQUAL(some.tensors, all.tensors);
}

static void every_field_has_a_name(void)
{
	ckpt_limits limits = {0};
	const char *name, *meaning;
	uint64_t value;
	size_t count = 0;
	for (; ckpt_limits_at(count, &name, &value, &meaning); count++) {
		CU_ASSERT_TRUE(ckpt_limits_set(&limits, name, count + 1, NULL));
		CU_ASSERT_TRUE(value > 0 && strlen(meaning) > 0);
	}
	CU_ASSERT_EQUAL(count * sizeof(uint64_t), sizeof limits);
	const uint64_t *fields = (const uint64_t *)(const void *)&limits;
	for (size_t i = 0; i < count; i++) CU_ASSERT_TRUE(fields[i] >= 1 && fields[i] <= count);
}

static void bad_settings_are_refused(void)
{
	ckpt_limits limits = {0};
	ckpt_error err = {0};
	CU_ASSERT_FALSE(ckpt_limits_set(&limits, "header_bytes", 1, &err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "header_bytes"));
	CU_ASSERT_FALSE(ckpt_limits_set(&limits, "", 1, NULL));
	CU_ASSERT_FALSE(ckpt_limits_set(&limits, "depth", 0, &err));
	CU_ASSERT_EQUAL(limits.depth, 0);
}

/* "100,000,000" as the document writes it. */
static void with_commas(uint64_t value, char *text, size_t size)
{
	char digits[32];
	int length = snprintf(digits, sizeof digits, "%" PRIu64, value);
	size_t at = 0;
	for (int i = 0; i < length && at + 2 < size; i++) {
		if (i && (length - i) % 3 == 0) text[at++] = ',';
		text[at++] = digits[i];
	}
	text[at] = 0;
}

static void the_document_lists_them(void)
{
	static char text[1 << 16];
	char row[512], number[64];
	const char *name, *meaning;
	uint64_t value;
	FILE *f = fopen(unit_data("docs/limits.md"), "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	text[fread(text, 1, sizeof text - 1, f)] = 0;
	fclose(f);
	for (size_t i = 0; ckpt_limits_at(i, &name, &value, &meaning); i++) {
		with_commas(value, number, sizeof number);
		snprintf(row, sizeof row, "| `%s` | %s | %s |\n", name, number, meaning);
		CU_ASSERT_PTR_NOT_NULL(strstr(text, row));
		snprintf(row, sizeof row, "`%s`", name);
		const char *first = strstr(text, row);
		CU_ASSERT_TRUE(first && strstr(first + 1, row)); /* and gives a reason below */
	}
}

static const unit_case cases[] = {
	{"zero_means_the_default", zero_means_the_default},
	{"every_field_has_a_name", every_field_has_a_name},
	{"bad_settings_are_refused", bad_settings_are_refused},
	{"the_document_lists_them", the_document_lists_them},
	{0},
};

const unit_suite unit_limits = {"limits", cases};
