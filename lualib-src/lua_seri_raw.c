/* Packs tables by reading them in place (lua_layout.h), several times as fast as by the Lua API.
 * The result is the same, including the order of pairs and the length of arrays. It gives up, so
 * that the API is used, at a metatable and at an array that continues in a large hash part.
 */
#include "lua_layout.h"
#include "lua_seri_writer.h"

/* A hash part of up to so many nodes is searched for the elements that continue an array. */
#define SEARCH_MAX 64

/// Between `low`, which is 0 or the number of a slot that is not empty, and `high`, that of an
/// empty one: a slot in use in front of an empty one, or 0.
static uint32_t
search_border(const struct layout_value *array, uint32_t low, uint32_t high) {
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;
		if (layout_is_nil(array[middle - 1].tag))
			high = middle;
		else
			low = middle;
	}
	return low;
}

static bool
has_integer_key(const struct layout_node *node) {
	return node->key_tag == LAYOUT_INTEGER && !layout_is_nil(node->tag);
}

/// The node that has an integer key, NULL when there is none.
static const struct layout_node *
find_node(const struct layout_table *table, lua_Integer key) {
	uint32_t count = layout_node_count(table);
	for (uint32_t i = 0; i < count; i++) {
		const struct layout_node *node = &table->nodes[i];
		if (has_integer_key(node) && node->key.integer == key)
			return node;
	}
	return NULL;
}

/// Finds the length of a table whose array part, of `size` slots, is in use to its end. Returns
/// false when that would take long.
static bool
length_in_nodes(const struct layout_table *table, uint32_t size, uint32_t *length) {
	uint32_t count = layout_node_count(table);
	uint32_t i = 0;
	*length = size;
	while (i < count && !has_integer_key(&table->nodes[i]))
		i++;
	if (i == count)
		return true;
	if (count > SEARCH_MAX)
		return false;
	if (find_node(table, (lua_Integer)size + 1) == NULL)
		return true;
	/* Doubles the index until a key is missing, then searches by bisection, exactly as Lua
	 * does: in an array with gaps the result depends on the search. */
	lua_Integer used = 0, missing = size > 0 ? size : 1;
	do {
		used = missing;
		missing *= 2;
	} while (find_node(table, missing) != NULL);
	while (missing - used > 1) {
		lua_Integer middle = used + (missing - used) / 2;
		if (find_node(table, middle) == NULL)
			missing = middle;
		else
			used = middle;
	}
	*length = (uint32_t)used;
	return used <= INT32_MAX;
}

/// Finds the length as lua_rawlen does. An array with gaps has several possible lengths; which one
/// it is depends on the hint in `limit`.
static bool
table_length(const struct layout_table *table, uint32_t size, uint32_t *length) {
	const struct layout_value *array = table->array;
	uint32_t limit = table->limit;
	if (limit > 0 && layout_is_nil(array[limit - 1].tag)) {
		if (limit >= 2 && !layout_is_nil(array[limit - 2].tag))
			*length = limit - 1;
		else
			*length = search_border(array, 0, limit);
		return true;
	}
	if (limit < size && layout_is_nil(array[limit].tag)) {
		*length = limit;
		return true;
	}
	if (limit < size && layout_is_nil(array[size - 1].tag)) {
		*length = search_border(array, limit, size);
		return true;
	}
	return length_in_nodes(table, size, length);
}

static inline __attribute__((always_inline)) bool
pack_raw_value(struct writer *w, uint8_t tag, union layout_payload payload, int depth) {
	const struct layout_string *string = payload.object;
	switch (tag) {
	case LAYOUT_SHORT_STRING:
		pack_string(w, string->text, string->short_length);
		return true;
	case LAYOUT_INTEGER:
		pack_integer(w, payload.integer);
		return true;
	case LAYOUT_TABLE:
		return seri_pack_raw_table(w, payload.object, depth);
	case LAYOUT_FLOAT:
		pack_float(w, payload.number);
		return true;
	case LAYOUT_TRUE:
	case LAYOUT_FALSE:
		pack_byte(w, SERI_HEAD(SERI_BOOLEAN, tag == LAYOUT_TRUE));
		return true;
	case LAYOUT_LONG_STRING:
		pack_string(w, string->text, string->long_length);
		return true;
	case LAYOUT_POINTER:
		pack_pointer(w, payload.pointer);
		return true;
	default:
		if (layout_is_nil(tag)) {
			pack_byte(w, SERI_HEAD(SERI_NIL, 0));
			return true;
		}
		luaL_error(w->L, "Unsupport type %s to serialize", lua_typename(w->L, tag & 0x0f));
		return false;
	}
}

bool
seri_pack_raw_values(struct writer *w, const struct layout_value *values, int count) {
	for (int i = 0; i < count; i++) {
		if (!pack_raw_value(w, values[i].tag, values[i].payload, 0))
			return false;
	}
	return true;
}

/// Packs the values 1..length.
static bool
pack_raw_array(struct writer *w, const struct layout_table *table, uint32_t size, uint32_t length,
	int depth) {
	check_depth(w->L, depth);
	for (uint32_t i = 0; i < length && i < size; i++) {
		const struct layout_value *value = &table->array[i];
		if (!pack_raw_value(w, value->tag, value->payload, depth))
			return false;
	}
	for (uint32_t i = size; i < length; i++) {
		const struct layout_node *node = find_node(table, (lua_Integer)i + 1);
		if (node == NULL)
			pack_byte(w, SERI_HEAD(SERI_NIL, 0));
		else if (!pack_raw_value(w, node->tag, node->value, depth))
			return false;
	}
	return true;
}

/// Packs what is in the array part behind the length.
static bool
pack_raw_rest(struct writer *w, const struct layout_table *table, uint32_t size, uint32_t length,
	int depth) {
	for (uint32_t i = length; i < size; i++) {
		const struct layout_value *value = &table->array[i];
		if (layout_is_nil(value->tag))
			continue;
		check_depth(w->L, depth);
		pack_integer(w, (lua_Integer)i + 1);
		if (!pack_raw_value(w, value->tag, value->payload, depth))
			return false;
	}
	return true;
}

bool
seri_pack_raw_table(struct writer *w, const void *object, int depth) {
	const struct layout_table *table = object;
	uint32_t size = layout_array_size(table), length;
	if (table->metatable != NULL || !table_length(table, size, &length))
		return false;
	pack_table_head(w, length);
	if (length > 0 && !pack_raw_array(w, table, size, length, depth + 1))
		return false;
	if (length < size && !pack_raw_rest(w, table, size, length, depth + 1))
		return false;
	uint32_t count = layout_node_count(table);
	for (uint32_t i = 0; i < count; i++) {
		const struct layout_node *node = &table->nodes[i];
		if (layout_is_nil(node->tag))
			continue;
		if (node->key_tag == LAYOUT_INTEGER && (lua_Unsigned)node->key.integer - 1 < length)
			continue;
		check_depth(w->L, depth + 1);
		if (!pack_raw_value(w, node->key_tag, node->key, depth + 1) ||
			!pack_raw_value(w, node->tag, node->value, depth + 1))
			return false;
	}
	pack_byte(w, SERI_HEAD(SERI_NIL, 0));
	return true;
}
