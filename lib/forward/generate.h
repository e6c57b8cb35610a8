/* generate.h -- the words that a language model would go on with: each time the most likely one */
#ifndef CKPT_FORWARD_GENERATE_H
#define CKPT_FORWARD_GENERATE_H
#include "forward.h"

typedef enum ckpt_stop {
	CKPT_STOP_COUNT, /* as many as were wanted */
	CKPT_STOP_END,   /* an end token, which is the last of the ids */
	CKPT_STOP_LENGTH /* the model takes no more positions */
} ckpt_stop;

typedef struct ckpt_generate_options {
	uint64_t count;        /* tokens at most */
	const int64_t *end;    /* tokens that end it */
	size_t end_count;
	int64_t start;         /* first token of the decoder behind an encoder */
	int64_t first, last;   /* what the first and the count-th token are to be; -1: free */
	bool no_cache;         /* the whole sequence anew for each token: the same words, slowly */
	bool f64;
	int threads;
	uint64_t cache_bytes;  /* the limit of that name */
} ckpt_generate_options;

typedef struct ckpt_generated {
	int64_t *ids;
	size_t count;
	ckpt_stop stop;
	double margin;  /* the smallest distance of a best logit from the next: how near to another word it was */
	double seconds; /* without the pass through the prompt, where that was made before */
	uint64_t cache; /* bytes of the keys and values that were kept */
} ckpt_generated;

/* Does the class give words after words, and with an encoder in front? */
bool ckpt_forward_generates(const ckpt_model *model);
bool ckpt_forward_has_encoder(const ckpt_model *model);
/* The pass through a batch that will be gone on with: ckpt_forward_run, which keeps keys and values for ckpt_forward_generate
 * where the words begin with just this pass. options: of ckpt_forward_run. */
ckpt_checkpoint *ckpt_forward_prompt(ckpt_forward *f, const ckpt_forward_input *in, const ckpt_forward_options *options,
                                     const ckpt_generate_options *generate, ckpt_error *err);
/* Goes on behind one row of a batch, or answers it. prompt: what ckpt_forward_prompt gave for the batch, whose logits choose the
 * first word, or NULL; a row that is padded in front is computed anew, since its positions count from its first token. out is to
 * be freed in any case. The best logit wins, of equal ones the smallest id. Passes with a cache sum in the order of their own
 * shapes, so that near ties can turn out otherwise than without. */
bool ckpt_forward_generate(ckpt_forward *f, const ckpt_forward_input *in, size_t row, const ckpt_checkpoint *prompt,
                           const ckpt_generate_options *options, ckpt_generated *out, ckpt_error *err);
void ckpt_generated_free(ckpt_generated *g);
#endif
