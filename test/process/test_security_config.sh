# Settings of authentication: bad ones are refused by --check and at the start, secrets are not shown.
. test/process/lib.sh
. test/process/security.sh

# refused NAME TEXT <LINES: both ways say the text in one line, with the place, and fail.
refused() {
	config "$1"
	for how in --check ""; do
		# shellcheck disable=SC2086
		run "$1" $how
		is "$1${how:+_in_check}_ends_with_a_status" "$status" 1
		like "$1${how:+_in_check}_says_why" "$err" "skynet: $TEST_TMP/$1:[0-9]*: $2"
		is "$1${how:+_in_check}_says_it_in_one_line" "$(lines "$err")" 1
	done
}

refused short "auth_secret: a secret of 6 bytes, it must have 16 to 256" <<-END
	auth_secret = "secret"
END
refused both "auth_secret and auth_secret_file are both given: keep one" <<-END
	auth_secret_file = "$TEST_TMP/file"
	$secret
END
refused nofile "cannot read auth_secret_file '$TEST_TMP/file': No such file or directory" <<-END
	auth_secret_file = "$TEST_TMP/file"
END
refused half "tls_key is missing: tls_cert, tls_key and tls_ca go together" <<-END
	tls_cert = "$TEST_TMP/one.pem"
END
refused nocert "cannot use tls_cert '$TEST_TMP/none.pem': *" <<-END
	tls_cert = "$TEST_TMP/none.pem"
	tls_key = "$TEST_TMP/none.key"
	tls_ca = "$TEST_TMP/none.pem"
END
refused alone "auth_allow means nothing without *" <<-END
	auth_allow = "127.0.0.1"
END
refused list "auth_allow: 'somewhere' is not an address *" <<-END
	$secret
	auth_allow = "127.0.0.1 somewhere"
END
refused switch "'require_auth' must be one of false|true, not 'yes'" <<-END
	require_auth = "yes"
END
refused exposed "address '0.0.0.0:1' can be reached by other machines, and require_auth is set: *" <<-END
	harbor = 2
	address = "0.0.0.0:1"
	master = "127.0.0.1:2"
	require_auth = true
END

ca ours
cert one ours
ca theirs
config good <<-END
	$(tls one ours)
	auth_timeout = 2.5
END
run good --check
is "a_good_config_is_checked" "$status $err" "0 "
config foreign <<-END
	$(tls one theirs)
END
run foreign --check
like "a_certificate_of_another_authority_is_refused" "$err" "*tls_cert '*one.pem': not of '*theirs.pem'*"
config hidden <<-END
	$secret
END
run hidden --check
is "a_secret_is_checked" "$status" 0
check "the_setting_is_shown" contains "$TEST_TMP/hidden.out" "auth_secret = (hidden)"
[ "$(grep -c 'long enough' "$TEST_TMP/hidden.out")" = 0 ]
ok "its_value_is_not" $?

config misspelt <<-END
	$(echo "$secret" | sed 's/auth_secret/auth_secert/')
END
run misspelt --check
like "nor_that_of_a_setting_whose_name_is_misspelt" "$(grep auth_secert "$TEST_TMP/misspelt.out")" \
	"*auth_secert = (hidden)*did you mean 'auth_secret'*"

# ---- files that others can read ----
(umask 077 && echo "a secret that is long enough" >"$TEST_TMP/file")
config private <<-END
	auth_secret_file = "$TEST_TMP/file"
END
run private --check
[ "$status $(grep -c 'hint: every user' "$TEST_TMP/private.out")" = "0 0" ]
ok "there_is_no_hint_about_a_file_of_the_owner_alone" $?
chmod 644 "$TEST_TMP/file"
run private --check
like "there_is_one_about_a_file_that_all_can_read" \
	"$(grep auth_secret_file "$TEST_TMP/private.out")" "*hint: every user of this machine can read or write it*"
start private
check "it_is_logged_at_the_start" logged private \
	"warning: every user of this machine can read or write auth_secret_file '$TEST_TMP/file'"
kill "$pid"
ended private

# ---- listening where others reach it ----
# cluster NAME <LINES: a node that opens a port for the cluster on all addresses.
cluster() {
	{
		cat
		echo 'start = "cluster_open"'
	} | config "$1"
	start "$1"
}

cluster warns </dev/null
check "an_open_port_is_warned_of" logged warns "without authentication: whoever reaches it may run code"
check "but_opened" logged warns "cluster_open: open"
kill "$pid"
ended warns
cluster guarded <<-END
	$secret
	require_auth = true
END
check "with_a_secret_it_is_opened" logged guarded "cluster_open: open"
[ "$(grep -c 'without authentication' "$TEST_TMP/guarded.out")" = 0 ]
ok "without_a_warning" $?
kill "$pid"
ended guarded
cluster refuses <<-END
	require_auth = true
END
ended refuses
is "require_auth_ends_the_start_with_a_status" "$status" 1
like "and_says_why" "$err" "*require_auth is set without auth_secret or tls_cert*"
is "in_one_line" "$(lines "$err")" 1
cluster loopback <<-END
	require_auth = true
	open_host = "127.0.0.1"
END
check "loopback_needs_no_secret" logged loopback "cluster_open: open"
[ "$(grep -c 'without authentication' "$TEST_TMP/loopback.out")" = 0 ]
ok "and_no_warning" $?
kill "$pid"
ended loopback
finish
