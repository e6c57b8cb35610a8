/* ops.c -- the operations between the matrix products: embeddings, norms, activations, rotary angles, softmax */
#include "context.h"
#include "scalar.h"

#include "../cast.h"
#include "../error.h"

#include <math.h>

/* Elements below which starting threads costs more than it brings. */
enum { ALONE = 1 << 14, SPAN = 1 << 12 };
/* Products of one x that are computed together. */
enum { TOGETHER = 4 };

static bool wide(const ckpt_nn *nn)
{
	return nn->precision == CKPT_NN_F64;
}

bool ckpt_nn_linear(ckpt_nn *nn, uint64_t m, const void *x, const ckpt_nn_weight *w, bool in_out, const ckpt_nn_weight *bias,
                    ckpt_nn_activation act, const void *residual, void *y, ckpt_error *err)
{
	uint64_t n = in_out ? w->cols : w->rows, k = in_out ? w->rows : w->cols;
	ckpt_nn_product p = {m, n, k, x, w, bias, in_out, act, residual, y};
	return wide(nn) ? ckpt_nn_linear_f64(nn, &p, err) : ckpt_nn_linears_f32(nn, 1, &p, err);
}

bool ckpt_nn_linears(ckpt_nn *nn, uint64_t m, const void *x, size_t count, const ckpt_nn_output *outputs, ckpt_error *err)
{
	ckpt_nn_product products[TOGETHER];
	for (size_t i = 0, n; i < count; i += n) {
		n = count - i < TOGETHER ? count - i : TOGETHER;
		for (size_t j = 0; j < n; j++) {
			const ckpt_nn_output *o = &outputs[i + j];
			products[j] = (ckpt_nn_product){m, o->w->rows, o->w->cols, x, o->w, o->bias, false, CKPT_ACT_NONE, NULL, o->y};
			if (wide(nn) && !ckpt_nn_linear_f64(nn, &products[j], err)) return false;
		}
		if (!wide(nn) && !ckpt_nn_linears_f32(nn, n, products, err)) return false;
	}
	return true;
}

/* ---- embeddings ---- */

static void embed_row(const ckpt_nn *nn, const char *row, ckpt_dtype dtype, uint64_t h, double scale, bool add, void *y)
{
	float narrow[256];
	double broad[256];
	size_t item = ckpt_dtype_bits(dtype) / 8;
	for (uint64_t i = 0; i < h; i += 256) {
		size_t n = h - i < 256 ? (size_t)(h - i) : 256;
		if (wide(nn)) {
			double *d = (double *)y + i;
			ckpt_cast_to_f64(dtype, row + i * item, broad, n);
			for (size_t j = 0; j < n; j++) d[j] = add ? d[j] + scale * broad[j] : scale * broad[j];
		} else {
			float *f = (float *)y + i, s = (float)scale;
			nn->kernels->widen(dtype, row + i * item, narrow, n);
			for (size_t j = 0; j < n; j++) f[j] = add ? f[j] + s * narrow[j] : s * narrow[j];
		}
	}
}

void ckpt_nn_embed(ckpt_nn *nn, uint64_t m, const int64_t *ids, const ckpt_nn_weight *table, double scale, bool add, void *y)
{
	size_t item = ckpt_dtype_bits(table->dtype) / 8;
	uint64_t h = table->cols;
#pragma omp parallel for schedule(static) num_threads(nn->threads) if (m * h > ALONE)
	for (uint64_t i = 0; i < m; i++)
		embed_row(nn, (const char *)table->data + (uint64_t)ids[i] * h * item, table->dtype, h, scale, add,
		          (char *)y + i * h * ckpt_nn_item(nn));
}

/* ---- norms ---- */

static void norm_f64(bool rms, const double *x, uint64_t h, const double *weight, const double *bias, double eps, double *y)
{
	double mean = 0, square = 0;
	if (!rms)
		for (uint64_t i = 0; i < h; i++) mean += x[i];
	mean /= (double)h;
	for (uint64_t i = 0; i < h; i++) square += (x[i] - mean) * (x[i] - mean);
	double scale = 1.0 / sqrt(square / (double)h + eps);
	for (uint64_t i = 0; i < h; i++) {
		double v = (x[i] - mean) * scale;
		if (weight) v *= weight[i];
		y[i] = bias ? v + bias[i] : v;
	}
}

/* A vector of weights as the context's numbers; NULL when absent. */
static void *vector_of(const ckpt_nn *nn, const ckpt_nn_weight *w, uint64_t h, void *buffer)
{
	if (!w || !w->data) return NULL;
	if (wide(nn))
		ckpt_cast_to_f64(w->dtype, w->data, buffer, (size_t)h);
	else
		nn->kernels->widen(w->dtype, w->data, buffer, (size_t)h);
	return buffer;
}

static bool norm(ckpt_nn *nn, bool rms, uint64_t m, uint64_t h, const void *x, const ckpt_nn_weight *weight,
                 const ckpt_nn_weight *bias, double eps, void *y, ckpt_error *err)
{
	char *memory = ckpt_nn_reserve(&nn->shared, (size_t)h * 2 * sizeof(double), err);
	if (!memory) return false;
	void *w = vector_of(nn, weight, h, memory), *b = vector_of(nn, bias, h, memory + h * sizeof(double));
#pragma omp parallel for schedule(static) num_threads(nn->threads) if (m * h > ALONE)
	for (uint64_t i = 0; i < m; i++)
		if (wide(nn))
			norm_f64(rms, (const double *)x + i * h, h, w, b, eps, (double *)y + i * h);
		else
			nn->kernels->norm(rms, (const float *)x + i * h, (size_t)h, w, b, (float)eps, (float *)y + i * h);
	return true;
}

bool ckpt_nn_layer_norm(ckpt_nn *nn, uint64_t m, uint64_t h, const void *x, const ckpt_nn_weight *weight,
                        const ckpt_nn_weight *bias, double eps, void *y, ckpt_error *err)
{
	return norm(nn, false, m, h, x, weight, bias, eps, y, err);
}

bool ckpt_nn_rms_norm(ckpt_nn *nn, uint64_t m, uint64_t h, const void *x, const ckpt_nn_weight *weight, double eps, void *y,
                      ckpt_error *err)
{
	return norm(nn, true, m, h, x, weight, NULL, eps, y, err);
}

/* ---- elementwise ---- */

typedef enum elementwise { ACTIVATE, GATE, ADD, SCALE } elementwise;

static void span_f32(const ckpt_nn *nn, elementwise op, ckpt_nn_activation act, const float *a, const float *b, float factor,
                     float *y, size_t n)
{
	float t[SPAN];
	switch (op) {
	case ACTIVATE:
		nn->kernels->activate(act, a, y, n);
		return;
	case GATE:
		nn->kernels->activate(act, a, t, n);
		for (size_t i = 0; i < n; i++) y[i] = t[i] * b[i];
		return;
	case ADD:
		for (size_t i = 0; i < n; i++) y[i] = a[i] + b[i];
		return;
	case SCALE:
		for (size_t i = 0; i < n; i++) y[i] = a[i] * factor;
		return;
	}
}

static void span_f64(elementwise op, ckpt_nn_activation act, const double *a, const double *b, double factor, double *y,
                     size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] = op == ACTIVATE ? ckpt_nn_activate_f64(act, a[i])
		       : op == GATE   ? ckpt_nn_activate_f64(act, a[i]) * b[i]
		       : op == ADD    ? a[i] + b[i]
		                      : a[i] * factor;
}

static void each(ckpt_nn *nn, elementwise op, ckpt_nn_activation act, uint64_t count, const void *a, const void *b,
                 double factor, void *y)
{
	uint64_t spans = (count + SPAN - 1) / SPAN, item = ckpt_nn_item(nn);
#pragma omp parallel for schedule(static) num_threads(nn->threads) if (count > ALONE)
	for (uint64_t s = 0; s < spans; s++) {
		uint64_t at = s * SPAN * item;
		size_t n = count - s * SPAN < SPAN ? (size_t)(count - s * SPAN) : SPAN;
		const void *p = (const char *)a + at, *q = b ? (const char *)b + at : NULL;
		void *r = (char *)y + at;
		if (wide(nn))
			span_f64(op, act, p, q, factor, r, n);
		else
			span_f32(nn, op, act, p, q, (float)factor, r, n);
	}
}

void ckpt_nn_activate(ckpt_nn *nn, uint64_t count, const void *x, ckpt_nn_activation act, void *y)
{
	each(nn, ACTIVATE, act, count, x, NULL, 0, y);
}

void ckpt_nn_gate(ckpt_nn *nn, uint64_t count, const void *gate, ckpt_nn_activation act, const void *up, void *y)
{
	each(nn, GATE, act, count, gate, up, 0, y);
}

void ckpt_nn_add(ckpt_nn *nn, uint64_t count, const void *a, const void *b, void *y)
{
	each(nn, ADD, CKPT_ACT_NONE, count, a, b, 0, y);
}

void ckpt_nn_scale(ckpt_nn *nn, uint64_t count, const void *x, double factor, void *y)
{
	each(nn, SCALE, CKPT_ACT_NONE, count, x, NULL, factor, y);
}

/* ---- rotary positions ---- */

static void rope_row(const ckpt_nn *nn, uint64_t heads, uint64_t d, int64_t position, const double *inv_freq, double factor,
                     void *x)
{
	for (uint64_t j = 0; j < d / 2; j++) {
		double angle = (double)position * inv_freq[j];
		double c = cos(angle) * factor, s = sin(angle) * factor;
		for (uint64_t a = 0; a < heads; a++) {
			uint64_t low = a * d + j, high = low + d / 2;
			if (wide(nn)) {
				double *v = x, p = v[low], q = v[high];
				v[low] = p * c - q * s;
				v[high] = q * c + p * s;
			} else {
				float *v = x, p = v[low], q = v[high], cf = (float)c, sf = (float)s;
				v[low] = p * cf - q * sf;
				v[high] = q * cf + p * sf;
			}
		}
	}
}

void ckpt_nn_rope(ckpt_nn *nn, uint64_t m, uint64_t heads, uint64_t d, const int64_t *positions, const double *inv_freq,
                  double attention_factor, void *x)
{
#pragma omp parallel for schedule(static) num_threads(nn->threads) if (m * heads * d > ALONE)
	for (uint64_t i = 0; i < m; i++)
		rope_row(nn, heads, d, positions[i], inv_freq, attention_factor, (char *)x + i * heads * d * ckpt_nn_item(nn));
}

/* ---- softmax ---- */

double ckpt_nn_exp_shift_f64(double *x, size_t n)
{
	double most = x[0], sum = 0;
	for (size_t i = 1; i < n; i++) most = x[i] > most ? x[i] : most;
	for (size_t i = 0; i < n; i++) sum += x[i] = exp(x[i] - most);
	return sum;
}

void ckpt_nn_softmax(ckpt_nn *nn, uint64_t m, uint64_t n, void *x)
{
	if (n == 0) return;
#pragma omp parallel for schedule(static) num_threads(nn->threads) if (m * n > ALONE)
	for (uint64_t i = 0; i < m; i++)
		if (wide(nn)) {
			double *row = (double *)x + i * n, sum = ckpt_nn_exp_shift_f64(row, (size_t)n);
			for (uint64_t j = 0; j < n; j++) row[j] /= sum;
		} else {
			float *row = (float *)x + i * n, sum = nn->kernels->exp_shift(row, (size_t)n);
			for (uint64_t j = 0; j < n; j++) row[j] /= sum;
		}
}
