// wrap: HMAC
/* Guards with a shared secret, without sockets. */
#include "guard_pair.h"

#include <openssl/hmac.h>

#define SECRET "a secret of some length"
#define OTHER  "another secret of that length"

static const struct guard_config GOOD = {.secret = SECRET};
static const struct guard_config BAD = {.secret = OTHER};

static unsigned char counted; /* what the fixed randomness comes from */
static bool no_hash;

unsigned char *__real_HMAC(const EVP_MD *md, const void *key, int key_size,
	const unsigned char *data, size_t size, unsigned char *digest, unsigned *digest_size);
unsigned char *__wrap_HMAC(const EVP_MD *md, const void *key, int key_size,
	const unsigned char *data, size_t size, unsigned char *digest, unsigned *digest_size);

unsigned char *
__wrap_HMAC(const EVP_MD *md, const void *key, int key_size, const unsigned char *data, size_t size,
	unsigned char *digest, unsigned *digest_size) {
	if (no_hash)
		return NULL;
	return __real_HMAC(md, key, key_size, data, size, digest, digest_size);
}

static int
fixed_random(unsigned char *bytes, int size) {
	memset(bytes, ++counted, (size_t)size);
	return 1;
}

static int
no_random(unsigned char *bytes, int size) {
	memset(bytes, 0, (size_t)size);
	return 0;
}

/* A pair with the configs of its ends. */
static struct pair
pair_of(const struct guard_config *dialler, const struct guard_config *listener) {
	struct guard_policy *out = make_policy(dialler), *in = make_policy(listener);
	struct pair pair = guards_of(out, in);
	guard_policy_drop(out);
	guard_policy_drop(in);
	return pair;
}

static struct guard *
guard_of(const struct guard_config *config, enum guard_role role, bool lenient) {
	struct guard_policy *policy = make_policy(config);
	struct guard *guard = guard_create(policy, role, lenient);
	guard_policy_drop(policy);
	return guard;
}

static void
the_same_secret_opens_both_ends_whatever_the_pieces(void **state) {
	(void)state;
	for (size_t most = 1; most <= 90; most++) {
		struct pair pair = pair_of(&GOOD, &GOOD);
		talk(&pair, most);
		expect_open(&pair);
		assert_true(pair.ends[0]->transparent && pair.ends[1]->transparent);
		assert_int_equal(guard_buffer_size(&pair.plain[0]), 0);
		assert_int_equal(guard_buffer_size(&pair.plain[1]), 0);
		end_pair(&pair);
	}
}

static void
nothing_on_the_wire_holds_the_secret(void **state) {
	(void)state;
	struct pair pair = pair_of(&GOOD, &GOOD);
	struct guard_buffer all = {.data = NULL};
	bool more = true;
	while (more) {
		more = false;
		for (int i = 0; i < 2; i++) {
			struct guard_buffer *wire = &pair.ends[i]->wire;
			guard_buffer_append(
				&all, wire->data + wire->begin, guard_buffer_size(wire));
			more |= carry(&pair, (enum guard_role)i, SIZE_MAX) > 0;
		}
	}
	expect_open(&pair);
	assert_int_equal(guard_buffer_size(&all), 8 + 32 + 8 + 32 + 32 + 33);
	assert_null(memmem(all.data, guard_buffer_size(&all), SECRET, 8));
	guard_buffer_fini(&all);
	end_pair(&pair);
}

static void
bytes_behind_the_handshake_pass_as_they_are(void **state) {
	(void)state;
	struct pair pair = pair_of(&GOOD, &GOOD);
	carry(&pair, GUARD_DIALLER, SIZE_MAX);
	carry(&pair, GUARD_LISTENER, SIZE_MAX);
	/* Behind the proof, in the same piece. */
	guard_buffer_append(&pair.ends[GUARD_DIALLER]->wire, "\0\0 more", 7);
	carry(&pair, GUARD_DIALLER, SIZE_MAX);
	assert_int_equal(guard_buffer_size(&pair.plain[GUARD_LISTENER]), 7);
	assert_memory_equal(pair.plain[GUARD_LISTENER].data, "\0\0 more", 7);
	guard_buffer_append(&pair.ends[GUARD_LISTENER]->wire, "back", 4);
	talk(&pair, SIZE_MAX);
	expect_open(&pair);
	size_t size;
	char *block = guard_buffer_take(&pair.plain[GUARD_DIALLER], &size);
	assert_int_equal(size, 4);
	assert_memory_equal(block, "back", 4);
	skynet_free(block);
	end_pair(&pair);
}

static void
another_secret_fails_and_both_ends_say_so(void **state) {
	(void)state;
	for (size_t most = 1; most <= 90; most++) {
		struct pair pair = pair_of(&BAD, &GOOD);
		talk(&pair, most);
		expect_failed(pair.ends[GUARD_LISTENER], "it has another secret");
		expect_failed(pair.ends[GUARD_DIALLER], "the other side refuses: it has another");
		end_pair(&pair);
	}
}

static void
a_listener_takes_each_of_its_secrets(void **state) {
	(void)state;
	struct certs files;
	certs_init(&files, "ca");
	char path[160];
	snprintf(path, sizeof(path), "%s", cert_path(&files, "secrets", "txt"));
	FILE *file = fopen(path, "w");
	fprintf(file, "\n  %s \r\n\n%s\n", OTHER, SECRET);
	fclose(file);
	struct guard_config both = {.secret_file = path};
	struct pair pair = pair_of(&GOOD, &both);
	talk(&pair, SIZE_MAX);
	expect_open(&pair);
	end_pair(&pair);
	pair = pair_of(&BAD, &both);
	talk(&pair, SIZE_MAX);
	expect_open(&pair);
	end_pair(&pair);
	/* Its own is the first. */
	pair = pair_of(&both, &BAD);
	talk(&pair, SIZE_MAX);
	expect_open(&pair);
	end_pair(&pair);
	pair = pair_of(&both, &GOOD);
	talk(&pair, SIZE_MAX);
	expect_failed(pair.ends[GUARD_LISTENER], "another secret");
	end_pair(&pair);
	certs_fini(&files);
}

static void
a_recorded_dialler_is_refused(void **state) {
	(void)state;
	struct guard_buffer heard = {.data = NULL};
	struct pair pair = pair_of(&GOOD, &GOOD);
	struct guard_buffer *wire = &pair.ends[GUARD_DIALLER]->wire;
	do {
		guard_buffer_append(&heard, wire->data + wire->begin, guard_buffer_size(wire));
	} while (
		carry(&pair, GUARD_DIALLER, SIZE_MAX) + carry(&pair, GUARD_LISTENER, SIZE_MAX) > 0);
	expect_open(&pair);
	end_pair(&pair);
	assert_int_equal(guard_buffer_size(&heard), 8 + 32 + 32);
	struct guard_buffer plain = {.data = NULL};
	struct guard *fresh = guard_of(&GOOD, GUARD_LISTENER, false);
	guard_receive(fresh, heard.data, guard_buffer_size(&heard), &plain);
	expect_failed(fresh, "another secret");
	assert_int_equal(guard_buffer_size(&plain), 0);
	guard_destroy(fresh);
	guard_buffer_fini(&heard);
}

static void
a_recorded_listener_is_refused(void **state) {
	(void)state;
	struct guard_buffer heard = {.data = NULL};
	struct pair pair = pair_of(&GOOD, &GOOD);
	carry(&pair, GUARD_DIALLER, SIZE_MAX);
	for (int i = 0; i < 2; i++) {
		struct guard_buffer *wire = &pair.ends[GUARD_LISTENER]->wire;
		guard_buffer_append(&heard, wire->data + wire->begin, guard_buffer_size(wire));
		carry(&pair, GUARD_LISTENER, SIZE_MAX);
		carry(&pair, GUARD_DIALLER, SIZE_MAX);
	}
	expect_open(&pair);
	end_pair(&pair);
	assert_int_equal(guard_buffer_size(&heard), 8 + 32 + 33);
	struct guard_buffer plain = {.data = NULL};
	struct guard *fresh = guard_of(&GOOD, GUARD_DIALLER, false);
	guard_receive(fresh, heard.data, guard_buffer_size(&heard), &plain);
	expect_failed(fresh, "cannot prove");
	guard_destroy(fresh);
	guard_buffer_fini(&heard);
}

/* Who knows no secret and sends a dialler its own words, or those of a second dialler, back. */
static void
reflected_words_prove_nothing(void **state) {
	(void)state;
	struct guard_buffer plain = {.data = NULL};
	struct guard *dialler = guard_of(&GOOD, GUARD_DIALLER, false);
	for (int i = 0; i < 3 && dialler->state == GUARD_SHAKING; i++) {
		size_t size;
		char *said = guard_buffer_take(&dialler->wire, &size);
		guard_receive(dialler, said, size, &plain);
		skynet_free(said);
	}
	expect_failed(dialler, "only says what it is told");
	guard_destroy(dialler);

	struct guard *ends[2] = {
		guard_of(&GOOD, GUARD_DIALLER, false), guard_of(&GOOD, GUARD_DIALLER, false)};
	for (int i = 0; i < 4; i++) {
		size_t size;
		char *said = guard_buffer_take(&ends[i % 2]->wire, &size);
		if (said != NULL)
			guard_receive(ends[1 - i % 2], said, size, &plain);
		skynet_free(said);
	}
	assert_int_not_equal(ends[0]->state, GUARD_OPEN);
	assert_int_not_equal(ends[1]->state, GUARD_OPEN);
	guard_destroy(ends[0]);
	guard_destroy(ends[1]);

	/* The proof of a dialler is none of a listener, over the same nonces. */
	struct guard_config fixed = {.secret = SECRET, .random = fixed_random};
	counted = 0;
	struct pair pair = pair_of(&fixed, &fixed);
	carry(&pair, GUARD_DIALLER, SIZE_MAX);
	carry(&pair, GUARD_LISTENER, SIZE_MAX);
	char answer[33] = "Y";
	struct guard_buffer *wire = &pair.ends[GUARD_DIALLER]->wire;
	assert_int_equal(guard_buffer_size(wire), 32);
	memcpy(answer + 1, wire->data + wire->begin, 32);
	guard_receive(pair.ends[GUARD_DIALLER], answer, sizeof(answer), &plain);
	expect_failed(pair.ends[GUARD_DIALLER], "cannot prove");
	end_pair(&pair);
	assert_int_equal(guard_buffer_size(&plain), 0);
}

static void
a_changed_bit_anywhere_fails(void **state) {
	(void)state;
	struct guard_config fixed = {.secret = SECRET, .random = fixed_random};
	size_t total[2] = {8 + 32 + 32, 8 + 32 + 33};
	for (int from = 0; from < 2; from++) {
		for (size_t at = 0; at < total[from]; at++) {
			struct pair pair = pair_of(&fixed, &fixed);
			size_t passed[2] = {0, 0};
			bool more = true;
			while (more) {
				more = false;
				for (int i = 0; i < 2; i++) {
					struct guard_buffer *wire = &pair.ends[i]->wire;
					if (guard_buffer_size(wire) == 0)
						continue;
					if (i == from && passed[i] == at)
						wire->data[wire->begin] ^= 1;
					passed[i] += carry(&pair, (enum guard_role)i, 1);
					more = true;
				}
			}
			/* The last proof of a listener is checked by the dialler alone. */
			assert_int_not_equal(pair.ends[GUARD_DIALLER]->state, GUARD_OPEN);
			bool last = from == GUARD_LISTENER && at >= 40;
			assert_int_equal(pair.ends[GUARD_LISTENER]->state == GUARD_OPEN, last);
			end_pair(&pair);
		}
	}
}

static void
whoever_ends_early_has_not_authenticated(void **state) {
	(void)state;
	size_t total[2] = {8 + 32 + 32, 8 + 32 + 33};
	for (int from = 0; from < 2; from++) {
		for (size_t most = 0; most < total[from]; most++) {
			struct pair pair = pair_of(&GOOD, &GOOD);
			size_t left = most, n = 1;
			while (n > 0) {
				n = carry(&pair, (enum guard_role)from, left);
				left -= n;
				n += carry(&pair, (enum guard_role)(1 - from), SIZE_MAX);
			}
			struct guard *other = pair.ends[1 - from];
			assert_int_equal(other->state, GUARD_SHAKING);
			assert_int_equal(guard_end(other), GUARD_FAILED);
			assert_true(other->reason[0] != '\0');
			end_pair(&pair);
		}
	}
	struct guard *dialler = guard_of(&GOOD, GUARD_DIALLER, false);
	guard_end(dialler);
	expect_failed(dialler, "neither auth_secret nor tls_cert");
	guard_destroy(dialler);
}

static void
garbage_is_refused_at_its_first_wrong_byte(void **state) {
	(void)state;
	static const char *const first[] = {"H", "\1", "GET / HTTP/1.1\r\n", "\xff\xff"};
	struct guard_buffer plain = {.data = NULL};
	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
		for (int role = 0; role < 2; role++) {
			struct guard *guard = guard_of(&GOOD, (enum guard_role)role, false);
			guard_receive(guard, first[i], strlen(first[i]), &plain);
			expect_failed(guard, "does not authenticate");
			/* What comes later changes nothing. */
			guard_receive(guard, first[i], strlen(first[i]), &plain);
			expect_failed(guard, "does not authenticate");
			guard_destroy(guard);
		}
	}
	static const unsigned char nearly[] = {0, 0, 'S', 'K', 'X'};
	struct guard *guard = guard_of(&GOOD, GUARD_LISTENER, false);
	guard_receive(guard, (const char *)nearly, 4, &plain);
	assert_int_equal(guard->state, GUARD_SHAKING);
	guard_receive(guard, (const char *)nearly + 4, 1, &plain);
	expect_failed(guard, "does not authenticate");
	guard_destroy(guard);
	assert_int_equal(guard_buffer_size(&plain), 0);
}

static void
an_allowed_peer_is_let_in_with_its_bytes(void **state) {
	(void)state;
	static const struct {
		const char *bytes;
		size_t size;
	} first[] = {{"\x14H and more", 11}, {"\0\x14 a frame", 10}, {"\0\0S\1", 4}};
	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
		for (size_t cut = 0; cut <= first[i].size; cut++) {
			struct guard_buffer plain = {.data = NULL};
			struct guard *guard = guard_of(&GOOD, GUARD_LISTENER, true);
			guard_receive(guard, first[i].bytes, cut, &plain);
			guard_receive(guard, first[i].bytes + cut, first[i].size - cut, &plain);
			assert_int_equal(guard->state, GUARD_OPEN);
			assert_true(guard->transparent);
			assert_int_equal(guard_buffer_size(&plain), first[i].size);
			assert_memory_equal(plain.data, first[i].bytes, first[i].size);
			assert_int_equal(guard_buffer_size(&guard->wire), 0);
			guard_buffer_fini(&plain);
			guard_destroy(guard);
		}
	}
}

static void
an_allowed_peer_may_authenticate_all_the_same(void **state) {
	(void)state;
	struct pair pair = {.ends = {guard_of(&GOOD, GUARD_DIALLER, false),
				    guard_of(&GOOD, GUARD_LISTENER, true)}};
	talk(&pair, 1);
	expect_open(&pair);
	end_pair(&pair);
	pair = (struct pair){.ends = {guard_of(&BAD, GUARD_DIALLER, false),
				     guard_of(&GOOD, GUARD_LISTENER, true)}};
	talk(&pair, SIZE_MAX);
	expect_failed(pair.ends[GUARD_LISTENER], "another secret");
	end_pair(&pair);
}

static void
time_runs_out_for_all_but_silent_allowed_peers(void **state) {
	(void)state;
	struct guard_buffer plain = {.data = NULL};
	struct guard *guard = guard_of(&GOOD, GUARD_LISTENER, false);
	assert_int_equal(guard_expire(guard, &plain), GUARD_FAILED);
	expect_failed(guard, "in time");
	guard_destroy(guard);
	guard = guard_of(&GOOD, GUARD_DIALLER, false);
	guard_expire(guard, &plain);
	expect_failed(guard, "in time");
	guard_destroy(guard);
	for (size_t said = 0; said < 4; said++) {
		guard = guard_of(&GOOD, GUARD_LISTENER, true);
		guard_receive(guard, "\0\0SK", said, &plain);
		guard_expire(guard, &plain);
		assert_int_equal(guard->state, said <= 1 ? GUARD_OPEN : GUARD_FAILED);
		guard_destroy(guard);
	}
	assert_int_equal(guard_buffer_size(&plain), 1);
	guard_buffer_fini(&plain);
}

static void
refusals_and_versions_are_explained(void **state) {
	(void)state;
	struct guard_buffer plain = {.data = NULL};
	for (unsigned why = 0; why < 9; why++) {
		unsigned char bytes[GUARD_REFUSAL_SIZE];
		guard_refusal_write(bytes, (enum guard_refusal)why);
		for (size_t cut = 0; cut <= sizeof(bytes); cut++) {
			struct guard *dialler = guard_of(&GOOD, GUARD_DIALLER, false);
			guard_receive(dialler, (char *)bytes, cut, &plain);
			guard_receive(dialler, (char *)bytes + cut, sizeof(bytes) - cut, &plain);
			expect_failed(dialler, guard_refusal_text(why));
			guard_destroy(dialler);
		}
	}
	unsigned char hello[GUARD_HELLO_SIZE];
	guard_hello_write(hello, GUARD_KIND_SECRET);
	hello[GUARD_AT_VERSION] = 9;
	for (int role = 0; role < 2; role++) {
		struct guard *guard = guard_of(&GOOD, (enum guard_role)role, false);
		guard_receive(guard, (char *)hello, sizeof(hello), &plain);
		expect_failed(guard, "version 9");
		guard_destroy(guard);
	}
	guard_hello_write(hello, GUARD_KIND_TLS);
	struct guard *guard = guard_of(&GOOD, GUARD_LISTENER, false);
	guard_receive(guard, (char *)hello, sizeof(hello), &plain);
	expect_failed(guard, "does not offer a secret");
	assert_int_equal(guard_buffer_size(&guard->wire), GUARD_REFUSAL_SIZE);
	guard_destroy(guard);
	guard = guard_of(&GOOD, GUARD_DIALLER, false);
	guard_receive(guard, (char *)hello, sizeof(hello), &plain);
	expect_failed(guard, "a way of its own");
	guard_destroy(guard);
}

static void
without_randomness_or_hash_it_fails(void **state) {
	(void)state;
	struct guard_config dry = {.secret = SECRET, .random = no_random};
	struct pair pair = pair_of(&dry, &GOOD);
	expect_failed(pair.ends[GUARD_DIALLER], "OpenSSL");
	end_pair(&pair);
	pair = pair_of(&GOOD, &dry);
	talk(&pair, SIZE_MAX);
	expect_failed(pair.ends[GUARD_LISTENER], "OpenSSL");
	end_pair(&pair);
	for (int from = 0; from < 3; from++) {
		pair = pair_of(&GOOD, &GOOD);
		carry(&pair, GUARD_DIALLER, SIZE_MAX);
		no_hash = from == 0;
		carry(&pair, GUARD_LISTENER, SIZE_MAX);
		no_hash = from == 1;
		carry(&pair, GUARD_DIALLER, SIZE_MAX);
		no_hash = from == 2;
		carry(&pair, GUARD_LISTENER, SIZE_MAX);
		no_hash = false;
		expect_failed(pair.ends[from == 1], "OpenSSL");
		end_pair(&pair);
	}
}

static void
expect_refused(const struct guard_config *config, const char *reason) {
	struct skynet_error error = {0};
	assert_true(guard_config_wanted(config));
	assert_null(guard_policy_create(config, &error));
	assert_int_equal(error.code, SKYNET_ECONFIG);
	if (strstr(error.text, reason) == NULL)
		print_message("# found '%s', not '%s'\n", error.text, reason);
	assert_non_null(strstr(error.text, reason));
	assert_null(strstr(error.text, "weak"));
}

static void
bad_secrets_are_config_errors_that_do_not_show_them(void **state) {
	(void)state;
	struct certs files;
	char path[160], text[300];
	certs_init(&files, "ca");
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	expect_refused(
		&(struct guard_config){.secret = "weak"}, "auth_secret: a secret of 4 bytes");
	expect_refused(&(struct guard_config){.secret = text}, "256");
	expect_refused(&(struct guard_config){.secret = SECRET, .secret_file = "x"}, "keep one");
	expect_refused(&(struct guard_config){.secret_file = files.folder}, "cannot read");
	expect_refused(&(struct guard_config){.secret_file = "/nowhere"}, "No such file");
	static const struct {
		const char *text;
		size_t size;
		const char *reason;
	} contents[] = {
		{"", 0, "no secret"},
		{" \n\n", 3, "no secret"},
		{"weak\n", 5, "4 bytes"},
		{"aaaaaaaaaaaaaaaaaaaaaa\0bbbb", 27, "not a text"},
		{"aaaaaaaaaaaaaaaaaaaa1\naaaaaaaaaaaaaaaaaaaa2\naaaaaaaaaaaaaaaaaaaa3\n"
		 "aaaaaaaaaaaaaaaaaaaa4\naaaaaaaaaaaaaaaaaaaa5\n",
			110, "more than 4"},
	};
	snprintf(path, sizeof(path), "%s/file", files.folder);
	for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
		FILE *file = fopen(path, "w");
		fwrite(contents[i].text, 1, contents[i].size, file);
		fclose(file);
		expect_refused(&(struct guard_config){.secret_file = path}, contents[i].reason);
	}
	FILE *file = fopen(path, "w");
	for (int i = 0; i < 5000; i++)
		fputc('x', file);
	fclose(file);
	expect_refused(&(struct guard_config){.secret_file = path}, "at most 4096");
	expect_refused(&(struct guard_config){.secret = SECRET, .allow = "10.0.0.1 nonsense!"},
		"auth_allow: 'nonsense!'");
	certs_fini(&files);
}

static void
a_hello_and_a_refusal_name_the_setting(void **state) {
	(void)state;
	unsigned char bytes[GUARD_REFUSAL_SIZE] = {0};
	assert_null(guard_hello_setting(bytes, sizeof(bytes)));
	guard_hello_write(bytes, GUARD_KIND_SECRET);
	assert_string_equal(guard_hello_setting(bytes, GUARD_HELLO_SIZE), "auth_secret");
	assert_null(guard_hello_setting(bytes, GUARD_HELLO_SIZE - 1));
	guard_hello_write(bytes, GUARD_KIND_TLS);
	assert_string_equal(guard_hello_setting(bytes, GUARD_HELLO_SIZE), "tls_cert");
	guard_refusal_write(bytes, GUARD_REFUSED_WANTS_TLS);
	assert_null(guard_hello_setting(bytes, GUARD_HELLO_SIZE));
	assert_string_equal(guard_hello_setting(bytes, GUARD_REFUSAL_SIZE), "tls_cert");
	guard_refusal_write(bytes, GUARD_REFUSED_LIMIT);
	assert_string_equal(
		guard_hello_setting(bytes, GUARD_REFUSAL_SIZE), "auth_secret or tls_cert");
	struct guard *guard = guard_of(&GOOD, GUARD_LISTENER, false);
	struct guard_buffer plain = {.data = NULL};
	assert_int_equal(guard_receive(guard, "GET /", 5, &plain), GUARD_FAILED);
	assert_string_equal(guard_hello_setting((unsigned char *)guard->wire.data,
				    guard_buffer_size(&guard->wire)),
		"auth_secret");
	guard_destroy(guard);
}

static void
write_text(const char *path, const char *text) {
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void
secrets_that_are_read_again_count_for_what_begins_then(void **state) {
	(void)state;
	struct skynet_error error = {0};
	struct certs files;
	certs_init(&files, "ca");
	const char *path = cert_path(&files, "secret", "txt");
	write_text(path, SECRET "\n");
	struct guard_config config = {.secret_file = path};
	struct guard_policy *out = make_policy(&config), *in = make_policy(&GOOD);
	struct pair early = guards_of(out, in);
	write_text(path, OTHER "\n");
	assert_true(renew_policy(out, &config, &error));
	struct pair late = guards_of(out, in);
	talk(&early, 7);
	expect_open(&early);
	talk(&late, 7);
	expect_failed(late.ends[GUARD_LISTENER], "another secret");
	end_pair(&early);
	end_pair(&late);

	/* A file with an error changes nothing. */
	write_text(path, "short");
	assert_false(renew_policy(out, &config, &error));
	assert_non_null(strstr(error.text, "auth_secret_file '"));
	assert_non_null(strstr(error.text, "a secret of 5 bytes"));
	unlink(path);
	assert_false(renew_policy(out, &config, &error));
	assert_non_null(strstr(error.text, "cannot read auth_secret_file"));
	struct guard_policy *other = make_policy(&BAD);
	struct pair last = guards_of(out, other);
	talk(&last, 7);
	expect_open(&last);
	end_pair(&last);
	guard_policy_drop(other);
	guard_policy_drop(in);
	guard_policy_drop(out);
	certs_fini(&files);
}

static void
a_list_of_addresses_that_is_read_again_counts_at_once(void **state) {
	(void)state;
	struct skynet_error error = {0};
	struct guard_config config = {.secret = SECRET, .allow = "10.0.0.9:2526"};
	struct guard_policy *policy = make_policy(&config);
	struct socket_address old, new;
	assert_int_equal(socket_address_parse(&old, "10.0.0.9", 2526), 0);
	assert_int_equal(socket_address_parse(&new, "10.0.0.8", 2526), 0);
	for (int dialled = 0; dialled < 2; dialled++) {
		assert_true(guard_policy_allows(policy, &old, dialled));
		assert_false(guard_policy_allows(policy, &new, dialled));
	}
	config.allow = "10.0.0.8 nonsense!";
	assert_false(renew_policy(policy, &config, &error));
	assert_true(guard_policy_allows(policy, &old, false));
	config.allow = "10.0.0.8";
	assert_true(renew_policy(policy, &config, &error));
	for (int dialled = 0; dialled < 2; dialled++) {
		assert_false(guard_policy_allows(policy, &old, dialled));
		assert_true(guard_policy_allows(policy, &new, dialled));
	}
	config.allow = NULL;
	assert_true(renew_policy(policy, &config, &error));
	assert_false(guard_policy_allows(policy, &new, false));
	guard_policy_drop(policy);
}

static void
lines_about_failures_are_few(void **state) {
	(void)state;
	struct guard_policy *policy = make_policy(&GOOD);
	uint64_t now = 1000, silent, told = 0, second = 1000000000;
	for (int i = 0; i < 1000; i++)
		told += guard_policy_may_report(policy, now, &silent);
	assert_int_equal(told, 5);
	assert_false(guard_policy_may_report(policy, now + 9 * second, &silent));
	assert_true(guard_policy_may_report(policy, now + 10 * second, &silent));
	assert_int_equal(silent, 996);
	assert_false(guard_policy_may_report(policy, now + 10 * second, &silent));
	now += 1000 * second;
	for (told = 0; guard_policy_may_report(policy, now, &silent);)
		told++;
	assert_int_equal(told, 5);
	guard_policy_drop(policy);
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_secret_opens_both_ends_whatever_the_pieces),
		cmocka_unit_test(nothing_on_the_wire_holds_the_secret),
		cmocka_unit_test(bytes_behind_the_handshake_pass_as_they_are),
		cmocka_unit_test(another_secret_fails_and_both_ends_say_so),
		cmocka_unit_test(a_listener_takes_each_of_its_secrets),
		cmocka_unit_test(a_recorded_dialler_is_refused),
		cmocka_unit_test(a_recorded_listener_is_refused),
		cmocka_unit_test(reflected_words_prove_nothing),
		cmocka_unit_test(a_changed_bit_anywhere_fails),
		cmocka_unit_test(whoever_ends_early_has_not_authenticated),
		cmocka_unit_test(garbage_is_refused_at_its_first_wrong_byte),
		cmocka_unit_test(an_allowed_peer_is_let_in_with_its_bytes),
		cmocka_unit_test(an_allowed_peer_may_authenticate_all_the_same),
		cmocka_unit_test(time_runs_out_for_all_but_silent_allowed_peers),
		cmocka_unit_test(refusals_and_versions_are_explained),
		cmocka_unit_test(without_randomness_or_hash_it_fails),
		cmocka_unit_test(bad_secrets_are_config_errors_that_do_not_show_them),
		cmocka_unit_test(a_hello_and_a_refusal_name_the_setting),
		cmocka_unit_test(secrets_that_are_read_again_count_for_what_begins_then),
		cmocka_unit_test(a_list_of_addresses_that_is_read_again_counts_at_once),
		cmocka_unit_test(lines_about_failures_are_few),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
