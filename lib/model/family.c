/* family.c -- what the members of the BERT and Llama families share besides their rows */
#include "../error.h"
#include "config.h"
#include "rows.h"
#include <string.h>

bool ckpt_bert_check(const ckpt_config *config, ckpt_error *err)
{
	const char *positions = ckpt_config_text(config, "position_embedding_type");
	if (!ckpt_config_divides(config, "hidden_size", "num_attention_heads", err)) return false;
	if (ckpt_config_bool(config, "add_cross_attention", false) && !ckpt_config_bool(config, "is_decoder", false))
		return ckpt_fail(err, CKPT_E_USAGE, "add_cross_attention is true while is_decoder is false: only a decoder can "
		                                    "attend to an encoder");
	if (positions && strcmp(positions, "absolute") && strcmp(positions, "relative_key") &&
	    strcmp(positions, "relative_key_query"))
		return ckpt_fail(err, CKPT_E_USAGE, "position_embedding_type is \"%s\"; absolute, relative_key or "
		                                    "relative_key_query is wanted", positions);
	return true;
}

uint32_t ckpt_bert_when(const ckpt_config *config)
{
	const char *positions = ckpt_config_text(config, "position_embedding_type");
	uint32_t bits = 0;
	if (ckpt_config_bool(config, "add_cross_attention", false)) bits |= CKPT_WHEN_CROSS;
	if (positions && strcmp(positions, "absolute") != 0) bits |= CKPT_WHEN_RELATIVE;
	return bits;
}

/* One number of the file under today's rope_parameters: {"rope_theta": ..., "rope_type": ...}. */
static bool derive_rope(ckpt_config *config, ckpt_error *err)
{
	ckpt_arena *a = &config->arena;
	ckpt_node *full = config->full, *rope = ckpt_node_get(full, "rope_parameters");
	ckpt_node *scaling = ckpt_node_get(full, "rope_scaling"), *theta = ckpt_node_get(full, "rope_theta");
	uint64_t positions;
	if (scaling && scaling->kind == CKPT_NODE_DICT && scaling->count) rope = scaling;
	rope = rope && rope->kind == CKPT_NODE_DICT ? ckpt_node_copy(a, rope) : ckpt_node_new(a, CKPT_NODE_DICT);
	if (!rope) return ckpt_fail_nomem(err);
	theta = theta && theta->kind != CKPT_NODE_NULL ? ckpt_node_copy(a, theta) : ckpt_node_new_float(a, 10000.0);
	ckpt_node_remove(full, "rope_scaling");
	ckpt_node_remove(full, "rope_theta");
	if (!ckpt_node_get(rope, "rope_theta") && !ckpt_node_put(a, rope, "rope_theta", theta, err)) return false;
	if (!ckpt_node_get(rope, "rope_type")) {
		ckpt_node *old = ckpt_node_get(rope, "type");
		ckpt_node *type = old ? ckpt_node_copy(a, old) : ckpt_node_new_string(a, "default");
		if (!ckpt_node_put(a, rope, "rope_type", type, err)) return false;
	}
	const ckpt_node *type = ckpt_node_get(rope, "rope_type");
	bool scaled = type->kind == CKPT_NODE_STRING &&
	              (!strcmp(type->text, "llama3") || !strcmp(type->text, "yarn") || !strcmp(type->text, "longrope"));
	if (scaled && !ckpt_node_get(rope, "original_max_position_embeddings") &&
	    ckpt_node_u64(ckpt_node_get(full, "max_position_embeddings"), &positions) &&
	    !ckpt_node_put(a, rope, "original_max_position_embeddings", ckpt_node_new_int(a, positions), err))
		return false;
	return ckpt_node_put(a, full, "rope_parameters", rope, err);
}

bool ckpt_llama_head_dim(ckpt_config *config, ckpt_error *err)
{
	uint64_t size, heads;
	if (!ckpt_config_u64(config, "hidden_size", &size) || !ckpt_config_u64(config, "num_attention_heads", &heads))
		return true;
	return ckpt_config_derive(config, "head_dim", ckpt_node_new_int(&config->arena, size / heads), err);
}

bool ckpt_llama_derive(ckpt_config *config, ckpt_error *err)
{
	ckpt_node *heads = ckpt_node_get(config->full, "num_attention_heads");
	if (!ckpt_config_derive(config, "num_key_value_heads", ckpt_node_copy(&config->arena, heads), err)) return false;
	return derive_rope(config, err);
}

bool ckpt_llama_check(const ckpt_config *config, ckpt_error *err)
{
	const ckpt_node *rope = ckpt_config_get(config, "rope_parameters");
	double theta;
	uint64_t size = ckpt_config_dim(config, 'D');
	if (!ckpt_config_divides(config, "hidden_size", "num_attention_heads", err)) return false;
	if (!ckpt_config_divides(config, "num_attention_heads", "num_key_value_heads", err)) return false;
	if (size % 2)
		return ckpt_fail(err, CKPT_E_USAGE, "head_dim is %llu; rotary positions need an even number",
		                 (unsigned long long)size);
	if (!ckpt_node_f64(ckpt_node_get(rope, "rope_theta"), &theta) || !(theta > 0))
		return ckpt_fail(err, CKPT_E_USAGE, "rope_theta is not a positive number");
	if (ckpt_node_get(rope, "rope_type")->kind != CKPT_NODE_STRING)
		return ckpt_fail(err, CKPT_E_USAGE, "rope_type is not a string");
	return true;
}
