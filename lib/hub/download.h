/* download.h -- one file on its way into its partial file: what fetch.c, receive.c and partial.c share */
#ifndef CKPT_HUB_DOWNLOAD_H
#define CKPT_HUB_DOWNLOAD_H
#include "inner.h"

typedef struct ckpt_download {
	ckpt_hub *hub;
	const ckpt_hub_entry *entry;
	const char *what, *place; /* for messages */
	const char *url, *commit;
	const char *ranges; /* the file that says how much is there while ranges come beside each other */
	int fd;
	uint64_t have;    /* bytes that are there from the beginning on, without a hole */
	uint64_t counted; /* bytes of it that the hub's state counts */
	ckpt_digest *digest;
	ckpt_error *err;
} ckpt_download;

/* The name of d->ranges, of the partial file's; NULL with the error set. */
char *ckpt_download_ranges(const char *partial, ckpt_error *err);
bool ckpt_download_fail(ckpt_download *d, int errnum); /* could not write */
/* Cuts the file to its first `have` bytes; the digest begins again when that is less than it has seen. */
bool ckpt_download_restart(ckpt_download *d, uint64_t have);
/* Says in the file d->ranges how much is there. */
bool ckpt_download_note(ckpt_download *d);

/* Gets the rest of the file, with retries, large ones over several connections; false when it cannot be had. In either case d->have
 * bytes are there and the file ends with them. */
bool ckpt_download_receive(ckpt_download *d);
#endif
