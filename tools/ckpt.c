/* ckpt.c -- the command: finds the row, hands it its options, and says the one error there may be */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "help.h"
#include "hub.h"
#include "progress.h"
#include "shared.h"
#include "tool.h"

/* A file that is opened later must not become descriptor 0, 1 or 2 by chance: a closed one is filled with something
 * on which what it is for fails (reading finds nothing, writing to standard output is an error). */
static void fill_standard_descriptors(void)
{
	static const int modes[] = {O_RDONLY, O_RDONLY, O_WRONLY};
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", modes[fd]) != fd) _exit(CKPT_EXIT_FAILED);
}

static int exit_code_of(const ckpt_error *err)
{
	switch (err->code) {
	case CKPT_E_USAGE:
		return CKPT_EXIT_USAGE;
	case CKPT_E_CANCELLED:
		return ckpt_signal_caught() ? 128 + ckpt_signal_caught() : CKPT_EXIT_FAILED;
	default:
		return CKPT_EXIT_FAILED;
	}
}

/* The only place that prints an error. */
static void say(const ckpt_error *err, const ckpt_tool *tool)
{
	if (err->code == CKPT_E_CANCELLED && ckpt_signal_caught() == SIGPIPE) return; /* nobody listens any more */
	if (err->code == CKPT_E_USAGE && tool)
		fprintf(stderr, "ckpt %s: %s (see `ckpt %s --help`)\n", tool->name, err->text, tool->name);
	else if (err->code == CKPT_E_USAGE)
		fprintf(stderr, "ckpt: %s (see `ckpt help`)\n", err->text);
	else
		fprintf(stderr, "ckpt: %s\n", err->text);
}

/* What could not be written to standard output turns success into failure. */
static int close_output(int code)
{
	bool failed = ferror(stdout) != 0;
	int error = failed ? errno : 0;
	if (fclose(stdout) != 0) {
		failed = true;
		error = errno;
	}
	if (!failed) return code;
	if (ckpt_signal_caught()) return 128 + ckpt_signal_caught();
	fprintf(stderr, "ckpt: cannot write to standard output%s%s\n", error ? ": " : "", error ? strerror(error) : "");
	return code == CKPT_EXIT_OK || code == CKPT_EXIT_NEGATIVE ? CKPT_EXIT_FAILED : code;
}

static bool check_arguments(const ckpt_tool *tool, size_t count, const char *const *arguments, ckpt_error *err)
{
	if (count < tool->arguments_min)
		return ckpt_fail(err, CKPT_E_USAGE, count ? "an argument is missing: ckpt %s %s" : "no argument was given: ckpt %s %s",
		                 tool->name, tool->synopsis[0]);
	if (count > tool->arguments_max)
		return ckpt_fail(err, CKPT_E_USAGE, "one argument too many: '%.80s'", arguments[tool->arguments_max]);
	return true;
}

/* argv: what follows the name of the command. */
static int run_tool(const ckpt_tool *tool, int argc, char **argv, ckpt_error *err)
{
	ckpt_shared shared = {0};
	ckpt_call call = {.tool = tool};
	ckpt_models models = {.config_fd = -1};
	ckpt_option_group groups[CKPT_GROUPS];
	int code = CKPT_EXIT_BY_ERROR;
	void *options = calloc(1, tool->options_size + 1);
	const char **arguments = calloc((size_t)argc + 1, sizeof *arguments);
	size_t group_count = ckpt_tool_groups(tool, options, &shared, groups);
	if (!options || !arguments) {
		group_count = 0;
		ckpt_fail_nomem(err);
		goto done;
	}
	if (tool->defaults) memcpy(options, tool->defaults, tool->options_size);
	if (!ckpt_options_parse(groups, group_count, argc, argv, arguments, &call.argument_count, err)) goto done;
	if (!ckpt_shared_apply(&shared, &call, err)) goto done;
	if (shared.help) {
		ckpt_help_tool(stdout, &call.terminal, tool);
		code = CKPT_EXIT_OK;
		goto done;
	}
	if (!check_arguments(tool, call.argument_count, arguments, err)) goto done;
	call.options = options;
	if (!ckpt_models_find(&models, &call, arguments, groups, group_count, &code, err)) goto done;
	call.models = &models;
	call.arguments = arguments;
	code = tool->run(&call, err);
	if (code == CKPT_EXIT_BY_ERROR && models.file) code = ckpt_hub_exit(ckpt_hub_why(models.hub));
done:
	ckpt_models_free(&models);
	ckpt_options_free(groups, group_count);
	free(arguments);
	free(options);
	return code;
}

static void unknown_command(const char *name, ckpt_error *err)
{
	const char *near = ckpt_tool_nearest(name);
	if (name[0] == '-')
		ckpt_fail(err, CKPT_E_USAGE, "unknown option %.80s", name);
	else if (access(name, F_OK) == 0)
		ckpt_fail(err, CKPT_E_USAGE, "'%.80s' is a file, not a command; did you mean `ckpt inspect %.80s`?", name, name);
	else if (near)
		ckpt_fail(err, CKPT_E_USAGE, "unknown command '%.80s', did you mean %s?", name, near);
	else
		ckpt_fail(err, CKPT_E_USAGE, "unknown command '%.80s'", name);
}

int main(int argc, char **argv)
{
	ckpt_error err = {0};
	const ckpt_tool *tool = NULL;
	const char *name = argc > 1 ? argv[1] : "";
	int code = CKPT_EXIT_BY_ERROR;
	fill_standard_descriptors();
	signal(SIGXFSZ, SIG_IGN); /* a file that grows past its limit is an error of write */
	if (argc < 2) {
		ckpt_terminal terminal = ckpt_terminal_look(CKPT_COLOR_NEVER);
		ckpt_help_overview(stderr, &terminal);
		return CKPT_EXIT_USAGE;
	}
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) name = "help";
	if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) name = "version";
	tool = ckpt_tool_find(name);
	if (tool)
		code = run_tool(tool, argc - 2, argv + 2, &err);
	else
		unknown_command(name, &err);
	if (err.code != CKPT_OK) {
		fflush(stdout);
		say(&err, tool);
	}
	if (code == CKPT_EXIT_BY_ERROR) code = exit_code_of(&err);
	return close_output(code);
}
