/* torch_roots.c -- the parts of a training checkpoint: which of them are state dicts, and finding one by its path */
#include "../lib/error.h"
#include "torch_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MINOR = 16 }; /* a group with an unusual name counts when it has 1/16 of the elements of the largest one */

/* Keys under which training code keeps its weights. */
static const char *const usual[] = {
	"state_dict",  "model_state_dict",
	"model",       "module",
	"net",         "network",
	"params",      "params_ema",
	"ema",         "ema_state_dict",
	"model_ema",   "state_dict_ema",
	"ema_model",   "weights",
	"generator",   "discriminator",
	"netG",        "netD",
	"G",           "D",
	"G_ema",       "g",
	"d",           "g_ema",
	"encoder",     "decoder",
	"backbone",    "teacher",
	"student",     "actor",
	"critic",      "policy",
	"model_state", "state",
	"base_model",  "unet",
	"vae",         "text_encoder",
};

static bool is_usual(const ckpt_value *key)
{
	if (key->kind != CKPT_VALUE_STRING) return false;
	for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
		if (strcmp(key->u.text.bytes, usual[i]) == 0) return true;
	return false;
}

/* What torch.optim writes: {'state': ..., 'param_groups': [...]}, or a list of these. */
static bool is_optimizer(const ckpt_value *v)
{
	if (ckpt_torch_shape(v) == TORCH_LIST) {
		ckpt_value *const *items;
		size_t count;
		ckpt_torch_items(v, &items, &count);
		if (!count) return false;
		v = items[0];
	}
	return ckpt_torch_entry(v, "param_groups") && ckpt_torch_entry(v, "state");
}

/* State of the training and not of the model, by its key. */
static bool is_training_key(const ckpt_value *key)
{
	static const char *const parts[] = {"optim", "sched",   "scaler", "rng",    "callback",
	                                    "loop",  "sampler", "metric", "history"};
	if (key->kind != CKPT_VALUE_STRING) return true;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (strcasestr(key->u.text.bytes, parts[i])) return true;
	return false;
}

static bool is_group(const torch_top *top, bool (*holds)(const ckpt_value *v))
{
	return holds(top->value) && !ckpt_torch_is_tensor(top->value) && !is_training_key(top->key) &&
	       !is_optimizer(top->value);
}

static uint64_t elements_of(const ckpt_checkpoint *cp, const torch_top *top)
{
	uint64_t sum = 0;
	for (size_t i = top->first; i < top->last; i++)
		if (__builtin_add_overflow(sum, cp->tensors[i].elements, &sum)) return UINT64_MAX;
	return sum;
}

/* {'state': {'model': {...}}}: one road with a usual name leads further down. */
static const ckpt_value *only_child(const ckpt_value *v, bool (*holds)(const ckpt_value *v), const ckpt_value **key)
{
	ckpt_value *const *pairs;
	size_t count;
	const ckpt_value *found = NULL;
	if (ckpt_torch_shape(v) != TORCH_DICT) return NULL;
	ckpt_torch_pairs(v, &pairs, &count);
	for (size_t i = 0; i < count; i++) {
		const ckpt_value *child = pairs[2 * i + 1];
		if (!holds(child)) continue;
		if (found || ckpt_torch_is_tensor(child) || !is_usual(pairs[2 * i])) return NULL;
		found = child;
		*key = pairs[2 * i];
	}
	return found;
}

static bool add_root(ckpt_torch *t, const torch_top *top, bool alone, bool (*holds)(const ckpt_value *v),
                     ckpt_error *err)
{
	char path[512];
	const ckpt_value *v = top->value, *key = top->key;
	size_t used = 0;
	for (int level = 0; level < 8 && v; level++) {
		size_t n = key->u.text.length;
		if (used + n + 2 > sizeof path) return true; /* no name that somebody types */
		if (level) path[used++] = '.';
		memcpy(path + used, key->u.text.bytes, n);
		used += n;
		v = alone ? only_child(v, holds, &key) : NULL;
	}
	path[used] = '\0';
	return ckpt_checkpoint_add_root(t->cp, path, err);
}

bool ckpt_torch_find_roots(ckpt_torch *t, const ckpt_value *root, const torch_top *tops, size_t count,
                           bool (*holds)(const ckpt_value *v), ckpt_error *err)
{
	size_t groups = 0, direct = 0, named = 0;
	uint64_t largest = 0;
	if (is_optimizer(root)) return true;
	for (size_t i = 0; i < count; i++) {
		if (holds(tops[i].value) && ckpt_torch_is_tensor(tops[i].value)) direct++;
		if (!is_group(&tops[i], holds)) continue;
		uint64_t elements = elements_of(t->cp, &tops[i]);
		if (elements > largest) largest = elements;
		if (is_usual(tops[i].key)) named++;
		groups++;
	}
	/* loose tensors beside a group that has a usual name are counters; otherwise the whole is one state dict */
	if (groups == 0 || (direct && !named)) return true;
	size_t kept = 0;
	for (int pass = 0; pass < 2; pass++) {
		size_t found = 0;
		for (size_t i = 0; i < count; i++) {
			if (!is_group(&tops[i], holds)) continue;
			bool minor = elements_of(t->cp, &tops[i]) < largest / MINOR;
			if (!is_usual(tops[i].key) && minor) continue;
			found++;
			if (pass == 1 && !add_root(t, &tops[i], kept == 1, holds, err)) return false;
		}
		kept = found;
	}
	return true;
}

/* ---- by path ---- */

/* The entry of a dict whose key is the longest start of the path; *used is what it takes of it. */
static ckpt_value *longest_entry(const ckpt_value *v, const char *path, size_t *used)
{
	ckpt_value *const *pairs, *best = NULL;
	size_t count;
	*used = 0;
	ckpt_torch_pairs(v, &pairs, &count);
	for (size_t i = 0; i < count; i++) {
		char number[24];
		const ckpt_value *key = pairs[2 * i];
		const char *text = number;
		if (key->kind == CKPT_VALUE_INT)
			snprintf(number, sizeof number, "%lld", (long long)key->u.integer);
		else if (key->kind == CKPT_VALUE_STRING && strlen(key->u.text.bytes) == key->u.text.length)
			text = key->u.text.bytes;
		else
			continue;
		size_t n = strlen(text);
		if (strncmp(path, text, n) != 0 || (path[n] != '\0' && path[n] != '.')) continue;
		if (best && n < *used) continue;
		best = pairs[2 * i + 1];
		*used = n;
	}
	return best;
}

static ckpt_value *indexed(const ckpt_value *v, const char *path, size_t *used)
{
	ckpt_value *const *items;
	size_t count;
	char *end;
	ckpt_torch_items(v, &items, &count);
	if (*path < '0' || *path > '9') return NULL;
	unsigned long long i = strtoull(path, &end, 10);
	*used = (size_t)(end - path);
	return i < count && (*end == '\0' || *end == '.') ? items[i] : NULL;
}

static ckpt_value *child_at(const ckpt_value *v, const char *path, size_t *used)
{
	static const char *const parts[] = {"_modules", "_parameters", "_buffers"};
	switch (ckpt_torch_shape(v)) {
	case TORCH_DICT:
		return longest_entry(v, path, used);
	case TORCH_LIST:
		return indexed(v, path, used);
	case TORCH_SCRIPT:
		return longest_entry(v->u.object.parts->state, path, used);
	case TORCH_MODULE:
		for (size_t i = 0; i < 3; i++) {
			const ckpt_value *dict = ckpt_torch_entry(v->u.object.parts->state, parts[i]);
			ckpt_value *found =
			    dict && ckpt_torch_shape(dict) == TORCH_DICT ? longest_entry(dict, path, used) : NULL;
			if (found) return found;
		}
		return NULL;
	default:
		return NULL;
	}
}

ckpt_value *ckpt_torch_resolve(ckpt_value *root, const char *path, ckpt_error *err)
{
	ckpt_value *v = root;
	const char *rest = path;
	while (v && *rest) {
		size_t used = 0;
		int hops = 0;
		while (ckpt_torch_shape(v) == TORCH_INSIDE && hops++ < 64)
			v = v->u.object.parts->arguments->u.list.items[0];
		v = child_at(v, rest, &used);
		rest += used + (v && rest[used] == '.');
	}
	if (!v) {
		ckpt_fail(err, CKPT_E_NOT_FOUND, "the pickle has no part '%.200s'", path);
		return NULL;
	}
	if (!ckpt_torch_is_tensor(v)) return v;
	ckpt_fail(err, CKPT_E_USAGE, "'%.200s' is one tensor, not a part that holds tensors", path);
	return NULL;
}
