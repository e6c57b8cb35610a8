/* inner.h -- what the files of lib/hub share */
#ifndef CKPT_HUB_INNER_H
#define CKPT_HUB_INNER_H
#include <curl/curl.h>
#include <pthread.h>
#include "../buffer.h"
#include "../error.h"
#include "hub.h"

enum { CKPT_HUB_HOPS = 10, CKPT_HUB_TRIES = 5, CKPT_HUB_WAIT_MOST = 60 };

struct ckpt_hub {
	char *cache, *endpoint, *token, *ca_file, *ca_path;
	bool offline, no_links;
	long stall, connect; /* seconds */
	unsigned retry_ms;
	ckpt_hub_options options;
	bool hasty; /* what the cache has will do: no second try of what the Hub is asked */
	CURLM *multi;
	struct ckpt_http_exchange *exchanges; /* all that are under way */
	CURL *easy;
	pthread_mutex_t lock; /* of what several threads read: look.c */
	ckpt_hub_cause why;
	uint64_t transferred;
	ckpt_hub_state state; /* what progress is told */
};

bool ckpt_hub_fail(ckpt_hub *hub, ckpt_hub_cause why, ckpt_error *err, ckpt_code code, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
void ckpt_hub_note(ckpt_hub *hub, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool ckpt_hub_tick(ckpt_hub *hub, ckpt_error *err); /* false: the caller's progress asked to stop */
/* Sleeps in small steps, with ticks. */
bool ckpt_hub_sleep(ckpt_hub *hub, unsigned ms, ckpt_error *err);
/* The same before another try, which progress is told. */
bool ckpt_hub_wait(ckpt_hub *hub, unsigned ms, ckpt_error *err);
/* The file that is worked on from here on, and bytes of it that are there, more or fewer. */
void ckpt_hub_work_on(ckpt_hub *hub, const char *file, uint64_t size);
void ckpt_hub_count(ckpt_hub *hub, int64_t bytes);
bool ckpt_hub_is_hash(const char *text); /* 40 or 64 lower-case hex digits */

/* ---- http.c ---- */

typedef struct ckpt_http_answer {
	long status;
	uint64_t length, from; /* Content-Length (UINT64_MAX: unknown); where a 206 begins (UINT64_MAX: not said) */
	uint64_t total;        /* what a 206 says of the whole file's size; UINT64_MAX: nothing */
	char stamp[160];       /* ETag without W/, else Last-Modified; "": neither */
	bool strong;           /* it is an ETag, and the same one means the same bytes */
	char commit[72], error_code[64], error_message[256], next[2048], encoding[32];
	unsigned retry_after; /* seconds; 0: not said */
	bool starved; /* memory ran out for what its head says */
	bool cut;  /* the transfer itself failed: a retry may help */
	char trouble[256];
} ckpt_http_answer;

/* Takes body bytes of a 200 or 206; false stops the transfer (the sink has set the error). */
typedef bool (*ckpt_http_sink)(void *sink, const ckpt_http_answer *answer, const void *data, size_t length);

typedef struct ckpt_http_request {
	const char *url;
	uint64_t from;   /* Range: bytes=from-; 0: the whole */
	uint64_t length; /* not 0: this many bytes from there */
	const char *if_range; /* a strong ETag: the whole when it is of another file; NULL: none */
	ckpt_http_sink sink;
	void *user;
} ckpt_http_request;

/* One GET; redirects are followed by hand, the token goes to the endpoint's origin alone. True when an answer came,
 * whatever its status, or the transfer broke (answer->cut). False: refused, stopped by the sink or the user. */
bool ckpt_http_get(ckpt_hub *hub, const ckpt_http_request *request, ckpt_http_answer *answer, ckpt_error *err);
/* The same for several that run beside each other, all worked on by steps in the thread that holds the hub. request and answer
 * must live as long as the exchange. */
typedef struct ckpt_http_exchange ckpt_http_exchange;
ckpt_http_exchange *ckpt_http_begin(ckpt_hub *hub, const ckpt_http_request *request, ckpt_http_answer *answer, ckpt_error *err);
/* Moves them all on, for ms when nothing comes. *done: one that is complete, to be ended, or NULL. */
bool ckpt_http_step(ckpt_hub *hub, int ms, ckpt_http_exchange **done, ckpt_error *err);
void ckpt_http_end(ckpt_http_exchange *x); /* also in the middle; NULL is fine */
const char *ckpt_http_url(const ckpt_http_exchange *x); /* where redirects have led it */
/* The body of a 200 of at most `most` bytes, with retries; a status is turned into a sentence about what. */
bool ckpt_http_text(ckpt_hub *hub, const char *url, size_t most, ckpt_buffer *body, ckpt_http_answer *answer,
                    const char *what, ckpt_error *err);
bool ckpt_http_fail(ckpt_hub *hub, const ckpt_http_answer *answer, const char *what, ckpt_error *err);
bool ckpt_http_may_retry(const ckpt_http_answer *answer);
/* Milliseconds to wait before try number `attempt` (0, 1, ...); says why, when what is given. */
unsigned ckpt_http_pause(ckpt_hub *hub, const ckpt_http_answer *answer, unsigned attempt, const char *what);
/* What one line of an answer's head says; *location (malloced) is replaced by that of a redirect. */
void ckpt_http_read_header(ckpt_http_answer *a, char **location, const char *line, size_t length);
/* location, as seen from url: free it with curl_free; NULL when it is no URL. */
char *ckpt_http_resolve(const char *url, const char *location);
/* https, or http to loopback. */
bool ckpt_http_allowed(ckpt_hub *hub, const char *url, ckpt_error *err);
/* False with errno ENOMEM when it cannot be known. */
bool ckpt_http_same_origin(const char *a, const char *b);
/* A redirect: no server elsewhere may make this machine ask itself. */
bool ckpt_http_may_follow(const char *from, const char *to);

/* ---- digest.c: the hash of a file while another thread of control writes it ---- */

typedef struct ckpt_digest ckpt_digest;
/* hash has 40 (git blob SHA-1) or 64 (SHA-256) digits; bytes of fd up to `ready` are there already. fresh: they
 * are being written, and the disk is told to begin with what was hashed, so that less is left to wait for at the end. */
ckpt_digest *ckpt_digest_start(int fd, const char *hash, uint64_t size, uint64_t ready, bool fresh, ckpt_error *err);
void ckpt_digest_ready(ckpt_digest *d, uint64_t ready);
/* Whether all of it, which is there now, is hashed within ms. at: how much is; may be NULL. */
bool ckpt_digest_wait(ckpt_digest *d, int ms, uint64_t *at);
/* Waits for all of it; *right says whether the hash is the wanted one. Frees. */
bool ckpt_digest_finish(ckpt_digest *d, bool *right, ckpt_error *err);
void ckpt_digest_cancel(ckpt_digest *d); /* NULL is fine */

/* ---- listing.c ---- */

typedef struct ckpt_hub_entry {
	char *path;
	uint64_t size;
	char hash[65];
	char oid[41], xet[65]; /* of an LFS file: its pointer's SHA-1, its name in the Xet store ("": none) */
	uint64_t listed;       /* the size beside oid */
	bool chosen;
} ckpt_hub_entry;

typedef struct ckpt_hub_listing {
	ckpt_hub_entry *entries;
	size_t count, capacity;
} ckpt_hub_listing;

bool ckpt_hub_commit_of(ckpt_hub *hub, const ckpt_hub_id *id, const char *revision, char commit[41], ckpt_error *err);
bool ckpt_hub_list(ckpt_hub *hub, const ckpt_hub_id *id, const char *commit, ckpt_hub_listing *out, ckpt_error *err);
void ckpt_hub_listing_free(ckpt_hub_listing *l);
/* Appends a file; a name that leads out of a folder, and what is no hash, are refused. */
bool ckpt_hub_listing_add(ckpt_hub_listing *l, const char *path, uint64_t size, const char *hash, ckpt_error *err);
/* One page of a tree, appended. */
bool ckpt_hub_list_page(ckpt_hub_listing *l, const char *text, size_t length, ckpt_error *err);
/* Fails when two chosen files cannot lie beside each other on a disk whose names are the same in either case. */
bool ckpt_hub_check_case(ckpt_hub *hub, ckpt_hub_listing *l, const char *what, const char *place, ckpt_error *err);
/* Sets `chosen`; fails when a file or a glob that was asked for is not there. */
bool ckpt_hub_choose(ckpt_hub *hub, ckpt_hub_listing *l, const ckpt_hub_id *id, const ckpt_hub_wish *wish, ckpt_error *err);

/* ---- cache.c: all paths malloced ---- */

char *ckpt_hub_folder(const ckpt_hub *hub, const char *repo, ckpt_error *err); /* CACHE/models--org--name */
char *ckpt_hub_path(ckpt_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool ckpt_hub_make_folders(const char *path, bool last_too, ckpt_error *err);
bool ckpt_hub_write_small(const char *path, const char *text, ckpt_error *err); /* whole or not at all; unchanged is left */
bool ckpt_hub_tag(const char *folder, ckpt_error *err);                         /* CACHEDIR.TAG */
int ckpt_hub_open(const char *path, int flags, mode_t mode); /* with O_CLOEXEC, again after a signal */
bool ckpt_hub_sync(int fd);                                  /* fsync, again after a signal; errno says why not */
bool ckpt_hub_resize(int fd, uint64_t size);                 /* ftruncate likewise */
/* The first bytes of a small file, size at most: how many, or -1 with errno. */
ssize_t ckpt_hub_read_small(const char *path, char *text, size_t size);
/* The commit that refs/REVISION names; false when there is none: with errno, which is 0 when the file holds no commit. */
bool ckpt_hub_read_ref(const char *folder, const char *revision, char commit[41]);
/* snapshots/COMMIT/FILE -> ../../blobs/HASH. Where links are not wanted or not possible a fresh blob is moved there and
 * an older one copied, as Python does; a file of its own that is there already is kept, unless the blob is fresh. */
bool ckpt_hub_link(const ckpt_hub *hub, const char *folder, const char *commit, const ckpt_hub_entry *entry, bool fresh,
                   ckpt_error *err);
/* The lock of a blob, where Python has it. */
char *ckpt_hub_lock_of(const ckpt_hub *hub, const char *repo, const char *hash, ckpt_error *err);
/* A lock as Python's filelock takes it; -1 on failure. Waiting is said. */
int ckpt_hub_lock(ckpt_hub *hub, const char *path, ckpt_error *err);
/* The repository's folder, locked: shared by those that pull into it, of one alone that removes from it. No file is made for that, since
 * the cache is huggingface_hub's. -1 with *busy: another holds it; -1 with errno: it cannot be opened. Where the file system has no
 * locks it counts as locked. */
int ckpt_hub_lock_folder(const char *folder, bool alone, bool *busy);
/* Whether names of the folder that holds CACHEDIR.TAG are the same in either case. */
bool ckpt_hub_folds_case(const char *folder);
/* A regular file of that size, through links. */
bool ckpt_hub_has(const char *path, uint64_t size);

/* ---- tree.c ---- */

/* FOLDER/trees/COMMIT.json: the list of all files, by which Python knows whether a snapshot is whole. */
bool ckpt_hub_write_tree(const char *folder, const char *commit, const ckpt_hub_listing *l, ckpt_error *err);
/* False, and an empty list, when there is none that can be read. */
bool ckpt_hub_read_tree(const char *folder, const char *commit, ckpt_hub_listing *out);

/* ---- fetch.c ---- */

typedef struct ckpt_hub_job {
	const char *repo, *commit;
	const ckpt_hub_entry *entry;
	const char *partial, *final; /* where it grows, and its name when it is right */
	const char *place;           /* what holds them, for messages */
	const char *copy;            /* a file that should have the content; may be NULL */
	bool force;                  /* what an earlier try left is not used */
} ckpt_hub_job;

/* Downloads one file: resumed, verified, then named. The caller holds its lock. */
bool ckpt_hub_fetch(ckpt_hub *hub, const ckpt_hub_job *job, ckpt_error *err);
/* Bytes that an earlier try left in the partial file of a file of that size. */
uint64_t ckpt_hub_partial(const char *partial, uint64_t size);
/* ENDPOINT/REPO/resolve/COMMIT/FILE, malloced. */
char *ckpt_hub_url_of(ckpt_hub *hub, const char *repo, const char *commit, const char *file, ckpt_error *err);

/* ---- local.c: a folder of the user's own in place of the cache ---- */

char *ckpt_local_books(const char *dir, ckpt_error *err); /* DIR/.cache/huggingface, malloced */
/* Makes the folder and what belongs into its books. */
bool ckpt_local_begin(const char *dir, ckpt_error *err);
/* Whether DIR has the file with the right content: as its metadata says, else by its hash. */
bool ckpt_local_look(const char *dir, const ckpt_hub_entry *entry, bool *right, ckpt_error *err);
/* Fetches or copies it from the cache, unless it is right, and writes its metadata. */
bool ckpt_local_fetch(ckpt_hub *hub, const char *repo, const char *dir, const char *commit, const ckpt_hub_entry *entry,
                      bool force, ckpt_error *err);
/* The commit of the newest list of files there. */
bool ckpt_local_commit(const char *dir, char commit[41]);
#endif
