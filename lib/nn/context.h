/* context.h -- inside of a numeric context */
#ifndef CKPT_NN_CONTEXT_H
#define CKPT_NN_CONTEXT_H
#include "kernels.h"
#include "nn.h"

/* Memory that grows and is reused between calls. */
typedef struct ckpt_nn_scratch {
	void *data;
	size_t size;
} ckpt_nn_scratch;

struct ckpt_nn {
	ckpt_nn_precision precision;
	int threads;
	const ckpt_nn_kernels *kernels;
	ckpt_nn_scratch shared, own; /* packed x; one part for each thread */
};

/* At least size bytes, 2 MiB aligned, on huge pages where the system has them; content undefined. */
void *ckpt_nn_reserve(ckpt_nn_scratch *s, size_t size, ckpt_error *err);
/* The kernels in force: the best of this CPU unless ckpt_nn_force said otherwise. */
const ckpt_nn_kernels *ckpt_nn_choose(void);

/* The single- and the double-precision road of ckpt_nn_linear. */
typedef struct ckpt_nn_product {
	uint64_t m, n, k;
	const void *x;
	const ckpt_nn_weight *w, *bias;
	bool in_out;
	ckpt_nn_activation act;
	const void *residual;
	void *y;
} ckpt_nn_product;
/* Products of one x: m, k, x and in_out are the same in all. */
bool ckpt_nn_linears_f32(ckpt_nn *nn, size_t count, const ckpt_nn_product *products, ckpt_error *err);
bool ckpt_nn_linear_f64(ckpt_nn *nn, const ckpt_nn_product *p, ckpt_error *err);
/* x = exp(x - max x) and its sum. */
double ckpt_nn_exp_shift_f64(double *x, size_t n);

#endif
