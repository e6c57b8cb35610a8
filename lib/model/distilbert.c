/* distilbert.c -- DistilBERT: BERT without segments and pooler */
#include "config.h"
#include "rows.h"

enum {
	MLM = CKPT_PART_OWN,
	SEQUENCE = CKPT_PART_OWN << 1,
	TOKENS = CKPT_PART_OWN << 2,
	CHOICE = CKPT_PART_OWN << 3,
	QA = CKPT_PART_OWN << 4
};

#define LAYER "transformer.layer.{L}"

static const ckpt_arch_row rows[] = {
	{"embeddings.word_embeddings.weight", "V,H", CKPT_PART_BODY, 0, CKPT_INIT_NORMAL, CKPT_ROW_PAD, NULL, NULL},
	{"embeddings.position_embeddings.weight", "P,H", CKPT_PART_BODY, 0, CKPT_INIT_SINUSOID, 0, NULL, NULL},
	CKPT_NORM(CKPT_PART_BODY, 0, "embeddings.LayerNorm", "H"),
	CKPT_LINEAR(CKPT_PART_BODY, 0, LAYER ".attention.q_lin", "H", "H"),
	CKPT_LINEAR(CKPT_PART_BODY, 0, LAYER ".attention.k_lin", "H", "H"),
	CKPT_LINEAR(CKPT_PART_BODY, 0, LAYER ".attention.v_lin", "H", "H"),
	CKPT_LINEAR(CKPT_PART_BODY, 0, LAYER ".attention.out_lin", "H", "H"),
	CKPT_NORM(CKPT_PART_BODY, 0, LAYER ".sa_layer_norm", "H"),
	CKPT_LINEAR(CKPT_PART_BODY, 0, LAYER ".ffn.lin1", "I", "H"),
	CKPT_LINEAR(CKPT_PART_BODY, 0, LAYER ".ffn.lin2", "H", "I"),
	CKPT_NORM(CKPT_PART_BODY, 0, LAYER ".output_layer_norm", "H"),
	CKPT_LINEAR(MLM, 0, "vocab_transform", "H", "H"),
	CKPT_NORM(MLM, 0, "vocab_layer_norm", "H"),
	{"vocab_projector.weight", "V,H", MLM, 0, CKPT_INIT_NORMAL, 0, "embeddings.word_embeddings.weight", NULL},
	CKPT_BIAS(MLM, 0, "vocab_projector", "V"),
	CKPT_LINEAR(SEQUENCE | CHOICE, 0, "pre_classifier", "H", "H"),
	CKPT_LINEAR(SEQUENCE | TOKENS, 0, "classifier", "N", "H"),
	CKPT_LINEAR(CHOICE, 0, "classifier", "1", "H"),
	CKPT_LINEAR(QA, 0, "qa_outputs", "2", "H"),
	{0},
};

static const ckpt_arch_class classes[] = {
	{"DistilBertModel", "", CKPT_PART_BODY, 0},
	{"DistilBertForMaskedLM", "distilbert.", CKPT_PART_BODY | MLM, 0},
	{"DistilBertForSequenceClassification", "distilbert.", CKPT_PART_BODY | SEQUENCE, 0},
	{"DistilBertForTokenClassification", "distilbert.", CKPT_PART_BODY | TOKENS, 0},
	{"DistilBertForMultipleChoice", "distilbert.", CKPT_PART_BODY | CHOICE, 0},
	{"DistilBertForQuestionAnswering", "distilbert.", CKPT_PART_BODY | QA, CKPT_CLASS_TWO_LABELS},
	{0},
};

static const ckpt_arch_symbol symbols[] = {
	{'V', "vocab_size", NULL}, {'H', "dim", NULL},        {'L', "n_layers", NULL},
	{'A', "n_heads", NULL},    {'I', "hidden_dim", NULL}, {'P', "max_position_embeddings", NULL},
	{'D', NULL, "H/A"},        {0}};
static const ckpt_arch_alias aliases[] = {{"hidden_size", "dim", NULL},
                                          {"num_attention_heads", "n_heads", NULL},
                                          {"num_hidden_layers", "n_layers", NULL},
                                          {0}};
static const char *const ignored[] = {"*embeddings.position_ids", NULL};

static bool check(const ckpt_config *config, ckpt_error *err)
{
	return ckpt_config_divides(config, "dim", "n_heads", err);
}

const ckpt_arch ckpt_arch_distilbert = {
	.type = "distilbert",
	.config_class = "DistilBertConfig",
	.prefix = "distilbert.",
	.body = CKPT_PART_BODY,
	.std_key = "initializer_range",
	.rows = rows,
	.symbols = symbols,
	.aliases = aliases,
	.classes = classes,
	.ignored = ignored,
	.layers = {'L', 0},
	.layer_keys = {"n_layers", NULL},
	.check = check,
};
