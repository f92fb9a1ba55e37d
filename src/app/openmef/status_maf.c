#include "app/openmef/status.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 4096 };

/* ---- what the store holds */

struct tally {
	int64_t now_s;
	uint64_t n;
	size_t seen;
	char last[STORE_KEY_ID_MAX + 1];
};

static enum err tally_one(void *arg, const struct symkey *k, struct why *why)
{
	struct tally *t = arg;

	t->seen++;
	/* Removed keys of sessions leave a row without a key. */
	if ((!k->expires_s || k->expires_s > t->now_s) && (k->kind == SYMKEY_CLIENT || k->sealed.n))
		t->n++;
	return text_copy(t->last, sizeof(t->last), span_text(k->id)) ? OK : WHY(why, BUG, "", "key: id of %zu octets", strlen(k->id));
}

static enum err count(struct store *store, enum symkey_kind kind, int64_t now_s, uint64_t *out, struct why *why)
{
	struct tally t = {.now_s = now_s};

	do {
		char after[sizeof(t.last)];
		memcpy(after, t.last, sizeof(after));
		const struct symkey_filter filter = {.kind = (int)kind, .owner = "", .after_id = after, .limit = STORE_PAGE_MAX};
		t.seen = 0;
		TRY(store->ops->symkey_list(store->self, &filter, tally_one, &t, why));
	} while (t.seen == STORE_PAGE_MAX);
	*out = t.n;
	return OK;
}

static enum err report_store(struct report *r, struct store *store, struct why *why)
{
	static const struct {
		enum symkey_kind kind;
		const char *title, *key;
	} rows[] = {
		{SYMKEY_KM, "client keys", "client_keys"},
		{SYMKEY_CLIENT, "registrations", "client_registrations"},
		{SYMKEY_KC, "shared keys", "registered_keys"},
	};
	struct store_counts counts = {0};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t n = 0;
		TRY(count(store, rows[i].kind, r->now_s, &n, why));
		json_put_int(r->j, rows[i].key, (int64_t)n);
		cli_say(r->cli, "  %-15s %llu\n", rows[i].title, (unsigned long long)n);
	}
	TRY(store->ops->counts(store->self, &counts, why));
	json_put_int(r->j, "audit", (int64_t)counts.audit);
	cli_say(r->cli, "  %-15s %llu events\n", "audit log", (unsigned long long)counts.audit);
	return OK;
}

/* ---- its MEFs, and who asks them */

static void report_mefs(struct report *r, const struct conf *conf)
{
	struct json *list = json_list_new();

	for (size_t i = 0; i < conf->mefs.n; i++) {
		const struct conf_pair *p = &conf->mefs.items[i];
		const char *connect = conf_pair_find(&conf->connects, p->name);
		struct json *row = json_object_new();
		json_put_text(row, "fqdn", p->name);
		json_put_text(row, "uri", p->value);
		json_put_text(row, "connect", connect);
		json_add(list, row);
		cli_say(r->cli, "  %-15s %s%s%s\n", "MEF", p->value, connect ? ", by way of " : "", connect ? connect : "");
	}
	json_put(r->j, "mefs", list);
	if (!conf->mefs.n)
		status_find(r, "MEF", "none: key mef of section [maf]");
	if (!conf->mefs.n)
		cli_say(r->cli, "  %-15s NONE: no client can come by its KeId; name one by the key mef of section [maf]\n", "MEF");
}

static bool is_caller(long pid)
{
	char path[64];
	char words[LINE_MAX_BYTES] = "";

	snprintf(path, sizeof(path), "/proc/%ld/cmdline", pid);
	FILE *f = fopen(path, "re");
	if (!f)
		return false;
	size_t n = fread(words, 1, sizeof(words) - 1, f);
	fclose(f);
	words[n] = '\0';
	const char *second = words + strlen(words) + 1;
	return second < words + n && strcmp(second, "role-caller") == 0;
}

/* 0: none; -1: the system does not say. */
static long find_caller(int parent)
{
	char path[64];
	char line[LINE_MAX_BYTES] = "";

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", parent, parent);
	FILE *f = fopen(path, "re");
	if (!f)
		return -1;
	size_t n = fread(line, 1, sizeof(line) - 1, f);
	fclose(f);
	line[n] = '\0';
	char *at = line;
	for (long pid = strtol(at, &at, 10); pid > 0; pid = strtol(at, &at, 10)) {
		if (is_caller(pid))
			return pid;
	}
	return 0;
}

static void report_caller(struct report *r, int parent)
{
	long pid = parent ? find_caller(parent) : -1;

	if (pid > 0)
		json_put_int(r->j, "caller_pid", pid);
	else
		json_put_text(r->j, "caller_pid", NULL);
	if (pid > 0)
		cli_say(r->cli, "  %-15s process %ld\n", "caller", pid);
	if (pid != 0)
		return;
	/* The parent replaces it at once: who sees none twice has a finding. */
	cli_say(r->cli, "  %-15s NOT RUNNING: no key is fetched from a MEF; the server's log says why\n", "caller");
	status_find(r, "caller", "not running");
}

enum err status_report_maf(struct report *r, struct store *store, const struct conf *conf, int pid, struct why *why)
{
	const struct status_cert cert = {"certificate", "tls_not_after", conf->tls_cert, "maf renew --mef-dir MEF-DIR", NULL};
	const struct status_anchors clients = {"client anchors", "client_anchors", conf->ca_cert, "none: clients come by key only; see "};
	const struct status_anchors mefs = {"MEF anchors", "mef_anchors", conf->mef_anchors, NULL};

	TRY(report_store(r, store, why));
	status_report_cert(r, &cert);
	report_mefs(r, conf);
	report_caller(r, pid);
	status_report_anchors(r, &clients);
	status_report_anchors(r, &mefs);
	return OK;
}
