#pragma once
/* Private keys in encrypted PEM files, found by label. */
#include "base/secret.h"
#include "port/keys.h"

struct keys_file {
	const char *label; /* "ca-issuing" */
	const char *path;
};

/* The passphrase of the file of that label; an empty one for a plain file. */
typedef enum err (*keys_passphrase)(void *arg, const char *label, struct secret *out, struct why *why);

struct keys_files {
	const struct keys_file *files; /* borrowed */
	size_t files_n;
	keys_passphrase passphrase;
	void *arg;
};

/* Caller's storage; everything is borrowed and stays until the last open. passphrase may be NULL: plain files. */
void keys_files_init(struct keys_files *k, const struct keys_file *files, size_t files_n,
	keys_passphrase passphrase, void *arg);
/*
 * The port. open reads the file each time. ERR_NOT_FOUND: no such label or no such file; ERR_SYSTEM:
 * unreadable, or group or others may read or write it; else as key_parse_pem.
 */
struct keys keys_files_port(struct keys_files *k);
