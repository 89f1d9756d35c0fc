---@meta skynet.crypt

---What the login protocol and web libraries need. All strings are binary; wrong sizes raise.
---The 64-bit primitives are weak and kept for compatibility only.
---@class skynet.crypt
local crypt = {}

---Padding modes of the DES functions.
---@enum skynet.crypt.padding
crypt.padding = {
	iso7816_4 = 0,
	pkcs7 = 1,
}

---@param text string
---@return string digest 20 bytes
function crypt.sha1(text) end

---@param key string
---@param text string
---@return string digest 20 bytes
function crypt.hmac_sha1(key, text) end

---DES-ECB.
---@param key string 8 bytes
---@param text string
---@param padding skynet.crypt.padding? iso7816_4
---@return string
function crypt.desencode(key, text, padding) end

---@param key string 8 bytes
---@param text string
---@param padding skynet.crypt.padding?
---@return string
function crypt.desdecode(key, text, padding) end

---@param text string
---@return string hash 8 bytes
function crypt.hashkey(text) end

---@return string key 8 random bytes
function crypt.randomkey() end

---@param x string 8 bytes
---@param y string 8 bytes
---@return string code 8 bytes
function crypt.hmac64(x, y) end

---@param x string 8 bytes
---@param y string 8 bytes
---@return string code 8 bytes
function crypt.hmac64_md5(x, y) end

---`hmac64(hashkey(text), key)`.
---@param key string 8 bytes
---@param text string
---@return string code 8 bytes
function crypt.hmac_hash(key, text) end

---5 to the power of `private` modulo 2^64 - 59.
---@param private string 8 bytes, not 0
---@return string public 8 bytes
function crypt.dhexchange(private) end

---@param public string of the other side, 8 bytes, not 0
---@param private string 8 bytes, not 0
---@return string secret 8 bytes
function crypt.dhsecret(public, private) end

---@param data string
---@return string text lower case
function crypt.hexencode(data) end

---@param text string digits of either case
---@return string
function crypt.hexdecode(text) end

---@param data string
---@return string
function crypt.base64encode(data) end

---Foreign characters are skipped, "=" may be missing.
---@param text string
---@return string
function crypt.base64decode(text) end

---Each byte with the next one of the key in turn.
---@param text string
---@param key string
---@return string
function crypt.xor_str(text, key) end

return crypt
