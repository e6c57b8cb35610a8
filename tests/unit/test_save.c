/* test_save.c -- saving: names, shards and their index, aliases, folders, and nothing left after a failure */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "../../formats/format.h"
#include "../../lib/checkpoint.h"
#include "files.h"
#include "unit.h"

static bool folders_fail;

/* Stands in for that of the C library in this program: folders cannot be synced while folders_fail is set. */
int fsync(int fd)
{
	struct stat st;
	if (folders_fail && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

/* Tensors t0, t1, ... of U8 with these sizes; every byte of ti is i. */
static ckpt_checkpoint *make(const uint64_t *sizes, size_t count)
{
	ckpt_checkpoint *cp = ckpt_checkpoint_new(NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(cp);
	for (size_t i = 0; i < count; i++) {
		char name[32], data[64];
		snprintf(name, sizeof name, "t%zu", i);
		memset(data, (int)i, sizeof data);
		CU_ASSERT_TRUE(
			ckpt_checkpoint_add_bytes(cp, name, CKPT_U8, 1, &sizes[i], data, (size_t)sizes[i], NULL));
	}
	return cp;
}

/* Adds a tensor that is the same bytes as an earlier one. */
static void tie(ckpt_checkpoint *cp, const char *name, const char *of)
{
	const ckpt_tensor *from = ckpt_checkpoint_tensor_find(cp, of);
	CU_ASSERT_PTR_NOT_NULL_FATAL(from);
	CU_ASSERT_TRUE(ckpt_checkpoint_add(cp, name, from->dtype, from->rank, from->shape,
	                                   ckpt_source_ref(from->source), NULL, NULL));
	CU_ASSERT_TRUE(ckpt_checkpoint_find_aliases(cp, NULL));
}

static ckpt_save_options quick(uint64_t max_shard_bytes)
{
	return (ckpt_save_options){.no_sync = true, .max_shard_bytes = max_shard_bytes};
}

static void save(const ckpt_checkpoint *cp, const char *path, const ckpt_save_options *options)
{
	ckpt_error err = {0};
	bool ok = ckpt_save(cp, path, options, NULL, &err);
	if (!ok) printf("# %s\n", err.text);
	CU_ASSERT_TRUE(ok);
}

static void refuse(const ckpt_checkpoint *cp, const char *path, const ckpt_save_options *options, const char *word)
{
	ckpt_error err = {0};
	CU_ASSERT_FALSE(ckpt_save(cp, path, options, NULL, &err));
	if (!strstr(err.text, word)) printf("# wanted \"%s\" in: %s\n", word, err.text);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, word));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, path));
}

static void check_same(const ckpt_checkpoint *cp, const char *path)
{
	ckpt_error err = {0};
	ckpt_checkpoint *back = ckpt_open(path, NULL, &err);
	if (!back) printf("# %s\n", err.text);
	CU_ASSERT_PTR_NOT_NULL_FATAL(back);
	CU_ASSERT_EQUAL(back->count, cp->count);
	for (size_t i = 0; i < cp->count; i++) {
		const ckpt_tensor *x = &cp->tensors[i], *y = ckpt_checkpoint_tensor_find(back, x->name);
		uint8_t a[64], b[64];
		CU_ASSERT_PTR_NOT_NULL_FATAL(y);
		CU_ASSERT_EQUAL_FATAL(x->bytes, y->bytes);
		CU_ASSERT_TRUE(ckpt_tensor_read(x, 0, (size_t)x->bytes, a, &err) &&
		               ckpt_tensor_read(y, 0, (size_t)x->bytes, b, &err));
		CU_ASSERT_EQUAL(memcmp(a, b, (size_t)x->bytes), 0);
	}
	ckpt_checkpoint_free(back);
}

static void check_text(const char *path, const char *wanted)
{
	size_t length;
	char *text = unit_read(path, &length);
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	if (strcmp(text, wanted) != 0) printf("# found: %s\n", text);
	CU_ASSERT_STRING_EQUAL(text, wanted);
	free(text);
}

/* ---- one file -------------------------------------------------------------------------------------------------- */

static void test_one_file(void)
{
	static const uint64_t sizes[] = {3, 0, 5};
	ckpt_checkpoint *cp = make(sizes, 3);
	const char *folder = unit_mkdir("v1"), *path = unit_path("v1/x.safetensors");
	ckpt_save_options options = quick(0);
	save(cp, path, &options);
	check_same(cp, path);
	CU_ASSERT_EQUAL(unit_entries(folder), 1);
	refuse(cp, path, &options, "exists already");
	options.force = true;
	options.no_sync = false;
	save(cp, path, &options);
	CU_ASSERT_EQUAL(unit_entries(folder), 1);
	/* the suffix decides, --to overrules it */
	options.force = false;
	refuse(cp, unit_path("v1/x.unknown"), &options, "does not tell the format");
	refuse(cp, unit_path("v1/x"), &options, "does not tell the format");
	options.format = "safetensors";
	save(cp, unit_path("v1/x"), &options);
	check_same(cp, unit_path("v1/x"));
	options.format = "nonsense";
	refuse(cp, unit_path("v1/y"), &options, "no format called 'nonsense'");
	options.format = "sharded";
	refuse(cp, unit_path("v1/y"), &options, "does not write it");
	options = quick(0);
	refuse(cp, unit_path("v1/none/x.safetensors"), &options, "No such file");
	CU_ASSERT_EQUAL(unit_entries(folder), 2);
	ckpt_checkpoint_free(cp);
}

/* Input and output are the same file. */
static void test_in_place(void)
{
	static const uint64_t sizes[] = {3, 5};
	ckpt_checkpoint *cp = make(sizes, 2);
	unit_mkdir("v2");
	const char *path = unit_path("v2/x.safetensors");
	ckpt_save_options options = quick(0);
	save(cp, path, &options);
	ckpt_checkpoint *from = ckpt_open(path, NULL, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(from);
	options.force = true;
	save(from, path, &options);
	check_same(cp, path);
	ckpt_checkpoint_free(from);
	/* a link is replaced, what it points to stays */
	CU_ASSERT_EQUAL(symlink("x.safetensors", unit_path("v2/link.safetensors")), 0);
	static const uint64_t other[] = {1};
	ckpt_checkpoint *small = make(other, 1);
	save(small, unit_path("v2/link.safetensors"), &options);
	check_same(cp, path);
	check_same(small, unit_path("v2/link.safetensors"));
	ckpt_checkpoint_free(small);
	ckpt_checkpoint_free(cp);
}

/* The input grows while it is read. */
static void test_changed_input(void)
{
	static const uint64_t sizes[] = {3};
	ckpt_checkpoint *cp = make(sizes, 1);
	const char *folder = unit_mkdir("v3"), *path = unit_path("v3/in.safetensors");
	ckpt_save_options options = quick(0);
	save(cp, path, &options);
	ckpt_checkpoint_free(cp);
	cp = ckpt_open(path, NULL, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(cp);
	FILE *f = fopen(path, "ab");
	fputc(0, f);
	fclose(f);
	ckpt_error err = {0};
	CU_ASSERT_FALSE(ckpt_save(cp, unit_path("v3/out.safetensors"), &options, NULL, &err));
	CU_ASSERT_EQUAL(err.code, CKPT_E_CHANGED);
	CU_ASSERT_EQUAL(unit_entries(folder), 1);
	ckpt_checkpoint_free(cp);
}

static bool stop(void *user, uint64_t done, uint64_t total)
{
	*(uint64_t *)user = total;
	return done < total;
}

static void test_cancelled(void)
{
	static const uint64_t sizes[] = {6, 6, 2};
	ckpt_checkpoint *cp = make(sizes, 3);
	const char *folder = unit_path("v4");
	uint64_t total = 0;
	ckpt_work work = {.threads = 1, .progress = stop, .user = &total};
	ckpt_save_options options = quick(10);
	ckpt_error err = {0};
	CU_ASSERT_FALSE(ckpt_save(cp, folder, &options, &work, &err));
	CU_ASSERT_EQUAL(err.code, CKPT_E_CANCELLED);
	CU_ASSERT_TRUE(total > 14);
	CU_ASSERT_FALSE(unit_exists(folder));
	ckpt_checkpoint_free(cp);
}

/* ---- shards ---------------------------------------------------------------------------------------------------- */

/* shape: for each file "sizes|", as the plan makes them. */
static void check_split(const uint64_t *sizes, size_t count, uint64_t most, const char *wanted)
{
	ckpt_checkpoint *cp = make(sizes, count);
	ckpt_save_options options = quick(most);
	ckpt_error err = {0};
	ckpt_save_plan *plan = ckpt_save_plan_new(cp, unit_path("none"), &options, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(plan);
	char text[256] = "";
	for (size_t i = 0; i < ckpt_save_plan_file_count(plan); i++) {
		const char *name = strrchr(ckpt_save_plan_file_path(plan, i), '/') + 1;
		if (strstr(name, ".index.json")) continue;
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s %zu ", name,
		         ckpt_save_plan_file_tensors(plan, i));
	}
	CU_ASSERT_STRING_EQUAL(text, wanted);
	ckpt_save_plan_free(plan);
	CU_ASSERT_FALSE(unit_exists(unit_path("none")));
	ckpt_checkpoint_free(cp);
}

static void test_split_rule(void)
{
	static const uint64_t a[] = {6, 6, 2, 6, 2, 2}, b[] = {3, 12, 4}, c[] = {5, 5, 5}, d[] = {10, 0, 1},
	                      e[] = {0, 9, 9, 0};
	check_split(a, 6, 10,
	            "model-00001-of-00003.safetensors 1 model-00002-of-00003.safetensors 2 "
	            "model-00003-of-00003.safetensors 3 ");
	check_split(b, 3, 10, "model-00001-of-00002.safetensors 1 model-00002-of-00002.safetensors 2 ");
	check_split(c, 3, 10, "model-00001-of-00002.safetensors 2 model-00002-of-00002.safetensors 1 ");
	check_split(d, 3, 10, "model-00001-of-00002.safetensors 2 model-00002-of-00002.safetensors 1 ");
	check_split(e, 4, 10, "model-00001-of-00002.safetensors 3 model-00002-of-00002.safetensors 1 ");
	check_split(c, 3, 15, "model.safetensors 3 ");
	check_split(c, 0, 15, "model.safetensors 0 ");
	check_split(b, 2, 1, "model-00001-of-00002.safetensors 1 model-00002-of-00002.safetensors 1 ");
}

static void test_shards(void)
{
	static const uint64_t sizes[] = {3, 12, 4};
	ckpt_checkpoint *cp = make(sizes, 3);
	CU_ASSERT_TRUE(ckpt_checkpoint_metadata_set(cp, "made by", "hand", NULL));
	const char *folder = unit_path("v5");
	ckpt_save_options options = quick(10);
	save(cp, folder, &options);
	check_same(cp, folder);
	check_text(
		unit_path("v5/model.safetensors.index.json"),
		"{\n  \"metadata\": {\n    \"total_parameters\": 19,\n    \"total_size\": 19\n  },\n  \"weight_map\": {\n"
		"    \"t0\": \"model-00002-of-00002.safetensors\",\n    \"t1\": \"model-00001-of-00002.safetensors\",\n"
		"    \"t2\": \"model-00002-of-00002.safetensors\"\n  }\n}\n");
	CU_ASSERT_EQUAL(unit_entries(folder), 3);
	ckpt_checkpoint *back = ckpt_open(folder, NULL, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(back);
	CU_ASSERT_EQUAL(ckpt_checkpoint_note_count(back), 0);
	CU_ASSERT_EQUAL(ckpt_checkpoint_metadata_count(back), 2); /* format, made by */
	ckpt_checkpoint_free(back);
	/* beside others, with a name of one's own */
	options.max_shard_bytes = 7;
	save(cp, unit_path("v5/other.safetensors"), &options);
	CU_ASSERT_TRUE(unit_exists(unit_path("v5/other-00002-of-00002.safetensors")));
	check_same(cp, unit_path("v5/other.safetensors.index.json"));
	ckpt_checkpoint_free(cp);
}

/* Names that JSON must escape, sorted by code point. */
static void test_index_names(void)
{
	static const uint64_t one[] = {1};
	ckpt_checkpoint *cp = ckpt_checkpoint_new(NULL);
	static const char *const names[] = {"\xc3\xa9", "\xf0\x9f\x98\x80", "a\"", "Z"};
	for (size_t i = 0; i < 4; i++)
		CU_ASSERT_TRUE(ckpt_checkpoint_add_bytes(cp, names[i], CKPT_U8, 1, one, "x", 1, NULL));
	ckpt_save_options options = quick(2);
	const char *folder = unit_mkdir("v6");
	save(cp, folder, &options);
	check_same(cp, folder);
	size_t length;
	char *text = unit_read(unit_path("v6/model.safetensors.index.json"), &length);
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	const char *z = strstr(text, "\"Z\""), *a = strstr(text, "\"a\\\"\""), *e = strstr(text, "\"\\u00e9\""),
	           *s = strstr(text, "\"\\ud83d\\ude00\"");
	CU_ASSERT_TRUE(z && a && e && s && z < a && a < e && e < s);
	free(text);
	ckpt_checkpoint_free(cp);
}

/* A smaller checkpoint takes the place of one in more shards; nothing of the old one stays, and without force all of
 * it. */
static void test_replace_shards(void)
{
	static const uint64_t sizes[] = {6, 6, 6};
	ckpt_checkpoint *old = make(sizes, 3), *new = make(sizes, 2);
	const char *folder = unit_mkdir("v7");
	ckpt_save_options options = quick(6);
	save(old, folder, &options);
	unit_write("v7/model-notes.txt", "x", 1);
	CU_ASSERT_EQUAL(unit_entries(folder), 5);
	refuse(new, folder, &options, "files of an earlier checkpoint: model-00001-of-00003.safetensors");
	options.max_shard_bytes = 0;
	refuse(new, folder, &options, "files of an earlier checkpoint");
	check_same(old, folder);
	options.max_shard_bytes = 6;
	options.force = true;
	save(new, folder, &options);
	check_same(new, folder);
	CU_ASSERT_EQUAL(unit_entries(folder), 4);
	options.max_shard_bytes = 0;
	save(old, folder, &options);
	check_same(old, folder);
	CU_ASSERT_EQUAL(unit_entries(folder), 2);
	/* and from its own files into shards again */
	ckpt_checkpoint *from = ckpt_open(folder, NULL, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(from);
	options.max_shard_bytes = 12;
	save(from, folder, &options);
	ckpt_checkpoint_free(from);
	check_same(old, folder);
	CU_ASSERT_EQUAL(unit_entries(folder), 4);
	ckpt_checkpoint_free(old);
	ckpt_checkpoint_free(new);
}

/* The index cannot be put in place: the old shards come back. */
static void test_rollback(void)
{
	static const uint64_t sizes[] = {6, 6, 6}, others[] = {5, 5, 5};
	ckpt_checkpoint *old = make(sizes, 3), *new = make(others, 3);
	const char *folder = unit_mkdir("v8");
	ckpt_save_options options = quick(6);
	save(old, folder, &options);
	options.force = true;
	ckpt_error err = {0};
	ckpt_save_plan *plan = ckpt_save_plan_new(new, folder, &options, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(plan);
	unlink(unit_path("v8/model.safetensors.index.json"));
	CU_ASSERT_EQUAL(mkfifo(unit_path("v8/model.safetensors.index.json"), 0600), 0);
	CU_ASSERT_FALSE(ckpt_save_plan_run(plan, NULL, &err));
	ckpt_save_plan_free(plan);
	unlink(unit_path("v8/model.safetensors.index.json"));
	CU_ASSERT_EQUAL(unit_entries(folder), 3);
	for (int i = 1; i <= 3; i++) {
		char name[64];
		snprintf(name, sizeof name, "v8/model-%05d-of-00003.safetensors", i);
		ckpt_checkpoint *cp = ckpt_open(unit_path(name), NULL, NULL);
		CU_ASSERT_PTR_NOT_NULL_FATAL(cp);
		CU_ASSERT_EQUAL(ckpt_tensor_bytes(ckpt_checkpoint_tensor_at(cp, 0)), 6);
		ckpt_checkpoint_free(cp);
	}
	ckpt_checkpoint_free(old);
	ckpt_checkpoint_free(new);
}

static bool block_index(void *user, uint64_t done, uint64_t total)
{
	/* all bytes are written, no file has its name yet: put something into the way of the last one */
	if (done == total) mkdir(user, 0777);
	return true;
}

/* The same when the obstacle comes between writing and naming, with and without old files. */
static void test_late_rollback(void)
{
	static const uint64_t sizes[] = {6, 6, 6}, others[] = {5, 5, 5};
	ckpt_checkpoint *old = make(sizes, 3), *new = make(others, 3);
	const char *folder = unit_mkdir("v9");
	char index[4096];
	snprintf(index, sizeof index, "%s/model.safetensors.index.json", folder);
	ckpt_work work = {.threads = 1, .progress = block_index, .user = index};
	ckpt_save_options options = quick(6);
	ckpt_error err = {0};
	CU_ASSERT_FALSE(ckpt_save(new, folder, &options, &work, &err));
	CU_ASSERT_EQUAL(unit_entries(folder), 1); /* the obstacle alone */
	CU_ASSERT_EQUAL(rmdir(index), 0);
	save(old, folder, &options);
	CU_ASSERT_EQUAL(unlink(index), 0);
	options.force = true;
	CU_ASSERT_FALSE(ckpt_save(new, folder, &options, &work, &err));
	CU_ASSERT_EQUAL(err.code, CKPT_E_EXISTS);
	CU_ASSERT_EQUAL(unit_entries(folder), 4);
	ckpt_checkpoint *cp = ckpt_open(unit_path("v9/model-00001-of-00003.safetensors"), NULL, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(cp);
	CU_ASSERT_EQUAL(ckpt_tensor_bytes(ckpt_checkpoint_tensor_at(cp, 0)), 6);
	ckpt_checkpoint_free(cp);
	rmdir(index);
	ckpt_checkpoint_free(old);
	ckpt_checkpoint_free(new);
}

/* ---- aliases --------------------------------------------------------------------------------------------------- */

static void test_aliases(void)
{
	static const uint64_t sizes[] = {6, 5};
	ckpt_checkpoint *cp = make(sizes, 2);
	tie(cp, "head", "t0");
	CU_ASSERT_STRING_EQUAL(ckpt_tensor_alias_of(ckpt_checkpoint_tensor_find(cp, "head")), "t0");
	unit_mkdir("va");
	/* dropped and recorded, since safetensors has no aliases */
	ckpt_save_options options = quick(0);
	const char *path = unit_path("va/auto.safetensors");
	save(cp, path, &options);
	ckpt_checkpoint *back = ckpt_open(path, NULL, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(back);
	CU_ASSERT_EQUAL(ckpt_checkpoint_tensor_count(back), 2);
	CU_ASSERT_EQUAL(ckpt_checkpoint_metadata_count(back), 2);
	CU_ASSERT_STRING_EQUAL(ckpt_checkpoint_metadata_key(back, 1), "head");
	CU_ASSERT_STRING_EQUAL(ckpt_checkpoint_metadata_value(back, 1), "t0");
	CU_ASSERT_TRUE(ckpt_checkpoint_restore_aliases(back, NULL));
	CU_ASSERT_EQUAL(ckpt_checkpoint_tensor_count(back), 3);
	ckpt_checkpoint_free(back);
	options.aliases = CKPT_ALIASES_COPY;
	save(cp, unit_path("va/copy.safetensors"), &options);
	check_same(cp, unit_path("va/copy.safetensors"));
	/* in shards the record is the index's */
	options.aliases = CKPT_ALIASES_DROP;
	options.max_shard_bytes = 6;
	save(cp, unit_path("va/s"), &options);
	check_text(
		unit_path("va/s/model.safetensors.index.json"),
		"{\n  \"metadata\": {\n    \"head\": \"t0\",\n    \"total_parameters\": 11,\n    \"total_size\": 11\n  },\n"
		"  \"weight_map\": {\n    \"t0\": \"model-00001-of-00002.safetensors\",\n"
		"    \"t1\": \"model-00002-of-00002.safetensors\"\n  }\n}\n");
	back = ckpt_open(unit_path("va/s"), NULL, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(back);
	CU_ASSERT_TRUE(ckpt_checkpoint_restore_aliases(back, NULL));
	CU_ASSERT_PTR_NOT_NULL(ckpt_checkpoint_tensor_find(back, "head"));
	ckpt_checkpoint_free(back);
	ckpt_checkpoint_free(cp);
}

/* torch holds aliases: they stay with the tensor whose bytes they show, and cost nothing. */
static void test_torch_shards(void)
{
	static const uint64_t sizes[] = {6, 5};
	ckpt_checkpoint *cp = make(sizes, 2);
	tie(cp, "head", "t0");
	ckpt_save_options options = quick(6);
	options.format = "torch";
	const char *folder = unit_mkdir("vb");
	save(cp, folder, &options);
	check_text(
		unit_path("vb/pytorch_model.bin.index.json"),
		"{\n  \"metadata\": {\n    \"total_parameters\": 11,\n    \"total_size\": 11\n  },\n  \"weight_map\": {\n"
		"    \"head\": \"pytorch_model-00001-of-00002.bin\",\n    \"t0\": \"pytorch_model-00001-of-00002.bin\",\n"
		"    \"t1\": \"pytorch_model-00002-of-00002.bin\"\n  }\n}\n");
	check_same(cp, folder);
	ckpt_checkpoint *back = ckpt_open(folder, NULL, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(back);
	CU_ASSERT_STRING_EQUAL(ckpt_checkpoint_detail(back), "2 torch files");
	const char *first = ckpt_tensor_alias_of(ckpt_checkpoint_tensor_find(back, "head"));
	CU_ASSERT_TRUE(first && strcmp(first, "t0") == 0);
	CU_ASSERT_EQUAL(ckpt_checkpoint_note_count(back), 0); /* total_size counts the storage once */
	ckpt_checkpoint_free(back);
	/* each name with bytes of its own: three shards */
	options.aliases = CKPT_ALIASES_COPY;
	options.force = true;
	save(cp, folder, &options);
	CU_ASSERT_EQUAL(unit_entries(folder), 4);
	check_same(cp, folder);
	/* safetensors in the same folder would be read first */
	options = quick(0);
	save(cp, folder, &options);
	options.format = "torch";
	options.force = true;
	refuse(cp, folder, &options, "model.safetensors, which would be read instead of pytorch_model.bin");
	options.format = "npz";
	options.max_shard_bytes = 6;
	refuse(cp, folder, &options, "npz has no shards");
	ckpt_checkpoint_free(cp);
}

/* ---- folders --------------------------------------------------------------------------------------------------- */

static void test_folder(void)
{
	static const uint64_t sizes[] = {3};
	ckpt_checkpoint *cp = make(sizes, 1);
	const char *from = unit_mkdir("vf");
	static const char *const there[] = {"config.json",       "tokenizer.json",      "vocab.txt",
	                                    "spiece.model",      "chat_template.jinja", "README.md",
	                                    "pytorch_model.bin", "model.safetensors",   "model.safetensors.index.json",
	                                    "training_args.bin", "script.py",           ".hidden.json"};
	enum { CARRIED = 6 };
	char name[256];
	for (size_t i = 0; i < sizeof there / sizeof *there; i++) {
		snprintf(name, sizeof name, "vf/%s", there[i]);
		unit_write(name, there[i], strlen(there[i]));
	}
	mkdir(unit_path("vf/sub.json"), 0777);
	const char *to = unit_path("vt");
	ckpt_save_options options = quick(0);
	options.folder_from = from;
	save(cp, to, &options);
	check_same(cp, to);
	CU_ASSERT_EQUAL(unit_entries(to), CARRIED + 1);
	for (size_t i = 0; i < CARRIED; i++) {
		snprintf(name, sizeof name, "vt/%s", there[i]);
		check_text(unit_path(name), there[i]);
	}
	/* a changed config takes the place of the one that would be carried; nothing is carried from a folder to itself
	 */
	ckpt_extra_file extra = {"config.json", "{\"new\": 1}", 10};
	options.extra_files = &extra;
	options.extra_file_count = 1;
	save(cp, unit_path("vu/"), &options);
	check_text(unit_path("vu/config.json"), "{\"new\": 1}");
	CU_ASSERT_EQUAL(unit_entries(unit_path("vu")), CARRIED + 1);
	options.extra_file_count = 0;
	options.force = true;
	options.folder_from = to;
	save(cp, to, &options);
	CU_ASSERT_EQUAL(unit_entries(to), CARRIED + 1);
	check_text(unit_path("vt/config.json"), "config.json");
	static const char *const bad[] = {"../config.json", "a/config.json", "", "model.safetensors", "x.bin"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		extra.name = bad[i];
		options.extra_file_count = 1;
		refuse(cp, to, &options, "name");
	}
	options.extra_file_count = 0;
	options.folder_from = unit_path("missing");
	refuse(cp, to, &options, "No such file");
	ckpt_checkpoint_free(cp);
}

static void test_large_companion(void)
{
	static const uint64_t sizes[] = {3};
	ckpt_checkpoint *cp = make(sizes, 1);
	unit_mkdir("vl");
	const char *path = unit_write("vl/huge.json", "{}", 2);
	CU_ASSERT_EQUAL(truncate(path, (64 << 20) + 1), 0);
	ckpt_save_options options = quick(0);
	options.folder_from = unit_path("vl");
	ckpt_save_plan *plan = ckpt_save_plan_new(cp, unit_path("vm"), &options, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(plan);
	CU_ASSERT_EQUAL(ckpt_save_plan_file_count(plan), 1);
	CU_ASSERT_EQUAL_FATAL(ckpt_save_plan_note_count(plan), 1);
	CU_ASSERT_PTR_NOT_NULL(
		strstr(ckpt_save_plan_note_at(plan, 0), "huge.json is not carried along: 67108865 bytes"));
	ckpt_save_plan_free(plan);
	ckpt_checkpoint_free(cp);
}

/* Other weights in the folder: refused when a reader would prefer them, else a remark. */
static void test_other_weights(void)
{
	static const uint64_t sizes[] = {3};
	ckpt_checkpoint *cp = make(sizes, 1);
	const char *folder = unit_mkdir("vo");
	unit_write("vo/pytorch_model.bin", "x", 1);
	ckpt_save_options options = quick(0);
	ckpt_save_plan *plan = ckpt_save_plan_new(cp, folder, &options, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(plan);
	CU_ASSERT_EQUAL_FATAL(ckpt_save_plan_note_count(plan), 1);
	CU_ASSERT_PTR_NOT_NULL(
		strstr(ckpt_save_plan_note_at(plan, 0), "stay in the folder beside model.safetensors: pytorch_model.bin"));
	ckpt_save_plan_free(plan);
	save(cp, folder, &options);
	options.force = true;
	options.max_shard_bytes = 1000;
	save(cp, folder, &options); /* fits into one file: the plain name again */
	CU_ASSERT_EQUAL(unit_entries(folder), 2);
	ckpt_checkpoint_free(cp);
}

/* ---- refusals ------------------------------------------------------------------------------------------------ */

static void test_unwritable(void)
{
	static const uint64_t one[] = {1};
	static const char zeros[16];
	ckpt_checkpoint *cp = ckpt_checkpoint_new(NULL);
	CU_ASSERT_TRUE(ckpt_checkpoint_add_bytes(cp, "z", CKPT_C128, 1, one, zeros, 16, NULL));
	ckpt_save_options options = quick(0);
	refuse(cp, unit_path("loss.safetensors"), &options, "tensor 'z': safetensors cannot hold C128: leave it out");
	ckpt_checkpoint_free(cp);
}

/* The new file stands under its name when its folder turns out not to be syncable: the old one is gone, so it must stay. */
static void test_folder_sync(void)
{
	static const uint64_t sizes[] = {3, 5};
	ckpt_checkpoint *old = make(sizes, 1), *cp = make(sizes, 2);
	ckpt_save_options options = quick(0);
	char path[4096];
	snprintf(path, sizeof path, "%s", unit_path("sync.safetensors"));
	save(old, path, &options);
	options.no_sync = false;
	options.force = true;
	folders_fail = true;
	refuse(cp, path, &options, "disk");
	folders_fail = false;
	check_same(cp, path);
	ckpt_checkpoint_free(cp);
	ckpt_checkpoint_free(old);
}

static const unit_case cases[] = {
	{"one_file", test_one_file},
	{"in_place", test_in_place},
	{"changed_input", test_changed_input},
	{"cancelled", test_cancelled},
	{"split_rule", test_split_rule},
	{"shards", test_shards},
	{"index_names", test_index_names},
	{"replace_shards", test_replace_shards},
	{"rollback", test_rollback},
	{"late_rollback", test_late_rollback},
	{"folder_sync", test_folder_sync},
	{"aliases", test_aliases},
	{"torch_shards", test_torch_shards},
	{"folder", test_folder},
	{"large_companion", test_large_companion},
	{"other_weights", test_other_weights},
	{"unwritable", test_unwritable},
	{0},
};

const unit_suite unit_save = {"save", cases};
