/* nn.h -- the numbers of a forward pass: a handful of operations in single and in double precision
 *
 * Activations are plain row-major arrays of float or double, as the context's precision says; recipes carry them as
 * void * and never look inside. Weights stay where they are (a mapping of the file) in their own dtype: F32, F16, BF16
 * or F64; each element is converted exactly when it is used.
 *
 * Every operation is parallel over outputs only: one output is summed by one thread in one documented order, so that
 * results are equal bit for bit for 1 and N threads. Single precision accumulates in float with fused multiply-add, in the
 * order of k (AVX2 and AVX-512 agree bit for bit; the portable path differs where the CPU has no FMA). Double precision does
 * everything in double: softmax, norms, rotary angles too.
 *
 * Letters: B batch, S positions of a query, T positions of a key, H hidden size, A heads, G key/value heads, D head size.
 */
#ifndef CKPT_NN_H
#define CKPT_NN_H
#include "../ckpt.h"

typedef enum ckpt_nn_precision { CKPT_NN_F32, CKPT_NN_F64 } ckpt_nn_precision;

typedef enum ckpt_nn_activation {
	CKPT_ACT_NONE,
	CKPT_ACT_GELU,      /* x/2 (1 + erf(x/sqrt 2)) */
	CKPT_ACT_GELU_TANH, /* gelu_new, gelu_pytorch_tanh */
	CKPT_ACT_GELU_FAST, /* the same with the rounded constant 0.7978845608 */
	CKPT_ACT_QUICK_GELU,/* x sigmoid(1.702 x) */
	CKPT_ACT_SILU,
	CKPT_ACT_RELU,
	CKPT_ACT_RELU2,
	CKPT_ACT_RELU6,
	CKPT_ACT_TANH,
	CKPT_ACT_SIGMOID,
	CKPT_ACT_LEAKY_RELU,/* slope 0.01 */
	CKPT_ACT_MISH,
	CKPT_ACT_GELU_10,   /* gelu clipped to [-10, 10] */
	CKPT_ACT_UNKNOWN
} ckpt_nn_activation;

/* By transformers' name ("gelu", "silu", "swish", ...); CKPT_ACT_UNKNOWN otherwise. */
ckpt_nn_activation ckpt_nn_activation_by_name(const char *name);

/* A weight as it lies in memory: rows x cols, row-major, no alignment assumed; a vector has rows 1. data NULL: absent. */
typedef struct ckpt_nn_weight {
	const void *data;
	ckpt_dtype dtype; /* F32 F16 BF16 F64 */
	uint64_t rows, cols;
} ckpt_nn_weight;

/* Precision, threads and reusable scratch memory. One context is used by one caller at a time. */
typedef struct ckpt_nn ckpt_nn;
ckpt_nn *ckpt_nn_new(ckpt_nn_precision precision, int threads, ckpt_error *err);
void ckpt_nn_free(ckpt_nn *nn);
size_t ckpt_nn_item(const ckpt_nn *nn); /* bytes of an activation element: 4 or 8 */
bool ckpt_nn_is(const ckpt_nn *nn, ckpt_nn_precision precision, int threads); /* was it made for these */
/* Array of count elements, 64-byte aligned, content undefined; freed with ckpt_nn_array_free. */
void *ckpt_nn_array(const ckpt_nn *nn, uint64_t count, ckpt_error *err);
/* The same by bytes. */
void *ckpt_nn_allocate(size_t size, ckpt_error *err);
void ckpt_nn_array_free(void *array);

/* y[m,n] = act(x[m,k] W^T + bias) + residual, with W (n,k) as torch.nn.Linear keeps it, or W (k,n) when in_out is set
 * (GPT-2's Conv1D). bias: data NULL or n elements. residual: NULL or [m,n], may be y itself; x and y do not overlap. */
bool ckpt_nn_linear(ckpt_nn *nn, uint64_t m, const void *x, const ckpt_nn_weight *w, bool in_out,
                    const ckpt_nn_weight *bias, ckpt_nn_activation act, const void *residual, void *y, ckpt_error *err);

/* Several products of one x that have neither activation nor residual: each y = x W^T + bias, W (n,k). */
typedef struct ckpt_nn_output {
	const ckpt_nn_weight *w, *bias;
	void *y;
} ckpt_nn_output;
bool ckpt_nn_linears(ckpt_nn *nn, uint64_t m, const void *x, size_t count, const ckpt_nn_output *outputs, ckpt_error *err);

/* y[i] = scale * table[ids[i]] for m ids (checked by the caller), added to y when add is set. */
void ckpt_nn_embed(ckpt_nn *nn, uint64_t m, const int64_t *ids, const ckpt_nn_weight *table, double scale, bool add,
                   void *y);

/* Rows of h elements. y may be x. weight and bias may be absent. Biased variance, eps inside the root. */
bool ckpt_nn_layer_norm(ckpt_nn *nn, uint64_t m, uint64_t h, const void *x, const ckpt_nn_weight *weight,
                        const ckpt_nn_weight *bias, double eps, void *y, ckpt_error *err);
bool ckpt_nn_rms_norm(ckpt_nn *nn, uint64_t m, uint64_t h, const void *x, const ckpt_nn_weight *weight, double eps, void *y,
                      ckpt_error *err);

/* Elementwise on count elements; in place allowed. */
void ckpt_nn_activate(ckpt_nn *nn, uint64_t count, const void *x, ckpt_nn_activation act, void *y);
void ckpt_nn_gate(ckpt_nn *nn, uint64_t count, const void *gate, ckpt_nn_activation act, const void *up, void *y); /* act(gate) * up */
void ckpt_nn_add(ckpt_nn *nn, uint64_t count, const void *a, const void *b, void *y);
void ckpt_nn_scale(ckpt_nn *nn, uint64_t count, const void *x, double factor, void *y);

/* Rotates pairs (j, j + D/2) of each head of x[m, heads*D] by positions[i] * inv_freq[j]; inv_freq has D/2 values. Angles, sines
 * and cosines are computed in double whatever the precision, and only then rounded: far positions lose nothing. */
void ckpt_nn_rope(ckpt_nn *nn, uint64_t m, uint64_t heads, uint64_t d, const int64_t *positions, const double *inv_freq,
                  double attention_factor, void *x);

/* softmax(scale q k^T + bias, masked) v for all heads; nothing of size S x T is stored for long inputs. */
typedef struct ckpt_nn_attention {
	uint64_t batch, s, t;            /* queries and keys of each batch row */
	uint64_t heads, kv_heads, d;     /* query head a uses key/value head a / (heads / kv_heads) */
	const void *q, *k, *v;           /* first element of head 0 of batch row 0 */
	uint64_t q_stride, k_stride, v_stride; /* elements from one position to the next */
	uint64_t q_batch, k_batch, v_batch;    /* elements from one batch row to the next */
	double scale;
	bool causal;                     /* query i sees keys 0 .. i + t - s */
	uint64_t window;                 /* 0: all; else only the last `window` keys, itself included */
	const unsigned char *key_mask;   /* [batch, t], 0 = masked; NULL: all kept. A row that keeps nothing: uniform over all keys */
	const void *bias;                /* [heads, s, t] added to the scaled scores (T5), or NULL */
	void *out;                       /* [batch, s, heads * d], out_stride elements from one position to the next */
	uint64_t out_stride;
} ckpt_nn_attention;
bool ckpt_nn_attend(ckpt_nn *nn, const ckpt_nn_attention *a, ckpt_error *err);

/* In place over rows of n. */
void ckpt_nn_softmax(ckpt_nn *nn, uint64_t m, uint64_t n, void *x);

/* For tests: "portable", "avx2", "avx512", NULL = best; false when the CPU has it not. */
bool ckpt_nn_force(const char *path);
#endif
