/* roberta.c -- RoBERTa: BERT's body with positions that start behind the padding id, and heads of its own */
#include "config.h"
#include "rows.h"

enum {
	LM = CKPT_PART_OWN,
	SEQUENCE = CKPT_PART_OWN << 1,
	TOKENS = CKPT_PART_OWN << 2,
	CHOICE = CKPT_PART_OWN << 3,
	QA = CKPT_PART_OWN << 4
};

static const ckpt_arch_row rows[] = {
	{"embeddings.word_embeddings.weight", "V,E", CKPT_PART_BODY, 0, CKPT_INIT_NORMAL, CKPT_ROW_PAD, NULL, NULL},
	CKPT_MATRIX(CKPT_PART_BODY, 0, "embeddings.token_type_embeddings", "T", "E"),
	CKPT_NORM(CKPT_PART_BODY, 0, "embeddings.LayerNorm", "E"),
	{"embeddings.position_embeddings.weight", "P,E", CKPT_PART_BODY, 0, CKPT_INIT_NORMAL, CKPT_ROW_PAD, NULL, NULL},
	CKPT_BERT_LAYERS,
	CKPT_LINEAR(CKPT_PART_POOLER, 0, "pooler.dense", "H", "H"),
	{"lm_head.bias", "V", LM, 0, CKPT_INIT_ZERO, 0, NULL, NULL},
	CKPT_LINEAR(LM, 0, "lm_head.dense", "H", "H"),
	CKPT_NORM(LM, 0, "lm_head.layer_norm", "H"),
	{"lm_head.decoder.weight", "V,H", LM, 0, CKPT_INIT_NORMAL, 0, "embeddings.word_embeddings.weight", NULL},
	{"lm_head.decoder.bias", "V", LM, 0, CKPT_INIT_ZERO, 0, "lm_head.bias", NULL},
	CKPT_LINEAR(SEQUENCE, 0, "classifier.dense", "H", "H"),
	CKPT_LINEAR(SEQUENCE, 0, "classifier.out_proj", "N", "H"),
	CKPT_LINEAR(TOKENS, 0, "classifier", "N", "H"),
	CKPT_LINEAR(CHOICE, 0, "classifier", "1", "H"),
	CKPT_LINEAR(QA, 0, "qa_outputs", "N", "H"),
	{0},
};

static const ckpt_arch_class classes[] = {
	{"RobertaModel", "", CKPT_PART_BODY | CKPT_PART_POOLER, 0},
	{"RobertaForMaskedLM", "roberta.", CKPT_PART_BODY | LM, 0},
	{"RobertaForCausalLM", "roberta.", CKPT_PART_BODY | LM, CKPT_CLASS_GENERATES},
	{"RobertaForSequenceClassification", "roberta.", CKPT_PART_BODY | SEQUENCE, 0},
	{"RobertaForTokenClassification", "roberta.", CKPT_PART_BODY | TOKENS, 0},
	{"RobertaForMultipleChoice", "roberta.", CKPT_PART_BODY | CKPT_PART_POOLER | CHOICE, 0},
	{"RobertaForQuestionAnswering", "roberta.", CKPT_PART_BODY | QA, 0},
	{0},
};

static const ckpt_arch_symbol symbols[] = {CKPT_BERT_SYMBOLS, {'E', NULL, "H"}, {'D', NULL, "H/A"}, {0}};
static const char *const ignored[] = {"*embeddings.position_ids", "*embeddings.token_type_ids", NULL};
static const ckpt_arch_alias spellings[] = {{"lm_head.weight", "lm_head.decoder.weight", NULL}, {0}};

static bool check(const ckpt_config *config, ckpt_error *err) { return ckpt_bert_check(config, err); }
static uint32_t when(const ckpt_config *config) { return ckpt_bert_when(config); }

const ckpt_arch ckpt_arch_roberta = {
	.type = "roberta",
	.config_class = "RobertaConfig",
	.prefix = "roberta.",
	.body = CKPT_PART_BODY | CKPT_PART_POOLER,
	.std_key = "initializer_range",
	.rows = rows,
	.symbols = symbols,
	.classes = classes,
	.ignored = ignored,
	.spellings = spellings,
	.layers = {'L', 0},
	.layer_keys = {"num_hidden_layers", NULL},
	.check = check,
	.when = when,
};
