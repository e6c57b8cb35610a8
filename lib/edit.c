/* edit.c -- changes of a checkpoint that touch no byte: cast, select, rename, aliases */
#include "buffer.h"
#include "cast.h"
#include "checkpoint.h"
#include "dtype.h"
#include "error.h"
#include "names.h"

#include <fnmatch.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- cast ---- */

/* Scales (E8M0) and the sub-byte types belong to a quantisation scheme: their numbers are not for casting. */
static bool castable(ckpt_dtype dtype)
{
	return ckpt_dtype_get(dtype)->kind == CKPT_CLASS_FLOAT && ckpt_dtype_bits(dtype) >= 8 && dtype != CKPT_F8_E8M0;
}

bool ckpt_checkpoint_cast(ckpt_checkpoint *cp, ckpt_dtype dtype, ckpt_error *err)
{
	if ((unsigned)dtype >= CKPT_DTYPE_COUNT || !castable(dtype))
		return ckpt_fail(err, CKPT_E_USAGE, "cannot cast to %s: use F64, F32, F16, BF16, F8_E4M3 or F8_E5M2",
				 ckpt_dtype_name(dtype));
	ckpt_source **cast = calloc(cp->count + 1, sizeof *cast);
	if (!cast) return ckpt_fail_nomem(err);
	bool ok = true;
	for (size_t i = 0; ok && i < cp->count; i++) {
		const ckpt_tensor *t = &cp->tensors[i];
		if (t->dtype == dtype || !castable(t->dtype)) continue;
		if (t->alias_of != SIZE_MAX)
			cast[i] = ckpt_source_ref(cast[t->alias_of]);
		else if (!(cast[i] = ckpt_source_cast(t->source, t->dtype, dtype, err)))
			ok = ckpt_error_prefix(err, "tensor '%s'", t->name);
	}
	for (size_t i = 0; i < cp->count; i++) {
		if (!cast[i]) continue;
		ckpt_tensor *t = &cp->tensors[i];
		if (!ok) {
			ckpt_source_unref(cast[i]);
			continue;
		}
		ckpt_source_unref(t->source);
		t->source = cast[i];
		t->dtype = dtype;
		t->bytes = cast[i]->length;
		t->storage = NULL;
		t->stride = NULL;
		t->storage_offset = 0;
		t->value = NULL;
	}
	free(cast);
	return ok;
}

/* ---- select ---- */

static bool matches(const char *name, const char *const *patterns, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fnmatch(patterns[i], name, 0) == 0) return true;
	return false;
}

bool ckpt_checkpoint_select(ckpt_checkpoint *cp, const char *const *include, size_t includes,
			    const char *const *exclude, size_t excludes, ckpt_error *err)
{
	bool *keep = calloc(cp->count + 1, sizeof *keep);
	if (!keep) return ckpt_fail_nomem(err);
	for (size_t i = 0; i < cp->count; i++) {
		const char *name = cp->tensors[i].name;
		keep[i] = (includes == 0 || matches(name, include, includes)) && !matches(name, exclude, excludes);
	}
	bool ok = ckpt_checkpoint_filter(cp, keep, err);
	free(keep);
	return ok;
}

/* ---- rename ---- */

/* The replacement with its groups filled in from name. */
static void expand(ckpt_buffer *b, const char *name, const char *replacement, const regmatch_t *groups)
{
	for (const char *r = replacement; *r; r++) {
		int group = -1;
		if (*r == '&') group = 0;
		if (*r == '\\' && r[1] >= '0' && r[1] <= '9') group = *++r - '0';
		if (group < 0) {
			if (*r == '\\' && r[1]) r++;
			ckpt_buffer_char(b, *r);
		} else if (groups[group].rm_so >= 0) {
			ckpt_buffer_add(b, name + groups[group].rm_so, (size_t)(groups[group].rm_eo - groups[group].rm_so));
		}
	}
}

static char *renamed(ckpt_checkpoint *cp, const regex_t *regex, const char *name, const char *replacement)
{
	regmatch_t groups[10];
	if (regexec(regex, name, 10, groups, 0) != 0) return ckpt_arena_copy(&cp->arena, name, strlen(name));
	ckpt_buffer b = {0};
	ckpt_buffer_add(&b, name, (size_t)groups[0].rm_so);
	expand(&b, name, replacement, groups);
	ckpt_buffer_str(&b, name + groups[0].rm_eo);
	char *copy = b.failed ? NULL : ckpt_arena_copy(&cp->arena, b.data, b.length);
	ckpt_buffer_free(&b);
	return copy;
}

bool ckpt_checkpoint_rename(ckpt_checkpoint *cp, const char *regex, const char *replacement, ckpt_error *err)
{
	regex_t compiled;
	int status = regcomp(&compiled, regex, REG_EXTENDED);
	if (status != 0) {
		char reason[256];
		regerror(status, &compiled, reason, sizeof reason);
		return ckpt_fail(err, CKPT_E_USAGE, "bad regular expression '%s': %s", regex, reason);
	}
	bool ok = true;
	char **names = calloc(cp->count + 1, sizeof *names);
	ckpt_name_index *index = ckpt_names_new();
	if (!names || !index) ok = ckpt_fail_nomem(err);
	for (size_t i = 0; ok && i < cp->count; i++) {
		names[i] = renamed(cp, &compiled, cp->tensors[i].name, replacement);
		if (!names[i]) {
			ok = ckpt_fail_nomem(err);
			break;
		}
		size_t other = ckpt_names_find(index, names[i]);
		if (other != SIZE_MAX)
			ok = ckpt_fail(err, CKPT_E_USAGE, "renaming gives both '%s' and '%s' the name '%s'", cp->tensors[other].name,
				       cp->tensors[i].name, names[i]);
		else if (!*names[i])
			ok = ckpt_fail(err, CKPT_E_USAGE, "renaming leaves '%s' without a name", cp->tensors[i].name);
		else if (!ckpt_names_add(index, names[i], i))
			ok = ckpt_fail_nomem(err);
	}
	for (size_t i = 0; ok && i < cp->count; i++) {
		if (strcmp(cp->tensors[i].name, names[i]) != 0) cp->value_is_whole = false;
		cp->tensors[i].name = names[i];
	}
	if (ok) {
		ckpt_name_index *old = cp->index;
		cp->index = index;
		index = old;
	}
	ckpt_names_free(index);
	free(names);
	regfree(&compiled);
	return ok;
}

/* ---- aliases ---- */

bool ckpt_checkpoint_drop_aliases(ckpt_checkpoint *cp, bool record, ckpt_error *err)
{
	bool *keep = calloc(cp->count + 1, sizeof *keep);
	if (!keep) return ckpt_fail_nomem(err);
	bool ok = true;
	for (size_t i = 0; ok && i < cp->count; i++) {
		const ckpt_tensor *t = &cp->tensors[i];
		keep[i] = t->alias_of == SIZE_MAX;
		if (!keep[i] && record) ok = ckpt_checkpoint_metadata_set(cp, t->name, cp->tensors[t->alias_of].name, err);
	}
	if (ok) ok = ckpt_checkpoint_filter(cp, keep, err);
	free(keep);
	return ok;
}

bool ckpt_checkpoint_restore_aliases(ckpt_checkpoint *cp, ckpt_error *err)
{
	size_t kept = 0, pairs = cp->metadata_count;
	bool ok = true, restored = false;
	for (size_t i = 0; i < pairs; i++) {
		char *name = cp->metadata[2 * i], *target = cp->metadata[2 * i + 1];
		size_t at = ok ? ckpt_names_find(cp->index, target) : SIZE_MAX;
		if (at == SIZE_MAX || ckpt_names_find(cp->index, name) != SIZE_MAX) {
			cp->metadata[2 * kept] = name;
			cp->metadata[2 * kept++ + 1] = target;
			continue;
		}
		ckpt_tensor from = cp->tensors[at];
		ckpt_tensor *t = NULL;
		ok = ckpt_checkpoint_add(cp, name, from.dtype, from.rank, from.shape, ckpt_source_ref(from.source), &t, err);
		if (!ok) continue;
		t->storage = from.storage;
		t->storage_offset = from.storage_offset;
		t->stride = from.stride;
		restored = true;
	}
	if (kept < pairs) {
		ckpt_names_free(cp->metadata_index);
		cp->metadata_index = NULL;
	}
	cp->metadata_count = kept;
	if (!ok || !restored) return ok;
	cp->value_is_whole = false;
	return ckpt_checkpoint_find_aliases(cp, err);
}
