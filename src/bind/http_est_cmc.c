#include "bind/est_turn.h"

void est_fullcmc(const struct est_turn *e)
{
	struct why why = {0};

	(void)!WHY(&why, EST_PATH, "RFC 7030 3.2.2", "fullcmc: not offered under this label");
	turn_fail(e->turn, &why);
}
