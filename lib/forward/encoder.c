/* encoder.c -- post-norm encoder layers */
#include "encoder.h"
#include "inputs.h"

bool ckpt_encoder_init(ckpt_forward *f, ckpt_encoder *e, double eps, const char *act_key)
{
	*e = (ckpt_encoder){.m = f->in->batch * f->in->length, .eps = eps};
	e->h = ckpt_config_dim(f->config, 'H');
	e->heads = ckpt_config_dim(f->config, 'A');
	e->inner = ckpt_config_dim(f->config, 'I');
	if (!ckpt_forward_key_mask(f, f->in->mask, e->m, &e->key_mask) || !ckpt_forward_activation(f, act_key, &e->act)) return false;
	void **arrays[] = {&e->x, &e->y, &e->q, &e->k, &e->v, &e->context};
	for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
		if (!(*arrays[i] = ckpt_forward_array(f, e->m * e->h))) return false;
	return (e->wide = ckpt_forward_array(f, e->m * e->inner)) != NULL;
}

bool ckpt_encoder_layer(ckpt_forward *f, ckpt_encoder *e, const ckpt_encoder_names *n, const char *prefix)
{
	uint64_t m = e->m, h = e->h, s = f->in->length, d = h / e->heads;
	const ckpt_forward_time_part linear = CKPT_TIME_ATTENTION_LINEAR, ffn = CKPT_TIME_FEED_FORWARD;
	/* queries, keys, values [M,H] of x [M,H] */
	if (!ckpt_forward_linears(f, linear, m, e->x, 3, (const char *[]){n->query, n->key, n->value}, (void *[]){e->q, e->k, e->v},
	                          "%s", prefix))
		return false;
	/* context [M,H] = softmax(q k^T / sqrt D) v, head by head */
	ckpt_nn_attention a = {.batch = f->in->batch, .s = s, .t = s, .heads = e->heads, .kv_heads = e->heads, .d = d,
	                       .q = e->q, .k = e->k, .v = e->v, .q_stride = h, .k_stride = h, .v_stride = h,
	                       .q_batch = s * h, .k_batch = s * h, .v_batch = s * h, .scale = ckpt_forward_root(d),
	                       .causal = e->causal, .key_mask = e->key_mask, .out = e->context, .out_stride = h};
	if (!ckpt_forward_attend(f, &a)) return false;
	/* x = LN(dense(context) + x) */
	if (!ckpt_forward_linear(f, linear, m, e->context, CKPT_ACT_NONE, e->x, e->y, "%s.%s", prefix, n->dense)) return false;
	if (!ckpt_forward_norm(f, false, m, h, e->y, e->eps, e->x, "%s.%s", prefix, n->norm)) return false;
	/* x = LN(down(act(up(x))) + x) */
	if (!ckpt_forward_linear(f, ffn, m, e->x, e->act, NULL, e->wide, "%s.%s", prefix, n->up)) return false;
	if (!ckpt_forward_linear(f, ffn, m, e->wide, CKPT_ACT_NONE, e->x, e->y, "%s.%s", prefix, n->down)) return false;
	if (!ckpt_forward_norm(f, false, m, h, e->y, e->eps, e->x, "%s.%s", prefix, n->last_norm)) return false;
	return ckpt_forward_block(f, prefix, e->x, m, h);
}
