/* test_generate.c -- passes that go on where others ended, and the words that come of them */
#include "unit.h"

#include "../../lib/checkpoint.h"
#include "../../lib/forward/cache.h"
#include "../../lib/forward/generate.h"
#include "reference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {"gpt2_lm", "llama_lm", "opt_lm", "opt350_lm", "bart_lm", "t5_lm", "t5v11_lm"};
enum { NAMES = sizeof names / sizeof *names, ROWS = 2, LENGTH = 11, FIRST = 4, GIB = 1 << 30 };

static double value(const ckpt_tensor *t, uint64_t i)
{
	double d = NAN;
	float f = 0;
	if (ckpt_tensor_dtype(t) == CKPT_F64) CU_ASSERT(ckpt_tensor_read(t, i * sizeof d, sizeof d, &d, NULL));
	if (ckpt_tensor_dtype(t) == CKPT_F32 && ckpt_tensor_read(t, i * sizeof f, sizeof f, &f, NULL)) d = (double)f;
	return d;
}

/* Two rows of LENGTH tokens, for the side that generates. */
static ckpt_forward_input input_of(const reference_case *c, int64_t ids[ROWS * LENGTH], size_t from, size_t length, int64_t *part)
{
	bool behind = ckpt_forward_has_encoder(c->model);
	for (size_t r = 0; r < ROWS; r++) memcpy(part + r * length, ids + r * LENGTH + from, length * sizeof *part);
	if (!behind) return (ckpt_forward_input){.batch = ROWS, .length = length, .ids = part};
	return (ckpt_forward_input){.batch = ROWS, .length = c->in.length, .ids = c->in.ids, .mask = c->in.mask,
	                            .decoder_length = length, .decoder_ids = part};
}

/* The largest distance of the cached logits from those of one pass, by the largest logit. */
static double distance(const reference_case *c, ckpt_forward *f, const ckpt_forward_options *options)
{
	int64_t ids[ROWS * LENGTH], part[ROWS * LENGTH];
	double worst = 0, most = 1;
	for (size_t i = 0; i < ROWS * LENGTH; i++) ids[i] = (int64_t)(i * 7 % 19 + 2);
	ckpt_forward_input in = input_of(c, ids, 0, LENGTH, part);
	ckpt_checkpoint *whole = ckpt_forward_run(f, &in, options, NULL);
	const ckpt_tensor *all = whole ? ckpt_checkpoint_tensor_find(whole, "logits") : NULL;
	CU_ASSERT_FATAL(all != NULL);
	uint64_t words = ckpt_tensor_shape(all)[2];
	f->cache = ckpt_cache_new(ROWS, LENGTH, 2, GIB, NULL);
	for (size_t at = 0, n = FIRST; at < LENGTH; at += n, n = at + 3 == LENGTH ? 3 : 1) { /* four, one by one, three */
		in = input_of(c, ids, at, n, part);
		ckpt_checkpoint *out = ckpt_forward_run(f, &in, options, NULL);
		const ckpt_tensor *t = out ? ckpt_checkpoint_tensor_find(out, "logits") : NULL;
		CU_ASSERT_FATAL(t && ckpt_tensor_shape(t)[1] == n && ckpt_tensor_shape(t)[2] == words);
		for (uint64_t r = 0; r < ROWS; r++)
			for (uint64_t i = 0; i < n * words; i++) {
				double a = value(t, r * n * words + i), b = value(all, (r * LENGTH + at) * words + i);
				worst = fabs(a - b) > worst || a != a ? fabs(a - b) : worst;
				most = fmax(most, fabs(b));
			}
		CU_ASSERT_EQUAL(f->cache->past, at + n);
		ckpt_checkpoint_free(out);
	}
	ckpt_cache_free(f->cache);
	f->cache = NULL;
	ckpt_checkpoint_free(whole);
	return worst / most;
}

static void a_cache_changes_nothing(void)
{
	ckpt_json *file = reference_open();
	for (size_t i = 0; i < NAMES; i++)
		for (int f64 = 0; f64 < 2; f64++) {
			reference_case c;
			if (reference_find(file, names[i], &c)) {
				ckpt_forward *f = ckpt_forward_new(c.model, NULL);
				CU_ASSERT_FATAL(f != NULL);
				double d = distance(&c, f, &(ckpt_forward_options){.f64 = f64 == 1, .threads = 2}), bound = f64 ? 1e-13 : 1e-6;
				if (!(d <= bound)) printf("# %s: off by %g\n", names[i], d);
				CU_ASSERT(d <= bound);
				ckpt_forward_free(f);
			}
			reference_free(&c);
		}
	ckpt_json_free(file);
}

/* Behind one row, whose pass was not made before. */
static bool go_on(ckpt_forward *f, const int64_t *ids, size_t length, const ckpt_generate_options *o, ckpt_generated *out, ckpt_error *err)
{
	const ckpt_forward_input in = {.batch = 1, .length = length, .ids = ids};
	return ckpt_forward_generate(f, &in, 0, NULL, o, out, err);
}

static void words_are_the_same_with_and_without(void)
{
	ckpt_json *file = reference_open();
	for (size_t i = 0; i < NAMES; i++) {
		reference_case c;
		if (reference_find(file, names[i], &c)) {
			ckpt_generate_options o = {.count = 10, .start = 2, .first = -1, .last = -1, .f64 = true, .cache_bytes = GIB};
			ckpt_generated with, without, one;
			ckpt_forward *f = ckpt_forward_new(c.model, NULL);
			CU_ASSERT_FATAL(f != NULL);
			CU_ASSERT(go_on(f, c.in.ids, 4, &o, &with, NULL));
			o.no_cache = true;
			CU_ASSERT(go_on(f, c.in.ids, 4, &o, &without, NULL));
			CU_ASSERT(with.count == 10 && without.count == 10 && with.stop == CKPT_STOP_COUNT);
			CU_ASSERT(memcmp(with.ids, without.ids, 10 * sizeof *with.ids) == 0);
			CU_ASSERT(with.cache > 0 && without.cache == 0 && with.margin > 0);
			o.end = with.ids + 3; /* an end token stops it, and is there */
			o.end_count = 1;
			CU_ASSERT(go_on(f, c.in.ids, 4, &o, &one, NULL));
			CU_ASSERT(one.stop == CKPT_STOP_END && one.count <= 4 && one.ids[one.count - 1] == with.ids[3]);
			ckpt_generated_free(&with);
			ckpt_generated_free(&without);
			ckpt_generated_free(&one);
			ckpt_forward_free(f);
		}
		reference_free(&c);
	}
	ckpt_json_free(file);
}

/* Three rows: whole, padded behind, padded in front. */
static void rows_of_a_batch_say_what_they_say_alone(void)
{
	enum { BATCH = 3, WIDE = 5, COUNT = 6 };
	static const int64_t ids[BATCH * WIDE] = {4, 5, 6, 7, 8, 9, 3, 5, 0, 0, 0, 0, 9, 3, 5};
	static const int64_t mask[BATCH * WIDE] = {1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1};
	ckpt_json *file = reference_open();
	for (size_t i = 0; i < NAMES; i++)
		for (int no_cache = 0; no_cache < 2; no_cache++) {
			reference_case c;
			if (reference_find(file, names[i], &c)) {
				bool encoder = ckpt_forward_has_encoder(c.model);
				uint64_t start = 0;
				ckpt_config_u64(c.config, "decoder_start_token_id", &start);
				const int64_t begin[BATCH] = {(int64_t)start, (int64_t)start, (int64_t)start};
				ckpt_forward_input in = {.batch = BATCH, .length = WIDE, .ids = ids, .mask = mask};
				if (encoder) in.decoder_length = 1, in.decoder_ids = begin;
				ckpt_generate_options o = {.count = COUNT, .start = (int64_t)start, .first = -1, .last = -1, .f64 = true,
				                           .cache_bytes = GIB, .no_cache = no_cache == 1};
				ckpt_forward *f = ckpt_forward_new(c.model, NULL);
				CU_ASSERT_FATAL(f != NULL);
				ckpt_checkpoint *prompt = ckpt_forward_prompt(f, &in, &(ckpt_forward_options){.f64 = true}, &o, NULL);
				CU_ASSERT_FATAL(prompt != NULL);
				CU_ASSERT(no_cache ? f->prompt == NULL : f->prompt != NULL);
				for (size_t row = 0; row < BATCH; row++) {
					ckpt_generated got, want;
					/* an encoder sees its padding; what a decoder says does not depend on it */
					ckpt_forward_input alone = {.batch = 1, .length = WIDE, .ids = ids + row * WIDE, .mask = mask + row * WIDE};
					if (!encoder) alone = (ckpt_forward_input){.batch = 1, .length = row ? 3 : WIDE, .ids = row ? ids + WIDE : ids};
					CU_ASSERT(ckpt_forward_generate(f, &in, row, prompt, &o, &got, NULL));
					CU_ASSERT(ckpt_forward_generate(f, &alone, 0, NULL, &o, &want, NULL));
					CU_ASSERT(got.count == COUNT && want.count == COUNT && memcmp(got.ids, want.ids, COUNT * sizeof *got.ids) == 0);
					CU_ASSERT(fabs(got.margin - want.margin) < 1e-9);
					CU_ASSERT((got.cache > 0) == !no_cache);
					ckpt_generated_free(&got);
					ckpt_generated_free(&want);
				}
				ckpt_checkpoint_free(prompt);
				ckpt_forward_free(f);
			}
			reference_free(&c);
		}
	ckpt_json_free(file);
}

/* A limit that is too small for the rows together is kept row by row. */
static void rows_that_do_not_fit_together_go_on_alone(void)
{
	static const int64_t ids[6] = {4, 5, 6, 7, 8, 9};
	ckpt_json *file = reference_open();
	reference_case c;
	if (reference_find(file, "gpt2_lm", &c)) {
		const ckpt_forward_input in = {.batch = 2, .length = 3, .ids = ids};
		ckpt_generate_options o = {.count = 4, .first = -1, .last = -1, .cache_bytes = 896};
		ckpt_generated g;
		ckpt_forward *f = ckpt_forward_new(c.model, NULL);
		ckpt_checkpoint *prompt = f ? ckpt_forward_prompt(f, &in, NULL, &o, NULL) : NULL;
		CU_ASSERT(prompt && !f->prompt && !f->cache);
		CU_ASSERT(prompt && ckpt_forward_generate(f, &in, 1, prompt, &o, &g, NULL) && g.count == 4 && g.cache == 896);
		ckpt_generated_free(&g);
		ckpt_checkpoint_free(prompt);
		ckpt_forward_free(f);
	}
	reference_free(&c);
	ckpt_json_free(file);
}

static void words_end_where_the_model_ends(void)
{
	ckpt_json *file = reference_open();
	reference_case c;
	for (int no_cache = 0; no_cache < 2; no_cache++) {
		if (reference_find(file, "gpt2_lm", &c)) {
			ckpt_generate_options o = {.count = 100, .first = 5, .last = -1, .cache_bytes = GIB, .no_cache = no_cache == 1};
			ckpt_generated g;
			ckpt_forward *f = ckpt_forward_new(c.model, NULL);
			CU_ASSERT(f && go_on(f, c.in.ids, 7, &o, &g, NULL));
			/* 17 positions: the tokens behind 7 .. 17 of them */
			CU_ASSERT(g.stop == CKPT_STOP_LENGTH && g.count == 10 && g.ids[0] == 5);
			ckpt_generated_free(&g);
			o.count = 3;
			o.last = 9;
			CU_ASSERT(f && go_on(f, c.in.ids, 7, &o, &g, NULL));
			CU_ASSERT(g.count == 3 && g.ids[0] == 5 && g.ids[2] == 9);
			ckpt_generated_free(&g);
			ckpt_forward_free(f);
		}
		reference_free(&c);
	}
	ckpt_json_free(file);
}

static void check_refusal(ckpt_forward *f, const ckpt_generate_options *o, size_t length, const char *part)
{
	static const int64_t ids[18] = {2, 3, 4};
	ckpt_error err = {0};
	ckpt_generated g;
	CU_ASSERT_FALSE(go_on(f, ids, length, o, &g, &err));
	if (!strstr(err.text, part)) printf("# '%s' has no '%s'\n", err.text, part);
	CU_ASSERT(strstr(err.text, part) != NULL);
	CU_ASSERT_PTR_NULL(f->cache);
	ckpt_generated_free(&g);
}

static void what_cannot_go_on_is_refused(void)
{
	ckpt_json *file = reference_open();
	reference_case c;
	if (reference_find(file, "gpt2_lm", &c)) {
		ckpt_forward *f = ckpt_forward_new(c.model, NULL);
		CU_ASSERT_FATAL(f != NULL);
		/* 2 layers, 8 numbers a key, 7 positions */
		check_refusal(f, &(ckpt_generate_options){.count = 4, .first = -1, .last = -1, .cache_bytes = 895}, 3,
		              "takes 896 bytes and exceeds the limit of 895 (raise it with --limit cache-bytes=N)");
		check_refusal(f, &(ckpt_generate_options){.count = UINT64_MAX, .first = -1, .last = -1, .cache_bytes = GIB}, 3, "are taken");
		check_refusal(f, &(ckpt_generate_options){.count = 4, .first = -1, .last = -1, .cache_bytes = GIB}, 0, "nothing but padding");
		check_refusal(f, &(ckpt_generate_options){.count = 4, .first = -1, .last = -1, .cache_bytes = GIB}, 18, "at most 17");
		const int64_t one[1] = {1};
		ckpt_error err = {0};
		CU_ASSERT_PTR_NULL(ckpt_forward_prompt(f, &(ckpt_forward_input){.batch = 1, .length = 1, .ids = one, .position_ids = one}, NULL,
		                                       &(ckpt_generate_options){.count = 1, .cache_bytes = GIB}, &err));
		CU_ASSERT(strstr(err.text, "position ids are counted") != NULL);
		ckpt_forward_free(f);
	}
	reference_free(&c);
	if (reference_find(file, "bert_mlm", &c)) {
		ckpt_forward *f = ckpt_forward_new(c.model, NULL);
		CU_ASSERT_FATAL(f != NULL);
		check_refusal(f, &(ckpt_generate_options){.count = 4, .cache_bytes = GIB}, 3, "BertForMaskedLM does not generate");
		ckpt_forward_free(f);
	}
	reference_free(&c);
	ckpt_json_free(file);
}

static const unit_case cases[] = {
	{"a_cache_changes_nothing", a_cache_changes_nothing},
	{"words_are_the_same_with_and_without", words_are_the_same_with_and_without},
	{"rows_of_a_batch_say_what_they_say_alone", rows_of_a_batch_say_what_they_say_alone},
	{"rows_that_do_not_fit_together_go_on_alone", rows_that_do_not_fit_together_go_on_alone},
	{"words_end_where_the_model_ends", words_end_where_the_model_ends},
	{"what_cannot_go_on_is_refused", what_cannot_go_on_is_refused},
	{0},
};
const unit_suite unit_generate = {"generate", cases};
