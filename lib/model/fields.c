/* fields.c -- what each known key of a config may hold */
#include "fields.h"
#include "../dtype.h"
#include "../error.h"
#include <stdio.h>
#include <string.h>

#define INT(key, min, max) {key, CKPT_FIELD_INT, false, min, max}
#define INT_OR_NULL(key, min, max) {key, CKPT_FIELD_INT, true, min, max}
#define FLOAT(key, min, max) {key, CKPT_FIELD_FLOAT, false, min, max}
#define PART(key) {key, CKPT_FIELD_FLOAT, true, 0, 1}
#define BOOL(key) {key, CKPT_FIELD_BOOL, false, 0, 0}
#define TEXT(key) {key, CKPT_FIELD_TEXT, false, 0, 0}
#define OTHER(key, kind, nullable) {key, CKPT_FIELD_##kind, nullable, 0, 0}

/* Far above every model there is; they keep products within 64 bits and lists of tensors within memory. */
#define MAX_LAYERS 10000
#define MAX_HEADS 65536
#define MAX_WIDTH 16777216
#define MAX_LABELS 1000000
#define MAX_ROWS 2147483647

static const ckpt_field fields[] = {
	/* sizes */
	INT("vocab_size", 1, MAX_ROWS),
	INT("hidden_size", 1, MAX_WIDTH),
	INT("n_embd", 1, MAX_WIDTH),
	INT("dim", 1, MAX_WIDTH),
	INT("d_model", 1, MAX_WIDTH),
	INT("d_kv", 1, MAX_WIDTH),
	INT("d_ff", 1, MAX_WIDTH),
	INT("hidden_dim", 1, MAX_WIDTH),
	INT("intermediate_size", 1, MAX_WIDTH),
	INT("ffn_dim", 1, MAX_WIDTH),
	INT("encoder_ffn_dim", 1, MAX_WIDTH),
	INT("decoder_ffn_dim", 1, MAX_WIDTH),
	INT("embedding_size", 1, MAX_WIDTH),
	INT_OR_NULL("word_embed_proj_dim", 1, MAX_WIDTH),
	INT_OR_NULL("n_inner", 1, MAX_WIDTH),
	INT_OR_NULL("head_dim", 1, MAX_WIDTH),
	INT("num_hidden_layers", 1, MAX_LAYERS),
	INT("n_layer", 1, MAX_LAYERS),
	INT("n_layers", 1, MAX_LAYERS),
	INT("num_layers", 1, MAX_LAYERS),
	INT("encoder_layers", 1, MAX_LAYERS),
	INT("decoder_layers", 1, MAX_LAYERS),
	INT_OR_NULL("num_decoder_layers", 1, MAX_LAYERS),
	INT("num_hidden_groups", 1, MAX_LAYERS),
	INT("inner_group_num", 1, MAX_LAYERS),
	INT("num_attention_heads", 1, MAX_HEADS),
	INT("n_head", 1, MAX_HEADS),
	INT("n_heads", 1, MAX_HEADS),
	INT("num_heads", 1, MAX_HEADS),
	INT("encoder_attention_heads", 1, MAX_HEADS),
	INT("decoder_attention_heads", 1, MAX_HEADS),
	INT_OR_NULL("num_key_value_heads", 1, MAX_HEADS),
	INT("max_position_embeddings", 1, MAX_ROWS),
	INT("n_positions", 1, MAX_ROWS),
	INT("type_vocab_size", 1, MAX_ROWS),
	INT("relative_attention_num_buckets", 2, MAX_ROWS),
	INT("relative_attention_max_distance", 1, MAX_ROWS),
	INT_OR_NULL("sliding_window", 1, MAX_ROWS),
	INT("max_window_layers", 0, MAX_ROWS),
	INT_OR_NULL("pretraining_tp", 1, MAX_HEADS),
	INT("chunk_size_feed_forward", 0, MAX_ROWS),
	INT("num_labels", 1, MAX_LABELS),
	/* numbers */
	FLOAT("initializer_range", 0, 1e30),
	FLOAT("init_std", 0, 1e30),
	FLOAT("initializer_factor", 0, 1e30),
	FLOAT("layer_norm_eps", 0, 1),
	FLOAT("layer_norm_epsilon", 0, 1),
	FLOAT("rms_norm_eps", 0, 1),
	FLOAT("rope_theta", 1e-30, 1e30),
	PART("hidden_dropout_prob"),
	PART("attention_probs_dropout_prob"),
	PART("classifier_dropout"),
	PART("classifier_dropout_prob"),
	PART("dropout"),
	PART("dropout_rate"),
	PART("attention_dropout"),
	PART("activation_dropout"),
	PART("qa_dropout"),
	PART("seq_classif_dropout"),
	PART("resid_pdrop"),
	PART("embd_pdrop"),
	PART("attn_pdrop"),
	PART("summary_first_dropout"),
	PART("summary_last_dropout"),
	PART("encoder_layerdrop"),
	PART("decoder_layerdrop"),
	PART("layerdrop"),
	/* switches */
	BOOL("use_cache"),
	BOOL("is_decoder"),
	BOOL("is_encoder_decoder"),
	BOOL("add_cross_attention"),
	BOOL("tie_word_embeddings"),
	BOOL("sinusoidal_pos_embds"),
	BOOL("summary_use_proj"),
	BOOL("summary_proj_to_labels"),
	BOOL("scale_attn_weights"),
	BOOL("scale_attn_by_inverse_layer_idx"),
	BOOL("reorder_and_upcast_attn"),
	BOOL("scale_embedding"),
	BOOL("attention_bias"),
	BOOL("mlp_bias"),
	BOOL("use_sliding_window"),
	BOOL("do_layer_norm_before"),
	BOOL("_remove_final_layer_norm"),
	BOOL("enable_bias"),
	BOOL("layer_norm_elementwise_affine"),
	BOOL("is_gated_act"),
	BOOL("scale_decoder_outputs"),
	BOOL("return_dict"),
	BOOL("output_hidden_states"),
	BOOL("output_attentions"),
	/* words */
	OTHER("hidden_act", ACTIVATION, false),
	OTHER("activation", ACTIVATION, false),
	OTHER("activation_function", ACTIVATION, false),
	OTHER("dense_act_fn", ACTIVATION, false),
	OTHER("dtype", DTYPE, true),
	OTHER("torch_dtype", DTYPE, true),
	TEXT("model_type"),
	TEXT("feed_forward_proj"),
	TEXT("position_embedding_type"),
	TEXT("summary_type"),
	OTHER("summary_activation", TEXT, true),
	OTHER("problem_type", TEXT, true),
	TEXT("transformers_version"),
	/* token ids */
	OTHER("pad_token_id", TOKEN, true),
	OTHER("bos_token_id", TOKEN, true),
	OTHER("eos_token_id", TOKEN, true),
	OTHER("decoder_start_token_id", TOKEN, true),
	OTHER("forced_eos_token_id", TOKEN, true),
	OTHER("forced_bos_token_id", TOKEN, true),
	/* structures */
	OTHER("id2label", ID_LABELS, true),
	OTHER("label2id", LABEL_IDS, true),
	OTHER("architectures", TEXTS, true),
	OTHER("layer_types", TEXTS, true),
	OTHER("rope_parameters", DICT, true),
	OTHER("rope_scaling", DICT, true),
	OTHER("pruned_heads", EMPTY_DICT, true),
	{NULL, CKPT_FIELD_INT, false, 0, 0},
};

const ckpt_field *ckpt_field_find(const char *key)
{
	for (const ckpt_field *f = fields; f->key; f++)
		if (!strcmp(f->key, key)) return f;
	return NULL;
}

bool ckpt_activation_known(const char *name)
{
	static const char *const known[] = {"gelu", "gelu_10", "gelu_accurate", "gelu_fast", "gelu_new", "gelu_python",
	                                    "gelu_python_tanh", "gelu_pytorch_tanh", "hardswish", "laplace", "leaky_relu",
	                                    "linear", "mish", "quick_gelu", "relu", "relu2", "relu6", "sigmoid", "silu",
	                                    "swish", "tanh"};
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (!strcmp(known[i], name)) return true;
	return false;
}

/* ---- checking -------------------------------------------------------------------------------------------------- */

/* "hidden_size is 1.5; an integer from 1 to 16777216 is wanted" */
static bool refuse(const ckpt_field *field, const ckpt_node *value, ckpt_error *err, const char *wanted)
{
	ckpt_buffer b = {0};
	ckpt_node_print(&b, value, false);
	if (b.length > 80 && b.data) memcpy(b.data + 77, "...", 4);
	ckpt_fail(err, CKPT_E_USAGE, "%s is %s; %s%s is wanted", field->key, b.data ? b.data : "", wanted,
	          field->nullable ? " or null" : "");
	ckpt_buffer_free(&b);
	return false;
}

static bool check_number(const ckpt_field *field, const ckpt_node *value, ckpt_error *err)
{
	char wanted[96];
	double real;
	bool integer = field->kind == CKPT_FIELD_INT;
	bool fits = ckpt_node_f64(value, &real) && !(integer && value->kind != CKPT_NODE_INT) && real >= field->min &&
	            real <= field->max;
	if (fits) return true;
	ckpt_buffer min = {0}, max = {0};
	ckpt_float_repr(&min, field->min);
	ckpt_float_repr(&max, field->max);
	if (integer)
		snprintf(wanted, sizeof wanted, "an integer from %.0f to %.0f", field->min, field->max);
	else
		snprintf(wanted, sizeof wanted, "a number from %s to %s", min.data ? min.data : "", max.data ? max.data : "");
	ckpt_buffer_free(&min);
	ckpt_buffer_free(&max);
	return refuse(field, value, err, wanted);
}

static bool check_token(const ckpt_field *field, const ckpt_node *value, ckpt_error *err)
{
	int64_t id;
	const ckpt_node *at = value->kind == CKPT_NODE_LIST ? value->child : value;
	for (; at; at = value->kind == CKPT_NODE_LIST ? at->next : NULL)
		if (!ckpt_node_i64(at, &id) || id < -1 || id > MAX_ROWS) return refuse(field, value, err, "a token id");
	return true;
}

static bool check_labels(const ckpt_field *field, const ckpt_node *value, ckpt_error *err)
{
	uint64_t id;
	bool names = field->kind == CKPT_FIELD_ID_LABELS;
	const char *wanted = names ? "an object of numbered labels ({\"0\": \"LABEL_0\"})" :
	                             "an object of labels and their numbers ({\"LABEL_0\": 0})";
	if (value->kind != CKPT_NODE_DICT || value->count > MAX_LABELS) return refuse(field, value, err, wanted);
	for (const ckpt_node *n = value->child; n; n = n->next) {
		bool decimal = n->key[0] && !n->key[strspn(n->key, "0123456789")];
		if (names ? !decimal || n->kind != CKPT_NODE_STRING : !ckpt_node_u64(n, &id))
			return refuse(field, value, err, wanted);
	}
	return true;
}

static bool check_texts(const ckpt_field *field, const ckpt_node *value, ckpt_error *err)
{
	if (value->kind != CKPT_NODE_LIST) return refuse(field, value, err, "a list of strings");
	for (const ckpt_node *n = value->child; n; n = n->next)
		if (n->kind != CKPT_NODE_STRING) return refuse(field, value, err, "a list of strings");
	return true;
}

bool ckpt_field_check(const ckpt_field *field, const ckpt_node *value, ckpt_error *err)
{
	if (value->kind == CKPT_NODE_NULL && field->nullable) return true;
	bool text = value->kind == CKPT_NODE_STRING;
	switch (field->kind) {
	case CKPT_FIELD_INT:
	case CKPT_FIELD_FLOAT: return check_number(field, value, err);
	case CKPT_FIELD_BOOL: return value->kind == CKPT_NODE_BOOL || refuse(field, value, err, "true or false");
	case CKPT_FIELD_TEXT: return text || refuse(field, value, err, "a string");
	case CKPT_FIELD_ACTIVATION:
		return (text && ckpt_activation_known(value->text)) ||
		       refuse(field, value, err, "the name of a known activation function (gelu, gelu_new, relu, silu, ...)");
	case CKPT_FIELD_DTYPE:
		return (text && (!strcmp(value->text, "auto") || ckpt_dtype_parse(value->text) != CKPT_DTYPE_NONE)) ||
		       refuse(field, value, err, "the name of a dtype (float32, bfloat16, ...)");
	case CKPT_FIELD_TOKEN: return check_token(field, value, err);
	case CKPT_FIELD_ID_LABELS:
	case CKPT_FIELD_LABEL_IDS: return check_labels(field, value, err);
	case CKPT_FIELD_TEXTS: return check_texts(field, value, err);
	case CKPT_FIELD_DICT: return value->kind == CKPT_NODE_DICT || refuse(field, value, err, "an object");
	case CKPT_FIELD_EMPTY_DICT:
		if (value->kind != CKPT_NODE_DICT) return refuse(field, value, err, "an object");
		return !value->count || ckpt_fail(err, CKPT_E_UNSUPPORTED, "%s is not empty: models with pruned heads are not "
		                                                           "supported", field->key);
	}
	return true;
}

/* ---- what a person types --------------------------------------------------------------------------------------- */

ckpt_node *ckpt_field_parse(ckpt_arena *a, const ckpt_field *field, const char *text, ckpt_error *err)
{
	static const char *const python[][2] = {{"None", "null"}, {"True", "true"}, {"False", "false"}};
	bool words = field && (field->kind == CKPT_FIELD_TEXT || field->kind == CKPT_FIELD_ACTIVATION ||
	                       field->kind == CKPT_FIELD_DTYPE);
	ckpt_node *node;
	for (size_t i = 0; i < 3; i++)
		if (!strcmp(text, python[i][0])) text = python[i][1];
	node = words && strcmp(text, "null") != 0 && text[0] != '"' ? NULL : ckpt_node_parse(a, text, strlen(text), NULL);
	if (!node) node = ckpt_node_new_string(a, text);
	if (!node) return ckpt_fail_nomem(err), NULL;
	if (field && field->kind == CKPT_FIELD_DTYPE && node->kind == CKPT_NODE_STRING) {
		ckpt_dtype dtype = ckpt_dtype_parse(node->text);
		const char *torch = dtype == CKPT_DTYPE_NONE ? NULL : ckpt_dtype_get(dtype)->torch;
		if (torch) node->text = torch;
	}
	return node;
}
