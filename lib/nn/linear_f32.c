/* linear_f32.c -- y = x W^T + b in single precision, W in its own dtype where it lies
 *
 * Few rows of x: every weight is used a few times only, so reading W once is the limit. No packing: dot products
 * straight along four rows of W at a time, x in blocks of k that stay in the nearest caches. W (k, n): eight of its rows at a
 * time are added to all outputs, which stay in the cache.
 * Many rows: x is packed once into panels [k][32], the rows of x side by side; a tile takes twelve rows of W as they lie and
 * one panel, so that W is neither packed nor read from memory more than once. Each thread takes groups of 48 outputs and
 * runs them over all panels, k in blocks, so that what is at work stays in its own cache; meanwhile what comes next is
 * fetched. Rows of W that would fall into the same few lines of the cache, or are not floats, are copied block by block.
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
	FEW = 16,        /* rows of x up to which x is not packed */
	FEW_IN_OUT = 7,  /* the same for W (k, n) */
	DOT_K = 1024,    /* the most k of a block of dot products, */
	DOT_X = 12288,   /* elements of x in it: longer runs of W let the processor fetch ahead, */
	DOT_N = 16,      /* and outputs at work together */
	OUTER_N = 512,   /* outputs at work together on a few rows of W (k, n) */
	GROUP = CKPT_NN_GROUP,
	PART = 2,        /* the fewest panels of a part of x, */
	PARTS = 64,      /* and the most parts: W is read as often */
	BLOCK_K = 1024,  /* the most k of a block of tiles */
	PAGE = 4096,     /* bytes after which lines fall into the same places of the nearest cache */
	COPY = 6,        /* panels for which rows that do not lie so are copied */
	STRIP = 64,      /* k of a strip of x that is packed at once */
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

static void few_rows(const ckpt_nn *nn, size_t count, const ckpt_nn_product *products)
{
	uint64_t tickets = 0, ticket = 0, k = products->k, rest = k % LANES;
	for (size_t i = 0; i < count; i++) tickets += (products[i].n + NB - 1) / NB;
#pragma omp parallel num_threads(nn->threads)
	{
		dot_block block;
		float sums[FEW][NB], bias[NB];
		memset(block.x, 0, sizeof block.x);
		for (uint64_t i = 0; i < products->m; i++)
			memcpy(block.x[i], (const float *)products->x + (i + 1) * k - rest, rest * sizeof(float));
		uint64_t t = __atomic_fetch_add(&ticket, 1, __ATOMIC_RELAXED);
		while (t < tickets) {
			const ckpt_nn_product *p = products;
			uint64_t next = __atomic_fetch_add(&ticket, 1, __ATOMIC_RELAXED), first = t, then;
			for (; first >= (p->n + NB - 1) / NB; p++) first -= (p->n + NB - 1) / NB;
			then = (first + next - t) * NB;
			first *= NB;
			size_t have = p->n - first < NB ? (size_t)(p->n - first) : NB;
			if (have < NB) memset(sums, 0, sizeof sums); /* a whole row of sums is activated, not all of it kept */
			for (size_t j = 0; j < have; j += DOT_N)
				dot_run(nn->kernels, p, first + j, have - j < DOT_N ? have - j : DOT_N,
				        j + DOT_N < have ? first + j + DOT_N : then, &block, sums[0] + j);
			finish(nn->kernels, p, 0, (size_t)p->m, first, have, bias_of(nn->kernels, p, first, have, bias), sums[0]);
			t = next;
		}
	}
}

/* ---- many rows ---- */

/* Products of one x. */
typedef struct many {
	ckpt_nn *nn;
	const ckpt_nn_product *products;
	size_t count;
	uint64_t row0, rows, panels; /* of x, in this round */
	size_t block_k;
	float *x;                    /* packed: [panels][k][32] */
	size_t parts;                /* of the panels; each thread begins with its own and then helps the others, */
	uint64_t tickets[PARTS];     /* blocks of twelve outputs that are taken in each */
} many;

/* Outputs first .. first+outputs of a product, for the panels of one part. */
typedef struct group {
	const ckpt_nn_product *p; /* NULL: none is left */
	uint64_t first;
	size_t outputs;
	uint64_t panel, end;
} group;

/* What one thread works with. */
typedef struct own {
	float *w;    /* copied rows of W */
	float *sums; /* [panels][48][32] */
} own;

static uint64_t blocks_of(const ckpt_nn_product *p)
{
	return (p->n + MB - 1) / MB;
}

/* The next blocks of twelve outputs of a part: four, and fewer towards the end, so that all threads end together. */
static bool take_blocks(many *g, size_t part, group *out)
{
	uint64_t total = 0, at = __atomic_load_n(&g->tickets[part], __ATOMIC_RELAXED), size, before;
	uint64_t share = 2 * ((uint64_t)g->nn->threads + g->parts - 1) / g->parts;
	const ckpt_nn_product *p;
	for (size_t i = 0; i < g->count; i++) total += blocks_of(&g->products[i]);
	do {
		if (at >= total) return false;
		for (p = g->products, before = 0; at >= before + blocks_of(p); p++) before += blocks_of(p);
		size = (total - at) / share;
		size = size < 1 ? 1 : size > GROUP / MB ? GROUP / MB : size;
		if (size > before + blocks_of(p) - at) size = before + blocks_of(p) - at;
	} while (!__atomic_compare_exchange_n(&g->tickets[part], &at, at + size, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	uint64_t first = (at - before) * MB, outputs = p->n - first < size * MB ? p->n - first : size * MB;
	*out = (group){p, first, (size_t)outputs, g->panels * part / g->parts, g->panels * (part + 1) / g->parts};
	return true;
}

/* The rows that a thread has written are in its cache, so it goes on with them as long as it can. */
static group take_group(many *g, size_t thread)
{
	group u = {0};
	for (size_t i = 0; i < g->parts; i++)
		if (take_blocks(g, (thread + i) % g->parts, &u)) return u;
	return u;
}

/* Rows row0 .. row0+32 of x over k0 .. k0+k as [k][32]; rows past the last are zeros. */
static void pack_x(const many *g, uint64_t panel, uint64_t k0, size_t k)
{
	const ckpt_nn_product *p = g->products;
	uint64_t row = panel * NB;
	size_t have = g->rows - row < NB ? (size_t)(g->rows - row) : NB;
	const float *x = (const float *)p->x + (g->row0 + row) * p->k + k0;
	float *out = g->x + (panel * p->k + k0) * NB, strip[NB * STRIP] = {0};
	if (have == NB) {
		g->nn->kernels->pack(x, p->k, NB, k, out, NB);
		return;
	}
	for (size_t i = 0; i < have; i++) memcpy(strip + i * STRIP, x + i * p->k, k * sizeof *x);
	g->nn->kernels->pack(strip, STRIP, NB, k, out, NB);
}

/* A block of W as tiles read it: output i, place k at a[i * si + k * sk]. */
typedef struct operand {
	const float *a;
	size_t si, sk;
} operand;

static operand weights_of(const ckpt_nn_kernels *kernels, const group *u, uint64_t k0, size_t k, float *copy)
{
	const ckpt_nn_weight *w = u->p->w;
	if (u->p->in_out) {
		for (size_t i = 0; i < k; i++) {
			if (k0 + i + 16 < u->p->k)
				for (size_t line = 0; line < u->outputs * item_of(w->dtype); line += CKPT_NN_LINE)
					__builtin_prefetch(at(w, k0 + i + 16, u->first) + line);
			kernels->widen(w->dtype, at(w, k0 + i, u->first), copy + i * GROUP, u->outputs);
		}
		return (operand){copy, 1, GROUP};
	}
	const char *rows = at(w, u->first, k0);
	bool apart = u->p->k * sizeof(float) % PAGE || u->end - u->panel < COPY;
	if (w->dtype == CKPT_F32 && (uintptr_t)rows % sizeof(float) == 0 && apart)
		return (operand){(const float *)(const void *)rows, (size_t)u->p->k, 1};
	size_t ld = k + LANES;
	for (size_t i = 0; i < u->outputs; i++) kernels->widen(w->dtype, at(w, u->first + i, k0), copy + i * ld, k);
	return (operand){copy, ld, 1};
}

/* The lines of a block of W that comes next. */
static ckpt_nn_fetch fetch_of(const many *g, const group *u, uint64_t k0)
{
	if (!u->p || u->p->in_out) return (ckpt_nn_fetch){0};
	uint64_t left = u->p->k - k0, k = left < g->block_k ? left : g->block_k;
	size_t item = item_of(u->p->w->dtype), lines = (size_t)(k * item / CKPT_NN_LINE);
	const char *from = at(u->p->w, u->first, k0);
	if (k == u->p->k) return (ckpt_nn_fetch){from, 1, 0, u->outputs * lines, 0};
	return (ckpt_nn_fetch){from, lines ? u->outputs : 0, lines, lines, (size_t)u->p->k * item - lines * CKPT_NN_LINE};
}

/* One block of k for one group; `more` is W's next block. */
static void one_block(const many *g, const group *u, uint64_t k0, const own *mine, ckpt_nn_fetch more)
{
	const ckpt_nn_product *p = u->p;
	size_t k = p->k - k0 < g->block_k ? (size_t)(p->k - k0) : g->block_k;
	bool only = g->block_k >= p->k, last = k0 + k == p->k;
	operand w = weights_of(g->nn->kernels, u, k0, k, mine->w);
	float bias[GROUP];
	if (p->bias && p->bias->data && last)
		g->nn->kernels->widen(p->bias->dtype, (const char *)p->bias->data + u->first * item_of(p->bias->dtype), bias, u->outputs);
	for (uint64_t j = u->panel; j < u->end; j++) {
		size_t rows = g->rows - j * NB < NB ? (size_t)(g->rows - j * NB) : NB;
		float *sums = mine->sums + (only ? 0 : (j - u->panel) * GROUP * NB);
		const float *x = g->x + (j * p->k + k0) * NB;
		ckpt_nn_fetch ahead = {(const char *)(x + p->k * NB), j + 1 < u->end, 0, k * NB * sizeof *x / CKPT_NN_LINE, 0};
		if (k0 == 0) memset(sums, 0, GROUP * NB * sizeof *sums);
		for (size_t i = 0; i < u->outputs; i += MB) {
			bool weights = u->end - u->panel == 1 || (j + 2 >= u->end && i / MB % 2 == 0);
			g->nn->kernels->tile(u->outputs - i < MB ? u->outputs - i : MB, rows > CKPT_NN_HALF ? NB : CKPT_NN_HALF, k, w.a + i * w.si,
			                     w.si, w.sk, x, NB, sums + i * NB, weights ? &more : &ahead);
		}
		if (!last) continue;
		uint64_t place = (g->row0 + j * NB) * p->n + u->first;
		g->nn->kernels->finish_turned(sums, rows, u->outputs, NULL, p->bias && p->bias->data ? bias : NULL, p->act,
		                              p->residual ? (const float *)p->residual + place : NULL, (float *)p->y + place, (size_t)p->n);
	}
}

static void one_round(many *g, float *memory, size_t copy_size, size_t each)
{
	uint64_t k = g->products->k, strips = (k + STRIP - 1) / STRIP;
#pragma omp parallel num_threads(g->nn->threads)
	{
		size_t thread = (size_t)omp_get_thread_num();
		float *place = memory + thread * each;
		own mine = {place, place + copy_size};
#pragma omp for schedule(static)
		for (uint64_t i = 0; i < g->panels * strips; i++)
			pack_x(g, i / strips, i % strips * STRIP, k - i % strips * STRIP < STRIP ? (size_t)(k - i % strips * STRIP) : STRIP);
		group u = take_group(g, thread);
		while (u.p) {
			group next = take_group(g, thread);
			for (uint64_t k0 = 0; k0 == 0 || k0 < k; k0 += g->block_k) {
				bool last = k0 + g->block_k >= k;
				one_block(g, &u, k0, &mine, fetch_of(g, last ? &next : &u, last ? 0 : k0 + g->block_k));
			}
			u = next;
		}
	}
}

static bool many_rows(ckpt_nn *nn, size_t count, const ckpt_nn_product *products, ckpt_error *err)
{
	uint64_t m = products->m, k = products->k, bytes = m * k * sizeof(float), rounds = (bytes + PACKED_MOST - 1) / PACKED_MOST;
	if (rounds == 0) rounds = 1;
	uint64_t rows = ((m + rounds - 1) / rounds + NB - 1) / NB * NB, parts = (k + BLOCK_K - 1) / BLOCK_K;
	size_t block = parts ? (size_t)((k + parts - 1) / parts + STRIP - 1) / STRIP * STRIP : STRIP;
	size_t copy = (block + LANES) * GROUP, each = copy + (parts > 1 ? (size_t)(rows / NB) : 1) * GROUP * NB;
	float *x = ckpt_nn_reserve(&nn->shared, (size_t)(rows * k) * sizeof(float), err);
	float *memory = x ? ckpt_nn_reserve(&nn->own, each * (size_t)nn->threads * sizeof(float), err) : NULL;
	if (!memory) return false;
	for (uint64_t row0 = 0; row0 < m; row0 += rows) {
		uint64_t now = m - row0 < rows ? m - row0 : rows;
		many g = {nn, products, count, row0, now, (now + NB - 1) / NB, block, x, 1, {0}};
		g.parts = (size_t)(g.panels / PART < (uint64_t)nn->threads ? g.panels / PART : (uint64_t)nn->threads);
		g.parts = g.parts < 1 ? 1 : g.parts > PARTS ? PARTS : g.parts;
		one_round(&g, memory, copy, each);
	}
	return true;
}

/* ---- few rows, W (k, n) ---- */

/* Outputs first .. first+count over k .. k+8: */
static void outer_strip(const ckpt_nn_kernels *kernels, const ckpt_nn_product *p, uint64_t k, size_t depth, uint64_t first,
                        size_t count, float *sums)
{
	enum { DEPTH = CKPT_NN_DEPTH };
	float copy[DEPTH * OUTER_N], x[FEW_IN_OUT * DEPTH] = {0};
	const char *rows = at(p->w, k, first);
	size_t item = item_of(p->w->dtype), ld = (size_t)p->n;
	bool ready = p->w->dtype == CKPT_F32 && (uintptr_t)rows % sizeof(float) == 0 && depth == DEPTH && count % NB == 0;
	for (size_t i = 0; i < DEPTH && k + DEPTH + i < p->k; i++) /* the rows that come next */
		for (size_t line = 0; line < count * item; line += CKPT_NN_LINE)
			__builtin_prefetch(at(p->w, k + DEPTH + i, first) + line, 0, 2);
	if (!ready) {
		ld = (count + NB - 1) / NB * NB;
		memset(copy, 0, DEPTH * ld * sizeof *copy);
		for (size_t i = 0; i < depth; i++) kernels->widen(p->w->dtype, rows + i * p->n * item, copy + i * ld, count);
	}
	for (uint64_t i = 0; i < p->m; i++) memcpy(x + i * DEPTH, (const float *)p->x + i * p->k + k, depth * sizeof *x);
	kernels->outer((size_t)p->m, (count + NB - 1) / NB, x, ready ? (const float *)(const void *)rows : copy, ld, sums);
}

/* Each thread owns a run of outputs; their sums [outputs / 32][m][32] stay in its cache while the rows of W pass by. */
static bool few_rows_in_out(ckpt_nn *nn, const ckpt_nn_product *p, ckpt_error *err)
{
	uint64_t panels = (p->n + NB - 1) / NB;
	float *sums = ckpt_nn_reserve(&nn->own, (size_t)(panels * p->m * NB) * sizeof(float), err);
	if (!sums) return false;
	int threads = (uint64_t)nn->threads < panels ? nn->threads : (int)panels;
#pragma omp parallel for schedule(static) num_threads(threads)
	for (int t = 0; t < threads; t++) {
		uint64_t from = panels * (uint64_t)t / (uint64_t)threads, to = panels * (uint64_t)(t + 1) / (uint64_t)threads;
		uint64_t end = to * NB < p->n ? to * NB : p->n;
		memset(sums + from * p->m * NB, 0, (size_t)((to - from) * p->m * NB) * sizeof *sums);
		for (uint64_t k = 0; k < p->k; k += CKPT_NN_DEPTH)
			for (uint64_t j = from * NB; j < end; j += OUTER_N)
				outer_strip(nn->kernels, p, k, p->k - k < CKPT_NN_DEPTH ? (size_t)(p->k - k) : CKPT_NN_DEPTH, j,
				            end - j < OUTER_N ? (size_t)(end - j) : OUTER_N, sums + j * p->m);
		for (uint64_t j = from; j < to; j++) {
			float bias[NB];
			size_t count = p->n - j * NB < NB ? (size_t)(p->n - j * NB) : NB;
			finish(nn->kernels, p, 0, (size_t)p->m, j * NB, count, bias_of(nn->kernels, p, j * NB, count, bias), sums + j * p->m * NB);
		}
	}
	return true;
}

bool ckpt_nn_linears_f32(ckpt_nn *nn, size_t count, const ckpt_nn_product *products, ckpt_error *err)
{
	const ckpt_nn_product *p = products;
	if (count == 0 || p->m == 0) return true;
	if (p->m > (p->in_out ? FEW_IN_OUT : FEW)) return many_rows(nn, count, products, err);
	if (!p->in_out) {
		few_rows(nn, count, products);
		return true;
	}
	for (size_t i = 0; i < count; i++)
		if (products[i].n > 0 && !few_rows_in_out(nn, &products[i], err)) return false;
	return true;
}
