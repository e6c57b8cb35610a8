/* hub_repo.h -- a repository of one file on a Hub of its own, whose server does what a test tells it; pulling it, and what may be left */
#ifndef CKPT_UNIT_HUB_REPO_H
#define CKPT_UNIT_HUB_REPO_H
#include <pthread.h>
#include <stdint.h>
#include "../../lib/hub/inner.h"
#include "server.h"

#define HUB_COMMIT "0123456789abcdef0123456789abcdef01234567"
#define HUB_FOLDER "models--org--m"
#define HUB_CLOSE "Connection: close\r\n"

enum { HUB_SIZE = 300000, HUB_GETS = 64 };

typedef struct hub_repo hub_repo;
/* Answers a request for the file from byte `from` on. */
typedef void (*hub_fault)(hub_repo *r, int client, uint64_t from);

struct hub_repo {
	unit_server http;
	unsigned char data[HUB_SIZE]; /* of model.safetensors */
	char hash[65];
	const hub_fault *faults;      /* one for each request of the file up to a NULL: all is well from there on */
	const hub_fault *list_faults; /* the same for the list of files */
	pthread_mutex_t lock; /* of what follows and of faults, which the server's thread changes too */
	int gets;                     /* requests of the file, with where they begin */
	uint64_t from[HUB_GETS];
	bool ranged[HUB_GETS];
};

void hub_repo_start(hub_repo *r);
void hub_repo_stop(hub_repo *r);
/* The head of an answer of `length` bytes, 206 when from is not 0; more: other headers. */
void hub_repo_head(int client, uint64_t from, uint64_t length, const char *more);
/* A fault that is none. */
void hub_repo_well(hub_repo *r, int client, uint64_t from);

typedef struct hub_outcome {
	bool ok;
	ckpt_hub_cause why;
	ckpt_code code;
	char text[CKPT_ERROR_TEXT], notes[8192];
	uint64_t transferred;
} hub_outcome;

/* Appends to the notes of a hub_outcome. */
void hub_repo_note(void *outcome, const char *text);
/* Pulls all of org/m into the cache `folder`, retrying after milliseconds. */
hub_outcome hub_repo_pull(const char *folder, hub_repo *r, const hub_fault *faults);
/* The same of what is wished for, with "org/m" at a revision; result may be NULL. */
hub_outcome hub_repo_wish(const char *folder, hub_repo *r, const hub_fault *faults, const ckpt_hub_wish *wish, ckpt_hub_result *result);
/* stop: at the first note, as when the user breaks it off. */
hub_outcome hub_repo_pull_with(const char *folder, hub_repo *r, const hub_fault *faults, bool stop, bool force);

/* Path of a name in the repository's folder of the cache; static. */
const char *hub_repo_path(const char *folder, const char *name);
bool hub_repo_is_data(const char *path, const hub_repo *r);
bool hub_repo_has_blob(const char *folder, const hub_repo *r);
/* Asserts that a final name stands for the right content or for none at all, and that nothing else lies in the cache. */
void hub_repo_check(const char *folder, const hub_repo *r);
#endif
