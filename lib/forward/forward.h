/* forward.h -- the forward pass of a bound model: the contract of a recipe, and what a recipe works with
 *
 * A recipe is a leaf .c file for one family of architectures whose only non-static symbols are const structs
 * ckpt_recipe, listed in forward.c. It reads like the paper: one comment a step, the shape beside every array. It
 * never sees a number: everything goes through lib/nn/nn.h, in single or double precision.
 *
 * Letters: B batch, S positions, M = B S, T positions of a decoder's source, H hidden size, A heads, D = size of a head,
 * I inner size of a feed forward, V words, N labels.
 */
#ifndef CKPT_FORWARD_FORWARD_H
#define CKPT_FORWARD_FORWARD_H
#include "../ckpt.h"
#include "../model/model.h"
#include "../nn/nn.h"

/* Where the time goes. */
typedef enum ckpt_forward_time_part {
	CKPT_TIME_EMBEDDINGS,
	CKPT_TIME_ATTENTION_LINEAR, /* products with weights: queries, keys, values, output */
	CKPT_TIME_ATTENTION,        /* scores, softmax, values */
	CKPT_TIME_FEED_FORWARD,
	CKPT_TIME_NORM,
	CKPT_TIME_HEAD,
	CKPT_TIME_OTHER,
	CKPT_TIME_PARTS
} ckpt_forward_time_part;

/* Memory that passes use again. */
typedef struct ckpt_forward_memory_slot {
	void *data;
	size_t size;
	bool used; /* in the pass under way */
} ckpt_forward_memory_slot;

struct ckpt_forward {
	const ckpt_model *model;
	const ckpt_config *config;
	const struct ckpt_recipe *recipe;
	struct ckpt_weights *weights;
	ckpt_nn *nn;
	ckpt_forward_memory_slot *memory;
	size_t memory_count, memory_capacity;
	double seconds[CKPT_TIME_PARTS];
	double mark; /* start of the part under way */
	struct ckpt_cache *cache;  /* of the passes under way, or NULL */
	struct ckpt_cache *prompt; /* what the pass through a prompt has kept (generate.h), or NULL */
	bool last_only;            /* words are wanted for the last position alone */
	/* of the pass under way */
	const ckpt_forward_input *in;
	const ckpt_forward_options *options;
	ckpt_checkpoint *out;
	ckpt_error *err; /* where the recipe's calls put their error */
};

/* What a recipe understands besides ids and a mask; CKPT_CACHES: its decoder attends through ckpt_forward_attend_past (cache.h). */
enum { CKPT_TAKES_TYPES = 1, CKPT_TAKES_POSITIONS = 2, CKPT_TAKES_DECODER = 4, CKPT_CACHES = 8 };

typedef struct ckpt_recipe {
	const char *type; /* model_type */
	unsigned takes;
	bool (*run)(ckpt_forward *f);
} ckpt_recipe;

/* ---- weights and the steps that use them; each charges its time to a part ---- */

/* A weight by its local name, printf style ("encoder.layer.%u.output.dense.weight"), as it lies in the file; data NULL when
 * the model has no such tensor (a bias that a config leaves out). Mapped once, kept until the pass ends. */
bool ckpt_forward_weight(ckpt_forward *f, ckpt_nn_weight *out, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* True when the model has a tensor of that local name, and the checkpoint too. */
bool ckpt_forward_has(const ckpt_forward *f, const char *local);

/* y = act(x W^T + b) + residual for the weights NAME.weight and NAME.bias. */
bool ckpt_forward_linear(ckpt_forward *f, ckpt_forward_time_part part, uint64_t m, const void *x, ckpt_nn_activation act,
                         const void *residual, void *y, const char *format, ...) __attribute__((format(printf, 8, 9)));
/* Several products of one x: ys[i] = x W^T + b for the weights PREFIX.names[i], count of them, at most 4. */
bool ckpt_forward_linears(ckpt_forward *f, ckpt_forward_time_part part, uint64_t m, const void *x, size_t count,
                          const char *const *names, void *const *ys, const char *prefix, ...) __attribute__((format(printf, 8, 9)));
/* The same as ckpt_forward_linear for GPT-2's Conv1D, whose weight is (in, out). */
bool ckpt_forward_conv1d(ckpt_forward *f, ckpt_forward_time_part part, uint64_t m, const void *x, ckpt_nn_activation act,
                         const void *residual, void *y, const char *format, ...) __attribute__((format(printf, 8, 9)));
/* y = LayerNorm(x) or RMSNorm(x) with NAME.weight and NAME.bias where the model has them. */
bool ckpt_forward_norm(ckpt_forward *f, bool rms, uint64_t m, uint64_t h, const void *x, double eps, void *y,
                       const char *format, ...) __attribute__((format(printf, 8, 9)));
/* y = scale * NAME.weight[ids] for m = B length ids, added to y when add is set; ids outside the table are an error that
 * calls them `what` and says where. */
bool ckpt_forward_embed(ckpt_forward *f, uint64_t m, const int64_t *ids, double scale, bool add, void *y, const char *what,
                        const char *format, ...) __attribute__((format(printf, 8, 9)));
bool ckpt_forward_attend(ckpt_forward *f, const ckpt_nn_attention *a);
/* Charges the time since the last call to a part. */
void ckpt_forward_time(ckpt_forward *f, ckpt_forward_time_part part);

/* ---- what else a recipe needs ---- */

/* An array of count numbers, content undefined; it belongs to the pass. */
void *ckpt_forward_array(ckpt_forward *f, uint64_t count);
/* The same for count items of so many bytes. */
void *ckpt_forward_memory(ckpt_forward *f, uint64_t count, size_t item);
/* 1 / sqrt(d). */
double ckpt_forward_root(uint64_t d);
/* The activation that the config names under key. */
bool ckpt_forward_activation(ckpt_forward *f, const char *key, ckpt_nn_activation *out);
/* Does the class name end so ("ForMaskedLM")? */
bool ckpt_forward_class_is(const ckpt_forward *f, const char *ending);
/* False, naming both numbers, when the input has more positions than the model takes. */
bool ckpt_forward_check_length(ckpt_forward *f, uint64_t length, uint64_t most);

/* ---- what comes out ---- */

/* Reports a finished block to the caller; false when he wants to stop. */
bool ckpt_forward_block(ckpt_forward *f, const char *block, const void *values, uint64_t rows, uint64_t cols);
/* Copies values into the output under a name. */
bool ckpt_forward_output(ckpt_forward *f, const char *name, size_t rank, const uint64_t *shape, const void *values);
/* hidden_states.i when asked for; prefix "" or "encoder_", "decoder_". */
bool ckpt_forward_hidden(ckpt_forward *f, const char *prefix, uint64_t i, uint64_t length, uint64_t h, const void *values);
#endif
