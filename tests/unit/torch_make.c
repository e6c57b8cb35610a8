/* torch_make.c -- pickles of tensors in protocol 0 text, and files around them, for tests */
#include "torch_make.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../lib/buffer.h"
#include "../../lib/hash.h"
#include "files.h"
#include "unit.h"

static const uint8_t values[16] = {0, 0, 0x80, 0x3f, 0, 0, 0, 0x40, 0, 0, 0x40, 0x40, 0, 0, 0x80, 0x40};

zip_archive torch_archive(const char *pickle, size_t length)
{
	zip_archive a = {0};
	zip_add(&a, "m/data.pkl", pickle, length);
	zip_add(&a, "m/byteorder", "little", 6);
	zip_add(&a, "m/data/0", values, sizeof values);
	zip_add(&a, "m/version", "3\n", 2);
	return a;
}

const char *torch_legacy(const void *object, size_t object_length, const void *rest, size_t rest_length)
{
	static const char head[] = "\x80\2\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.\x80\2M\xe9\3.\x80\2}.";
	ckpt_buffer b = {0};
	ckpt_buffer_add(&b, head, sizeof head - 1);
	ckpt_buffer_add(&b, object, object_length);
	ckpt_buffer_add(&b, rest, rest_length);
	const char *path = unit_write("legacy.pt", b.data, b.length);
	ckpt_buffer_free(&b);
	return path;
}

ckpt_checkpoint *torch_accept(const char *path, const ckpt_open_options *options)
{
	ckpt_error err = {0};
	ckpt_checkpoint *cp = ckpt_open(path, options, &err);
	if (!cp) printf("# %s\n", err.text);
	CU_ASSERT_PTR_NOT_NULL_FATAL(cp);
	return cp;
}

void torch_refuse(const char *path, const ckpt_open_options *options, const char *word)
{
	ckpt_error err = {0};
	ckpt_checkpoint *cp = ckpt_open(path, options, &err);
	if (!strstr(err.text, word)) printf("# wanted \"%s\" in: %s\n", word, cp ? "success" : err.text);
	CU_ASSERT_PTR_NULL(cp);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, word));
	ckpt_checkpoint_free(cp);
}

const char *torch_names(const ckpt_checkpoint *cp)
{
	static char text[4096];
	size_t used = 0;
	text[0] = '\0';
	for (size_t i = 0; i < ckpt_checkpoint_tensor_count(cp) && used < sizeof text; i++)
		used += (size_t)snprintf(text + used, sizeof text - used, "%s ",
		                         ckpt_tensor_name(ckpt_checkpoint_tensor_at(cp, i)));
	return text;
}

bool torch_has_note(const ckpt_checkpoint *cp, const char *word)
{
	for (size_t i = 0; i < ckpt_checkpoint_note_count(cp); i++)
		if (strstr(ckpt_checkpoint_note_at(cp, i), word)) return true;
	return false;
}

/* ---- fixtures ---- */

static bool ends_in(const char *text, const char *tail)
{
	size_t n = strlen(text), m = strlen(tail);
	return n >= m && strcmp(text + n - m, tail) == 0;
}

/* One line of expected.txt: file, name, dtype, shape, hash. */
static void expect_line(const ckpt_checkpoint *cp, char **field, size_t *seen)
{
	char hex[65], shape[256] = "";
	ckpt_error err = {0};
	const ckpt_tensor *t = ckpt_checkpoint_tensor_find(cp, field[1]);
	if (!t) printf("# %s has no tensor %s\n", field[0], field[1]);
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	CU_ASSERT_STRING_EQUAL(ckpt_dtype_name(ckpt_tensor_dtype(t)), field[2]);
	for (size_t d = 0; d < ckpt_tensor_rank(t); d++) {
		size_t n = strlen(shape);
		snprintf(shape + n, sizeof shape - n, "%s%llu", d ? "," : "",
		         (unsigned long long)ckpt_tensor_shape(t)[d]);
	}
	CU_ASSERT_STRING_EQUAL(shape, field[3]);
	bool same = ckpt_tensor_sha256(t, hex, &err) && strcmp(hex, field[4]) == 0;
	if (!same) printf("# %s: tensor %s: %s\n", field[0], field[1], err.code ? err.text : "other bytes");
	CU_ASSERT_TRUE(same);
	(*seen)++;
}

void torch_expect_fixtures(const char *tail, const char * not, size_t least)
{
	char *field[5], file[128] = "", path[4096], *rest;
	size_t length, seen = 0, files = 0;
	char *text = unit_read(unit_data("data/fixtures/torch/expected.txt"), &length);
	ckpt_checkpoint *cp = NULL;
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		for (int i = 0; i < 5; i++) field[i] = strsep(&line, "\t");
		if (!ends_in(field[0], tail) || ends_in(field[0], not )) continue;
		if (strcmp(field[0], file) != 0) {
			if (cp && !torch_has_note(cp, "cannot be read"))
				CU_ASSERT_EQUAL(ckpt_checkpoint_tensor_count(cp), seen);
			ckpt_checkpoint_free(cp);
			snprintf(file, sizeof file, "%s", field[0]);
			snprintf(path, sizeof path, "data/fixtures/torch/%s", file);
			cp = torch_accept(unit_data(path), NULL);
			seen = 0;
			files++;
		}
		expect_line(cp, field, &seen);
	}
	CU_ASSERT_TRUE(files >= least);
	ckpt_checkpoint_free(cp);
	free(text);
}
