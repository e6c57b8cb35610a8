/* sets.h -- what the commands about models share: the model that the user named, and --set KEY=VALUE */
#ifndef CKPT_TOOLS_SETS_H
#define CKPT_TOOLS_SETS_H
#include "tool.h"

/* The keys and values of --set options; to be freed with ckpt_sets_free, also after a failure. */
bool ckpt_sets_split(const ckpt_list *sets, char ***keys, const char ***values, ckpt_error *err);
void ckpt_sets_free(const ckpt_list *sets, char **keys, const char **values);
/* Applies --set options, all at once. */
bool ckpt_sets_apply(ckpt_config *config, const ckpt_list *sets, ckpt_error *err);
/* The config of a model type ("bert"), a config.json or a folder. A name that is both a type and a path is the type,
 * and a remark says so. type: what the model is, where the file does not say; NULL: seen by the tensors beside it. */
ckpt_config *ckpt_sets_open(const ckpt_call *call, const char *name, const char *type, ckpt_error *err);
#endif
