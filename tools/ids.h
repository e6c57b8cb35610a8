/* ids.h -- arrays of whole numbers from the command line: what goes into a forward pass */
#ifndef CKPT_TOOLS_IDS_H
#define CKPT_TOOLS_IDS_H
#include "tool.h"

/* What was given; NULL: not. */
typedef struct ckpt_input_options {
	const char *ids, *mask, *types, *positions, *decoder_ids, *decoder_mask;
} ckpt_input_options;

/* Rows of an option table for a struct that holds ckpt_input_options as its member `input`. */
#define CKPT_INPUT_OPTION(type, name, field, help)                                                                     \
	{                                                                                                              \
		name, 0, CKPT_OPTION_TEXT, offsetof(type, input.field), "IDS", help, 0, 0                              \
	}
#define CKPT_INPUT_OPTIONS(type)                                                                                       \
	CKPT_INPUT_OPTION(type, "input-ids", ids, "token ids: [[101,7592,102],[...]], or @FILE with them"),            \
		CKPT_INPUT_OPTION(type, "attention-mask", mask, "1 for a token, 0 for padding (default: all 1)"),      \
		CKPT_INPUT_OPTION(type, "token-type-ids", types, "segment of each token (default: all 0)"),            \
		CKPT_INPUT_OPTION(type, "position-ids", positions, "position of each token (default: as the model counts)"),       \
		CKPT_INPUT_OPTION(type, "decoder-input-ids", decoder_ids,                                              \
	                          "tokens of the decoder (default: the input moved to the right, for models that do that)"), \
		CKPT_INPUT_OPTION(type, "decoder-attention-mask", decoder_mask, "the same for the decoder")

/* Paragraph of a description that says what IDS are. */
#define CKPT_INPUT_PARAGRAPH                                                                                           \
	{                                                                                                              \
		"IDS", "Token ids, masks and the like are rows of whole numbers, one row a sequence, all of one length: "    \
		       "`[[101,7592,102],[101,4658,102]]`, or `[101,7592,102]` for one sequence. `@FILE` reads them from a file of "   \
		       "JSON, or from a .npy, .npz or .safetensors file: its tensor of the option's name (`input_ids`), or its only one. "   \
		       "A JSON object counts for its member of that name." \
	}

typedef struct ckpt_ids {
	int64_t *values; /* [rows][columns]; NULL: not given */
	size_t rows, columns;
} ckpt_ids;

/* Everything read and checked for shape; in points into arrays. */
typedef struct ckpt_inputs {
	ckpt_forward_input in;
	ckpt_ids arrays[6];
} ckpt_inputs;

/* Fails with CKPT_E_USAGE and a sentence that names the option. */
bool ckpt_inputs_read(const ckpt_call *call, const ckpt_input_options *options, ckpt_inputs *out, ckpt_error *err);
void ckpt_inputs_free(ckpt_inputs *inputs);
#endif
