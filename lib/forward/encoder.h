/* encoder.h -- what the recipes of the BERT family share: a stack of post-norm layers */
#ifndef CKPT_FORWARD_ENCODER_H
#define CKPT_FORWARD_ENCODER_H
#include "forward.h"

/* Names of the weights of one layer below its own prefix. */
typedef struct ckpt_encoder_names {
	const char *query, *key, *value, *dense, *norm; /* attention */
	const char *up, *down, *last_norm;              /* feed forward */
} ckpt_encoder_names;

/* Arrays and sizes of a pass through an encoder. */
typedef struct ckpt_encoder {
	uint64_t m, h, heads, inner;
	double eps;
	bool causal;
	ckpt_nn_activation act;
	const unsigned char *key_mask;            /* [B,S] or NULL */
	void *x, *y, *q, *k, *v, *context, *wide; /* [M,H] each, wide [M,I] */
} ckpt_encoder;

/* Sizes from the config's symbols H, A, I; makes the arrays. */
bool ckpt_encoder_init(ckpt_forward *f, ckpt_encoder *e, double eps, const char *act_key);
/* x = LN(x + dense(attention(x))); x = LN(x + down(act(up(x)))), with the weights below `prefix`, which names the block. */
bool ckpt_encoder_layer(ckpt_forward *f, ckpt_encoder *e, const ckpt_encoder_names *names, const char *prefix);
#endif
