/* test_door.c -- the table of formats, and which row a file goes to */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../formats/format.h"
#include "files.h"
#include "unit.h"

#define GOOD "{\"w\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}"

static void test_table(void)
{
	CU_ASSERT_TRUE(ckpt_format_count() > 0);
	for (size_t i = 0; i < ckpt_format_count(); i++) {
		ckpt_format_info info;
		const ckpt_format *row = ckpt_format_row(i);
		CU_ASSERT_TRUE_FATAL(ckpt_format_at(i, &info));
		CU_ASSERT_STRING_EQUAL(info.name, row->name);
		CU_ASSERT_TRUE(info.reads || info.writes);
		CU_ASSERT_TRUE(strlen(info.summary) > 0);
		CU_ASSERT_PTR_EQUAL(ckpt_format_by_name(info.name), row); /* no other row has the name */
		for (const char *const *s = row->suffixes; s && *s; s++) {
			char path[64];
			CU_ASSERT_EQUAL((*s)[0], '.');
			snprintf(path, sizeof path, "a.b/x%s", *s);
			CU_ASSERT_PTR_EQUAL(ckpt_format_by_suffix(path), row); /* nor the suffix */
		}
	}
	CU_ASSERT_FALSE(ckpt_format_at(ckpt_format_count(), NULL));
	CU_ASSERT_PTR_NULL(ckpt_format_row(ckpt_format_count()));
	CU_ASSERT_PTR_NULL(ckpt_format_by_name("none"));
	static const char *const none[] = {"x", "", ".safetensors", "safetensors", "x.safetensors/y", "x.safetensors.gz"};
	for (size_t i = 0; i < sizeof none / sizeof *none; i++) CU_ASSERT_PTR_NULL(ckpt_format_by_suffix(none[i]));
	CU_ASSERT_STRING_EQUAL(ckpt_format_by_suffix("X.SafeTensors")->name, "safetensors");
}

static void check(const char *path, const char *format, const char *word)
{
	ckpt_open_options options = {.format = format};
	ckpt_error err = {0};
	ckpt_checkpoint *cp = ckpt_open(path, &options, &err);
	if (word) {
		CU_ASSERT_PTR_NULL(cp);
		if (!strstr(err.text, word)) printf("# wanted \"%s\" in: %s\n", word, err.text);
		CU_ASSERT_PTR_NOT_NULL(strstr(err.text, word));
	} else {
		if (!cp) printf("# %s\n", err.text);
		CU_ASSERT_PTR_NOT_NULL_FATAL(cp);
		CU_ASSERT_STRING_EQUAL(ckpt_checkpoint_format(cp), "safetensors");
	}
	ckpt_checkpoint_free(cp);
}

static void test_choice(void)
{
	/* the content decides, not the name */
	check(unit_write_st("content.bin", GOOD, 1), NULL, NULL);
	check(unit_write_st("content", GOOD, 1), NULL, NULL);
	check(unit_path("content"), "safetensors", NULL);
	/* what nobody recognises goes to the row of its suffix, which knows best what is wrong */
	check(unit_write_st("broken.safetensors", "[1]", 0), NULL, "safetensors header: invalid JSON");
	check(unit_write("broken", "\x01\x02\x03\x04", 4), NULL, "none of the formats that ckpt reads (");
	check(unit_path("broken"), "safetensors", "too small");
	check(unit_write("page", "<html><body>404</body></html>", 29), "safetensors", "this is an HTML page");
	check(unit_path("content"), "none", "there is no format called 'none'");
	check(unit_path("missing"), NULL, "No such file");
	check(unit_mkdir("door"), "safetensors", "is a folder");
}

static const unit_case cases[] = {
	{"table", test_table},
	{"choice", test_choice},
	{0},
};

const unit_suite unit_door = {"door", cases};
