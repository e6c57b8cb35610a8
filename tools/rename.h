/* rename.h -- --rename REGEX/REPLACEMENT */
#ifndef CKPT_TOOLS_RENAME_H
#define CKPT_TOOLS_RENAME_H
#include "tool.h"

/* Applies each in turn; one that changes no name is remarked upon. */
bool ckpt_rename_all(const ckpt_call *call, ckpt_checkpoint *cp, const ckpt_list *renames, ckpt_error *err);
#endif
