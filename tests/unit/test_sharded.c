/* test_sharded.c -- the index of shards: agreement with the files, names that must not leave the folder, remarks */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../../lib/checkpoint.h"
#include "../../lib/path.h"
#include "files.h"
#include "unit.h"

#define INDEX               "s/model.safetensors.index.json"
#define W(name, begin, end) "\"" name "\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[" begin "," end "]}"

static const char *write_index(const char *text)
{
	return unit_write(INDEX, text, strlen(text));
}

/* A folder s with a.safetensors {w} and b.safetensors {v, u}. */
static void make_shards(void)
{
	unit_mkdir("s");
	unit_write_st("s/a.safetensors", "{\"__metadata__\":{\"format\":\"pt\"}," W("w", "0", "4") "}", 4);
	unit_write_st("s/b.safetensors",
	              "{\"__metadata__\":{\"format\":\"pt\",\"k\":\"b\",\"gone\":\"v\"}," W("v", "4", "8") "," W(
	                  "u", "0", "4") "}",
	              8);
}

static void refuse_path(const char *path, const char *word)
{
	ckpt_error err = {0};
	ckpt_checkpoint *cp = ckpt_open(path, NULL, &err);
	CU_ASSERT_PTR_NULL(cp);
	ckpt_checkpoint_free(cp);
	if (!strstr(err.text, word)) printf("# wanted \"%s\" in: %s\n", word, err.text);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, word));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, path));
}

static void refuse(const char *text, const char *word)
{
	refuse_path(write_index(text), word);
}

static ckpt_checkpoint *accept(const char *path, size_t count)
{
	ckpt_error err = {0};
	ckpt_checkpoint *cp = ckpt_open(path, NULL, &err);
	if (!cp) printf("# %s\n", err.text);
	CU_ASSERT_PTR_NOT_NULL_FATAL(cp);
	CU_ASSERT_EQUAL(ckpt_checkpoint_tensor_count(cp), count);
	return cp;
}

static void test_good(void)
{
	make_shards();
	const char *path =
		write_index("{\"metadata\":{\"total_size\":12,\"total_parameters\":12,\"k\":\"index\",\"x\":[1]},"
	                "\"weight_map\":{\"v\":\"b.safetensors\",\"w\":\"a.safetensors\",\"u\":\"b.safetensors\"},"
	                "\"other\":1}");
	ckpt_checkpoint *cp = accept(path, 3);
	static const char *const order[] = {"w", "u", "v"}; /* files by name, each in its own order */
	for (size_t i = 0; i < 3; i++)
		CU_ASSERT_STRING_EQUAL(ckpt_tensor_name(ckpt_checkpoint_tensor_at(cp, i)), order[i]);
	CU_ASSERT_STRING_EQUAL(ckpt_checkpoint_format(cp), "sharded");
	CU_ASSERT_STRING_EQUAL(ckpt_checkpoint_detail(cp), "2 safetensors files");
	CU_ASSERT_EQUAL(ckpt_checkpoint_note_count(cp), 0);
	static const char *const pairs[] = {"k", "index", "format", "pt", "gone", "v"};
	CU_ASSERT_EQUAL_FATAL(ckpt_checkpoint_metadata_count(cp), 3);
	for (size_t i = 0; i < 3; i++) {
		CU_ASSERT_STRING_EQUAL(ckpt_checkpoint_metadata_key(cp, i), pairs[2 * i]);
		CU_ASSERT_STRING_EQUAL(ckpt_checkpoint_metadata_value(cp, i), pairs[2 * i + 1]);
	}
	uint8_t byte = 1;
	CU_ASSERT_TRUE(ckpt_tensor_read(ckpt_checkpoint_tensor_find(cp, "v"), 3, 1, &byte, NULL));
	CU_ASSERT_EQUAL(byte, 0);
	CU_ASSERT_EQUAL(cp->file_count, 3); /* the index and both shards are watched */
	ckpt_checkpoint_free(cp);
}

#define MAP_W "\"w\":\"a.safetensors\""
#define MAP_B "\"v\":\"b.safetensors\",\"u\":\"b.safetensors\""

static void test_remarks(void)
{
	make_shards();
	ckpt_checkpoint *cp =
		accept(write_index("{\"metadata\":{\"total_size\":999},\"weight_map\":{" MAP_W "," MAP_B "}}"), 3);
	CU_ASSERT_EQUAL_FATAL(ckpt_checkpoint_note_count(cp), 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(ckpt_checkpoint_note_at(cp, 0), "total_size 999, the tensors have 12 bytes"));
	ckpt_checkpoint_free(cp);
	ckpt_checkpoint_free(accept(write_index("{\"weight_map\":{" MAP_W "," MAP_B "}}"), 3));
	ckpt_checkpoint_free(accept(write_index("{\"metadata\":null,\"weight_map\":{" MAP_W "," MAP_B "}}"), 3));
	/* a name that was dropped for another one when the shards were converted may stay in the index */
	cp = accept(write_index("{\"weight_map\":{" MAP_W "," MAP_B ",\"gone\":\"b.safetensors\"}}"), 3);
	ckpt_checkpoint_free(cp);
	cp = accept(write_index("{\"metadata\":{\"tied\":\"w\"},\"weight_map\":{" MAP_W "," MAP_B
	                        ",\"tied\":\"a.safetensors\"}}"),
	            3);
	ckpt_checkpoint_free(cp);
}

static void test_disagreement(void)
{
	make_shards();
	refuse("{\"weight_map\":{" MAP_W ",\"lost\":\"a.safetensors\"}}",
	       "tensor 'lost' in shard 'a.safetensors', where it is missing");
	refuse("{\"weight_map\":{\"v\":\"a.safetensors\"}}",
	       "shard 'a.safetensors': tensor 'w' is missing in the index");
	refuse("{\"weight_map\":{" MAP_W ",\"v\":\"b.safetensors\"}}", "tensor 'u' is missing in the index");
	refuse("{\"weight_map\":{" MAP_W ",\"v\":\"b.safetensors\",\"u\":\"a.safetensors\"}}",
	       "shard 'b.safetensors': tensor 'u' belongs to shard 'a.safetensors'");
	refuse("{\"weight_map\":{\"w\":\"absent.safetensors\"}}", "shard 'absent.safetensors'");
	unit_write("s/c.safetensors", "", 0);
	refuse("{\"weight_map\":{\"w\":\"c.safetensors\"}}", "empty");
}

static void test_bad_index(void)
{
	make_shards();
	refuse("{}", "no weight_map");
	refuse("{\"weight_map\":{}}", "weight_map is empty");
	refuse("{\"weight_map\":[]}", "weight_map must be an object, found an array");
	refuse("{\"weight_map\":{\"w\":1}}", "found a number for tensor 'w'");
	refuse("{\"weight_map\":{" MAP_W "," MAP_W "}}", "duplicate key 'w'");
	refuse("{\"weight_map\":{" MAP_W "," MAP_B "},\"weight_map\":{}}", "duplicate key 'weight_map'");
	refuse("{\"weight_map\":{" MAP_W "}", "invalid JSON");
	refuse("[]", "object");
	refuse("", "object");
	refuse("{\"metadata\":[],\"weight_map\":{" MAP_W "}}", "metadata must be an object");
	const char *path = write_index("{\"weight_map\":{" MAP_W "," MAP_B "}}");
	ckpt_open_options options = {.limits.index_bytes = 20};
	ckpt_error err = {0};
	CU_ASSERT_PTR_NULL(ckpt_open(path, &options, &err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "index-bytes"));
	options = (ckpt_open_options){.limits.tensors = 2};
	CU_ASSERT_PTR_NULL(ckpt_open(path, &options, &err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "--limit tensors"));
}

static void test_names(void)
{
	make_shards();
	static const char *const bad[] = {"",
	                                  "..",
	                                  "../s/a.safetensors",
	                                  "x/../a.safetensors",
	                                  "/etc/passwd",
	                                  ".",
	                                  "./a.safetensors",
	                                  "x//a",
	                                  "x/",
	                                  "..\\\\a",
	                                  "C:/a",
	                                  "C:a",
	                                  "a\\nb",
	                                  "\\u007f"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		char text[256];
		snprintf(text, sizeof text, "{\"weight_map\":{\"w\":\"%s\"}}", bad[i]);
		refuse(text, "shard name");
	}
	refuse("{\"weight_map\":{\"w\":\"a\\u0000.safetensors\"}}", "NUL");
	refuse("{\"weight_map\":{\"w\":\"model.safetensors.index.json\"}}", "is an index itself");
	/* an index under a name that does not say so */
	unit_write("s/nested.safetensors", "{\"weight_map\":{\"w\":\"nested.safetensors\"}}", 41);
	refuse("{\"weight_map\":{\"w\":\"nested.safetensors\"}}", "an index inside a shard");
	mkdir(unit_path("s/d"), 0777);
	refuse("{\"weight_map\":{\"w\":\"d\"}}", "folder");
	CU_ASSERT_EQUAL(mkfifo(unit_path("s/p"), 0600), 0);
	refuse("{\"weight_map\":{\"w\":\"p\"}}", "pipe");
	/* a shard in a subfolder is fine */
	unit_write_st("s/d/a.safetensors", "{" W("w", "0", "4") "}", 4);
	ckpt_checkpoint_free(accept(write_index("{\"weight_map\":{\"w\":\"d/a.safetensors\"}}"), 1));
	refuse("{\"weight_map\":{\"w\":\"a.safetensors/x\"}}", "Not a directory");
	unlink(unit_path("s/d/a.safetensors"));
}

static void test_links(void)
{
	make_shards();
	unit_mkdir("outside");
	unit_write_st("outside/o.safetensors", "{" W("w", "0", "4") "}", 4);
	static const char *const targets[] = {"../outside/o.safetensors", "d/../../outside/o.safetensors", "loop",
	                                      NULL};
	char absolute[4096];
	snprintf(absolute, sizeof absolute, "%s", unit_path("outside/o.safetensors"));
	for (size_t i = 0; i < 4; i++) {
		unlink(unit_path("s/link"));
		CU_ASSERT_EQUAL(symlink(targets[i] ? targets[i] : absolute, unit_path("s/link")), 0);
		refuse("{\"weight_map\":{\"w\":\"link\"}}", "outside the folder");
		unlink(unit_path("s/loop"));
		CU_ASSERT_EQUAL(symlink("link", unit_path("s/loop")), 0);
	}
	/* a folder that is a link outwards */
	CU_ASSERT_EQUAL(symlink("../outside", unit_path("s/out")), 0);
	refuse("{\"weight_map\":{\"w\":\"out/o.safetensors\"}}", "outside the folder");
	/* links that stay inside, of a file and of a folder */
	mkdir(unit_path("s/sub"), 0777);
	unit_write_st("s/sub/x.safetensors", "{" W("w", "0", "4") "}", 4);
	CU_ASSERT_EQUAL(symlink("sub", unit_path("s/inner")), 0);
	CU_ASSERT_EQUAL(symlink("inner/x.safetensors", unit_path("s/y.safetensors")), 0);
	ckpt_checkpoint_free(accept(write_index("{\"weight_map\":{\"w\":\"y.safetensors\"}}"), 1));
	unlink(unit_path("s/sub/x.safetensors"));
	refuse("{\"weight_map\":{\"w\":\"y.safetensors\"}}", "No such file");
	/* a name too long for a path */
	char *text = malloc(10000);
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	strcpy(text, "{\"weight_map\":{\"w\":\"");
	for (int i = 0; i < 1500; i++) strcat(text, "abcde/");
	strcat(text, "x\"}}");
	refuse(text, "File name too long");
	sprintf(text, "{\"weight_map\":{\"w\":\"%0300d\"}}", 0);
	refuse(text, "File name too long");
	free(text);
}

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_hub_cache(void)
{
	static const char *const folders[] = {"hub",
	                                      "hub/models--x",
	                                      "hub/models--x/blobs",
	                                      "hub/models--x/snapshots",
	                                      "hub/models--x/snapshots/r",
	                                      "hub/models--x/snapshots/r/unet",
	                                      "hub/other",
	                                      "hub/other/r"};
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) mkdir(unit_path(folders[i]), 0777);
	unit_write_st("hub/models--x/blobs/" HASH, "{" W("w", "0", "4") "}", 4);
	static const char map[] = "{\"weight_map\":{\"w\":\"model-00001-of-00001.safetensors\"}}";
	unit_write("hub/models--x/blobs/index", map, sizeof map - 1);
	static const struct {
		const char *folder, *target;
		bool good;
	} rows[] = {
		{"hub/models--x/snapshots/r", "../../blobs/" HASH, true},
		{"hub/models--x/snapshots/r/unet", "../../../blobs/" HASH, true},
		{"hub/models--x/snapshots/r", "../../blobs/index", false},          /* no hash */
		{"hub/models--x/snapshots/r", "../../blobs/../blobs/" HASH, false}, /* a detour */
		{"hub/models--x/snapshots/r", "../../../models--x/blobs/" HASH, false},
		{"hub/other/r", "../../models--x/blobs/" HASH, false}, /* another model's */
		{"hub/other", "../models--x/blobs/" HASH, false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char name[256];
		snprintf(name, sizeof name, "%s/model-00001-of-00001.safetensors", rows[i].folder);
		unlink(unit_path(name));
		CU_ASSERT_EQUAL(symlink(rows[i].target, unit_path(name)), 0);
		snprintf(name, sizeof name, "%s/model.safetensors.index.json", rows[i].folder);
		const char *index = unit_write(name, map, sizeof map - 1);
		if (rows[i].good)
			ckpt_checkpoint_free(accept(index, 1));
		else
			refuse_path(index, "outside the folder");
	}
	/* blobs beside the folder, but the folder is not in snapshots */
	mkdir(unit_path("hub/other/blobs"), 0777);
	unit_write_st("hub/other/blobs/" HASH, "{" W("w", "0", "4") "}", 4);
	mkdir(unit_path("hub/other/r/s"), 0777);
	CU_ASSERT_EQUAL(symlink("../../blobs/" HASH, unit_path("hub/other/r/s/model-00001-of-00001.safetensors")), 0);
	refuse_path(unit_write("hub/other/r/s/model.safetensors.index.json", map, sizeof map - 1),
	            "outside the folder");
}

static void test_path_helpers(void)
{
	static const struct {
		const char *path, *folder, *base;
	} rows[] = {{"x", ".", "x"},    {"a/x", "a", "x"}, {"/x", "/", "x"},
	            {"a//x", "a", "x"}, {"a/", "a", ""},   {"", ".", ""}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char *folder = ckpt_path_folder(rows[i].path, NULL);
		CU_ASSERT_STRING_EQUAL(folder, rows[i].folder);
		free(folder);
		CU_ASSERT_STRING_EQUAL(ckpt_path_base(rows[i].path), rows[i].base);
	}
	static const char *const joins[][3] = {{"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "b"}, {"/", "b", "/b"}};
	for (size_t i = 0; i < sizeof joins / sizeof *joins; i++) {
		char *path = ckpt_path_join(joins[i][0], joins[i][1], NULL);
		CU_ASSERT_STRING_EQUAL(path, joins[i][2]);
		free(path);
	}
}

static const unit_case cases[] = {
	{"good", test_good},
	{"remarks", test_remarks},
	{"disagreement", test_disagreement},
	{"bad_index", test_bad_index},
	{"names", test_names},
	{"links", test_links},
	{"hub_cache", test_hub_cache},
	{"path_helpers", test_path_helpers},
	{0},
};

const unit_suite unit_sharded = {"sharded", cases};
