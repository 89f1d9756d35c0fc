# Reads layers.txt, then sources. A module is a path without its suffix; modules on one line may use
# each other.
FNR == 1 { file = FILENAME; module = file; sub(/\.[a-z]+$/, "", module) }

FILENAME ~ /layers\.txt$/ {
	sub(/[ \t]*#.*/, "")
	if ($0 == "") next
	if (!continued) count++
	continued = sub(/\\$/, "")
	for (i = 1; i <= NF; i++) {
		rank[$i] = count
		if ($i !~ /\*$/) exists[$i] = 0
	}
	next
}

FNR == 1 {
	folder = module
	sub(/[^\/]*$/, "*", folder) # a line FOLDER/* stands for the files that have none of their own
	if (!(module in rank) && folder in rank)
		rank[module] = rank[folder]
	if (!(module in rank))
		problem(file ": is not in layers.txt")
	exists[module] = 1
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
	split($0, part, "\"")
	target = part[2]
	sub(/\.[ch]$/, "", target)
	own = module
	sub(/\/[^\/]*$/, "/", own)
	if (!index(module, "/")) own = ""
	if (target ~ /^\.\.\//) target = substr(target, 4)
	else if ((own target) in rank) target = own target
	else if (("skynet-src/" target) in rank) target = "skynet-src/" target
	uses(target)
}

/^[ \t]*#[ \t]*include[ \t]*<(lua|lauxlib|lualib)\.h>/ {
	if (module !~ /kernel\/(config|memory_lua)$|service-src\/snlua|lualib-src\/lua_/)
		problem(file ":" FNR ": includes Lua's headers")
}

# What a module needs in order to load; a require inside a function may go anywhere.
/^[a-z].*require *\(?["'][a-z0-9_.]+["']/ && file ~ /\.lua$/ {
	match($0, /require *\(?["'][a-z0-9_.]+/)
	target = substr($0, RSTART, RLENGTH)
	sub(/^require *\(?["']/, "", target)
	gsub(/\./, "/", target)
	if (("lualib/" target) in rank) uses("lualib/" target)
	else if (("service/" target) in rank) problem(file ":" FNR ": requires a service")
}

function uses(target) {
	if (target == module) return
	if (!(target in rank)) {
		problem(file ":" FNR ": '" target "' is not in layers.txt")
		return
	}
	if (module in rank && rank[target] > rank[module])
		problem(file ":" FNR ": uses '" target "', which stands below it")
	if (module ~ /^(service|lualib)-src\// && target ~ /^skynet-src\/[a-z]+\// &&
		target !~ /^skynet-src\/base\/(hash|lock)$/)
		problem(file ":" FNR ": uses '" target "', which is not public")
}

function problem(text) { print text; bad = 1 }

END {
	for (m in exists)
		if (!exists[m]) problem("layers.txt: there is no '" m "'")
	exit bad
}
