/* opt.c -- the forward pass of OPT: a decoder whose positions follow the attention mask */
#include "cache.h"
#include "heads.h"
#include "inputs.h"

#include <stdio.h>
#include <string.h>

typedef struct opt {
	uint64_t m, h, e, heads, inner;
	bool before; /* norms come before attention and feed forward */
	ckpt_nn_activation act;
	const unsigned char *key_mask;
	void *small, *x, *y, *q, *k, *v, *wide;
} opt;

static bool norm(ckpt_forward *f, opt *o, const void *x, void *y, unsigned i, const char *name)
{
	return ckpt_forward_norm(f, false, o->m, o->h, x, 1e-5, y, "decoder.layers.%u.%s", i, name);
}

static bool linear(ckpt_forward *f, opt *o, ckpt_forward_time_part part, const void *x, ckpt_nn_activation act, const void *residual,
                   void *y, unsigned i, const char *name)
{
	return ckpt_forward_linear(f, part, o->m, x, act, residual, y, "decoder.layers.%u.%s", i, name);
}

static bool layer(ckpt_forward *f, opt *o, unsigned i)
{
	char name[48];
	size_t bytes = (size_t)(o->m * o->h) * ckpt_nn_item(f->nn);
	const ckpt_forward_time_part part = CKPT_TIME_ATTENTION_LINEAR, ffn = CKPT_TIME_FEED_FORWARD;
	/* x = x + out_proj(attention(y)), y = LN(x) or x; LN afterwards otherwise */
	if (!o->before) memcpy(o->y, o->x, bytes);
	if (o->before && !norm(f, o, o->x, o->y, i, "self_attn_layer_norm")) return false;
	if (!ckpt_forward_linears(f, part, o->m, o->y, 3, (const char *[]){"q_proj", "k_proj", "v_proj"}, (void *[]){o->q, o->k, o->v},
	                          "decoder.layers.%u.self_attn", i))
		return false;
	if (!ckpt_forward_self_attend(f, i, o->q, o->k, o->v, o->h, o->h, o->heads, o->heads, ckpt_forward_root(o->h / o->heads),
	                              0, o->key_mask, o->y))
		return false;
	if (!linear(f, o, part, o->y, CKPT_ACT_NONE, o->x, o->x, i, "self_attn.out_proj")) return false;
	if (!o->before && !norm(f, o, o->x, o->x, i, "self_attn_layer_norm")) return false;
	/* x = x + fc2(act(fc1(y))) likewise */
	if (!o->before) memcpy(o->y, o->x, bytes);
	if (o->before && !norm(f, o, o->x, o->y, i, "final_layer_norm")) return false;
	if (!linear(f, o, ffn, o->y, o->act, NULL, o->wide, i, "fc1")) return false;
	if (!linear(f, o, ffn, o->wide, CKPT_ACT_NONE, o->x, o->x, i, "fc2")) return false;
	if (!o->before && !norm(f, o, o->x, o->x, i, "final_layer_norm")) return false;
	snprintf(name, sizeof name, "decoder.layers.%u", i);
	return ckpt_forward_block(f, name, o->x, o->m, o->h);
}

/* Rows of the table: the count of kept positions so far plus 1; 1 for padding. */
static int64_t *positions_of(ckpt_forward *f)
{
	int64_t *p = ckpt_forward_positions(f, f->in->position_ids, f->in->length, 2);
	if (!p || f->in->position_ids || !f->in->mask) return p;
	for (uint64_t b = 0; b < f->in->batch; b++) {
		int64_t count = 0;
		for (uint64_t i = b * f->in->length; i < (b + 1) * f->in->length; i++) {
			count += f->in->mask[i];
			p[i] = count * f->in->mask[i] - 1 + 2;
		}
	}
	return p;
}

static bool init(ckpt_forward *f, opt *o)
{
	o->m = f->in->batch * f->in->length;
	o->h = ckpt_config_dim(f->config, 'H');
	o->e = ckpt_config_dim(f->config, 'E');
	o->heads = ckpt_config_dim(f->config, 'A');
	o->inner = ckpt_config_dim(f->config, 'I');
	o->before = ckpt_config_bool(f->config, "do_layer_norm_before", true);
	if (!ckpt_forward_check_length(f, ckpt_forward_past(f) + f->in->length, ckpt_config_dim(f->config, 'P'))) return false;
	if (!ckpt_forward_key_mask(f, f->in->mask, o->m, &o->key_mask)) return false;
	if (!ckpt_forward_activation(f, "activation_function", &o->act)) return false;
	void **arrays[] = {&o->x, &o->y, &o->q, &o->k, &o->v};
	for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
		if (!(*arrays[i] = ckpt_forward_array(f, o->m * o->h))) return false;
	return (o->small = ckpt_forward_array(f, o->m * o->e)) && (o->wide = ckpt_forward_array(f, o->m * o->inner));
}

static bool heads(ckpt_forward *f, const void *x, uint64_t width)
{
	uint64_t s = f->in->length;
	if (ckpt_forward_class_is(f, "ForCausalLM")) return ckpt_forward_lm_logits(f, x, s, "lm_head", NULL);
	if (ckpt_forward_class_is(f, "ForSequenceClassification")) return ckpt_forward_last_token_logits(f, x, width, "score");
	if (ckpt_forward_class_is(f, "ForQuestionAnswering")) return ckpt_forward_answer_logits(f, x);
	return ckpt_forward_last(f, x, s, width);
}

/* x [M,H] = project_in(embed_tokens[ids]) + embed_positions[positions] */
static bool embeddings(ckpt_forward *f, opt *o)
{
	bool project = ckpt_forward_has(f, "decoder.project_in.weight");
	const int64_t *positions = positions_of(f);
	void *to = project ? o->small : o->x;
	return positions && ckpt_forward_embed(f, o->m, f->in->ids, 1, false, to, "input id", "decoder.embed_tokens") &&
	       ckpt_forward_block(f, "decoder.embed_tokens", to, o->m, project ? o->e : o->h) &&
	       (!project ||
	        (ckpt_forward_linear(f, CKPT_TIME_EMBEDDINGS, o->m, to, CKPT_ACT_NONE, NULL, o->x, "decoder.project_in") &&
	         ckpt_forward_block(f, "decoder.project_in", o->x, o->m, o->h))) &&
	       ckpt_forward_embed(f, o->m, positions, 1, true, o->x, "position id", "decoder.embed_positions") &&
	       ckpt_forward_block(f, "decoder.embed_positions", o->x, o->m, o->h);
}

/* What the stack gives out: x [M,H] normed, projected to [M,E] where the two differ. */
static bool leave(ckpt_forward *f, opt *o, void **last, uint64_t *width)
{
	*last = o->x;
	*width = o->h;
	if (f->config->when & CKPT_WHEN_FINAL_NORM && !(ckpt_forward_norm(f, false, o->m, o->h, o->x, 1e-5, o->x, "decoder.final_layer_norm") &&
	                                                ckpt_forward_block(f, "decoder.final_layer_norm", o->x, o->m, o->h)))
		return false;
	if (!ckpt_forward_has(f, "decoder.project_out.weight")) return true;
	*last = o->small;
	*width = o->e;
	return ckpt_forward_linear(f, CKPT_TIME_OTHER, o->m, o->x, CKPT_ACT_NONE, NULL, o->small, "decoder.project_out") &&
	       ckpt_forward_block(f, "decoder.project_out", o->small, o->m, o->e);
}

static bool run(ckpt_forward *f)
{
	opt o = {0};
	void *last;
	uint64_t layers = ckpt_config_dim(f->config, 'L'), s = f->in->length, width;
	if (!init(f, &o) || !embeddings(f, &o)) return false;
	for (uint64_t i = 0; i < layers; i++)
		if (!ckpt_forward_hidden(f, "", i, s, o.h, o.x) || !layer(f, &o, (unsigned)i)) return false;
	return leave(f, &o, &last, &width) && ckpt_forward_hidden(f, "", layers, s, width, last) && heads(f, last, width);
}

const ckpt_recipe ckpt_recipe_opt = {"opt", CKPT_TAKES_POSITIONS | CKPT_CACHES, run};
