/* scan.c -- looks at one file: what it is, what it would do, whether the loader takes it */
#include "scan.h"

#include "../checked.h"
#include "../error.h"
#include "../hash.h"
#include "../limits.h"
#include "../model/config.h"
#include "../source.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HEAD = 512 };

static bool hash_file(ckpt_scan *s, ckpt_file *f, ckpt_error *err)
{
	uint8_t digest[32];
	ckpt_source *source = ckpt_source_file(f, 0, ckpt_file_size(f), err);
	bool ok = source && ckpt_sha256_source(source, digest, NULL, NULL, err);
	ckpt_source_unref(source);
	if (ok) ckpt_hex(digest, sizeof digest, s->sha256);
	return ok;
}

static bool is_tar(const uint8_t *head, size_t length)
{
	return length >= 262 && memcmp(head + 257, "ustar", 5) == 0;
}

static bool ends_in(const char *text, const char *tail)
{
	size_t n = strlen(text), k = strlen(tail);
	return n >= k && strcasecmp(text + n - k, tail) == 0;
}

/* The JSON of a config; NULL when it is none. */
static const ckpt_node *parse(ckpt_arena *arena, ckpt_file *f)
{
	ckpt_error err = {0};
	if (ckpt_file_size(f) >= 1 << 24) return NULL;
	size_t length = (size_t)ckpt_file_size(f);
	char *text = malloc(length + 1);
	bool ok = text && ckpt_file_read(f, 0, length, text, &err);
	const ckpt_node *root = ok ? ckpt_node_parse(arena, text, length, &err) : NULL;
	free(text);
	return root && root->kind == CKPT_NODE_DICT ? root : NULL;
}

/* A model type that ckpt does not know is no fault of the config, as long as it is a plain word. */
static bool other_type(const ckpt_node *root)
{
	const ckpt_node *type = ckpt_node_get(root, "model_type");
	if (!type || type->kind != CKPT_NODE_STRING || !*type->text) return false;
	for (const char *c = type->text; *c; c++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.", *c)) return false;
	return true;
}

/* A config.json: the config of a model; or another, of a tokenizer or of what prepares images, which may name code too. */
static void scan_config(ckpt_scan *s, ckpt_file *f)
{
	ckpt_error err = {0};
	ckpt_arena arena = {0};
	const char *path = ckpt_file_path(f);
	const ckpt_node *root = parse(&arena, f);
	bool code = root && ckpt_node_get(root, "auto_map"), other = code && !ckpt_node_get(root, "model_type");
	ckpt_config *config = other ? NULL : ckpt_config_read_path(path, &err);
	s->format = strdup("config");
	if (!config && !other && !(err.code == CKPT_E_UNSUPPORTED && root && other_type(root)))
		ckpt_scan_add(s, CKPT_FOUND_BAD_CONFIG, NULL, UINT64_MAX, NULL, NULL, NULL, false, "%s", err.text);
	if (code)
		ckpt_scan_add(s, CKPT_FOUND_CUSTOM_CODE, NULL, UINT64_MAX, NULL, NULL, NULL, false,
		              "the config names Python code of its own under auto_map");
	ckpt_config_free(config);
	ckpt_arena_free(&arena);
}

/* What the loader refuses for its names, or for bytes around the records, stands among the findings already, with its place. */
static bool told_already(const ckpt_scan *s, const ckpt_error *err)
{
	if (err->code == CKPT_E_UNSUPPORTED && ckpt_scan_verdict(s) == CKPT_DANGEROUS) return true;
	for (size_t i = 0; s->complete && i < s->count; i++) {
		const char *id = s->findings[i].id;
		bool name = strcmp(id, "CKPT-P004") >= 0 && strcmp(id, "CKPT-P007") <= 0;
		if (id[5] == 'Z' && strstr(err->text, s->findings[i].text)) return true;
		if (name && (strstr(err->text, "pickle '") || strstr(err->text, "the pickle holds"))) return true;
	}
	return false;
}

/* What the loader says of the file as a whole. */
static bool ask_loader(ckpt_scan *s, const char *path)
{
	ckpt_error err = {0};
	ckpt_open_options options = {.limits = s->limits};
	ckpt_checkpoint *cp = ckpt_open(path, &options, &err);
	if (cp) {
		if (!s->format) s->format = strdup(ckpt_checkpoint_format(cp));
		ckpt_checkpoint_free(cp);
		return true;
	}
	if (told_already(s, &err)) return false;
	const char *text = err.text;
	size_t n = strlen(path);
	if (strncmp(text, path, n) == 0 && strncmp(text + n, ": ", 2) == 0) text += n + 2;
	ckpt_finding_kind kind = err.code == CKPT_E_LIMIT         ? CKPT_FOUND_LIMIT
	                         : err.code == CKPT_E_UNSUPPORTED ? CKPT_FOUND_NOT_LOOKED_AT
	                                                          : CKPT_FOUND_MALFORMED;
	ckpt_scan_add(s, kind, NULL, UINT64_MAX, NULL, NULL, NULL, false, "%s", text);
	return false;
}

/* The length of a safetensors header may begin like a pickle, with 0x80 and a small number. */
static bool is_safetensors(const ckpt_scan *s, const char *path, const uint8_t *head, size_t length, uint64_t size)
{
	if (length < 9 || ckpt_le64(head) > size - 8) return false;
	ckpt_open_options options = {.limits = s->limits};
	ckpt_checkpoint *cp = ckpt_open(path, &options, NULL);
	bool is = cp && strcmp(ckpt_checkpoint_format(cp), "safetensors") == 0;
	ckpt_checkpoint_free(cp);
	return is;
}

/* An object array of numpy is refused by the loader; here its pickle is looked at. */
static void scan_npy(ckpt_scan *s, ckpt_file *f)
{
	uint64_t size = ckpt_file_size(f), length = size < s->limits.pickle_bytes ? size : s->limits.pickle_bytes;
	ckpt_error err = {0};
	ckpt_mapping *m = ckpt_mapping_new(f, 0, length, &err);
	bool told = m && ckpt_scan_array(s, ckpt_mapping_data(m), (size_t)length, size, "array");
	if (!m || !ckpt_mapping_check(m, &err))
		ckpt_scan_add(s, CKPT_FOUND_NOT_LOOKED_AT, NULL, 0, NULL, NULL, NULL, false, "%s", err.text);
	else if (!told)
		ckpt_scan_add(s, CKPT_FOUND_LIMIT, "array", UINT64_MAX, NULL, NULL, NULL, false,
		              "an array that may hold a pickle of %llu bytes; the limit pickle-bytes is %llu", (unsigned long long)size,
		              (unsigned long long)s->limits.pickle_bytes);
	ckpt_mapping_free(m);
}

/* Pickles of protocol 0 and 1 begin with no mark, and what looks like another format may be one as well. */
static void scan_text_pickle(ckpt_scan *s, ckpt_file *f)
{
	size_t consumed, length = (size_t)(ckpt_file_size(f) < s->limits.pickle_bytes ? ckpt_file_size(f) : s->limits.pickle_bytes);
	ckpt_error err = {0};
	ckpt_mapping *m = ckpt_mapping_new(f, 0, length, &err);
	if (m && ckpt_scan_pickle(s, ckpt_mapping_data(m), length, "the file", 0, true, &consumed))
		ckpt_scan_add(s, CKPT_FOUND_HIDDEN_PICKLE, NULL, 0, NULL, NULL, NULL, false, "the file is a bare pickle");
	if (!m || !ckpt_mapping_check(m, &err))
		ckpt_scan_add(s, CKPT_FOUND_NOT_LOOKED_AT, NULL, 0, NULL, NULL, NULL, false, "%s", err.text);
	ckpt_mapping_free(m);
}

static void scan_by_content(ckpt_scan *s, ckpt_file *f, const uint8_t *head, size_t length)
{
	const char *path = ckpt_file_path(f);
	uint64_t size = ckpt_file_size(f);
	if (length >= 4 && memcmp(head, "PK", 2) == 0) {
		ckpt_scan_zip(s, f);
		if (ask_loader(s, path)) ckpt_scan_zip_crcs(s, f);
		return;
	} else if (is_tar(head, length)) {
		s->format = strdup("torch-tar");
		s->tar = true;
		ckpt_scan_tar(s, f);
		ask_loader(s, path);
		return;
	} else if (length >= 8 && memcmp(head, "\x93NUMPY", 6) == 0) {
		scan_npy(s, f);
	} else if (length >= 2 && head[0] == 0x80 && !is_safetensors(s, path, head, length, size)) {
		size_t before = s->count;
		uint64_t end = ckpt_scan_stacked(s, f, 0, size, "stacked pickles");
		ask_loader(s, path);
		if (s->count > before) ckpt_scan_search(s, f, end, size, "the rest of the file");
		return;
	} else if (ends_in(path, "config.json")) {
		scan_config(s, f);
		return;
	} else if (length > 0 && head[0] != '{') {
		scan_text_pickle(s, f);
	}
	ask_loader(s, path);
}

ckpt_scan *ckpt_scan_file(const char *path, const ckpt_limits *limits, ckpt_error *err)
{
	uint8_t head[HEAD];
	size_t length = 0;
	ckpt_scan *s = calloc(1, sizeof *s);
	if (!s) {
		ckpt_fail_nomem(err);
		return NULL;
	}
	s->limits = ckpt_limits_resolve(limits);
	s->complete = true;
	s->path = strdup(path);
	ckpt_file *f = s->path ? ckpt_file_open(path, err) : NULL;
	bool ok = f && ckpt_file_read_some(f, 0, sizeof head, head, &length, err) && hash_file(s, f, err);
	if (ok) scan_by_content(s, f, head, length);
	if (ok && s->failed) ok = ckpt_fail_nomem(err);
	if (!ok) ckpt_error_prefix(err, "%s", path);
	ckpt_file_unref(f);
	if (ok) return s;
	ckpt_scan_free(s);
	return NULL;
}
