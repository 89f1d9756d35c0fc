# What strangers and broken members send to the master and to data links, byte by byte.
. test/process/lib.sh
. test/process/harbor.sh
. test/process/harbor_peer.sh

up 1
m=$master_port

ignored() {
	grep -c 'ignored the registration' "$TEST_TMP/n1.out"
}

# ---- the first message to the master ----
is "id_0_is_refused" "$(peer "$m" send 0f0c48025c3132372e302e302e313a31 closed)" ok
is "another_letter_is_refused" "$(peer "$m" send 060c5a0a050c78 closed)" ok
is "no_letter_is_refused" "$(peer "$m" send 0100 closed)" ok
is "a_number_is_refused" "$(peer "$m" send 020a07 closed)" ok
is "what_cannot_be_unpacked_is_refused" "$(peer "$m" send 020707 closed)" ok
is "size_0_is_refused" "$(peer "$m" send 00 closed)" ok
is "also_with_more_behind_it" "$(peer "$m" send 00100c480a095c3132372e302e302e313a31 closed)" ok
is "a_missing_address_is_refused" "$(peer "$m" send 040c480a4d closed)" ok
is "an_id_that_is_a_string_is_refused" \
	"$(peer "$m" send 120c481c6162635c3132372e302e302e313a31 closed)" ok
is "an_id_above_255_is_refused" "$(peer "$m" send 110c48122c015c3132372e302e302e313a31 closed)" ok
is "a_negative_id_is_refused" \
	"$(peer "$m" send 130c4822ffffffff5c3132372e302e302e313a31 closed)" ok
is "a_fractional_id_is_refused" \
	"$(peer "$m" send 170c484200000000000004405c3132372e302e302e313a31 closed)" ok
is "an_id_in_use_is_refused" "$(peer "$m" send 100c480a015c3132372e302e302e313a31 closed)" ok
is "an_address_with_a_line_end_is_refused" \
	"$(peer "$m" send 110c480a06643132372e302e302e313a310a closed)" ok

# ---- a member of the reference: dialled by the node, one byte each way, then frames ----
p=$(free_port)
is "a_newcomer_is_told_who_dials_and_is_dialled" \
	"$(peer "$m" open "$p" send "$(hello 5 "$p")" expect 040c570a01 accept expect 01 send 05)" ok
is "an_id_comes_back_after_its_end" \
	"$(peer "$m" open "$p" send "$(hello 5 "$p")" expect 040c570a01 accept expect 01 send 05)" ok
is "names_are_stored_answered_and_kept_by_the_first" "$(peer "$m" open "$p" \
	send "$(hello 5 "$p")" expect 040c570a01 accept expect 01 send 05 main \
	send 0b0c521c4141412201000064 expect 0b0c4e1c4141412201000064 \
	send 0b0c521c4141412202000065 expect 0b0c4e1c4141412201000064 \
	send 060c511c5a5a5a send 060c511c414141 expect 0b0c4e1c4141412201000064)" ok
is "bad_names_and_letters_are_ignored" "$(peer "$m" open "$p" \
	send "$(hello 5 "$p")" expect 040c570a01 accept expect 01 send 05 main \
	send 0f0c521c46464642000000000000f83f send 030c5100 send 040c580a01 send 060c480a320c78 \
	send 0a0c521c4242421c737472 send 060c511c414141 expect 0b0c4e1c4141412201000064)" ok
is "values_of_a_member_that_make_no_sense_are_ignored" "$(peer "$m" open "$p" \
	send "$(hello 5 "$p")" expect 040c570a01 accept expect 01 send 05 main \
	send 020c52 send 180c5284535353535353535353535353535353532244000005 send 050c52040a07 \
	send 060c5206000600 send 0b0c52444e4f48414e444c45 send 080c52245a45524f02 \
	send 0b0c521c4100412201000064 \
	is "grep -c 'ignored the registration' '$TEST_TMP/n1.out'" $(($(ignored) + 7)) \
	send 040c510600 send 040c510a01 send 130c518453535353535353535353535353535353 send 040c500600 \
	send 040c570a01 \
	send fe0c5a15f9007a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a \
	expect 020c50 send 060c511c414141 expect 0b0c4e1c4141412201000064)" ok
is "who_shows_no_incarnation_is_of_the_reference" "$(peer "$m" \
	send 270c480a065c3132372e302e302e313a31065c696e6361726e6174696f6e0600246f7572730c7800 control 0c570a01)" ok
is "a_reason_to_refuse_fits_into_a_message" "$(peer "$m" \
	send f70c480a0615f0003132372e302e302e313a3178787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878 control 0c570a01 \
	dial "$m" send 160c480a060c78065c696e6361726e6174696f6e0a0100 control 0c45)" ok
is "names_that_are_missing_or_too_long_are_ignored" "$(peer "$m" open "$p" \
	send "$(hello 5 "$p")" expect 040c570a01 accept expect 01 send 05 main \
	send 050c52000a05 send "ed0c5215e600$(printf '%0460d' 0)0a05" \
	send "ff0c5215f700$(printf '%0494d' 0)122c01" \
	send 060c511c414141 expect 0b0c4e1c4141412201000064)" ok
sized() {
	printf '%02x%s' $((${#1} / 2)) "$1"
}
again=$(hello 5 "$p" | cut -c3-)
for extension in 0600 065c696e6361726e6174696f6e0c7800 0c78; do
	is "a_live_id_is_refused_to_who_shows_the_extension_$extension" "$(peer "$m" open "$p" \
		send "$(hello 5 "$p")" expect 040c570a01 accept expect 01 send 05 \
		dial "$m" send "$(sized "$again$extension")" closed)" ok
done
# "extra", {caps = 1}; "more"
extra=2c65787472610624636170730a0100
greeting=$(hello 5 "$p" | cut -c3-)$extra
is "extra_values_are_accepted_and_not_passed_on" "$(peer "$m" open "$p" \
	send "$(sized "$greeting")" expect 040c570a01 \
	accept expect 01 send 05 main send 110c5224585452412201000005246d6f7265 \
	expect 0c0c4e24585452412201000005 silent)" ok
is "size_0_ends_a_member" "$(peer "$m" open "$p" \
	send "$(hello 5 "$p")" expect 040c570a01 accept expect 01 send 05 main \
	send 00060c511c414141 closed)" ok
is "garbage_ends_a_member" "$(peer "$m" open "$p" \
	send "$(hello 5 "$p")" expect 040c570a01 accept expect 01 send 05 main \
	send 03070707 closed)" ok

frames "a_call_to_nowhere_is_an_error_from_there" \
	send 0000000d78050000090affff0000000005 expect 0000000c01ffff000700000900000005
frames "one_way_too" \
	send 0000000d78050000090affff0000000000 expect 0000000c01ffff000700000900000000
frames "destination_0_is_an_error" \
	send 0000000d78050000090a00000000000005 expect 0000000c010000000700000900000005
frames "an_error_to_nowhere_has_no_answer" send 0000000d780500000907ffff0000000005 \
	send 0000000d78050000090a00000000000005 expect 0000000c010000000700000900000005
frames "foreign_and_missing_sources_are_harmless" send 0000000d78330000090affff0000000005 \
	send 0000000d78000000090affff0000000005 \
	send 0000000d78050000090a00000000000005 expect 0000000c010000000700000900000005
frames "length_0_ends_the_link" send 00000000 closed
frames "length_11_ends_the_link" send 0000000b6162636465666768696a6b closed
frames "length_2_to_24_ends_the_link" send 01000000 closed
frames "the_largest_length_ends_the_link" send ffffffff61616161 closed
socket_message=01000000070000001000000000000000$(hex AAAAAAAA)
frames "type_2_is_bytes_like_any_other" \
	send "00000024${socket_message}050000090200000400000001" \
	send "00000024${socket_message}050000090200000900000001" \
	send "0000000d78050000090200000900000001" send "0000000c050000090200000900000001" \
	send 0000000d780500000902ffff0000000001 \
	send 0000000d78050000090a00000000000005 expect 0000000c010000000700000900000005
for type in 4 5 6; do
	for service in 4 5 6 9; do
		frames "type_${type}_is_refused_for_service_$service" \
			send "00000024${socket_message}050000090${type}00000${service}00000007" \
			expect "0000000c0100000${service}0700000900000007"
	done
done
refusals() {
	grep -c 'refused a message of type 4' "$TEST_TMP/n1.out"
}
before=$(refusals)
frames "many_that_are_refused_are_refused_one_by_one" \
	send "$(printf '%0100d' 0 | sed "s/0/00000024${socket_message}050000090400000900000007/g")" \
	expect "$(printf '%0100d' 0 | sed "s/0/0000000c010000090700000900000007/g")"
[ $(($(refusals) - before)) -le 8 ]
ok "but_do_not_fill_the_log" $?
is "the_node_lives_on" "$(ask 1 'skynet.call("NODE1", "lua", "echo", "x")')" x
finish
