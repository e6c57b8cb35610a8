/* attention.c -- softmax(scale q k^T + bias) v, head by head, in blocks of 32 queries
 *
 * A task is one head of one batch row, or a part of its queries when there are few heads. For each block of queries, side by
 * side as [d][32], it computes the scores [T][32] in its own cache, turns each column into weights and multiplies the values
 * with them. Keys and values are read as they lie, or, for many queries, from a copy without gaps. Memory for each thread is
 * 32 T + 2 T d numbers, never S x T.
 */
#include "context.h"
#include "scalar.h"

#include "../error.h"

#include <math.h>
#include <string.h>

enum { MB = CKPT_NN_MB, NB = CKPT_NN_NB, STRIP = 64 };

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
	size_t keys, values, scores, queries, total;
	bool copies; /* of keys and values */
} plan;

static plan plan_of(const ckpt_nn_attention *a, uint64_t queries)
{
	plan p = {.copies = queries > 2 * NB};
	p.values = p.keys + (p.copies ? (size_t)(a->t * a->d) : 0);
	p.scores = p.values + (p.copies ? (size_t)(a->t * a->d) : 0);
	p.queries = p.scores + (size_t)a->t * NB;
	p.total = (p.queries + NB * (size_t)a->d + 63) & ~(size_t)63;
	return p;
}

/* Keys or values of one head. */
typedef struct side {
	const float *rows;
	uint64_t stride;
} side;

static side side_of(const ckpt_nn_attention *a, const float *rows, uint64_t stride, float *copy)
{
	if (!copy) return (side){rows, stride};
	for (uint64_t j = 0; j < a->t; j++) memcpy(copy + j * a->d, rows + j * stride, a->d * sizeof *copy);
	return (side){copy, a->d};
}

/* The columns of rows x n numbers, side by side as [n][32]; zeros for the rows that are not there. */
static void turn(const ckpt_nn *nn, const float *rows, uint64_t stride, size_t have, size_t n, float *out)
{
	float strip[NB * STRIP] = {0};
	for (size_t e = 0; e < n; e += STRIP) {
		size_t k = n - e < STRIP ? n - e : STRIP;
		if (have == NB) {
			nn->kernels->pack(rows + e, stride, NB, k, out + e * NB, NB);
			continue;
		}
		for (size_t j = 0; j < have; j++) memcpy(strip + j * STRIP, rows + j * stride + e, k * sizeof *strip);
		nn->kernels->pack(strip, STRIP, NB, k, out + e * NB, NB);
	}
}

/* A block of queries, and the keys low <= j < high that any of them sees. */
typedef struct block {
	uint64_t first, low, high;
	size_t count;
	visible seen[NB];
	bool none[NB]; /* sees nothing, and so takes everything */
} block;

static block block_of(const ckpt_nn_attention *a, const task *t, uint64_t first)
{
	block b = {.first = first, .low = a->t, .count = t->end - first < NB ? (size_t)(t->end - first) : NB};
	for (size_t i = 0; i < b.count; i++) {
		b.seen[i] = visible_to(a, first + i);
		b.none[i] = !sees_any(a, t->batch, b.seen[i]);
		if (b.none[i]) b.seen[i] = (visible){0, a->t};
		if (b.seen[i].low < b.low) b.low = b.seen[i].low;
		if (b.seen[i].high > b.high) b.high = b.seen[i].high;
	}
	return b;
}

/* Whether scores are more than products times the scale. */
static bool plain(const ckpt_nn_attention *a, const block *b)
{
	bool all = !a->bias && !a->key_mask;
	for (size_t i = 0; all && i < b->count; i++) all = !b->none[i] && b->seen[i].low == b->low && b->seen[i].high == b->high;
	return all;
}

/* scores[high - low][32]: scale and bias are put in, what is not to be seen is taken out. */
static void adjust(const ckpt_nn *nn, const ckpt_nn_attention *a, const task *t, const block *b, float *scores)
{
	size_t n = (size_t)(b->high - b->low);
	for (size_t j = 0; a->bias && j < n; j += STRIP) {
		float bias[NB * STRIP];
		size_t k = n - j < STRIP ? n - j : STRIP;
		turn(nn, (const float *)a->bias + (t->head * a->s + b->first) * a->t + b->low + j, a->t, b->count, k, bias);
		nn->kernels->scale_add(scores + j * NB, (float)a->scale, bias, k * NB);
	}
	if (!a->bias) nn->kernels->scale_add(scores, (float)a->scale, NULL, n * NB);
	for (size_t j = 0; a->key_mask && j < n; j++)
		for (size_t i = 0; i < NB && !keeps(a, t->batch, b->low + j); i++) scores[j * NB + i] = -INFINITY;
	for (size_t i = 0; i < b->count; i++) {
		uint64_t from = b->none[i] ? b->high : b->seen[i].low, to = b->none[i] ? b->high : b->seen[i].high;
		for (uint64_t j = b->low; j < from; j++) scores[(j - b->low) * NB + i] = b->none[i] ? 0 : -INFINITY;
		for (uint64_t j = to; j < b->high; j++) scores[(j - b->low) * NB + i] = -INFINITY;
	}
}

static void block_f32(const ckpt_nn *nn, const ckpt_nn_attention *a, const plan *p, const task *t, uint64_t first, side k, side v,
                      float *memory)
{
	block b = block_of(a, t, first);
	size_t n = (size_t)(b.high - b.low), d = (size_t)a->d, cols = b.count > CKPT_NN_HALF ? NB : CKPT_NN_HALF;
	float *scores = memory + p->scores, *queries = memory + p->queries, sums[NB], *out;
	turn(nn, (const float *)a->q + t->batch * a->q_batch + first * a->q_stride + t->head * d, a->q_stride, b.count, d, queries);
	memset(scores, 0, n * NB * sizeof *scores);
	for (size_t j = 0; j < n; j += MB)
		nn->kernels->tile(n - j < MB ? n - j : MB, cols, d, k.rows + (b.low + j) * k.stride, (size_t)k.stride, 1, queries, NB,
		                  scores + j * NB, NULL);
	bool as_they_are = plain(a, &b);
	if (!as_they_are) adjust(nn, a, t, &b, scores);
	nn->kernels->exp_columns(scores, n, cols, as_they_are ? (float)a->scale : 1.0f, sums);
	out = (float *)a->out + (t->batch * a->s + first) * a->out_stride + t->head * d;
	for (size_t e = 0; e < d; e += CKPT_NN_GROUP) {
		float tiles[CKPT_NN_GROUP * NB] = {0};
		size_t count = d - e < CKPT_NN_GROUP ? d - e : CKPT_NN_GROUP;
		for (size_t i = 0; i < count; i += MB)
			nn->kernels->tile(count - i < MB ? count - i : MB, cols, n, v.rows + b.low * v.stride + e + i, 1, (size_t)v.stride, scores,
			                  NB, tiles + i * NB, NULL);
		nn->kernels->finish_turned(tiles, b.count, count, sums, NULL, CKPT_ACT_NONE, NULL, out + e, (size_t)a->out_stride);
	}
}

static void run_f32(const ckpt_nn *nn, const ckpt_nn_attention *a, const plan *p, const task *t, float *memory)
{
	uint64_t kv = t->head / (a->heads / a->kv_heads);
	side k = side_of(a, (const float *)a->k + t->batch * a->k_batch + kv * a->d, a->k_stride, p->copies ? memory + p->keys : NULL);
	side v = side_of(a, (const float *)a->v + t->batch * a->v_batch + kv * a->d, a->v_stride, p->copies ? memory + p->values : NULL);
	for (uint64_t i = t->first; i < t->end; i += NB) block_f32(nn, a, p, t, i, k, v, memory);
}

bool ckpt_nn_attend(ckpt_nn *nn, const ckpt_nn_attention *a, ckpt_error *err)
{
	if (a->batch == 0 || a->s == 0 || a->t == 0) return true;
	uint64_t blocks = (a->s + NB - 1) / NB, rows = a->batch * a->heads;
	uint64_t parts = (4 * (uint64_t)nn->threads + rows - 1) / rows; /* of each head's queries */
	if (parts > blocks) parts = blocks;
	bool wide = nn->precision == CKPT_NN_F64;
	plan p = plan_of(a, (blocks + parts - 1) / parts * NB);
	size_t each = wide ? (size_t)a->t * sizeof(double) : p.total * sizeof(float);
	each = (each + 63) & ~(size_t)63;
	char *memory = ckpt_nn_reserve(&nn->own, each * (size_t)nn->threads, err);
	if (!memory) return false;
#pragma omp parallel for schedule(dynamic, 1) num_threads(nn->threads)
	for (uint64_t n = 0; n < rows * parts; n++) {
		uint64_t part = n % parts;
		task t = {n / parts / a->heads, n / parts % a->heads, blocks * part / parts * NB, blocks * (part + 1) / parts * NB};
		void *own = memory + each * (size_t)ckpt_nn_thread();
		if (t.end > a->s) t.end = a->s;
		if (!wide) run_f32(nn, a, &p, &t, own);
		for (uint64_t i = t.first; wide && i < t.end; i++) query_f64(a, &t, i, own);
	}
	return true;
}
