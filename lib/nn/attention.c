/* attention.c -- softmax(scale q k^T + bias) v, head by head, in blocks of twelve queries
 *
 * A task is one head of one batch row, or a part of its queries when there are few heads. It packs the head's keys
 * once as [32 keys][d] panels, then for each block of twelve queries computes scores [12][T] in its own cache, turns each row
 * into weights and multiplies them with the values. Memory for each thread is 12 T + 2 T d numbers, never S x T.
 */
#include "context.h"
#include "scalar.h"

#include "../error.h"

#include <math.h>
#include <string.h>

enum { MB = CKPT_NN_MB, NB = CKPT_NN_NB };

/* The keys that a query may see: low <= j < high, where the key mask is set. */
typedef struct visible {
	uint64_t low, high;
} visible;

static visible visible_to(const ckpt_nn_attention *a, uint64_t query)
{
	visible v = {0, a->t};
	if (a->causal) {
		uint64_t end = query + a->t + 1;
		end = end > a->s ? end - a->s : 0;
		v.high = end < a->t ? end : a->t;
	}
	if (a->window && v.high > a->window) v.low = v.high - a->window;
	return v;
}

static bool keeps(const ckpt_nn_attention *a, uint64_t batch, uint64_t key)
{
	return !a->key_mask || a->key_mask[batch * a->t + key];
}

static bool sees_any(const ckpt_nn_attention *a, uint64_t batch, visible v)
{
	if (!a->key_mask) return v.low < v.high;
	for (uint64_t j = v.low; j < v.high; j++)
		if (keeps(a, batch, j)) return true;
	return false;
}

typedef struct task {
	uint64_t batch, head, first, end; /* queries first .. end */
} task;

/* ---- double precision: plain loops ---- */

static double dot(const double *x, const double *y, uint64_t n)
{
	double s[4] = {0};
	uint64_t i = 0;
	for (; i + 4 <= n; i += 4)
		for (int l = 0; l < 4; l++) s[l] += x[i + (uint64_t)l] * y[i + (uint64_t)l];
	for (; i < n; i++) s[0] += x[i] * y[i];
	return (s[0] + s[2]) + (s[1] + s[3]);
}

static void query_f64(const ckpt_nn_attention *a, const task *t, uint64_t i, double *scores)
{
	uint64_t kv = t->head / (a->heads / a->kv_heads);
	const double *q = (const double *)a->q + t->batch * a->q_batch + i * a->q_stride + t->head * a->d;
	const double *k = (const double *)a->k + t->batch * a->k_batch + kv * a->d;
	const double *v = (const double *)a->v + t->batch * a->v_batch + kv * a->d;
	const double *bias = a->bias ? (const double *)a->bias + (t->head * a->s + i) * a->t : NULL;
	double *out = (double *)a->out + (t->batch * a->s + i) * a->out_stride + t->head * a->d, sum = 0;
	visible seen = visible_to(a, i);
	bool any = sees_any(a, t->batch, seen);
	for (uint64_t j = 0; j < a->t; j++) {
		bool here = any && j >= seen.low && j < seen.high && keeps(a, t->batch, j);
		scores[j] = here ? dot(q, k + j * a->k_stride, a->d) * a->scale + (bias ? bias[j] : 0) : any ? -INFINITY : 0;
	}
	sum = ckpt_nn_exp_shift_f64(scores, (size_t)a->t);
	memset(out, 0, a->d * sizeof *out);
	for (uint64_t j = 0; j < a->t; j++) {
		if (scores[j] == 0) continue;
		const double *row = v + j * a->v_stride;
		for (uint64_t e = 0; e < a->d; e++) out[e] += scores[j] * row[e];
	}
	for (uint64_t e = 0; e < a->d; e++) out[e] /= sum;
}

/* ---- single precision: tiles ---- */

/* Scratch of one thread, in floats. */
typedef struct plan {
	uint64_t panels, tp; /* panels of 32 keys, keys rounded up to them */
	uint64_t dp;         /* head size rounded up to 32 */
	size_t keys, values, scores, weights, queries, total;
} plan;

static plan plan_of(const ckpt_nn_attention *a)
{
	plan p = {.panels = (a->t + NB - 1) / NB};
	p.tp = p.panels * NB;
	p.dp = (a->d + NB - 1) / NB * NB;
	p.keys = 0;
	p.values = p.keys + p.tp * a->d;
	p.scores = p.values + p.tp * p.dp;
	p.weights = p.scores + p.tp * MB;
	p.queries = p.weights + p.tp * MB;
	p.total = (p.queries + MB * a->d + 63) & ~(size_t)63;
	return p;
}

/* rows x d numbers as [d][b], zeros for the rows that are not there. */
static void pack(const ckpt_nn *nn, const float *rows, uint64_t stride, size_t have, size_t b, uint64_t d, float *out)
{
	float strip[NB * 64];
	for (uint64_t e = 0; e < d; e += 64) {
		size_t n = d - e < 64 ? (size_t)(d - e) : 64;
		if (have == b) {
			nn->kernels->pack(rows + e, stride, b, n, out + e * b, b);
			continue;
		}
		for (size_t j = 0; j < b; j++)
			if (j < have)
				memcpy(strip + j * 64, rows + j * stride + e, n * sizeof *strip);
			else
				memset(strip + j * 64, 0, n * sizeof *strip);
		nn->kernels->pack(strip, 64, b, n, out + e * b, b);
	}
}

static void pack_head(const ckpt_nn *nn, const ckpt_nn_attention *a, const plan *p, uint64_t batch, uint64_t kv, float *memory)
{
	const float *k = (const float *)a->k + batch * a->k_batch + kv * a->d;
	const float *v = (const float *)a->v + batch * a->v_batch + kv * a->d;
	for (uint64_t j = 0; j < p->panels; j++)
		pack(nn, k + j * NB * a->k_stride, a->k_stride, a->t - j * NB < NB ? (size_t)(a->t - j * NB) : NB, NB, a->d,
		     memory + p->keys + j * NB * a->d);
	for (uint64_t j = 0; j < a->t; j++) { /* rows padded to whole tiles */
		float *row = memory + p->values + j * p->dp;
		memcpy(row, v + j * a->v_stride, a->d * sizeof *row);
		memset(row + a->d, 0, (p->dp - a->d) * sizeof *row);
	}
}

/* One row of raw scores becomes weights that are not yet divided by their sum, which is returned. */
static float weigh(const ckpt_nn *nn, const ckpt_nn_attention *a, const task *t, uint64_t i, float *row)
{
	visible seen = visible_to(a, i);
	if (!sees_any(a, t->batch, seen)) {
		for (uint64_t j = 0; j < a->t; j++) row[j] = 1.0f;
		return (float)a->t;
	}
	size_t n = (size_t)(seen.high - seen.low);
	float *x = row + seen.low;
	const float *bias = a->bias ? (const float *)a->bias + (t->head * a->s + i) * a->t + seen.low : NULL;
	nn->kernels->scale_add(x, (float)a->scale, bias, n);
	if (a->key_mask)
		for (size_t j = 0; j < n; j++)
			if (!keeps(a, t->batch, seen.low + j)) x[j] = -INFINITY;
	float sum = nn->kernels->exp_shift(x, n);
	memset(row, 0, seen.low * sizeof *row);
	memset(row + seen.high, 0, (a->t - seen.high) * sizeof *row);
	return sum;
}

static void block_f32(const ckpt_nn *nn, const ckpt_nn_attention *a, const plan *p, const task *t, uint64_t first, float *memory)
{
	size_t rows = t->end - first < MB ? (size_t)(t->end - first) : MB;
	const float *q = (const float *)a->q + t->batch * a->q_batch + first * a->q_stride + t->head * a->d;
	float *scores = memory + p->scores, *weights = memory + p->weights, *queries = memory + p->queries;
	float tile[MB * NB], sums[MB];
	uint64_t end = visible_to(a, first + rows - 1).high; /* no query of the block sees a later key, */
	for (size_t r = 0; r < rows; r++)                    /* except one that sees none and so takes all */
		if (!sees_any(a, t->batch, visible_to(a, first + r))) end = a->t;
	pack(nn, q, a->q_stride, rows, MB, a->d, queries);
	for (uint64_t j = 0; j * NB < end; j++) {
		nn->kernels->tile(MB, (size_t)a->d, queries, memory + p->keys + j * NB * a->d, NB, tile, NULL);
		for (size_t r = 0; r < rows; r++) memcpy(scores + r * p->tp + j * NB, tile + r * NB, sizeof(float) * NB);
	}
	for (size_t r = 0; r < rows; r++) sums[r] = weigh(nn, a, t, first + r, scores + r * p->tp);
	for (size_t r = rows; r < MB; r++) memset(scores + r * p->tp, 0, a->t * sizeof *scores);
	nn->kernels->pack(scores, (size_t)p->tp, MB, (size_t)end, weights, MB);
	for (uint64_t c = 0; c < p->dp; c += NB) {
		size_t n = a->d - c < NB ? (size_t)(a->d - c) : NB;
		nn->kernels->tile(MB, (size_t)end, weights, memory + p->values + c, (size_t)p->dp, tile, NULL);
		for (size_t r = 0; r < rows; r++) {
			float *out = (float *)a->out + (t->batch * a->s + first + r) * a->out_stride + t->head * a->d + c;
			for (size_t e = 0; e < n; e++) out[e] = tile[r * NB + e] / sums[r];
		}
	}
}

static void run_f32(const ckpt_nn *nn, const ckpt_nn_attention *a, const plan *p, const task *t, float *memory)
{
	pack_head(nn, a, p, t->batch, t->head / (a->heads / a->kv_heads), memory);
	for (uint64_t i = t->first; i < t->end; i += MB) block_f32(nn, a, p, t, i, memory);
}

bool ckpt_nn_attend(ckpt_nn *nn, const ckpt_nn_attention *a, ckpt_error *err)
{
	if (a->batch == 0 || a->s == 0 || a->t == 0) return true;
	uint64_t blocks = (a->s + MB - 1) / MB, rows = a->batch * a->heads;
	uint64_t parts = (4 * (uint64_t)nn->threads + rows - 1) / rows; /* of each head's queries */
	if (parts > blocks) parts = blocks;
	bool wide = nn->precision == CKPT_NN_F64;
	plan p = plan_of(a);
	size_t each = wide ? (size_t)a->t * sizeof(double) : p.total * sizeof(float);
	each = (each + 63) & ~(size_t)63;
	char *memory = ckpt_nn_reserve(&nn->own, each * (size_t)nn->threads, err);
	if (!memory) return false;
#pragma omp parallel for schedule(dynamic, 1) num_threads(nn->threads)
	for (uint64_t n = 0; n < rows * parts; n++) {
		uint64_t part = n % parts;
		task t = {n / parts / a->heads, n / parts % a->heads, blocks * part / parts * MB, blocks * (part + 1) / parts * MB};
		void *own = memory + each * (size_t)ckpt_nn_thread();
		if (t.end > a->s) t.end = a->s;
		if (!wide) run_f32(nn, a, &p, &t, own);
		for (uint64_t i = t.first; wide && i < t.end; i++) query_f64(a, &t, i, own);
	}
	return true;
}
