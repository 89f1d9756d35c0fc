/* TLS 1.3 behind the hellos. Both sides show a certificate of the one CA. A client of TLS 1.3 is
 * done before the server has looked at its certificate; so the listener says so with a first byte,
 * for which the dialler waits. OpenSSL reads from the bytes that have just come and writes into
 * `wire`; it never meets a socket.
 */
#include "guard/guard_tls.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "guard/guard.h"

#define CERT_SIZE_MAX 32768 /* of the chain that the other side sends */
#define RECORD_SIZE   ((size_t)16384)
#define YES           "Y"
#define NAME_FLAGS    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT /* subjectAltName alone counts */

enum step { STEP_SHAKE, STEP_CONFIRM };

/* ---- between OpenSSL and the wire ---- */

static int
wire_write(BIO *bio, const char *bytes, int size) {
	struct guard *guard = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	if (size <= 0)
		return 0;
	guard_buffer_append(&guard->wire, bytes, (size_t)size);
	return size;
}

static int
wire_read(BIO *bio, char *bytes, int size) {
	struct guard *guard = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	if (size <= 0)
		return 0;
	if (guard->slice_size == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	size_t used = guard->slice_size < (size_t)size ? guard->slice_size : (size_t)size;
	memcpy(bytes, guard->slice, used);
	guard->slice += used;
	guard->slice_size -= used;
	return (int)used;
}

static long
wire_control(BIO *bio, int command, long number, void *pointer) {
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *
make_method(void) {
	BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "guard");
	if (method == NULL || BIO_meth_set_write(method, wire_write) != 1 ||
		BIO_meth_set_read(method, wire_read) != 1 ||
		BIO_meth_set_ctrl(method, wire_control) != 1) {
		BIO_meth_free(method);
		return NULL;
	}
	return method;
}

/* ---- the files ---- */

/* A key that is locked cannot be asked for its phrase here. */
static int
no_phrase(char *buffer, int size, int writing, void *ud) {
	(void)buffer;
	(void)size;
	(void)writing;
	(void)ud;
	return 0;
}

/* "SETTING 'PATH': why", from what OpenSSL noted first. */
static int
file_error(struct skynet_error *error, const char *setting, const char *path) {
	unsigned long code = ERR_peek_error();
	const char *reason = ERR_GET_LIB(code) == ERR_LIB_SYS ? strerror(ERR_GET_REASON(code))
							      : ERR_reason_error_string(code);
	ERR_clear_error();
	return error_set(error, SKYNET_ECONFIG, "cannot use %s '%.200s': %s", setting, path,
		reason != NULL ? reason : "not what it should be");
}

static int
load_files(SSL_CTX *tls, const struct guard_config *config, struct skynet_error *error) {
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(tls, config->cert) != 1)
		return file_error(error, "tls_cert", config->cert);
	if (SSL_CTX_use_PrivateKey_file(tls, config->key, SSL_FILETYPE_PEM) != 1)
		return file_error(error, "tls_key", config->key);
	if (SSL_CTX_check_private_key(tls) != 1)
		return file_error(error, "tls_key", config->key);
	if (SSL_CTX_load_verify_locations(tls, config->ca, NULL) != 1)
		return file_error(error, "tls_ca", config->ca);
	return SKYNET_OK;
}

/* A certificate of ours that no other node would take: better said at the start. */
static int
check_own(SSL_CTX *tls, const struct guard_config *config, struct skynet_error *error) {
	X509 *cert = SSL_CTX_get0_certificate(tls);
	STACK_OF(X509) *chain = NULL;
	X509_STORE_CTX *check = X509_STORE_CTX_new();
	SSL_CTX_get0_chain_certs(tls, &chain);
	int result = SKYNET_OK;
	if (check == NULL ||
		X509_STORE_CTX_init(check, SSL_CTX_get_cert_store(tls), cert, chain) != 1)
		result = file_error(error, "tls_cert", config->cert);
	else if (X509_verify_cert(check) != 1)
		result = error_set(error, SKYNET_ECONFIG, "tls_cert '%.200s': not of '%.200s': %s",
			config->cert, config->ca,
			X509_verify_cert_error_string(X509_STORE_CTX_get_error(check)));
	else if (config->name != NULL &&
		 X509_check_host(cert, config->name, strlen(config->name), NAME_FLAGS, NULL) != 1)
		result = error_set(error, SKYNET_ECONFIG,
			"tls_cert '%.200s': not for tls_name '%.64s'", config->cert, config->name);
	X509_STORE_CTX_free(check);
	ERR_clear_error();
	return result;
}

int
guard_tls_setup(struct guard_credential *credential, const struct guard_config *config,
	struct skynet_error *error) {
	credential->bio = make_method();
	credential->tls = SSL_CTX_new(TLS_method());
	SSL_CTX *tls = credential->tls;
	if (credential->bio == NULL || tls == NULL ||
		SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) != 1 ||
		SSL_CTX_set_max_proto_version(tls, TLS1_3_VERSION) != 1 ||
		SSL_CTX_set_num_tickets(tls, 0) != 1)
		return error_set(error, SKYNET_ECONFIG, "tls_cert: OpenSSL has no TLS 1.3 here");
	SSL_CTX_set_default_passwd_cb(tls, no_phrase);
	SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_options(tls, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_max_cert_list(tls, CERT_SIZE_MAX);
	SSL_CTX_set_verify(tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	int result = load_files(tls, config, error);
	return result == SKYNET_OK ? check_own(tls, config, error) : result;
}

void
guard_tls_teardown(struct guard_credential *credential) {
	SSL_CTX_free(credential->tls);
	BIO_meth_free(credential->bio);
	credential->tls = NULL;
	credential->bio = NULL;
}

/* ---- errors ---- */

/* Says why the handshake, or the connection, has come to its end. */
static void
fail_tls(struct guard *guard, int code) {
	static const char OWN_NAME[] = "its name is not '%s', as tls_name asks";
	unsigned long error = ERR_peek_last_error();
	const char *reason = ERR_reason_error_string(error);
	int why = ERR_GET_REASON(error);
	long verified = SSL_get_verify_result(guard->tls);
	const char *who = guard->role == GUARD_LISTENER ? "it" : "the other side";
	ERR_clear_error();
	if (why != SSL_R_CERTIFICATE_VERIFY_FAILED)
		verified = X509_V_OK;
	if (verified == X509_V_ERR_HOSTNAME_MISMATCH) {
		char name[100];
		snprintf(name, sizeof(name), OWN_NAME, guard->credential->name);
		guard_fail(guard, "%s has a certificate that is not accepted: %s", who, name);
	} else if (verified != X509_V_OK)
		guard_fail(guard, "%s has a certificate that is not accepted: %s", who,
			X509_verify_cert_error_string(verified));
	else if (why == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
		guard_fail(guard, "%s shows no certificate", who);
	else if (ERR_GET_LIB(error) == ERR_LIB_SSL && why > SSL_AD_REASON_OFFSET)
		guard_fail(guard, "%s refuses: %s", who, reason != NULL ? reason : "an alert");
	else
		guard_fail(guard, "TLS with %s failed: %s", who,
			reason != NULL              ? reason
			: code == SSL_ERROR_SYSCALL ? "cut off"
						    : "unknown");
}

/* ---- one connection ---- */

static void
open_tls(struct guard *guard) {
	BIO *bio = BIO_new(guard->credential->bio);
	guard->tls = SSL_new(guard->credential->tls);
	if (bio == NULL || guard->tls == NULL ||
		(guard->credential->name != NULL &&
			SSL_set1_host(guard->tls, guard->credential->name) != 1)) {
		BIO_free(bio);
		ERR_clear_error();
		guard_fail(guard, "OpenSSL cannot begin TLS");
		return;
	}
	SSL_set_hostflags(guard->tls, NAME_FLAGS);
	BIO_set_data(bio, guard);
	BIO_set_init(bio, 1);
	SSL_set_bio(guard->tls, bio, bio);
	if (guard->role == GUARD_DIALLER)
		SSL_set_connect_state(guard->tls);
	else
		SSL_set_accept_state(guard->tls);
}

/* One step of the handshake. Returns false when more bytes are needed first. */
static bool
shake(struct guard *guard) {
	ERR_clear_error();
	int done = SSL_do_handshake(guard->tls);
	if (done != 1) {
		int code = SSL_get_error(guard->tls, done);
		if (code != SSL_ERROR_WANT_READ)
			fail_tls(guard, code);
		return false;
	}
	guard->step = STEP_CONFIRM;
	if (guard->role == GUARD_DIALLER)
		return true;
	if (SSL_write(guard->tls, YES, 1) == 1)
		guard->state = GUARD_OPEN;
	else
		fail_tls(guard, SSL_ERROR_SSL);
	return true;
}

/* Reads what there is. Returns 0 when all has been read, and when the other side has ended. */
static size_t
read_plain(struct guard *guard, char *bytes, size_t size) {
	ERR_clear_error();
	int n = SSL_read(guard->tls, bytes, size < INT_MAX ? (int)size : INT_MAX);
	if (n > 0)
		return (size_t)n;
	int code = SSL_get_error(guard->tls, n);
	if (code == SSL_ERROR_ZERO_RETURN)
		guard->ended = true;
	else if (code != SSL_ERROR_WANT_READ)
		fail_tls(guard, code);
	return 0;
}

static void
confirm(struct guard *guard) {
	char byte;
	if (read_plain(guard, &byte, 1) == 0) {
		if (guard->ended)
			guard_fail(guard, "the other side closed before it had authenticated");
	} else if (byte == YES[0])
		guard->state = GUARD_OPEN;
	else
		guard_fail(guard, "the other side answers in a way of its own");
}

static void
tls_dial(struct guard *guard) {
	open_tls(guard);
	if (guard->state == GUARD_SHAKING)
		shake(guard);
}

static void
tls_start(struct guard *guard) {
	if (guard->role == GUARD_LISTENER)
		open_tls(guard);
}

static size_t
tls_receive(
	struct guard *guard, const unsigned char *bytes, size_t size, struct guard_buffer *plain) {
	size_t n = 0;
	guard->slice = bytes;
	guard->slice_size = size;
	if (guard->state == GUARD_SHAKING && guard->step == STEP_SHAKE)
		shake(guard);
	if (guard->state == GUARD_SHAKING && guard->step == STEP_CONFIRM)
		confirm(guard);
	if (guard->state == GUARD_OPEN) {
		do {
			char *room = guard_buffer_reserve(plain, RECORD_SIZE);
			n = read_plain(guard, room, RECORD_SIZE);
			guard_buffer_grow(plain, n);
		} while (n > 0);
	}
	/* What is left behind the end or an error belongs to nobody. */
	guard->slice_size = 0;
	return size;
}

static void
tls_send(struct guard *guard, const char *bytes, size_t size) {
	ERR_clear_error();
	while (size > 0 && guard->state == GUARD_OPEN) {
		size_t part = size < RECORD_SIZE ? size : RECORD_SIZE;
		int n = SSL_write(guard->tls, bytes, (int)part);
		if (n <= 0) {
			fail_tls(guard, SSL_get_error(guard->tls, n));
			return;
		}
		bytes += n;
		size -= (size_t)n;
	}
}

static void
tls_finish(struct guard *guard) {
	ERR_clear_error();
	SSL_shutdown(guard->tls);
	ERR_clear_error();
}

static void
tls_release(struct guard *guard) {
	SSL_free(guard->tls);
	guard->tls = NULL;
}

const struct guard_method guard_tls_method = {
	.dial = tls_dial,
	.start = tls_start,
	.receive = tls_receive,
	.send = tls_send,
	.finish = tls_finish,
	.release = tls_release,
};
