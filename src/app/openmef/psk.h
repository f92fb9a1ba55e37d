#pragma once
/* Symmetric keys in the hands of an operator: read or made, written for the device, sealed for the store. */
#include "app/import/key_text.h"
#include "app/openmef/place.h"
#include "core/keys/register.h"
#include "proto/m2m/ids.h"

/* The vault of this store; seal_key is filled and must outlive it. */
MUST_CHECK enum err cli_vault(const struct cli *cli, const struct conf *conf, struct store *store, struct secret *seal_key,
	struct vault *out, struct why *why);

/* KpmId in normal form; without '@' it gets @FQDN of the configuration. ERR_SYNTAX. */
MUST_CHECK enum err psk_name(const char *given, const struct conf *conf, char out[M2M_KEYID_SIZE], struct why *why);

/* Option --psk-format or --format. ERR_SYNTAX: usage. */
MUST_CHECK enum err psk_format(const struct cli *cli, const char *option, enum key_form *out, struct why *why);
/* From a file that nobody else can read, or from standard input for "-". */
MUST_CHECK enum err psk_read(const char *path, enum key_form form, struct secret *out, struct why *why);
/* The text as it is, from a file that only its owner can read or from standard input ("-"). */
MUST_CHECK enum err psk_read_text(const char *path, struct buf *out, struct why *why);
MUST_CHECK enum err psk_make(const struct cli *cli, struct secret *out, struct why *why);

/* DIR/secret/psk/KPMID; makes the folder. */
MUST_CHECK enum err psk_usual_path(const struct conf *conf, const char *kpmid, char out[CONF_PATH_MAX], struct why *why);
/*
 * One line of hex, mode 0600; durable: also its name in the folder, else the caller syncs. Never overwrites: ERR_CONFLICT, PSK_OUT. What did not
 * become a whole file is removed.
 */
MUST_CHECK enum err psk_write(const char *path, const struct secret *key, bool durable, struct why *why);

/* A key that is made stands in a file before it stands in the store: a device without it could not be helped. */
struct psk_ask {
	const char *from;   /* file, "-"; NULL: made here */
	enum key_form form;
	const char *out;    /* file for a made one; NULL: the usual path */
};
/* path_out: the file that was written, "" for a key that came from elsewhere. */
MUST_CHECK enum err psk_obtain(const struct cli *cli, const struct conf *conf, const struct psk_ask *ask, const char *kpmid,
	struct secret *out, char path_out[CONF_PATH_MAX], struct why *why);
