/* test_convert_check.c -- the verdict of convert --check on outputs that are right, and that are wrong */
#include <stdio.h>
#include <string.h>

#include "../../tools/convert.h"
#include "unit.h"

static ckpt_checkpoint *sample(const char *second, float value, const uint64_t *shape)
{
	float data[6] = {1, 2, 3, 4, 5, value};
	ckpt_checkpoint *cp = ckpt_checkpoint_new(NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(cp);
	CU_ASSERT_TRUE(ckpt_checkpoint_add_bytes(cp, "one", CKPT_F32, 2, shape, data, sizeof data, NULL));
	CU_ASSERT_TRUE(ckpt_checkpoint_add_bytes(cp, second, CKPT_F32, 2, shape, data, sizeof data, NULL));
	return cp;
}

/* Writes `written` where a plan for `wanted` says it goes, and asks for the verdict. */
static bool verdict(ckpt_checkpoint *wanted, ckpt_checkpoint *written)
{
	char path[512];
	const ckpt_save_options options = {.force = true, .no_sync = true};
	ckpt_call call = {.quiet = true};
	ckpt_error err = {0};
	bool equal = false;
	snprintf(path, sizeof path, "%s/check.safetensors", unit_folder());
	ckpt_save_plan *plan = ckpt_save_plan_new(wanted, path, &options, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(plan);
	CU_ASSERT_TRUE(ckpt_save(written, path, &options, NULL, &err));
	ckpt_conversion c = {.call = &call, .target = path, .cp = wanted, .plan = plan};
	printf("# what the check says:\n# ");
	CU_ASSERT_TRUE(ckpt_convert_check(&c, &equal, &err));
	printf("\n");
	ckpt_save_plan_free(plan);
	ckpt_checkpoint_free(wanted);
	ckpt_checkpoint_free(written);
	return equal;
}

static void test_verdicts(void)
{
	static const uint64_t shape[] = {2, 3}, other[] = {3, 2};
	CU_ASSERT_TRUE(verdict(sample("two", 6, shape), sample("two", 6, shape)));
	CU_ASSERT_FALSE(verdict(sample("two", 6, shape), sample("two", 7, shape)));
	CU_ASSERT_FALSE(verdict(sample("two", 6, shape), sample("two", 6, other)));
	CU_ASSERT_FALSE(verdict(sample("two", 6, shape), sample("three", 6, shape)));
	ckpt_checkpoint *more = sample("two", 6, shape);
	CU_ASSERT_TRUE(ckpt_checkpoint_add_fill(more, "extra", CKPT_F32, 2, shape, 0, NULL));
	CU_ASSERT_FALSE(verdict(sample("two", 6, shape), more));
	ckpt_checkpoint *fewer = sample("two", 6, shape), *all = sample("two", 6, shape);
	const char *one[] = {"one"};
	CU_ASSERT_TRUE(ckpt_checkpoint_select(fewer, one, 1, NULL, 0, NULL));
	CU_ASSERT_FALSE(verdict(all, fewer));
}

/* More differences than are named. */
static void test_many(void)
{
	static const uint64_t shape[] = {1};
	ckpt_checkpoint *a = ckpt_checkpoint_new(NULL), *b = ckpt_checkpoint_new(NULL);
	for (int i = 0; i < 30; i++) {
		char name[16];
		snprintf(name, sizeof name, "t%d", i);
		CU_ASSERT_TRUE(ckpt_checkpoint_add_fill(a, name, CKPT_F32, 1, shape, 1, NULL));
		CU_ASSERT_TRUE(ckpt_checkpoint_add_fill(b, name, CKPT_F32, 1, shape, i < 15 ? 2 : 1, NULL));
	}
	CU_ASSERT_FALSE(verdict(a, b));
}

/* An output that is gone is an error, not a verdict. */
static void test_gone(void)
{
	static const uint64_t shape[] = {2, 3};
	char path[512];
	ckpt_checkpoint *cp = sample("two", 6, shape);
	ckpt_call call = {.quiet = true};
	ckpt_error err = {0};
	bool equal = true;
	snprintf(path, sizeof path, "%s/gone.safetensors", unit_folder());
	ckpt_save_plan *plan = ckpt_save_plan_new(cp, path, NULL, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(plan);
	ckpt_conversion c = {.call = &call, .target = path, .cp = cp, .plan = plan};
	CU_ASSERT_FALSE(ckpt_convert_check(&c, &equal, &err));
	CU_ASSERT_NOT_EQUAL(err.code, CKPT_OK);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "gone.safetensors"));
	ckpt_save_plan_free(plan);
	ckpt_checkpoint_free(cp);
}

static const unit_case cases[] = {
	{"verdicts", test_verdicts},
	{"many differences", test_many},
	{"no output", test_gone},
	{0},
};

const unit_suite unit_convert_check = {"convert_check", cases};
