#pragma once
/* Every subcommand, each defined in the file that its words name (serve: reload.c, help: explain.c). */
#include "app/openmef/place.h"

extern const struct command command_init;
extern const struct command command_serve, command_reload, command_status;
extern const struct command command_enrolee_add, command_enrolee_list, command_enrolee_show;
extern const struct command command_enrolee_disable, command_enrolee_enable, command_enrolee_remove;
extern const struct command command_enrolee_import;
extern const struct command command_key_add, command_key_list, command_key_remove, command_key_srp;
extern const struct command command_prefs_show, command_prefs_set, command_prefs_remove, command_prefs_example;
extern const struct command command_token_add, command_token_list, command_token_remove;
extern const struct command command_request_list, command_request_show, command_request_approve, command_request_deny;
extern const struct command command_cert_list, command_cert_show, command_cert_revoke;
extern const struct command command_ca_show, command_ca_crl, command_ca_tls, command_ca_message, command_ca_rollover;
extern const struct command command_issuer_seal;
extern const struct command command_audit_list, command_audit_verify;
extern const struct command command_maf_new, command_maf_renew;
extern const struct command command_explain, command_help_conf, command_manual;

extern const struct command *const commands[]; /* NULL-terminated */
extern const struct cli_program *const openmef_program;
