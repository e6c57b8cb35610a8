/* heads.h -- heads that stand on many bodies: each computes logits, reports them as a block and puts them out */
#ifndef CKPT_FORWARD_HEADS_H
#define CKPT_FORWARD_HEADS_H
#include "forward.h"

/* The body's last output x [M,h] as last_hidden_state (B,length,h). */
bool ckpt_forward_last(ckpt_forward *f, const void *x, uint64_t length, uint64_t h);
/* rows [B,H] = act(NAME(first position of each row of x [B,S,H])), reported as block NAME, or "pooler". */
bool ckpt_forward_first_dense(ckpt_forward *f, const void *x, uint64_t h, const char *name, ckpt_nn_activation act, void *rows);
/* logits (B,length,n) = x W^T + b for a linear layer NAME with n outputs; (B,length) of ELECTRA's discriminator. */
bool ckpt_forward_token_logits(ckpt_forward *f, const void *x, uint64_t length, const char *name, const char *field);
/* logits (B,n) of B rows; multiple choice: (1,B). */
bool ckpt_forward_row_logits(ckpt_forward *f, const void *rows, const char *name, const char *field);
/* start_logits and end_logits (B,S) of qa_outputs. */
bool ckpt_forward_answer_logits(ckpt_forward *f, const void *x);

/* logits (B,S,V) = decoder(LN(act(dense(x)))) of masked language models. */
typedef struct ckpt_word_head {
	const char *dense, *norm, *decoder; /* names without .weight */
	const char *bias;                   /* whole name of the decoder's bias */
	uint64_t width;                     /* of what dense gives out */
	ckpt_nn_activation act;
	double eps;
} ckpt_word_head;
bool ckpt_forward_word_logits(ckpt_forward *f, const void *x, const ckpt_word_head *head, const char *field);
/* logits (B,length,V) = x NAME.weight^T + bias; bias is a whole name or NULL. */
bool ckpt_forward_lm_logits(ckpt_forward *f, const void *x, uint64_t length, const char *name, const char *bias);
/* logits (B,N) of `name` at the last token of each row of x [B,S,h] that is no padding: rightmost id other than pad_token_id. */
bool ckpt_forward_last_token_logits(ckpt_forward *f, const void *x, uint64_t h, const char *name);
#endif
