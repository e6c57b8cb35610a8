/* open.c -- the files of a tokenizer beside a checkpoint: tokenizer.json, else older ones; with tokenizer_config.json */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../error.h"
#include "../file.h"
#include "old_files.h"
#include "tokenizer.h"

enum { FILE_MOST = 256 << 20 };

static bool is_folder(const char *path)
{
	struct stat s;
	return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

/* The whole of folder/name. *there false: there is no such file. */
static bool read_whole(const char *folder, const char *name, ckpt_buffer *out, bool *there, ckpt_error *err)
{
	ckpt_buffer path = {0};
	struct stat s;
	bool good = false;
	ckpt_file *f = NULL;
	*there = false;
	ckpt_buffer_printf(&path, "%s/%s", folder, name);
	if (!ckpt_buffer_ok(&path, err)) goto done;
	good = stat(path.data, &s) != 0;
	if (good) goto done;
	*there = true;
	f = ckpt_file_open(path.data, err);
	if (!f) goto done;
	size_t length = (size_t)ckpt_file_size(f);
	if (ckpt_file_size(f) > FILE_MOST) {
		ckpt_fail(err, CKPT_E_LIMIT, "%s: it has %llu bytes, a tokenizer at most %d", path.data, (unsigned long long)ckpt_file_size(f), FILE_MOST);
		goto done;
	}
	ckpt_buffer_fill(out, 0, length);
	good = ckpt_buffer_ok(out, err) && (!length || ckpt_file_read(f, 0, length, out->data, err));
done:
	ckpt_file_unref(f);
	ckpt_buffer_free(&path);
	return good;
}

/* The object in folder/name, or NULL in *out where there is no such file. */
static bool read_object(const char *folder, const char *name, ckpt_json **out, ckpt_error *err)
{
	ckpt_buffer text = {0};
	bool there, good = read_whole(folder, name, &text, &there, err);
	*out = NULL;
	if (good && there) {
		*out = ckpt_json_parse(text.data ? text.data : "", text.length, 128, err);
		good = *out && ckpt_json_get_kind(*out) == CKPT_JSON_OBJECT;
		if (*out && !good) ckpt_fail(err, CKPT_E_FORMAT, "this is %s, not an object", ckpt_json_kind_name(*out));
		if (!good) ckpt_error_prefix(err, "%s/%s", folder, name);
	}
	ckpt_buffer_free(&text);
	return good;
}

/* How to pad and on which side to cut, as the config has it; the token is a string, or an added token as an object. */
static void apply_config(ckpt_tokenizer *t, const ckpt_json *config)
{
	const ckpt_json *token = config ? ckpt_json_member(config, "pad_token") : NULL;
	const ckpt_json *side = config ? ckpt_json_member(config, "padding_side") : NULL;
	if (token && ckpt_json_get_kind(token) == CKPT_JSON_OBJECT) token = ckpt_json_member(token, "content");
	if (token && ckpt_json_get_kind(token) == CKPT_JSON_STRING && ckpt_tokenizer_find(t, ckpt_json_string(token), &t->pad_id)) {
		t->pad_token = t->model.strings[t->pad_id];
		t->can_pad = true;
	}
	if (side && ckpt_json_get_kind(side) == CKPT_JSON_STRING) t->pad_left = !strcmp(ckpt_json_string(side), "left");
	side = config ? ckpt_json_member(config, "truncation_side") : NULL;
	if (side && ckpt_json_get_kind(side) == CKPT_JSON_STRING) t->cut_left = !strcmp(ckpt_json_string(side), "left");
}

static ckpt_tokenizer *from_old_files(const char *folder, ckpt_text_files *f, const char **name, bool *there, ckpt_error *err)
{
	ckpt_buffer vocabulary = {0}, merges = {0};
	ckpt_json *added = NULL, *special = NULL;
	ckpt_tokenizer *t = NULL;
	bool both = false, good = read_object(folder, "added_tokens.json", &added, err) && read_object(folder, "special_tokens_map.json", &special, err);
	f->added = added;
	f->special = special;
	f->vocabulary = &vocabulary;
	f->merges = &merges;
	*name = "vocab.txt";
	if (!good || !read_whole(folder, *name, &vocabulary, there, err)) goto done;
	if (*there) {
		t = ckpt_tokenizer_from_lines(f, err);
		goto done;
	}
	*name = "vocab.json";
	if (!read_whole(folder, *name, &vocabulary, &both, err)) goto done;
	if (both && !read_whole(folder, "merges.txt", &merges, &both, err)) goto done;
	*there = both;
	if (both) t = ckpt_tokenizer_from_merges(f, err);
done:
	if (*there && !t) ckpt_error_prefix(err, "%s/%s", folder, *name);
	ckpt_json_free(added);
	ckpt_json_free(special);
	ckpt_buffer_free(&vocabulary);
	ckpt_buffer_free(&merges);
	return t;
}

/* What there is of a tokenizer that cannot be read, in one sentence. */
static void say_missing(const char *folder, ckpt_error *err)
{
	static const char *const others[] = {"tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "vocab.json", "merges.txt"};
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		ckpt_buffer text = {0};
		bool there;
		bool read = read_whole(folder, others[i], &text, &there, err);
		ckpt_buffer_free(&text);
		if (!read) return;
		if (!there) continue;
		ckpt_fail(err, CKPT_E_UNSUPPORTED, i < 3 ? "%s: %s, a model of sentencepiece, is there without tokenizer.json; load it once with "
		          "transformers' AutoTokenizer and save_pretrained, which writes tokenizer.json" :
		          "%s: %s is there alone; the tokenizer needs both vocab.json and merges.txt, or tokenizer.json", folder, others[i]);
		return;
	}
	ckpt_fail(err, CKPT_E_NOT_FOUND, "%s: there is no tokenizer.json, vocab.txt or vocab.json with merges.txt", folder);
}

static ckpt_tokenizer *from_folder(const char *folder, ckpt_error *err)
{
	ckpt_buffer text = {0};
	ckpt_json *config = NULL;
	ckpt_tokenizer *t = NULL;
	const char *name = "tokenizer.json";
	bool there = false;
	ckpt_error said = {0};
	if (!read_object(folder, "tokenizer_config.json", &config, err) || !read_whole(folder, name, &text, &there, err)) goto done;
	if (there) {
		t = ckpt_tokenizer_read(text.data ? text.data : "", text.length, err);
		if (!t) ckpt_error_prefix(err, "%s/%s", folder, name);
	} else {
		ckpt_text_files files = {.config = config};
		t = from_old_files(folder, &files, &name, &there, &said);
		if (!t && said.code != CKPT_OK) *err = said;
		else if (!t) say_missing(folder, err);
	}
	if (t) apply_config(t, config);
done:
	ckpt_buffer_free(&text);
	ckpt_json_free(config);
	return t;
}

static ckpt_tokenizer *from_json_file(const char *path, ckpt_error *err)
{
	ckpt_buffer text = {0};
	bool there;
	char *copy = strdup(path), *slash = copy ? strrchr(copy, '/') : NULL;
	const char *folder = slash ? copy : ".", *name = slash ? slash + 1 : path;
	ckpt_tokenizer *t = NULL;
	if (slash) *slash = 0;
	if (!copy) ckpt_fail_nomem(err);
	else if (read_whole(slash == copy ? "/" : folder, name, &text, &there, err)) {
		if (!there) ckpt_fail(err, CKPT_E_NOT_FOUND, "%s: there is no such file", path);
		else if (!(t = ckpt_tokenizer_read(text.data ? text.data : "", text.length, err))) ckpt_error_prefix(err, "%s", path);
	}
	ckpt_buffer_free(&text);
	free(copy);
	return t;
}

ckpt_tokenizer *ckpt_tokenizer_open(const char *path, ckpt_error *err)
{
	struct stat s;
	size_t n = strlen(path);
	if (is_folder(path)) return from_folder(path, err);
	if (n >= 5 && !strcmp(path + n - 5, ".json")) return from_json_file(path, err);
	if (stat(path, &s) != 0) {
		ckpt_fail(err, CKPT_E_NOT_FOUND, "%s: there is no such file or folder", path);
		return NULL;
	}
	char *copy = strdup(path), *slash = copy ? strrchr(copy, '/') : NULL;
	if (slash) slash[slash == copy] = 0;
	ckpt_tokenizer *t = copy ? from_folder(slash ? copy : ".", err) : NULL;
	if (!copy) ckpt_fail_nomem(err);
	free(copy);
	return t;
}
