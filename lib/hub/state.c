/* state.c -- what the caller is told while the Hub is worked with: failures, notes, progress and waits */
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include "inner.h"

bool ckpt_hub_fail(ckpt_hub *hub, ckpt_hub_cause why, ckpt_error *err, ckpt_code code, const char *format, ...)
{
	char text[CKPT_ERROR_TEXT];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	hub->why = why;
	return ckpt_fail(err, code, "%s", text);
}

void ckpt_hub_note(ckpt_hub *hub, const char *format, ...)
{
	char text[CKPT_ERROR_TEXT];
	va_list args;
	if (!hub->options.note) return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	hub->options.note(hub->options.note_user, text);
}

bool ckpt_hub_tick(ckpt_hub *hub, ckpt_error *err)
{
	if (!hub->options.progress || hub->options.progress(hub->options.user, &hub->state)) return true;
	return ckpt_hub_fail(hub, CKPT_HUB_OTHER, err, CKPT_E_CANCELLED, "stopped%s",
	                     hub->state.moved && hub->transferred ? "; the next pull goes on from here" : "");
}

bool ckpt_hub_sleep(ckpt_hub *hub, unsigned ms, ckpt_error *err)
{
	struct timespec step = {.tv_nsec = 50 * 1000000L};
	for (unsigned slept = 0; slept < ms; slept += 50) {
		if (ms - slept < 50) step.tv_nsec = (long)(ms - slept) * 1000000L;
		nanosleep(&step, NULL);
		if (!ckpt_hub_tick(hub, err)) return false;
	}
	return true;
}

bool ckpt_hub_wait(ckpt_hub *hub, unsigned ms, ckpt_error *err)
{
	bool ok = true;
	for (unsigned step; ok && ms; ms -= step) {
		step = ms < 50 ? ms : 50;
		hub->state.wait = ms / 1000.0;
		ok = ckpt_hub_sleep(hub, step, err);
	}
	hub->state.wait = 0;
	return ok;
}

void ckpt_hub_work_on(ckpt_hub *hub, const char *file, uint64_t size)
{
	hub->state.file = file;
	hub->state.size = size;
	hub->state.done = 0;
	hub->state.number++;
}

void ckpt_hub_count(ckpt_hub *hub, int64_t bytes)
{
	hub->state.done += (uint64_t)bytes;
	hub->state.all_done += (uint64_t)bytes;
}
