/* test_memory.c -- each allocation in turn fails: one sentence, nothing lost (as LeakSanitizer sees), and no half result */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../lib/ckpt.h"
#include "../../lib/hub/hub.h"
#include "../../lib/hub/store.h"
#include "../../lib/text/text.h"
#include "files.h"
#include "memory.h"
#include "unit.h"

enum { MOST = 20000 };

typedef bool (*job)(const void *what, ckpt_error *err);

/* Runs it until no allocation is left to fail; it must then succeed, and before that fail for want of memory or succeed
 * without it. */
static void each_fails(const char *name, job run, const void *what)
{
	for (long k = 1; k < MOST; k++) {
		ckpt_error err = {0};
		unit_memory_fail(k);
		bool ok = run(what, &err);
		bool hit = unit_memory_failed();
		bool fine = ok ? !hit || !err.text[0] : hit && err.code == CKPT_E_NOMEM && !strchr(err.text, '\n');
		if (!fine) printf("# %s, allocation %ld: %s, code %d: %s\n", name, k, ok ? "success" : "failure", (int)err.code, err.text);
		CU_ASSERT_TRUE_FATAL(fine);
		if (!hit) {
			CU_ASSERT_TRUE(ok);
			return;
		}
	}
	CU_FAIL("allocations without end");
}

/* ---- checkpoints ---- */

static bool open_path(const void *path, ckpt_error *err)
{
	ckpt_checkpoint *cp = ckpt_open(path, NULL, err);
	ckpt_checkpoint_free(cp);
	return cp;
}

static void readers(void)
{
	static const char *const files[] = {
		"data/fixtures/torch/views.pt", "data/fixtures/torch/special.pt", "data/fixtures/torch/dtypes.pt", "data/fixtures/torch/tar.pt",
		"data/fixtures/torch/training_legacy.pt", "data/fixtures/torch/view_legacy.pt", "data/fixtures/torch/module.pt",
		"data/fixtures/torch/deflated.pt", "data/fixtures/torch/big_endian.pt", "data/fixtures/numpy/deflated.npz",
		"data/fixtures/numpy/stored.npz", "data/fixtures/numpy/fortran.npy", "tests/fuzz/seeds/two.safetensors",
	};
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) each_fails(files[i], open_path, unit_data(files[i]));
}

typedef struct saving {
	const ckpt_checkpoint *cp;
	const char *path, *format;
	uint64_t shard;
} saving;

static bool save(const void *what, ckpt_error *err)
{
	const saving *s = what;
	ckpt_save_options options = {.format = s->format, .force = true, .no_sync = true, .max_shard_bytes = s->shard};
	return ckpt_save(s->cp, s->path, &options, NULL, err);
}

static void writers(void)
{
	static const struct { const char *name, *format; uint64_t shard; } rows[] = {
		{"m.safetensors", "safetensors", 0}, {"m.pt", "torch", 0}, {"m.bin", "torch-legacy", 0}, {"m.npz", "npz", 0}, {"m", NULL, 40},
	};
	ckpt_error err = {0};
	const char *folder = unit_mkdir("memory");
	ckpt_checkpoint *cp = ckpt_open(unit_data("tests/fuzz/seeds/two.safetensors"), NULL, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(cp);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char path[1024];
		snprintf(path, sizeof path, "%s/%s", folder, rows[i].name);
		each_fails(rows[i].name, save, &(saving){cp, path, rows[i].format, rows[i].shard});
		CU_ASSERT_EQUAL(unit_entries(folder), i + 1); /* no temporary file */
		CU_ASSERT_TRUE(open_path(path, &err));
	}
	ckpt_checkpoint_free(cp);
}

/* ---- the cache of the Hub ---- */

static bool read_store(const void *hub, ckpt_error *err)
{
	ckpt_store s;
	bool ok = ckpt_store_read(hub, &s, err);
	if (ok) {
		CU_ASSERT_EQUAL(s.count, 1);
		CU_ASSERT_EQUAL(s.repos[0].revision_count, 2);
		CU_ASSERT_EQUAL(s.repos[0].file_count, 1);
		CU_ASSERT_EQUAL(s.repos[0].blob_count, 2);
	}
	ckpt_store_free(&s);
	return ok;
}

static void put(const char *folder, const char *name, const char *text)
{
	char path[1200];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *f = fopen(path, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	fputs(text, f);
	fclose(f);
}

static void the_cache(void)
{
	static const char *const folders[] = {"models--o--m", "models--o--m/blobs", "models--o--m/refs", "models--o--m/snapshots",
	                                      "models--o--m/snapshots/0123456789abcdef0123456789abcdef01234567"};
	const char *folder = unit_mkdir("memory_hub");
	char path[1200];
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		snprintf(path, sizeof path, "%s/%s", folder, folders[i]);
		CU_ASSERT_EQUAL_FATAL(mkdir(path, 0777), 0);
	}
	put(folder, "models--o--m/blobs/ce013625030ba8dba906f756967f9e9ca394464a", "hello\n");
	put(folder, "models--o--m/blobs/89abcdef0123456789abcdef0123456789abcdef", "old");
	put(folder, "models--o--m/refs/main", "1123456789abcdef0123456789abcdef01234567");
	snprintf(path, sizeof path, "%s/%s/config.json", folder, folders[4]);
	CU_ASSERT_EQUAL_FATAL(symlink("../../blobs/ce013625030ba8dba906f756967f9e9ca394464a", path), 0);
	ckpt_error err = {0};
	ckpt_hub *hub = ckpt_hub_new(&(ckpt_hub_options){.cache_dir = folder, .endpoint = "http://127.0.0.1:9", .token = ""}, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(hub);
	each_fails("the cache", read_store, hub);
	ckpt_hub_free(hub);
}

/* ---- tokenizers ---- */

static bool encode(const void *json, ckpt_error *err)
{
	ckpt_encoding got = {0};
	ckpt_tokenizer *t = ckpt_tokenizer_read(json, strlen(json), err);
	ckpt_encoder *e = t ? ckpt_encoder_new(t, err) : NULL;
	bool ok = e && ckpt_encode(e, "Hello, World", 12, NULL, 0, NULL, &got, err);
	ckpt_encoding_free(&got);
	ckpt_encoder_free(e);
	ckpt_tokenizer_free(t);
	return ok;
}

static void tokenizers(void)
{
	static const char *const rows[] = {
		"{\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,\"strip_accents\":null,"
		"\"lowercase\":true},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\","
		"\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":100,\"vocab\":{\"[UNK]\":0,\"hel\":1,\"##lo\":2,\",\":3,"
		"\"world\":4}},\"added_tokens\":[{\"id\":0,\"content\":\"[UNK]\",\"special\":true}]}",
		"{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":true,\"use_regex\":true},\"model\":{\"type\":"
		"\"BPE\",\"vocab\":{\"H\":0,\"e\":1,\"l\":2,\"o\":3,\"lo\":4,\"\\u0120\":5,\"W\":6,\"r\":7,\"d\":8,\",\":9},\"merges\":[\"l o\"]}}",
		"{\"normalizer\":{\"type\":\"NFKC\"},\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\\u2581\",\"prepend_scheme\":"
		"\"always\",\"split\":true},\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0],[\"\\u2581H\",-1],[\"ello\",-2],"
		"[\",\",-3]]}}",
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) each_fails("a tokenizer", encode, rows[i]);
}

static const unit_case cases[] = {
	{"readers", readers},
	{"writers", writers},
	{"the cache of the Hub", the_cache},
	{"tokenizers", tokenizers},
	{0},
};
const unit_suite unit_memory = {"memory", cases};
