/* speak.h -- what the heads of a model say, in words: fillings of masks, answers, continuations */
#ifndef CKPT_TOOLS_SPEAK_H
#define CKPT_TOOLS_SPEAK_H
#include "generation.h"
#include "texts.h"

enum { CKPT_BEST = 5, CKPT_ANSWER_TOKENS = 15, CKPT_GENERATE_DEFAULT = 10 };

/* A mask, and the words that fit best. */
typedef struct ckpt_filling {
	size_t row, position, count;
	uint64_t ids[CKPT_BEST];
	double scores[CKPT_BEST];
} ckpt_filling;

/* A run of characters of the context; none: every token is something else. */
typedef struct ckpt_answer {
	bool found;
	double score;
	uint64_t from, to;
	const char *text; /* its bytes, in the context */
	size_t length;
} ckpt_answer;

typedef struct ckpt_said {
	const ckpt_texts *texts;
	bool fills;       /* the model fills masks; fillings is not NULL then */
	const char *mask; /* how the tokenizer spells a mask; NULL: it has none */
	ckpt_filling *fillings;
	size_t filling_count;
	ckpt_answer *answers;   /* one a row */
	ckpt_generated *generated; /* one a row */
	size_t answer_count, generated_count;
} ckpt_said;

/* What masked language models and question answering made of the texts; nothing for other classes. */
bool ckpt_said_read(ckpt_said *s, const ckpt_texts *texts, const ckpt_model *model, const ckpt_forward_input *in,
                    const ckpt_checkpoint *outputs, ckpt_error *err);
/* Goes on behind every row; outputs: of ckpt_forward_prompt. */
bool ckpt_said_generate(ckpt_said *s, ckpt_forward *f, const ckpt_forward_input *in, const ckpt_checkpoint *outputs,
                        const ckpt_generate_options *how, ckpt_error *err);
void ckpt_said_free(ckpt_said *s);

/* Ids and tokens of the texts, in front of the outputs. */
bool ckpt_said_print_texts(const ckpt_said *s, const ckpt_forward_input *in, ckpt_error *err);
/* What was said, behind the outputs. */
bool ckpt_said_print(const ckpt_said *s, ckpt_error *err);
/* Members of an object, each with a comma in front. */
bool ckpt_said_print_json(const ckpt_said *s, ckpt_error *err);
#endif
