/* guess.c -- sizes read off the shapes of tensors, and a config made from them */
#include "../error.h"
#include "recognise.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The place of the term among those seen, or the count of them. */
static size_t find_term(const ckpt_sizes *sizes, const char *text, size_t length)
{
	size_t i = 0;
	while (i < sizes->count && (sizes->terms[i].length != length || memcmp(sizes->terms[i].text, text, length))) i++;
	return i;
}

/* Goes through the axes: compares with what was seen, and with `keep` remembers what was not. A term that stands twice in
 * one shape is compared only once it is kept. */
static bool walk_axes(ckpt_sizes *sizes, const char *shape, const ckpt_tensor *t, bool keep)
{
	uint32_t axis = 0;
	for (const char *at = shape; *at; axis++) {
		size_t length = strcspn(at, ","), i = find_term(sizes, at, length);
		bool number = strspn(at, "0123456789") == length, seen = i < sizes->count;
		if (axis == t->rank || (!number && i == CKPT_MOST_TERMS)) return false;
		if (number ? strtoull(at, NULL, 10) != t->shape[axis] : seen && sizes->terms[i].value != t->shape[axis]) return false;
		if (keep && !number && !seen) {
			sizes->terms[i].text = at;
			sizes->terms[i].length = length;
			sizes->terms[i].value = t->shape[axis];
			sizes->count++;
		}
		at += length + (at[length] == ',');
	}
	return axis == t->rank;
}

bool ckpt_sizes_take(ckpt_sizes *sizes, const ckpt_arch_row *row, const uint32_t index[2], const ckpt_tensor *t)
{
	size_t before = sizes->count;
	if (!walk_axes(sizes, row->shape, t, false)) return false;
	if (!walk_axes(sizes, row->shape, t, true)) {
		sizes->count = before;
		return false;
	}
	const char *open = strchr(row->name, '{');
	for (unsigned level = 0; open && level < 2; level++, open = strchr(open + 1, '{')) {
		uint64_t *layers = &sizes->layers[CKPT_SYMBOL(open[1])];
		if (*layers <= index[level]) *layers = (uint64_t)index[level] + 1;
	}
	return true;
}

static uint64_t seen_value(const ckpt_sizes *sizes, const char *text)
{
	for (size_t i = 0; i < sizes->count; i++)
		if (sizes->terms[i].length == strlen(text) && !memcmp(sizes->terms[i].text, text, sizes->terms[i].length))
			return sizes->terms[i].value;
	return 0;
}

uint64_t ckpt_sizes_get(const ckpt_sizes *sizes, const char *term)
{
	char text[16];
	uint64_t value = seen_value(sizes, term);
	if (value || !term[0] || term[1]) return value;
	if (sizes->layers[CKPT_SYMBOL(term[0])]) return sizes->layers[CKPT_SYMBOL(term[0])];
	snprintf(text, sizeof text, "%c+2", term[0]);
	value = seen_value(sizes, text);
	return value > 2 ? value - 2 : 0;
}

static void known_dims(const ckpt_sizes *sizes, uint64_t dims[CKPT_SYMBOLS])
{
	for (char letter = 'A'; letter <= 'Z'; letter++) {
		char term[2] = {letter, '\0'};
		dims[CKPT_SYMBOL(letter)] = ckpt_sizes_get(sizes, term);
	}
}

static bool all_known(const char *text, size_t length, const uint64_t dims[CKPT_SYMBOLS])
{
	for (size_t i = 0; i < length; i++)
		if (text[i] >= 'A' && text[i] <= 'Z' && !dims[CKPT_SYMBOL(text[i])]) return false;
	return true;
}

bool ckpt_sizes_agree(const ckpt_sizes *sizes, const ckpt_arch *arch)
{
	uint64_t dims[CKPT_SYMBOLS], value;
	known_dims(sizes, dims);
	for (size_t i = 0; i < sizes->count; i++) {
		const char *text = sizes->terms[i].text;
		size_t length = sizes->terms[i].length;
		if (length == 1 || !all_known(text, length, dims)) continue;
		if (!ckpt_arch_eval(text, length, dims, &value) || value != sizes->terms[i].value) return false;
	}
	for (const ckpt_arch_symbol *s = arch->symbols; s->letter; s++) {
		if (s->key || strlen(s->otherwise) != 1) continue;
		uint64_t a = dims[CKPT_SYMBOL(s->letter)], b = dims[CKPT_SYMBOL(s->otherwise[0])];
		if (a && b && a != b) return false;
	}
	return true;
}

/* ---- a config -------------------------------------------------------------------------------------------------- */

static bool put_size(ckpt_config *config, const char *key, uint64_t value, ckpt_error *err)
{
	return ckpt_node_put(&config->arena, config->raw, key, ckpt_node_new_int(&config->arena, value), err);
}

/* What a condition is called in configs, and its value when it holds. */
static bool put_conditions(ckpt_config *config, const ckpt_sizes *sizes, ckpt_error *err)
{
	static const struct {
		uint32_t bit;
		const char *key, *on, *off;
	} rows[] = {
		{CKPT_WHEN_CROSS, "add_cross_attention", "true", NULL},
		{CKPT_WHEN_CROSS, "is_decoder", "true", NULL},
		{CKPT_WHEN_GATED, "feed_forward_proj", "\"gated-gelu\"", NULL},
		{CKPT_WHEN_QKV_BIAS, "attention_bias", "true", NULL},
		{CKPT_WHEN_MLP_BIAS, "mlp_bias", "true", NULL},
		{CKPT_WHEN_BIAS, "enable_bias", "true", "false"},
		{CKPT_WHEN_AFFINE, "layer_norm_elementwise_affine", "true", "false"},
		{CKPT_WHEN_FINAL_NORM, "do_layer_norm_before", "true", "false"},
		{CKPT_WHEN_TO_HIDDEN, "summary_proj_to_labels", "false", NULL},
	};
	ckpt_arena *a = &config->arena;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *text = sizes->when & rows[i].bit ? rows[i].on : rows[i].off;
		if (!text || !ckpt_config_known(config, rows[i].key)) continue;
		ckpt_node *value = ckpt_node_parse(a, text, strlen(text), err);
		if (!value || !ckpt_node_put(a, config->raw, rows[i].key, value, err)) return false;
	}
	if (sizes->when & CKPT_WHEN_RELATIVE)
		return ckpt_node_put(a, config->raw, "position_embedding_type", ckpt_node_new_string(a, "relative_key"), err);
	return true;
}

/* The largest usual width of a head that divides both sizes (b may be 0). */
static uint64_t usual_width(uint64_t a, uint64_t b)
{
	static const uint64_t usual[] = {128, 64, 96, 80, 32, 16, 8, 4, 2};
	for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
		if (a % usual[i] == 0 && b % usual[i] == 0) return usual[i];
	return 1;
}

/* Heads do not show in most shapes: any number that divides will do. */
static bool put_heads(ckpt_config *config, const ckpt_sizes *sizes, ckpt_error *err)
{
	uint64_t hidden = ckpt_sizes_get(sizes, "H"), q = ckpt_sizes_get(sizes, "A*D"), k = ckpt_sizes_get(sizes, "K*D");
	uint64_t heads = ckpt_sizes_get(sizes, "A"), width = ckpt_sizes_get(sizes, "D");
	for (const ckpt_arch_symbol *s = config->arch->symbols; s->letter; s++) {
		if (!s->key || !strchr("ABKD", s->letter) || ckpt_sizes_get(sizes, (char[2]){s->letter})) continue;
		uint64_t all = q ? q : hidden;
		uint64_t each = width ? width : heads && all % heads == 0 ? all / heads : usual_width(all, k);
		if (!all) continue;
		uint64_t value = s->letter == 'D' ? each : s->letter == 'K' ? k / each : all / each;
		if (value && !put_size(config, s->key, value, err)) return false;
	}
	return true;
}

static bool put_sizes(ckpt_config *config, const ckpt_sizes *sizes, ckpt_error *err)
{
	uint64_t labels = ckpt_sizes_get(sizes, "N"), rows = ckpt_sizes_get(sizes, "V"), pad;
	for (const ckpt_arch_symbol *s = config->arch->symbols; s->letter; s++) {
		uint64_t value = ckpt_sizes_get(sizes, (char[2]){s->letter});
		if (s->key && value && !put_size(config, s->key, value, err)) return false;
	}
	if (labels && labels <= 1000000 && !put_size(config, "num_labels", labels, err)) return false;
	if (ckpt_config_u64(config, "pad_token_id", &pad) && rows && pad >= rows &&
	    !ckpt_node_put(&config->arena, config->raw, "pad_token_id", ckpt_node_new(&config->arena, CKPT_NODE_NULL), err))
		return false;
	return put_heads(config, sizes, err) && put_conditions(config, sizes, err) && ckpt_config_resolve(config, err);
}

ckpt_config *ckpt_model_guess_config(const ckpt_checkpoint *cp, const ckpt_arch *arch, ckpt_error *err)
{
	ckpt_sizes sizes = {0};
	const ckpt_arch *found = ckpt_model_recognise_sizes(cp, arch, &sizes, err);
	ckpt_config *config = found ? ckpt_config_for_type(found->type, err) : NULL;
	if (config && put_sizes(config, &sizes, err)) return config;
	ckpt_config_free(config);
	return NULL;
}
