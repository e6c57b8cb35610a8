/* scalar.h -- activations in double precision, from the C library */
#ifndef CKPT_NN_SCALAR_H
#define CKPT_NN_SCALAR_H
#include "nn.h"

#include <math.h>
#include <omp.h>

static inline int ckpt_nn_thread(void)
{
	return omp_get_thread_num();
}

static inline double ckpt_nn_sigmoid_f64(double x)
{
	return 1.0 / (1.0 + exp(-x));
}

static inline double ckpt_nn_activate_f64(ckpt_nn_activation act, double x)
{
	const double root = 0.79788456080286535588; /* sqrt(2 / pi) */
	switch (act) {
	case CKPT_ACT_GELU:
		return x * 0.5 * erfc(-x * 0.70710678118654752440);
	case CKPT_ACT_GELU_TANH:
		return 0.5 * x * (1.0 + tanh(root * (x + 0.044715 * x * x * x)));
	case CKPT_ACT_GELU_FAST:
		return 0.5 * x * (1.0 + tanh(0.7978845608 * x * (1.0 + 0.044715 * x * x)));
	case CKPT_ACT_GELU_10: {
		double y = x * 0.5 * erfc(-x * 0.70710678118654752440);
		return y > 10 ? 10 : y < -10 ? -10 : y;
	}
	case CKPT_ACT_QUICK_GELU:
		return x * ckpt_nn_sigmoid_f64(1.702 * x);
	case CKPT_ACT_SILU:
		return x * ckpt_nn_sigmoid_f64(x);
	case CKPT_ACT_SIGMOID:
		return ckpt_nn_sigmoid_f64(x);
	case CKPT_ACT_RELU:
		return x < 0 ? 0 : x;
	case CKPT_ACT_RELU2:
		return x < 0 ? 0 : x * x;
	case CKPT_ACT_RELU6:
		return x < 0 ? 0 : x > 6 ? 6 : x;
	case CKPT_ACT_TANH:
		return tanh(x);
	case CKPT_ACT_LEAKY_RELU:
		return x < 0 ? 0.01 * x : x;
	case CKPT_ACT_MISH:
		return x * tanh(x > 40 ? x : log1p(exp(x)));
	default:
		return x;
	}
}
#endif
