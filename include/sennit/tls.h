/* SPDX-License-Identifier: MIT */
/**
 * @file
 * TLS 1.2 and 1.3 over any stream, with OpenSSL 3. Link sennit-tls (`-lsennit-tls`, pkg-config
 * sennit-tls, CMake `sennit::tls`).
 *
 * Safe by default: a client checks the server's certificate chain, against the system's trusted
 * certificates, and the name in it; there is no renegotiation, no compression and no early data; a
 * handshake ends after 10 s and a shutdown after 5 s, unless their operation has a deadline of its
 * own. The page on TLS tells what each of that protects from and how it is loosened.
 */
#ifndef SENNIT_TLS_H
#define SENNIT_TLS_H

#include <sennit/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- context ---------------------------------------------------------------------------------- */

/** What many streams have in common: certificates, whom to trust, versions. It is set up by one
 * thread, before the first stream is opened with it; then any number of threads may open streams
 * with it, and nothing of it may change. */
struct sennit_tls_context;

/** Which side of a connection. */
enum sennit_tls_role { SENNIT_TLS_CLIENT = 1, SENNIT_TLS_SERVER = 2 };

/** A version of the protocol. */
enum sennit_tls_version { SENNIT_TLS_1_2 = 0x0303, SENNIT_TLS_1_3 = 0x0304 };

/** Whether a peer must show a certificate. One that is shown is always checked. */
enum sennit_tls_peer {
	SENNIT_TLS_PEER_ANY,      /**< none is asked for: a server's default */
	SENNIT_TLS_PEER_MAY,      /**< it is asked for one, and may have none */
	SENNIT_TLS_PEER_MUST      /**< without one the handshake fails: a client's default */
};

/**
 * Makes a context.
 * @param[out] context to be given to sennit_tls_context_destroy.
 * @return 0, -ENOMEM, -EINVAL (no such role).
 * @thread any. Allocates. Since 0.1.0. (Asio: `ssl::context`.)
 */
int sennit_tls_context_create(enum sennit_tls_role role, struct sennit_tls_context **context);

/**
 * Gives a context back; streams that were opened with it keep what they need. NULL does nothing.
 * @thread any that nobody competes with. Since 0.1.0.
 */
void sennit_tls_context_destroy(struct sennit_tls_context *context);

/**
 * Why the last call on the context failed, with the file and OpenSSL's reason, as in
 * "key.pem: not a private key in PEM: no start line"; "" where none has.
 * @return a string that lives until the next call on the context.
 * @thread that which sets the context up. Since 0.1.0.
 */
const char *sennit_tls_context_error(const struct sennit_tls_context *context);

/**
 * Takes the certificate that this side shows, the chain above it, and its key, from files.
 * @param chain in PEM: the certificate first, then those above it; the root may be left out.
 * @param key in PEM and not encrypted; NULL: it is in `chain`, too.
 * @return 0; -errno where a file cannot be read; -EINVAL where there is no certificate or key in
 *         it, or they do not belong together; -ENOMEM.
 * @thread one, before the first stream. Reads the files: blocks. Allocates. Since 0.1.0. (Asio:
 *         `use_certificate_chain_file`, `use_private_key_file`.)
 */
int sennit_tls_context_certificate_file(struct sennit_tls_context *context, const char *chain,
					const char *key);

/**
 * As sennit_tls_context_certificate_file, from memory, which is copied.
 * @param key NULL: it is in `chain`, too.
 * @thread one, before the first stream. Allocates. Since 0.1.0.
 */
int sennit_tls_context_certificate(struct sennit_tls_context *context, const void *chain,
				   size_t chain_size, const void *key, size_t key_size);

/**
 * Trusts the certificates in a file of PEM. The first call that says whom to trust replaces the
 * system's trusted certificates; each further one adds.
 * @return 0; -errno where the file cannot be read; -EINVAL where no certificate is in it; -ENOMEM.
 * @thread one, before the first stream. Reads the file: blocks. Allocates. Since 0.1.0. (Asio:
 *         `load_verify_file`.)
 */
int sennit_tls_context_trust_file(struct sennit_tls_context *context, const char *file);

/**
 * As sennit_tls_context_trust_file, with a folder whose files are named by hash, as `openssl
 * rehash` does it. They are read when they are needed.
 * @return 0; -errno where it is no folder that can be read; -ENOMEM.
 * @thread one, before the first stream. Blocks. Allocates. Since 0.1.0. (Asio: `add_verify_path`.)
 */
int sennit_tls_context_trust_folder(struct sennit_tls_context *context, const char *folder);

/**
 * As sennit_tls_context_trust_file, from memory, which is copied.
 * @thread one, before the first stream. Allocates. Since 0.1.0. (Asio:
 *         `add_certificate_authority`.)
 */
int sennit_tls_context_trust(struct sennit_tls_context *context, const void *certificates,
			     size_t size);

/**
 * Trusts what the system trusts, besides what else is said, before or after it. A client does so
 * until told otherwise.
 * @return 0 or -ENOMEM.
 * @thread one, before the first stream. May block. Allocates. Since 0.1.0. (Asio:
 *         `set_default_verify_paths`.)
 */
int sennit_tls_context_trust_system(struct sennit_tls_context *context);

/**
 * Whether peers must show a certificate. For a server; a client that wants none says so stream by
 * stream (sennit_tls_stream_open_insecure).
 * @return 0, -EINVAL (a client's context, or no such value).
 * @thread one, before the first stream. Since 0.1.0. (Asio: `set_verify_mode`.)
 */
int sennit_tls_context_peer(struct sennit_tls_context *context, enum sennit_tls_peer peer);

/**
 * The versions that are spoken; TLS 1.2 and 1.3 until told otherwise.
 * @return 0, -EINVAL (unknown, or the least is above the most).
 * @thread one, before the first stream. Since 0.1.0.
 */
int sennit_tls_context_versions(struct sennit_tls_context *context, enum sennit_tls_version least,
				enum sennit_tls_version most);

/**
 * The application protocols that are spoken (ALPN), such as "h2" and "http/1.1", the preferred one
 * first. A server takes its most preferred one that the client offers; where a client offers some,
 * but none of them, the handshake fails, as RFC 7301 asks for.
 * @param protocols each 1 to 255 bytes long; copied.
 * @return 0, -EINVAL, -ENOMEM.
 * @thread one, before the first stream. Allocates. Since 0.1.0.
 */
int sennit_tls_context_alpn(struct sennit_tls_context *context, const char *const *protocols,
			    unsigned count);

/**
 * Has a server use another context for clients that ask for `name` (SNI): its certificate, whom it
 * trusts, what it asks of peers, its application protocols, its key log. Clients that ask for no
 * name, or for one that was not added, get `context` itself.
 * @param name of a host, without regard to case; "*.example.org" is any name one level below.
 * @param other a server's, which neither uses `context` for a name itself nor uses one that does;
 *        it is kept as long as `context` is.
 * @return 0, -EINVAL, -ENOMEM, -EEXIST (the name was added before).
 * @thread one, before the first stream. Allocates. Since 0.1.0.
 */
int sennit_tls_context_name(struct sennit_tls_context *context, const char *name,
			    struct sennit_tls_context *other);

/**
 * Whether a server gives clients tickets, with which they resume their session without a full
 * handshake; it does until told otherwise. The keys are the context's own and never leave it.
 * @return 0, -EINVAL (a client's context).
 * @thread one, before the first stream. Since 0.1.0.
 */
int sennit_tls_context_tickets(struct sennit_tls_context *context, bool give);

/** Gets one line for each secret, as the SSLKEYLOGFILE of browsers has it, without its end. With
 * them whoever recorded the connection can read it: for debugging only. It is called in the middle
 * of the stream's work: nothing may be called there for that stream, cancel and close among it. */
typedef void sennit_tls_keylog(void *user, const char *line);

/**
 * Has `keylog` called with every secret of the context's streams, on their owners; of a client that
 * asks for a name, with the key log of that name's context (sennit_tls_context_name).
 * @param keylog NULL: nothing is.
 * @thread one, before the first stream. Since 0.1.0.
 */
void sennit_tls_context_keylog(struct sennit_tls_context *context, sennit_tls_keylog *keylog,
			       void *user);

/**
 * The SSL_CTX behind it, for what has no call here (cipher lists, groups, stapling ...). What is
 * set there is the caller's responsibility; BIOs, modes, the message callback and SSL_CTX's and
 * SSL's application data are the library's. For callbacks holds what sennit_tls_keylog says, and
 * that they leave OpenSSL's queue of errors as it was where they have not failed.
 * @thread one, before the first stream. Since 0.1.0. (Asio: `native_handle`.)
 */
void *sennit_tls_context_native(struct sennit_tls_context *context);

/* --- stream ----------------------------------------------------------------------------------- */

/**
 * A stream that encrypts what it carries over another one. All of stream.h works on `stream`: reads
 * and writes may overlap freely, from any thread, and go out and come in whole and in order.
 *
 * Before the handshake is done, reads and writes wait for it; where none was started they end with
 * -ENOTCONN. A read ends with SENNIT_EOF where the peer ended its side in order, and with
 * SENNIT_TRUNCATED where the connection ended without that: what was read may then be less than
 * what was sent, and someone else may be the reason. A write_some takes at most 16384 bytes; a
 * write completes when the stream below has taken all of it.
 *
 * Each operation here and in stream.h can be cancelled with types terminal and partial, and none
 * leaves the session unusable. After partial, `bytes` of a write are exactly those that went out.
 * After terminal more than that may still go out. A cancelled read takes nothing with it; a
 * cancelled handshake or shutdown may be started again.
 *
 * sennit_close closes the stream below, too. It does not tell the peer: that is what
 * sennit_tls_async_shutdown is for.
 */
struct sennit_tls_stream {
	struct sennit_stream stream; /**< to be used with the functions of stream.h */
	struct sennit__tls_connection *connection_;
};

/** What a client has to resume a session. */
struct sennit_tls_session;

/**
 * Opens the client's side of a connection over `lower`.
 * @param stream zeroed, or closed.
 * @param context a client's.
 * @param lower open; from now on nobody else starts anything on it, and it is closed with this one.
 *        Its handle may go away: a copy is used.
 * @param name of the server, as the caller's user knows it: a host name or an IP address. The
 *        server's certificate must be for it; a host name is also told to the server (SNI).
 * @return 0; -EINVAL (not a client's context, no name, or one that cannot be); -EBADF (`lower` is
 *         not open); -ENOMEM; SENNIT_ALREADY_OPEN.
 * @thread any that nobody competes with. Allocates. Since 0.1.0. (Asio: `ssl::stream`, with
 *         `host_name_verification`, which there must be asked for.)
 */
int sennit_tls_stream_open_client(struct sennit_tls_stream *stream,
				  struct sennit_tls_context *context, struct sennit_stream *lower,
				  const char *name);

/**
 * As sennit_tls_stream_open_client, but neither the server's certificate nor its name is checked:
 * anybody on the way can read and change what is sent. For tests, and where the certificate is
 * checked in another way.
 * @param name what the server is told; NULL: nothing.
 * @thread any that nobody competes with. Allocates. Since 0.1.0.
 */
int sennit_tls_stream_open_insecure(struct sennit_tls_stream *stream,
				    struct sennit_tls_context *context,
				    struct sennit_stream *lower, const char *name);

/**
 * Opens the server's side of a connection over `lower`, as sennit_tls_stream_open_client does.
 * @param context a server's.
 * @return as there; -ENOKEY: the context has no certificate, or not its key.
 * @thread any that nobody competes with. Allocates. Since 0.1.0.
 */
int sennit_tls_stream_open_server(struct sennit_tls_stream *stream,
				  struct sennit_tls_context *context, struct sennit_stream *lower);

/**
 * Shakes hands: when the handler is called without an error, both sides are who they are said to
 * be, and what follows is encrypted. A second one while the first is in flight ends with -EALREADY,
 * one afterwards with 0. Without a deadline of its own (SENNIT_NEVER is none) it ends after 10 s
 * with -ETIMEDOUT. Where it ends without success, so do the transfers that wait for it: with why it
 * failed, or, where it was cancelled, with -ENOTCONN.
 *
 * Errors: SENNIT_TLS_UNTRUSTED (certificate or name), SENNIT_TLS_FAILED, SENNIT_TRUNCATED or what
 * the stream below reports; the peer is told, as far as TLS has a word for it.
 * @thread any. Does not block; OpenSSL allocates, on the owner. Since 0.1.0. (Asio:
 *         `async_handshake`.)
 */
void sennit_tls_async_handshake(struct sennit_tls_stream *stream, struct sennit_op *op,
				sennit_handler *handler);

/**
 * Ends the connection in order: waits for the writes that were started before, sends close_notify
 * and waits for the peer's. What the peer still sends until then is for reads, where one is in
 * flight or was started since; where there is none it is dropped. After it reads end with
 * SENNIT_EOF. Writes that are started later wait until close_notify is sent, and end with -EPIPE;
 * where this ends before, they go out. Without a deadline of its own it ends after 5 s with
 * -ETIMEDOUT. Who does not want to wait for the peer closes the stream as soon as this was started
 * and a write before it has completed, or gives it a short deadline.
 *
 * Errors: SENNIT_TRUNCATED (the peer closed without an answer), -ENOTCONN (no handshake was done),
 * -EALREADY (another is in flight), or why the session failed.
 * @thread any. Does not block; OpenSSL allocates, on the owner. Since 0.1.0. (Asio:
 *         `async_shutdown`.)
 */
void sennit_tls_async_shutdown(struct sennit_tls_stream *stream, struct sennit_op *op,
			       sennit_handler *handler);

/* --- what became of it: on the owner, or while no operation of the stream is in flight -------- */

/**
 * Why the session failed, as in "certificate verify failed: certificate has expired".
 * @param[out] text at most `size` bytes with the zero that ends it.
 * @thread owner, or while no operation is in flight. Neither blocks nor allocates. Since 0.1.0.
 */
void sennit_tls_stream_reason(const struct sennit_tls_stream *stream, char *text, size_t size);

/**
 * The version that was agreed on; 0 before the handshake.
 * @thread owner, or while no operation is in flight. Since 0.1.0.
 */
enum sennit_tls_version sennit_tls_stream_version(const struct sennit_tls_stream *stream);

/**
 * The cipher suite that was agreed on, such as "TLS_AES_256_GCM_SHA384"; NULL before the handshake.
 * @return a string with static lifetime.
 * @thread owner, or while no operation is in flight. Since 0.1.0.
 */
const char *sennit_tls_stream_cipher(const struct sennit_tls_stream *stream);

/**
 * The application protocol that was agreed on.
 * @param[out] size of it, in bytes; 0: none was.
 * @return not ended by a zero; lives as long as the stream is open.
 * @thread owner, or while no operation is in flight. Since 0.1.0.
 */
const char *sennit_tls_stream_alpn(const struct sennit_tls_stream *stream, size_t *size);

/**
 * The name that the client asked for (SNI); NULL where it did not.
 * @return a string that lives as long as the stream is open.
 * @thread owner, or while no operation is in flight. Since 0.1.0.
 */
const char *sennit_tls_stream_name(const struct sennit_tls_stream *stream);

/**
 * Copies the peer's certificate, in DER.
 * @param[out] der at most `size` bytes; NULL where only the size is wanted.
 * @return its size in bytes, also where that is more than `size` (nothing is copied then); 0 where
 *         the peer has shown none; -EBADF where the stream is not open.
 * @thread owner, or while no operation is in flight. May allocate. Since 0.1.0.
 */
int sennit_tls_stream_peer_certificate(const struct sennit_tls_stream *stream, void *der,
				       size_t size);

/**
 * Takes what a client needs to resume the session on another connection. Servers that speak TLS 1.3
 * send it after the handshake, with or before the first data: take it when something was read.
 * @param[out] session to be given to sennit_tls_session_free.
 * @return 0; -ENOENT (the server has sent nothing of the kind); -EINVAL (not a client's side);
 *         -EBADF; -ENOMEM.
 * @thread owner, or while no operation is in flight. Allocates. Since 0.1.0.
 */
int sennit_tls_stream_session(const struct sennit_tls_stream *stream,
			      struct sennit_tls_session **session);

/**
 * Has the handshake of a client, not started yet, resume a session; where the server does not agree
 * it is a full one.
 * @param session may be used again, though servers may take each but once, and freed at once.
 * @return 0; -EINVAL (not a client's side, or another context's, another name's, or not as verified
 *         as this stream is to be); -EISCONN (started already); -EBADF; -ENOMEM.
 * @thread any that holds the stream alone. Since 0.1.0.
 */
int sennit_tls_stream_resume(struct sennit_tls_stream *stream,
			     const struct sennit_tls_session *session);

/**
 * Whether the handshake resumed an earlier session.
 * @thread owner, or while no operation is in flight. Since 0.1.0.
 */
bool sennit_tls_stream_resumed(const struct sennit_tls_stream *stream);

/** Frees it; NULL does nothing. @thread any. Since 0.1.0. */
void sennit_tls_session_free(struct sennit_tls_session *session);

/**
 * The SSL behind the stream, for what has no call here; NULL where the stream is not open. Neither
 * its BIO nor its state may be touched.
 * @thread owner, or while no operation is in flight. Since 0.1.0. (Asio: `native_handle`.)
 */
void *sennit_tls_stream_native(const struct sennit_tls_stream *stream);

#ifdef __cplusplus
}
#endif

#endif
