/* bert.c -- BERT: a post-norm encoder with absolute positions and segment embeddings */
#include "config.h"
#include "rows.h"

enum {
	MLM = CKPT_PART_OWN,           /* masked language model */
	NSP = CKPT_PART_OWN << 1,      /* next sentence prediction */
	LABELS = CKPT_PART_OWN << 2,   /* classifier over the labels */
	CHOICE = CKPT_PART_OWN << 3,   /* classifier over one number */
	QA = CKPT_PART_OWN << 4
};

static const ckpt_arch_row rows[] = {
	CKPT_BERT_EMBEDDINGS,
	CKPT_BERT_LAYERS,
	CKPT_LINEAR(CKPT_PART_POOLER, 0, "pooler.dense", "H", "H"),
	{"cls.predictions.bias", "V", MLM, 0, CKPT_INIT_ZERO, 0, NULL, NULL},
	CKPT_LINEAR(MLM, 0, "cls.predictions.transform.dense", "H", "H"),
	CKPT_NORM(MLM, 0, "cls.predictions.transform.LayerNorm", "H"),
	{"cls.predictions.decoder.weight", "V,H", MLM, 0, CKPT_INIT_NORMAL, 0, "embeddings.word_embeddings.weight", NULL},
	{"cls.predictions.decoder.bias", "V", MLM, 0, CKPT_INIT_ZERO, 0, "cls.predictions.bias", NULL},
	CKPT_LINEAR(NSP, 0, "cls.seq_relationship", "2", "H"),
	CKPT_LINEAR(LABELS, 0, "classifier", "N", "H"),
	CKPT_LINEAR(CHOICE, 0, "classifier", "1", "H"),
	CKPT_LINEAR(QA, 0, "qa_outputs", "N", "H"),
	{0},
};

static const ckpt_arch_class classes[] = {
	{"BertModel", "", CKPT_PART_BODY | CKPT_PART_POOLER, 0},
	{"BertForPreTraining", "bert.", CKPT_PART_BODY | CKPT_PART_POOLER | MLM | NSP, 0},
	{"BertForMaskedLM", "bert.", CKPT_PART_BODY | MLM, 0},
	{"BertLMHeadModel", "bert.", CKPT_PART_BODY | MLM, CKPT_CLASS_GENERATES},
	{"BertForNextSentencePrediction", "bert.", CKPT_PART_BODY | CKPT_PART_POOLER | NSP, 0},
	{"BertForSequenceClassification", "bert.", CKPT_PART_BODY | CKPT_PART_POOLER | LABELS, 0},
	{"BertForTokenClassification", "bert.", CKPT_PART_BODY | LABELS, 0},
	{"BertForMultipleChoice", "bert.", CKPT_PART_BODY | CKPT_PART_POOLER | CHOICE, 0},
	{"BertForQuestionAnswering", "bert.", CKPT_PART_BODY | QA, 0},
	{0},
};

static const ckpt_arch_symbol symbols[] = {CKPT_BERT_SYMBOLS, {'E', NULL, "H"}, {'D', NULL, "H/A"}, {0}};
static const char *const ignored[] = {"*embeddings.position_ids", "*embeddings.token_type_ids", NULL};

static bool check(const ckpt_config *config, ckpt_error *err) { return ckpt_bert_check(config, err); }
static uint32_t when(const ckpt_config *config) { return ckpt_bert_when(config); }

const ckpt_arch ckpt_arch_bert = {
	.type = "bert",
	.config_class = "BertConfig",
	.prefix = "bert.",
	.body = CKPT_PART_BODY | CKPT_PART_POOLER,
	.std_key = "initializer_range",
	.rows = rows,
	.symbols = symbols,
	.classes = classes,
	.ignored = ignored,
	.layers = {'L', 0},
	.layer_keys = {"num_hidden_layers", NULL},
	.check = check,
	.when = when,
};
