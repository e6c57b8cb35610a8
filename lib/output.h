/* output.h -- a file that appears whole or not at all */
#ifndef CKPT_LIB_OUTPUT_H
#define CKPT_LIB_OUTPUT_H
#include "ckpt.h"

typedef struct ckpt_output ckpt_output;

/* Starts a file that will be called path: a temporary one in the same folder, without a name where the file system
 * can (then even SIGKILL leaves nothing). size is preallocated (0: unknown). Without force an existing path is refused
 * now and again at commit. A path that is a symlink is replaced by the new file, never written through. */
ckpt_output *ckpt_output_new(const char *path, uint64_t size, bool force, ckpt_error *err);
const char *ckpt_output_path(const ckpt_output *o);
int ckpt_output_fd(const ckpt_output *o);
/* Thread-safe for disjoint ranges. */
bool ckpt_output_write(ckpt_output *o, uint64_t offset, const void *data, size_t length, ckpt_error *err);
/* Sets the final length, and with sync makes the content durable; the file still has no final name. */
bool ckpt_output_finish(ckpt_output *o, uint64_t size, bool sync, ckpt_error *err);
/* Gives the file its name, atomically; with sync the folder is synced too. */
bool ckpt_output_commit(ckpt_output *o, bool sync, ckpt_error *err);
/* Releases everything; what was not committed is gone. NULL is fine. */
void ckpt_output_free(ckpt_output *o);
#endif
