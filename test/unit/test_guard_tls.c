// wrap: SSL_new BIO_new SSL_CTX_new BIO_meth_new SSL_set1_host SSL_CTX_set_num_tickets
// wrap: BIO_meth_set_read X509_STORE_CTX_new X509_STORE_CTX_init
/* Guards with TLS, without sockets. */
#include "guard_pair.h"

#define DAY_S 86400

static struct certs ours, theirs;
static int fail_at; /* this call of the wrapped functions fails; 0: none */

static bool
fails_now(void) {
	return fail_at > 0 && --fail_at == 0;
}

SSL *__real_SSL_new(SSL_CTX *tls);
SSL *__wrap_SSL_new(SSL_CTX *tls);
BIO *__real_BIO_new(const BIO_METHOD *method);
BIO *__wrap_BIO_new(const BIO_METHOD *method);
SSL_CTX *__real_SSL_CTX_new(const SSL_METHOD *method);
SSL_CTX *__wrap_SSL_CTX_new(const SSL_METHOD *method);
BIO_METHOD *__real_BIO_meth_new(int type, const char *name);
BIO_METHOD *__wrap_BIO_meth_new(int type, const char *name);
int __real_SSL_set1_host(SSL *tls, const char *name);
int __wrap_SSL_set1_host(SSL *tls, const char *name);
int __real_SSL_CTX_set_num_tickets(SSL_CTX *tls, size_t count);
int __wrap_SSL_CTX_set_num_tickets(SSL_CTX *tls, size_t count);
int __real_BIO_meth_set_read(BIO_METHOD *method, int (*read)(BIO *, char *, int));
int __wrap_BIO_meth_set_read(BIO_METHOD *method, int (*read)(BIO *, char *, int));
X509_STORE_CTX *__real_X509_STORE_CTX_new(void);
X509_STORE_CTX *__wrap_X509_STORE_CTX_new(void);
int __real_X509_STORE_CTX_init(
	X509_STORE_CTX *check, X509_STORE *store, X509 *cert, STACK_OF(X509) * chain);
int __wrap_X509_STORE_CTX_init(
	X509_STORE_CTX *check, X509_STORE *store, X509 *cert, STACK_OF(X509) * chain);

SSL *
__wrap_SSL_new(SSL_CTX *tls) {
	return fails_now() ? NULL : __real_SSL_new(tls);
}

BIO *
__wrap_BIO_new(const BIO_METHOD *method) {
	return fails_now() ? NULL : __real_BIO_new(method);
}

SSL_CTX *
__wrap_SSL_CTX_new(const SSL_METHOD *method) {
	return fails_now() ? NULL : __real_SSL_CTX_new(method);
}

BIO_METHOD *
__wrap_BIO_meth_new(int type, const char *name) {
	return fails_now() ? NULL : __real_BIO_meth_new(type, name);
}

int
__wrap_SSL_set1_host(SSL *tls, const char *name) {
	return fails_now() ? 0 : __real_SSL_set1_host(tls, name);
}

int
__wrap_SSL_CTX_set_num_tickets(SSL_CTX *tls, size_t count) {
	return fails_now() ? 0 : __real_SSL_CTX_set_num_tickets(tls, count);
}

int
__wrap_BIO_meth_set_read(BIO_METHOD *method, int (*read)(BIO *, char *, int)) {
	return fails_now() ? 0 : __real_BIO_meth_set_read(method, read);
}

X509_STORE_CTX *
__wrap_X509_STORE_CTX_new(void) {
	return fails_now() ? NULL : __real_X509_STORE_CTX_new();
}

int
__wrap_X509_STORE_CTX_init(
	X509_STORE_CTX *check, X509_STORE *store, X509 *cert, STACK_OF(X509) * chain) {
	return fails_now() ? 0 : __real_X509_STORE_CTX_init(check, store, cert, chain);
}

static int
set_up(void **state) {
	(void)state;
	certs_init(&ours, "ca");
	certs_add(&ours, "one", 30);
	certs_add(&ours, "two", 30);
	certs_add(&ours, "brief", 2);
	certs_init(&theirs, "ca");
	certs_add(&theirs, "three", 30);
	return 0;
}

static int
tear_down(void **state) {
	(void)state;
	certs_fini(&ours);
	certs_fini(&theirs);
	return 0;
}

static struct guard_policy *
policy_of(const char *node) {
	struct guard_config config = tls_config(&ours, node, &ours, "ca");
	return make_policy(&config);
}

static struct pair
pair_of(const char *dialler, const char *listener) {
	struct guard_policy *out = policy_of(dialler), *in = policy_of(listener);
	struct pair pair = guards_of(out, in);
	guard_policy_drop(out);
	guard_policy_drop(in);
	return pair;
}

static void
expect_plain(struct pair *pair, enum guard_role role, const char *bytes, size_t size) {
	struct guard_buffer *plain = &pair->plain[role];
	assert_int_equal(guard_buffer_size(plain), size);
	assert_memory_equal(plain->data + plain->begin, bytes, size);
	guard_buffer_consume(plain, size);
}

static void
certificates_of_one_ca_open_both_ends_whatever_the_pieces(void **state) {
	(void)state;
	static const size_t pieces[] = {1, 2, 3, 5, 7, 8, 9, 13, 64, 100, 1000, SIZE_MAX};
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct pair pair = pair_of("one", "two");
		talk(&pair, pieces[i]);
		expect_open(&pair);
		assert_false(pair.ends[0]->transparent);
		guard_send(pair.ends[0], "hello", 5);
		guard_send(pair.ends[0], " world", 6);
		guard_send(pair.ends[1], "welcome", 7);
		talk(&pair, pieces[i]);
		expect_plain(&pair, GUARD_LISTENER, "hello world", 11);
		expect_plain(&pair, GUARD_DIALLER, "welcome", 7);
		end_pair(&pair);
	}
}

static void
the_wire_shows_nothing_and_the_dialler_waits_for_the_listener(void **state) {
	(void)state;
	struct pair pair = pair_of("one", "two");
	carry(&pair, GUARD_DIALLER, SIZE_MAX);
	carry(&pair, GUARD_LISTENER, SIZE_MAX);
	assert_int_equal(pair.ends[GUARD_DIALLER]->state, GUARD_SHAKING);
	carry(&pair, GUARD_DIALLER, SIZE_MAX);
	assert_int_equal(pair.ends[GUARD_LISTENER]->state, GUARD_OPEN);
	assert_int_equal(pair.ends[GUARD_DIALLER]->state, GUARD_SHAKING);
	carry(&pair, GUARD_LISTENER, SIZE_MAX);
	expect_open(&pair);
	guard_send(pair.ends[0], "a plain text", 12);
	struct guard_buffer *wire = &pair.ends[0]->wire;
	assert_null(memmem(wire->data + wire->begin, guard_buffer_size(wire), "plain", 5));
	end_pair(&pair);
}

static void
large_amounts_go_through_in_order(void **state) {
	(void)state;
	size_t size = 300000;
	char *bytes = malloc(size);
	for (size_t i = 0; i < size; i++)
		bytes[i] = (char)(i * 7 + i / 251);
	struct pair pair = pair_of("one", "two");
	talk(&pair, SIZE_MAX);
	guard_send(pair.ends[1], bytes, size);
	talk(&pair, 4099);
	expect_plain(&pair, GUARD_DIALLER, bytes, size);
	guard_send(pair.ends[0], bytes, size);
	talk(&pair, SIZE_MAX);
	expect_plain(&pair, GUARD_LISTENER, bytes, size);
	end_pair(&pair);
	free(bytes);
}

static void
bytes_behind_the_confirmation_are_let_through(void **state) {
	(void)state;
	struct pair pair = pair_of("one", "two");
	carry(&pair, GUARD_DIALLER, SIZE_MAX);
	carry(&pair, GUARD_LISTENER, SIZE_MAX);
	carry(&pair, GUARD_DIALLER, SIZE_MAX);
	guard_send(pair.ends[GUARD_LISTENER], "at once", 7);
	carry(&pair, GUARD_LISTENER, SIZE_MAX);
	expect_open(&pair);
	expect_plain(&pair, GUARD_DIALLER, "at once", 7);
	end_pair(&pair);
}

static void
the_end_of_one_side_is_seen_by_the_other(void **state) {
	(void)state;
	struct pair pair = pair_of("one", "two");
	talk(&pair, SIZE_MAX);
	guard_send(pair.ends[0], "last", 4);
	guard_finish(pair.ends[0]);
	talk(&pair, SIZE_MAX);
	expect_plain(&pair, GUARD_LISTENER, "last", 4);
	assert_true(pair.ends[GUARD_LISTENER]->ended);
	assert_int_equal(pair.ends[GUARD_LISTENER]->state, GUARD_OPEN);
	end_pair(&pair);
}

static void
a_certificate_of_another_ca_is_refused_by_either_side(void **state) {
	(void)state;
	struct guard_config foreign = tls_config(&theirs, "three", &theirs, "ca");
	struct guard_policy *good = policy_of("one"), *bad = make_policy(&foreign);
	struct pair pair = guards_of(bad, good);
	talk(&pair, SIZE_MAX);
	expect_failed(pair.ends[GUARD_DIALLER], "certificate that is not accepted");
	end_pair(&pair);
	/* The stranger trusts anybody. */
	SSL_CTX_set_verify(bad->credential->tls, SSL_VERIFY_NONE, NULL);
	pair = guards_of(bad, good);
	talk(&pair, SIZE_MAX);
	expect_failed(pair.ends[GUARD_LISTENER], "certificate that is not accepted");
	expect_failed(pair.ends[GUARD_DIALLER], "the other side refuses: ");
	assert_int_equal(guard_buffer_size(&pair.plain[GUARD_LISTENER]), 0);
	end_pair(&pair);
	pair = guards_of(good, bad);
	talk(&pair, SIZE_MAX);
	expect_failed(pair.ends[GUARD_DIALLER], "certificate that is not accepted");
	end_pair(&pair);
	guard_policy_drop(good);
	guard_policy_drop(bad);
}

static void
no_certificate_at_all_is_refused(void **state) {
	(void)state;
	struct guard_policy *good = policy_of("one"), *bare = policy_of("two");
	SSL_CTX_free(bare->credential->tls);
	bare->credential->tls = __real_SSL_CTX_new(TLS_method());
	struct pair pair = guards_of(bare, good);
	talk(&pair, SIZE_MAX);
	expect_failed(pair.ends[GUARD_LISTENER], "it shows no certificate");
	expect_failed(pair.ends[GUARD_DIALLER], "refuses");
	end_pair(&pair);
	guard_policy_drop(good);
	guard_policy_drop(bare);
}

static void
an_older_tls_is_refused(void **state) {
	(void)state;
	struct guard_policy *good = policy_of("one"), *old = policy_of("two");
	SSL_CTX_set_min_proto_version(old->credential->tls, TLS1_2_VERSION);
	SSL_CTX_set_max_proto_version(old->credential->tls, TLS1_2_VERSION);
	for (int role = 0; role < 2; role++) {
		struct pair pair =
			role == GUARD_DIALLER ? guards_of(old, good) : guards_of(good, old);
		talk(&pair, SIZE_MAX);
		assert_int_equal(pair.ends[0]->state, GUARD_FAILED);
		assert_int_equal(pair.ends[1]->state, GUARD_FAILED);
		end_pair(&pair);
	}
	guard_policy_drop(good);
	guard_policy_drop(old);
}

static void
an_expired_certificate_is_refused_and_named_so(void **state) {
	(void)state;
	struct guard_policy *good = policy_of("one"), *brief = policy_of("brief");
	X509_VERIFY_PARAM_set_time(
		SSL_CTX_get0_param(good->credential->tls), time(NULL) + 5 * DAY_S);
	struct pair pair = guards_of(brief, good);
	talk(&pair, SIZE_MAX);
	expect_failed(pair.ends[GUARD_LISTENER], "certificate has expired");
	expect_failed(pair.ends[GUARD_DIALLER], "expired");
	end_pair(&pair);
	pair = guards_of(good, brief);
	talk(&pair, SIZE_MAX);
	expect_failed(pair.ends[GUARD_DIALLER], "certificate has expired");
	end_pair(&pair);
	guard_policy_drop(good);
	guard_policy_drop(brief);
}

static void
a_name_can_be_asked_of_certificates(void **state) {
	(void)state;
	struct guard_config config = tls_config(&ours, "one", &ours, "ca");
	config.name = "one";
	struct guard_policy *named = make_policy(&config), *other = policy_of("two");
	struct pair pair = guards_of(named, named);
	talk(&pair, SIZE_MAX);
	expect_open(&pair);
	end_pair(&pair);
	pair = guards_of(named, other);
	talk(&pair, SIZE_MAX);
	expect_failed(pair.ends[GUARD_DIALLER], "its name is not 'one'");
	end_pair(&pair);
	pair = guards_of(other, named);
	talk(&pair, SIZE_MAX);
	expect_failed(pair.ends[GUARD_LISTENER], "its name is not 'one'");
	expect_failed(pair.ends[GUARD_DIALLER], "the other side refuses");
	end_pair(&pair);
	guard_policy_drop(named);
	guard_policy_drop(other);
}

/* The files of a node whose certificate has a name in its subject alone. */
static void
add_nameless(struct certs *certs, const char *name) {
	EVP_PKEY *key = make_key();
	X509 *cert = make_cert(certs, name, key, 30);
	X509_EXTENSION_free(
		X509_delete_ext(cert, X509_get_ext_by_NID(cert, NID_subject_alt_name, -1)));
	assert_true(X509_sign(cert, certs->ca_key, NULL) > 0);
	write_cert(certs, "nameless", cert);
	write_key(certs, "nameless", key, NULL);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static void
a_name_in_the_subject_alone_does_not_count(void **state) {
	(void)state;
	struct skynet_error error = {0};
	struct guard_config config = tls_config(&ours, "one", &ours, "ca");
	add_nameless(&ours, "one");
	config.name = "one";
	struct guard_policy *named = make_policy(&config), *nameless = policy_of("nameless");
	struct pair pair = guards_of(nameless, named);
	talk(&pair, SIZE_MAX);
	expect_failed(pair.ends[GUARD_LISTENER], "its name is not 'one'");
	end_pair(&pair);
	config = tls_config(&ours, "nameless", &ours, "ca");
	config.name = "one";
	assert_null(guard_policy_create(&config, &error));
	assert_non_null(strstr(error.text, "not for tls_name 'one'"));
	guard_policy_drop(named);
	guard_policy_drop(nameless);
}

static void
who_makes_tls_answer_without_reading_is_cut_off(void **state) {
	(void)state;
	struct pair pair = pair_of("one", "two");
	talk(&pair, SIZE_MAX);
	expect_open(&pair);
	SSL *hostile = pair.ends[GUARD_DIALLER]->tls;
	struct guard *victim = pair.ends[GUARD_LISTENER];
	for (int i = 0; i < 20000 && victim->state == GUARD_OPEN; i++) {
		assert_int_equal(SSL_key_update(hostile, SSL_KEY_UPDATE_REQUESTED), 1);
		assert_int_equal(SSL_do_handshake(hostile), 1);
		carry(&pair, GUARD_DIALLER, SIZE_MAX);
	}
	expect_failed(victim, "answers that it does not read");
	assert_true(guard_buffer_size(&victim->wire) < 300000);
	end_pair(&pair);
}

static void
a_secret_on_the_other_side_is_explained(void **state) {
	(void)state;
	struct guard_config secret = {.secret = "a secret of some length"};
	struct guard_policy *tls = policy_of("one"), *plain = make_policy(&secret);
	struct pair pair = guards_of(tls, plain);
	talk(&pair, SIZE_MAX);
	expect_failed(pair.ends[GUARD_LISTENER], "does not offer a secret");
	expect_failed(pair.ends[GUARD_DIALLER], "wants a shared secret");
	end_pair(&pair);
	pair = guards_of(plain, tls);
	talk(&pair, SIZE_MAX);
	expect_failed(pair.ends[GUARD_LISTENER], "does not offer TLS");
	expect_failed(pair.ends[GUARD_DIALLER], "wants TLS");
	end_pair(&pair);
	guard_policy_drop(tls);
	guard_policy_drop(plain);
}

static void
a_changed_byte_ends_the_connection(void **state) {
	(void)state;
	for (size_t at = 0; at < 40; at++) {
		struct pair pair = pair_of("one", "two");
		talk(&pair, SIZE_MAX);
		guard_send(pair.ends[0], "an order", 8);
		struct guard_buffer *wire = &pair.ends[0]->wire;
		if (at >= guard_buffer_size(wire)) {
			end_pair(&pair);
			break;
		}
		wire->data[wire->begin + at] ^= 1;
		talk(&pair, SIZE_MAX);
		/* A longer size in the head of the record waits for bytes that never come. */
		assert_int_equal(guard_buffer_size(&pair.plain[GUARD_LISTENER]), 0);
		if (at < 3 || at > 4)
			assert_int_equal(pair.ends[GUARD_LISTENER]->state, GUARD_FAILED);
		end_pair(&pair);
	}
}

static void
garbage_in_place_of_a_handshake_fails_within_bounds(void **state) {
	(void)state;
	unsigned char hello[GUARD_HELLO_SIZE];
	char zeros[4096] = {0};
	struct guard_buffer plain = {.data = NULL};
	guard_hello_write(hello, GUARD_KIND_TLS);
	for (int role = 0; role < 2; role++) {
		struct guard_policy *policy = policy_of("one");
		struct guard *guard = guard_create(policy, (enum guard_role)role, false);
		guard_receive(guard, (char *)hello, sizeof(hello), &plain);
		guard_receive(guard, zeros, sizeof(zeros), &plain);
		expect_failed(guard, "TLS with ");
		guard_destroy(guard);
		/* A handshake message that goes on and on, in well-formed records. */
		guard = guard_create(policy, (enum guard_role)role, false);
		guard_receive(guard, (char *)hello, sizeof(hello), &plain);
		for (int i = 0; i < 40 && guard->state == GUARD_SHAKING; i++) {
			unsigned char record[5 + 4096] = {0x16, 3, 3, 0x10, 0};
			if (i == 0)
				memcpy(record + 5, "\1\377\377\377", 4);
			guard_receive(guard, (char *)record, sizeof(record), &plain);
		}
		assert_int_equal(guard->state, GUARD_FAILED);
		guard_destroy(guard);
		guard_policy_drop(policy);
	}
	assert_int_equal(guard_buffer_size(&plain), 0);
	guard_buffer_fini(&plain);
}

static void
a_handshake_cut_anywhere_has_not_authenticated(void **state) {
	(void)state;
	for (size_t most = 0; most < 4000; most += most < 16 ? 1 : 97) {
		struct pair pair = pair_of("one", "two");
		size_t left = most, n = 1;
		while (n > 0) {
			n = carry(&pair, GUARD_DIALLER, left);
			left -= n;
			n += carry(&pair, GUARD_LISTENER, SIZE_MAX);
		}
		struct guard *listener = pair.ends[GUARD_LISTENER];
		if (left == 0 && listener->state != GUARD_OPEN)
			assert_int_equal(guard_end(listener), GUARD_FAILED);
		end_pair(&pair);
	}
}

static void
openssl_that_fails_is_an_error(void **state) {
	(void)state;
	struct guard_config config = tls_config(&ours, "one", &ours, "ca");
	config.name = "one";
	/* the four calls of the setup, and the two that look at our own certificate */
	for (int at = 1; at <= 6; at++) {
		struct skynet_error error = {0};
		fail_at = at;
		assert_null(guard_policy_create(&config, &error));
		assert_int_equal(fail_at, 0);
		assert_non_null(strstr(error.text, at <= 4 ? "no TLS 1.3" : "cannot use tls_cert"));
	}
	struct guard_policy *policy = make_policy(&config);
	for (int at = 1; at <= 3; at++) {
		fail_at = at;
		struct guard *guard = guard_create(policy, GUARD_DIALLER, false);
		fail_at = 0;
		expect_failed(guard, "cannot begin TLS");
		guard_destroy(guard);
	}
	guard_policy_drop(policy);
}

static void
expect_refused(struct guard_config config, const char *reason) {
	struct skynet_error error = {0};
	assert_null(guard_policy_create(&config, &error));
	assert_int_equal(error.code, SKYNET_ECONFIG);
	if (strstr(error.text, reason) == NULL)
		print_message("# found '%s', not '%s'\n", error.text, reason);
	assert_non_null(strstr(error.text, reason));
}

static void
bad_files_are_config_errors_that_name_the_setting(void **state) {
	(void)state;
	struct guard_config good = tls_config(&ours, "one", &ours, "ca"), config = good;
	config.key = NULL;
	expect_refused(config, "tls_key is missing");
	config = good;
	config.ca = NULL;
	expect_refused(config, "tls_ca is missing");
	config = good;
	config.cert = NULL;
	expect_refused(config, "tls_cert is missing");
	config = good;
	config.secret = "a secret of some length";
	expect_refused(config, "in one way");
	config = good;
	config.cert = "/nowhere.pem";
	expect_refused(config, "cannot use tls_cert '/nowhere.pem'");
	config.cert = good.key;
	expect_refused(config, "cannot use tls_cert");
	config = good;
	config.key = "/nowhere.key";
	expect_refused(config, "cannot use tls_key '/nowhere.key'");
	config.key = cert_path(&ours, "two", "key");
	expect_refused(config, "key values mismatch");
	config = good;
	config.ca = "/nowhere.ca";
	expect_refused(config, "cannot use tls_ca '/nowhere.ca'");
	config.ca = cert_path(&theirs, "ca", "pem");
	expect_refused(config, "not of");
	config = good;
	config.name = "someone";
	expect_refused(config, "not for tls_name 'someone'");
	EVP_PKEY *key = make_key();
	write_key(&ours, "locked", key, "phrase");
	EVP_PKEY_free(key);
	config = good;
	config.key = cert_path(&ours, "locked", "key");
	expect_refused(config, "cannot use tls_key");
	certs_add(&ours, "old", 0);
	X509 *old = make_cert(&ours, "old", ours.ca_key, -1);
	write_cert(&ours, "old", old);
	write_key(&ours, "old", ours.ca_key, NULL);
	X509_free(old);
	expect_refused(tls_config(&ours, "old", &ours, "ca"), "certificate has expired");
}

static void
certificates_that_are_read_again_count_for_what_begins_then(void **state) {
	(void)state;
	struct skynet_error error = {0};
	struct certs old, fresh;
	certs_init(&old, "ca");
	certs_add(&old, "node", 30);
	certs_init(&fresh, "ca");
	certs_add(&fresh, "node", 30);
	struct guard_config config = tls_config(&old, "node", &old, "ca");
	struct guard_policy *policy = make_policy(&config), *peer = make_policy(&config);
	struct pair early = guards_of(policy, peer);
	talk(&early, SIZE_MAX);
	expect_open(&early);

	/* The new certificate without its key, then with the old authority: nothing changes. */
	rename(cert_path(&fresh, "node", "pem"), cert_path(&old, "node", "pem"));
	assert_false(renew_policy(policy, &config, &error));
	assert_non_null(strstr(error.text, "tls_key"));
	rename(cert_path(&fresh, "node", "key"), cert_path(&old, "node", "key"));
	assert_false(renew_policy(policy, &config, &error));
	assert_non_null(strstr(error.text, "not of"));
	struct pair same = guards_of(peer, policy);
	talk(&same, SIZE_MAX);
	expect_open(&same);
	end_pair(&same);

	rename(cert_path(&fresh, "ca", "pem"), cert_path(&old, "ca", "pem"));
	assert_true(renew_policy(policy, &config, &error));
	struct pair late = guards_of(peer, policy);
	talk(&late, SIZE_MAX);
	assert_int_equal(late.ends[GUARD_LISTENER]->state, GUARD_FAILED);
	end_pair(&late);
	assert_true(renew_policy(peer, &config, &error));
	late = guards_of(peer, policy);
	talk(&late, SIZE_MAX);
	expect_open(&late);
	end_pair(&late);

	/* What was open before is so still. */
	guard_send(early.ends[0], "hello", 5);
	talk(&early, SIZE_MAX);
	expect_plain(&early, GUARD_LISTENER, "hello", 5);
	end_pair(&early);
	guard_policy_drop(policy);
	guard_policy_drop(peer);
	certs_fini(&old);
	certs_fini(&fresh);
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(certificates_of_one_ca_open_both_ends_whatever_the_pieces),
		cmocka_unit_test(the_wire_shows_nothing_and_the_dialler_waits_for_the_listener),
		cmocka_unit_test(large_amounts_go_through_in_order),
		cmocka_unit_test(bytes_behind_the_confirmation_are_let_through),
		cmocka_unit_test(the_end_of_one_side_is_seen_by_the_other),
		cmocka_unit_test(a_certificate_of_another_ca_is_refused_by_either_side),
		cmocka_unit_test(no_certificate_at_all_is_refused),
		cmocka_unit_test(an_older_tls_is_refused),
		cmocka_unit_test(an_expired_certificate_is_refused_and_named_so),
		cmocka_unit_test(a_name_can_be_asked_of_certificates),
		cmocka_unit_test(a_name_in_the_subject_alone_does_not_count),
		cmocka_unit_test(who_makes_tls_answer_without_reading_is_cut_off),
		cmocka_unit_test(a_secret_on_the_other_side_is_explained),
		cmocka_unit_test(a_changed_byte_ends_the_connection),
		cmocka_unit_test(garbage_in_place_of_a_handshake_fails_within_bounds),
		cmocka_unit_test(a_handshake_cut_anywhere_has_not_authenticated),
		cmocka_unit_test(openssl_that_fails_is_an_error),
		cmocka_unit_test(bad_files_are_config_errors_that_name_the_setting),
		cmocka_unit_test(certificates_that_are_read_again_count_for_what_begins_then),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
