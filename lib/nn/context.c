/* context.c -- numeric contexts: precision, threads, kernels, scratch memory */
#include "context.h"

#include "../error.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { HUGE = 2 << 20 };

/* What tests asked for; NULL: the best. */
static const ckpt_nn_kernels *forced;

static const ckpt_nn_kernels *by_name(const char *name)
{
	bool any = name == NULL;
#if defined(__x86_64__)
	bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
	bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	              __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
	if (avx512 && (any || strcmp(name, "avx512") == 0)) return &ckpt_nn_avx512;
	if (avx2 && (any || strcmp(name, "avx2") == 0)) return &ckpt_nn_avx2;
#endif
	return any || strcmp(name, "portable") == 0 ? &ckpt_nn_portable : NULL;
}

const ckpt_nn_kernels *ckpt_nn_choose(void)
{
	return forced ? forced : by_name(NULL);
}

bool ckpt_nn_force(const char *path)
{
	const ckpt_nn_kernels *k = by_name(path);
	if (k) forced = path ? k : NULL;
	return k != NULL;
}

ckpt_nn *ckpt_nn_new(ckpt_nn_precision precision, int threads, ckpt_error *err)
{
	ckpt_nn *nn = calloc(1, sizeof *nn);
	if (!nn) {
		ckpt_fail_nomem(err);
		return NULL;
	}
	nn->precision = precision;
	nn->threads = threads > 0 ? threads : omp_get_max_threads();
	nn->kernels = ckpt_nn_choose();
	return nn;
}

void ckpt_nn_free(ckpt_nn *nn)
{
	if (!nn) return;
	free(nn->shared.data);
	free(nn->own.data);
	free(nn);
}

size_t ckpt_nn_item(const ckpt_nn *nn)
{
	return nn->precision == CKPT_NN_F64 ? sizeof(double) : sizeof(float);
}

bool ckpt_nn_is(const ckpt_nn *nn, ckpt_nn_precision precision, int threads)
{
	return nn->precision == precision && nn->kernels == ckpt_nn_choose() &&
	       nn->threads == (threads > 0 ? threads : omp_get_max_threads());
}

void *ckpt_nn_allocate(size_t size, ckpt_error *err)
{
	size_t alignment = size >= HUGE ? (size_t)HUGE : 64;
	if (size > SIZE_MAX - alignment) {
		ckpt_fail_nomem(err);
		return NULL;
	}
	size_t whole = (size + alignment - 1) & ~(alignment - 1);
	void *data = aligned_alloc(alignment, whole ? whole : alignment);
	if (!data) {
		ckpt_fail_nomem(err);
		return NULL;
	}
	if (alignment == HUGE) madvise(data, whole, MADV_HUGEPAGE);
	return data;
}

void *ckpt_nn_reserve(ckpt_nn_scratch *s, size_t size, ckpt_error *err)
{
	if (size <= s->size && s->data) return s->data;
	free(s->data);
	s->size = 0;
	s->data = ckpt_nn_allocate(size, err);
	if (s->data) s->size = size;
	return s->data;
}

void *ckpt_nn_array(const ckpt_nn *nn, uint64_t count, ckpt_error *err)
{
	uint64_t size;
	if (!__builtin_mul_overflow(count, (uint64_t)ckpt_nn_item(nn), &size) && size <= SIZE_MAX / 2)
		return ckpt_nn_allocate((size_t)size, err);
	ckpt_fail_nomem(err);
	return NULL;
}

void ckpt_nn_array_free(void *array)
{
	free(array);
}

ckpt_nn_activation ckpt_nn_activation_by_name(const char *name)
{
	static const struct {
		const char *name;
		ckpt_nn_activation act;
	} table[] = {
		{"gelu", CKPT_ACT_GELU},
		{"gelu_python", CKPT_ACT_GELU},
		{"gelu_new", CKPT_ACT_GELU_TANH},
		{"gelu_pytorch_tanh", CKPT_ACT_GELU_TANH},
		{"gelu_python_tanh", CKPT_ACT_GELU_TANH},
		{"gelu_accurate", CKPT_ACT_GELU_TANH},
		{"gelu_fast", CKPT_ACT_GELU_FAST},
		{"gelu_10", CKPT_ACT_GELU_10},
		{"quick_gelu", CKPT_ACT_QUICK_GELU},
		{"silu", CKPT_ACT_SILU},
		{"swish", CKPT_ACT_SILU},
		{"relu", CKPT_ACT_RELU},
		{"relu2", CKPT_ACT_RELU2},
		{"relu6", CKPT_ACT_RELU6},
		{"tanh", CKPT_ACT_TANH},
		{"sigmoid", CKPT_ACT_SIGMOID},
		{"leaky_relu", CKPT_ACT_LEAKY_RELU},
		{"mish", CKPT_ACT_MISH},
		{"linear", CKPT_ACT_NONE},
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (strcmp(table[i].name, name) == 0) return table[i].act;
	return CKPT_ACT_UNKNOWN;
}
