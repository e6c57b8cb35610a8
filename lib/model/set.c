/* set.c -- changing a config: many keys at once, everything that follows from them, or nothing */
#include "../error.h"
#include "config.h"
#include "fields.h"
#include <inttypes.h>
#include <string.h>

/* Fields that are written down although they follow from others. When a file holds what would have been computed, a
 * change of the others changes them too; when it holds something else, they stay. */
static const char *const derived[] = {"head_dim", "num_key_value_heads", "word_embed_proj_dim", "layer_types"};
enum { DERIVED = sizeof derived / sizeof derived[0] };

static bool given(const ckpt_config *config, const char *const *keys, size_t count, const char *key)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(ckpt_config_canonical(config->arch, keys[i]), key)) return true;
	return false;
}

/* Puts a value under the names that raw has for the field; when it has none, under today's. */
static bool put_everywhere(ckpt_config *config, const char *key, const ckpt_node *value, ckpt_error *err)
{
	ckpt_arena *a = &config->arena;
	bool found = false;
	for (ckpt_node *n = config->raw->child; n; n = n->next) {
		if (strcmp(ckpt_config_canonical(config->arch, n->key), key) != 0) continue;
		const char *name = n->key;
		if (!ckpt_node_put(a, config->raw, name, ckpt_node_copy(a, value), err)) return false;
		n = ckpt_node_get(config->raw, name);
		found = true;
	}
	return found || ckpt_node_put(a, config->raw, key, ckpt_node_copy(a, value), err);
}

/* rope_theta and rope_scaling are names of today's rope_parameters: a file that has those is changed inside them. */
static bool put_rope(ckpt_config *config, const char *key, ckpt_node *value, ckpt_error *err)
{
	ckpt_arena *a = &config->arena;
	ckpt_node *rope = ckpt_node_get(config->raw, "rope_parameters");
	if (!rope || rope->kind != CKPT_NODE_DICT) return ckpt_node_put(a, config->raw, key, value, err);
	if (!strcmp(key, "rope_theta")) return ckpt_node_put(a, rope, key, value, err);
	const ckpt_node *theta = ckpt_node_get(rope, "rope_theta");
	if (value->kind != CKPT_NODE_DICT) value = ckpt_node_new(a, CKPT_NODE_DICT);
	if (!value) return ckpt_fail_nomem(err);
	if (theta && !ckpt_node_get(value, "rope_theta") &&
	    !ckpt_node_put(a, value, "rope_theta", ckpt_node_copy(a, theta), err))
		return false;
	return ckpt_node_put(a, config->raw, "rope_parameters", value, err);
}

static bool put_label_count(ckpt_config *config, const ckpt_node *value, ckpt_error *err)
{
	uint64_t count;
	ckpt_node_u64(value, &count);
	if (count == ckpt_config_dim(config, 'N')) return true;
	ckpt_node_remove(config->raw, "num_labels");
	return ckpt_config_make_labels(config, config->raw, count, err);
}

/* id2label says everything that label2id says. */
static bool put_label_names(ckpt_config *config, const ckpt_node *names, ckpt_error *err)
{
	ckpt_arena *a = &config->arena;
	ckpt_node *ids = ckpt_node_new(a, CKPT_NODE_DICT);
	if (!ids) return ckpt_fail_nomem(err);
	for (const ckpt_node *n = names->child; n; n = n->next) {
		ckpt_node *id = ckpt_node_new_string(a, n->key);
		if (!id) return ckpt_fail_nomem(err);
		id->kind = CKPT_NODE_INT;
		if (!ckpt_node_put(a, ids, n->text, id, err)) return false;
	}
	ckpt_node_remove(config->raw, "num_labels");
	return ckpt_node_put(a, config->raw, "label2id", ids, err);
}

static bool refuse_instead(const ckpt_config *config, const char *key, ckpt_error *err)
{
	for (const ckpt_arch_alias *x = config->arch->aliases; x && x->alias; x++) {
		if (strcmp(x->alias, key) != 0 || !x->instead) continue;
		return ckpt_fail(err, CKPT_E_USAGE, "for %s this key alone would not change the model as meant; set %s",
		                 config->arch->type, x->instead);
	}
	return true;
}

static bool put_one(ckpt_config *config, const char *key, const char *text, ckpt_error *err)
{
	const ckpt_field *field = ckpt_field_find(key);
	if (!refuse_instead(config, key, err)) return false;
	if (!ckpt_config_known(config, key) && !ckpt_node_get(config->raw, key))
		return ckpt_fail(err, CKPT_E_USAGE, "a config of type %s has no such key", config->arch->type);
	ckpt_node *value = ckpt_field_parse(&config->arena, field, text, err);
	if (!value || (field && !ckpt_field_check(field, value, err))) return false;
	if (!strcmp(key, "model_type") && strcmp(value->text, config->arch->type))
		return ckpt_fail(err, CKPT_E_USAGE, "the model is of type %s", config->arch->type);
	if (!strcmp(key, "rope_theta") || !strcmp(key, "rope_scaling")) return put_rope(config, key, value, err);
	if (!strcmp(key, "num_labels")) return put_label_count(config, value, err);
	if (!strcmp(key, "id2label") && value->kind == CKPT_NODE_DICT && !put_label_names(config, value, err)) return false;
	return put_everywhere(config, ckpt_config_canonical(config->arch, key), value, err);
}

/* True when the field holds what it would be computed as. */
static bool follows(ckpt_config *config, const char *key, ckpt_error *err)
{
	ckpt_arena *a = &config->arena;
	ckpt_node *full = config->full, *old = ckpt_node_get(full, key);
	if (!old || old->kind == CKPT_NODE_NULL || !config->arch->derive) return false;
	config->full = ckpt_node_copy(a, full);
	bool same = config->full && ckpt_node_put(a, config->full, key, ckpt_node_new(a, CKPT_NODE_NULL), err) &&
	            config->arch->derive(config, err) && ckpt_node_equal(ckpt_node_get(config->full, key), old);
	config->full = full;
	return same;
}

/* A value that did not arrive where the model reads it would silently do nothing. */
static bool check_effect(const ckpt_config *config, const char *key, ckpt_error *err)
{
	const char *name = ckpt_config_canonical(config->arch, key);
	const ckpt_node *put = ckpt_node_get(config->raw, name), *got = ckpt_node_get(config->full, name);
	if (config->arch->idle && config->arch->idle(config, name))
		return ckpt_fail(err, CKPT_E_USAGE, "this would do nothing, %s", config->arch->idle(config, name));
	if (!put || !got || put->kind == CKPT_NODE_NULL || ckpt_node_equal(put, got) || put->kind == CKPT_NODE_DICT) return true;
	return ckpt_fail(err, CKPT_E_USAGE, "this would do nothing: other fields decide it");
}

/* One field under two names, or the number of labels beside their names. */
static bool check_twice(const ckpt_config *config, const char *const *keys, const char *const *values, size_t count,
                        ckpt_error *err)
{
	for (size_t i = 0; i < count; i++) {
		bool labels = !strcmp(keys[i], "num_labels") && given(config, keys, count, "id2label");
		if (labels || given(config, keys, i, ckpt_config_canonical(config->arch, keys[i])))
			return ckpt_fail(err, CKPT_E_USAGE, "%s=%s: %s is set twice", keys[i], values[i],
			                 labels ? "the number of labels (id2label has it too)" : "the field");
	}
	return true;
}

static bool set_all(ckpt_config *config, const char *const *keys, const char *const *values, size_t count,
                    ckpt_error *err)
{
	ckpt_arena *a = &config->arena;
	bool recompute[DERIVED], written[DERIVED];
	if (!check_twice(config, keys, values, count, err)) return false;
	for (size_t i = 0; i < DERIVED; i++) {
		recompute[i] = !given(config, keys, count, derived[i]) && follows(config, derived[i], err);
		written[i] = ckpt_node_get(config->raw, derived[i]) || ckpt_node_get(config->defaults, derived[i]);
	}
	for (size_t i = 0; i < count; i++)
		if (!put_one(config, keys[i], values[i], err)) return ckpt_error_prefix(err, "%s=%s", keys[i], values[i]);
	for (size_t i = 0; i < DERIVED; i++)
		if (recompute[i] && !put_everywhere(config, derived[i], ckpt_node_new(a, CKPT_NODE_NULL), err)) return false;
	if (!ckpt_config_resolve(config, err)) return count == 1 ? ckpt_error_prefix(err, "%s=%s", keys[0], values[0]) : false;
	for (size_t i = 0; i < DERIVED; i++) {
		if (!recompute[i]) continue;
		const ckpt_node *value = ckpt_node_get(config->full, derived[i]);
		if (!written[i])
			ckpt_node_remove(config->raw, derived[i]);
		else if (value && !put_everywhere(config, derived[i], value, err))
			return false;
	}
	for (size_t i = 0; i < count; i++)
		if (!check_effect(config, keys[i], err)) return ckpt_error_prefix(err, "%s=%s", keys[i], values[i]);
	return true;
}

bool ckpt_config_set(ckpt_config *config, const char *const *keys, const char *const *values, size_t count,
                     ckpt_error *err)
{
	ckpt_node *before = config->raw;
	if (!count) return true;
	config->raw = ckpt_node_copy(&config->arena, before);
	if (!config->raw) {
		config->raw = before;
		return ckpt_fail_nomem(err);
	}
	if (set_all(config, keys, values, count, err)) return true;
	config->raw = before;
	ckpt_config_resolve(config, NULL);
	return false;
}
