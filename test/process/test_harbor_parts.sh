# Large messages on data links: in parts between nodes that have said so to each other, in one frame with
# a node of the reference; whatever comes between, order holds and small ones do not wait.
. test/process/lib.sh
. test/process/harbor.sh
. test/process/harbor_peer.sh

# no signs of life between what the peer expects, however long all of it takes
heartbeat=3600
up 1

# what the members say to each other: frames of type error to handle 0
word() {
	printf '%08x%s%02x00000007000000%08x' $((${#2} + 12)) "$(hex "$2")" "$1" "${3:-0}"
}
ping=$(word 5 ping)
confirms=$(word 5 parts 2)
shown="send $ping expect $(word 1 pong)$(word 1 parts 2)"

# begin NUMBER SIZE TRAILER, part NUMBER HEX: the frames of a message in parts
begin() {
	printf '02000014%08x%08x%s' "$1" "$2" "$3"
}
part() {
	printf '01%06x%08x%s' $((${#2} / 2 + 4)) "$1" "$2"
}
echo_x=24656368""6f0c78                     # "echo", "x"
from_9=050000090a00000900000007             # a request of service 9 of the peer
to_9=0000000e0c78010000090100000900000007   # and its answer
from_8=050000080a00000900000006
to_8=0000000e0c78010000090100000800000006
dead=00000018$(hex dead_service)
inside=$(hex 'remote: this type of message must not leave its node')
alive="send 0000000d78050000090a00000000000005 expect ${dead}010000000700000900000005"

# shellcheck disable=SC2086
{
frames "a_node_that_shows_itself_is_told_that_it_may_send_parts" $shown
frames "only_once" $shown send "$ping" expect "$(word 1 pong)" silent
frames "a_node_that_does_not_is_not" silent
frames "parts_that_were_not_offered_end_the_link" send "$(begin 1 7 $from_9)" closed

frames "a_message_may_come_in_parts" $shown \
	send "$(begin 1 7 $from_9)$(part 1 "${echo_x%6f0c78}")$(part 1 6f0c78)" expect $to_9
frames "byte_by_byte_too" $shown \
	drip "$(begin 1 7 $from_9)$(part 1 "${echo_x%6f0c78}")$(part 1 6f0c78)" expect $to_9
frames "others_may_pass_between_its_parts" $shown \
	send "$(begin 1 7 $from_9)$(part 1 24)00000013$echo_x$from_8" \
	expect "$to_8$(word 1 taken 1)" \
	send "$(begin 2 7 $from_8)$(part 2 $echo_x)" expect "$to_8$(word 1 taken 7)" \
	send "$(part 1 "${echo_x#24}")" expect $to_9
frames "a_missing_part_costs_nothing_but_its_message" $shown \
	send "$(begin 1 1000000 $from_9)$(part 1 00)" $alive
frames "a_message_in_parts_to_nowhere_is_an_error" $shown \
	send "$(begin 1 1 050000090affff0000000005)$(part 1 78)" \
	expect "${dead}01ffff000700000900000005"
frames "types_of_the_inside_are_refused_in_parts_too" $shown \
	send "$(begin 1 1 050000090500000400000007)$(part 1 78)" \
	expect "00000040${inside}010000040700000900000007"
frames "a_part_of_no_message_ends_the_link" $shown send "$(part 1 78)" closed
frames "a_part_too_large_ends_the_link" $shown send "$(begin 1 1 $from_9)$(part 1 7878)" closed
frames "a_message_begun_twice_ends_the_link" $shown \
	send "$(begin 1 2 $from_9)$(begin 1 2 $from_9)" closed
frames "an_empty_part_ends_the_link" $shown send "$(begin 1 2 $from_9)$(part 1 '')" closed
frames "a_message_too_large_ends_the_link" $shown send "$(begin 1 16777204 $from_9)" closed
many=
for number in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
	many=$many$(begin $number 2 $from_9)$(part $number 78)
done
frames "sixteen_at_a_time_are_taken" $shown send "$many" $alive
frames "more_at_a_time_end_the_link" $shown send "$many$(begin 17 2 $from_9)" closed
frames "what_has_been_read_is_confirmed" $shown \
	send "$(begin 1 400000 050000090affff0000000000)" zeros 1 400000 \
	expect "$(word 1 taken | sed 's/.\{8\}$/0006..../')${dead}01ffff000700000900000000"
frames "what_is_sent_anyway_confirms_too" $shown \
	send "$(begin 1 70000 050000090affff0000000000)" zeros 1 70000 \
	expect "${dead}01ffff000700000900000000$(word 1 taken 70000)"
frames "words_of_others_are_not_heard" $shown send "$(word 6 parts 2)$(word 6 ping)" silent
frames "words_without_sense_are_not_heard" $shown \
	send "$(word 5 parts 0)$(word 5 parts 4294967295)$(word 5 parts 16777216)$(word 5 taken 0)" \
	send "$(word 5 taken 4294967295)$(word 5 part 1)" $alive

# ---- what a node sends ----
large='big = ("x"):rep(2000000)'
frames "without_an_offer_a_large_message_is_one_frame" $shown \
	run "$(asking 1 "$large later(\"big\", 0x05000009, big)")" expect 001e849125 \
	skip 2000004 expect 0100000.0a000009........ answer 1 146869 is "$(asking 1 'done.big')" hi
frames "parts_leave_no_faster_than_they_are_taken" $shown send "$confirms" \
	run "$(asking 1 "$large done = {} later(\"big\", 0x05000009, big)")" \
	expect 0200001400000001001e84850100000.0a000009........ \
	parts 1 524288 silent send "$(word 5 taken 524288)" parts 1 524288 silent \
	send "$(word 5 taken 65536)" parts 1 65536 silent \
	run "$(asking 1 'skynet.send(0x05000009, "lua", "hi")')" silent \
	send "$(word 5 taken 458752)" parts 1 458752 silent \
	send "$(word 5 taken 4294967295)" silent \
	send "$(word 5 taken 2147483647)" parts 1 427141 \
	expect 0000000f1468690100000.0a00000900000000
frames "beside_small_messages_few_of_them_are_under_way" $shown send "$confirms" \
	run "$(asking 1 "$large skynet.send(0x05000009, \"lua\", big)")" \
	skip 24 parts 1 524288 \
	run "$(asking 1 'skynet.send(0x05000008, "lua", "hi")')" \
	expect 0000000f1468690100000.0a00000800000000 silent \
	send "$(word 5 taken 458752)" silent \
	send "$(word 5 taken 65536)" parts 1 65536 silent \
	send "$(word 5 taken 32768)" parts 1 32768 silent
frames "a_call_in_parts_ends_with_the_link" $shown send "$confirms" \
	run "$(asking 1 "done = {} later(\"big\", 0x05000009, big)")" \
	expect 02000014 half is "$(asking 1 'done.big')" dead_node
again="send $(word 5 taken 65536) begun"
frames "at_most_sixteen_are_under_way" $shown send "$confirms" \
	run "$(asking 1 "$large skynet.send(0x05000009, \"lua\", big)")" begun 1 524288 \
	run "$(asking 1 'for i = 1, 40 do skynet.send(0x05000010 + i, "lua", big) end
		skynet.send(0x05000008, "lua", "hi")')" \
	expect 0000000f1468690100000.0a00000800000000 send "$(word 5 taken 458752)" \
	$again 1 65536 $again 2 65536 $again 2 65536 $again 2 65536 $again 2 65536 \
	$again 2 65536 $again 2 65536 $again 2 65536 $again 0 65536 $again 0 65536
kind_of_a_call=$(asking 1 'skynet.error_kind(select(2, pcall(skynet.call_timeout, 10, 0x05000009, "lua")))')
frames "what_waits_for_a_peer_that_confirms_nothing_is_bounded" $shown send "$confirms" \
	run "$(asking 1 'deaf = ("x"):rep(1 << 20) for i = 1, 80 do
		skynet.send(0x05000009, "lua", deaf) end')" \
	is "$kind_of_a_call" overloaded \
	run "$(asking 1 'for i = 1, 200 do skynet.send(0x05000009, "lua", deaf) end deaf = nil')" \
	is "$kind_of_a_call" dead_node
}

# ---- both ends are ours ----
numbered=$(one_line 'function numbered(target, seed)
	local function text(i)
		return ("x"):rep(i * seed % 7 == 0 and 300000 or i * seed % 5 == 0 and 70000 or 10)
	end
	for i = 1, 200 do
		if i % 3 == 0 then
			skynet.fork(skynet.call, target, "lua", "numbered", i, text(i))
			skynet.yield()
		else
			skynet.send(target, "lua", "numbered", i, text(i))
		end
	end
	return skynet.call(target, "lua", "numbers")
end')
relays=$(one_line 'function relays(target, count)
	right = 0
	for i = 1, count do
		local text = string.char(64 + i):rep(400000 + i)
		skynet.fork(function()
			local relay = skynet.newservice "harbor_relay"
			local found = skynet.call(relay, "lua", target, text)
			right = right + (found == text and 1 or 0)
		end)
	end
end')
up 2
ask 1 "$numbered" >/dev/null
ask 2 "$numbered $relays" >/dev/null
is "small_and_large_ones_keep_their_order" \
	"$(ask 2 "numbered(harbor.queryname 'NODE1', 3)")" "200 0"
is "in_the_other_direction_too" "$(ask 1 "numbered(harbor.queryname 'NODE2', 4)")" "200 0"
ask 2 'relays(harbor.queryname "NODE1", 40)' >/dev/null
check "calls_of_many_services_at_a_time_are_all_answered" answers 2 right 40 || ask 2 right
ask 2 'text = ("x"):rep(16000000) for i = 1, 3 do later(i, harbor.queryname "NODE1", "never", text) end' \
	>/dev/null
kill_node 1
check "the_end_of_a_node_ends_its_large_calls" answers 2 '#done .. tostring(done[1]) .. tostring(done[3])' \
	3dead_nodedead_node || ask 2 '#done .. tostring(done[1]) .. tostring(done[3])'
kill_node 2 TERM
is "the_other_node_ends_well" "$status" 0
finish
