/* old_files.h -- tokenizers from the files that were written before tokenizer.json */
#ifndef CKPT_TEXT_OLD_FILES_H
#define CKPT_TEXT_OLD_FILES_H
#include "../json.h"
#include "text.h"

/* config: tokenizer_config.json, special: special_tokens_map.json, added: added_tokens.json; each an object, or NULL. */
typedef struct ckpt_text_files {
	const ckpt_buffer *vocabulary, *merges;
	const ckpt_json *config, *special, *added;
} ckpt_text_files;

/* vocab.txt, one token a line: WordPiece as BERT has it. */
ckpt_tokenizer *ckpt_tokenizer_from_lines(const ckpt_text_files *f, ckpt_error *err);
/* vocab.json and merges.txt: byte-level BPE as GPT-2, RoBERTa or Qwen2 have it, by tokenizer_class. */
ckpt_tokenizer *ckpt_tokenizer_from_merges(const ckpt_text_files *f, ckpt_error *err);
#endif
