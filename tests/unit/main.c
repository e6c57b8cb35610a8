/* main.c -- runs the unit suites, reports in TAP: `unit` runs all, `unit SUITE ...` some, `unit --list` names them */
#include "unit.h"
#include <CUnit/TestRun.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef UNIT_SRCDIR
#define UNIT_SRCDIR "."
#endif

#define UNIT(name) extern const unit_suite unit_##name;
#include "suites.h"
#undef UNIT
#define UNIT(name) &unit_##name,
static const unit_suite *const suites[] = {
#include "suites.h"
};
enum { SUITE_COUNT = sizeof suites / sizeof suites[0] };

static char folder[] = "/tmp/ckpt-unit-XXXXXX";
static bool folder_made;
static unsigned done;

const char *unit_folder(void)
{
	if (!folder_made && !mkdtemp(folder)) {
		perror("mkdtemp");
		exit(1);
	}
	folder_made = true;
	return folder;
}

const char *unit_data(const char *name)
{
	static char path[4096];
	const char *root = getenv("CKPT_SRCDIR");
	snprintf(path, sizeof path, "%s/%s", root ? root : UNIT_SRCDIR, name);
	return path;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
	(void)st, (void)kind, (void)walk;
	return remove(path);
}

/* CUnit calls this after each case; the failures come as a list in case order. */
static void report_case(const CU_pTest test, const CU_pSuite suite, const CU_pFailureRecord failures)
{
	bool failed = false;
	for (CU_pFailureRecord f = failures; f; f = f->pNext) {
		if (f->pTest != test || f->pSuite != suite) continue;
		failed = true;
		printf("# %s:%u: %s\n", f->strFileName, f->uiLineNumber, f->strCondition);
	}
	printf("%s %u - %s/%s\n", failed ? "not ok" : "ok", ++done, suite->pName, test->pName);
	fflush(stdout);
}

static bool wanted(const unit_suite *suite, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], suite->name)) return true;
	return argc == 1;
}

static unsigned add_suite(const unit_suite *suite)
{
	unsigned count = 0;
	CU_pSuite s = CU_add_suite(suite->name, NULL, NULL);
	if (!s) return 0;
	for (const unit_case *c = suite->cases; c->name; c++, count++)
		if (!CU_add_test(s, c->name, c->run)) return 0;
	return count;
}

int main(int argc, char **argv)
{
	unsigned planned = 0;
	if (argc == 2 && !strcmp(argv[1], "--list")) {
		for (size_t i = 0; i < SUITE_COUNT; i++) puts(suites[i]->name);
		return 0;
	}
	if (CU_initialize_registry() != CUE_SUCCESS) return 1;
	for (size_t i = 0; i < SUITE_COUNT; i++) {
		if (!wanted(suites[i], argc, argv)) continue;
		unsigned added = add_suite(suites[i]);
		if (!added) {
			printf("Bail out! suite %s has no cases: %s\n", suites[i]->name, CU_get_error_msg());
			return 1;
		}
		planned += added;
	}
	printf("1..%u\n", planned);
	CU_set_test_complete_handler(report_case);
	CU_run_all_tests();
	unsigned failed = CU_get_number_of_tests_failed();
	printf("# %u cases, %u failed; %u assertions, %u failed\n", done, failed, CU_get_number_of_asserts(),
	       CU_get_number_of_failures());
	CU_cleanup_registry();
	if (folder_made) nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return failed || done != planned || !planned ? 1 : 0;
}
