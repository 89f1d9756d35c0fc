-- Bytes that the reference writes and reads, as facts: what a value packs to, what bytes unpack to,
-- and what is refused. Used by test/unit/test_seri.c and test/lua/test_seri.lua.
-- The chunk returns three lists. Expressions are evaluated with the functions of `env` as globals.
-- luacheck: no max line length

local env = { math = math, print = print, coroutine = coroutine, io = io, string = string }

env.nan = 0 / 0

function env.seq(count)
	local list = {}
	for i = 1, count do
		list[i] = i
	end
	return list
end

function env.fill(count, value)
	local list = {}
	for i = 1, count do
		list[i] = value
	end
	return list
end

---`count` tables inside each other as first elements, around `leaf`.
function env.nest(count, leaf)
	local value = leaf
	for _ = 1, count do
		value = { value }
	end
	return value
end

---`count` tables inside each other as field x, around `leaf`.
function env.hnest(count, leaf)
	local value = leaf
	for _ = 1, count do
		value = { x = value }
	end
	return value
end

function env.shared()
	local inner = { 1 }
	return { inner, inner }
end

function env.cyc()
	local list = {}
	list[1] = list
	return list
end

function env.meta_index()
	return setmetatable({ 1, 2 }, {
		__index = function(_, key)
			return key
		end,
		__len = function()
			return 100
		end,
	})
end

function env.meta_call()
	return setmetatable({}, { __call = print, __name = "X" })
end

---A table whose __pairs yields the pairs of `list`, a flat list of `count` pairs.
local function yields(content, count, list)
	return setmetatable(content, {
		__pairs = function()
			local i = 0
			return function()
				i = i + 1
				if i <= count then
					return list[2 * i - 1], list[2 * i]
				end
			end
		end,
	})
end

function env.pairs_array()
	return yields({}, 3, { 1, 10, 2, 20, 3, 30 })
end

function env.pairs_proxy()
	return setmetatable({}, {
		__pairs = function()
			return next, { 7, 8 }
		end,
	})
end

function env.pairs_empty()
	return yields({ 1, 2, x = 3 }, 0, {})
end

function env.pairs_nilvalue()
	return yields({}, 1, { "k", nil })
end

function env.pairs_dup()
	return yields({}, 2, { "k", 1, "k", 2 })
end

function env.pairs_false_key()
	return yields({}, 1, { false, 1 })
end

function env.pairs_nan_key()
	return yields({}, 1, { 0 / 0, 1 })
end

function env.pairs_error()
	return setmetatable({}, {
		__pairs = function()
			error("boom", 0)
		end,
	})
end

function env.pairs_iter_error()
	return setmetatable({}, {
		__pairs = function()
			return function()
				error("iterboom", 0)
			end
		end,
	})
end

-- name, input, then: hex (of all bytes, or of the head and the tail with `size`), and `value` when
-- it does not come back as the input; or `error` of packing. `loose`: several byte strings are right.
local packed = {
	{ name = "no_values", input = "", hex = "" },
	{ name = "nil", input = "nil", hex = "00" },
	{ name = "two_nils", input = "nil, nil", hex = "0000" },
	{ name = "true", input = "true", hex = "09" },
	{ name = "false", input = "false", hex = "01" },
	{ name = "int_0", input = "0", hex = "02" },
	{ name = "int_1", input = "1", hex = "0a01" },
	{ name = "int_255", input = "255", hex = "0aff" },
	{ name = "int_256", input = "256", hex = "120001" },
	{ name = "int_65535", input = "65535", hex = "12ffff" },
	{ name = "int_65536", input = "65536", hex = "2200000100" },
	{ name = "int_2147483647", input = "2147483647", hex = "22ffffff7f" },
	{ name = "int_2147483648", input = "2147483648", hex = "320000008000000000" },
	{ name = "int_4294967295", input = "4294967295", hex = "32ffffffff00000000" },
	{ name = "int_4294967296", input = "4294967296", hex = "320000000001000000" },
	{ name = "int_neg1", input = "-1", hex = "22ffffffff" },
	{ name = "int_neg128", input = "-128", hex = "2280ffffff" },
	{ name = "int_neg256", input = "-256", hex = "2200ffffff" },
	{ name = "int_neg32768", input = "-32768", hex = "220080ffff" },
	{ name = "int_min32", input = "-2147483648", hex = "2200000080" },
	{ name = "int_min32_minus1", input = "-2147483649", hex = "32ffffff7fffffffff" },
	{ name = "int_max64", input = "math.maxinteger", hex = "32ffffffffffffff7f" },
	{ name = "int_min64", input = "math.mininteger", hex = "320000000000000080" },
	{ name = "int_2p53", input = "1<<53", hex = "320000000000002000" },
	{ name = "real_0", input = "0.0", hex = "420000000000000000" },
	{ name = "real_neg0", input = "-0.0", hex = "420000000000000080" },
	{ name = "real_1", input = "1.0", hex = "42000000000000f03f" },
	{ name = "real_1_5", input = "1.5", hex = "42000000000000f83f" },
	{ name = "real_neg2_25", input = "-2.25", hex = "4200000000000002c0" },
	{ name = "real_pi", input = "math.pi", hex = "42182d4454fb210940" },
	{ name = "real_max", input = "0x1.fffffffffffffp+1023", hex = "42ffffffffffffef7f" },
	{ name = "real_min_denormal", input = "0x1p-1074", hex = "420100000000000000" },
	{ name = "real_inf", input = "math.huge", hex = "42000000000000f07f" },
	{ name = "real_neginf", input = "-math.huge", hex = "42000000000000f0ff" },
	{ name = "real_nan_pos", input = "-(0/0)", hex = "42000000000000f87f", loose = true },
	{ name = "real_2p63", input = "2.0^63", hex = "42000000000000e043" },
	{ name = "str_empty", input = "''", hex = "04" },
	{ name = "str_1", input = "'a'", hex = "0c61" },
	{ name = "str_nul", input = "'a\\0b'", hex = "1c610062" },
	{ name = "str_utf8", input = "'\\u{4f60}\\u{597d}'", hex = "34e4bda0e5a5bd" },
	{ name = "str_bin", input = "'\\x00\\xff\\x80\\x7f'", hex = "2400ff807f" },
	{ name = "str_31", input = "('x'):rep(31)", hex = "fc78787878787878787878787878787878787878787878787878787878787878" },
	{ name = "str_32", input = "('x'):rep(32)", hex = "1520007878787878787878787878787878787878787878787878787878787878787878" },
	{ name = "str_255", input = "('y'):rep(255)", hex = "15ff00797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979797979" },
	{ name = "str_256", input = "('z'):rep(256)", hex = "1500017a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a" },
	{ name = "str_65535", input = "('q'):rep(65535)", size = 65538, head = "15ffff717171717171717171717171717171717171717171717171717171717171717171717171717171717171717171", tail = "71717171717171717171717171717171" },
	{ name = "str_65536", input = "('q'):rep(65536)", size = 65541, head = "250000010071717171717171717171717171717171717171717171717171717171717171717171717171717171717171", tail = "71717171717171717171717171717171" },
	{ name = "str_100000", input = "('abcdefghij'):rep(10000)", size = 100005, head = "25a08601006162636465666768696a6162636465666768696a6162636465666768696a6162636465666768696a616263", tail = "65666768696a6162636465666768696a" },
	{ name = "tbl_empty", input = "{}", hex = "0600" },
	{ name = "tbl_arr1", input = "{1}", hex = "0e0a0100" },
	{ name = "tbl_arr3", input = "{1,2,3}", hex = "1e0a010a020a0300" },
	{ name = "tbl_arr30", input = "seq(30)", hex = "f60a010a020a030a040a050a060a070a080a090a0a0a0b0a0c0a0d0a0e0a0f0a100a110a120a130a140a150a160a170a180a190a1a0a1b0a1c0a1d0a1e00" },
	{ name = "tbl_arr31", input = "seq(31)", hex = "fe0a1f0a010a020a030a040a050a060a070a080a090a0a0a0b0a0c0a0d0a0e0a0f0a100a110a120a130a140a150a160a170a180a190a1a0a1b0a1c0a1d0a1e0a1f00" },
	{ name = "tbl_arr32", input = "seq(32)", hex = "fe0a200a010a020a030a040a050a060a070a080a090a0a0a0b0a0c0a0d0a0e0a0f0a100a110a120a130a140a150a160a170a180a190a1a0a1b0a1c0a1d0a1e0a1f0a2000" },
	{ name = "tbl_arr256", input = "fill(256,true)", hex = "fe1200010909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090900" },
	{ name = "tbl_arr70000", input = "fill(70000,false)", size = 70007, head = "fe2270110100010101010101010101010101010101010101010101010101010101010101010101010101010101010101", tail = "01010101010101010101010101010100" },
	{ name = "tbl_arr_hole", input = "{1,nil,3}", hex = "0e0a010a030a0300", loose = true },
	{ name = "tbl_arr_lead_nil", input = "{nil,nil,3}", hex = "060a030a0300", loose = true },
	{ name = "tbl_arr_trail_nil", input = "{1,2,nil}", hex = "160a010a0200", loose = true },
	{ name = "tbl_hash1", input = "{a=1}", hex = "060c610a0100" },
	{ name = "tbl_hash_int0", input = "{[0]='zero'}", hex = "0602247a65726f00" },
	{ name = "tbl_hash_neg", input = "{[-1]='neg'}", hex = "0622ffffffff1c6e656700" },
	{ name = "tbl_hash_far", input = "{[100]=true}", hex = "060a640900" },
	{ name = "tbl_hash_float_key", input = "{[1.5]=1}", hex = "0642000000000000f83f0a0100" },
	{ name = "tbl_hash_bool_key", input = "{[true]=1}", hex = "06090a0100" },
	{ name = "tbl_hash_float_int_key", input = "{[2.0]='two'}", hex = "060a021c74776f00" },
	{ name = "tbl_hash_inf_key", input = "{[math.huge]=1}", hex = "0642000000000000f07f0a0100" },
	{ name = "tbl_hash_tbl_key", input = "{[{1}]=2}", hex = "060e0a01000a0200" },
	{ name = "tbl_hash_long_key", input = "{[('k'):rep(40)]=1}", hex = "061528006b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b0a0100" },
	{ name = "tbl_mixed", input = "{10,20,x='y'}", hex = "160a0a0a140c780c7900" },
	{ name = "tbl_mixed_31", input = "(function() local t=seq(31) t.k=true return t end)()", hex = "fe0a1f0a010a020a030a040a050a060a070a080a090a0a0a0b0a0c0a0d0a0e0a0f0a100a110a120a130a140a150a160a170a180a190a1a0a1b0a1c0a1d0a1e0a1f0c6b0900" },
	{ name = "tbl_multi_hash", input = "{a=1,b=2,c=3}", hex = "060c630a030c620a020c610a0100", loose = true },
	{ name = "tbl_nested", input = "{{1,{2}},{x={y='z'}}}", hex = "16160a010e0a020000060c78060c790c7a000000" },
	{ name = "tbl_false_values", input = "{false,[0]=false}", hex = "0e01020100" },
	{ name = "tbl_shared", input = "shared()", hex = "160e0a01000e0a010000" },
	{ name = "tbl_meta_index_len", input = "meta_index()", hex = "160a010a0200", value = "{1,2}" },
	{ name = "tbl_meta_other", input = "meta_call()", hex = "0600", value = "{}" },
	{ name = "pairs_array", input = "pairs_array()", hex = "060a010a0a0a020a140a030a1e00", value = "{10,20,30}" },
	{ name = "pairs_proxy", input = "pairs_proxy()", hex = "060a010a070a020a0800", value = "{7,8}" },
	{ name = "pairs_empty", input = "pairs_empty()", hex = "0600", value = "{}" },
	{ name = "pairs_nil_value", input = "pairs_nilvalue()", hex = "060c6b0000", value = "{}" },
	{ name = "pairs_dup_key", input = "pairs_dup()", hex = "060c6b0a010c6b0a0200", value = "{[\"k\"]=2}" },
	{ name = "pairs_false_key", input = "pairs_false_key()", hex = "06010a0100", value = "{[false]=1}" },
	{ name = "pairs_nan_key", input = "pairs_nan_key()", hex = "0642000000000000f8ff0a0100", unpack_error = "table index is NaN" },
	{ name = "pairs_error", input = "pairs_error()", error = "boom" },
	{ name = "pairs_iter_error", input = "pairs_iter_error()", error = "iterboom" },
	{ name = "lightuserdata_null", input = "null", hex = "030000000000000000" },
	{ name = "multi_values", input = "1,'two',3.0,nil,{4},false", hex = "0a011c74776f420000000000000840000e0a040001" },
	{ name = "multi_call_get", input = "'GET','key'", hex = "1c4745541c6b6579" },
	{ name = "depth_33_empty", input = "nest(33)", hex = "0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e06000000000000000000000000000000000000000000000000000000000000000000" },
	{ name = "depth_32_leaf", input = "nest(32, 1)", hex = "0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0a010000000000000000000000000000000000000000000000000000000000000000" },
	{ name = "depth_33_leaf", input = "nest(33, 1)", error = "serialize can't pack too depth table" },
	{ name = "depth_34_empty", input = "nest(34)", error = "serialize can't pack too depth table" },
	{ name = "depth_33_hash_leaf", input = "hnest(33, 1)", error = "serialize can't pack too depth table" },
	{ name = "depth_33_hash_empty", input = "hnest(33)", hex = "060c78060c78060c78060c78060c78060c78060c78060c78060c78060c78060c78060c78060c78060c78060c78060c78060c78060c78060c78060c78060c78060c78060c78060c78060c78060c78060c78060c78060c78060c78060c78060c7806000000000000000000000000000000000000000000000000000000000000000000" },
	{ name = "cycle", input = "cyc()", error = "serialize can't pack too depth table" },
	{ name = "err_function", input = "print", error = "Unsupport type function to serialize" },
	{ name = "err_lua_function", input = "function() end", error = "Unsupport type function to serialize" },
	{ name = "err_thread", input = "coroutine.create(print)", error = "Unsupport type thread to serialize" },
	{ name = "err_full_userdata", input = "io.stdout", error = "Unsupport type userdata to serialize" },
	{ name = "err_nested_function", input = "{1,{f=print}}", error = "Unsupport type function to serialize" },
	{ name = "err_function_key", input = "{[print]=1}", error = "Unsupport type function to serialize" },
}

-- name, hex; then `value`, or `left`: the number of unread bytes that the error tells, or `error`.
local foreign = {
	{ name = "tag7", hex = "07", left = 0 },
	{ name = "tag7_hi", hex = "ff", left = 0 },
	{ name = "nil_hibits", hex = "f8", value = "nil" },
	{ name = "bool_2", hex = "11", value = "true" },
	{ name = "bool_31", hex = "f9", value = "true" },
	{ name = "num_sub3", hex = "1a", left = 0 },
	{ name = "num_sub5", hex = "2a", left = 0 },
	{ name = "num_sub7", hex = "3a", left = 0 },
	{ name = "num_sub9", hex = "4a", left = 0 },
	{ name = "num_sub31", hex = "fa", left = 0 },
	{ name = "num_byte_trunc", hex = "0a", left = 0 },
	{ name = "num_word_trunc0", hex = "12", left = 0 },
	{ name = "num_word_trunc1", hex = "1201", left = 1 },
	{ name = "num_dword_trunc", hex = "22010203", left = 3 },
	{ name = "num_qword_trunc", hex = "3201020304050607", left = 7 },
	{ name = "num_real_trunc", hex = "42000000000000f0", left = 7 },
	{ name = "num_byte_zero_noncanonical", hex = "0a00", value = "0" },
	{ name = "num_word_small_noncanonical", hex = "120100", value = "1" },
	{ name = "num_qword_small_noncanonical", hex = "320500000000000000", value = "5" },
	{ name = "num_dword_high", hex = "22ffffffff", value = "-1" },
	{ name = "ptr_trunc", hex = "0300000000", left = 4 },
	{ name = "ptr_hibits", hex = "fb0000000000000000", value = "null" },
	{ name = "shortstr_trunc", hex = "24616263", left = 3 },
	{ name = "shortstr_31_trunc", hex = "fc", left = 0 },
	{ name = "longstr_sub0", hex = "05", left = 0 },
	{ name = "longstr_sub1", hex = "0d00", left = 1 },
	{ name = "longstr_sub3", hex = "1d000000", left = 3 },
	{ name = "longstr2_trunc_len", hex = "1501", left = 1 },
	{ name = "longstr2_trunc_body", hex = "1505006162", left = 2 },
	{ name = "longstr2_short_noncanonical", hex = "150300616263", value = "\"abc\"" },
	{ name = "longstr2_zero", hex = "150000", value = "\"\"" },
	{ name = "longstr4_trunc_len", hex = "25010000", left = 3 },
	{ name = "longstr4_trunc_body", hex = "250a00000061", left = 1 },
	{ name = "longstr4_noncanonical", hex = "2503000000616263", value = "\"abc\"" },
	{ name = "tbl_trunc", hex = "06", left = 0 },
	{ name = "tbl_arr_trunc", hex = "0e", left = 0 },
	{ name = "tbl_arr_noterm", hex = "0e01", left = 0 },
	{ name = "tbl_hash_key_only", hex = "060c61", left = 0 },
	{ name = "tbl_hash_noterm", hex = "060c610a01", left = 0 },
	{ name = "tbl_cookie31_trunc", hex = "fe", left = 0 },
	{ name = "tbl_cookie31_notnum", hex = "fe00", left = 0 },
	{ name = "tbl_cookie31_string", hex = "fe0c61", left = 1 },
	{ name = "tbl_cookie31_real", hex = "fe42000000000000f03f", left = 8 },
	{ name = "tbl_cookie31_badsub", hex = "fe1a", left = 0 },
	{ name = "tbl_cookie31_zero", hex = "fe0200", value = "{}" },
	{ name = "tbl_cookie31_one", hex = "fe0a010900", value = "{true}" },
	{ name = "tbl_cookie31_negative", hex = "fe22ffffffff00", value = "{}" },
	{ name = "tbl_cookie31_qword_trunc32", hex = "fe3201000000010000000900", value = "{true}" },
	{ name = "tbl_key_nan", hex = "0642000000000000f87f0a0100", error = "table index is NaN" },
	{ name = "tbl_key_nil_stops", hex = "06000a01", value = "{}, 1" },
	{ name = "tbl_value_nil", hex = "060c610000", value = "{}" },
	{ name = "tbl_hash_int_key_overrides", hex = "0e0a050a010a0900", value = "{9}" },
	{ name = "tbl_float_key_normalised", hex = "064200000000000000400100", value = "{[2]=false}" },
	{ name = "tbl_dup_key", hex = "060c610a010c610a0200", value = "{[\"a\"]=2}" },
	{ name = "tbl_array_nil_inside", hex = "1e0a01000a0300", value = "{1,[3]=3}" },
	{ name = "second_value_bad", hex = "0a0507", left = 0 },
	{ name = "bool_empty_after", hex = "01", value = "false" },
	{ name = "longstr4_len_7fffffff", hex = "25ffffff7f616263", left = 3 },
	{ name = "array_count_100000000", hex = "fe2200e1f50500", left = 0 },
	-- Where the reference crashes or takes gigabytes, it is an error here.
	{ name = "longstr4_len_ffffffff", hex = "25ffffffff616263", left = 3 },
	{ name = "longstr4_len_80000000", hex = "2500000080616263", left = 3 },
	{ name = "array_count_7fffffff", hex = "fe22ffffff7f00", left = 0 },
}

return { env = env, packed = packed, foreign = foreign }
