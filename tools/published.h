/* published.h -- what transformers' own tests expect of published checkpoints, built in */
#ifndef CKPT_TOOLS_PUBLISHED_H
#define CKPT_TOOLS_PUBLISHED_H

typedef struct ckpt_published {
	const char *name; /* "bert-base-uncased" */
	const char *text; /* JSON, see data/reference/README.md */
} ckpt_published;

/* Ends in a row without a name. */
extern const ckpt_published ckpt_published_table[];
#endif
