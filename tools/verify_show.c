/* verify_show.c -- the verdict of ckpt verify, in words and as JSON */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/json.h"
#include "number.h"
#include "verify.h"

static void add_line(ckpt_buffer *b, const char *format, va_list args)
{
	char *text = NULL;
	if (vasprintf(&text, format, args) < 0) text = NULL;
	if (text) ckpt_text_append(b, text, strlen(text));
	ckpt_buffer_char(b, '\n');
	if (!text) b->failed = true;
	free(text);
}

void ckpt_check_done(ckpt_check *c)
{
	if (c->state != CKPT_CHECK_FAILED) c->state = CKPT_CHECK_PASSED;
}

void ckpt_check_fail(ckpt_check *c, const char *format, ...)
{
	va_list args;
	c->state = CKPT_CHECK_FAILED;
	if (c->reason_count++ >= CKPT_REASONS_SHOWN) return;
	va_start(args, format);
	add_line(&c->reasons, format, args);
	va_end(args);
}

void ckpt_check_detail(ckpt_check *c, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	add_line(&c->details, format, args);
	va_end(args);
}

void ckpt_check_free(ckpt_check *c)
{
	ckpt_buffer_free(&c->summary);
	ckpt_buffer_free(&c->reasons);
	ckpt_buffer_free(&c->details);
	ckpt_buffer_free(&c->json);
}

void ckpt_json_real(ckpt_buffer *b, const char *name, double value)
{
	char text[CKPT_NUMBER_TEXT];
	ckpt_real_text(value, text, sizeof text);
	if (isnan(value))
		ckpt_buffer_printf(b, ",\"%s\":null", name);
	else
		ckpt_buffer_printf(b, isinf(value) ? ",\"%s\":\"%sInfinity\"" : ",\"%s\":%s", name, isinf(value) ? value < 0 ? "-" : "" : text);
}

static size_t failures(const ckpt_verify *v)
{
	size_t n = 0;
	for (size_t i = 0; i < CKPT_CHECK_COUNT; i++) n += v->checks[i].state == CKPT_CHECK_FAILED;
	return n;
}

/* ---- words ----------------------------------------------------------------------------------------------------- */

static void print_lines(const char *text, const char *before)
{
	for (const char *at = text; at && *at;) {
		size_t length = strcspn(at, "\n");
		printf("%s%.*s\n", before, (int)length, at);
		at += length + (at[length] == '\n');
	}
}

static bool buffers_ok(const ckpt_check *c, ckpt_error *err)
{
	return ckpt_buffer_ok(&c->summary, err) && ckpt_buffer_ok(&c->reasons, err) && ckpt_buffer_ok(&c->details, err) &&
	       ckpt_buffer_ok(&c->json, err);
}

bool ckpt_verify_print_text(const ckpt_verify *v, ckpt_error *err)
{
	static const char *const words[] = {"skipped", "ok", "FAILED"};
	const ckpt_terminal *t = &v->call->terminal;
	for (size_t i = 0; i < CKPT_CHECK_COUNT; i++) {
		const ckpt_check *c = &v->checks[i];
		bool failed = c->state == CKPT_CHECK_FAILED;
		if (!buffers_ok(c, err)) return false;
		if (c->state == CKPT_CHECK_SKIPPED && !c->summary.length) continue;
		printf("%-10s  %s%-7s%s  %s\n", c->name, ckpt_style_code(t, failed ? CKPT_STYLE_WARN : CKPT_STYLE_PLAIN), words[c->state],
		       failed ? ckpt_style_code(t, CKPT_STYLE_PLAIN) : "", c->summary.data ? c->summary.data : "");
		print_lines(c->reasons.data, "            - ");
		if (c->reason_count > CKPT_REASONS_SHOWN)
			printf("            - ... and %zu more\n", c->reason_count - CKPT_REASONS_SHOWN);
		if (v->options->per_layer) print_lines(c->details.data, "            ");
	}
	printf("verdict     %s\n", failures(v) ? "FAILED" : "ok");
	return true;
}

/* ---- JSON ------------------------------------------------------------------------------------------------------ */

static void put_string(ckpt_buffer *b, const char *text, size_t length)
{
	ckpt_json_write_string(b, text, length, false);
}

/* The members of a list; returns whether there are any. */
static bool put_lines(ckpt_buffer *b, const char *text, bool comma)
{
	for (const char *at = text; at && *at; comma = true) {
		size_t length = strcspn(at, "\n");
		if (comma) ckpt_buffer_char(b, ',');
		put_string(b, at, length);
		at += length + (at[length] == '\n');
	}
	return comma;
}

static void put_check(ckpt_buffer *b, const ckpt_check *c)
{
	ckpt_buffer_printf(b, ",\n\"%s\":{\"ok\":%s,\"summary\":", c->name,
	                   c->state == CKPT_CHECK_SKIPPED ? "null" : c->state == CKPT_CHECK_PASSED ? "true" : "false");
	put_string(b, c->summary.data ? c->summary.data : "", c->summary.length);
	ckpt_buffer_str(b, ",\"reasons\":[");
	put_lines(b, c->reasons.data, false);
	ckpt_buffer_printf(b, "],\"reason_count\":%zu", c->reason_count);
	if (c->json.data) ckpt_buffer_str(b, c->json.data);
	ckpt_buffer_char(b, '}');
}

bool ckpt_verify_print_json(const ckpt_verify *v, ckpt_error *err)
{
	ckpt_buffer b = {0};
	bool ok = true, comma = false;
	ckpt_buffer_str(&b, "{\"model\":");
	put_string(&b, v->path, strlen(v->path));
	ckpt_buffer_printf(&b, ",\"ok\":%s", failures(v) ? "false" : "true");
	if (v->options->against) {
		ckpt_buffer_str(&b, ",\"first_block\":");
		if (v->first_block)
			put_string(&b, v->first_block, strlen(v->first_block));
		else
			ckpt_buffer_str(&b, "null");
	}
	ckpt_buffer_str(&b, ",\n\"reasons\":[");
	for (size_t i = 0; i < CKPT_CHECK_COUNT; i++) comma = put_lines(&b, v->checks[i].reasons.data, comma);
	ckpt_buffer_char(&b, ']');
	for (size_t i = 0; i < CKPT_CHECK_COUNT; i++) {
		ok = ok && buffers_ok(&v->checks[i], err);
		if (v->checks[i].state != CKPT_CHECK_SKIPPED || v->checks[i].summary.length) put_check(&b, &v->checks[i]);
	}
	ckpt_buffer_str(&b, "}\n");
	ok = ok && ckpt_buffer_ok(&b, err) &&
	     (fwrite(b.data, 1, b.length, stdout) == b.length || ckpt_fail_errno(err, errno, "cannot write to standard output"));
	ckpt_buffer_free(&b);
	return ok;
}
