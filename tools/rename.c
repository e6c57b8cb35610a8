/* rename.c -- --rename REGEX/REPLACEMENT */
#include <stdlib.h>
#include <string.h>

#include "rename.h"

/* Splits at the last slash that has no backslash before it, and turns \/ into /. */
static bool split_rename(const char *text, char *regex, char *replacement, ckpt_error *err)
{
	const char *slash = NULL;
	size_t slashes = 0, length = strlen(text);
	for (const char *p = text; *p; p++) {
		if (*p == '\\' && p[1]) {
			p++;
		} else if (*p == '/') {
			slash = p;
			slashes++;
		}
	}
	if (!slash)
		return ckpt_fail(err, CKPT_E_USAGE, "--rename wants REGEX/REPLACEMENT, there is no / in '%.80s'", text);
	if (slashes == 3 && text[0] == 's' && text[1] == '/' && text[length - 1] == '/')
		return ckpt_fail(err, CKPT_E_USAGE, "--rename wants REGEX/REPLACEMENT, without the s/ and the last / of sed: '%.80s'",
		                 text);
	for (const char *p = text; *p; p++) {
		char **out = p < slash ? &regex : &replacement;
		if (p == slash) continue;
		if (*p == '\\' && p[1] == '/') {
			p++;
		} else if (*p == '\\' && p[1]) {
			*(*out)++ = *p++; /* the pair stays together */
		}
		*(*out)++ = *p;
	}
	*regex = 0;
	*replacement = 0;
	return true;
}

static bool rename_once(const ckpt_call *call, ckpt_checkpoint *cp, const char *text, ckpt_error *err)
{
	size_t count = ckpt_checkpoint_tensor_count(cp), changed = 0;
	char *regex = calloc(1, strlen(text) + 1), *replacement = calloc(1, strlen(text) + 1);
	const char **before = calloc(count + 1, sizeof *before);
	bool ok = regex && replacement && before;
	if (!ok) ckpt_fail_nomem(err);
	for (size_t i = 0; ok && i < count; i++) before[i] = ckpt_tensor_name(ckpt_checkpoint_tensor_at(cp, i));
	ok = ok && split_rename(text, regex, replacement, err) && ckpt_checkpoint_rename(cp, regex, replacement, err);
	for (size_t i = 0; ok && i < count; i++)
		changed += strcmp(before[i], ckpt_tensor_name(ckpt_checkpoint_tensor_at(cp, i))) != 0;
	if (ok && changed == 0) ckpt_remark(call, "--rename %s changed no name", text);
	free(before);
	free(regex);
	free(replacement);
	return ok;
}

bool ckpt_rename_all(const ckpt_call *call, ckpt_checkpoint *cp, const ckpt_list *renames, ckpt_error *err)
{
	for (size_t i = 0; i < renames->count; i++)
		if (!rename_once(call, cp, renames->items[i], err)) return false;
	return true;
}
