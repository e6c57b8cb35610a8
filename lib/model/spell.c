/* spell.c -- what the name of a tensor in a file means to a model: prefixes, wrappers and old spellings */
#include "model.h"
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

/* Endings that every type may have had. */
static const ckpt_arch_alias shared[] = {
	{"LayerNorm.gamma", "LayerNorm.weight", NULL},
	{"LayerNorm.beta", "LayerNorm.bias", NULL},
	{"weight_g", "parametrizations.weight.original0", NULL},
	{"weight_v", "parametrizations.weight.original1", NULL},
	{0},
};

bool ckpt_arch_ignores(const ckpt_arch *arch, const char *name)
{
	for (const char *const *p = arch->ignored; p && *p; p++)
		if (!fnmatch(*p, name, 0)) return true;
	return false;
}

/* Today's spelling of a name that ends in an old one. */
static bool respell(const ckpt_arch_alias *table, const char *name, char *out, size_t size)
{
	size_t length = strlen(name);
	for (const ckpt_arch_alias *x = table; x && x->alias; x++) {
		size_t n = strlen(x->alias);
		if (n > length || strcmp(name + length - n, x->alias) != 0) continue;
		if (n < length && name[length - n - 1] != '.') continue;
		return (size_t)snprintf(out, size, "%.*s%s", (int)(length - n), name, x->key) < size;
	}
	return false;
}

/* The slot of a body row under its local name. */
static size_t find_body(const ckpt_model *model, const char *local)
{
	size_t i = ckpt_model_find(model, local);
	return i != CKPT_NO_SLOT && model->slots[i].row->parts & model->arch->body ? i : CKPT_NO_SLOT;
}

static const char *behind(const char *name, const char *prefix)
{
	size_t n = strlen(prefix);
	return n && !strncmp(name, prefix, n) ? name + n : NULL;
}

/* As the class spells it, without its prefix, or with one of the type's. */
static size_t find_name(const ckpt_model *model, const char *name, bool *exact)
{
	const char *local = behind(name, model->class->prefix);
	size_t i = local ? find_body(model, local) : CKPT_NO_SLOT;
	if (i == CKPT_NO_SLOT) i = ckpt_model_find(model, name);
	if (i != CKPT_NO_SLOT) {
		*exact = !strcmp(model->slots[i].name, name);
		return i;
	}
	*exact = false;
	local = behind(name, model->arch->prefix);
	if (local) i = find_body(model, local);
	for (const char *const *p = model->arch->old_prefixes; i == CKPT_NO_SLOT && p && *p; p++) {
		local = behind(name, *p);
		if (local) i = find_body(model, local);
	}
	return i;
}

static size_t find_spelt(const ckpt_model *model, const char *name, bool *exact)
{
	char today[512];
	size_t i = find_name(model, name, exact);
	if (i != CKPT_NO_SLOT) return i;
	if (respell(model->arch->spellings, name, today, sizeof today)) i = find_name(model, today, exact);
	if (i == CKPT_NO_SLOT && respell(shared, name, today, sizeof today)) i = find_name(model, today, exact);
	*exact = false;
	return i;
}

size_t ckpt_model_spell(const ckpt_model *model, const char *name, bool *exact)
{
	const char *rest = behind(name, model->wrapper);
	size_t i = find_spelt(model, rest ? rest : name, exact);
	if (rest) *exact = false;
	return i;
}

static size_t count_known(const ckpt_model *model, const char *const *names, size_t count)
{
	size_t known = 0;
	bool exact;
	for (size_t i = 0; i < count; i++) known += ckpt_model_spell(model, names[i], &exact) != CKPT_NO_SLOT;
	return known;
}

/* What stands in front of the first name that is known behind one of its dots, or NULL. */
static const char *propose(ckpt_model *model, const char *const *names, size_t count)
{
	bool exact;
	for (size_t i = 0; i < count; i++)
		for (const char *dot = strchr(names[i], '.'); dot; dot = strchr(dot + 1, '.'))
			if (find_spelt(model, dot + 1, &exact) != CKPT_NO_SLOT)
				return ckpt_arena_copy(&model->arena, names[i], (size_t)(dot + 1 - names[i]));
	return NULL;
}

void ckpt_model_find_wrapper(ckpt_model *model, const char *const *names, size_t count)
{
	model->wrapper = "";
	size_t plain = count_known(model, names, count);
	if (plain * 2 >= count) return;
	const char *wrapper = propose(model, names, count);
	if (!wrapper) return;
	model->wrapper = wrapper;
	if (count_known(model, names, count) <= plain) model->wrapper = "";
}
