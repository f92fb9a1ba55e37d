#define _GNU_SOURCE /* AT_EMPTY_PATH */
#include "net/sandbox.h"

#include "wire/doc.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define CALL(name) SCMP_SYS(name)

/* Memory, time, entropy, the event loop, what is open already, ending. */
static const int common_calls[] = {CALL(read), CALL(write), CALL(readv), CALL(writev), CALL(recvfrom), CALL(recvmsg),
	CALL(sendto), CALL(sendmsg), CALL(close), CALL(lseek), CALL(fstat), CALL(fcntl), CALL(epoll_wait),
	CALL(epoll_pwait), CALL(epoll_ctl), CALL(poll), CALL(ppoll), CALL(clock_gettime), CALL(gettimeofday), CALL(time),
	CALL(futex), CALL(brk), CALL(munmap), CALL(mremap), CALL(madvise), CALL(getrandom), CALL(getpid), CALL(gettid),
	CALL(rt_sigreturn), CALL(rt_sigaction), CALL(rt_sigprocmask), CALL(restart_syscall), CALL(sched_yield),
	CALL(sysinfo), /* glibc's qsort asks how much memory there is */
	CALL(exit), CALL(exit_group)};

/* Connections that come in through sockets opened by the parent. */
static const int front_calls[] = {CALL(accept), CALL(accept4), CALL(getsockopt), CALL(setsockopt), CALL(getpeername),
	CALL(getsockname), CALL(shutdown)};

/*
 * Connections to MEFs, which are streams over IP and nothing else. No file is opened: their names were
 * resolved before, as a role that could read files could read the store and the master key of its own user.
 */
static const int caller_calls[] = {CALL(connect), CALL(getsockopt), CALL(setsockopt), CALL(getpeername), CALL(getsockname),
	CALL(shutdown)};

/*
 * What SQLite does to its file and its log, both open by then. Opening is not among it: the master key and
 * the CA key lie in files of the same user, and a filter cannot read paths.
 */
static const int registrar_calls[] = {CALL(pread64), CALL(pwrite64), CALL(fsync), CALL(fdatasync), CALL(ftruncate),
	CALL(fallocate), CALL(access), CALL(faccessat), CALL(faccessat2), CALL(stat), CALL(lstat), CALL(newfstatat),
	CALL(statx), CALL(fstatfs), CALL(geteuid), CALL(getuid), CALL(nanosleep), CALL(clock_nanosleep)};

/*
 * The runner starts programs of the operator, and its filter stays with them: what they may need nobody knows, so it only
 * takes away what looks into other processes or changes the machine. They get an error, as they would without the right.
 */
static const int runner_denied[] = {CALL(ptrace), CALL(process_vm_readv), CALL(process_vm_writev), CALL(mount), CALL(umount2),
	CALL(pivot_root), CALL(kexec_load), CALL(init_module), CALL(finit_module), CALL(delete_module), CALL(bpf),
	CALL(perf_event_open), CALL(reboot), CALL(swapon), CALL(swapoff), CALL(settimeofday), CALL(clock_settime), CALL(add_key),
	CALL(request_key), CALL(keyctl), CALL(unshare), CALL(setns), CALL(userfaultfd), CALL(open_by_handle_at), CALL(acct),
	CALL(pidfd_getfd), CALL(process_madvise), CALL(kcmp), CALL(io_uring_setup), CALL(io_uring_enter), CALL(io_uring_register),
	CALL(move_mount), CALL(open_tree), CALL(fsopen), CALL(fsconfig), CALL(fsmount), CALL(mount_setattr), CALL(kexec_file_load)};

/* The runtime and the leak check at exit read /proc, stop the process from a helper, and look around. */
static const int sanitizer_calls[] = {CALL(mmap), CALL(mprotect), CALL(open), CALL(openat), CALL(readlink),
	CALL(readlinkat), CALL(newfstatat), CALL(stat), CALL(clone), CALL(clone3), CALL(wait4), CALL(ptrace),
	CALL(sigaltstack), CALL(prctl), CALL(tgkill), CALL(kill), CALL(getppid), CALL(getdents64), CALL(getdents),
	CALL(prlimit64), CALL(getrlimit), CALL(sched_getaffinity), CALL(set_robust_list), CALL(rseq), CALL(ioctl),
	CALL(pipe), CALL(pipe2), CALL(dup), CALL(dup2), CALL(process_vm_readv), CALL(getuid), CALL(geteuid),
	CALL(arch_prctl), CALL(pread64), CALL(getcwd), CALL(uname), CALL(nanosleep), CALL(clock_nanosleep),
	CALL(rt_sigtimedwait), CALL(unlink), CALL(ftruncate)};

/* The counters are written at exit. */
static const int coverage_calls[] = {CALL(open), CALL(openat), CALL(mkdir), CALL(ftruncate), CALL(getcwd),
	CALL(newfstatat), CALL(access), CALL(unlink), CALL(fchmod), CALL(umask)};

#define ALLOW(ctx, calls) allow(ctx, calls, sizeof(calls) / sizeof((calls)[0]))

static int allow(scmp_filter_ctx ctx, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0);
		/* A call that this architecture never had needs no rule. */
		if (rc != 0 && rc != -EDOM && rc != -EEXIST)
			return rc;
	}
	return 0;
}

/* Memory that is written is never run, and a failed assertion may kill only this process. */
static int allow_bounded(scmp_filter_ctx ctx)
{
	int rc = seccomp_rule_add(
		ctx, SCMP_ACT_ALLOW, CALL(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));

	if (rc == 0)
		rc = seccomp_rule_add(
			ctx, SCMP_ACT_ALLOW, CALL(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (rc == 0)
		rc = seccomp_rule_add(
			ctx, SCMP_ACT_ALLOW, CALL(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0));
	/* fstat of newer C libraries: by descriptor, with an empty path. */
	if (rc == 0)
		rc = seccomp_rule_add(
			ctx, SCMP_ACT_ALLOW, CALL(newfstatat), 1, SCMP_A3(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH));
	return rc;
}

static int allow_sockets_out(scmp_filter_ctx ctx)
{
	int rc = ALLOW(ctx, caller_calls);

	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, CALL(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_INET, 0));
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, CALL(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_INET6, 0));
	return rc;
}

static int allow_role(scmp_filter_ctx ctx, enum role role)
{
	int rc = ALLOW(ctx, common_calls);

	if (rc == 0)
		rc = SANITIZED ? ALLOW(ctx, sanitizer_calls) : allow_bounded(ctx);
#ifdef OMEF_COVERAGE
	if (rc == 0)
		rc = ALLOW(ctx, coverage_calls);
#else
	(void)coverage_calls;
#endif
	if (rc == 0 && role == ROLE_FRONT)
		rc = ALLOW(ctx, front_calls);
	if (rc == 0 && role == ROLE_REGISTRAR)
		rc = ALLOW(ctx, registrar_calls);
	if (rc == 0 && role == ROLE_CALLER)
		rc = allow_sockets_out(ctx);
	return rc;
}

/*
 * A user namespace of its own would make a program root there, with all of the kernel that only root reaches. clone3 keeps
 * its flags in memory, where no filter looks; C libraries fall back to clone when there is none.
 */
static int deny_namespaces(scmp_filter_ctx ctx)
{
	static const scmp_datum_t flags[] = {CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP};
	int rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), CALL(clone3), 0);

	for (size_t i = 0; rc == 0 && i < sizeof(flags) / sizeof(flags[0]); i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), CALL(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, flags[i], flags[i]));
	return rc;
}

static int deny(scmp_filter_ctx ctx)
{
	for (size_t i = 0; i < sizeof(runner_denied) / sizeof(runner_denied[0]); i++) {
		/* The leak check at exit traces its own process. */
		if (SANITIZED && runner_denied[i] == CALL(ptrace))
			continue;
		int rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), runner_denied[i], 0);
		if (rc != 0 && rc != -EDOM && rc != -EEXIST)
			return rc;
	}
	return deny_namespaces(ctx);
}

static enum err read_documents(struct why *why)
{
	struct arena arena OWNED_ARENA = ARENA(64 * 1024);
	struct doc *doc = NULL;

	TRY(doc_parse(DOC_JSON, span_text("{\"a\":\"b\"}"), &arena, &doc, why));
	return doc_parse(DOC_XML, span_text("<a><b>c</b></a>"), &arena, &doc, why);
}

/*
 * What reads files at first use does it now: OpenSSL its configuration and seed, the C library the time
 * zone, even for UTC (gmtime_r), the JSON library /dev/urandom for its hash tables.
 */
static enum err warm_up(struct why *why)
{
	uint8_t byte;

	TRY(read_documents(why));
	tzset();
	if (OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG | OPENSSL_INIT_LOAD_CRYPTO_STRINGS, NULL) != 1 ||
		RAND_bytes(&byte, 1) != 1)
		return WHY(why, SANDBOX, "", "OpenSSL: want it initialised before the filter, have a failure");
	return OK;
}

static enum err close_doors(struct why *why)
{
	const struct rlimit none = {0, 0};

	if (setrlimit(RLIMIT_CORE, &none) != 0)
		return WHY(why, SANDBOX, "", "setrlimit(RLIMIT_CORE): %s", strerror(errno));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return WHY(why, SANDBOX, "", "prctl(PR_SET_NO_NEW_PRIVS): %s", strerror(errno));
	/* The leak check traces its own process, which a process that cannot be dumped forbids. */
	if (!SANITIZED && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return WHY(why, SANDBOX, "", "prctl(PR_SET_DUMPABLE): %s", strerror(errno));
	return OK;
}

enum err sandbox_enter(enum role role, struct why *why)
{
	TRY(warm_up(why));
	TRY(close_doors(why));
	bool runs_programs = role == ROLE_RUNNER;
	scmp_filter_ctx ctx = seccomp_init(runs_programs ? SCMP_ACT_ALLOW : SCMP_ACT_KILL_PROCESS);
	if (!ctx)
		return WHY(why, SANDBOX, "", "seccomp_init: failed");
	int rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (rc == 0)
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree: every call of the loop passes here */
	if (rc == 0)
		rc = runs_programs ? deny(ctx) : allow_role(ctx, role);
	if (rc == 0)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	if (rc != 0)
		return WHY(why, SANDBOX, "", "seccomp filter of the %s: %s", role_name(role), strerror(-rc));
	return OK;
}
