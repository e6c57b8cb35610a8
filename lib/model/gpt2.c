/* gpt2.c -- GPT-2: a pre-norm decoder whose linear layers are stored (in, out) */
#include "config.h"
#include "rows.h"

enum {
	LM = CKPT_PART_OWN,
	SCORE = CKPT_PART_OWN << 1,
	LABELS = CKPT_PART_OWN << 2,
	QA = CKPT_PART_OWN << 3,
	DOUBLE = CKPT_PART_OWN << 4
};

/* Conv1D of the original code: a linear layer stored the other way round. */
#define CONV(when, name, in, out, over)                                                                                \
	{name ".weight", in "," out, CKPT_PART_BODY, when, CKPT_INIT_NORMAL, 0, NULL, over},                           \
	CKPT_BIAS(CKPT_PART_BODY, when, name, out)

static const ckpt_arch_row rows[] = {
	CKPT_MATRIX(CKPT_PART_BODY, 0, "wte", "V", "H"),
	CKPT_MATRIX(CKPT_PART_BODY, 0, "wpe", "P", "H"),
	CKPT_NORM(CKPT_PART_BODY, 0, "h.{L}.ln_1", "H"),
	CONV(0, "h.{L}.attn.c_attn", "H", "3*H", NULL),
	CONV(0, "h.{L}.attn.c_proj", "H", "H", "2*L"),
	CKPT_NORM(CKPT_PART_BODY, 0, "h.{L}.ln_2", "H"),
	CONV(CKPT_WHEN_CROSS, "h.{L}.crossattention.c_attn", "H", "2*H", NULL),
	CONV(CKPT_WHEN_CROSS, "h.{L}.crossattention.q_attn", "H", "H", NULL),
	CONV(CKPT_WHEN_CROSS, "h.{L}.crossattention.c_proj", "H", "H", "2*L"),
	CKPT_NORM(CKPT_PART_BODY, CKPT_WHEN_CROSS, "h.{L}.ln_cross_attn", "H"),
	CONV(0, "h.{L}.mlp.c_fc", "H", "I", NULL),
	CONV(0, "h.{L}.mlp.c_proj", "I", "H", "2*L"),
	CKPT_NORM(CKPT_PART_BODY, 0, "ln_f", "H"),
	{"lm_head.weight", "V,H", LM, 0, CKPT_INIT_NORMAL, 0, "wte.weight", NULL},
	CKPT_LINEAR(DOUBLE, CKPT_WHEN_TO_LABELS, "multiple_choice_head.summary", "1", "H"),
	CKPT_LINEAR(DOUBLE, CKPT_WHEN_TO_HIDDEN, "multiple_choice_head.summary", "H", "H"),
	CKPT_MATRIX(SCORE, 0, "score", "N", "H"),
	CKPT_LINEAR(LABELS, 0, "classifier", "N", "H"),
	CKPT_LINEAR(QA, 0, "qa_outputs", "2", "H"),
	{0},
};

static const ckpt_arch_class classes[] = {
	{"GPT2Model", "", CKPT_PART_BODY, 0},
	{"GPT2LMHeadModel", "transformer.", CKPT_PART_BODY | LM, CKPT_CLASS_GENERATES},
	{"GPT2DoubleHeadsModel", "transformer.", CKPT_PART_BODY | LM | DOUBLE,
	 CKPT_CLASS_GENERATES | CKPT_CLASS_ONE_LABEL},
	{"GPT2ForSequenceClassification", "transformer.", CKPT_PART_BODY | SCORE, 0},
	{"GPT2ForTokenClassification", "transformer.", CKPT_PART_BODY | LABELS, 0},
	{"GPT2ForQuestionAnswering", "transformer.", CKPT_PART_BODY | QA, 0},
	{0},
};

static const ckpt_arch_symbol symbols[] = {
	{'V', "vocab_size", NULL}, {'H', "n_embd", NULL},   {'L', "n_layer", NULL}, {'A', "n_head", NULL},
	{'I', "n_inner", "4*H"},   {'P', "n_positions", NULL}, {'D', NULL, "H/A"},     {0}};
static const ckpt_arch_alias aliases[] = {{"hidden_size", "n_embd", NULL},
                                          {"max_position_embeddings", "n_positions", NULL},
                                          {"num_attention_heads", "n_head", NULL},
                                          {"num_hidden_layers", "n_layer", NULL},
                                          {"n_ctx", NULL, "n_positions"},
                                          {0}};
static const char *const ignored[] = {"*.attn.bias", "*.attn.masked_bias", "*.crossattention.bias",
                                      "*.crossattention.masked_bias", NULL};

static bool check(const ckpt_config *config, ckpt_error *err)
{
	return ckpt_config_divides(config, "n_embd", "n_head", err);
}

static uint32_t when(const ckpt_config *config)
{
	uint32_t bits = 0;
	if (ckpt_config_bool(config, "add_cross_attention", false)) bits |= CKPT_WHEN_CROSS;
	if (ckpt_config_bool(config, "summary_use_proj", true))
		bits |= ckpt_config_bool(config, "summary_proj_to_labels", true) ? CKPT_WHEN_TO_LABELS : CKPT_WHEN_TO_HIDDEN;
	return bits;
}

const ckpt_arch ckpt_arch_gpt2 = {
	.type = "gpt2",
	.config_class = "GPT2Config",
	.prefix = "transformer.",
	.body = CKPT_PART_BODY,
	.std_key = "initializer_range",
	.rows = rows,
	.symbols = symbols,
	.aliases = aliases,
	.classes = classes,
	.ignored = ignored,
	.layers = {'L', 0},
	.layer_keys = {"n_layer", NULL},
	.check = check,
	.when = when,
};
