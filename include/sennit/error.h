/* SPDX-License-Identifier: MIT */
/**
 * @file
 * Error values. A function or a handler reports 0 for success or a negative value: -errno, or one
 * of sennit's own, which lie below -4096 so that no errno ever collides with them.
 */
#ifndef SENNIT_ERROR_H
#define SENNIT_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

/** The peer ended the stream in order: there is nothing more to read. An error, so that a handler
 * that only looks at `error` never loops on an ended stream (as Asio's `error::eof`). */
#define SENNIT_EOF (-4097)
/** The stream ended without the ending that its protocol asks for. */
#define SENNIT_TRUNCATED (-4098)
/** The runtime was destroyed before this could be done. */
#define SENNIT_SHUTDOWN (-4099)
/** Open or assign of an object, or accept into an object, that is open (Asio's `already_open`). */
#define SENNIT_ALREADY_OPEN (-4100)

/** TLS failed: the peer broke the protocol, refused, or agrees to nothing that we do;
 * sennit_tls_stream_reason tells more. */
#define SENNIT_TLS_FAILED (-4101)

/** The peer's certificate is not trusted, or is not for the name that was asked for. */
#define SENNIT_TLS_UNTRUSTED (-4102)

/**
 * A sentence fragment for an error value, such as "Connection refused" or "end of file".
 * @param error 0, -errno or a SENNIT_ error; anything else gives "unknown error".
 * @return a string with static lifetime; never NULL.
 * @thread any. Neither blocks nor allocates. Since 0.1.0.
 */
const char *sennit_strerror(int error);

/**
 * The symbol of an error value, such as "ECONNREFUSED" or "SENNIT_EOF"; "0" for 0 and "?" for
 * a value that has none.
 * @return a string with static lifetime; never NULL.
 * @thread any. Neither blocks nor allocates. Since 0.1.0.
 */
const char *sennit_error_name(int error);

#ifdef __cplusplus
}
#endif

#endif
