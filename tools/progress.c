/* progress.c -- long work: a bar on a terminal, and an orderly end when a signal comes */
#include "progress.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "number.h"

/* A signal handler has no other way to leave a word. */
static volatile sig_atomic_t caught;

static void catch_signal(int signal_number)
{
	caught = signal_number;
}

int ckpt_signal_caught(void)
{
	return caught;
}

double ckpt_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void ckpt_progress_begin(ckpt_progress *p, const ckpt_call *call, const char *label)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
	struct sigaction act = {.sa_handler = catch_signal, .sa_flags = (int)SA_RESETHAND}, old;
	sigemptyset(&act.sa_mask);
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL) sigaction(signals[i], &act, NULL);
	*p = (ckpt_progress){.label = label, .threads = call->threads, .begun = ckpt_now()};
	if (call->terminal.err && !call->quiet) p->width = call->terminal.err_width;
}

static void draw(const ckpt_progress *p, double now)
{
	char done[32], total[32], rate[32], text[160], bar[41];
	double seconds = now - p->begun, share = p->total ? (double)p->done / (double)p->total : 0;
	double speed = seconds > 0 ? (double)p->done / seconds : 0;
	double left = speed > 0 ? (double)(p->total - p->done) / speed : 0;
	size_t room, full;
	ckpt_bytes_text((double)p->done, done, sizeof done);
	ckpt_bytes_text((double)p->total, total, sizeof total);
	ckpt_bytes_text(speed, rate, sizeof rate);
	int used = snprintf(text, sizeof text, " %3.0f %%  %s of %s  %s/s  %.0f:%02.0f left", share * 100, done, total, rate,
	                    (double)(uint64_t)(left / 60), (double)((uint64_t)left % 60));
	size_t label = strlen(p->label) + 1;
	/* Room is left for the ^C that a terminal shows. */
	if (used < 0 || label + (size_t)used + 3 >= p->width) return;
	room = p->width - label - (size_t)used - 3;
	if (room > sizeof bar - 1) room = sizeof bar - 1;
	full = (size_t)(share * (double)room);
	memset(bar, '-', room);
	memset(bar, '#', full < room ? full : room);
	bar[room] = 0;
	fprintf(stderr, "\r%s %s%s\033[K", p->label, bar, text);
	fflush(stderr);
}

static bool tick(void *user, uint64_t done, uint64_t total)
{
	ckpt_progress *p = user;
	double now;
	p->done = p->done_before + done;
	p->total = p->total_of_all ? p->total_of_all : total;
	if (caught) return false;
	if (p->width == 0) return true;
	now = ckpt_now();
	/* Work of a moment shows nothing. */
	if (now - p->begun > 0.4 && now - p->last > 0.1) {
		draw(p, now);
		p->last = now;
		p->drawn = true;
	}
	return true;
}

ckpt_work ckpt_progress_work(ckpt_progress *p)
{
	return (ckpt_work){.threads = p->threads, .progress = tick, .user = p};
}

ckpt_work ckpt_progress_part(ckpt_progress *p, uint64_t before, uint64_t total)
{
	p->done_before = before;
	p->total_of_all = total;
	return ckpt_progress_work(p);
}

double ckpt_progress_end(ckpt_progress *p)
{
	if (p->drawn) fputs("\r\033[K", stderr);
	p->drawn = false;
	return ckpt_now() - p->begun;
}
