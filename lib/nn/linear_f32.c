/* linear_f32.c -- y = x W^T + b in single precision, W in its own dtype where it lies
 *
 * Few rows of x: every weight is used a few times only, so reading W once is the limit. No packing: dot products
 * straight along four rows of W at a time, x in blocks of k that stay in the nearest caches. W (k, n): outer products of its
 * rows, in blocks of 64 rows.
 * Many rows: x is packed once into blocks [k][12]; each thread takes panels of 32 outputs, packs that part of W into
 * its own cache and runs 12 x 32 tiles over all of x. While the last blocks of x are at work the thread's next panel is
 * fetched. W is read from memory exactly once.
 */
#include "context.h"

#include "../error.h"

#include <omp.h>
#include <string.h>

enum {
	MB = CKPT_NN_MB,
	NB = CKPT_NN_NB,
	LANES = CKPT_NN_LANES,
	DOTS = CKPT_NN_DOTS,
	FEW = 16,        /* rows of x up to which W is not packed */
	FEW_IN_OUT = 7,  /* the same for W (k, n) */
	DOT_K = 1024,    /* the most k of a block of dot products, */
	DOT_X = 12288,   /* elements of x in it: longer runs of W let the processor fetch ahead, */
	DOT_N = 16,      /* and outputs at work together */
	OUTER_K = 64,    /* rows of W (k, n) at work together */
	LAST = 3,        /* blocks of x, the last ones, under which the next panel is fetched */
	STRIP = 64,      /* k of a strip that is widened or padded before it is packed */
	PACKED_MOST = 8 << 20 /* bytes of packed x at once: its share of the L3 cache */
};

static size_t item_of(ckpt_dtype dtype)
{
	return dtype == CKPT_F64 ? 8 : dtype == CKPT_F32 ? 4 : 2;
}

static const char *at(const ckpt_nn_weight *w, uint64_t row, uint64_t column)
{
	return (const char *)w->data + (row * w->cols + column) * item_of(w->dtype);
}

/* The sums of rows row .. row+rows for 32 outputs from first are done. */
static void finish(const ckpt_nn_kernels *kernels, const ckpt_nn_product *p, uint64_t row, size_t rows, uint64_t first,
                   size_t count, const float *bias, const float *sums)
{
	uint64_t place = row * p->n + first;
	const float *residual = p->residual ? (const float *)p->residual + place : NULL;
	kernels->finish(sums, rows, count, bias, p->act, residual, (float *)p->y + place, (size_t)p->n);
}

/* The bias of up to 32 outputs as floats, or NULL. */
static const float *bias_of(const ckpt_nn_kernels *kernels, const ckpt_nn_product *p, uint64_t first, size_t count,
                            float buffer[NB])
{
	if (!p->bias || !p->bias->data) return NULL;
	kernels->widen(p->bias->dtype, (const char *)p->bias->data + first * item_of(p->bias->dtype), buffer, count);
	memset(buffer + count, 0, (NB - count) * sizeof *buffer);
	return buffer;
}

/* ---- few rows, W (n, k) ---- */

typedef struct dot_block {
	float w[DOTS][DOT_K];       /* rows that do not lie ready */
	float x[FEW][LANES];        /* the end of x, padded with zeros */
	float end[DOTS][LANES];     /* the end of the rows, padded likewise */
	float sums[DOT_N / DOTS][FEW * DOTS * LANES];
} dot_block;

/* Four outputs of all rows of x over k0 .. k0+k; past the last output the first is computed again and not used. The four
 * rows from `next` on are fetched meanwhile. */
static void dot_four(const ckpt_nn_kernels *kernels, const ckpt_nn_product *p, uint64_t first, size_t count, uint64_t next,
                     uint64_t k0, size_t k, dot_block *b, float *sums)
{
	const float *rows[DOTS];
	bool plain = p->w->dtype == CKPT_F32 && next + DOTS <= p->n;
	for (size_t r = 0; r < DOTS; r++) {
		uint64_t row = first + (r < count ? r : 0);
		bool ready = p->w->dtype == CKPT_F32 && (uintptr_t)at(p->w, row, k0) % sizeof(float) == 0;
		rows[r] = ready ? (const float *)(const void *)at(p->w, row, k0) : b->w[r];
		if (!ready) kernels->widen(p->w->dtype, at(p->w, row, k0), b->w[r], k);
	}
	kernels->dots(p->m, k, (const float *)p->x + k0, p->k, rows, plain ? at(p->w, next, k0) : NULL,
	              plain ? (size_t)p->k * sizeof(float) : 0, sums);
}

/* What is left of k, padded with zeros. */
static void dot_rest(const ckpt_nn_kernels *kernels, const ckpt_nn_product *p, uint64_t first, size_t count, dot_block *b,
                     float *sums)
{
	const float *ends[DOTS];
	uint64_t whole = p->k - p->k % LANES;
	size_t rest = (size_t)(p->k - whole);
	memset(b->end, 0, sizeof b->end);
	for (size_t r = 0; r < DOTS; r++) {
		kernels->widen(p->w->dtype, at(p->w, first + (r < count ? r : 0), whole), b->end[r], rest);
		ends[r] = b->end[r];
	}
	kernels->dots(p->m, LANES, b->x[0], LANES, ends, NULL, 0, sums);
}

/* Outputs first .. first+count, at most DOT_N: x in blocks of k that stay in the nearest caches. */
static void dot_run(const ckpt_nn_kernels *kernels, const ckpt_nn_product *p, uint64_t first, size_t count, uint64_t next,
                    dot_block *b, float *out)
{
	uint64_t whole = p->k - p->k % LANES;
	size_t block = DOT_X / (size_t)p->m / LANES * LANES;
	if (block > DOT_K) block = DOT_K;
	for (size_t j = 0; j < count; j += DOTS) memset(b->sums[j / DOTS], 0, (size_t)p->m * DOTS * LANES * sizeof(float));
	for (uint64_t k0 = 0; k0 < whole; k0 += block)
		for (size_t j = 0; j < count; j += DOTS) {
			uint64_t then = j + DOTS < count ? first + j + DOTS : k0 + block < whole ? p->n : next;
			size_t k = whole - k0 < block ? (size_t)(whole - k0) : block;
			dot_four(kernels, p, first + j, count - j, then, k0, k, b, b->sums[j / DOTS]);
		}
	for (size_t j = 0; j < count; j += DOTS) {
		if (whole < p->k) dot_rest(kernels, p, first + j, count - j, b, b->sums[j / DOTS]);
		kernels->join((size_t)p->m, b->sums[j / DOTS], out + j, NB);
	}
}

static void few_rows(const ckpt_nn *nn, const ckpt_nn_product *p)
{
	uint64_t tickets = (p->n + NB - 1) / NB, ticket = 0, rest = p->k % LANES;
#pragma omp parallel num_threads(nn->threads)
	{
		dot_block block;
		float sums[FEW][NB], bias[NB];
		memset(block.x, 0, sizeof block.x);
		for (uint64_t i = 0; i < p->m; i++)
			memcpy(block.x[i], (const float *)p->x + (i + 1) * p->k - rest, rest * sizeof(float));
		uint64_t t = __atomic_fetch_add(&ticket, 1, __ATOMIC_RELAXED);
		while (t < tickets) {
			uint64_t next = __atomic_fetch_add(&ticket, 1, __ATOMIC_RELAXED), first = t * NB;
			size_t count = p->n - first < NB ? (size_t)(p->n - first) : NB;
			if (count < NB) memset(sums, 0, sizeof sums); /* a whole row of sums is activated, not all of it kept */
			for (size_t j = 0; j < count; j += DOT_N)
				dot_run(nn->kernels, p, first + j, count - j < DOT_N ? count - j : DOT_N,
				        j + DOT_N < count ? first + j + DOT_N : next * NB, &block, sums[0] + j);
			finish(nn->kernels, p, 0, (size_t)p->m, first, count, bias_of(nn->kernels, p, first, count, bias), sums[0]);
			t = next;
		}
	}
}

/* ---- packing ---- */

/* Rows row0 .. row0+rows of a matrix (ld elements apart) as [k][b]; rows past the last are zeros. */
static void pack_rows(const ckpt_nn_kernels *kernels, const char *rows, ckpt_dtype dtype, uint64_t ld, size_t have,
                      size_t b, uint64_t k, float *out)
{
	float strip[NB * STRIP];
	size_t item = item_of(dtype);
	bool ready = dtype == CKPT_F32 && (uintptr_t)rows % sizeof(float) == 0 && have == b;
	for (uint64_t k0 = 0; k0 < k; k0 += STRIP) {
		size_t n = k - k0 < STRIP ? (size_t)(k - k0) : STRIP;
		if (ready) {
			kernels->pack((const float *)(const void *)rows + k0, ld, b, n, out + k0 * b, b);
			continue;
		}
		for (size_t j = 0; j < b; j++)
			if (j < have)
				kernels->widen(dtype, rows + (j * ld + k0) * item, strip + j * STRIP, n);
			else
				memset(strip + j * STRIP, 0, n * sizeof *strip);
		kernels->pack(strip, STRIP, b, n, out + k0 * b, b);
	}
}

/* Columns of W (k, n) as [k][32]: they lie side by side already. */
static void pack_columns(const ckpt_nn_kernels *kernels, const ckpt_nn_weight *w, uint64_t first, size_t have, uint64_t k0,
                         uint64_t k, float *out)
{
	for (uint64_t i = 0; i < k; i++, out += NB) {
		kernels->widen(w->dtype, at(w, k0 + i, first), out, have);
		if (have < NB) memset(out + have, 0, (NB - have) * sizeof *out);
	}
}

static void pack_panel(const ckpt_nn_kernels *kernels, const ckpt_nn_product *p, uint64_t panel, float *out)
{
	uint64_t first = panel * NB;
	size_t have = p->n - first < NB ? (size_t)(p->n - first) : NB;
	if (p->in_out)
		pack_columns(kernels, p->w, first, have, 0, p->k, out);
	else
		pack_rows(kernels, at(p->w, first, 0), p->w->dtype, p->k, have, NB, p->k, out);
}

/* ---- many rows ---- */

/* Whole cache lines of the next panel, of which so many rows are left. */
static size_t lines_of(const ckpt_nn_weight *w, uint64_t rows)
{
	return (size_t)((rows < NB ? rows : NB) * w->cols * item_of(w->dtype) / CKPT_NN_LINE);
}

typedef struct many {
	ckpt_nn *nn;
	const ckpt_nn_product *p;
	uint64_t row0, rows; /* of x, in this round */
	float *x;            /* packed */
} many;

static void one_panel(const many *g, uint64_t panel, uint64_t next, const float *w)
{
	const ckpt_nn_product *p = g->p;
	uint64_t panels = (p->n + NB - 1) / NB;
	size_t count = p->n - panel * NB < NB ? (size_t)(p->n - panel * NB) : NB;
	float buffer[NB];
	const float *bias = bias_of(g->nn->kernels, p, panel * NB, count, buffer);
	uint64_t blocks = (g->rows + MB - 1) / MB;
	ckpt_nn_fetch fetch = {0};
	for (uint64_t i = 0; i < blocks; i++) {
		float c[MB * NB];
		size_t rows = i + 1 < blocks ? MB : (size_t)(g->rows - i * MB);
		const float *x = g->x + i * MB * p->k;
		bool no_panel = next >= panels || p->in_out;
		if (i + LAST < blocks || (no_panel && i + 1 < blocks)) /* the next block of x */
			fetch = (ckpt_nn_fetch){(const char *)(x + MB * p->k), (size_t)p->k * MB * sizeof *x / CKPT_NN_LINE};
		else if (no_panel)
			fetch = (ckpt_nn_fetch){0};
		else if (i + LAST == blocks || i == 0)
			fetch = (ckpt_nn_fetch){at(p->w, next * NB, 0), lines_of(p->w, p->n - next * NB)};
		g->nn->kernels->tile((rows + 3) & ~(size_t)3, (size_t)p->k, x, w, NB, c, &fetch);
		finish(g->nn->kernels, p, g->row0 + i * MB, rows, panel * NB, count, bias, c);
	}
}

static void one_round(const many *g, float *panels_memory, size_t panel_size)
{
	const ckpt_nn_product *p = g->p;
	uint64_t panels = (p->n + NB - 1) / NB, blocks = (g->rows + MB - 1) / MB, ticket = 0;
#pragma omp parallel num_threads(g->nn->threads)
	{
		float *w = panels_memory + (size_t)omp_get_thread_num() * panel_size;
#pragma omp for schedule(static)
		for (uint64_t i = 0; i < blocks; i++) {
			size_t have = g->rows - i * MB < MB ? (size_t)(g->rows - i * MB) : MB;
			pack_rows(g->nn->kernels, (const char *)((const float *)p->x + (g->row0 + i * MB) * p->k), CKPT_F32, p->k, have,
			          MB, p->k, g->x + i * MB * p->k);
		}
		uint64_t panel = __atomic_fetch_add(&ticket, 1, __ATOMIC_RELAXED);
		while (panel < panels) {
			uint64_t next = __atomic_fetch_add(&ticket, 1, __ATOMIC_RELAXED);
			pack_panel(g->nn->kernels, p, panel, w);
			one_panel(g, panel, next, w);
			panel = next;
		}
	}
}

static bool many_rows(ckpt_nn *nn, const ckpt_nn_product *p, ckpt_error *err)
{
	uint64_t bytes = p->m * p->k * sizeof(float), rounds = (bytes + PACKED_MOST - 1) / PACKED_MOST;
	uint64_t rows = ((p->m + rounds - 1) / rounds + MB - 1) / MB * MB;
	size_t panel_size = (size_t)(p->k * NB + 1023) & ~(size_t)1023;
	float *x = ckpt_nn_reserve(&nn->shared, (size_t)(rows * p->k) * sizeof(float), err);
	float *w = x ? ckpt_nn_reserve(&nn->own, panel_size * (size_t)nn->threads * sizeof(float), err) : NULL;
	if (!w) return false;
	for (uint64_t row0 = 0; row0 < p->m; row0 += rows) {
		many g = {nn, p, row0, p->m - row0 < rows ? p->m - row0 : rows, x};
		one_round(&g, w, panel_size);
	}
	return true;
}

/* ---- few rows, W (k, n) ---- */

/* Each thread owns a run of panels; their sums stay in its cache while the rows of W pass by. */
static bool few_rows_in_out(ckpt_nn *nn, const ckpt_nn_product *p, ckpt_error *err)
{
	uint64_t panels = (p->n + NB - 1) / NB, blocks = (p->m + MB - 1) / MB;
	float *x = ckpt_nn_reserve(&nn->shared, (size_t)(blocks * MB * p->k) * sizeof(float), err);
	float *sums = x ? ckpt_nn_reserve(&nn->own, (size_t)(panels * blocks * MB * NB) * sizeof(float), err) : NULL;
	if (!sums) return false;
	for (uint64_t i = 0; i < blocks; i++)
		pack_rows(nn->kernels, (const char *)((const float *)p->x + i * MB * p->k), CKPT_F32, p->k,
		          p->m - i * MB < MB ? (size_t)(p->m - i * MB) : MB, MB, p->k, x + i * MB * p->k);
	int threads = (uint64_t)nn->threads < panels ? nn->threads : (int)panels;
#pragma omp parallel for schedule(static) num_threads(threads)
	for (int t = 0; t < threads; t++) {
		uint64_t from = panels * (uint64_t)t / (uint64_t)threads, to = panels * (uint64_t)(t + 1) / (uint64_t)threads;
		memset(sums + from * blocks * MB * NB, 0, (size_t)((to - from) * blocks * MB * NB) * sizeof *sums);
		for (uint64_t k0 = 0; k0 < p->k; k0 += OUTER_K) {
			size_t k = p->k - k0 < OUTER_K ? (size_t)(p->k - k0) : OUTER_K;
			for (uint64_t j = from; j < to; j++) {
				float w[OUTER_K * NB], c[MB * NB];
				size_t have = p->n - j * NB < NB ? (size_t)(p->n - j * NB) : NB;
				pack_columns(nn->kernels, p->w, j * NB, have, k0, k, w);
				for (uint64_t i = 0; i < blocks; i++) {
					float *s = sums + (j * blocks + i) * MB * NB;
					nn->kernels->tile(MB, k, x + i * MB * p->k + k0 * MB, w, NB, c, NULL);
					for (size_t e = 0; e < MB * NB; e++) s[e] += c[e];
				}
			}
		}
		for (uint64_t j = from; j < to; j++) {
			float buffer[NB];
			size_t count = p->n - j * NB < NB ? (size_t)(p->n - j * NB) : NB;
			finish(nn->kernels, p, 0, (size_t)p->m, j * NB, count, bias_of(nn->kernels, p, j * NB, count, buffer),
			       sums + j * blocks * MB * NB);
		}
	}
	return true;
}

bool ckpt_nn_linear_f32(ckpt_nn *nn, const ckpt_nn_product *p, ckpt_error *err)
{
	if (p->m == 0 || p->n == 0) return true;
	if (p->m > (p->in_out ? FEW_IN_OUT : FEW)) return many_rows(nn, p, err);
	if (p->in_out) return few_rows_in_out(nn, p, err);
	few_rows(nn, p);
	return true;
}
