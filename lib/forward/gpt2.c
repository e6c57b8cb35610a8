/* gpt2.c -- the forward pass of GPT-2: pre-norm blocks, weights kept as (in, out) */
#include "cache.h"
#include "heads.h"
#include "inputs.h"

#include "../error.h"

#include <stdio.h>

typedef struct gpt2 {
	uint64_t m, h, heads, inner;
	double eps, scale;
	bool by_layer; /* attention scores are divided by the number of the layer too */
	ckpt_nn_activation act;
	const unsigned char *key_mask;
	char *x, *y, *qkv, *wide; /* [M,H], [M,H], [M,3H], [M,I] */
} gpt2;

static bool block(ckpt_forward *f, gpt2 *g, unsigned i)
{
	uint64_t m = g->m, h = g->h, s = f->in->length, item = ckpt_nn_item(f->nn);
	const ckpt_forward_time_part linear = CKPT_TIME_ATTENTION_LINEAR, ffn = CKPT_TIME_FEED_FORWARD;
	char name[32];
	/* x = x + c_proj(attention(ln_1(x))); queries, keys and values are the thirds of c_attn's output [M,3H] */
	if (!ckpt_forward_norm(f, false, m, h, g->x, g->eps, g->y, "h.%u.ln_1", i)) return false;
	if (!ckpt_forward_conv1d(f, linear, m, g->y, CKPT_ACT_NONE, NULL, g->qkv, "h.%u.attn.c_attn", i)) return false;
	ckpt_nn_attention a = {.batch = f->in->batch, .s = s, .t = s, .heads = g->heads, .kv_heads = g->heads,
	                       .d = h / g->heads, .q = g->qkv, .k = g->qkv + h * item, .v = g->qkv + 2 * h * item,
	                       .q_stride = 3 * h, .k_stride = 3 * h, .v_stride = 3 * h, .q_batch = s * 3 * h,
	                       .k_batch = s * 3 * h, .v_batch = s * 3 * h,
	                       .scale = g->by_layer ? g->scale / (i + 1) : g->scale, .causal = true,
	                       .key_mask = g->key_mask, .out = g->y, .out_stride = h};
	if (!ckpt_forward_attend_past(f, i, &a)) return false;
	if (!ckpt_forward_conv1d(f, linear, m, g->y, CKPT_ACT_NONE, g->x, g->x, "h.%u.attn.c_proj", i)) return false;
	/* x = x + c_proj(act(c_fc(ln_2(x)))) */
	if (!ckpt_forward_norm(f, false, m, h, g->x, g->eps, g->y, "h.%u.ln_2", i)) return false;
	if (!ckpt_forward_conv1d(f, ffn, m, g->y, g->act, NULL, g->wide, "h.%u.mlp.c_fc", i)) return false;
	if (!ckpt_forward_conv1d(f, ffn, m, g->wide, CKPT_ACT_NONE, g->x, g->x, "h.%u.mlp.c_proj", i)) return false;
	snprintf(name, sizeof name, "h.%u", i);
	return ckpt_forward_block(f, name, g->x, m, h);
}

static bool heads(ckpt_forward *f, gpt2 *g)
{
	uint64_t s = f->in->length;
	if (ckpt_forward_class_is(f, "GPT2Model")) return ckpt_forward_last(f, g->x, s, g->h);
	if (ckpt_forward_class_is(f, "LMHeadModel")) return ckpt_forward_lm_logits(f, g->x, s, "lm_head", NULL);
	if (ckpt_forward_class_is(f, "ForSequenceClassification")) return ckpt_forward_last_token_logits(f, g->x, g->h, "score");
	if (ckpt_forward_class_is(f, "ForTokenClassification")) return ckpt_forward_token_logits(f, g->x, s, "classifier", "logits");
	if (ckpt_forward_class_is(f, "ForQuestionAnswering")) return ckpt_forward_answer_logits(f, g->x);
	return ckpt_fail(f->err, CKPT_E_UNSUPPORTED, "%s has no forward pass here; class GPT2LMHeadModel has one",
	                 f->model->class->name);
}

static bool init(ckpt_forward *f, gpt2 *g)
{
	g->m = f->in->batch * f->in->length;
	g->h = ckpt_config_dim(f->config, 'H');
	g->heads = ckpt_config_dim(f->config, 'A');
	g->inner = ckpt_config_dim(f->config, 'I');
	g->eps = 1e-5;
	ckpt_config_f64(f->config, "layer_norm_epsilon", &g->eps);
	g->scale = ckpt_config_bool(f->config, "scale_attn_weights", true) ? ckpt_forward_root(g->h / g->heads) : 1;
	g->by_layer = ckpt_config_bool(f->config, "scale_attn_by_inverse_layer_idx", false);
	if (!ckpt_forward_check_length(f, ckpt_forward_past(f) + f->in->length, ckpt_config_dim(f->config, 'P'))) return false;
	if (f->config->when & CKPT_WHEN_CROSS)
		return ckpt_fail(f->err, CKPT_E_UNSUPPORTED, "add_cross_attention is true: only self-attention has a forward pass here");
	return ckpt_forward_key_mask(f, f->in->mask, g->m, &g->key_mask) &&
	       ckpt_forward_activation(f, "activation_function", &g->act) && (g->x = ckpt_forward_array(f, g->m * g->h)) &&
	       (g->y = ckpt_forward_array(f, g->m * g->h)) && (g->qkv = ckpt_forward_array(f, g->m * 3 * g->h)) &&
	       (g->wide = ckpt_forward_array(f, g->m * g->inner));
}

/* x [M,H] = wte[ids] + wpe[positions] (+ wte[token types]) */
static bool embeddings(ckpt_forward *f, gpt2 *g)
{
	int64_t *positions = ckpt_forward_positions(f, f->in->position_ids, f->in->length, 0);
	const int64_t *types = f->in->token_type_ids;
	return positions && ckpt_forward_embed(f, g->m, f->in->ids, 1, false, g->x, "input id", "wte") &&
	       (!types || ckpt_forward_embed(f, g->m, types, 1, true, g->x, "token type id", "wte")) &&
	       ckpt_forward_block(f, "wte", g->x, g->m, g->h) &&
	       ckpt_forward_embed(f, g->m, positions, 1, true, g->x, "position id", "wpe") &&
	       ckpt_forward_block(f, "wpe", g->x, g->m, g->h);
}

static bool run(ckpt_forward *f)
{
	gpt2 g = {0};
	uint64_t layers = ckpt_config_dim(f->config, 'L');
	if (!init(f, &g) || !embeddings(f, &g)) return false;
	for (uint64_t i = 0; i < layers; i++)
		if (!ckpt_forward_hidden(f, "", i, f->in->length, g.h, g.x) || !block(f, &g, (unsigned)i)) return false;
	/* the last hidden state is the one after ln_f */
	return ckpt_forward_norm(f, false, g.m, g.h, g.x, g.eps, g.x, "ln_f") && ckpt_forward_block(f, "ln_f", g.x, g.m, g.h) &&
	       ckpt_forward_hidden(f, "", layers, f->in->length, g.h, g.x) && heads(f, &g);
}

const ckpt_recipe ckpt_recipe_gpt2 = {"gpt2", CKPT_TAKES_TYPES | CKPT_TAKES_POSITIONS | CKPT_CACHES, run};
