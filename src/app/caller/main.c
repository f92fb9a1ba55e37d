#include "app/role.h"
#include "wire/heap.h"

#include <signal.h>
#include <stdio.h>

/*
 * A program of its own: what libcurl draws in, two dozen libraries of some MiB, is neither in the memory nor
 * in the reach of the other roles.
 */
const struct role_word role_words[] = {
	{"role-caller", "calls MEFs and upstream CAs", ROLE_CALLER, caller_main},
};

const size_t role_words_n = sizeof(role_words) / sizeof(role_words[0]);

int main(int argc, char **argv)
{
	char word[] = "role-caller";
	char *none[] = {word, NULL};

	signal(SIGPIPE, SIG_IGN);
	heap_wipe_freed();
	return argc > 1 ? cmd_role(argc - 1, argv + 1) : cmd_role(1, none);
}
