/* SPDX-License-Identifier: MIT */
/**
 * @file
 * The handle that every I/O object begins with. Nothing in it is for use by name: the functions of
 * the noun at hand (stream, acceptor ...) take it.
 */
#ifndef SENNIT_OBJECT_H
#define SENNIT_OBJECT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sennit_executor;
struct sennit__slot;

/**
 * What the caller's memory holds of an I/O object; what the library and the kernel may still touch
 * after close lies elsewhere, so the memory around a handle may be released, on any thread, once
 * close has returned and the last handler has begun.
 */
struct sennit_object {
	struct sennit__slot *slot_;
	struct sennit_executor *executor_;
	uint32_t generation_;
	uint32_t tag_;
	uintptr_t reserved_;
};

#ifdef __cplusplus
}
#endif

#endif
