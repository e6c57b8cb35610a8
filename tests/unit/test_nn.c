/* test_nn.c -- every numeric operation against a naive loop in double, over awkward shapes, dtypes, CPUs and threads */
#include "unit.h"

#include "../../lib/cast.h"
#include "../../lib/nn/nn.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const paths[] = {"portable", "avx2", "avx512"};
static uint32_t state = 7;

static double next(void)
{
	state = state * 1664525u + 1013904223u;
	return ((double)(state >> 8) / (1 << 24) - 0.5) * 2;
}

static double *numbers(uint64_t count)
{
	double *p = malloc((count + 1) * sizeof *p);
	for (uint64_t i = 0; i < count; i++) p[i] = (double)(float)next();
	return p;
}

/* values as activations of the precision */
static void *activations(ckpt_nn *nn, const double *values, uint64_t count)
{
	void *a = ckpt_nn_array(nn, count + 1, NULL);
	if (ckpt_nn_item(nn) == 8)
		memcpy(a, values, count * sizeof *values);
	else
		ckpt_cast(CKPT_F64, CKPT_F32, values, a, count);
	return a;
}

static double element(const ckpt_nn *nn, const void *a, uint64_t i)
{
	return ckpt_nn_item(nn) == 8 ? ((const double *)a)[i] : (double)((const float *)a)[i];
}

/* values in dtype at an odd address; values become what the dtype holds. */
static ckpt_nn_weight weight(ckpt_dtype dtype, double *values, uint64_t rows, uint64_t cols, char **memory)
{
	size_t item = ckpt_dtype_bits(dtype) / 8;
	*memory = malloc(rows * cols * item + 2);
	ckpt_cast(CKPT_F64, dtype, values, *memory + 1, rows * cols);
	ckpt_cast_to_f64(dtype, *memory + 1, values, rows * cols);
	return (ckpt_nn_weight){*memory + 1, dtype, rows, cols};
}

static void check_linear(ckpt_nn *nn, uint64_t m, uint64_t n, uint64_t k, ckpt_dtype dtype, bool in_out, bool more)
{
	double *x = numbers(m * k), *w = numbers(n * k), *b = numbers(n), *r = numbers(m * n), worst = 0;
	char *wm, *bm;
	ckpt_nn_weight W = weight(dtype, w, in_out ? k : n, in_out ? n : k, &wm), B = weight(dtype, b, 1, n, &bm);
	void *X = activations(nn, x, m * k), *R = activations(nn, r, m * n), *Y = ckpt_nn_array(nn, m * n, NULL);
	ckpt_nn_activation act = more ? CKPT_ACT_RELU : CKPT_ACT_NONE;
	CU_ASSERT(ckpt_nn_linear(nn, m, X, &W, in_out, more ? &B : NULL, act, more ? R : NULL, Y, NULL));
	for (uint64_t i = 0; i < m; i++)
		for (uint64_t j = 0; j < n; j++) {
			double sum = 0;
			for (uint64_t l = 0; l < k; l++) sum += x[i * k + l] * w[in_out ? l * n + j : j * k + l];
			if (more) sum = fmax(sum + b[j], 0) + r[i * n + j];
			double e = fabs(sum - element(nn, Y, i * n + j));
			worst = e > worst || e != e ? e : worst;
		}
	double bound = ckpt_nn_item(nn) == 8 ? 1e-13 * (double)(k + 4) : 4e-7 * (4 + 2 * sqrt((double)k));
	if (!(worst <= bound)) CU_FAIL("a product is off");
	ckpt_nn_array_free(X);
	ckpt_nn_array_free(R);
	ckpt_nn_array_free(Y);
	free(x), free(w), free(b), free(r), free(wm), free(bm);
}

static void products_equal_naive_loops(void)
{
	static const uint64_t shapes[][3] = {{1, 1, 1},    {1, 33, 17},  {3, 5, 7},     {7, 64, 768}, {8, 32, 31},  {12, 96, 1100},
	                                     {13, 40, 300}, {25, 70, 64}, {40, 31, 515}, {6, 100, 16}, {2, 3, 2049}, {100, 1, 5}};
	static const ckpt_dtype dtypes[] = {CKPT_F32, CKPT_BF16, CKPT_F16, CKPT_F64};
	for (size_t p = 0; p < 3; p++) {
		if (!ckpt_nn_force(paths[p])) continue;
		for (int precision = 0; precision < 2; precision++) {
			ckpt_nn *nn = ckpt_nn_new((ckpt_nn_precision)precision, 2, NULL);
			for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
				for (size_t d = 0; d < 4; d++)
					for (int in_out = 0; in_out < 2; in_out++)
						check_linear(nn, shapes[s][0], shapes[s][1], shapes[s][2], dtypes[d], in_out, (s + d) % 2);
			ckpt_nn_free(nn);
		}
	}
	ckpt_nn_force(NULL);
}

static void *product(int threads, uint64_t m, const void *x, const ckpt_nn_weight *w, bool in_out)
{
	ckpt_nn *nn = ckpt_nn_new(CKPT_NN_F32, threads, NULL);
	void *y = ckpt_nn_array(nn, m * 200, NULL);
	CU_ASSERT(ckpt_nn_linear(nn, m, x, w, in_out, NULL, CKPT_ACT_GELU, NULL, y, NULL));
	ckpt_nn_free(nn);
	return y;
}

static void threads_and_vector_widths_give_the_same_bits(void)
{
	enum { M = 50, N = 200, K = 333 };
	double *x = numbers(M * K), *w = numbers(N * K);
	char *memory;
	ckpt_nn *nn = ckpt_nn_new(CKPT_NN_F32, 1, NULL);
	void *X = activations(nn, x, M * K);
	ckpt_nn_free(nn);
	for (int in_out = 0; in_out < 2; in_out++)
		for (uint64_t m = 3; m <= M; m += 47) {
			ckpt_nn_weight W = weight(CKPT_F32, w, in_out ? K : N, in_out ? N : K, &memory);
			void *one = product(1, m, X, &W, in_out);
			for (int threads = 2; threads <= 3; threads++) {
				void *more = product(threads, m, X, &W, in_out);
				CU_ASSERT_EQUAL(memcmp(one, more, m * N * sizeof(float)), 0);
				ckpt_nn_array_free(more);
			}
			if (ckpt_nn_force("avx2")) {
				void *other = product(2, m, X, &W, in_out);
				CU_ASSERT_EQUAL(memcmp(one, other, m * N * sizeof(float)), 0);
				ckpt_nn_array_free(other);
			}
			ckpt_nn_force(NULL);
			ckpt_nn_array_free(one);
			free(memory);
		}
	ckpt_nn_array_free(X);
	free(x), free(w);
}

/* ---- functions of one variable ---- */

static double reference(ckpt_nn_activation act, double x)
{
	double inner = 0.7978845608028654 * (x + 0.044715 * x * x * x);
	switch (act) {
	case CKPT_ACT_GELU: return x / 2 * erfc(-x / sqrt(2.0));
	case CKPT_ACT_GELU_TANH: return x / 2 * (1 + tanh(inner));
	case CKPT_ACT_GELU_FAST: return x / 2 * (1 + tanh(0.7978845608 * x * (1 + 0.044715 * x * x)));
	case CKPT_ACT_QUICK_GELU: return x / (1 + exp(-1.702 * x));
	case CKPT_ACT_SILU: return x / (1 + exp(-x));
	case CKPT_ACT_RELU: return fmax(x, 0);
	case CKPT_ACT_RELU2: return x > 0 ? x * x : 0;
	case CKPT_ACT_RELU6: return fmin(fmax(x, 0), 6);
	case CKPT_ACT_TANH: return tanh(x);
	case CKPT_ACT_SIGMOID: return 1 / (1 + exp(-x));
	case CKPT_ACT_LEAKY_RELU: return x < 0 ? 0.01 * x : x;
	case CKPT_ACT_MISH: return x * tanh(log1p(exp(x)));
	case CKPT_ACT_GELU_10: return fmin(fmax(x / 2 * erfc(-x / sqrt(2.0)), -10), 10);
	default: return x;
	}
}

static void activations_are_right_to_float_rounding(void)
{
	enum { N = 40003 };
	double *x = malloc(N * sizeof *x);
	for (size_t i = 0; i < N; i++) x[i] = (double)(float)((double)i / N * 40 - 20);
	for (size_t p = 0; p < 3; p++) {
		if (!ckpt_nn_force(paths[p])) continue;
		for (int precision = 0; precision < 2; precision++) {
			ckpt_nn *nn = ckpt_nn_new((ckpt_nn_precision)precision, 2, NULL);
			void *X = activations(nn, x, N), *Y = ckpt_nn_array(nn, N, NULL);
			for (int act = CKPT_ACT_NONE; act < CKPT_ACT_UNKNOWN; act++) {
				double worst = 0;
				ckpt_nn_activate(nn, N, X, (ckpt_nn_activation)act, Y);
				for (size_t i = 0; i < N; i++) {
					double want = reference((ckpt_nn_activation)act, x[i]), e = fabs(element(nn, Y, i) - want);
					e /= fmax(fabs(want), 1e-3);
					worst = e > worst || e != e ? e : worst;
				}
				if (!(worst < (precision ? 1e-12 : 1.2e-6))) CU_FAIL("an activation is off");
			}
			ckpt_nn_array_free(X);
			ckpt_nn_array_free(Y);
			ckpt_nn_free(nn);
		}
	}
	ckpt_nn_force(NULL);
	free(x);
}

static void extremes_stay_what_they_are(void)
{
	float x[6] = {INFINITY, -INFINITY, NAN, 0.0f, 100.0f, -100.0f}, y[6];
	ckpt_nn *nn = ckpt_nn_new(CKPT_NN_F32, 1, NULL);
	for (size_t p = 0; p < 3; p++) {
		if (!ckpt_nn_force(paths[p])) continue;
		ckpt_nn_free(nn);
		nn = ckpt_nn_new(CKPT_NN_F32, 1, NULL);
		ckpt_nn_activate(nn, 6, x, CKPT_ACT_SIGMOID, y);
		CU_ASSERT(y[0] == 1 && y[1] < 1e-37 && isnan(y[2]) && y[3] == 0.5f && y[4] == 1 && y[5] < 1e-37);
		ckpt_nn_activate(nn, 6, x, CKPT_ACT_GELU, y);
		CU_ASSERT(isnan(y[2]) && y[3] == 0 && y[4] == 100 && fabsf(y[5]) < 1e-30);
	}
	ckpt_nn_force(NULL);
	ckpt_nn_free(nn);
	CU_ASSERT_EQUAL(ckpt_nn_activation_by_name("swish"), CKPT_ACT_SILU);
	CU_ASSERT_EQUAL(ckpt_nn_activation_by_name("prelu"), CKPT_ACT_UNKNOWN);
}

/* ---- rows ---- */

static void norms_equal_naive_loops(void)
{
	static const uint64_t sizes[] = {1, 7, 16, 100, 768, 1025};
	for (size_t p = 0; p < 3; p++) {
		if (!ckpt_nn_force(paths[p])) continue;
		for (int precision = 0; precision < 2; precision++)
			for (size_t s = 0; s < 6; s++) {
				ckpt_nn *nn = ckpt_nn_new((ckpt_nn_precision)precision, 2, NULL);
				uint64_t h = sizes[s], m = 30;
				double *x = numbers(m * h), *g = numbers(h), *b = numbers(h), worst = 0;
				char *gm, *bm;
				ckpt_nn_weight G = weight(CKPT_BF16, g, 1, h, &gm), B = weight(CKPT_F32, b, 1, h, &bm);
				void *X = activations(nn, x, m * h), *Y = ckpt_nn_array(nn, m * h, NULL), *Z = ckpt_nn_array(nn, m * h, NULL);
				CU_ASSERT(ckpt_nn_layer_norm(nn, m, h, X, &G, &B, 1e-5, Y, NULL));
				CU_ASSERT(ckpt_nn_rms_norm(nn, m, h, X, &G, 1e-6, Z, NULL));
				for (uint64_t i = 0; i < m; i++) {
					double mean = 0, var = 0, square = 0;
					for (uint64_t j = 0; j < h; j++) mean += x[i * h + j] / (double)h, square += x[i * h + j] * x[i * h + j];
					for (uint64_t j = 0; j < h; j++) var += (x[i * h + j] - mean) * (x[i * h + j] - mean) / (double)h;
					for (uint64_t j = 0; j < h; j++) {
						double v = (x[i * h + j] - mean) / sqrt(var + 1e-5) * g[j] + b[j];
						double r = x[i * h + j] / sqrt(square / (double)h + 1e-6) * g[j];
						worst = fmax(worst, fabs(v - element(nn, Y, i * h + j)));
						worst = fmax(worst, fabs(r - element(nn, Z, i * h + j)));
					}
				}
				if (!(worst < (precision ? 1e-11 : 2e-5))) CU_FAIL("a norm is off");
				ckpt_nn_array_free(X);
				ckpt_nn_array_free(Y);
				ckpt_nn_array_free(Z);
				free(x), free(g), free(b), free(gm), free(bm);
				ckpt_nn_free(nn);
			}
	}
	ckpt_nn_force(NULL);
}

/* ---- attention ---- */

typedef struct shape {
	uint64_t batch, s, t, heads, kv, d, window;
	bool causal, mask, bias;
} shape;

static double naive_score(const shape *c, const double *q, const double *k, const double *bias, uint64_t b, uint64_t h,
                          uint64_t i, uint64_t j)
{
	double sum = 0;
	uint64_t g = h / (c->heads / c->kv);
	for (uint64_t e = 0; e < c->d; e++)
		sum += q[((b * c->s + i) * c->heads + h) * c->d + e] * k[((b * c->t + j) * c->kv + g) * c->d + e];
	return sum * 0.3 + (c->bias ? bias[(h * c->s + i) * c->t + j] : 0);
}

static double naive_attention(const shape *c, const double *q, const double *k, const double *v, const double *bias,
                              const unsigned char *mask, uint64_t b, uint64_t h, uint64_t i, uint64_t e)
{
	double most = -INFINITY, sum = 0, out = 0;
	uint64_t g = h / (c->heads / c->kv), kept = 0;
	for (int pass = 0; pass < 2; pass++)
		for (uint64_t j = 0; j < c->t; j++) {
			uint64_t last = i + c->t - c->s;
			bool see = !c->mask || mask[b * c->t + j];
			if (c->causal && j > last) see = false;
			if (c->window && j + c->window <= (c->causal ? last : c->t - 1)) see = false;
			if (!see) continue;
			kept++;
			double score = naive_score(c, q, k, bias, b, h, i, j);
			if (pass == 0) {
				most = fmax(most, score);
				continue;
			}
			sum += exp(score - most);
			out += exp(score - most) * v[((b * c->t + j) * c->kv + g) * c->d + e];
		}
	if (kept) return out / sum;
	for (uint64_t j = 0; j < c->t; j++) out += v[((b * c->t + j) * c->kv + g) * c->d + e];
	return out / (double)c->t;
}

static void check_attention(ckpt_nn *nn, const shape *c)
{
	double *q = numbers(c->batch * c->s * c->heads * c->d), *k = numbers(c->batch * c->t * c->kv * c->d);
	double *v = numbers(c->batch * c->t * c->kv * c->d), *bias = numbers(c->heads * c->s * c->t), worst = 0;
	unsigned char *mask = malloc(c->batch * c->t);
	for (uint64_t i = 0; i < c->batch * c->t; i++) mask[i] = next() > -0.3;
	if (c->mask) memset(mask, 0, c->t); /* the first batch row keeps nothing */
	void *Q = activations(nn, q, c->batch * c->s * c->heads * c->d), *K = activations(nn, k, c->batch * c->t * c->kv * c->d);
	void *V = activations(nn, v, c->batch * c->t * c->kv * c->d), *B = activations(nn, bias, c->heads * c->s * c->t);
	void *out = ckpt_nn_array(nn, c->batch * c->s * c->heads * c->d, NULL);
	uint64_t wide = c->heads * c->d, slim = c->kv * c->d;
	ckpt_nn_attention a = {c->batch, c->s, c->t, c->heads, c->kv, c->d, Q, K, V, wide, slim, slim, c->s * wide, c->t * slim,
	                       c->t * slim, 0.3, c->causal, c->window, c->mask ? mask : NULL, c->bias ? B : NULL, out, wide};
	CU_ASSERT(ckpt_nn_attend(nn, &a, NULL));
	for (uint64_t n = 0; n < 400; n++) {
		uint64_t b = n % c->batch, h = n * 7 % c->heads, i = n * 13 % c->s, e = n * 5 % c->d;
		double want = naive_attention(c, q, k, v, bias, mask, b, h, i, e);
		double error = fabs(want - element(nn, out, ((b * c->s + i) * c->heads + h) * c->d + e));
		worst = error > worst || error != error ? error : worst;
	}
	if (!(worst < (ckpt_nn_item(nn) == 8 ? 1e-12 : 3e-6))) CU_FAIL("attention is off");
	ckpt_nn_array_free(Q);
	ckpt_nn_array_free(K);
	ckpt_nn_array_free(V);
	ckpt_nn_array_free(B);
	ckpt_nn_array_free(out);
	free(q), free(k), free(v), free(bias), free(mask);
}

static void attention_equals_naive_loops(void)
{
	static const shape shapes[] = {
		{1, 1, 1, 1, 1, 1, 0, false, false, false},   {3, 4, 4, 12, 12, 64, 0, false, true, false},
		{2, 37, 37, 4, 2, 20, 0, true, true, false},  {1, 70, 70, 3, 3, 33, 9, true, false, false},
		{2, 5, 50, 4, 1, 64, 0, false, true, true},   {1, 1, 40, 2, 2, 16, 0, true, false, false},
		{2, 20, 45, 2, 1, 100, 0, true, false, true}, {2, 30, 30, 2, 2, 8, 4, true, true, false},
	};
	for (size_t p = 0; p < 3; p++) {
		if (!ckpt_nn_force(paths[p])) continue;
		for (int precision = 0; precision < 2; precision++)
			for (int threads = 1; threads <= 3; threads += 2) {
				ckpt_nn *nn = ckpt_nn_new((ckpt_nn_precision)precision, threads, NULL);
				for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) check_attention(nn, &shapes[s]);
				ckpt_nn_free(nn);
			}
	}
	ckpt_nn_force(NULL);
}

/* ---- the rest ---- */

static void small_operations_do_what_they_say(void)
{
	for (int precision = 0; precision < 2; precision++) {
		ckpt_nn *nn = ckpt_nn_new((ckpt_nn_precision)precision, 2, NULL);
		double tolerance = precision ? 1e-12 : 1e-5;
		double *t = numbers(10 * 300), *x = numbers(600);
		char *memory;
		ckpt_nn_weight table = weight(CKPT_F16, t, 10, 300, &memory);
		int64_t ids[2] = {9, 3}, positions[2] = {0, 70};
		void *y = activations(nn, x, 600), *z = activations(nn, x, 600);
		ckpt_nn_embed(nn, 2, ids, &table, 2.0, true, y);
		CU_ASSERT(fabs(element(nn, y, 300 + 299) - (x[599] + 2 * t[3 * 300 + 299])) < tolerance);
		ckpt_nn_embed(nn, 2, ids, &table, 1.0, false, y);
		CU_ASSERT(element(nn, y, 5) == t[9 * 300 + 5]);
		ckpt_nn_gate(nn, 600, z, CKPT_ACT_SILU, y, y);
		CU_ASSERT(fabs(element(nn, y, 5) - x[5] / (1 + exp(-x[5])) * t[9 * 300 + 5]) < tolerance);
		ckpt_nn_add(nn, 600, z, z, y);
		ckpt_nn_scale(nn, 600, y, 0.25, y);
		CU_ASSERT(fabs(element(nn, y, 599) - x[599] / 2) < tolerance);
		ckpt_nn_softmax(nn, 2, 300, y);
		double sum = 0;
		for (uint64_t i = 0; i < 300; i++) sum += element(nn, y, 300 + i);
		CU_ASSERT(fabs(sum - 1) < tolerance);
		double inv_freq[15];
		for (int j = 0; j < 15; j++) inv_freq[j] = pow(10000, -2.0 * j / 30);
		ckpt_nn_rope(nn, 2, 10, 30, positions, inv_freq, 1.0, z);
		double angle = 70 * inv_freq[4], p = x[300 + 3 * 30 + 4], q = x[300 + 3 * 30 + 19];
		CU_ASSERT(element(nn, z, 17) == x[17]);
		CU_ASSERT(fabs(element(nn, z, 300 + 3 * 30 + 4) - (p * cos(angle) - q * sin(angle))) < tolerance);
		CU_ASSERT(fabs(element(nn, z, 300 + 3 * 30 + 19) - (q * cos(angle) + p * sin(angle))) < tolerance);
		ckpt_nn_array_free(y);
		ckpt_nn_array_free(z);
		free(t), free(x), free(memory);
		ckpt_nn_free(nn);
	}
	CU_ASSERT_FALSE(ckpt_nn_force("no such path"));
}

static const unit_case cases[] = {
	{"products_equal_naive_loops", products_equal_naive_loops},
	{"threads_and_vector_widths_give_the_same_bits", threads_and_vector_widths_give_the_same_bits},
	{"activations_are_right_to_float_rounding", activations_are_right_to_float_rounding},
	{"extremes_stay_what_they_are", extremes_stay_what_they_are},
	{"norms_equal_naive_loops", norms_equal_naive_loops},
	{"attention_equals_naive_loops", attention_equals_naive_loops},
	{"small_operations_do_what_they_say", small_operations_do_what_they_say},
	{0},
};
const unit_suite unit_nn = {"nn", cases};
