/* The message key's files and who needs them; declared in conf.h. */
#include "app/conf/conf.h"

#include <unistd.h>

bool conf_has_message(const struct conf *c)
{
	return c->message_cert[0] && c->message_key[0] && access(c->message_cert, F_OK) == 0 && access(c->message_key, F_OK) == 0;
}

enum err conf_check_message(const struct conf *c, struct why *why)
{
	if (c->role != CONF_ROLE_MEF || conf_has_message(c))
		return OK;
	for (size_t i = 0; i < c->labels.n; i++) {
		const struct est_label *l = &c->labels.items[i];
		if (l->serverkeygen == KEYGEN_OFF && !l->fullcmc)
			continue;
		return WHY(why, CONF_MESSAGE, "", "[label %s]: %s: want the files of [ca] message_cert and message_key, have none: %s",
			l->name[0] ? l->name : "default", l->serverkeygen != KEYGEN_OFF ? "serverkeygen" : "fullcmc",
			c->message_cert[0] ? c->message_cert : "no name");
	}
	return OK;
}
