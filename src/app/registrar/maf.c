#include "app/registrar/registrar.h"

#include "net/log.h"

#include <unistd.h>

enum err registrar_open_maf(struct registrar *r, const struct conf *conf, struct why *why)
{
	for (size_t i = 0; i < conf->mefs.n; i++)
		r->mef_fqdns[i] = conf->mefs.items[i].name;
	TRY(mef_remote_new(r->loop, &r->clock, r->mef_fqdns, conf->mefs.n, &r->mef, why));
	const struct maf_env env = {
		.store = r->store,
		.batch = r->batch,
		.clock = &r->clock,
		.vault = &r->vault,
		.decoy = &r->decoy,
		.mef = mef_remote_port(r->mef),
		.fqdn = conf->fqdn,
		.fault = r->env.fault,
		.fault_arg = r->env.told_arg,
	};
	r->maf = maf_new(&env);
	if (!r->maf)
		return WHY(why, NOMEM, "", "MAF: want memory");
	r->env.maf = r->maf;
	return OK;
}

/* Fetches under way fail first, so that their handshakes are answered while the MAF is there. */
void registrar_close_maf(struct registrar *r)
{
	mef_remote_free(r->mef);
	maf_free(r->maf);
	r->mef = NULL;
	r->maf = NULL;
}

void registrar_add_caller(struct registrar *r, int fd)
{
	struct why why = {0};

	if (!r->mef)
		close(fd);
	else if (mef_remote_add(r->mef, fd, &why) != OK)
		log_why(LOG_ERROR_, "caller channel refused", &why);
}
