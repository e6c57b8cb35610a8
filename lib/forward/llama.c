/* llama.c -- the forward passes of Llama, Mistral and Qwen2: RMSNorm, rotary positions, grouped heads, gated feed forward */
#include "cache.h"
#include "heads.h"
#include "inputs.h"

#include "../error.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct llama {
	uint64_t m, h, heads, kv, d, inner;
	double eps;
	ckpt_nn_activation act;
	const unsigned char *key_mask;
	const int64_t *positions;
	double *inv_freq; /* D/2 */
	double factor;    /* on cosines and sines */
	void *x, *y, *q, *k, *v, *context, *gate, *up;
} llama;

/* Keys that this layer may look back on; 0: all. */
static uint64_t window_of(ckpt_forward *f, uint64_t layer)
{
	uint64_t window = 0;
	if (!ckpt_config_u64(f->config, "sliding_window", &window)) return 0;
	if (strcmp(f->model->arch->type, "llama") == 0) return 0;
	const ckpt_node *types = ckpt_config_get(f->config, "layer_types");
	const ckpt_node *n = types && types->kind == CKPT_NODE_LIST ? types->child : NULL;
	if (!n) return window; /* mistral: every layer */
	for (; n && layer > 0; n = n->next) layer--;
	return n && n->text && strcmp(n->text, "sliding_attention") == 0 ? window : 0;
}

static bool layer(ckpt_forward *f, llama *l, unsigned i)
{
	uint64_t m = l->m, h = l->h, wide = l->heads * l->d, slim = l->kv * l->d;
	const ckpt_forward_time_part linear = CKPT_TIME_ATTENTION_LINEAR, ffn = CKPT_TIME_FEED_FORWARD;
	char name[32];
	/* x = x + o(attention(rope(q), rope(k), v)) of the normed x */
	if (!ckpt_forward_norm(f, true, m, h, l->x, l->eps, l->y, "layers.%u.input_layernorm", i)) return false;
	if (!ckpt_forward_linears(f, linear, m, l->y, 3, (const char *[]){"q_proj", "k_proj", "v_proj"}, (void *[]){l->q, l->k, l->v},
	                          "layers.%u.self_attn", i))
		return false;
	ckpt_nn_rope(f->nn, m, l->heads, l->d, l->positions, l->inv_freq, l->factor, l->q);
	ckpt_nn_rope(f->nn, m, l->kv, l->d, l->positions, l->inv_freq, l->factor, l->k);
	ckpt_forward_time(f, CKPT_TIME_ATTENTION);
	if (!ckpt_forward_self_attend(f, i, l->q, l->k, l->v, wide, slim, l->heads, l->kv, ckpt_forward_root(l->d),
	                              window_of(f, i), l->key_mask, l->context))
		return false;
	if (!ckpt_forward_linear(f, linear, m, l->context, CKPT_ACT_NONE, l->x, l->x, "layers.%u.self_attn.o_proj", i)) return false;
	/* x = x + down(act(gate(y)) * up(y)) with y the normed x */
	if (!ckpt_forward_norm(f, true, m, h, l->x, l->eps, l->y, "layers.%u.post_attention_layernorm", i)) return false;
	if (!ckpt_forward_linears(f, ffn, m, l->y, 2, (const char *[]){"gate_proj", "up_proj"}, (void *[]){l->gate, l->up},
	                          "layers.%u.mlp", i))
		return false;
	ckpt_nn_gate(f->nn, m * l->inner, l->gate, l->act, l->up, l->up);
	if (!ckpt_forward_linear(f, ffn, m, l->up, CKPT_ACT_NONE, l->x, l->x, "layers.%u.mlp.down_proj", i)) return false;
	snprintf(name, sizeof name, "layers.%u", i);
	return ckpt_forward_block(f, name, l->x, m, h);
}

/* inv_freq[j] = theta^(-2j/D), stretched as llama3 or linear scaling say. */
static bool rotary(ckpt_forward *f, llama *l)
{
	double theta = 10000, factor = 1, low = 1, high = 4, old = 8192;
	const ckpt_node *r = ckpt_config_get(f->config, "rope_parameters");
	const char *type = "default";
	ckpt_config_f64(f->config, "rope_theta", &theta);
	if (r && r->kind == CKPT_NODE_DICT) {
		const ckpt_node *kind = ckpt_node_get(r, "rope_type");
		if (kind && kind->text) type = kind->text;
		ckpt_node_f64(ckpt_node_get(r, "rope_theta"), &theta);
		ckpt_node_f64(ckpt_node_get(r, "factor"), &factor);
		ckpt_node_f64(ckpt_node_get(r, "low_freq_factor"), &low);
		ckpt_node_f64(ckpt_node_get(r, "high_freq_factor"), &high);
		ckpt_node_f64(ckpt_node_get(r, "original_max_position_embeddings"), &old);
	}
	bool llama3 = strcmp(type, "llama3") == 0, linear = strcmp(type, "linear") == 0;
	if (!llama3 && !linear && strcmp(type, "default") != 0)
		return ckpt_fail(f->err, CKPT_E_UNSUPPORTED, "rope_type is \"%s\": default, linear and llama3 have a forward pass", type);
	l->factor = 1;
	for (uint64_t j = 0; j < l->d / 2; j++) {
		double freq = pow(theta, -2.0 * (double)j / (double)l->d), turns = old * freq / 6.28318530717958648;
		double smooth = high > low ? (turns - low) / (high - low) : 1;
		smooth = smooth < 0 ? 0 : smooth > 1 ? 1 : smooth;
		l->inv_freq[j] = llama3 ? freq * (smooth + (1 - smooth) / factor) : linear ? freq / factor : freq;
	}
	return true;
}

static bool init(ckpt_forward *f, llama *l)
{
	l->m = f->in->batch * f->in->length;
	l->h = ckpt_config_dim(f->config, 'H');
	l->heads = ckpt_config_dim(f->config, 'A');
	l->kv = ckpt_config_dim(f->config, 'K');
	l->d = ckpt_config_dim(f->config, 'D');
	l->inner = ckpt_config_dim(f->config, 'I');
	l->eps = 1e-6;
	ckpt_config_f64(f->config, "rms_norm_eps", &l->eps);
	if (!ckpt_forward_check_length(f, ckpt_forward_past(f) + f->in->length, ckpt_config_dim(f->config, 'P'))) return false;
	if (!ckpt_forward_key_mask(f, f->in->mask, l->m, &l->key_mask)) return false;
	if (!(l->positions = ckpt_forward_positions(f, f->in->position_ids, f->in->length, 0))) return false;
	if (!(l->inv_freq = ckpt_forward_memory(f, l->d / 2, sizeof *l->inv_freq))) return false;
	if (!rotary(f, l) || !ckpt_forward_activation(f, "hidden_act", &l->act)) return false;
	uint64_t wide = l->m * l->heads * l->d, slim = l->m * l->kv * l->d;
	return (l->x = ckpt_forward_array(f, l->m * l->h)) && (l->y = ckpt_forward_array(f, l->m * l->h)) &&
	       (l->q = ckpt_forward_array(f, wide)) && (l->k = ckpt_forward_array(f, slim)) && (l->v = ckpt_forward_array(f, slim)) &&
	       (l->context = ckpt_forward_array(f, wide)) && (l->gate = ckpt_forward_array(f, l->m * l->inner)) &&
	       (l->up = ckpt_forward_array(f, l->m * l->inner));
}

static bool heads(ckpt_forward *f, llama *l)
{
	uint64_t s = f->in->length;
	if (ckpt_forward_class_is(f, "ForCausalLM")) return ckpt_forward_lm_logits(f, l->x, s, "lm_head", NULL);
	if (ckpt_forward_class_is(f, "ForSequenceClassification")) return ckpt_forward_last_token_logits(f, l->x, l->h, "score");
	if (ckpt_forward_class_is(f, "ForTokenClassification")) return ckpt_forward_token_logits(f, l->x, s, "score", "logits");
	if (ckpt_forward_class_is(f, "ForQuestionAnswering")) return ckpt_forward_answer_logits(f, l->x);
	return ckpt_forward_last(f, l->x, s, l->h);
}

static bool run(ckpt_forward *f)
{
	llama l = {0};
	uint64_t layers = ckpt_config_dim(f->config, 'L'), s = f->in->length;
	/* x [M,H] = embed_tokens[ids] */
	if (!init(f, &l) || !ckpt_forward_embed(f, l.m, f->in->ids, 1, false, l.x, "input id", "embed_tokens") ||
	    !ckpt_forward_block(f, "embed_tokens", l.x, l.m, l.h))
		return false;
	for (uint64_t i = 0; i < layers; i++)
		if (!ckpt_forward_hidden(f, "", i, s, l.h, l.x) || !layer(f, &l, (unsigned)i)) return false;
	return ckpt_forward_norm(f, true, l.m, l.h, l.x, l.eps, l.x, "norm") && ckpt_forward_block(f, "norm", l.x, l.m, l.h) &&
	       ckpt_forward_hidden(f, "", layers, s, l.h, l.x) && heads(f, &l);
}

const ckpt_recipe ckpt_recipe_llama = {"llama", CKPT_TAKES_POSITIONS | CKPT_CACHES, run};
const ckpt_recipe ckpt_recipe_mistral = {"mistral", CKPT_TAKES_POSITIONS | CKPT_CACHES, run};
const ckpt_recipe ckpt_recipe_qwen2 = {"qwen2", CKPT_TAKES_POSITIONS | CKPT_CACHES, run};
