# More answers than a harbor link may hold, to a node that does not read: their callers get errors, and the
# link stays.
. test/process/lib.sh
. test/process/harbor.sh

size=16000000
# The node that stands still is not given up: nobody waits for silence.
up 1
up 2
called() {
	[ "$(ask 2 "return #held")" = "$1" ]
}
ended_calls() {
	[ "$(ask 1 "local n = 0 for _ in pairs(done) do n = n + 1 end return n")" = "$1" ]
}
linked() {
	[ "$(ask 1 "return harbor.queryname 'NODE2' and 'yes'")" = yes ]
}
wait_for linked
ask 2 "held = {} skynet.dispatch('lua', function() held[#held + 1] = skynet.response() end)" >/dev/null

ask 1 "later('large', 'NODE2')" >/dev/null
check "a_call_is_under_way" wait_for called 1
ask 2 "held[1](true, ('x'):rep(17000000))" >/dev/null
check "an_answer_that_is_too_large_for_a_frame_ends_it" wait_for ended_calls 1
is "as_an_error" "$(ask 1 "return done.large")" remote

ask 1 "done = {} for i = 1, 20 do later(i, 'NODE2') end" >/dev/null
check "many_calls_are_under_way" wait_for called 21
freeze n1
is "all_are_answered" "$(ask 2 "local text = ('x'):rep($size) for i = 2, 21 do held[i](true, text) end return 'yes'")" yes
thaw n1
check "all_end" wait_for ended_calls 20
counts=$(ask 1 "$(one_line "local good, full = 0, 0
	for _, result in pairs(done) do
		good = good + (#result == $size and 1 or 0)
		full = full + (result == 'overloaded' and 1 or 0)
	end
	return good, full")")
is "as_many_answers_as_the_link_may_hold_come_and_the_others_are_errors" "$counts" "16 4"
is "the_link_has_not_ended" "$(grep -F "is disconnected" "$TEST_TMP/n2.out")" ""
finish
