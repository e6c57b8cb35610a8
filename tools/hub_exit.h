/* hub_exit.h -- the exit codes of commands that ask the Hub */
#ifndef CKPT_TOOLS_HUB_EXIT_H
#define CKPT_TOOLS_HUB_EXIT_H
#include "../lib/hub/hub.h"
#include "tool.h"

static inline int ckpt_hub_exit(ckpt_hub_cause why)
{
	switch (why) {
	case CKPT_HUB_MISSING:
		return 4;
	case CKPT_HUB_REFUSED:
		return 5;
	case CKPT_HUB_OFFLINE:
		return 6;
	case CKPT_HUB_NETWORK:
		return 7;
	case CKPT_HUB_CORRUPT:
		return 8;
	case CKPT_HUB_SPACE:
		return 9;
	default:
		return CKPT_EXIT_BY_ERROR;
	}
}
#endif
