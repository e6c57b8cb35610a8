/* model_folder.h -- what the files of a model's folder are, by their names */
#ifndef CKPT_MODEL_FOLDER_H
#define CKPT_MODEL_FOLDER_H
#include "../lib/buffer.h"
#include "../lib/ckpt.h"

/* File names of a folder, sorted; start with {0}. */
typedef struct ckpt_file_list {
	char **names;
	size_t count, capacity;
} ckpt_file_list;

void ckpt_file_list_free(ckpt_file_list *list);
/* The regular files (also behind links) whose names pass. */
bool ckpt_file_list_read(ckpt_file_list *list, const char *folder, bool (*wanted)(const char *name), ckpt_error *err);
/* The folders below it that are not hidden. */
bool ckpt_file_list_folders(ckpt_file_list *list, const char *folder, ckpt_error *err);
bool ckpt_file_list_has(const ckpt_file_list *list, const char *name);
/* Up to five names and how many more; those whose skip[i] is true are left out (skip may be NULL). */
void ckpt_file_list_print(const ckpt_file_list *list, const bool *skip, ckpt_buffer *b);

/* An index of shards. */
bool ckpt_is_index_file(const char *name);
/* Weights or an index, by suffix; not what training leaves beside them in the same formats (optimizer.pt, ...). */
bool ckpt_is_weight_file(const char *name);
/* config.json, tokenizer and other small files that go where the weights go. */
bool ckpt_is_companion_file(const char *name);
/* Place in the order in which transformers looks for weights, 0 first; SIZE_MAX for other names. */
size_t ckpt_weight_rank(const char *name);
/* True for STEM.SUFFIX, its index, and its shards STEM-00001-of-00002.SUFFIX. */
bool ckpt_is_of_family(const char *name, const char *stem, const char *suffix);
#endif
