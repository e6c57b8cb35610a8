/* test_convert_check.c -- the verdict of convert --check on outputs that are right, and that are wrong */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "../../formats/format.h"
#include "../../tools/convert.h"
#include "files.h"
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

/* Asks for the verdict on `written`, kept in a file, as a copy of `wanted`. */
static bool verdict(ckpt_checkpoint *wanted, ckpt_checkpoint *written)
{
	char path[512], fingerprint[65];
	const ckpt_save_options options = {.force = true, .no_sync = true};
	ckpt_call call = {.quiet = true};
	ckpt_error err = {0};
	size_t different = 99;
	snprintf(path, sizeof path, "%s/check.safetensors", unit_folder());
	CU_ASSERT_TRUE(ckpt_save(written, path, &options, NULL, &err));
	ckpt_checkpoint *again = ckpt_open(path, NULL, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(again);
	ckpt_conversion c = {.call = &call, .target = path, .cp = wanted};
	printf("# what the check says:\n# ");
	CU_ASSERT_TRUE(ckpt_convert_check(&c, again, &different, fingerprint, &err));
	printf("\n");
	ckpt_checkpoint_free(again);
	ckpt_checkpoint_free(wanted);
	ckpt_checkpoint_free(written);
	return different == 0;
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

typedef struct seen {
	const ckpt_checkpoint *wanted;
	const char *path; /* where the output will be */
	char fingerprint[65];
	size_t calls;
	bool good, say;
	uint64_t was; /* the size of what stood there meanwhile; 0: nothing did */
} seen;

static uint64_t size_of(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static bool look(void *user, const ckpt_checkpoint *written, ckpt_error *err)
{
	seen *s = user;
	char mine[65], its[65];
	s->calls++;
	s->was = size_of(s->path);
	CU_ASSERT_TRUE(ckpt_checkpoint_sha256(s->wanted, NULL, NULL, mine, NULL));
	CU_ASSERT_TRUE(ckpt_checkpoint_sha256(written, NULL, NULL, its, NULL));
	CU_ASSERT_STRING_EQUAL(mine, its);
	CU_ASSERT_EQUAL(ckpt_checkpoint_tensor_count(written), 2);
	if (s->say) ckpt_fail(err, CKPT_E_FORMAT, "it will not do");
	return s->good;
}

/* Nothing has its name before the check, and nothing gets one after a no: one file, one over another, shards. */
static void test_before_the_name(void)
{
	static const uint64_t shape[] = {2, 3};
	char path[600], entry[640];
	ckpt_error err = {0};
	for (int kind = 0; kind < 3; kind++) {
		ckpt_checkpoint *cp = sample("two", 6, shape);
		const ckpt_save_options options = {.force = kind == 1, .no_sync = true, .max_shard_bytes = kind == 2 ? 24 : 0};
		const char *folder = unit_mkdir("named");
		snprintf(path, sizeof path, "%s%s", folder, kind == 2 ? "/" : "/x.safetensors");
		snprintf(entry, sizeof entry, "%s%s", path, kind == 2 ? "model.safetensors.index.json" : "");
		if (kind == 1) unit_write("named/x.safetensors", "old", 3);
		for (int turn = 0; turn < 3; turn++) { /* no, no with a reason, yes */
			seen s = {.wanted = cp, .path = entry, .good = turn == 2, .say = turn == 1};
			ckpt_save_plan *plan = ckpt_save_plan_new(cp, path, &options, &err);
			CU_ASSERT_PTR_NOT_NULL_FATAL(plan);
			err = (ckpt_error){0};
			CU_ASSERT_EQUAL(ckpt_save_plan_run_checked(plan, NULL, look, &s, &err), turn == 2);
			CU_ASSERT_EQUAL(err.code, turn == 1 ? CKPT_E_FORMAT : CKPT_OK);
			CU_ASSERT_EQUAL(s.calls, 1);
			CU_ASSERT_EQUAL(s.was, kind == 1 ? 3 : 0);
			if (turn < 2) CU_ASSERT_EQUAL(size_of(entry), kind == 1 ? 3 : 0);
			if (turn < 2) CU_ASSERT_EQUAL(unit_entries(folder), kind == 1);
			ckpt_save_plan_free(plan);
		}
		ckpt_checkpoint *back = ckpt_open(kind == 2 ? folder : path, NULL, &err);
		CU_ASSERT_PTR_NOT_NULL(back);
		if (back) CU_ASSERT_EQUAL(ckpt_checkpoint_tensor_count(back), 2);
		ckpt_checkpoint_free(back);
		ckpt_checkpoint_free(cp);
	}
}

static const unit_case cases[] = {
	{"verdicts", test_verdicts},
	{"many differences", test_many},
	{"before the name", test_before_the_name},
	{0},
};

const unit_suite unit_convert_check = {"convert_check", cases};
