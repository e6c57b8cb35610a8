/* id.c -- what the user may write for a repository of the Hub */
#include <string.h>
#include <strings.h>
#include "../path.h"
#include "inner.h"

static bool is_part_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

/* A namespace or a name. */
static bool is_part(const char *text, size_t length)
{
	if (length == 0 || length > 96) return false;
	for (size_t i = 0; i < length; i++) {
		if (!is_part_char(text[i])) return false;
		if (i && text[i] == text[i - 1] && (text[i] == '-' || text[i] == '.')) return false;
	}
	char first = text[0], last = text[length - 1];
	if (first == '.' || first == '-' || last == '.' || last == '-') return false;
	return !(length > 4 && strncmp(text + length - 4, ".git", 4) == 0);
}

static bool is_repo(const char *text)
{
	const char *slash = strchr(text, '/');
	if (!slash) return is_part(text, strlen(text));
	return is_part(text, (size_t)(slash - text)) && is_part(slash + 1, strlen(slash + 1));
}

bool ckpt_hub_is_hash(const char *text)
{
	size_t n = strspn(text, "0123456789abcdef");
	return text[n] == '\0' && (n == 40 || n == 64);
}

/* A branch, tag or commit: nothing that could lead out of refs/. */
static bool is_revision(const char *text)
{
	return *text && strlen(text) < 250 && ckpt_path_is_plain(text, "revision", NULL) && !strpbrk(text, "?#%@ ");
}

static bool copy(char *to, size_t size, const char *from, size_t length)
{
	if (length >= size) return false;
	memcpy(to, from, length);
	to[length] = '\0';
	return true;
}

/* %2F in a revision of a URL or hf:// name. */
static void unquote_slashes(char *text)
{
	char *to = text;
	for (const char *from = text; *from; to++) {
		bool slash = strncasecmp(from, "%2F", 3) == 0;
		*to = slash ? '/' : *from;
		from += slash ? 3 : 1;
	}
	*to = '\0';
}

/* ORG/NAME[@REV][/PATH] or NAME[@REV] */
static bool parse_name(const char *text, bool with_path, ckpt_hub_id *out)
{
	const char *slash = strchr(text, '/');
	const char *at = strchr(text, '@');
	if (slash && at && at < slash) slash = NULL; /* name@refs/pr/1 */
	size_t length = slash ? (size_t)(slash - text) + 1 + strcspn(slash + 1, with_path ? "/@" : "@") : strcspn(text, "@");
	const char *rest = text + length;
	if (!copy(out->repo, sizeof out->repo, text, length)) return false;
	if (*rest == '@') {
		const char *rev = ++rest;
		size_t n = with_path ? strcspn(rest, "/") : strlen(rest);
		if (with_path && strncmp(rev, "refs/", 5) == 0) { /* refs/pr/1, refs/convert/parquet */
			n = 5 + strcspn(rev + 5, "/");
			if (rev[n]) n += 1 + strcspn(rev + n + 1, "/");
		}
		if (!copy(out->revision, sizeof out->revision, rev, n)) return false;
		unquote_slashes(out->revision);
		if (!*out->revision) return false;
		rest = rev + n;
	}
	if (*rest == '/') return copy(out->file, sizeof out->file, rest + 1, strlen(rest + 1));
	return *rest == '\0';
}

/* What follows the endpoint in a URL: org/name[/resolve/REV/PATH]. */
static bool parse_url(const char *text, ckpt_hub_id *out)
{
	static const char *const verbs[] = {"/resolve/", "/blob/", "/raw/", "/tree/"};
	const char *found = NULL, *rev = NULL;
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		const char *here = strstr(text, verbs[i]);
		if (here && (!found || here < found)) {
			found = here;
			rev = here + strlen(verbs[i]);
		}
	}
	size_t length = found ? (size_t)(found - text) : strcspn(text, "?#");
	while (!found && length && text[length - 1] == '/') length--;
	if (!copy(out->repo, sizeof out->repo, text, length)) return false;
	if (!found) return true;
	size_t n = strcspn(rev, "/?#");
	if (!copy(out->revision, sizeof out->revision, rev, n)) return false;
	unquote_slashes(out->revision);
	if (rev[n] != '/') return true;
	return copy(out->file, sizeof out->file, rev + n + 1, strcspn(rev + n + 1, "?#"));
}

bool ckpt_hub_parse(const char *text, const char *endpoint, ckpt_hub_id *out, ckpt_error *err)
{
	static const char *const others[] = {"datasets/", "spaces/", "buckets/", "kernels/"};
	ckpt_hub_id id = {0};
	size_t base = strlen(endpoint);
	const char *rest = text;
	bool ok, named = strncmp(text, "hf://", 5) == 0;
	bool url = strncmp(text, endpoint, base) == 0 && text[base] == '/';
	if (!named && !url && strstr(text, "://"))
		return ckpt_fail(err, CKPT_E_USAGE, "%.300s is not on the Hub at %s", text, endpoint);
	rest += named ? 5 : url ? base + 1 : 0;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (strncmp(rest, others[i], strlen(others[i])) == 0 && (named || url || strchr(rest + strlen(others[i]), '/')))
			return ckpt_fail(err, CKPT_E_UNSUPPORTED, "%.300s is no model, and ckpt pulls models alone", text);
	if ((named || url) && strncmp(rest, "models/", 7) == 0) rest += 7;
	ok = url ? parse_url(rest, &id) : parse_name(rest, named, &id);
	if (!ok || !is_repo(id.repo))
		return ckpt_fail(err, CKPT_E_USAGE, "'%.300s' names no repository of the Hub (org/name, org/name@revision, hf://org/name)",
		                 text);
	if (*id.revision && !is_revision(id.revision))
		return ckpt_fail(err, CKPT_E_USAGE, "'%.200s' is no revision: a branch, a tag or a commit is wanted", id.revision);
	if (*id.file && !ckpt_path_is_plain(id.file, "file name", err)) return false;
	*out = id;
	return true;
}
