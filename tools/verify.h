/* verify.h -- ckpt verify: its checks, and the verdict that they add up to */
#ifndef CKPT_TOOLS_VERIFY_H
#define CKPT_TOOLS_VERIFY_H
#include "../lib/buffer.h"
#include "ids.h"
#include "model_open.h"
#include "texts.h"
#include "tool.h"

typedef enum ckpt_check_state { CKPT_CHECK_SKIPPED, CKPT_CHECK_PASSED, CKPT_CHECK_FAILED } ckpt_check_state;

enum { CKPT_REASONS_SHOWN = 20 };

/* One check: a line that says what was looked at, reasons when it failed, further members of its JSON object. */
typedef struct ckpt_check {
	const char *name; /* "structure" */
	ckpt_check_state state;
	ckpt_buffer summary, reasons, details, json; /* reasons and details: lines, escaped */
	size_t reason_count;
} ckpt_check;

typedef struct ckpt_verify_options {
	ckpt_input_options input;
	ckpt_text_options text;
	const char *config, *class_name, *type, *against, *expect;
	double atol, rtol; /* below 0: as each check has it */
	uint64_t seed;
	bool per_layer, json;
} ckpt_verify_options;

enum { CKPT_CHECK_STRUCTURE, CKPT_CHECK_NUMBERS, CKPT_CHECK_FORWARD, CKPT_CHECK_AGAINST, CKPT_CHECK_EXPECT, CKPT_CHECK_COUNT };

typedef struct ckpt_verify {
	const ckpt_call *call;
	const ckpt_verify_options *options;
	const char *path;
	ckpt_opened model;
	ckpt_inputs inputs;   /* given, or drawn from the seed */
	const char *tokenizer; /* the kind of what made ids of texts, MODEL's for both models; NULL: there were no texts */
	char *first_block;    /* of --against: that differs; NULL: none does */
	ckpt_check checks[CKPT_CHECK_COUNT];
} ckpt_verify;

/* Each returns false when it could not be made, which is no verdict. */
bool ckpt_verify_structure(ckpt_verify *v, ckpt_error *err);
bool ckpt_verify_numbers(ckpt_verify *v, ckpt_error *err);
bool ckpt_verify_forward(ckpt_verify *v, ckpt_error *err);
bool ckpt_verify_against(ckpt_verify *v, ckpt_error *err);
bool ckpt_verify_expect(ckpt_verify *v, ckpt_error *err);

/* The check passed unless it has failed. */
void ckpt_check_done(ckpt_check *c);
/* It fails, and this is why. */
void ckpt_check_fail(ckpt_check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A line of details, shown with --per-layer. */
void ckpt_check_detail(ckpt_check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
void ckpt_check_free(ckpt_check *c);
/* "name":NUMBER, with null for NaN and a string for infinities. */
void ckpt_json_real(ckpt_buffer *b, const char *name, double value);

bool ckpt_verify_print_text(const ckpt_verify *v, ckpt_error *err);
bool ckpt_verify_print_json(const ckpt_verify *v, ckpt_error *err);

/* ---- verify_inputs.c ---- */

/* Ids from the seed, fit for the class: two rows of up to 16, the second with padding at its end. */
bool ckpt_verify_draw(const ckpt_model *model, uint64_t seed, ckpt_inputs *out, ckpt_error *err);

/* ---- verify_blocks.c: outputs block by block ---- */

typedef struct ckpt_block {
	char *name;
	uint64_t count;
	float *values;
	/* of the other pass, after ckpt_blocks_compare */
	bool compared, same;
	double max_abs, relative, cosine; /* relative: max_abs by the largest |value| */
} ckpt_block;

typedef struct ckpt_blocks {
	ckpt_block *items;
	size_t count, capacity;
} ckpt_blocks;

/* Runs the model and keeps every block's output. outputs may be NULL. */
bool ckpt_blocks_record(const ckpt_verify *v, const ckpt_model *model, const ckpt_inputs *inputs, ckpt_blocks *out,
                        ckpt_checkpoint **outputs, ckpt_error *err);
/* Runs another model, or the same in double precision, and compares each block with its namesake; the same within
 * |a - b| <= atol + rtol |a|. Only one block of it is in memory at a time. */
bool ckpt_blocks_compare(const ckpt_verify *v, ckpt_blocks *blocks, const ckpt_model *other, const ckpt_inputs *inputs, bool f64,
                         double atol, double rtol, ckpt_error *err);
void ckpt_blocks_free(ckpt_blocks *b);
/* Appends ,"blocks":[...], each with "same" when `same` is set. */
void ckpt_blocks_json(const ckpt_blocks *b, bool same, ckpt_buffer *json);
#endif
