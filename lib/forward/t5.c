/* t5.c -- the forward pass of T5: RMSNorm first, no biases, no scaling, relative positions in the first block of a stack */
#include "cache.h"
#include "heads.h"
#include "inputs.h"

#include "../error.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* One of the two stacks. M = B * length. */
typedef struct stack {
	const char *name; /* "encoder", "decoder" */
	uint64_t m, length, layers;
	bool decoder;
	const int64_t *ids;
	const unsigned char *key_mask;
	void *bias;                                      /* [A,length,past + length] */
	void *x, *y, *q, *k, *v, *context, *wide, *gate; /* [M,H] twice, [M,A D] four times, [M,I] twice */
} stack;

typedef struct t5 {
	uint64_t h, heads, d, inner;
	double eps;
	bool gated, alone; /* alone: the encoder without a decoder */
	ckpt_nn_activation act;
	stack encoder, decoder;
	void *cross_k, *cross_v; /* [M of the encoder, A D] */
} t5;

/* Which of `buckets` a distance key - query falls into; the logarithm is in single precision, whatever the pass's is. */
static uint64_t bucket_of(int64_t distance, bool bidirectional, uint64_t buckets, uint64_t most)
{
	uint64_t base = 0;
	if (bidirectional) {
		buckets /= 2;
		if (distance > 0) base = buckets;
		if (distance < 0) distance = -distance;
	} else {
		distance = distance < 0 ? -distance : 0;
	}
	uint64_t exact = buckets / 2, n = (uint64_t)distance;
	if (n < exact) return base + n;
	if (exact == 0 || most <= exact) return base + (buckets ? buckets - 1 : 0);
	float scale = (float)log((double)most / (double)exact);
	float place = logf((float)n / (float)exact) / scale * (float)(buckets - exact);
	uint64_t large = place < (float)buckets ? exact + (uint64_t)place : buckets;
	return base + (large < buckets - 1 ? large : buckets - 1);
}

/* The table of biases [buckets][A] in the pass's precision. */
static char *bias_table(ckpt_forward *f, const t5 *t, const stack *s, uint64_t *buckets)
{
	ckpt_nn_weight w;
	if (!ckpt_forward_weight(f, &w, "%s.block.0.layer.0.SelfAttention.relative_attention_bias.weight", s->name)) return NULL;
	*buckets = w.rows;
	int64_t *rows = ckpt_forward_memory(f, w.rows, sizeof *rows);
	char *table = ckpt_forward_array(f, w.rows * t->heads);
	if (!rows || !table) return NULL;
	for (uint64_t i = 0; i < w.rows; i++) rows[i] = (int64_t)i;
	ckpt_nn_embed(f->nn, w.rows, rows, &w, 1, false, table);
	return table;
}

/* bias[a][i][j] = relative_attention_bias[bucket(j - (past + i))][a] */
static bool make_bias(ckpt_forward *f, const t5 *t, stack *s)
{
	uint64_t past = s->decoder ? ckpt_forward_past(f) : 0, n = s->length, m = past + n, most = 128, buckets;
	uint64_t item = ckpt_nn_item(f->nn), cells;
	ckpt_config_u64(f->config, "relative_attention_max_distance", &most);
	if (__builtin_mul_overflow(n * m, t->heads, &cells)) return ckpt_fail_nomem(f->err);
	const char *table = bias_table(f, t, s, &buckets);
	char *bias = table ? s->bias = ckpt_forward_array(f, cells) : NULL;
	if (!bias) return false;
	for (uint64_t i = 0; i < n; i++)
		for (uint64_t j = 0; j < m; j++) {
			uint64_t bucket = bucket_of((int64_t)j - (int64_t)(past + i), !s->decoder, buckets, most);
			for (uint64_t a = 0; a < t->heads; a++)
				memcpy(bias + ((a * n + i) * m + j) * item, table + (bucket * t->heads + a) * item, item);
		}
	ckpt_forward_time(f, CKPT_TIME_EMBEDDINGS);
	return true;
}

static bool norm(ckpt_forward *f, const t5 *t, const stack *s, unsigned i, unsigned sub)
{
	return ckpt_forward_norm(f, true, s->m, t->h, s->x, t->eps, s->y, "%s.block.%u.layer.%u.layer_norm", s->name, i, sub);
}

/* context = softmax(q k^T + bias) v over t positions; then x = x + o(context) */
static bool attend(ckpt_forward *f, const t5 *t, const stack *s, const void *k, const void *v, const stack *source, unsigned i,
                   unsigned sub, const char *name)
{
	uint64_t width = t->heads * t->d, length = source->length;
	ckpt_nn_attention a = {.batch = f->in->batch, .s = s->length, .t = length, .heads = t->heads, .kv_heads = t->heads, .d = t->d,
	                       .q = s->q, .k = k, .v = v, .q_stride = width, .k_stride = width, .v_stride = width,
	                       .q_batch = s->length * width, .k_batch = length * width, .v_batch = length * width, .scale = 1,
	                       .causal = s->decoder && source == s, .key_mask = source->key_mask,
	                       .bias = source == s ? s->bias : NULL, .out = s->context, .out_stride = width};
	bool ok = a.causal ? ckpt_forward_attend_past(f, i, &a) : ckpt_forward_attend(f, &a);
	return ok && ckpt_forward_linear(f, CKPT_TIME_ATTENTION_LINEAR, s->m, s->context, CKPT_ACT_NONE, s->x,
	                                                         s->x, "%s.block.%u.layer.%u.%s.o", s->name, i, sub, name);
}

/* x = x + attention of y = norm(x) to itself */
static bool self_attention(ckpt_forward *f, const t5 *t, const stack *s, unsigned i)
{
	return norm(f, t, s, i, 0) &&
	       ckpt_forward_linears(f, CKPT_TIME_ATTENTION_LINEAR, s->m, s->y, 3, (const char *[]){"q", "k", "v"},
	                            (void *[]){s->q, s->k, s->v}, "%s.block.%u.layer.0.SelfAttention", s->name, i) &&
	       attend(f, t, s, s->k, s->v, s, i, 0, "SelfAttention");
}

/* x = x + attention of y = norm(x) to what the encoder gave */
static bool cross_attention(ckpt_forward *f, const t5 *t, const stack *s, unsigned i)
{
	const stack *e = &t->encoder;
	const ckpt_forward_time_part part = CKPT_TIME_ATTENTION_LINEAR;
	void *k = t->cross_k, *v = t->cross_v;
	bool ready;
	return norm(f, t, s, i, 1) && ckpt_forward_cross(f, i, e->m, t->heads * t->d, &k, &v, &ready) &&
	       ckpt_forward_linear(f, part, s->m, s->y, CKPT_ACT_NONE, NULL, s->q, "%s.block.%u.layer.1.EncDecAttention.q", s->name, i) &&
	       (ready || ckpt_forward_linears(f, part, e->m, e->x, 2, (const char *[]){"k", "v"}, (void *[]){k, v},
	                                      "%s.block.%u.layer.1.EncDecAttention", s->name, i)) &&
	       attend(f, t, s, k, v, e, i, 1, "EncDecAttention");
}

/* x = x + wo(act(wi(y))), or x + wo(act(wi_0(y)) * wi_1(y)), with y = norm(x) */
static bool feed(ckpt_forward *f, const t5 *t, const stack *s, unsigned i)
{
	const ckpt_forward_time_part part = CKPT_TIME_FEED_FORWARD;
	unsigned sub = s->decoder ? 2 : 1;
	bool ok = norm(f, t, s, i, sub);
	if (ok && !t->gated)
		ok = ckpt_forward_linear(f, part, s->m, s->y, t->act, NULL, s->wide, "%s.block.%u.layer.%u.DenseReluDense.wi", s->name, i, sub);
	if (ok && t->gated) {
		ok = ckpt_forward_linears(f, part, s->m, s->y, 2, (const char *[]){"wi_0", "wi_1"}, (void *[]){s->gate, s->wide},
		                          "%s.block.%u.layer.%u.DenseReluDense", s->name, i, sub);
		if (ok) ckpt_nn_gate(f->nn, s->m * t->inner, s->gate, t->act, s->wide, s->wide);
	}
	return ok && ckpt_forward_linear(f, part, s->m, s->wide, CKPT_ACT_NONE, s->x, s->x, "%s.block.%u.layer.%u.DenseReluDense.wo",
	                                 s->name, i, sub);
}

static bool run_stack(ckpt_forward *f, const t5 *t, stack *s)
{
	char block[48], prefix[48];
	snprintf(prefix, sizeof prefix, "%s_", s->name);
	if (t->alone) prefix[0] = '\0';
	snprintf(block, sizeof block, "%s.embed_tokens", s->name);
	if (!ckpt_forward_embed(f, s->m, s->ids, 1, false, s->x, s->decoder ? "decoder input id" : "input id", "%s", block) ||
	    !make_bias(f, t, s) || !ckpt_forward_block(f, block, s->x, s->m, t->h))
		return false;
	for (uint64_t l = 0; l < s->layers; l++) {
		unsigned i = (unsigned)l;
		snprintf(block, sizeof block, "%s.block.%u", s->name, i);
		if (!ckpt_forward_hidden(f, prefix, l, s->length, t->h, s->x) || !self_attention(f, t, s, i) ||
		    (s->decoder && !cross_attention(f, t, s, i)) || !feed(f, t, s, i) || !ckpt_forward_block(f, block, s->x, s->m, t->h))
			return false;
	}
	snprintf(block, sizeof block, "%s.final_layer_norm", s->name);
	return ckpt_forward_norm(f, true, s->m, t->h, s->x, t->eps, s->x, "%s", block) &&
	       ckpt_forward_block(f, block, s->x, s->m, t->h) && ckpt_forward_hidden(f, prefix, s->layers, s->length, t->h, s->x);
}

static bool make_arrays(ckpt_forward *f, const t5 *t, stack *s)
{
	uint64_t width = t->heads * t->d;
	return (s->x = ckpt_forward_array(f, s->m * t->h)) && (s->y = ckpt_forward_array(f, s->m * t->h)) &&
	       (s->q = ckpt_forward_array(f, s->m * width)) && (s->k = ckpt_forward_array(f, s->m * width)) &&
	       (s->v = ckpt_forward_array(f, s->m * width)) && (s->context = ckpt_forward_array(f, s->m * width)) &&
	       (s->wide = ckpt_forward_array(f, s->m * t->inner)) &&
	       (!t->gated || (s->gate = ckpt_forward_array(f, s->m * t->inner)));
}

static bool init_decoder(ckpt_forward *f, t5 *t)
{
	uint64_t width = t->heads * t->d, length = f->in->decoder_ids ? f->in->decoder_length : f->in->length;
	const int64_t *ids = f->in->decoder_ids;
	bool shifts = ckpt_forward_class_is(f, "ForSequenceClassification") || ckpt_forward_class_is(f, "ForQuestionAnswering");
	if (!ids && !shifts) return ckpt_fail(f->err, CKPT_E_USAGE, "%s takes decoder input ids too", f->model->class->name);
	if (!ids) ids = ckpt_forward_shift_right(f, 0);
	t->decoder = (stack){.name = "decoder", .length = length, .m = f->in->batch * length, .decoder = true, .ids = ids,
	                     .layers = ckpt_config_dim(f->config, 'M')};
	return ids && ckpt_forward_key_mask(f, f->in->decoder_mask, t->decoder.m, &t->decoder.key_mask) &&
	       make_arrays(f, t, &t->decoder) && (t->cross_k = ckpt_forward_array(f, t->encoder.m * width)) &&
	       (t->cross_v = ckpt_forward_array(f, t->encoder.m * width));
}

static bool init(ckpt_forward *f, t5 *t)
{
	t->alone = ckpt_forward_class_is(f, "T5EncoderModel") || ckpt_forward_class_is(f, "ForTokenClassification");
	t->h = ckpt_config_dim(f->config, 'H');
	t->heads = ckpt_config_dim(f->config, 'A');
	t->d = ckpt_config_dim(f->config, 'D');
	t->inner = ckpt_config_dim(f->config, 'I');
	t->eps = 1e-6;
	t->gated = (f->config->when & CKPT_WHEN_GATED) != 0;
	ckpt_config_f64(f->config, "layer_norm_epsilon", &t->eps);
	t->encoder = (stack){.name = "encoder", .length = f->in->length, .m = f->in->batch * f->in->length,
	                     .layers = ckpt_config_dim(f->config, 'L'), .ids = f->in->ids};
	if (t->alone && f->in->decoder_ids)
		return ckpt_fail(f->err, CKPT_E_USAGE, "%s is an encoder alone: it takes no decoder input", f->model->class->name);
	return ckpt_forward_key_mask(f, f->in->mask, t->encoder.m, &t->encoder.key_mask) &&
	       ckpt_forward_activation(f, "dense_act_fn", &t->act) && make_arrays(f, t, &t->encoder) &&
	       (t->alone || init_decoder(f, t));
}

/* logits (B,N) of the decoder's state at the last end token */
static bool classify(ckpt_forward *f, const t5 *t)
{
	uint64_t batch = f->in->batch;
	void *rows = ckpt_forward_array(f, batch * t->h), *dense = ckpt_forward_array(f, batch * t->h);
	return rows && dense && ckpt_forward_at_end_token(f, t->decoder.x, t->decoder.length, t->h, rows) &&
	       ckpt_forward_linear(f, CKPT_TIME_HEAD, batch, rows, CKPT_ACT_TANH, NULL, dense, "classification_head.dense") &&
	       ckpt_forward_block(f, "classification_head.dense", dense, batch, t->h) &&
	       ckpt_forward_row_logits(f, dense, "classification_head.out_proj", "logits");
}

static bool heads(ckpt_forward *f, const t5 *t)
{
	const stack *d = &t->decoder, *e = &t->encoder;
	bool ok;
	if (ckpt_forward_class_is(f, "T5EncoderModel")) return ckpt_forward_last(f, e->x, e->length, t->h);
	if (t->alone) return ckpt_forward_token_logits(f, e->x, e->length, "classifier", "logits");
	if (ckpt_forward_class_is(f, "ForConditionalGeneration")) {
		if (ckpt_config_bool(f->config, "scale_decoder_outputs", true))
			ckpt_nn_scale(f->nn, d->m * t->h, d->x, ckpt_forward_root(t->h), d->x);
		ok = ckpt_forward_lm_logits(f, d->x, d->length, "lm_head", NULL);
	} else if (ckpt_forward_class_is(f, "ForSequenceClassification")) {
		ok = classify(f, t);
	} else if (ckpt_forward_class_is(f, "ForQuestionAnswering")) {
		ok = d->length == f->in->length
		             ? ckpt_forward_answer_logits(f, d->x)
		             : ckpt_fail(f->err, CKPT_E_USAGE,
		                         "the decoder input has %llu positions: question answering takes as many as the input, %llu",
		                         (unsigned long long)d->length, (unsigned long long)f->in->length);
	} else {
		ok = ckpt_forward_last(f, d->x, d->length, t->h);
	}
	if (ckpt_forward_past(f)) return ok; /* the encoder did not run */
	return ok && ckpt_forward_output(f, "encoder_last_hidden_state", 3, (uint64_t[]){f->in->batch, e->length, t->h}, e->x);
}

static bool run(ckpt_forward *f)
{
	t5 t = {0};
	return init(f, &t) && (ckpt_forward_past(f) || run_stack(f, &t, &t.encoder)) && (t.alone || run_stack(f, &t, &t.decoder)) && heads(f, &t);
}

const ckpt_recipe ckpt_recipe_t5 = {"t5", CKPT_TAKES_DECODER | CKPT_CACHES, run};
