/* test_bars.c -- the bars of a pull: lines for each width, the rate, and what a terminal is sent */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include "../../tools/bars.h"
#include "unit.h"

static const ckpt_hub_state some = {.file = "model-00002-of-00004.safetensors", .number = 3, .count = 7, .done = 2100000000, .size = 4980000000,
                                    .all_done = 7100000000, .all = 20000000000};

static char *lines_of(const ckpt_hub_state *state, double rate, size_t width, size_t *count)
{
	ckpt_buffer b = {0};
	*count = ckpt_bars_lines(&b, state, rate, width);
	CU_ASSERT_FALSE_FATAL(b.failed);
	return b.data ? b.data : strdup("");
}

static void check_lines(const ckpt_hub_state *state, double rate, size_t width, const char *wanted)
{
	size_t count;
	char *found = lines_of(state, rate, width, &count);
	if (strcmp(found, wanted) != 0) printf("# %s\n", found);
	CU_ASSERT_STRING_EQUAL(found, wanted);
	free(found);
}

static void test_lines(void)
{
	ckpt_hub_state s = some;
	check_lines(&s, 98100000, 100,
	            "model-00002-of-00004.safeten\xe2\x80\xa6 ########-----------  42 %  2.10 GB of 4.98 GB  98.1 MB/s  0:29 left\n"
	            "all, 3 of 7                   ######-------------  35 %  7.10 GB of 20.0 GB  98.1 MB/s  2:11 left");
	s.wait = 11.6;
	check_lines(&s, 0, 80, "model-00002-of-0\xe2\x80\xa6 ####-------  42 %  2.10 GB of 4.98 GB  next try in 0:12    \n"
	                       "all, 3 of 7       ###--------  35 %  7.10 GB of 20.0 GB  next try in 0:12    ");
	s.wait = 0;
	s.checking = true;
	s.count = 1; /* one file: both would be the same */
	s.file = "a";
	s.done = s.size;
	check_lines(&s, 98100000, 80, "a ######################### 100 %  4.98 GB of 4.98 GB  checking the hash     ");
	s = (ckpt_hub_state){.file = "evil\033[2J\n", .number = 1, .count = 1, .done = 1, .size = 4};
	check_lines(&s, 0.0001, 80, "evil\\x1b[2J\\n ###-----------  25 %      1 B of     4 B      0 B/s  8h20m left");
	s = (ckpt_hub_state){.wait = 3};
	check_lines(&s, 0, 80, "asking the Hub, next try in 0:03");
	s = (ckpt_hub_state){.file = "empty", .number = 1, .count = 1};
	check_lines(&s, 0, 80, "empty ####################### 100 %      0 B of     0 B      0 B/s  -:-- left");
}

/* Whatever the width and the state, no line is too long for the terminal: it would wrap, and stay. */
static void test_widths(void)
{
	for (size_t width = 1; width < 200; width++)
		for (int what = 0; what < 16; what++) {
			size_t count, lines = 1;
			ckpt_hub_state s = some;
			if (what & 1) s.wait = 59.4;
			if (what & 2) s.checking = true;
			if (what & 4) s.file = NULL;
			if (what & 8) s.all = UINT64_MAX;
			char *found = lines_of(&s, what & 8 ? 1e-9 : 1e9, width, &count), *at = found;
			for (; *at; at += strcspn(at, "\n"), lines += *at == '\n', at += *at == '\n')
				CU_ASSERT(ckpt_text_width(at, strcspn(at, "\n")) < width);
			CU_ASSERT(lines == count || width < 40);
			if (width >= 40 && s.file) CU_ASSERT_PTR_NOT_NULL(strstr(found, " %"));
			free(found);
		}
}

static void test_rate(void)
{
	ckpt_bars_rate r = {0};
	CU_ASSERT_EQUAL(ckpt_bars_rate_of(&r, 100, 5000000), 0); /* what was there before is no speed */
	double rate = 0;
	for (int i = 1; i <= 200; i++) rate = ckpt_bars_rate_of(&r, 100 + i * 0.1, 5000000 + (uint64_t)i * 100);
	CU_ASSERT_DOUBLE_EQUAL(rate, 1000, 1);
	for (int i = 1; i <= 200; i++) rate = ckpt_bars_rate_of(&r, 120 + i * 0.1, 5020000);
	CU_ASSERT_EQUAL(rate, 0); /* a stall is seen */
	rate = ckpt_bars_rate_of(&r, 1000, 9000000);
	CU_ASSERT_EQUAL(rate, 0); /* as is a gap in the samples */
}

/* ---- on a terminal ---- */

static size_t read_all(int fd, char *text, size_t size)
{
	size_t done = 0;
	ssize_t n;
	while (done < size - 1 && (n = read(fd, text + done, size - 1 - done)) > 0) done += (size_t)n;
	text[done] = '\0';
	return done;
}

static void pause_for(long ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static void test_terminal(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), saved = dup(STDERR_FILENO);
	CU_ASSERT_FATAL(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	CU_ASSERT_FATAL(slave >= 0 && ioctl(slave, TIOCSWINSZ, &(struct winsize){.ws_row = 24, .ws_col = 100}) == 0);
	fcntl(master, F_SETFL, O_NONBLOCK);
	setenv("TERM", "xterm", 1);
	fflush(stderr);
	dup2(slave, STDERR_FILENO);
	const ckpt_call call = {.terminal = ckpt_terminal_look(CKPT_COLOR_NEVER)};
	char first[8192], second[8192], noted[8192], end[8192];
	ckpt_hub_state s = some;
	ckpt_bars b;
	ckpt_bars_begin(&b, &call);
	bool ok = ckpt_bars_tick(&b, &s);
	size_t early = read_all(master, first, sizeof first);
	pause_for(450);
	ok = ok && ckpt_bars_tick(&b, &s) && ckpt_bars_tick(&b, &s); /* the second is too soon */
	read_all(master, first, sizeof first);
	pause_for(120);
	ok = ok && ckpt_bars_tick(&b, &s);
	read_all(master, second, sizeof second);
	ckpt_bars_note(&b, "the server answers 503");
	read_all(master, noted, sizeof noted);
	ckpt_bars_end(&b);
	CU_ASSERT_EQUAL(read_all(master, end, sizeof end), 0); /* the note had wiped them */
	pause_for(120);
	ckpt_bars_tick(&b, &s);
	read_all(master, end, sizeof end);
	ckpt_bars_end(&b);
	read_all(master, end, sizeof end);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(slave);
	close(master);
	CU_ASSERT_TRUE(ok);
	CU_ASSERT_EQUAL(early, 0); /* work of a moment shows nothing */
	CU_ASSERT(first[0] == '\r' && strstr(first, "model-0") && strstr(first, "\033[K\r\nall, 3 of 7") && !strstr(first, "\033[A"));
	CU_ASSERT_PTR_NULL(strstr(strstr(first, "all"), "model"));
	CU_ASSERT(strncmp(second, "\033[A\rmodel", 9) == 0); /* in place */
	CU_ASSERT_STRING_EQUAL(noted, "\033[A\r\033[Jckpt: note: the server answers 503\r\n");
	CU_ASSERT_STRING_EQUAL(end, "\033[A\r\033[J");
}

static void test_silent(void)
{
	const ckpt_call seen = {.terminal = {.err = true, .err_width = 80}}, quiet = {.quiet = true, .terminal = seen.terminal}, none = {0};
	ckpt_bars b;
	setenv("TERM", "xterm", 1);
	ckpt_bars_begin(&b, &seen);
	CU_ASSERT_EQUAL(b.progress.width, 80);
	ckpt_bars_begin(&b, &quiet);
	CU_ASSERT_EQUAL(b.progress.width, 0);
	ckpt_bars_begin(&b, &none);
	CU_ASSERT_EQUAL(b.progress.width, 0);
	setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1", 1);
	ckpt_bars_begin(&b, &seen);
	CU_ASSERT_EQUAL(b.progress.width, 0);
	unsetenv("HF_HUB_DISABLE_PROGRESS_BARS");
	setenv("TERM", "dumb", 1);
	ckpt_bars_begin(&b, &seen);
	CU_ASSERT_EQUAL(b.progress.width, 0);
}

static const unit_case cases[] = {
	{"lines", test_lines},
	{"no line is wider than the terminal", test_widths},
	{"rate", test_rate},
	{"drawn in place, wiped for notes and at the end", test_terminal},
	{"silent where nobody looks", test_silent},
	{0},
};
const unit_suite unit_bars = {"bars", cases};
