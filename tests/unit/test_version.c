/* test_version.c -- the library says which version it is */
#include "unit.h"
#include "../../lib/ckpt.h"
#include <string.h>

static void version_is_the_packages(void) { CU_ASSERT_STRING_EQUAL(ckpt_version(), PACKAGE_VERSION); }

static const unit_case cases[] = {
	{"version_is_the_packages", version_is_the_packages},
	{0},
};

const unit_suite unit_version = {"version", cases};
