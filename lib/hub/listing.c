/* listing.c -- which commit a revision is, which files it has, and which of them are wanted */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "../json.h"
#include "../names.h"
#include "../path.h"
#include "inner.h"

enum { BODY_MOST = 64 << 20, PAGES_MOST = 1000, FILES_MOST = 1000000, DEPTH = 64, NAME_MOST = 255 };

/* org/name at revision, for messages */
static void name_of(const ckpt_hub_id *id, const char *revision, char *out, size_t size)
{
	snprintf(out, size, "%s%s%s", id->repo, strcmp(revision, "main") ? "@" : "", strcmp(revision, "main") ? revision : "");
}

bool ckpt_hub_commit_of(ckpt_hub *hub, const ckpt_hub_id *id, const char *revision, char commit[41], ckpt_error *err)
{
	char url[2048], what[512];
	ckpt_buffer body = {0};
	ckpt_http_answer answer;
	ckpt_json *root = NULL;
	ckpt_error why = {0};
	bool ok = false;
	char *quoted = curl_easy_escape(hub->easy, revision, 0);
	name_of(id, revision, what, sizeof what);
	if (!quoted) return ckpt_fail_nomem(err);
	snprintf(url, sizeof url, "%s/api/models/%s/revision/%s", hub->endpoint, id->repo, quoted);
	curl_free(quoted);
	if (!ckpt_http_text(hub, url, BODY_MOST, &body, &answer, what, err)) goto done;
	root = ckpt_json_parse(body.data ? body.data : "", body.length, DEPTH, &why);
	const char *text = ckpt_json_field_string(root, "sha");
	ok = text && strlen(text) == 40 && ckpt_hub_is_hash(text);
	if (ok)
		memcpy(commit, text, 41);
	else if (why.code == CKPT_E_NOMEM)
		ckpt_fail_nomem(err);
	else
		ckpt_hub_fail(hub, CKPT_HUB_CORRUPT, err, CKPT_E_FORMAT, "%s: the answer of %s names no commit of 40 hex digits", what,
		              hub->endpoint);
done:
	ckpt_json_free(root);
	ckpt_buffer_free(&body);
	return ok;
}

/* ---- the list of files ---- */

void ckpt_hub_listing_free(ckpt_hub_listing *l)
{
	for (size_t i = 0; i < l->count; i++) free(l->entries[i].path);
	free(l->entries);
	*l = (ckpt_hub_listing){0};
}

/* The one gate for names that a server made up. */
static bool check_name(const char *path, ckpt_error *err)
{
	if (!ckpt_path_is_plain(path, "name of a file in the repository", err)) return false;
	for (const char *part = path; *part;) {
		size_t n = strcspn(part, "/");
		if (n > NAME_MOST || (n == 4 && strncmp(part, ".git", 4) == 0))
			return ckpt_fail(err, CKPT_E_FORMAT, "the repository has a file '%.300s', which is refused", path);
		part += n + (part[n] == '/');
	}
	return strlen(path) < 1000 || ckpt_fail(err, CKPT_E_FORMAT, "the repository has a file with a name of %zu bytes", strlen(path));
}

static const char *string_of(const ckpt_json *object, const char *key)
{
	const char *text = ckpt_json_field_string(object, key);
	return text ? text : "";
}

bool ckpt_hub_listing_add(ckpt_hub_listing *l, const char *path, uint64_t size, const char *hash, ckpt_error *err)
{
	if (!check_name(path, err)) return false;
	if (size > INT64_MAX) return ckpt_fail(err, CKPT_E_FORMAT, "the Hub states no size for '%s'", path);
	if (!ckpt_hub_is_hash(hash)) return ckpt_fail(err, CKPT_E_FORMAT, "the Hub states no hash of 40 or 64 hex digits for '%s'", path);
	if (l->count == FILES_MOST) return ckpt_fail(err, CKPT_E_LIMIT, "the repository has more than %d files", FILES_MOST);
	if (l->count == l->capacity) {
		size_t capacity = l->capacity ? l->capacity * 2 : 64;
		ckpt_hub_entry *entries = reallocarray(l->entries, capacity, sizeof *entries);
		if (!entries) return ckpt_fail_nomem(err);
		l->entries = entries;
		l->capacity = capacity;
	}
	ckpt_hub_entry *e = &l->entries[l->count];
	*e = (ckpt_hub_entry){.path = strdup(path), .size = size};
	snprintf(e->hash, sizeof e->hash, "%s", hash);
	if (!e->path) return ckpt_fail_nomem(err);
	l->count++;
	return true;
}

static bool take_file(ckpt_hub_listing *l, const ckpt_json *item, ckpt_error *err)
{
	const ckpt_json *lfs = ckpt_json_member(item, "lfs"), *size;
	const char *path = string_of(item, "path"), *hash = string_of(item, "oid");
	uint64_t bytes;
	if (lfs && ckpt_json_get_kind(lfs) != CKPT_JSON_OBJECT) lfs = NULL;
	if (lfs) hash = string_of(lfs, "oid");
	size = ckpt_json_member(lfs ? lfs : item, "size");
	if (!size || ckpt_json_get_kind(size) != CKPT_JSON_NUMBER || !ckpt_json_u64(size, &bytes)) bytes = UINT64_MAX;
	if (lfs && strlen(hash) != 64) hash = "";
	if (!ckpt_hub_listing_add(l, path, bytes, hash, err)) return false;
	ckpt_hub_entry *e = &l->entries[l->count - 1];
	const ckpt_json *listed = ckpt_json_member(item, "size");
	e->listed = bytes;
	if (listed && ckpt_json_get_kind(listed) == CKPT_JSON_NUMBER && ckpt_json_u64(listed, &bytes)) e->listed = bytes;
	const char *xet = string_of(item, "xetHash"), *oid = string_of(item, "oid");
	if (ckpt_hub_is_hash(xet) && strlen(xet) == 64) memcpy(e->xet, xet, sizeof e->xet);
	if (ckpt_hub_is_hash(oid) && strlen(oid) == 40) memcpy(e->oid, oid, sizeof e->oid);
	return true;
}

bool ckpt_hub_list_page(ckpt_hub_listing *l, const char *text, size_t length, ckpt_error *err)
{
	ckpt_json *root = ckpt_json_parse(text, length, DEPTH, err);
	bool ok = root != NULL;
	if (ok && ckpt_json_get_kind(root) != CKPT_JSON_ARRAY) ok = ckpt_fail(err, CKPT_E_FORMAT, "the list of files is no array");
	for (const ckpt_json *item = ok ? ckpt_json_child(root) : NULL; ok && item; item = ckpt_json_next(item)) {
		if (ckpt_json_get_kind(item) != CKPT_JSON_OBJECT)
			ok = ckpt_fail(err, CKPT_E_FORMAT, "the list of files holds %s", ckpt_json_kind_name(item));
		else if (!strcmp(string_of(item, "type"), "file"))
			ok = take_file(l, item, err);
	}
	ckpt_json_free(root);
	return ok;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const ckpt_hub_entry *)a)->path, ((const ckpt_hub_entry *)b)->path);
}

/* A file of which another one makes a folder. */
static bool is_no_folder(const ckpt_hub_listing *l, const char *path, ckpt_error *err)
{
	char start[1024];
	for (const char *slash = path; (slash = strchr(slash, '/')); slash++) {
		snprintf(start, sizeof start, "%.*s", (int)(slash - path), path);
		const ckpt_hub_entry key = {.path = start};
		if (bsearch(&key, l->entries, l->count, sizeof key, by_path))
			return ckpt_fail(err, CKPT_E_FORMAT, "the repository lists '%s' as a file and as the folder of '%s'", start, path);
	}
	return true;
}

static bool no_twins(ckpt_hub_listing *l, ckpt_error *err)
{
	if (l->count) qsort(l->entries, l->count, sizeof *l->entries, by_path);
	for (size_t i = 1; i < l->count; i++)
		if (!strcmp(l->entries[i - 1].path, l->entries[i].path))
			return ckpt_fail(err, CKPT_E_FORMAT, "the repository lists '%s' twice", l->entries[i].path);
	for (size_t i = 0; i < l->count; i++)
		if (!is_no_folder(l, l->entries[i].path, err)) return false;
	return true;
}

static int by_folded(const void *a, const void *b)
{
	return strcasecmp(*(char *const *)a, *(char *const *)b);
}

/* Whether two are the same in either case, or would be a file and a folder. */
static bool clash(const char *a, const char *b)
{
	size_t n = strlen(a);
	return strncasecmp(a, b, n) == 0 && (!b[n] || b[n] == '/');
}

bool ckpt_hub_check_case(ckpt_hub *hub, ckpt_hub_listing *l, const char *what, const char *place, ckpt_error *err)
{
	size_t count = 0;
	char **names = ckpt_hub_folds_case(place) ? calloc(l->count + 1, sizeof *names) : NULL;
	bool ok = true;
	if (!names) return !ckpt_hub_folds_case(place) || ckpt_fail_nomem(err);
	for (size_t i = 0; i < l->count; i++)
		if (l->entries[i].chosen) names[count++] = l->entries[i].path;
	qsort(names, count, sizeof *names, by_folded);
	for (size_t i = 1; ok && i < count; i++)
		if (clash(names[i - 1], names[i]))
			ok = ckpt_hub_fail(hub, CKPT_HUB_OTHER, err, CKPT_E_UNSUPPORTED, "%s: the files '%s' and '%s' differ in case alone, which the disk of "
			                   "%s does not tell apart: leave one out (--exclude)", what, names[i - 1], names[i], place);
	free(names);
	return ok;
}

/* A list that cannot be used is the server's fault, unless memory ran out. */
static bool blame(ckpt_hub *hub, const char *what, const ckpt_error *why, ckpt_error *err)
{
	return ckpt_hub_fail(hub, why->code == CKPT_E_NOMEM ? CKPT_HUB_OTHER : CKPT_HUB_CORRUPT, err, why->code, "%s: %s", what, why->text);
}

bool ckpt_hub_list(ckpt_hub *hub, const ckpt_hub_id *id, const char *commit, ckpt_hub_listing *out, ckpt_error *err)
{
	char url[2048], what[512];
	ckpt_buffer body = {0};
	ckpt_http_answer answer;
	ckpt_error why = {0};
	bool ok = true;
	name_of(id, commit, what, sizeof what);
	snprintf(url, sizeof url, "%s/api/models/%s/tree/%s?recursive=true&expand=false", hub->endpoint, id->repo, commit);
	for (int page = 0; ok && *url; page++) {
		ok = ckpt_http_text(hub, url, BODY_MOST, &body, &answer, what, err);
		if (ok && !ckpt_hub_list_page(out, body.data ? body.data : "", body.length, &why))
			ok = blame(hub, what, &why, err);
		errno = 0;
		if (ok && *answer.next &&
		    (page == PAGES_MOST || !strcmp(answer.next, url) || !ckpt_http_same_origin(answer.next, hub->endpoint)))
			ok = errno == ENOMEM ? ckpt_fail_nomem(err) : ckpt_hub_fail(hub, CKPT_HUB_CORRUPT, err, CKPT_E_FORMAT, "%s: the next page of the list of files is no new page of %s",
			                   what, hub->endpoint);
		snprintf(url, sizeof url, "%s", answer.next);
	}
	ckpt_buffer_free(&body);
	if (ok && !no_twins(out, &why)) ok = blame(hub, what, &why, err);
	return ok;
}

/* ---- which files ---- */

static bool matches(const char *path, const char *const *globs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t n = strlen(globs[i]);
		if (fnmatch(globs[i], path, 0) == 0) return true;
		if (n && globs[i][n - 1] == '/' && strncmp(path, globs[i], n) == 0) return true; /* "onnx/" */
	}
	return false;
}

/* Marks the entries that match one of the globs (NULL-terminated); returns how many. */
static size_t mark(ckpt_hub_listing *l, const char *const *globs, int flags)
{
	size_t marked = 0;
	for (size_t i = 0; i < l->count; i++) {
		bool here = false;
		for (const char *const *g = globs; *g && !here; g++)
			here = fnmatch(*g, l->entries[i].path, flags) == 0 && !strchr(l->entries[i].path, '/');
		if (here) l->entries[i].chosen = true;
		marked += here;
	}
	return marked;
}

/* What a checkpoint needs: its config, one set of weights, its tokenizer. */
static void mark_needed(ckpt_hub *hub, ckpt_hub_listing *l)
{
	static const char *const small[] = {"config.json", "generation_config.json", "tokenizer*", "vocab.*", "merges.txt",
	                                    "special_tokens_map.json", "added_tokens.json", "*.model", "chat_template*",
	                                    "preprocessor_config.json", "sentencepiece*", NULL};
	static const char *const weights[][3] = {
		{"model.safetensors", NULL, NULL},
		{"model.safetensors.index.json", "model-[0-9]*.safetensors", NULL},
		{"*.safetensors", "*.safetensors.index.json", NULL},
		{"pytorch_model.bin", NULL, NULL},
		{"pytorch_model.bin.index.json", "pytorch_model-[0-9]*.bin", NULL},
		{"*.bin", "*.bin.index.json", NULL},
		{"*.pt", "*.pth", NULL},
	};
	mark(l, small, 0);
	for (size_t i = 0; i < sizeof weights / sizeof *weights; i++) {
		if (mark(l, weights[i], 0)) return;
	}
	ckpt_hub_note(hub, "the repository has no weights in its top folder; --include chooses files");
}

static bool mark_named(ckpt_hub *hub, ckpt_hub_listing *l, const ckpt_hub_id *id, const char *name, ckpt_error *err)
{
	bool found = false;
	size_t n = strlen(name);
	for (size_t i = 0; i < l->count; i++) {
		const char *path = l->entries[i].path;
		bool here = !strcmp(path, name) || (n && name[n - 1] == '/' && strncmp(path, name, n) == 0);
		if (here) l->entries[i].chosen = found = true;
	}
	if (found) return true;
	return ckpt_hub_fail(hub, CKPT_HUB_ABSENT, err, CKPT_E_NOT_FOUND, "%s has no file '%s' (ckpt pull %s --dry-run --include '*' "
	                     "lists what there is)", id->repo, name, id->repo);
}

bool ckpt_hub_choose(ckpt_hub *hub, ckpt_hub_listing *l, const ckpt_hub_id *id, const ckpt_hub_wish *wish, ckpt_error *err)
{
	if (*id->file && !mark_named(hub, l, id, id->file, err)) return false;
	for (size_t i = 0; i < wish->file_count; i++)
		if (!mark_named(hub, l, id, wish->files[i], err)) return false;
	if (*id->file || wish->file_count) return true;
	if (!wish->include_count) mark_needed(hub, l);
	size_t chosen = 0;
	for (size_t i = 0; i < l->count; i++) {
		ckpt_hub_entry *e = &l->entries[i];
		if (wish->include_count) e->chosen = matches(e->path, wish->include, wish->include_count);
		if (matches(e->path, wish->exclude, wish->exclude_count)) e->chosen = false;
		chosen += e->chosen;
	}
	if (chosen) return true;
	return ckpt_hub_fail(hub, CKPT_HUB_ABSENT, err, CKPT_E_NOT_FOUND, "%s: none of its %zu files is chosen", id->repo, l->count);
}
