#include "app/role.h"

const struct role_word role_words[] = {
	{"role-front", "accepts connections", ROLE_FRONT, front_main},
	{"role-registrar", "holds the store and decides", ROLE_REGISTRAR, registrar_main},
	{"role-runner", "runs the operator's programs that issue", ROLE_RUNNER, runner_main},
	{"role-signer", "holds the CA key and signs", ROLE_SIGNER, signer_main},
};

const size_t role_words_n = sizeof(role_words) / sizeof(role_words[0]);
