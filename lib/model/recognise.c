/* recognise.c -- which model type a set of tensors belongs to, by their names and shapes alone
 *
 * For each type, names are matched against the patterns of its table, and sizes are collected by the terms of its
 * shapes ("V", "3*H"): a term must always mean the same number. A type fits when one of its classes has every tensor and
 * lacks none of the tensors of layer 0. What only trained eyes could tell apart (BERT's body and RoBERTa's, Llama and
 * Mistral) fits both and is refused.
 */
#include "../error.h"
#include "model.h"
#include "recognise.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Matches a local name against a row's pattern; the numbers go to index. */
static bool match_name(const char *pattern, const char *name, uint32_t index[2])
{
	unsigned level = 0;
	for (; *pattern; pattern++) {
		if (*pattern != '{') {
			if (*pattern != *name++) return false;
			continue;
		}
		size_t digits = strspn(name, "0123456789");
		if (!digits || digits > 6) return false;
		index[level++ & 1] = (uint32_t)strtoul(name, NULL, 10);
		name += digits;
		pattern += 2;
	}
	return !*name;
}

static const char *behind(const char *name, const char *prefix)
{
	while (*prefix && *prefix == *name) prefix++, name++;
	return *prefix ? NULL : name;
}

/* Rows that the local name can be; body rows only when a prefix was taken off. */
static bool match_rows(const ckpt_arch *arch, const char *local, bool body_only, const ckpt_tensor *t, uint64_t *hits,
                       ckpt_sizes *sizes)
{
	bool any = false;
	for (size_t r = 0; arch->rows[r].name && r < CKPT_MOST_ROWS; r++) {
		const ckpt_arch_row *row = &arch->rows[r];
		uint32_t index[2] = {0};
		if (body_only && !(row->parts & arch->body)) continue;
		if (!match_name(row->name, local, index) || row->when & arch->never) continue;
		if (!ckpt_sizes_take(sizes, row, index, t)) continue;
		hits[r / 64] |= UINT64_C(1) << r % 64;
		any = true;
	}
	return any;
}

static bool match_tensor(const ckpt_arch *arch, const char *name, const ckpt_tensor *t, uint64_t *hits, ckpt_sizes *sizes)
{
	bool any = match_rows(arch, name, false, t, hits, sizes);
	const char *local = behind(name, arch->prefix);
	if (local && match_rows(arch, local, true, t, hits, sizes)) any = true;
	for (const char *const *p = arch->old_prefixes; p && *p; p++)
		if ((local = behind(name, *p)) && match_rows(arch, local, true, t, hits, sizes)) any = true;
	return any;
}

static bool hit(const uint64_t *hits, size_t r) { return hits[r / 64] >> r % 64 & 1; }

/* Conditions that the tensors show, as far as the type leaves them open. */
static bool conditions(const ckpt_arch *arch, const uint64_t *hits, uint32_t *when)
{
	*when = arch->always;
	for (size_t r = 0; arch->rows[r].name; r++)
		if (hit(hits, r)) *when |= arch->rows[r].when;
	return !(*when & arch->together) || (*when & arch->together) == arch->together;
}

/* Does the class have every row that was seen, and were all its rows seen? */
static bool class_fits(const ckpt_arch *arch, const ckpt_arch_class *class, const uint64_t *hits, uint32_t when)
{
	for (size_t r = 0; arch->rows[r].name; r++) {
		const ckpt_arch_row *row = &arch->rows[r];
		bool has = row->parts & class->parts;
		bool needed = has && !row->tied && !(row->flags & CKPT_ROW_BUFFER) && (row->when & when) == row->when;
		if (needed && !hit(hits, r)) return false;
	}
	return true;
}

/* Every tensor that was seen belongs to a row of the class. Several rows can share a name, so it is asked by name. */
static bool class_covers(const ckpt_arch *arch, const ckpt_arch_class *class, const uint64_t *hits)
{
	for (size_t r = 0; arch->rows[r].name; r++) {
		if (!hit(hits, r) || arch->rows[r].parts & class->parts) continue;
		bool covered = false;
		for (size_t q = 0; arch->rows[q].name && !covered; q++)
			covered = hit(hits, q) && arch->rows[q].parts & class->parts && !strcmp(arch->rows[q].name, arch->rows[r].name);
		if (!covered) return false;
	}
	return true;
}

/* "bert." names its type; "model." names nobody. */
static bool prefix_speaks(const ckpt_arch *arch) { return behind(arch->prefix, arch->type) != NULL; }

static bool has_name(const ckpt_checkpoint *cp, const char *wrapper, const char *prefix, const char *local)
{
	char name[512];
	int length = snprintf(name, sizeof name, "%s%s%s", wrapper, prefix, local);
	return length < (int)sizeof name && ckpt_checkpoint_index_of(cp, name) != SIZE_MAX;
}

/* A quick look before all names are matched: is any table or norm outside the layers there? */
static bool may_fit(const ckpt_arch *arch, const ckpt_checkpoint *cp, const char *wrapper)
{
	for (const ckpt_arch_row *row = arch->rows; row->name; row++) {
		if (!(row->parts & arch->body) || row->tied || row->when || strchr(row->name, '{')) continue;
		if (has_name(cp, wrapper, "", row->name) || has_name(cp, wrapper, arch->prefix, row->name)) return true;
		for (const char *const *p = arch->old_prefixes; p && *p; p++)
			if (has_name(cp, wrapper, *p, row->name)) return true;
	}
	return false;
}

static bool fits(const ckpt_arch *arch, const ckpt_checkpoint *cp, const char *wrapper, ckpt_sizes *sizes)
{
	uint64_t hits[CKPT_MOST_ROWS / 64] = {0};
	uint32_t when;
	memset(sizes, 0, sizeof *sizes);
	if (!may_fit(arch, cp, wrapper)) return false;
	for (size_t i = 0; i < cp->count; i++) {
		const char *name = behind(cp->tensors[i].name, wrapper);
		if (!name) name = cp->tensors[i].name;
		if (ckpt_arch_ignores(arch, name)) continue;
		if (!match_tensor(arch, name, &cp->tensors[i], hits, sizes)) return false;
	}
	if (!sizes->count || !ckpt_sizes_agree(sizes, arch) || !conditions(arch, hits, &when)) return false;
	sizes->when = when;
	for (const ckpt_arch_class *c = arch->classes; c->name; c++)
		if (class_covers(arch, c, hits) && class_fits(arch, c, hits, when)) return true;
	return false;
}

/* The prefix of some type that stands in a name: then it is of that type or of none. */
static const ckpt_arch *named_by_prefix(const ckpt_checkpoint *cp, const char *wrapper)
{
	for (size_t i = 0; i < cp->count && i < 1000; i++) {
		const char *name = behind(cp->tensors[i].name, wrapper);
		for (size_t k = 0; name && ckpt_arch_at(k); k++)
			if (prefix_speaks(ckpt_arch_at(k)) && behind(name, ckpt_arch_at(k)->prefix)) return ckpt_arch_at(k);
	}
	return NULL;
}

/* Text that all names start with, up to a dot, longest first; tried one after the other. */
static size_t common_prefix(const ckpt_checkpoint *cp)
{
	size_t n = cp->count ? strlen(cp->tensors[0].name) : 0;
	for (size_t i = 1; i < cp->count; i++) {
		size_t same = 0;
		while (same < n && cp->tensors[i].name[same] == cp->tensors[0].name[same]) same++;
		n = same;
	}
	while (n && cp->tensors[0].name[n - 1] != '.') n--;
	return n;
}

/* Types that fit with this wrapper; the list receives their names. */
static size_t find_fits(const ckpt_checkpoint *cp, const ckpt_arch *only, const char *wrapper, const ckpt_arch **found,
                        char *list, size_t size, ckpt_sizes *sizes)
{
	ckpt_sizes own;
	size_t count = 0;
	const ckpt_arch *named = only ? only : named_by_prefix(cp, wrapper);
	list[0] = '\0';
	for (size_t k = 0; ckpt_arch_at(k); k++) {
		const ckpt_arch *arch = ckpt_arch_at(k);
		if ((named && named != arch) || !fits(arch, cp, wrapper, &own)) continue;
		if (!count++) {
			*found = arch;
			*sizes = own;
		}
		size_t used = strlen(list);
		snprintf(list + used, size - used, "%s%s", used ? " and " : "", arch->type);
	}
	return count;
}

const ckpt_arch *ckpt_model_recognise_sizes(const ckpt_checkpoint *cp, const ckpt_arch *only, ckpt_sizes *sizes,
                                            ckpt_error *err)
{
	const ckpt_arch *found = NULL;
	char list[256], wrapper[512];
	size_t n = common_prefix(cp), count = 0;
	if (n >= sizeof wrapper) n = 0;
	/* "module.bert." is tried as "", "module." and "module.bert." */
	for (size_t length = 0; length <= n && !count; length++) {
		if (length && cp->tensors[0].name[length - 1] != '.') continue;
		if (length) memcpy(wrapper, cp->tensors[0].name, length);
		wrapper[length] = '\0';
		count = find_fits(cp, only, wrapper, &found, list, sizeof list, sizes);
	}
	if (count == 1) return found;
	if (only)
		ckpt_fail(err, CKPT_E_FORMAT, "the tensors do not fit a model of type %s", only->type);
	else if (count)
		ckpt_fail(err, CKPT_E_USAGE, "the tensors fit %s alike, and nothing else tells them apart: say which with --type",
		          list);
	else
		ckpt_fail(err, CKPT_E_UNSUPPORTED, "the tensors fit none of the model types that ckpt knows (%s)",
		          ckpt_arch_list(list, sizeof list));
	return NULL;
}

const ckpt_arch *ckpt_model_recognise(const ckpt_checkpoint *cp, ckpt_error *err)
{
	ckpt_sizes sizes;
	return ckpt_model_recognise_sizes(cp, NULL, &sizes, err);
}
