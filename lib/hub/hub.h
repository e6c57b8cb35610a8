/* hub.h -- the Hugging Face Hub: names of repositories, and pulling their files into the cache shared with Python */
#ifndef CKPT_HUB_HUB_H
#define CKPT_HUB_HUB_H
#include "../ckpt.h"

/* ---- names ---- */

typedef struct ckpt_hub_id {
	char repo[200];     /* "name" or "namespace/name" */
	char revision[256]; /* "" when none was named */
	char file[1024];    /* "" for the whole repository */
} ckpt_hub_id;

/* "name", "org/name", either with "@revision", "hf://org/name[@rev][/path]", or a URL of the endpoint with or without
 * /resolve/REV/PATH, /blob/REV/PATH, /tree/REV. Models only: data sets and spaces are refused in words. */
bool ckpt_hub_parse(const char *text, const char *endpoint, ckpt_hub_id *out, ckpt_error *err);

/* ---- a connection with its settings ---- */

/* Why a call failed, beyond err->code. */
typedef enum ckpt_hub_cause {
	CKPT_HUB_FINE,
	CKPT_HUB_OTHER,
	CKPT_HUB_MISSING,   /* no such repository */
	CKPT_HUB_ABSENT,    /* it has no such revision or file */
	CKPT_HUB_REFUSED,   /* gated, private, a bad token */
	CKPT_HUB_OFFLINE,   /* offline, and not in the cache */
	CKPT_HUB_NETWORK,   /* could not connect, cut off, too slow, the server failed or limits the rate */
	CKPT_HUB_CORRUPT,   /* the content is not what the Hub says it is */
	CKPT_HUB_SPACE      /* the disk is full */
} ckpt_hub_cause;

/* What a pull is at, for who shows it. Bytes that were there before count as done. */
typedef struct ckpt_hub_state {
	const char *file;         /* under way; NULL: none is, the Hub is asked what there is */
	size_t number, count;     /* it is file number 1, 2, ... of `count` */
	uint64_t done, size;      /* bytes of the file */
	uint64_t all_done, all;   /* bytes of all files */
	uint64_t moved;           /* bytes that came or were copied so far: what a rate is computed from */
	double wait;              /* seconds until the next try; 0: none is waited for */
	bool checking;            /* all of the file is there, and its hash is computed to the end */
} ckpt_hub_state;

/* NULL: what the environment says (HF_HUB_CACHE, HF_HOME, HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE, ...). */
typedef struct ckpt_hub_options {
	const char *cache_dir, *endpoint, *token;
	void (*note)(void *user, const char *text); /* waits, retries, fall-backs; may be NULL */
	bool (*progress)(void *user, const ckpt_hub_state *state); /* many times a second; false stops; may be NULL */
	void *user;
	void *note_user;
	unsigned retry_ms;                          /* the first wait before a retry; 0: 1000 */
} ckpt_hub_options;

typedef struct ckpt_hub ckpt_hub;
ckpt_hub *ckpt_hub_new(const ckpt_hub_options *options, ckpt_error *err);
void ckpt_hub_free(ckpt_hub *hub);
const char *ckpt_hub_endpoint(const ckpt_hub *hub);
const char *ckpt_hub_cache(const ckpt_hub *hub);
ckpt_hub_cause ckpt_hub_why(const ckpt_hub *hub);       /* of the last failure */
uint64_t ckpt_hub_transferred(const ckpt_hub *hub);     /* bytes of files received so far */

/* ---- pulling ---- */

typedef struct ckpt_hub_wish {
	const char *const *files; /* these, by name */
	size_t file_count;
	const char *const *include, *const *exclude; /* globs, where '*' matches '/' too; include replaces the default choice */
	size_t include_count, exclude_count;
	const char *local_dir; /* put the files there, as huggingface_hub's local_dir does, instead of into the cache; may be NULL */
	bool force;   /* transfer again what is in the cache */
	bool hasty;   /* the caller has something else to go on with: when the Hub cannot be asked, it is not tried again */
	bool whole;   /* a snapshot of the cache that lacks wanted files will not do */
	bool dry_run; /* only list */
} ckpt_hub_wish;

typedef struct ckpt_hub_item {
	char *name;
	uint64_t size;
	bool cached; /* was in the cache, or the folder, before */
} ckpt_hub_item;

typedef struct ckpt_hub_result {
	char commit[41];
	char *path; /* the snapshot's folder, or the file when the id or the wish names just one */
	ckpt_hub_item *items;
	size_t count, of; /* chosen, in the repository (0 when the listing was not asked for) */
	uint64_t missing; /* bytes that were not in the cache */
} ckpt_hub_result;

/* Puts what is wished for into the cache and says where. Every file is verified against its SHA-256 or git SHA-1 before
 * it gets its name. Without a network what the cache has is used. Free the result also after a failure. */
bool ckpt_hub_pull(ckpt_hub *hub, const ckpt_hub_id *id, const ckpt_hub_wish *wish, ckpt_hub_result *out, ckpt_error *err);
void ckpt_hub_result_free(ckpt_hub_result *r);
/* The same, of what the cache has, without a word to the Hub; false without an error when it lacks the snapshot or a file. */
bool ckpt_hub_cached(ckpt_hub *hub, const ckpt_hub_id *id, const ckpt_hub_wish *wish, ckpt_hub_result *out);

/* ---- looking without downloading ---- */

/* A file of a repository at a commit, or of any https URL, read by ranges when its bytes are asked for; each byte comes at most
 * once. The server must give ranges, and the file must stay what it was: CKPT_E_CHANGED otherwise. What comes is compared with
 * no hash. The hub must outlive the file. Transfers count in ckpt_hub_transferred. */
struct ckpt_file *ckpt_hub_look(ckpt_hub *hub, const char *repo, const char *commit, const char *file, ckpt_error *err);
struct ckpt_file *ckpt_hub_look_url(ckpt_hub *hub, const char *url, ckpt_error *err);
#endif
