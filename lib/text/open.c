/* open.c -- the files of a tokenizer beside a checkpoint: tokenizer.json, else vocab.txt; with tokenizer_config.json */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../error.h"
#include "../file.h"
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

static bool flag_of(const ckpt_json *v, const char *key, bool missing)
{
	const ckpt_json *m = v ? ckpt_json_member(v, key) : NULL;
	return m && ckpt_json_get_kind(m) == CKPT_JSON_BOOL ? ckpt_json_is_true(m) : missing;
}

/* tokenizer_config.json, or NULL in *out where there is none. */
static bool read_config(const char *folder, ckpt_json **out, ckpt_error *err)
{
	ckpt_buffer text = {0};
	bool there, good = read_whole(folder, "tokenizer_config.json", &text, &there, err);
	*out = NULL;
	if (good && there) {
		*out = ckpt_json_parse(text.data ? text.data : "", text.length, 128, err);
		good = *out && ckpt_json_get_kind(*out) == CKPT_JSON_OBJECT;
		if (*out && !good) ckpt_fail(err, CKPT_E_FORMAT, "this is %s, not an object", ckpt_json_kind_name(*out));
		if (!good) ckpt_error_prefix(err, "%s/tokenizer_config.json", folder);
	}
	ckpt_buffer_free(&text);
	return good;
}

/* How to pad, as the config has it: a string, or an added token as an object. */
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
}

/* ---- vocab.txt: one token a line, its number is the id; the rest is BERT's */

static const char *const bert_tokens[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};

static void put_vocabulary(ckpt_buffer *b, const ckpt_buffer *lines, int64_t ids[5])
{
	size_t id = 0;
	for (size_t at = 0; at < lines->length; id++) {
		const char *line = lines->data + at, *end = memchr(line, '\n', lines->length - at);
		size_t length = end ? (size_t)(end - line) : lines->length - at;
		at += length + 1;
		if (length && line[length - 1] == '\r') length--;
		for (int k = 0; k < 5; k++)
			if (length == strlen(bert_tokens[k]) && memcmp(line, bert_tokens[k], length) == 0) ids[k] = (int64_t)id;
		if (id) ckpt_buffer_char(b, ',');
		ckpt_json_write_string(b, line, length, false);
		ckpt_buffer_printf(b, ":%zu", id);
	}
}

static void put_rest(ckpt_buffer *b, const ckpt_json *config, const int64_t ids[5])
{
	bool lower = flag_of(config, "do_lower_case", true);
	ckpt_buffer_str(b, "}},\"added_tokens\":[");
	for (int k = 0, n = 0; k < 5; k++)
		if (ids[k] >= 0)
			ckpt_buffer_printf(b, "%s{\"id\":%lld,\"content\":\"%s\",\"special\":true,\"normalized\":false}", n++ ? "," : "",
			                   (long long)ids[k], bert_tokens[k]);
	ckpt_buffer_printf(b, "],\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":%s,",
	                   flag_of(config, "tokenize_chinese_chars", true) ? "true" : "false");
	ckpt_buffer_printf(b, "\"strip_accents\":%s,\"lowercase\":%s},", flag_of(config, "strip_accents", lower) ? "true" : "false",
	                   lower ? "true" : "false");
	ckpt_buffer_str(b, "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
	                   "\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true}");
	if (ids[2] >= 0 && ids[3] >= 0)
		ckpt_buffer_printf(b, ",\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"[SEP]\",%lld],\"cls\":[\"[CLS]\",%lld]}",
		                   (long long)ids[3], (long long)ids[2]);
	ckpt_buffer_char(b, '}');
}

static ckpt_tokenizer *from_lines(const ckpt_buffer *lines, const ckpt_json *config, ckpt_error *err)
{
	ckpt_buffer b = {0};
	ckpt_tokenizer *t = NULL;
	int64_t ids[5] = {-1, -1, -1, -1, -1};
	ckpt_buffer_str(&b, "{\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\",\"vocab\":{");
	put_vocabulary(&b, lines, ids);
	put_rest(&b, config, ids);
	if (ckpt_buffer_ok(&b, err)) t = ckpt_tokenizer_read(b.data, b.length, err);
	ckpt_buffer_free(&b);
	return t;
}

static ckpt_tokenizer *from_folder(const char *folder, ckpt_error *err)
{
	static const char *const others[] = {"vocab.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model"};
	ckpt_buffer text = {0};
	ckpt_json *config = NULL;
	ckpt_tokenizer *t = NULL;
	const char *name = "tokenizer.json";
	bool there;
	if (!read_config(folder, &config, err) || !read_whole(folder, name, &text, &there, err)) goto done;
	if (there) {
		t = ckpt_tokenizer_read(text.data ? text.data : "", text.length, err);
	} else {
		name = "vocab.txt";
		if (!read_whole(folder, name, &text, &there, err)) goto done;
		if (there) t = from_lines(&text, config, err);
	}
	if (there && !t) ckpt_error_prefix(err, "%s/%s", folder, name);
	if (t) apply_config(t, config);
	for (size_t i = 0; !there && i < sizeof others / sizeof *others; i++) {
		if (!read_whole(folder, others[i], &text, &there, err)) goto done;
		if (there)
			ckpt_fail(err, CKPT_E_UNSUPPORTED, "%s: %s is there without tokenizer.json; load it once with transformers' AutoTokenizer "
			          "and save_pretrained, which writes tokenizer.json", folder, others[i]);
	}
	if (!there) ckpt_fail(err, CKPT_E_NOT_FOUND, "%s: there is neither tokenizer.json nor vocab.txt", folder);
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
