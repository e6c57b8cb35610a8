/* path.h -- the one gate between a string from a file or a server and the file system */
#ifndef CKPT_LIB_PATH_H
#define CKPT_LIB_PATH_H
#include "ckpt.h"
#include "file.h"

/* True for a relative path of plain components that means the same everywhere: not empty, no leading or doubled or
 * trailing '/', no "." or "..", no backslash, no control character, no drive letter ("C:"). what names the string in
 * the message ("shard name"). */
bool ckpt_path_is_plain(const char *name, const char *what, ckpt_error *err);

/* Opens the regular file `name` (checked as above) below `folder`. Symbolic links are followed only while they stay
 * below the folder; the one exception is the Hub cache, where models--x/snapshots/REVISION/... links to
 * ../../blobs/HASH of the same models--x. */
ckpt_file *ckpt_path_open_below(const char *folder, const char *name, ckpt_error *err);

/* "folder/name" (no second slash when folder ends in one; just name when folder is ""), malloced; NULL: no memory. */
char *ckpt_path_join(const char *folder, const char *name, ckpt_error *err);
/* Everything before the last component, malloced: "." for "x", "/" for "/x". */
char *ckpt_path_folder(const char *path, ckpt_error *err);
/* The last component, as a pointer into path. */
const char *ckpt_path_base(const char *path);
/* Puts "path: " in front of the message, unless something deeper down has named it already. Returns false. */
bool ckpt_path_prefix(ckpt_error *err, const char *path);
#endif
