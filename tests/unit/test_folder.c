/* test_folder.c -- which file of a folder holds the weights, and what is said about the others */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../../lib/checkpoint.h"
#include "files.h"
#include "unit.h"

/* A file with one tensor that is called as the file. */
static void put(const char *folder, const char *name)
{
	char path[256], header[256];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	snprintf(header, sizeof header, "{\"%s\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", name);
	unit_write_st(path, header, 1);
}

static void put_index(const char *folder, const char *name, const char *shard)
{
	char path[256], text[256];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	int n = snprintf(text, sizeof text, "{\"weight_map\":{\"%s\":\"%s\"}}", shard, shard);
	unit_write(path, text, (size_t)n);
}

/* Opens the folder and checks which file was read, and the remark (NULL: none). */
static void check(const char *folder, const char *wanted, const char *remark)
{
	ckpt_error err = {0};
	ckpt_checkpoint *cp = ckpt_open(folder, NULL, &err);
	if (!cp) printf("# %s\n", err.text);
	CU_ASSERT_PTR_NOT_NULL_FATAL(cp);
	CU_ASSERT_EQUAL_FATAL(ckpt_checkpoint_tensor_count(cp), 1);
	CU_ASSERT_STRING_EQUAL(ckpt_tensor_name(ckpt_checkpoint_tensor_at(cp, 0)), wanted);
	CU_ASSERT_STRING_EQUAL(cp->config_folder, folder);
	CU_ASSERT_EQUAL(ckpt_checkpoint_note_count(cp), remark != NULL);
	if (remark && ckpt_checkpoint_note_count(cp) == 1) {
		if (!strstr(ckpt_checkpoint_note_at(cp, 0), remark)) printf("# %s\n", ckpt_checkpoint_note_at(cp, 0));
		CU_ASSERT_PTR_NOT_NULL(strstr(ckpt_checkpoint_note_at(cp, 0), remark));
	}
	ckpt_checkpoint_free(cp);
}

static void refuse(const char *folder, const char *word)
{
	ckpt_error err = {0};
	ckpt_checkpoint *cp = ckpt_open(folder, NULL, &err);
	CU_ASSERT_PTR_NULL(cp);
	ckpt_checkpoint_free(cp);
	if (!strstr(err.text, word)) printf("# wanted \"%s\" in: %s\n", word, err.text);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, word));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, folder));
}

/* The content decides what a file is, so safetensors under the name of a pickle will do here. */
static void test_preference(void)
{
	const char *folder = unit_mkdir("f1");
	refuse(folder, "holds no weights");
	put("f1", "pytorch_model-00001-of-00001.bin");
	put_index("f1", "pytorch_model.bin.index.json", "pytorch_model-00001-of-00001.bin");
	check(folder, "pytorch_model-00001-of-00001.bin", NULL);
	put("f1", "pytorch_model.bin");
	check(folder, "pytorch_model.bin",
	      "because pytorch_model.bin comes first: pytorch_model-00001-of-00001.bin, pytorch_model.bin.index.json");
	put("f1", "s1.safetensors");
	put_index("f1", "model.safetensors.index.json", "s1.safetensors");
	check(folder, "s1.safetensors", "because model.safetensors.index.json comes first: ");
	put("f1", "model.safetensors");
	check(folder, "model.safetensors",
	      "because model.safetensors comes first: model.safetensors.index.json, "
	      "pytorch_model-00001-of-00001.bin, pytorch_model.bin, pytorch_model.bin.index.json, "
	      "s1.safetensors");
}

static void test_other_names(void)
{
	const char *folder = unit_mkdir("f2");
	put("f2", "weights.safetensors");
	put("f2", "training_args.bin");
	put("f2", "optimizer.pt");
	put("f2", "scheduler.pt");
	put("f2", "rng_state_0.pth");
	put("f2", ".hidden.safetensors");
	unit_write("f2/config.json", "{}", 2);
	check(folder, "weights.safetensors", NULL);
	put("f2", "second.bin");
	refuse(folder, "several weight files and none has a usual name: name one of second.bin, weights.safetensors");
	put_index("f2", "odd.index.fp16.json", "second.bin");
	check(folder, "second.bin", "weights.safetensors");
	put("f2", "adapter_model.bin");
	check(folder, "adapter_model.bin", "odd.index.fp16.json, second.bin, weights.safetensors");
	for (int i = 0; i < 9; i++) {
		char name[64];
		snprintf(name, sizeof name, "more%d.bin", i);
		put("f2", name);
	}
	check(folder, "adapter_model.bin", "more0.bin, more1.bin, more2.bin, more3.bin, more4.bin and 7 more");
}

static void test_odd_folders(void)
{
	/* only files count; a link to a file is one */
	const char *folder = unit_mkdir("f3");
	mkdir(unit_path("f3/model.safetensors"), 0777);
	refuse(folder, "holds no weights");
	put("f2", "linked.safetensors");
	CU_ASSERT_EQUAL(symlink("../f2/linked.safetensors", unit_path("f3/pytorch_model.bin")), 0);
	CU_ASSERT_EQUAL(symlink("nowhere", unit_path("f3/dangling.bin")), 0);
	check(folder, "linked.safetensors", NULL);
	/* a damaged file is named with its folder */
	unlink(unit_path("f3/pytorch_model.bin"));
	unit_write("f3/x.safetensors", "", 0);
	refuse(folder, "f3: x.safetensors: empty");
	put_index("f3", "a.index.json", "lost.bin");
	refuse(folder, "f3: a.index.json: shard 'lost.bin'");
}

/* A single file knows of the config beside it. */
static void test_config_folder(void)
{
	unit_mkdir("f4");
	put("f4", "a.safetensors");
	ckpt_checkpoint *cp = ckpt_open(unit_path("f4/a.safetensors"), NULL, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(cp);
	CU_ASSERT_PTR_NULL(cp->config_folder);
	ckpt_checkpoint_free(cp);
	unit_write("f4/config.json", "{}", 2);
	cp = ckpt_open(unit_path("f4/a.safetensors"), NULL, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(cp);
	CU_ASSERT_STRING_EQUAL(cp->config_folder, unit_path("f4"));
	ckpt_checkpoint_free(cp);
}

static const unit_case cases[] = {
	{"preference", test_preference},
	{"other_names", test_other_names},
	{"odd_folders", test_odd_folders},
	{"config_folder", test_config_folder},
	{0},
};

const unit_suite unit_folder_row = {"folder", cases};
