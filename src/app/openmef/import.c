/* `openmef enrolee import`. */
#define _GNU_SOURCE /* syncfs */
#include "app/openmef/import.h"
#include "app/openmef/commands.h"

#include "adapt/sys/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	BATCH_ROWS = 100,              /* a transaction: what a crash undoes, and how long others wait */
	RESULTS_MAX = 16 * 1024 * 1024, /* lines of one batch */
	PROGRESS_MS = 1000,
};

struct importing {
	struct cli *cli;
	struct conf conf;
	struct store *store;
	struct vault vault;
	struct import_report report;
	struct import_rows rows;
	int fd;
	bool exposed; /* others can read the file */
	bool dry_run, resume, progress;
	const char *psk_dir; /* NULL: none */
	size_t batch_n;
	char (*made)[CONF_PATH_MAX]; /* key files of this batch */
	size_t made_n;
	int64_t told_ms;
};

/* ---- the file */

static enum err read_some(void *self, uint8_t *out, size_t n, size_t *n_out, struct why *why)
{
	const struct importing *im = self;
	ssize_t got = 0;

	do {
		got = read(im->fd, out, n);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return WHY(why, FILE_READ, "", "%s: %s", im->cli->args[0], strerror(errno));
	*n_out = (size_t)got;
	return OK;
}

static enum err open_file(struct importing *im, struct why *why)
{
	const char *path = im->cli->args[0];
	struct stat st;

	im->fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (im->fd < 0 && errno == ENOENT)
		return WHY(why, FILE_MISSING, "", "%s: want a file, have none", path);
	if (im->fd < 0 || fstat(im->fd, &st) != 0)
		return WHY(why, FILE_READ, "", "%s: %s", path, strerror(errno));
	im->exposed = S_ISREG(st.st_mode) && (st.st_mode & 077);
	return OK;
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text);
	size_t k = strlen(end);

	return n >= k && span_is_nocase(span_text(text + n - k), end);
}

static enum err take_form(const struct cli *cli, enum rows_form *out, struct why *why)
{
	const char *name = cli_value(cli, "format");
	const char *path = cli->args[0];

	*out = ends_with(path, ".jsonl") || ends_with(path, ".ndjson") ? ROWS_JSONL : ROWS_CSV;
	if (name && span_is_nocase(span_text(name), "csv"))
		*out = ROWS_CSV;
	else if (name && span_is_nocase(span_text(name), "jsonl"))
		*out = ROWS_JSONL;
	else if (name)
		return WHY(why, CLI_USAGE, "", "--format: want csv or jsonl, have '%.20s'", name);
	return OK;
}

/* ---- keys */

static enum err make_psk_dir(const char *dir, struct why *why)
{
	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return WHY(why, FILE_WRITE, "", "%s: %s", dir, strerror(errno));
	return OK;
}

/* A crash between making a file and writing it leaves one that holds no key. */
static void drop_empty(const char *path)
{
	struct stat st;

	if (lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0)
		unlink(path);
}

/* The key of a row whose batch a crash undid stands in its file already. */
static enum err make_key(struct importing *im, const char *kpmid, struct secret *out, struct why *why)
{
	char path[CONF_PATH_MAX];

	if (!im->psk_dir)
		return WHY(why, IMPORT_CSV, "", "psk: want a key, or --psk-dir DIR where the made ones go");
	if (strlen(kpmid) > NAME_MAX)
		return WHY(why, PSK_NAME, "", "psk_id: of %zu characters, which no file can be called by", strlen(kpmid));
	TRY(cli_path(im->psk_dir, kpmid, path, sizeof(path), why));
	if (im->resume && !im->dry_run)
		drop_empty(path);
	if (im->resume && access(path, F_OK) == 0)
		return psk_read(path, KEY_FORM_HEX, out, why);
	TRY(psk_make(im->cli, out, why));
	if (im->dry_run)
		return access(path, F_OK) == 0 ? WHY(why, PSK_OUT, "", "%s: want a new file", path) : OK;
	TRY(psk_write(path, out, false, why));
	snprintf(im->made[im->made_n++], CONF_PATH_MAX, "%s", path);
	return OK;
}

static enum err take_key(struct importing *im, const struct row *row, struct registration *reg, struct why *why)
{
	struct span text = span_text(row->texts[ROW_PSK]);

	if (!reg->kpmid)
		return OK;
	if (!text.n)
		return make_key(im, reg->kpmid, &reg->kpm, why);
	/* Without '=' base64 of 24 octets, say, looks like a passphrase; a column never holds one. */
	struct why hex = {0};
	if (key_text_parse(text, KEY_FORM_HEX, &reg->kpm, &hex) == OK)
		return OK;
	if (key_text_parse(text, KEY_FORM_BASE64, &reg->kpm, &hex) == OK)
		return OK;
	return WHY(why, PSK_FORM, "", "psk: want %d to %d octets in hexadecimal digits or padded base64", KEY_TEXT_MIN, KEY_TEXT_MAX);
}

static void forget_made(struct importing *im, size_t keep)
{
	while (im->made_n > keep)
		unlink(im->made[--im->made_n]);
}

/* One call for all files of the batch: a key that a device was given must not be lost after its row was told. */
static enum err sync_made(struct importing *im, struct why *why)
{
	if (!im->made_n)
		return OK;
	int fd = open(im->psk_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || syncfs(fd) != 0) {
		int reason = errno;
		if (fd >= 0)
			close(fd);
		return WHY(why, FILE_WRITE, "", "%s: %s", im->psk_dir, strerror(reason));
	}
	close(fd);
	return OK;
}

/* ---- rows */

static enum err put_row(struct importing *im, const struct registration *reg, struct why *why)
{
	struct store *store = im->store;

	TRY(store->ops->mark(store->self, why));
	enum err err = registration_put(store, reg, &im->vault, im->conf.fqdn, why);
	if (err == OK)
		return store->ops->release(store->self, why);
	store->ops->undo(store->self);
	return err;
}

static enum err take_row(struct importing *im, const struct row *row, struct arena *arena, struct registration *reg,
	enum import_result *result, struct why *why)
{
	bool exists = false;

	if (row->texts[ROW_PSK][0] && im->exposed)
		return WHY(why, FILE_EXPOSED, "", "%s: holds keys: want mode 600 or 400; run: chmod 600 %s", im->cli->args[0],
			im->cli->args[0]);
	TRY(import_registration(row, &im->conf, clock_unix_s(&im->cli->clock), arena, reg, why));
	if (im->resume)
		TRY(import_exists(im->store, &reg->enrolee, arena, &exists, why));
	*result = exists ? IMPORT_EXISTS : IMPORT_ADDED;
	if (exists)
		return OK;
	size_t made = im->made_n;
	TRY(take_key(im, row, reg, why));
	enum err err = put_row(im, reg, why);
	if (err != OK)
		forget_made(im, made);
	return err;
}

/* Faults of the row are told beside it; ours end the import. */
static enum err do_row(struct importing *im, const struct row *row, struct arena *arena, struct why *why)
{
	OWNED_REGISTRATION struct registration reg = {0};
	enum import_result result = IMPORT_WAS_REFUSED;
	struct why cause = {0};

	enum err err = take_row(im, row, arena, &reg, &result, &cause);
	if (err > ERR_PENDING) {
		*why = cause;
		return why_within(err, NULL, why);
	}
	import_report_row(&im->report, row, err == OK ? result : IMPORT_WAS_REFUSED, &cause);
	return OK;
}

/* ---- batches */

static void tell_progress(struct importing *im)
{
	int64_t now_ms = clock_mono_ms(&im->cli->clock);
	uint64_t n = 0;

	if (!im->progress || now_ms - im->told_ms < PROGRESS_MS)
		return;
	im->told_ms = now_ms;
	for (size_t i = 0; i < IMPORT_RESULTS_N; i++)
		n += im->report.counts[i];
	fprintf(stderr, "\r%llu rows, %llu refused", (unsigned long long)n,
		(unsigned long long)im->report.counts[IMPORT_WAS_REFUSED]);
}

/* Results are told when they are durable, not before. */
static enum err end_batch(struct importing *im, struct why *why)
{
	struct store *store = im->store;
	enum err err = sync_made(im, why);

	if (err == OK && im->dry_run)
		store->ops->rollback(store->self);
	else if (err == OK)
		err = store->ops->commit(store->self, why);
	TRY(err);
	im->batch_n = im->made_n = 0;
	TRY(import_report_flush(&im->report, why));
	tell_progress(im);
	return OK;
}

/* Reads the row before the transaction begins, for who writes the rows may take his time. */
static enum err next_row(struct importing *im, struct arena *arena, bool *more, struct why *why)
{
	struct row row = {0};
	struct why cause = {0};

	enum rows_next next = import_rows_next(&im->rows, arena, &row, &cause);
	*more = next == ROWS_ROW || next == ROWS_BAD;
	if (next == ROWS_FAILED) {
		*why = cause;
		return cause.kind != OK ? cause.kind : WHY(why, BUG, "", "rows failed without a reason");
	}
	if (!*more)
		return OK;
	if (im->batch_n == 0)
		TRY(im->store->ops->begin(im->store->self, why));
	im->batch_n++;
	if (next == ROWS_BAD)
		import_report_row(&im->report, &row, IMPORT_WAS_REFUSED, &cause);
	else
		TRY(do_row(im, &row, arena, why));
	return im->batch_n == BATCH_ROWS ? end_batch(im, why) : OK;
}

static enum err do_rows(struct importing *im, struct why *why)
{
	bool more = true;

	while (more) {
		OWNED_ARENA struct arena arena = ARENA(ROW_ARENA_MAX);
		TRY(next_row(im, &arena, &more, why));
	}
	return im->batch_n ? end_batch(im, why) : OK;
}

/* What was read well before rows could no longer be told apart is kept. */
static enum err finish(struct importing *im, enum err err, struct why *why)
{
	struct why cause = {0};

	if (err != OK && why->code == CODE_IMPORT_LOST && im->batch_n && end_batch(im, &cause) != OK)
		*why = cause;
	if (im->batch_n) {
		im->store->ops->rollback(im->store->self);
		forget_made(im, 0);
	}
	if (im->told_ms)
		fputc('\n', stderr);
	import_report_summary(&im->report, im->dry_run);
	if (err != OK)
		return why->kind;
	uint64_t refused = im->report.counts[IMPORT_WAS_REFUSED];
	return refused ? WHY(why, IMPORT_REFUSED, "", "%llu rows were refused", (unsigned long long)refused) : OK;
}

static enum err import(struct importing *im, struct why *why)
{
	struct rows_input input = {im, read_some};
	OWNED_SECRET struct secret seal_key = {0};
	enum rows_form form = ROWS_CSV;

	TRY(take_form(im->cli, &form, why));
	TRY(cli_conf(im->cli, &im->conf, why));
	TRY(cli_store(im->cli, &im->conf, &im->store, why));
	TRY(cli_vault(im->cli, &im->conf, im->store, &seal_key, &im->vault, why));
	TRY(open_file(im, why));
	if (im->psk_dir && !im->dry_run)
		TRY(make_psk_dir(im->psk_dir, why));
	im->made = mem_array(BATCH_ROWS, sizeof(*im->made));
	if (!im->made)
		return WHY(why, NOMEM, "", "import");
	TRY(why_within(import_rows_begin(&im->rows, form, &input, why), im->cli->args[0], why));
	return finish(im, do_rows(im, why), why);
}

static enum err run_import(struct cli *cli, struct why *why)
{
	struct importing *im OWNED_MEM = mem_alloc(sizeof(*im));

	if (!im)
		return WHY(why, NOMEM, "", "import");
	im->cli = cli;
	im->fd = -1;
	im->dry_run = cli_flag(cli, "dry-run");
	im->resume = cli_flag(cli, "resume");
	im->psk_dir = cli_value(cli, "psk-dir");
	im->progress = !cli->quiet && isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO);
	im->report = (struct import_report){.cli = cli, .lines = BUF(RESULTS_MAX)};
	enum err err = import(im, why);
	import_rows_fini(&im->rows);
	buf_fini(&im->report.lines);
	mem_free(im->made);
	cli_store_cleanup(&im->store);
	if (im->fd > STDERR_FILENO)
		close(im->fd);
	return err;
}

static const struct cli_option import_options[] = {
	{"format", "FORM", "csv or jsonl; else a name that ends in .jsonl or .ndjson is JSON Lines, anything else CSV."},
	{"dry-run", NULL, "Check every row and store nothing. Rows are compared with the store, and with those of their hundred."},
	{"resume", NULL, "Pass over rows whose enrolee exists with the same entity; take keys that --psk-dir holds already."},
	{"psk-dir", "DIR", "Where keys are made for rows with a psk_id and no psk: a file each (hex, mode 0600), named by its KpmId."},
	{NULL, NULL, NULL},
};

const struct command command_enrolee_import = {"enrolee import", "FILE|-", 1, 1, "Register many enrolees from CSV or JSON Lines.",
	"CSV (RFC 4180, commas, UTF-8) begins with a header row that names its columns in any order; JSON Lines has one object "
	"a line with fields of the same names. id, type and entity must be given.\n"
	"\n"
	"  id, type, entity, label, profile   as with openmef enrolee add\n"
	"  credential                         KIND=VALUE;KIND=VALUE;...\n"
	"  psk_id                             KpmId of a pre-provisioned key\n"
	"  psk                                that key, in hexadecimal or padded base64; empty: it is made\n"
	"  targets                            Enrolment Target Identity: ID=USAGE|USAGE;...\n"
	"  mafs                               Enrolment Target Identity: FQDN or FQDN=URI;...\n"
	"  expiry                             Enrolment Expiry, such as 90d\n"
	"\n"
	"Each row is taken or refused by itself and told on a line: added, exists, or refused with code and reason; with "
	"--json as JSON Lines, a summary last. The exit code is 0 only when no row was refused. A row holds at most 65536 "
	"octets, 16 credentials, 16 targets and 16 MAFs. A file that holds keys must be its owner's only (mode 600). "
	"After an interruption the same command with --resume goes on.\n"
	"\n"
	"  openmef enrolee import fleet.csv --dry-run\n"
	"  openmef enrolee import fleet.csv --psk-dir keys --json > results.jsonl\n"
	"  openmef enrolee import fleet.csv --psk-dir keys --resume\n"
	"  generate-fleet | openmef enrolee import - --format jsonl",
	import_options, run_import};
