/* faults.c -- runs small scenarios of every command while calls fail, space ends, signals arrive, standard output is gone
 *
 * faults CKPT SHIM FOLDER: FOLDER holds in/ (inputs) and receives o/ (outputs, made anew for each run); a scenario that names
 * o/hub gets a copy of FOLDER/hub there. Each line of scenarios on standard input is a command line without "ckpt", run in
 * FOLDER; words NAME=VALUE before it stand in its environment. FAULTS_STRIDE (1): only every n-th fault.
 *
 * After each run: the exit code is a documented one; a failure says exactly one line; every file in o/ is what an undisturbed
 * run writes or what was there before; no temporary file stays; inputs are as they were. The last line holds the counts.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FILES = 64, WORDS = 40, MOST = 4000 };

typedef struct snapshot {
	size_t count;
	struct { char path[256]; uint64_t hash; } files[FILES];
} snapshot;

/* How one run is disturbed. */
typedef struct fault {
	const char *kind; /* for the shim; NULL: none */
	long at;
	int number;
	bool from;
	long file_size; /* RLIMIT_FSIZE; -1: none */
	int signal;     /* sent after `delay` microseconds; 0: none */
	long delay;
	int out;        /* 0: to a pipe-like file, 1: closed, 2: /dev/full */
} fault;

typedef struct outcome {
	int code, signal;
	bool hit, printed;
	char said[4096];
	long microseconds;
} outcome;

static const char *program, *shim;
static size_t failures;
static snapshot walked;

static bool ends_in(const char *path, const char *end)
{
	size_t n = strlen(path), k = strlen(end);
	return n > k && strcmp(path + n - k, end) == 0;
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)where;
	if (type == FTW_D || walked.count == FILES) return 0;
	int lines = ends_in(path, ".metadata") ? 2 : -1; /* the third is the time of the download */
	uint64_t hash = 0xcbf29ce484222325u ^ (uint64_t)(lines < 0 ? st->st_size : 0);
	FILE *f = fopen(path, "rb");
	for (int c; f && lines && (c = getc_unlocked(f)) != EOF; lines -= c == '\n' && lines > 0)
		hash = (hash ^ (uint64_t)(unsigned)c) * 0x100000001b3u;
	if (f) fclose(f);
	snprintf(walked.files[walked.count].path, sizeof walked.files->path, "%s", path);
	walked.files[walked.count++].hash = hash;
	return 0;
}

static snapshot look(const char *folder)
{
	walked.count = 0;
	nftw(folder, visit, 16, FTW_PHYS);
	return walked;
}

static int drop(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st, (void)type, (void)where;
	return remove(path);
}

/* hub/x becomes o/hub/x. */
static int copy(const char *path, const struct stat *st, int type, struct FTW *where)
{
	char to[300], text[300];
	(void)where;
	snprintf(to, sizeof to, "o/%s", path);
	if (type == FTW_D) return mkdir(to, 0777);
	if (type == FTW_SL) {
		ssize_t n = readlink(path, text, sizeof text - 1);
		text[n > 0 ? n : 0] = '\0';
		return symlink(text, to);
	}
	FILE *in = fopen(path, "rb"), *out = fopen(to, "wb");
	for (off_t i = 0; in && out && i < st->st_size; i++) putc(getc(in), out);
	if (in) fclose(in);
	return !out || fclose(out) != 0 || !in;
}

/* o/ with two old files, of the kinds that scenarios replace. */
static void reset(const char *line)
{
	nftw("o", drop, 16, FTW_DEPTH | FTW_PHYS);
	mkdir("o", 0777);
	static const char *const old[] = {"o/old.safetensors", "o/old.pt"};
	for (int i = 0; i < 2; i++) {
		FILE *f = fopen(old[i], "wb");
		if (f) fputs("the old content\n", f), fclose(f);
	}
	if (strstr(line, "o/hub") && nftw("hub", copy, 16, FTW_PHYS) != 0) exit(2);
}

static bool holds(const snapshot *s, const char *path, uint64_t hash)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->files[i].hash == hash && strcmp(s->files[i].path, path) == 0) return true;
	return false;
}

static bool named(const snapshot *s, const char *path)
{
	for (size_t i = 0; i < s->count; i++)
		if (strcmp(s->files[i].path, path) == 0) return true;
	return false;
}

static long now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Words NAME=VALUE before the command go into the environment; returns where the command begins. */
static char **take_settings(char **words)
{
	for (char *equals; words[1] && words[1][0] != '-' && (equals = strchr(words[1], '=')); words++) {
		*equals = '\0';
		setenv(words[1], equals + 1, 1);
		words[1] = words[0];
	}
	return words;
}

static void child(char **words, const fault *f, int printed, int said, int hit)
{
	char text[64];
	words = take_settings(words);
	int in = open("/dev/null", O_RDONLY), out = f->out == 2 ? open("/dev/full", O_WRONLY) : printed;
	dup2(in, 0), dup2(out, 1), dup2(said, 2);
	if (f->out == 1) close(1);
	setenv("OMP_NUM_THREADS", "1", 1);
	if (f->kind) {
		setenv("LD_PRELOAD", shim, 1);
		setenv("FAULT_KIND", f->kind, 1);
		snprintf(text, sizeof text, "%ld", f->at), setenv("FAULT_AT", text, 1);
		snprintf(text, sizeof text, "%d", f->number), setenv("FAULT_ERRNO", text, 1);
		snprintf(text, sizeof text, "%d", hit), setenv("FAULT_FD", text, 1);
		if (f->from) setenv("FAULT_FROM", "1", 1);
	}
	if (f->file_size >= 0) setrlimit(RLIMIT_FSIZE, &(struct rlimit){(rlim_t)f->file_size, RLIM_INFINITY});
	execv(program, words);
	_exit(126);
}

static outcome run(char **words, const fault *f)
{
	outcome o = {0};
	int said[2], printed = memfd_create("printed", 0), hit = memfd_create("hit", 0), status = 0;
	if (pipe(said) != 0) exit(2);
	fcntl(said[0], F_SETFL, O_NONBLOCK);
	fcntl(said[1], F_SETFL, O_NONBLOCK);
	long start = now();
	pid_t pid = fork();
	if (pid == 0) child(words, f, printed, said[1], hit);
	if (f->signal) {
		usleep((useconds_t)f->delay);
		kill(pid, f->signal);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
	o.microseconds = now() - start;
	o.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	o.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	struct stat st;
	o.hit = fstat(hit, &st) == 0 && st.st_size > 0;
	o.printed = fstat(printed, &st) == 0 && st.st_size > 0;
	ssize_t n = read(said[0], o.said, sizeof o.said - 1);
	o.said[n > 0 ? n : 0] = '\0';
	close(said[0]);
	close(said[1]);
	close(printed);
	close(hit);
	return o;
}

static void tell(const char *line, const fault *f, const char *what, const outcome *o)
{
	failures++;
	printf("FAILED: ckpt %s [%s %ld errno %d%s, size %ld, signal %d after %ld, out %d]: %s; exit %d, signal %d: %s\n", line,
	       f->kind ? f->kind : "-", f->at, f->number, f->from ? " and on" : "", f->file_size, f->signal, f->delay, f->out, what, o->code,
	       o->signal, o->said);
	fflush(stdout);
}

/* The last of the documented exit codes that are no signals. */
static int highest_code(const char *line)
{
	return strncmp(line, "pull", 4) == 0 || strncmp(line, "cache", 5) == 0 || strstr(line, "HF_HUB_OFFLINE=0 ") ? 9 : 3;
}

/* What a pull that was stopped keeps so that the next one goes on from there. */
static bool is_partial(const char *path) { return ends_in(path, ".ckpt.incomplete"); }
static bool is_temporary(const char *path)
{
	return strstr(path, "/.ckpt-") || ends_in(path, ".tmp") || ends_in(path, ".link");
}
/* A whole blob that is named by its hash and was not moved to its file: the next pull takes it from there. */
static bool is_blob(const char *line, const char *path) { return strstr(line, "HF_HUB_DISABLE_SYMLINKS=1") && strstr(path, "/blobs/"); }

/* Lines that are no remarks. */
static int sentences(const char *text)
{
	int n = 0;
	for (const char *p = text; *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : p + strlen(p))
		if (strncmp(p, "ckpt: note: ", 12) != 0) n++;
	return n;
}

static void check(const char *line, const fault *f, const outcome *o, const outcome *good, const snapshot *whole, const snapshot *old,
                  const snapshot *in)
{
	bool killed = f->signal == SIGKILL && o->signal == SIGKILL;
	bool stopped = f->signal && (o->signal == f->signal || o->code == 128 + f->signal);
	if (o->signal && !stopped) tell(line, f, "it crashed", o);
	else if (!o->signal && !stopped && (o->code < 0 || o->code > highest_code(line))) tell(line, f, "no documented exit code", o);
	/* what scan could not look at is a finding, so it stands in the result */
	bool finding = strncmp(line, "scan", 4) == 0 && o->code == 2 && o->printed && sentences(o->said) == 0;
	if (!o->signal && o->code != good->code && !finding && sentences(o->said) != 1) tell(line, f, "not exactly one sentence", o);
	if (strstr(o->said, "Sanitizer")) tell(line, f, "a sanitizer's report", o);
	if (f->out && good->printed && o->code == good->code && good->code == 0) tell(line, f, "success without standard output", o);
	snapshot after = look("o");
	size_t complete = 0;
	for (size_t i = 0; i < after.count; i++) {
		bool is_new = holds(whole, after.files[i].path, after.files[i].hash);
		complete += is_new;
		if (is_new || holds(old, after.files[i].path, after.files[i].hash)) continue;
		if (killed && is_temporary(after.files[i].path)) continue; /* nobody can tidy up after that */
		if (o->code != good->code && (is_partial(after.files[i].path) || is_blob(line, after.files[i].path))) continue;
		tell(line, f, after.files[i].path, o);
	}
	if (!o->signal && o->code == good->code && good->code == 0 && complete != whole->count) tell(line, f, "success, and an output is missing", o);
	for (size_t i = 0; i < old->count; i++) {
		bool there = !named(whole, old->files[i].path); /* or the scenario is to remove it */
		for (size_t k = 0; k < after.count; k++) there = there || strcmp(after.files[k].path, old->files[i].path) == 0;
		if (!there) tell(line, f, "an old file is gone", o);
	}
	snapshot inputs = look("in");
	for (size_t i = 0; i < in->count; i++)
		if (!holds(&inputs, in->files[i].path, in->files[i].hash)) tell(line, f, "an input was changed", o);
}

typedef struct scenario {
	char line[512], *words[WORDS];
	outcome good;
	snapshot whole, old, in;
} scenario;

static outcome disturbed(scenario *s, const fault *f)
{
	reset(s->line);
	outcome o = run(s->words, f);
	check(s->line, f, &o, &s->good, &s->whole, &s->old, &s->in);
	return o;
}

/* The stride-th, twice the stride-th, ... call until none is left to fail. */
static size_t sweep(scenario *s, const char *kind, int number, bool from, long stride)
{
	size_t n = 0;
	for (long k = 1; k < MOST; k += stride) {
		fault f = {.kind = kind, .at = k, .number = number, .from = from, .file_size = -1};
		outcome o = disturbed(s, &f);
		if (!o.hit) break;
		/* what a system may always do is no failure */
		bool normal = (number == EINTR || number == 0) && strcmp(kind, "close") != 0;
		if (normal && o.code != s->good.code) tell(s->line, &f, "it gave up on EINTR or a short count", &o);
		n++;
	}
	return n;
}

static bool prepare(scenario *s)
{
	static char command[] = "ckpt";
	static char text[512];
	size_t n = 0;
	s->line[strcspn(s->line, "\n")] = '\0';
	if (!s->line[0] || s->line[0] == '#') return false;
	memcpy(text, s->line, sizeof text);
	s->words[n++] = command;
	for (char *w = strtok(text, " "); w && n < WORDS - 1; w = strtok(NULL, " ")) s->words[n++] = w;
	s->words[n] = NULL;
	reset(s->line);
	s->old = look("o");
	s->in = look("in");
	fault none = {.file_size = -1};
	s->good = run(s->words, &none);
	s->whole = look("o");
	if (s->good.signal || s->good.code < 0 || s->good.code > highest_code(s->line)) tell(s->line, &none, "it does not work undisturbed", &s->good);
	return true;
}

int main(int argc, char **argv)
{
	if (argc != 4 || chdir(argv[3]) != 0) return 2;
	program = argv[1];
	shim = argv[2];
	const char *text = getenv("FAULTS_STRIDE");
	long stride = text ? atol(text) : 1, kills_each = 60 / stride + 2;
	static const struct { const char *kind; int number; } io[] = {
		{"open", EIO}, {"open", EMFILE}, {"open", EINTR}, {"read", EIO}, {"read", EINTR}, {"read", 0}, {"write", ENOSPC}, {"write", EIO}, {"write", EINTR},
		{"write", 0}, {"mmap", ENOMEM}, {"fsync", EIO}, {"fsync", ENOSPC}, {"fsync", EINTR}, {"rename", EIO}, {"rename", ENOSPC},
		{"link", EIO}, {"close", EIO}, {"close", ENOSPC}, {"close", EINTR}, {"space", ENOSPC}, {"space", EINTR},
		{"socket", EMFILE}, {"connect", ECONNREFUSED}, {"connect", ETIMEDOUT}, {"connect", ENETUNREACH}, {"send", EPIPE},
		{"send", ECONNRESET}, {"send", EINTR}, {"send", 0}, {"recv", ECONNRESET}, {"recv", ETIMEDOUT}, {"recv", EINTR}, {"recv", 0},
		{"poll", ENOMEM}, {"poll", EINTR}};
	size_t scenarios = 0, allocations = 0, calls = 0, sizes = 0, outputs = 0, kills = 0;
	static scenario s;
	srand(1);
	while (fgets(s.line, sizeof s.line, stdin)) {
		if (!prepare(&s)) continue;
		scenarios++;
		allocations += sweep(&s, "alloc", ENOMEM, false, stride) + sweep(&s, "alloc", ENOMEM, true, stride * 4);
		for (size_t i = 0; i < sizeof io / sizeof *io; i++) calls += sweep(&s, io[i].kind, io[i].number, false, stride > 3 ? 3 : stride);
		for (int out = 1; out <= 2; out++, outputs++) disturbed(&s, &(fault){.file_size = -1, .out = out});
		if (s.whole.count > s.old.count || strstr(s.line, "--force"))
			for (long size = 0; size < 4096; size += 64 * stride, sizes++) disturbed(&s, &(fault){.file_size = size});
		for (long i = 0; i < kills_each; i++, kills++) {
			static const int signals[] = {SIGKILL, SIGINT, SIGTERM};
			disturbed(&s, &(fault){.file_size = -1, .signal = signals[i % 3], .delay = rand() % (s.good.microseconds + 1)});
		}
	}
	printf("%zu scenarios: %zu allocation faults, %zu I/O faults, %zu file size limits, %zu lost outputs, %zu kills; %zu failures\n",
	       scenarios, allocations, calls, sizes, outputs, kills, failures);
	return failures != 0 || scenarios == 0 || allocations == 0 || calls == 0;
}
