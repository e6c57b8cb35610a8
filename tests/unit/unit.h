/* unit.h -- how a unit test file offers its cases: one const struct, listed in tests/unit/main.c */
#ifndef CKPT_UNIT_H
#define CKPT_UNIT_H
#include <CUnit/CUnit.h>

typedef struct unit_case {
	const char *name;
	void (*run)(void);
} unit_case;

/* test_cast.c defines `const unit_suite unit_cast = {"cast", cases};` with cases ending in {0}. */
typedef struct unit_suite {
	const char *name;
	const unit_case *cases;
} unit_suite;

/* A fresh folder for files of this run; removed at the end. */
const char *unit_folder(void);
/* Path of a file that the source tree ships below data/ or tests/. Static buffer, one call at a time. */
const char *unit_data(const char *name);
#endif
