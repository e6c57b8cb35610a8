/* test_forward.c -- whole forward passes against reference outputs, whatever holds the weights; and what is refused */
#include "unit.h"

#include "../../lib/checkpoint.h"
#include "../../lib/forward/weights.h"
#include "files.h"
#include "reference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static double value(const ckpt_tensor *t, uint64_t i)
{
	float f = 0;
	double d = 0;
	if (ckpt_tensor_dtype(t) == CKPT_F64)
		CU_ASSERT(ckpt_tensor_read(t, i * sizeof d, sizeof d, &d, NULL));
	if (ckpt_tensor_dtype(t) == CKPT_F32) {
		CU_ASSERT(ckpt_tensor_read(t, i * sizeof f, sizeof f, &f, NULL));
		d = (double)f;
	}
	return d;
}

/* Half a unit of the ninth digit, in which the references are written. */
static double half_digit(double x)
{
	return x == 0 ? 0 : 0.5 * pow(10, floor(log10(fabs(x))) - 8);
}

/* The largest excess of |found - wanted| over the last digit of wanted; infinite when the shapes differ. */
static double distance(const ckpt_checkpoint *out, const ckpt_json *field)
{
	double worst = 0, want;
	const ckpt_tensor *t = ckpt_checkpoint_tensor_find(out, ckpt_json_key(field));
	if (!t) return INFINITY;
	uint64_t i = 0, size;
	for (const ckpt_json *v = ckpt_json_child(ckpt_json_member(field, "shape")); v; v = ckpt_json_next(v), i++)
		if (i >= ckpt_tensor_rank(t) || !ckpt_json_u64(v, &size) || size != ckpt_tensor_shape(t)[i]) return INFINITY;
	if (i != ckpt_tensor_rank(t)) return INFINITY;
	i = 0;
	for (const ckpt_json *v = ckpt_json_child(ckpt_json_member(field, "data")); v; v = ckpt_json_next(v), i++) {
		if (i >= ckpt_tensor_elements(t) || !ckpt_json_f64(v, &want)) return INFINITY;
		double e = fabs(value(t, i) - want) - half_digit(want);
		worst = e > worst || e != e ? e : worst;
	}
	return i == ckpt_tensor_elements(t) ? worst : INFINITY;
}

static void check_outputs(const reference_case *c, const ckpt_model *model, const ckpt_forward_options *options, double bound)
{
	ckpt_error err = {0};
	ckpt_forward *f = ckpt_forward_new(model, &err);
	ckpt_checkpoint *out = f ? ckpt_forward_run(f, &c->in, options, &err) : NULL;
	if (!out) printf("# %s: %s\n", c->name, err.text);
	CU_ASSERT(out != NULL);
	for (const ckpt_json *o = out ? ckpt_json_child(c->outputs) : NULL; o; o = ckpt_json_next(o)) {
		double d = distance(out, o);
		if (!(d <= bound)) printf("# %s %s: off by %g, at most %g\n", c->name, ckpt_json_key(o), d, bound);
		CU_ASSERT(d <= bound);
	}
	ckpt_checkpoint_free(out);
	ckpt_forward_free(f);
}

static void outputs_equal_the_references(void)
{
	ckpt_json *file = reference_open();
	size_t cases = 0;
	for (const ckpt_json *n = file ? ckpt_json_child(file) : NULL; n; n = ckpt_json_next(n), cases++) {
		reference_case c;
		if (reference_load(n, &c)) {
			bool doubles = strcmp(c.precision, "float64") == 0;
			check_outputs(&c, c.model, &(ckpt_forward_options){.threads = 1}, 2e-6);
			check_outputs(&c, c.model, &(ckpt_forward_options){.threads = 2, .f64 = true, .frugal = true}, doubles ? 1e-9 : 2e-6);
		}
		reference_free(&c);
	}
	CU_ASSERT_EQUAL(cases, 24);
	ckpt_json_free(file);
}

/* Both hold the same names, shapes and bytes. */
static bool same(const ckpt_checkpoint *a, const ckpt_checkpoint *b)
{
	bool ok = a && b && ckpt_checkpoint_tensor_count(a) == ckpt_checkpoint_tensor_count(b);
	for (size_t i = 0; ok && i < ckpt_checkpoint_tensor_count(a); i++) {
		const ckpt_tensor *s = ckpt_checkpoint_tensor_at(a, i), *t = ckpt_checkpoint_tensor_at(b, i);
		size_t n = (size_t)ckpt_tensor_bytes(s);
		char *x = malloc(n + 1), *y = malloc(n + 1);
		ok = strcmp(ckpt_tensor_name(s), ckpt_tensor_name(t)) == 0 && n == ckpt_tensor_bytes(t) &&
		     ckpt_tensor_read(s, 0, n, x, NULL) && ckpt_tensor_read(t, 0, n, y, NULL) && memcmp(x, y, n) == 0;
		free(x);
		free(y);
	}
	return ok;
}

static ckpt_checkpoint *pass(const ckpt_model *model, const ckpt_forward_input *in, const ckpt_forward_options *options,
                             ckpt_error *err)
{
	ckpt_forward *f = ckpt_forward_new(model, err);
	ckpt_checkpoint *out = f ? ckpt_forward_run(f, in, options, err) : NULL;
	ckpt_forward_free(f);
	return out;
}

static void threads_and_repeats_give_the_same_bits(void)
{
	static const char *const names[] = {"bert_pretraining", "gpt2_lm", "bart_lm", "t5v11_lm", "llama_lm", "opt350_lm"};
	ckpt_json *file = reference_open();
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		for (int f64 = 0; f64 < 2; f64++) {
			reference_case c;
			if (reference_find(file, names[i], &c)) {
				ckpt_forward *f = ckpt_forward_new(c.model, NULL);
				ckpt_forward_options options = {.f64 = f64 == 1, .threads = 1, .hidden_states = true};
				ckpt_checkpoint *one = ckpt_forward_run(f, &c.in, &options, NULL);
				for (options.threads = 1; options.threads <= 3; options.threads++) {
					ckpt_checkpoint *more = ckpt_forward_run(f, &c.in, &options, NULL);
					CU_ASSERT(same(one, more));
					ckpt_checkpoint_free(more);
				}
				ckpt_checkpoint_free(one);
				ckpt_forward_free(f);
			}
			reference_free(&c);
		}
	ckpt_json_free(file);
}

static void hidden_states_begin_and_end_as_they_should(void)
{
	ckpt_json *file = reference_open();
	reference_case c;
	if (reference_find(file, "gpt2", &c)) {
		ckpt_checkpoint *out = pass(c.model, &c.in, &(ckpt_forward_options){.hidden_states = true}, NULL);
		const ckpt_tensor *first = ckpt_checkpoint_tensor_find(out, "hidden_states.0");
		const ckpt_tensor *end = ckpt_checkpoint_tensor_find(out, "hidden_states.2");
		const ckpt_tensor *last = ckpt_checkpoint_tensor_find(out, "last_hidden_state");
		CU_ASSERT(first && end && last && !ckpt_checkpoint_tensor_find(out, "hidden_states.3"));
		for (uint64_t i = 0; end && last && i < ckpt_tensor_elements(last); i++) CU_ASSERT(value(end, i) == value(last, i));
		CU_ASSERT(first && last && value(first, 0) != value(last, 0));
		ckpt_checkpoint_free(out);
	}
	reference_free(&c);
	if (reference_find(file, "bart_dec", &c)) {
		ckpt_checkpoint *out = pass(c.model, &c.in, &(ckpt_forward_options){.hidden_states = true}, NULL);
		CU_ASSERT(ckpt_checkpoint_tensor_find(out, "decoder_hidden_states.2") != NULL);
		CU_ASSERT(ckpt_checkpoint_tensor_find(out, "encoder_hidden_states.2") != NULL);
		ckpt_checkpoint_free(out);
	}
	reference_free(&c);
	ckpt_json_free(file);
}

typedef struct seen {
	char names[1024];
	size_t most; /* blocks until the pass is stopped */
} seen;

static bool see(void *user, const char *block, const void *values, uint64_t rows, uint64_t cols)
{
	seen *s = user;
	strcat(strcat(s->names, block), " ");
	float first = *(const float *)values;
	CU_ASSERT(rows > 0 && cols > 0 && first == first);
	return --s->most > 0;
}

static void blocks_are_named_as_the_weights_are(void)
{
	static const char *const expected[][2] = {
		{"bert_pretraining", "embeddings encoder.layer.0 encoder.layer.1 cls.predictions.transform.dense "
		                     "cls.predictions.transform.LayerNorm cls.predictions.decoder pooler cls.seq_relationship "},
		{"distilbert", "embeddings transformer.layer.0 transformer.layer.1 "},
		{"gpt2_lm", "wte wpe h.0 h.1 ln_f lm_head "},
		{"llama_lm", "embed_tokens layers.0 layers.1 norm lm_head "},
		{"t5_lm", "encoder.embed_tokens encoder.block.0 encoder.block.1 encoder.final_layer_norm decoder.embed_tokens "
		          "decoder.block.0 decoder.block.1 decoder.final_layer_norm lm_head "}};
	ckpt_json *file = reference_open();
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
		reference_case c;
		if (reference_find(file, expected[i][0], &c)) {
			seen s = {.most = 100};
			ckpt_checkpoint *out = pass(c.model, &c.in, &(ckpt_forward_options){.on_block = see, .user = &s}, NULL);
			CU_ASSERT(out != NULL);
			CU_ASSERT_STRING_EQUAL(s.names, expected[i][1]);
			ckpt_checkpoint_free(out);
			ckpt_error err = {0};
			s = (seen){.most = 2};
			CU_ASSERT_PTR_NULL(pass(c.model, &c.in, &(ckpt_forward_options){.on_block = see, .user = &s}, &err));
			CU_ASSERT_EQUAL(err.code, CKPT_E_CANCELLED);
		}
		reference_free(&c);
	}
	ckpt_json_free(file);
}

/* ---- where the weights lie ---- */

/* The same outputs from a file, and that no more than `most` bytes of it were copied. */
static void check_file(const reference_case *c, const char *path, const ckpt_checkpoint *want, uint64_t most)
{
	ckpt_error err = {0};
	ckpt_checkpoint *cp = ckpt_open(path, NULL, &err), *out = NULL;
	ckpt_model *m = ckpt_model_new(c->config, ckpt_arch_class_find(c->config->arch, c->class_name), NULL);
	if (cp && m && ckpt_model_bind_to(m, cp, &err)) out = pass(m, &c->in, NULL, &err);
	if (!out) printf("# %s: %s\n", path, err.text);
	CU_ASSERT(same(out, want));
	ckpt_weights *w = ckpt_weights_new(m, NULL);
	for (size_t i = 0; i < m->count; i++) {
		ckpt_nn_weight one;
		CU_ASSERT(ckpt_weights_get(w, i, &one, NULL) && one.data);
	}
	CU_ASSERT(ckpt_weights_copied(w) <= most);
	CU_ASSERT(ckpt_weights_check(w, NULL));
	ckpt_weights_free(w);
	ckpt_checkpoint_free(out);
	ckpt_model_free(m);
	ckpt_checkpoint_free(cp);
}

static void weights_stay_in_the_file(void)
{
	static const char *const forms[] = {"safetensors", "torch", "torch-legacy"};
	ckpt_json *file = reference_open();
	reference_case c;
	if (reference_find(file, "bert_pretraining", &c)) {
		ckpt_checkpoint *want = pass(c.model, &c.in, NULL, NULL);
		for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
			char name[64];
			const ckpt_save_options options = {.format = forms[i], .force = true};
			snprintf(name, sizeof name, "forward.%s", forms[i]);
			const char *path = unit_path(name);
			CU_ASSERT(ckpt_save(c.weights, path, &options, NULL, NULL));
			check_file(&c, path, want, 0);
		}
		ckpt_checkpoint_free(want);
	}
	reference_free(&c);
	ckpt_json_free(file);
}

/* Narrow weights count for what they are: the pass over BF16 equals the one over the same values in F32. */
static void dtypes_do_not_matter_but_their_values(void)
{
	static const ckpt_dtype dtypes[] = {CKPT_BF16, CKPT_F16, CKPT_F64};
	ckpt_json *file = reference_open();
	for (size_t i = 0; i < 3; i++)
		for (int f64 = 0; f64 < 2; f64++) {
			reference_case c;
			ckpt_forward_options options = {.f64 = f64 == 1};
			if (reference_find(file, "gpt2_lm", &c)) {
				CU_ASSERT(ckpt_checkpoint_cast(c.weights, dtypes[i], NULL) && ckpt_model_bind_to(c.model, c.weights, NULL));
				ckpt_checkpoint *narrow = pass(c.model, &c.in, &options, NULL);
				CU_ASSERT(ckpt_checkpoint_cast(c.weights, CKPT_F32, NULL) && ckpt_model_bind_to(c.model, c.weights, NULL));
				ckpt_checkpoint *plain = pass(c.model, &c.in, &options, NULL);
				CU_ASSERT(same(narrow, plain));
				ckpt_checkpoint_free(narrow);
				ckpt_checkpoint_free(plain);
			}
			reference_free(&c);
		}
	ckpt_json_free(file);
}

static bool shrink(void *user, const char *block, const void *values, uint64_t rows, uint64_t cols)
{
	(void)block, (void)values, (void)rows, (void)cols;
	return truncate(user, 4096) == 0;
}

static void a_file_that_shrinks_is_noticed(void)
{
	ckpt_json *file = reference_open();
	reference_case c;
	if (reference_find(file, "bert", &c)) {
		char *path = strdup(unit_path("shrinks.safetensors"));
		ckpt_error err = {0};
		ckpt_forward_options options = {.on_block = shrink, .user = path, .frugal = true};
		CU_ASSERT(ckpt_save(c.weights, path, &(ckpt_save_options){.force = true}, NULL, NULL));
		ckpt_checkpoint *cp = ckpt_open(path, NULL, NULL);
		CU_ASSERT(cp && ckpt_model_bind_to(c.model, cp, NULL));
		CU_ASSERT_PTR_NULL(pass(c.model, &c.in, &options, &err));
		CU_ASSERT_EQUAL(err.code, CKPT_E_CHANGED);
		ckpt_model_bind_to(c.model, c.weights, NULL);
		ckpt_checkpoint_free(cp);
		free(path);
	}
	reference_free(&c);
	ckpt_json_free(file);
}

/* ---- what is refused ---- */

static void check_refusal(const reference_case *c, const ckpt_forward_input *in, const char *part)
{
	ckpt_error err = {0};
	ckpt_checkpoint *out = pass(c->model, in, NULL, &err);
	CU_ASSERT_PTR_NULL(out);
	if (!strstr(err.text, part)) printf("# '%s' has no '%s'\n", err.text, part);
	CU_ASSERT(strstr(err.text, part) != NULL);
	ckpt_checkpoint_free(out);
}

static void bad_inputs_are_refused_in_a_sentence(void)
{
	int64_t few[18] = {2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19}, large[2] = {1, 23}, negative[2] = {1, -1};
	int64_t huge[2] = {0, INT64_MAX}, two[2] = {0, 2}, twenty[2] = {0, 20};
	ckpt_json *file = reference_open();
	reference_case c;
	if (reference_find(file, "bert", &c)) {
		check_refusal(&c, &(ckpt_forward_input){0}, "empty");
		check_refusal(&c, &(ckpt_forward_input){.batch = 1, .length = 0, .ids = few}, "empty");
		check_refusal(&c, &(ckpt_forward_input){.batch = SIZE_MAX, .length = SIZE_MAX, .ids = few}, "most");
		check_refusal(&c, &(ckpt_forward_input){.batch = 1, .length = 18, .ids = few}, "18 positions, the model takes at most 17");
		check_refusal(&c, &(ckpt_forward_input){.batch = 1, .length = 2, .ids = large}, "input id 23 at row 0, position 1 is outside 0 .. 22");
		check_refusal(&c, &(ckpt_forward_input){.batch = 2, .length = 1, .ids = negative}, "input id -1 at row 1, position 0");
		check_refusal(&c, &(ckpt_forward_input){.batch = 1, .length = 2, .ids = few, .token_type_ids = two}, "token type id 2");
		check_refusal(&c, &(ckpt_forward_input){.batch = 1, .length = 2, .ids = few, .position_ids = twenty}, "position id 20");
		check_refusal(&c, &(ckpt_forward_input){.batch = 1, .length = 2, .ids = few, .mask = two}, "attention mask holds 2");
		check_refusal(&c, &(ckpt_forward_input){.batch = 1, .length = 2, .ids = few, .decoder_ids = few, .decoder_length = 2},
		              "BertModel takes no decoder input");
	}
	reference_free(&c);
	if (reference_find(file, "roberta", &c))
		check_refusal(&c, &(ckpt_forward_input){.batch = 1, .length = 16, .ids = few}, "takes at most 15");
	reference_free(&c);
	if (reference_find(file, "opt_lm", &c)) {
		check_refusal(&c, &(ckpt_forward_input){.batch = 1, .length = 2, .ids = few, .token_type_ids = few}, "no token type ids");
		check_refusal(&c, &(ckpt_forward_input){.batch = 1, .length = 2, .ids = few, .position_ids = huge}, "position id 9223372036854775807");
	}
	reference_free(&c);
	if (reference_find(file, "t5_lm", &c)) {
		check_refusal(&c, &(ckpt_forward_input){.batch = 1, .length = 2, .ids = few}, "takes decoder input ids too");
		check_refusal(&c, &(ckpt_forward_input){.batch = 1, .length = 2, .ids = few, .decoder_ids = few}, "decoder input ids are empty");
		check_refusal(&c, &(ckpt_forward_input){.batch = 1, .length = 2, .ids = few, .decoder_mask = few}, "goes with decoder input ids");
	}
	reference_free(&c);
	ckpt_json_free(file);
}

static void an_incomplete_model_is_refused(void)
{
	static const char *const exclude[] = {"*pooler*", "*word_embeddings*"};
	ckpt_json *file = reference_open();
	reference_case c;
	ckpt_error err = {0};
	if (reference_find(file, "bert", &c)) {
		ckpt_model *unbound = ckpt_model_new(c.config, NULL, NULL);
		CU_ASSERT_PTR_NULL(ckpt_forward_new(unbound, &err));
		ckpt_model_free(unbound);
		CU_ASSERT(ckpt_checkpoint_select(c.weights, NULL, 0, exclude, 1, NULL) && ckpt_model_bind_to(c.model, c.weights, NULL));
		ckpt_checkpoint *out = pass(c.model, &c.in, NULL, NULL); /* the pooler of a base model may be missing */
		CU_ASSERT(out && ckpt_checkpoint_tensor_count(out) == 1);
		ckpt_checkpoint_free(out);
		CU_ASSERT(ckpt_checkpoint_select(c.weights, NULL, 0, exclude, 2, NULL) && ckpt_model_bind_to(c.model, c.weights, NULL));
		err = (ckpt_error){0};
		CU_ASSERT_PTR_NULL(ckpt_forward_new(c.model, &err));
		CU_ASSERT(strstr(err.text, "missing") != NULL);
	}
	reference_free(&c);
	if (reference_find(file, "bert_seqcls", &c)) {
		CU_ASSERT(ckpt_checkpoint_select(c.weights, NULL, 0, exclude, 1, NULL) && ckpt_model_bind_to(c.model, c.weights, NULL));
		err = (ckpt_error){0};
		CU_ASSERT_PTR_NULL(ckpt_forward_new(c.model, &err));
		CU_ASSERT(strstr(err.text, "pooler.dense") != NULL);
	}
	reference_free(&c);
	ckpt_json_free(file);
}

static const unit_case cases[] = {
	{"outputs_equal_the_references", outputs_equal_the_references},
	{"threads_and_repeats_give_the_same_bits", threads_and_repeats_give_the_same_bits},
	{"hidden_states_begin_and_end_as_they_should", hidden_states_begin_and_end_as_they_should},
	{"blocks_are_named_as_the_weights_are", blocks_are_named_as_the_weights_are},
	{"weights_stay_in_the_file", weights_stay_in_the_file},
	{"dtypes_do_not_matter_but_their_values", dtypes_do_not_matter_but_their_values},
	{"a_file_that_shrinks_is_noticed", a_file_that_shrinks_is_noticed},
	{"bad_inputs_are_refused_in_a_sentence", bad_inputs_are_refused_in_a_sentence},
	{"an_incomplete_model_is_refused", an_incomplete_model_is_refused},
	{0},
};
const unit_suite unit_forward = {"forward", cases};
