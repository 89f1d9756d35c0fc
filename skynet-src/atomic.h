/* Short names for C11 atomics, for C modules written against this header. All are sequentially
 * consistent. F* return the value before. CAS is the strong form: it fails only when the value was
 * another one, so it may stand outside of a loop.
 */
#ifndef SKYNET_ATOMIC_H
#define SKYNET_ATOMIC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ATOM_BYTE    atomic_uchar
#define ATOM_INT     atomic_int
#define ATOM_POINTER atomic_uintptr_t
#define ATOM_SIZET   atomic_size_t
#define ATOM_ULONG   atomic_ulong

#define ATOM_INIT(object, value)  atomic_init(object, value)
#define ATOM_LOAD(object)         atomic_load(object)
#define ATOM_STORE(object, value) atomic_store(object, value)

#define ATOM_FINC(object)        atomic_fetch_add(object, 1)
#define ATOM_FDEC(object)        atomic_fetch_sub(object, 1)
#define ATOM_FADD(object, value) atomic_fetch_add(object, value)
#define ATOM_FSUB(object, value) atomic_fetch_sub(object, value)
#define ATOM_FAND(object, value) atomic_fetch_and(object, value)

/* Replaces `expected` by `wanted`; true when it did. */
#define ATOM_CAS(object, expected, wanted)         atom_cas_int(object, expected, wanted)
#define ATOM_CAS_SIZET(object, expected, wanted)   atom_cas_size(object, expected, wanted)
#define ATOM_CAS_ULONG(object, expected, wanted)   atom_cas_ulong(object, expected, wanted)
#define ATOM_CAS_POINTER(object, expected, wanted) atom_cas_pointer(object, expected, wanted)

static inline bool
atom_cas_int(atomic_int *object, int expected, int wanted) {
	return atomic_compare_exchange_strong(object, &expected, wanted);
}

static inline bool
atom_cas_size(atomic_size_t *object, size_t expected, size_t wanted) {
	return atomic_compare_exchange_strong(object, &expected, wanted);
}

static inline bool
atom_cas_ulong(atomic_ulong *object, unsigned long expected, unsigned long wanted) {
	return atomic_compare_exchange_strong(object, &expected, wanted);
}

static inline bool
atom_cas_pointer(atomic_uintptr_t *object, uintptr_t expected, uintptr_t wanted) {
	return atomic_compare_exchange_strong(object, &expected, wanted);
}

#endif
