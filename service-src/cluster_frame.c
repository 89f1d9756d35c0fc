#include "cluster_frame.h"

#include <string.h>

#include "base/hash.h"

#define TYPE_NUMERIC 0x00
#define TYPE_BEGIN   0x01
#define TYPE_PART    0x02
#define TYPE_LAST    0x03
#define TYPE_TRACE   0x04
#define TYPE_EXTRA   0x05
#define TYPE_PUSH    0x40 /* flag of TYPE_BEGIN */
#define TYPE_STRING  0x80 /* flag of TYPE_NUMERIC and TYPE_BEGIN */

/* Heads of packed values, see lualib-src/lua_seri_format.h. */
#define SERI_NUMBER       2
#define SERI_SHORT_STRING 4
#define SERI_LONG_STRING  5
#define SERI_TYPE(head)   ((head)&7)
#define SERI_SUB(head)    ((head) >> 3)
#define SERI_F64          8 /* sub of a number */

#define LENGTH_SIZE        2
#define RESPONSE_HEAD_SIZE 5
#define WORD               4

/* ---- integers ---- */

static uint64_t
read_little(const char *bytes, size_t size) {
	uint64_t value = 0;
	for (size_t i = size; i > 0; i--)
		value = value << 8 | (unsigned char)bytes[i - 1];
	return value;
}

static uint32_t
read_word(const char *bytes) {
	return (uint32_t)read_little(bytes, WORD);
}

static char *
put_word(char *out, uint32_t value) {
	for (int i = 0; i < WORD; i++)
		*out++ = (char)(value >> (8 * i) & 0xff);
	return out;
}

/* Fills in the length in front: of the head up to `end` and what follows it. */
static size_t
put_length(char *head, const char *end, size_t size) {
	size_t head_size = (size_t)(end - head);
	size_t length = head_size - LENGTH_SIZE + size;
	head[0] = (char)(length >> 8 & 0xff);
	head[1] = (char)(length & 0xff);
	return head_size;
}

/* ---- addresses ---- */

/* The bits of a float become the number, if that is one of 32 bits: JSON and scripts that compute
 * make floats of handles. */
static bool
whole_number(uint64_t *bits) {
	double number;
	memcpy(&number, bits, sizeof number);
	if (!(number >= 0 && number <= (double)UINT32_MAX) || number != (double)(uint32_t)number)
		return false;
	*bits = (uint32_t)number;
	return true;
}

static size_t
read_handle(const char *bytes, size_t size, int sub, struct cluster_address *address) {
	static const struct {
		uint8_t sub, width;
	} forms[] = {{0, 0}, {1, 1}, {2, 2}, {4, 4}, {6, 8}, {SERI_F64, 8}};
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		size_t width = forms[i].width;
		if (forms[i].sub != sub || size < width)
			continue;
		uint64_t value = read_little(bytes, width);
		if (forms[i].sub == SERI_F64 && !whole_number(&value))
			return 0;
		/* Four bytes are signed: a set highest bit means a negative number. */
		if (value > UINT32_MAX || (width == WORD && value > INT32_MAX))
			return 0;
		address->handle = (uint32_t)value;
		return 1 + width;
	}
	return 0;
}

size_t
cluster_address_read(const char *bytes, size_t size, struct cluster_address *address) {
	*address = (struct cluster_address){.handle = 0};
	if (size == 0)
		return 0;
	unsigned head = (unsigned char)bytes[0];
	size_t sub = SERI_SUB(head), start = 1, length = sub;
	switch (SERI_TYPE(head)) {
	case SERI_NUMBER:
		return read_handle(bytes + 1, size - 1, (int)sub, address);
	case SERI_SHORT_STRING:
		break;
	case SERI_LONG_STRING:
		start = 1 + sub;
		if ((sub != 2 && sub != WORD) || size < start)
			return 0;
		length = (size_t)read_little(bytes + 1, sub);
		break;
	default:
		return 0;
	}
	if (length == 0 || length > CLUSTER_NAME_MAX || size - start < length)
		return 0;
	address->name = bytes + start;
	address->name_size = length;
	return start + length;
}

uint32_t
cluster_target(const struct cluster_address *address) {
	uint32_t form = 0;
	uint32_t hash = hash_bytes(HASH_START ^ address->handle, address->name, address->name_size);
	if (address->name != NULL && address->name_size > 0)
		form = address->name[0] == '@' ? 1 : address->name[0] == '.' ? 2 : 3;
	return form << CLUSTER_TARGET_FORM | (hash ^ hash >> 30) >> 2;
}

/* ---- parsing ---- */

static bool
parse_part(const char *frame, size_t size, struct cluster_request *request, bool last) {
	if (size < 1 + WORD)
		return false;
	request->kind = last ? CLUSTER_LAST : CLUSTER_PART;
	request->session = read_word(frame + 1);
	request->data = frame + 1 + WORD;
	request->size = size - 1 - WORD;
	return true;
}

static bool
parse_extra(const char *frame, size_t size, struct cluster_request *request) {
	if (size != 2 + WORD)
		return false;
	request->kind = CLUSTER_EXTRA;
	request->extra = (uint8_t)frame[1];
	request->total = read_word(frame + 2);
	return true;
}

/* Returns where the address ends, 0 when the frame is too short. */
static size_t
parse_address(const char *frame, size_t size, bool string, struct cluster_address *to) {
	if (!string) {
		if (size < 1 + WORD)
			return 0;
		to->handle = read_word(frame + 1);
		return 1 + WORD;
	}
	if (size < 2)
		return 0;
	to->name = frame + 2;
	to->name_size = (unsigned char)frame[1];
	return size - 2 < to->name_size ? 0 : 2 + to->name_size;
}

/* A request in one frame, or what announces one in parts. */
static bool
parse_addressed(const char *frame, size_t size, struct cluster_request *request) {
	unsigned type = (unsigned char)frame[0];
	bool string = (type & TYPE_STRING) != 0;
	size_t at = parse_address(frame, size, string, &request->to);
	if (at == 0 || size - at < WORD)
		return false;
	request->session = read_word(frame + at);
	at += WORD;
	if ((type & TYPE_BEGIN) == 0) {
		request->push = request->session == 0;
		request->data = frame + at;
		request->size = size - at;
		return true;
	}
	if (size - at < WORD || (!string && size - at != WORD))
		return false;
	request->kind = CLUSTER_BEGIN;
	request->push = (type & TYPE_PUSH) != 0;
	request->total = read_word(frame + at);
	return true;
}

bool
cluster_request_parse(const char *frame, size_t size, struct cluster_request *request) {
	*request = (struct cluster_request){.kind = CLUSTER_REQUEST};
	if (size == 0)
		return false;
	unsigned type = (unsigned char)frame[0];
	switch (type) {
	case TYPE_NUMERIC:
	case TYPE_NUMERIC | TYPE_STRING:
	case TYPE_BEGIN:
	case TYPE_BEGIN | TYPE_PUSH:
	case TYPE_BEGIN | TYPE_STRING:
	case TYPE_BEGIN | TYPE_STRING | TYPE_PUSH:
		return parse_addressed(frame, size, request);
	case TYPE_PART:
	case TYPE_LAST:
		return parse_part(frame, size, request, type == TYPE_LAST);
	case TYPE_TRACE:
		request->kind = CLUSTER_TRACE;
		request->data = frame + 1;
		request->size = size - 1;
		return true;
	case TYPE_EXTRA:
		return parse_extra(frame, size, request);
	default:
		return false;
	}
}

bool
cluster_response_parse(const char *frame, size_t size, struct cluster_response *response) {
	if (size < RESPONSE_HEAD_SIZE)
		return false;
	unsigned kind = (unsigned char)frame[WORD];
	*response = (struct cluster_response){
		.session = read_word(frame),
		.data = frame + RESPONSE_HEAD_SIZE,
		.size = size - RESPONSE_HEAD_SIZE,
	};
	if (kind > CLUSTER_ANSWER_LAST)
		return false;
	response->kind = (enum cluster_response_kind)kind;
	if (kind != CLUSTER_ANSWER_BEGIN)
		return true;
	if (response->size != WORD)
		return false;
	response->total = read_word(response->data);
	return true;
}

/* ---- writing ---- */

size_t
cluster_head_request(
	char *head, const struct cluster_address *to, bool push, uint32_t session, size_t size) {
	bool large = size > CLUSTER_REQUEST_MAX;
	unsigned type = large ? TYPE_BEGIN | (push ? TYPE_PUSH : 0) : TYPE_NUMERIC;
	char *at = head + LENGTH_SIZE;
	if (to->name != NULL) {
		*at++ = (char)(type | TYPE_STRING);
		*at++ = (char)to->name_size;
		memcpy(at, to->name, to->name_size);
		at += to->name_size;
	} else {
		*at++ = (char)type;
		at = put_word(at, to->handle);
	}
	at = put_word(at, !large && push ? 0 : session);
	if (large)
		at = put_word(at, (uint32_t)size);
	return put_length(head, at, large ? 0 : size);
}

size_t
cluster_head_part(char *head, uint32_t session, size_t size, bool last) {
	head[LENGTH_SIZE] = last ? TYPE_LAST : TYPE_PART;
	return put_length(head, put_word(head + LENGTH_SIZE + 1, session), size);
}

size_t
cluster_head_trace(char *head, size_t size) {
	head[LENGTH_SIZE] = TYPE_TRACE;
	return put_length(head, head + LENGTH_SIZE + 1, size);
}

size_t
cluster_head_response(char *head, uint32_t session, enum cluster_response_kind kind, size_t size) {
	char *at = put_word(head + LENGTH_SIZE, session);
	*at++ = (char)kind;
	return put_length(head, at, size);
}

size_t
cluster_head_response_begin(char *head, uint32_t session, uint32_t total) {
	char *at = put_word(head + LENGTH_SIZE, session);
	*at++ = CLUSTER_ANSWER_BEGIN;
	return put_length(head, put_word(at, total), 0);
}

/* ---- between nodes that know each other ---- */

size_t
cluster_head_extra(char *head, enum cluster_extra extra, uint32_t value) {
	char *at = head + LENGTH_SIZE;
	*at++ = TYPE_EXTRA;
	*at++ = (char)extra;
	return put_length(head, put_word(at, value), 0);
}

#define PROBE_NAME_SIZE (sizeof CLUSTER_PROBE_NAME - 1)
_Static_assert(CLUSTER_PROBE_SIZE == 1 + PROBE_NAME_SIZE + 3 * (1 + WORD), "name and numbers");

static char *
put_packed_word(char *out, uint32_t value) {
	*out++ = (char)(SERI_NUMBER | WORD << 3);
	return put_word(out, value);
}

void
cluster_probe_pack(char *payload, uint32_t number, uint64_t identity) {
	*payload++ = (char)(SERI_SHORT_STRING | PROBE_NAME_SIZE << 3);
	memcpy(payload, CLUSTER_PROBE_NAME, PROBE_NAME_SIZE);
	payload = put_packed_word(payload + PROBE_NAME_SIZE, number);
	payload = put_packed_word(payload, (uint32_t)identity);
	put_packed_word(payload, (uint32_t)(identity >> 32));
}

bool
cluster_probe_unpack(const char *payload, size_t size, uint32_t *number, uint64_t *identity) {
	uint32_t words[3];
	if (size < CLUSTER_PROBE_SIZE ||
		(unsigned char)payload[0] != (SERI_SHORT_STRING | PROBE_NAME_SIZE << 3) ||
		memcmp(payload + 1, CLUSTER_PROBE_NAME, PROBE_NAME_SIZE) != 0)
		return false;
	const char *at = payload + 1 + PROBE_NAME_SIZE;
	for (int i = 0; i < 3; i++, at += 1 + WORD) {
		if (*at != (SERI_NUMBER | WORD << 3))
			return false;
		words[i] = read_word(at + 1);
	}
	*number = words[0];
	*identity = (uint64_t)words[2] << 32 | words[1];
	return true;
}

size_t
cluster_head_confirm(char *head, uint32_t size) {
	char *at = put_word(head + LENGTH_SIZE, CLUSTER_CONFIRM);
	*at++ = CLUSTER_ANSWER_OK;
	return put_length(head, put_word(at, size), 0);
}

bool
cluster_confirm_read(const struct cluster_response *response, uint32_t *size) {
	if (response->session != CLUSTER_CONFIRM || response->kind != CLUSTER_ANSWER_OK ||
		response->size != WORD)
		return false;
	*size = read_word(response->data);
	return true;
}
