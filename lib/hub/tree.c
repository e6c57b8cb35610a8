/* tree.c -- the list of all files of a commit, beside the files: by it Python knows whether a snapshot is whole */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../json.h"
#include "inner.h"

enum { TREE_MOST = 256 << 20, DEPTH = 8 };

static void add_string(ckpt_buffer *b, const char *text)
{
	ckpt_json_write_string(b, text, strlen(text), true);
}

bool ckpt_hub_write_tree(const char *folder, const char *commit, const ckpt_hub_listing *l, ckpt_error *err)
{
	ckpt_buffer b = {0};
	ckpt_buffer_str(&b, "{\n \"format_version\": 1,\n \"files\": {");
	for (size_t i = 0; i < l->count; i++) {
		const ckpt_hub_entry *e = &l->entries[i];
		bool lfs = strlen(e->hash) == 64;
		ckpt_buffer_str(&b, i ? ",\n  " : "\n  ");
		add_string(&b, e->path);
		ckpt_buffer_printf(&b, ": {\n   \"size\": %llu,\n   \"blob_id\": \"%s\"", (unsigned long long)e->listed,
		                   *e->oid ? e->oid : e->hash);
		if (lfs) ckpt_buffer_printf(&b, ",\n   \"lfs_sha256\": \"%s\",\n   \"lfs_size\": %llu", e->hash, (unsigned long long)e->size);
		if (*e->xet) ckpt_buffer_printf(&b, ",\n   \"xet_hash\": \"%s\"", e->xet);
		ckpt_buffer_str(&b, "\n  }");
	}
	ckpt_buffer_str(&b, l->count ? "\n }\n}" : "}\n}");
	char *path = ckpt_hub_path(err, "%s/trees/%s.json", folder, commit);
	bool ok = path && ckpt_buffer_ok(&b, err) && ckpt_hub_write_small(path, b.data, err);
	free(path);
	ckpt_buffer_free(&b);
	return ok;
}

/* ---- reading it ---- */

static char *read_all(const char *path, size_t *length)
{
	struct stat st;
	char *text = NULL;
	if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= TREE_MOST) text = malloc((size_t)st.st_size + 1);
	ssize_t n = text ? ckpt_hub_read_small(path, text, (size_t)st.st_size) : -1;
	if (n < 0) {
		free(text);
		return NULL;
	}
	*length = (size_t)n;
	return text;
}

static bool take(void *user, const char *key, const char *value, size_t length, ckpt_error *err)
{
	ckpt_hub_listing *l = user;
	ckpt_json *info = ckpt_json_parse(value, length, DEPTH, err);
	const char *sha256 = ckpt_json_field_string(info, "lfs_sha256"), *oid = ckpt_json_field_string(info, "blob_id");
	const ckpt_json *size = ckpt_json_field(info, sha256 ? "lfs_size" : "size");
	const char *hash = sha256 ? sha256 : oid;
	uint64_t bytes;
	bool ok = size && hash && ckpt_json_get_kind(size) == CKPT_JSON_NUMBER && ckpt_json_u64(size, &bytes) &&
	          ckpt_hub_listing_add(l, key, bytes, hash, err);
	ckpt_json_free(info);
	return ok;
}

static bool take_files(void *user, const char *key, const char *value, size_t length, ckpt_error *err)
{
	return strcmp(key, "files") != 0 || ckpt_json_each_member(value, length, DEPTH, take, user, err);
}

bool ckpt_hub_read_tree(const char *folder, const char *commit, ckpt_hub_listing *out)
{
	size_t length = 0;
	ckpt_error err = {0};
	char *path = ckpt_hub_path(NULL, "%s/trees/%s.json", folder, commit);
	char *text = path ? read_all(path, &length) : NULL;
	bool ok = text && ckpt_json_each_member(text, length, DEPTH, take_files, out, &err) && out->count;
	if (!ok) ckpt_hub_listing_free(out);
	free(text);
	free(path);
	return ok;
}
