/* bart.c -- the forward pass of BART: post-norm encoder and decoder with cross attention */
#include "cache.h"
#include "heads.h"
#include "inputs.h"

#include "../error.h"

#include <math.h>
#include <stdio.h>

/* One of the two stacks. M = B * length. */
typedef struct stack {
	const char *name; /* "encoder", "decoder" */
	uint64_t m, length, heads, inner, layers;
	bool causal;
	const int64_t *ids;
	const unsigned char *key_mask; /* of its own positions */
	void *x, *y, *q, *k, *v, *wide; /* [M,H] each, wide [M,inner] */
} stack;

typedef struct bart {
	uint64_t h;
	double scale; /* of embeddings */
	ckpt_nn_activation act;
	bool alone; /* the decoder without an encoder */
	stack encoder, decoder;
	void *cross_k, *cross_v; /* [M of the encoder, H] */
} bart;

/* s->y = attention of s->q over k, v of t positions; of the decoder to itself in layer i where it is causal */
static bool attend(ckpt_forward *f, const bart *b, const stack *s, const void *k, const void *v, uint64_t t, bool causal,
                   const unsigned char *key_mask, unsigned i)
{
	uint64_t h = b->h, d = h / s->heads;
	ckpt_nn_attention a = {.batch = f->in->batch, .s = s->length, .t = t, .heads = s->heads, .kv_heads = s->heads, .d = d,
	                       .q = s->q, .k = k, .v = v, .q_stride = h, .k_stride = h, .v_stride = h,
	                       .q_batch = s->length * h, .k_batch = t * h, .v_batch = t * h, .scale = ckpt_forward_root(d),
	                       .causal = causal, .key_mask = key_mask, .out = s->y, .out_stride = h};
	return causal ? ckpt_forward_attend_past(f, i, &a) : ckpt_forward_attend(f, &a);
}

/* x = LN(x + out_proj(y)) of the attention NAME */
static bool add(ckpt_forward *f, const bart *b, const stack *s, unsigned i, const char *name)
{
	return ckpt_forward_linear(f, CKPT_TIME_ATTENTION_LINEAR, s->m, s->y, CKPT_ACT_NONE, s->x, s->x, "%s.layers.%u.%s.out_proj",
	                           s->name, i, name) &&
	       ckpt_forward_norm(f, false, s->m, b->h, s->x, 1e-5, s->x, "%s.layers.%u.%s_layer_norm", s->name, i, name);
}

static bool self_attention(ckpt_forward *f, const bart *b, const stack *s, unsigned i)
{
	return ckpt_forward_linears(f, CKPT_TIME_ATTENTION_LINEAR, s->m, s->x, 3, (const char *[]){"q_proj", "k_proj", "v_proj"},
	                            (void *[]){s->q, s->k, s->v}, "%s.layers.%u.self_attn", s->name, i) &&
	       attend(f, b, s, s->k, s->v, s->length, s->causal, s->key_mask, i) && add(f, b, s, i, "self_attn");
}

/* Queries from the decoder, keys and values from what the encoder gave. */
static bool cross_attention(ckpt_forward *f, const bart *b, const stack *s, unsigned i)
{
	const stack *e = &b->encoder;
	const ckpt_forward_time_part part = CKPT_TIME_ATTENTION_LINEAR;
	void *k = b->cross_k, *v = b->cross_v;
	bool ready;
	return ckpt_forward_linear(f, part, s->m, s->x, CKPT_ACT_NONE, NULL, s->q, "%s.layers.%u.encoder_attn.q_proj", s->name, i) &&
	       ckpt_forward_cross(f, i, e->m, b->h, &k, &v, &ready) &&
	       (ready || ckpt_forward_linears(f, part, e->m, e->x, 2, (const char *[]){"k_proj", "v_proj"}, (void *[]){k, v},
	                                      "%s.layers.%u.encoder_attn", s->name, i)) &&
	       attend(f, b, s, k, v, e->length, false, e->key_mask, i) && add(f, b, s, i, "encoder_attn");
}

static bool layer(ckpt_forward *f, const bart *b, const stack *s, unsigned i)
{
	char block[48];
	const ckpt_forward_time_part part = CKPT_TIME_FEED_FORWARD;
	if (!self_attention(f, b, s, i) || (s->causal && !b->alone && !cross_attention(f, b, s, i))) return false;
	/* x = LN(x + fc2(act(fc1(x)))) */
	if (!ckpt_forward_linear(f, part, s->m, s->x, b->act, NULL, s->wide, "%s.layers.%u.fc1", s->name, i) ||
	    !ckpt_forward_linear(f, part, s->m, s->wide, CKPT_ACT_NONE, s->x, s->x, "%s.layers.%u.fc2", s->name, i) ||
	    !ckpt_forward_norm(f, false, s->m, b->h, s->x, 1e-5, s->x, "%s.layers.%u.final_layer_norm", s->name, i))
		return false;
	snprintf(block, sizeof block, "%s.layers.%u", s->name, i);
	return ckpt_forward_block(f, block, s->x, s->m, b->h);
}

static bool report(ckpt_forward *f, const bart *b, const stack *s, const char *what)
{
	char block[48];
	snprintf(block, sizeof block, "%s.%s", s->name, what);
	return ckpt_forward_block(f, block, s->x, s->m, b->h);
}

/* x [M,H] = LN(scale * embed_tokens[ids] + embed_positions[0 .. +2]) */
static bool embeddings(ckpt_forward *f, const bart *b, const stack *s)
{
	const int64_t *positions = ckpt_forward_positions(f, NULL, s->length, 2);
	const char *what = s->causal && !b->alone ? "decoder input id" : "input id";
	return positions && ckpt_forward_embed(f, s->m, s->ids, b->scale, false, s->x, what, "%s.embed_tokens", s->name) &&
	       report(f, b, s, "embed_tokens") &&
	       ckpt_forward_embed(f, s->m, positions, 1, true, s->x, "position id", "%s.embed_positions", s->name) &&
	       report(f, b, s, "embed_positions") &&
	       ckpt_forward_norm(f, false, s->m, b->h, s->x, 1e-5, s->x, "%s.layernorm_embedding", s->name) &&
	       report(f, b, s, "layernorm_embedding");
}

static bool run_stack(ckpt_forward *f, const bart *b, const stack *s)
{
	char prefix[48];
	snprintf(prefix, sizeof prefix, "%s_", s->name);
	if (b->alone) prefix[0] = '\0';
	if (!embeddings(f, b, s) || !ckpt_forward_hidden(f, prefix, 0, s->length, b->h, s->x)) return false;
	for (uint64_t i = 0; i < s->layers; i++)
		if (!layer(f, b, s, (unsigned)i) || !ckpt_forward_hidden(f, prefix, i + 1, s->length, b->h, s->x)) return false;
	return true;
}

static bool make_arrays(ckpt_forward *f, const bart *b, stack *s)
{
	void **arrays[] = {&s->x, &s->y, &s->q, &s->k, &s->v};
	for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
		if (!(*arrays[i] = ckpt_forward_array(f, s->m * b->h))) return false;
	return (s->wide = ckpt_forward_array(f, s->m * s->inner)) != NULL;
}

static bool init_encoder(ckpt_forward *f, bart *b)
{
	uint64_t length = f->in->length;
	b->encoder = (stack){.name = "encoder", .length = length, .m = f->in->batch * length, .ids = f->in->ids,
	                     .heads = ckpt_config_dim(f->config, 'A'), .inner = ckpt_config_dim(f->config, 'I'),
	                     .layers = ckpt_config_dim(f->config, 'L')};
	return ckpt_forward_check_length(f, length, ckpt_config_dim(f->config, 'P')) &&
	       ckpt_forward_key_mask(f, f->in->mask, b->encoder.m, &b->encoder.key_mask) && make_arrays(f, b, &b->encoder) &&
	       (b->cross_k = ckpt_forward_array(f, b->encoder.m * b->h)) && (b->cross_v = ckpt_forward_array(f, b->encoder.m * b->h));
}

static bool init_decoder(ckpt_forward *f, bart *b)
{
	bool own = !b->alone && f->in->decoder_ids;
	const int64_t *ids = own ? f->in->decoder_ids : b->alone ? f->in->ids : ckpt_forward_shift_right(f, 2);
	const int64_t *mask = b->alone ? f->in->mask : f->in->decoder_mask;
	uint64_t length = own ? f->in->decoder_length : f->in->length;
	b->decoder = (stack){.name = "decoder", .length = length, .m = f->in->batch * length, .ids = ids, .causal = true,
	                     .heads = ckpt_config_dim(f->config, 'B'), .inner = ckpt_config_dim(f->config, 'F'),
	                     .layers = ckpt_config_dim(f->config, 'M')};
	return ids && ckpt_forward_check_length(f, ckpt_forward_past(f) + length, ckpt_config_dim(f->config, 'P')) &&
	       ckpt_forward_key_mask(f, mask, b->decoder.m, &b->decoder.key_mask) && make_arrays(f, b, &b->decoder);
}

static bool init(ckpt_forward *f, bart *b)
{
	b->alone = ckpt_forward_class_is(f, "ForCausalLM");
	b->h = ckpt_config_dim(f->config, 'H');
	b->scale = ckpt_config_bool(f->config, "scale_embedding", false) ? sqrt((double)b->h) : 1;
	if (b->alone && f->in->decoder_ids)
		return ckpt_fail(f->err, CKPT_E_USAGE, "%s is a decoder alone: its input ids are the decoder's", f->model->class->name);
	return ckpt_forward_activation(f, "activation_function", &b->act) && (b->alone || init_encoder(f, b)) && init_decoder(f, b);
}

/* logits (B,N) of the decoder's state at the last end token */
static bool classify(ckpt_forward *f, const bart *b)
{
	uint64_t batch = f->in->batch;
	void *rows = ckpt_forward_array(f, batch * b->h), *dense = ckpt_forward_array(f, batch * b->h);
	return rows && dense && ckpt_forward_at_end_token(f, b->decoder.x, b->decoder.length, b->h, rows) &&
	       ckpt_forward_linear(f, CKPT_TIME_HEAD, batch, rows, CKPT_ACT_TANH, NULL, dense, "classification_head.dense") &&
	       ckpt_forward_block(f, "classification_head.dense", dense, batch, b->h) &&
	       ckpt_forward_row_logits(f, dense, "classification_head.out_proj", "logits");
}

static bool heads(ckpt_forward *f, const bart *b)
{
	const stack *d = &b->decoder, *e = &b->encoder;
	bool ok;
	if (b->alone) return ckpt_forward_lm_logits(f, d->x, d->length, "lm_head", NULL);
	if (ckpt_forward_class_is(f, "ForConditionalGeneration"))
		ok = ckpt_forward_lm_logits(f, d->x, d->length, "lm_head", "final_logits_bias");
	else if (ckpt_forward_class_is(f, "ForSequenceClassification"))
		ok = classify(f, b);
	else if (ckpt_forward_class_is(f, "ForQuestionAnswering"))
		ok = d->length == f->in->length
		             ? ckpt_forward_answer_logits(f, d->x)
		             : ckpt_fail(f->err, CKPT_E_USAGE,
		                         "the decoder input has %llu positions: question answering takes as many as the input, %llu",
		                         (unsigned long long)d->length, (unsigned long long)f->in->length);
	else
		ok = ckpt_forward_last(f, d->x, d->length, b->h);
	if (ckpt_forward_past(f)) return ok; /* the encoder did not run */
	return ok && ckpt_forward_output(f, "encoder_last_hidden_state", 3, (uint64_t[]){f->in->batch, e->length, b->h}, e->x);
}

static bool run(ckpt_forward *f)
{
	bart b = {0};
	return init(f, &b) && (b.alone || ckpt_forward_past(f) || run_stack(f, &b, &b.encoder)) && run_stack(f, &b, &b.decoder) && heads(f, &b);
}

const ckpt_recipe ckpt_recipe_bart = {"bart", CKPT_TAKES_DECODER | CKPT_CACHES, run};
