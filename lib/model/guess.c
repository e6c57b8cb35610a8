/* guess.c -- a config made from the sizes that tensors show */
#include "../error.h"
#include "recognise.h"
#include <string.h>

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
