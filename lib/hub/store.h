/* store.h -- what the cache of the Hub holds, whoever put it there: listing, verifying, removing; all without a network */
#ifndef CKPT_HUB_STORE_H
#define CKPT_HUB_STORE_H
#include "hub.h"

typedef struct ckpt_store_revision {
	char commit[41];
	bool named; /* some ref points to it */
} ckpt_store_revision;

typedef struct ckpt_store_blob {
	char *name;     /* SHA-256 or git SHA-1 of the content, or the name of a partial download */
	uint64_t bytes; /* that its removal frees: 0 for a link into the store that several repositories share */
	uint64_t reach; /* size of the content, through links */
	bool partial, missing, linked, needed; /* linked from some snapshot; from a snapshot that has a ref */
} ckpt_store_blob;

typedef struct ckpt_store_file {
	char *name;   /* within its snapshot */
	size_t revision;
	char hash[65]; /* of the blob that it links to; "" for a file of its own (a disk without links) */
	bool broken;  /* the blob is not there */
	uint64_t bytes; /* of a file of its own */
} ckpt_store_file;

typedef struct ckpt_store_repo {
	char *name;   /* "org/name"; data sets and spaces: "datasets/org/name" */
	char *folder, *refs; /* its path; "main, v1" */
	ckpt_store_revision *revisions;
	ckpt_store_blob *blobs; /* by name */
	ckpt_store_file *files;
	size_t revision_count, blob_count, file_count;
} ckpt_store_repo;

typedef struct ckpt_store {
	ckpt_store_repo *repos; /* by name */
	size_t count;
} ckpt_store;

/* An absent cache is an empty one. Free the store also after a failure. */
bool ckpt_store_read(const ckpt_hub *hub, ckpt_store *out, ckpt_error *err);
void ckpt_store_free(ckpt_store *s);
/* NULL when the cache has none of that name; "model/" or "hf://" may stand in front. */
const ckpt_store_repo *ckpt_store_find(const ckpt_store *s, const char *name);
uint64_t ckpt_store_bytes(const ckpt_store_repo *r); /* on the disk, what is shared included */
uint64_t ckpt_store_freed(const ckpt_store_repo *r); /* by its removal */
/* By pruning: partial downloads, blobs that no snapshot with a ref needs, and files of their own in such snapshots. */
uint64_t ckpt_store_prunable(const ckpt_store_repo *r);
/* Tells the hub's progress how many blobs are to be compared, and their bytes. */
void ckpt_store_begin_checks(ckpt_hub *hub, size_t count, uint64_t bytes);
/* A blob that is named by the hash of its content and whole, as far as can be seen. */
bool ckpt_store_can_check(const ckpt_store_blob *b);
/* Compares such a blob with its name; file: what progress calls it. */
bool ckpt_store_check(ckpt_hub *hub, const ckpt_store_repo *r, const ckpt_store_blob *b, const char *file, bool *right, ckpt_error *err);
/* Links are removed, never what they lead to; nothing outside the repository's folder and its locks is touched. A repository that a
 * process pulls into is left, with success and *busy. */
bool ckpt_store_remove(const ckpt_hub *hub, const ckpt_store_repo *r, bool *busy, ckpt_error *err);
/* Likewise; what is removed is what no snapshot with a ref needs now, whatever r says. */
bool ckpt_store_prune(const ckpt_hub *hub, const ckpt_store_repo *r, bool *busy, ckpt_error *err);
#endif
