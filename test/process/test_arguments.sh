# What the command line means, and what --check prints.
. test/process/lib.sh

"$SKYNET" >"$TEST_TMP/out" 2>"$TEST_TMP/err"
is "no_argument_is_an_error" $? 1
is "and_prints_two_lines_of_usage" "$(grep -c '' <"$TEST_TMP/err")" 2

is "version_is_printed" "$("$SKYNET" --version | sed 's/[0-9.]*$/N/')" "skynet N"
"$SKYNET" --help >"$TEST_TMP/out"
ok "help_succeeds" $?
for key in thread harbor mailbox_policy console_password; do
	check "help_knows_$key" grep -q "^  $key " "$TEST_TMP/out"
done
err=$("$SKYNET" --frobnicate x 2>&1)
is "unknown_options_are_an_error" "$? $err" \
	"1 skynet: unknown option '--frobnicate', see skynet --help"
err=$("$SKYNET" -D 2>&1)
is "an_option_without_its_value_is_an_error" "$? $err" \
	"1 skynet: unknown option '-D', see skynet --help"

config good <<'END'
root = "./"
thred = 4
greeting = "a\nb"
console_password = "hunter2"
END
run good --check -D thread=3 -Dgreeting=hello
is "check_succeeds" "$status" 0
out=$(cat "$TEST_TMP/good.out")
like "check_prints_value_and_line" "$out" "*  root = ./	-- $TEST_TMP/good:7
*"
like "check_prints_what_the_command_line_gave" "$out" "*  thread = 3	-- command line
*"
like "options_may_stick_to_their_value" "$out" "*  greeting = hello	-- command line
*"
like "check_prints_defaults" "$out" "*  stall_timeout = 5	-- default
*"
like "check_hints_at_typing_errors" "$out" "*  thred = 4	-- $TEST_TMP/good:8; hint: did you mean 'thread'?
*"
like "check_hides_passwords" "$out" "*  console_password = (hidden)	*"
run good --check
like "check_prints_control_bytes_as_escapes" "$(cat "$TEST_TMP/good.out")" '*  greeting = a?x0ab	*'

config bad <<'END'
mailbox_policy = "panic"
END
run bad --check
is "check_fails_for_a_bad_config" "$status $err" \
	"1 skynet: $TEST_TMP/bad:7: 'mailbox_policy' must be one of block|reject|drop, not 'panic'"
"$SKYNET" --check "$TEST_TMP/good" "$TEST_TMP/bad" "$TEST_TMP/good" >"$TEST_TMP/out" 2>/dev/null
is "check_goes_on_to_the_next_config_but_fails" "$? $(grep -c 'good:$' "$TEST_TMP/out")" "1 2"
finish
