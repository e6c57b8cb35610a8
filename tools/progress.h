/* progress.h -- long work: a bar on a terminal, and an orderly end when a signal comes */
#ifndef CKPT_TOOLS_PROGRESS_H
#define CKPT_TOOLS_PROGRESS_H
#include "tool.h"

typedef struct ckpt_progress {
	const char *label; /* "writing" */
	size_t width;      /* of the line; 0: nothing is shown */
	int threads;
	bool drawn;
	double begun, last; /* seconds on the monotonic clock */
	uint64_t done, total;
	uint64_t done_before, total_of_all; /* of several calls that share one bar; 0: one call alone */
} ckpt_progress;

/* From here on SIGINT, SIGTERM, SIGHUP and SIGPIPE no longer end the process but make the work fail with
 * CKPT_E_CANCELLED, so that nothing half done stays behind; a second signal of the kind ends it at once. */
void ckpt_progress_begin(ckpt_progress *p, const ckpt_call *call, const char *label);
/* What to hand to the library; valid as long as p. */
ckpt_work ckpt_progress_work(ckpt_progress *p);
/* The same for one call of several: `before` bytes of `total` were done by earlier ones. */
ckpt_work ckpt_progress_part(ckpt_progress *p, uint64_t before, uint64_t total);
/* Wipes the bar; returns the seconds since the beginning. */
double ckpt_progress_end(ckpt_progress *p);

/* The signal that came, or 0. */
int ckpt_signal_caught(void);
/* Seconds on the monotonic clock. */
double ckpt_now(void);
#endif
