# Four nodes, two of them in one process, under all kinds of load, while a sequence of faults that follows from a
# seed hits them and the proxies between them. What must hold afterwards is checked.
#   SEED=n       other faults; 86 by default      ROUNDS=n     so many sequences, the nodes live on
#   FAULTS=n     in a sequence, 5                 GUARD=tls or empty   how nodes authenticate each other: secret
#   PAUSE=n      centiseconds between messages of a stream, 20
# With the thread sanitizer, which takes minutes, only when SEED is given.
# shellcheck disable=SC2154
if [ "${SKYNET_SANITIZE:-}" = thread ] && [ -z "${SEED:-}" ]; then
	echo "1..0 # SKIP the thread sanitizer and no SEED"
	exit 0
fi
. test/process/lib.sh
. test/process/harbor.sh
. test/process/security.sh
. test/process/network.sh
heartbeat=1

# shellcheck disable=SC2034
: "${SEED:=86}" "${ROUNDS:=1}" "${FAULTS:=5}" "${GUARD=secret}"

# ---- secrets and certificates: each has a number ----
key_number=0

# put NAME: writes a file that nodes may be reading just now.
put() {
	cat >"$TEST_TMP/new" && mv "$TEST_TMP/new" "$TEST_TMP/$1"
}

secret_text() {
	echo "the secret with the number $1"
}

# With its key in the same file, so that both change at the same time.
make_cert() {
	ca "ca$1" && cert "node$1" "ca$1" &&
		cat "$TEST_TMP/node$1.pem" "$TEST_TMP/node$1.key" >"$TEST_TMP/cert$1"
}

# rotate STEP: 1 the next secret or authority is accepted too, 2 it is used, 3 the one before is gone.
rotate() {
	old=$key_number new=$((key_number + 1))
	case $GUARD$1 in
	secret1) { secret_text $old && secret_text $new; } | put secrets ;;
	secret2) { secret_text $new && secret_text $old; } | put secrets ;;
	secret3) secret_text $new | put secrets ;;
	tls1) make_cert $new && cat "$TEST_TMP/ca$old.pem" "$TEST_TMP/ca$new.pem" | put cas ;;
	tls2) put cert <"$TEST_TMP/cert$new" ;;
	tls3) put cas <"$TEST_TMP/ca$new.pem" ;;
	esac
	[ "$1" != 3 ] || key_number=$new
	hup_all
}

case $GUARD in
secret)
	secret_text 0 | put secrets
	TEST_LINES="${TEST_LINES:-}
		auth_secret_file = '$TEST_TMP/secrets'"
	;;
tls)
	make_cert 0
	put cert <"$TEST_TMP/cert0"
	put cas <"$TEST_TMP/ca0.pem"
	TEST_LINES="${TEST_LINES:-}
		tls_cert = '$TEST_TMP/cert'
		tls_key = '$TEST_TMP/cert'
		tls_ca = '$TEST_TMP/cas'"
	;;
esac

# ---- proxies: to the master for each process but its own, to harbor and cluster address of each node ----
# shellcheck disable=SC2046
set -- $(free_ports 23)
routes=''
# route NAME TARGET_PORT PORT
route() {
	eval "route_$1=$3"
	routes="$routes $1:$3:$2"
}
master_port=$1
route m2 "$1" "$2"
route m3 "$1" "$3"
shift 3
for id in 1 2 3 4; do
	eval "port_$id=$1 cluster_port_$id=$2"
	route h$id "$1" "$3"
	route c$id "$2" "$4"
	route d$id "$2" "$5"
	eval "cluster_route_$id=c$id start_$id=0 others_$id='$(echo 1 2 3 4 | tr -d $id)'"
	shift 5
done
# shellcheck disable=SC2086
perl test/process/chaos_proxy.pl "$TEST_TMP" $routes 2>"$TEST_TMP/proxy.err" &
echo $! >"$TEST_TMP/proxy.pid"
check "the_proxy_listens" wait_for test -p "$TEST_TMP/proxy.in"

garbled=''
# The names of the cluster, as each node knows them: of itself the port where it listens, of others a proxy.
tell_names() {
	for id in 1 2 3 4; do
		for other in 1 2 3 4; do
			if [ $id = $other ]; then
				eval "address=\"'127.0.0.1:\$cluster_port_$id'\""
			else
				eval "address=\$cluster_route_$other"
				[ "$address" = false ] || eval "address=\"'127.0.0.1:\$route_$address'\""
			fi
			echo "n$other = $address"
		done >"$TEST_TMP/names.new"
		[ -z "$garbled" ] || echo "n1 = = ?" >>"$TEST_TMP/names.new"
		mv "$TEST_TMP/names.new" "$TEST_TMP/names.n$id"
	done
}
tell_names

# ---- nodes ----
# prepare ID: its config, for the next start.
prepare() {
	eval "start_$1=\$((start_$1 + 1))"
	eval "node $1 \"\$(chaos_settings $1 \$start_$1)\""
	save_log "n$1"
}

chaos_settings() {
	case $1 in
	1) ;;
	2) echo "master = '127.0.0.1:$route_m2'" ;;
	*) echo "master = '127.0.0.1:$route_m3'" ;;
	esac
	echo "cluster = '$TEST_TMP/names.n$1'"
	echo "lua_path = './lualib/?.lua;./lualib/?/init.lua;./test/process/service/?.lua'"
	echo "start = 'chaos_node'"
	echo "logger = '$TEST_TMP/n$1.log'"
	echo "chaos_start = $2"
	eval "echo \"chaos_others = '\$others_$1'\""
	[ -z "$running" ] || echo "chaos_running = true"
	cat <<-END
		cluster_heartbeat = 1
		stall_timeout = 60
		network_deadline = 300
		network_big_size = 40960
		network_huge_each = 150
		network_pause = ${PAUSE:-20}
		network_links = "harbor cluster proxy"
	END
}

# What a process printed before is kept.
save_log() {
	for kind in out err; do
		[ ! -e "$TEST_TMP/$1.$kind" ] || cat "$TEST_TMP/$1.$kind" >>"$TEST_TMP/$1.$kind.log"
	done
}

launch() {
	case $1 in
	3)
		prepare 3
		if [ "$alone" = 0 ]; then
			prepare 4
			start n3 "$TEST_TMP/n4"
		else
			start n3
		fi
		;;
	*)
		prepare "$1"
		start "n$1"
		;;
	esac
}

# ---- faults ----
# hup ID: unless it begins just now, and has read nothing yet, but would end by the signal.
hup() {
	catches_hup "$(cat "$TEST_TMP/n$1.pid")" && kill -HUP "$(cat "$TEST_TMP/n$1.pid")" 2>/dev/null
}

catches_hup() {
	grep -q '^SigCgt:.*[13579bdf]$' "/proc/$1/status" 2>/dev/null
}

hup_all() {
	for id in 1 2 3 4; do
		[ $id$alone = 40 ] || hup $id
	done
}

# limit_descriptors ID NUMBER
limit_descriptors() {
	prlimit --pid "$(cat "$TEST_TMP/n$1.pid")" --nofile="$2:" 2>/dev/null
}

# swap ID ID: each gets the address of the other.
swap() {
	eval "other=\$cluster_route_$1 cluster_route_$1=\$cluster_route_$2"
	eval "cluster_route_$2=$other"
	tell_names
}

# obey FAULT...: as chaos_plan.pl names it. A process may have ended by itself, if it could not start.
obey() {
	what=$1 whom=$2
	shift 2
	case $what in
	kill) kill_node "$whom" 2>/dev/null ;;
	stop)
		kill_node "$whom" TERM 2>/dev/null
		# 143: before it could take notice of signals
		[ "$status" = 0 ] || [ "$status" = 143 ] || could_not_start "$whom" || {
			bad_stops=$((bad_stops + 1))
			echo "# n$whom stopped with status $status: $err"
		}
		;;
	start) launch "$whom" ;;
	freeze) freeze "n$whom" 2>/dev/null ;;
	thaw) thaw "n$whom" 2>/dev/null ;;
	leave)
		# It cannot be asked while it boots; then it stays.
		ask 4 'skynet.abort()' >/dev/null
		alone=1
		;;
	hup) hup "$whom" ;;
	storm) for _ in 1 2 3 4 5 6 7 8 9 10; do hup "$whom"; done ;;
	starve) limit_descriptors "$whom" "$(descriptors "$whom")" ;;
	feed) limit_descriptors "$whom" 4096 && hup "$whom" ;;
	garble) garbled=yes && tell_names ;;
	mend) garbled='' && tell_names ;;
	rotate) rotate "$whom" ;;
	swap) swap "$whom" "$1" ;;
	move)
		eval "case \$cluster_route_$whom in c*) cluster_route_$whom=d$whom ;; d*) cluster_route_$whom=c$whom ;; esac"
		tell_names
		;;
	absent) eval "cluster_route_$whom=false" && tell_names ;;
	present) eval "cluster_route_$whom=c$whom" && tell_names ;;
	route) echo "$whom $*" >"$TEST_TMP/proxy.in" ;;
	esac
}

now_ms() {
	date +%s%3N
}

# wreak SEED: faults, each at its time. The time is no wait for anything: the load goes on meanwhile.
wreak() {
	perl test/process/chaos_plan.pl "$1" "$FAULTS" "$alone" >"$TEST_TMP/plan"
	begin=$(now_ms)
	while read -r at what whom how; do
		rest=$((at - $(now_ms) + begin))
		[ $rest -le 0 ] || sleep "$((rest / 1000)).$(printf %03d $((rest % 1000)))"
		echo "# $(($(now_ms) - begin)) (due $at) $what $whom $how"
		# shellcheck disable=SC2086
		obey "$what" "$whom" $how
	done <"$TEST_TMP/plan"
}

# ---- what must hold ----
shared() {
	ask "$1" "skynet.call('.shared', 'lua', $2)"
}

# A node may be started again while its master has not noticed its end, or cannot be reached, or while the names
# of the cluster are wrong: then it says so and ends, and whoever watches over it tries again.
could_not_start() {
	grep -qE "harbor id . is taken|the master at|cannot listen on|names.n.:[0-9]+: unexpected" \
		"$TEST_TMP/n$1.err"
}

revive() {
	for id in 1 2 3 4; do
		[ ! -s "$TEST_TMP/n$id.status" ] || [ $id$alone = 40 ] && continue
		could_not_start $id || return 1
		echo "# n$id again: $(cat "$TEST_TMP/n$id.err")"
		launch $id
	done
	ask "$1" true >/dev/null
}

is_up() {
	wait_for revive "$1" && hup_all &&
		ask "$1" "load_service, sink = '.load', '.sink' $COLLECTED" >/dev/null
}

linked() {
	answers "$1" "skynet.call('.shared', 'lua', 'linked')" true
}

names_resolve() {
	answers "$1" "$(one_line "(function() for id = 1, 4 do
		local ok, answer = pcall(skynet.call, 'SHARED' .. id, 'lua', 'who')
		if not ok or answer ~= id then return id end
		end return 'all' end)()")" all
}

# All nodes know the same one, whoever it is.
rover_is_one() {
	rovers=''
	for id in 1 2 3 4; do
		rovers="$rovers $(shared $id "'rover'")"
	done
	case $rovers in " 1 1 1 1" | " 2 2 2 2" | " 3 3 3 3" | " 4 4 4 4") ;; *) return 1 ;; esac
}

one_rover() {
	wait_for rover_is_one || {
		echo "# in the eyes of 1 2 3 4 it is: $rovers"
		return 1
	}
}

published=0
# One round of messages under names of its own: subscriptions may still be on their way back in the first ones.
publish_round() {
	published=$((published + 1))
	publishers=''
	for id in 1 2 3 4; do
		eval "publisher=$id.\$start_$id.$published"
		publishers="$publishers'$publisher',"
		says $id "skynet.call('.shared', 'lua', 'publish', '$publisher', 20)" true || return
	done
	for id in 1 2 3 4; do
		answers $id "skynet.call('.shared', 'lua', 'heard', {$publishers}, 20)" true || {
			echo "# n$id after $published: $(shared $id "'heard', {$publishers}, 20")"
			return 1
		}
	done
}

reaches_all_once() {
	limit=$DEADLINE
	DEADLINE=3
	for _ in 1 2 3 4 5; do
		publish_round && break
	done
	reached=$?
	DEADLINE=$limit
	return $reached
}

datacenter_answers() {
	ask "$1" "require('skynet.datacenter').set('round', $1, '$published')" >/dev/null
	answers 1 "require('skynet.datacenter').get('round', $1)" "$published"
}

shared_calls_end() {
	answers "$1" "skynet.call('.shared', 'lua', 'pending')" 0
}

shared_faultless() {
	is "$case: n$1_shares_without_a_fault" "$(shared "$1" "'faults'")" 0
}

rest() {
	for id in 1 2 3 4; do
		ask $id 'skynet.call(".shared", "lua", "run", false)' >/dev/null
	done
	stop_load 1 2 3 4
}

resume() {
	start_load 1 2 3 4
	for id in 1 2 3 4; do
		ask $id 'skynet.call(".shared", "lua", "run", true)' >/dev/null
	done
}

# quiet CASE: no faults any more.
quiet() {
	case=$1
	check "$case: all_nodes_are_up" each is_up 1 2 3 4
	check "$case: all_answer_each_other" all_answer 1 2 3 4
	check "$case: all_are_linked" each linked 1 2 3 4
	check "$case: names_resolve_everywhere" each names_resolve 1 2 3 4
	check "$case: a_name_that_moves_is_where_all_say" one_rover
	rest
	check "$case: the_datacenter_answers_all" each datacenter_answers 1 2 3 4
	check "$case: what_is_published_reaches_all_once" reaches_all_once
	check "$case: calls_for_what_is_shared_end" each shared_calls_end 1 2 3 4
	each shared_faultless 1 2 3 4
	sound "$case" 4 1 2 3
}

running='' alone=0 bad_stops=0
launch 1
launch 2
launch 3
each is_up 1 2 3 4
resume
all_answer 1 2 3 4
rest
each ended_calls 1 2 3 4
each shared_calls_end 1 2 3 4
descriptors_4='' memory_4=''
ask 4 'collected()' >/dev/null
baseline 1 2 3
running=yes
round=1
while [ $round -le "$ROUNDS" ]; do
	echo "# seed $SEED, round $round: $FAULTS faults"
	resume
	wreak $((SEED * 1000 + round))
	quiet "round $round"
	round=$((round + 1))
done
for id in 4 3 2 1; do
	[ $id$alone = 40 ] || obey stop $id
done
is "all_stop_in_order" "$bad_stops" 0
# A start that the master refuses may say so.
is "no_log_tells_of_a_mistake" "$(cat "$TEST_TMP"/n?.log "$TEST_TMP"/n?.err* "$TEST_TMP"/n?.out* | awk '
	/stack traceback/ && before !~ /init service failed: (the master|cannot (join|connect|listen))|cannot listen: cannot bind|names.n.:[0-9]+: unexpected|no file|name .ROVER. is taken/ { print before }
	/[Aa]ssertion|[Uu]nknown session|Sanitizer|sink:|shared:/ { print }
	{ before = $0 }' | cut -c 1-300 | head -n 20)" ""
is "the_proxy_lives" "$(cat "$TEST_TMP/proxy.err")" ""
kill "$(cat "$TEST_TMP/proxy.pid")"
finish
