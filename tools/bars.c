/* bars.c -- a pull on a terminal: a bar for the file under way and one for all of them, redrawn in place */
#include "bars.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"

/* Columns: of a name and a bar, and what is left free for the ^C that a terminal shows. */
enum { NAME_LEAST = 8, BAR_LEAST = 6, BAR_MOST = 32, FREE = 3 };

static const double rate_seconds = 6, sample_seconds = 0.25, first_seconds = 0.4, draw_seconds = 0.1;

void ckpt_bars_begin(ckpt_bars *b, const ckpt_call *call)
{
	const char *term = getenv("TERM"), *off = getenv("HF_HUB_DISABLE_PROGRESS_BARS");
	*b = (ckpt_bars){.call = call};
	ckpt_progress_begin(&b->progress, call, "pulling");
	if (!term || !*term || !strcmp(term, "dumb") || (off && *off && strcmp(off, "0") != 0)) b->progress.width = 0;
}

double ckpt_bars_rate_of(ckpt_bars_rate *r, double now, uint64_t moved)
{
	const ckpt_bars_sample *last = r->count ? &r->samples[(r->next + CKPT_BARS_SAMPLES - 1) % CKPT_BARS_SAMPLES] : NULL;
	if (r->count == 1 && last->moved == moved) r->count = r->next = 0; /* nothing has begun to move */
	if (r->count == 0 || now - last->time >= sample_seconds) {
		r->samples[r->next] = (ckpt_bars_sample){now, moved};
		r->next = (r->next + 1) % CKPT_BARS_SAMPLES;
		if (r->count < CKPT_BARS_SAMPLES) r->count++;
	}
	for (size_t i = r->count; i > 0; i--) { /* the oldest first */
		const ckpt_bars_sample *s = &r->samples[(r->next + CKPT_BARS_SAMPLES - i) % CKPT_BARS_SAMPLES];
		if (now - s->time <= rate_seconds) return now > s->time ? (double)(moved - s->moved) / (now - s->time) : 0;
	}
	return 0;
}

/* ---- one line ---- */

static void add_seconds(ckpt_buffer *b, double seconds)
{
	unsigned s = seconds < 359940 ? (unsigned)(seconds + 0.5) : 359940;
	if (s >= 3600)
		ckpt_buffer_printf(b, "%2uh%02um", s / 3600, s / 60 % 60);
	else
		ckpt_buffer_printf(b, "%2u:%02u", s / 60, s % 60);
}

/* One bar: what it is of, and how fast that goes. */
typedef struct line {
	ckpt_buffer name;
	uint64_t done, size;
	const ckpt_hub_state *state;
	double rate;
} line;

/* What stands behind the bar, with more or less of it: 0 is all. */
static void add_numbers(ckpt_buffer *b, const line *l, int less)
{
	char done[32], size[32];
	double share = l->size ? (double)l->done / (double)l->size : 1;
	ckpt_buffer_printf(b, " %3.0f %%", share > 1 ? 100 : (double)(int)(share * 100));
	ckpt_bytes_text((double)l->done, done, sizeof done);
	ckpt_bytes_text((double)l->size, size, sizeof size);
	if (less < 2) ckpt_buffer_printf(b, "  %7s of %7s", done, size);
	if (l->state->checking) {
		ckpt_buffer_printf(b, "  %-*s", less < 1 ? 22 : 8, less < 1 ? "checking the hash" : "checking");
	} else if (l->state->wait > 0) {
		ckpt_buffer_str(b, less < 1 ? "  next try in" : "  wait");
		add_seconds(b, l->state->wait);
		if (less < 1) ckpt_buffer_str(b, "    ");
	} else {
		ckpt_bytes_text(l->rate, done, sizeof done);
		if (less < 1) ckpt_buffer_printf(b, "  %7s/s", done);
		ckpt_buffer_char(b, ' ');
		if (l->rate > 0 && l->done <= l->size)
			add_seconds(b, (double)(l->size - l->done) / l->rate);
		else
			ckpt_buffer_str(b, " -:--");
		ckpt_buffer_str(b, " left");
	}
}

/* NAME BAR NUMBERS; names of both lines take `names` columns when there is room. */
static void add_line(ckpt_buffer *out, const line *l, size_t names, size_t width)
{
	ckpt_buffer numbers = {0};
	for (int less = 0; less < 3; less++) {
		ckpt_buffer_free(&numbers);
		numbers = (ckpt_buffer){0};
		add_numbers(&numbers, l, less);
		if (numbers.length + NAME_LEAST + FREE <= width) break;
	}
	size_t room = numbers.length + FREE < width ? width - FREE - numbers.length : 0;
	size_t most = room * 3 / 5 > NAME_LEAST ? room * 3 / 5 : NAME_LEAST;
	size_t name = names < most ? names : most;
	size_t bar = room > name + 1 ? room - name - 1 : 0;
	if (bar > BAR_MOST) bar = BAR_MOST;
	if (bar < BAR_LEAST) bar = 0;
	if (!bar && name < names) name = names < room ? names : room;
	if (numbers.data && numbers.length + FREE <= width && room >= name) {
		size_t full = l->size ? (size_t)((double)l->done / (double)l->size * (double)bar) : bar, before = out->length;
		ckpt_text_fit(out, l->name.data ? l->name.data : "", l->name.length, name, false); /* shards differ where they begin */
		for (size_t n = ckpt_text_width(out->data + before, out->length - before); n < name; n++) ckpt_buffer_char(out, ' ');
		if (bar) ckpt_buffer_char(out, ' ');
		for (size_t i = 0; i < bar; i++) ckpt_buffer_char(out, i < full ? '#' : '-');
		ckpt_buffer_add(out, numbers.data, numbers.length);
	}
	ckpt_buffer_free(&numbers);
}

size_t ckpt_bars_lines(ckpt_buffer *out, const ckpt_hub_state *s, double rate, size_t width)
{
	line file = {.done = s->done, .size = s->size, .state = s, .rate = rate};
	line all = {.done = s->all_done, .size = s->all, .state = s, .rate = rate};
	if (!s->file) { /* a commit or a list is asked for */
		ckpt_buffer_str(&all.name, "asking the Hub");
		if (s->wait > 0) {
			ckpt_buffer_str(&all.name, ", next try in");
			add_seconds(&all.name, s->wait);
		}
		if (all.name.data && width > FREE) ckpt_text_fit(out, all.name.data, all.name.length, width - FREE, false);
		ckpt_buffer_free(&all.name);
		return 1;
	}
	ckpt_text_append(&file.name, s->file, strlen(s->file));
	ckpt_buffer_printf(&all.name, "all, %zu of %zu", s->number, s->count);
	size_t names = file.name.data ? ckpt_text_width(file.name.data, file.name.length) : 0;
	if (s->count > 1 && all.name.length > names) names = all.name.length;
	add_line(out, &file, names, width);
	if (s->count > 1) {
		ckpt_buffer_char(out, '\n');
		add_line(out, &all, names, width);
	}
	ckpt_buffer_free(&file.name);
	ckpt_buffer_free(&all.name);
	return s->count > 1 ? 2 : 1;
}

/* ---- the screen ---- */

/* To the beginning of what is drawn. */
static void add_home(const ckpt_bars *b, ckpt_buffer *out)
{
	for (size_t i = 1; i < b->lines; i++) ckpt_buffer_str(out, "\033[A");
	ckpt_buffer_char(out, '\r');
}

/* At once, so that it does not flicker. */
static void put(ckpt_buffer *out)
{
	if (!out->failed && out->length) fwrite(out->data, 1, out->length, stderr);
	fflush(stderr);
	ckpt_buffer_free(out);
}

static void wipe(ckpt_bars *b)
{
	ckpt_buffer out = {0};
	if (!b->lines) return;
	add_home(b, &out);
	ckpt_buffer_str(&out, "\033[J");
	put(&out);
	b->lines = 0;
}

static void draw(ckpt_bars *b, const ckpt_hub_state *state, double rate)
{
	ckpt_buffer lines = {0}, out = {0};
	size_t width = ckpt_terminal_err_width(); /* it may change meanwhile */
	size_t count = ckpt_bars_lines(&lines, state, rate, width);
	add_home(b, &out);
	for (const char *at = lines.data ? lines.data : ""; *at;) {
		size_t n = strcspn(at, "\n");
		ckpt_buffer_add(&out, at, n);
		ckpt_buffer_str(&out, at[n] ? "\033[K\n" : "\033[J");
		at += n + (at[n] == '\n');
	}
	b->lines = count;
	ckpt_buffer_free(&lines);
	put(&out);
}

bool ckpt_bars_tick(void *bars, const ckpt_hub_state *state)
{
	ckpt_bars *b = bars;
	ckpt_progress *p = &b->progress;
	if (ckpt_signal_caught()) return false;
	if (p->width == 0) return true;
	double now = ckpt_now(), rate = ckpt_bars_rate_of(&b->rate, now, state->moved);
	/* Work of a moment shows nothing. */
	if (now - p->begun < first_seconds || now - p->last < draw_seconds) return true;
	p->last = now;
	draw(b, state, rate);
	return true;
}

void ckpt_bars_note(void *bars, const char *text)
{
	ckpt_bars *b = bars;
	wipe(b);
	ckpt_remark(b->call, "%s", text);
}

double ckpt_bars_end(ckpt_bars *b)
{
	wipe(b);
	return ckpt_progress_end(&b->progress);
}
