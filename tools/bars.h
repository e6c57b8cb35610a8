/* bars.h -- a pull on a terminal: a bar for the file under way and one for all of them, redrawn in place */
#ifndef CKPT_TOOLS_BARS_H
#define CKPT_TOOLS_BARS_H
#include "../lib/hub/hub.h"
#include "progress.h"

enum { CKPT_BARS_SAMPLES = 32 };

typedef struct ckpt_bars_sample {
	double time;
	uint64_t moved;
} ckpt_bars_sample;

/* Bytes a second, over the last seconds. */
typedef struct ckpt_bars_rate {
	ckpt_bars_sample samples[CKPT_BARS_SAMPLES]; /* a ring */
	size_t count, next;
} ckpt_bars_rate;

typedef struct ckpt_bars {
	ckpt_progress progress; /* its width of 0: nothing is shown */
	const ckpt_call *call;
	ckpt_bars_rate rate;
	size_t lines; /* on the screen now */
} ckpt_bars;

/* Catches signals as ckpt_progress_begin does. Nothing is shown with --quiet, where standard error is no terminal or one that cannot
 * move its cursor, and with HF_HUB_DISABLE_PROGRESS_BARS. */
void ckpt_bars_begin(ckpt_bars *b, const ckpt_call *call);
/* The hooks of ckpt_hub_options, both of a ckpt_bars. */
bool ckpt_bars_tick(void *bars, const ckpt_hub_state *state);
void ckpt_bars_note(void *bars, const char *text);
/* Wipes the bars; returns the seconds since the beginning. */
double ckpt_bars_end(ckpt_bars *b);

/* Adds what was moved until `now`, and returns the rate. */
double ckpt_bars_rate_of(ckpt_bars_rate *r, double now, uint64_t moved);
/* Appends the lines for `width` columns, with "\n" between them; none is longer. Returns how many they are. */
size_t ckpt_bars_lines(ckpt_buffer *out, const ckpt_hub_state *state, double rate, size_t width);
#endif
