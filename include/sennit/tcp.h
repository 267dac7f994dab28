/* SPDX-License-Identifier: MIT */
/**
 * @file
 * TCP sockets, which are streams, and acceptors.
 */
#ifndef SENNIT_TCP_H
#define SENNIT_TCP_H

#include <sennit/endpoint.h>
#include <sennit/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A TCP socket. */
struct sennit_tcp_socket {
	struct sennit_stream stream; /**< for the operations of stream.h */
};

/** A listening TCP socket. */
struct sennit_tcp_acceptor {
	struct sennit_object object_;
};

/** Socket options, each an int. */
enum sennit_tcp_option {
	SENNIT_TCP_NO_DELAY,            /**< 0 or 1: small segments leave at once */
	SENNIT_TCP_CORK,                /**< 0 or 1: only full segments leave */
	SENNIT_TCP_QUICK_ACK,           /**< 0 or 1: acknowledge at once, for now */
	SENNIT_TCP_KEEP_ALIVE,          /**< 0 or 1: probe idle connections */
	SENNIT_TCP_KEEP_ALIVE_IDLE,     /**< seconds before the first probe */
	SENNIT_TCP_KEEP_ALIVE_INTERVAL, /**< seconds between probes */
	SENNIT_TCP_KEEP_ALIVE_COUNT,    /**< unanswered probes that end the connection */
	SENNIT_TCP_USER_TIMEOUT,        /**< milliseconds that sent data may stay unacknowledged */
	SENNIT_TCP_RECEIVE_BUFFER,      /**< bytes; the kernel doubles what is set */
	SENNIT_TCP_SEND_BUFFER,         /**< bytes; the kernel doubles what is set */
	SENNIT_TCP_RECEIVE_LOW_WATER,   /**< bytes before the socket counts as readable */
	SENNIT_TCP_NOTSENT_LOW_WATER,   /**< unsent bytes below which it counts as writable */
	SENNIT_TCP_LINGER,              /**< 0: close resets the connection; -1 (the default): off;
	                                     more: seconds that the system's close would wait after
	                                     a release. sennit's own close never waits: what was
	                                     written goes out in the background */
	SENNIT_TCP_REUSE_ADDRESS,       /**< 0 or 1 */
	SENNIT_TCP_REUSE_PORT,          /**< 0 or 1 */
	SENNIT_TCP_V6_ONLY              /**< 0 or 1: an IPv6 socket takes no IPv4 */
};

/** How an acceptor listens; a zeroed struct chooses the defaults. */
struct sennit_tcp_acceptor_options {
	size_t size;      /**< sizeof(struct sennit_tcp_acceptor_options), or 0 for all defaults */
	int backlog;      /**< connections that may wait to be accepted; 0: SOMAXCONN */
	bool reuse_port;  /**< several listening sockets share the port, one for each worker say:
	                       the kernel spreads connections over them */
	bool v6_only;     /**< an IPv6 acceptor takes no IPv4 */
};

/**
 * Readies a socket for open, connect or accept.
 * @param executor lives as long as the socket is used. It decides the owner when the socket opens.
 * @thread any that nobody competes with. Neither blocks nor allocates. Since 0.1.0.
 */
void sennit_tcp_socket_init(struct sennit_tcp_socket *socket, struct sennit_executor *executor);

/**
 * Opens a socket that is not connected.
 * @param family AF_INET or AF_INET6.
 * @return 0, SENNIT_ALREADY_OPEN, -EAFNOSUPPORT, -EMFILE, -ENFILE, -ENOBUFS, -ENOMEM.
 * @thread the owner, or any that nobody competes with. May allocate. Since 0.1.0.
 */
int sennit_tcp_socket_open(struct sennit_tcp_socket *socket, int family);

/**
 * Adopts a TCP socket; its mode is not changed by transfers.
 * @param fd owned by `socket` from success on.
 * @return 0, SENNIT_ALREADY_OPEN, -EBADF, -ENOTSOCK, -EPROTONOSUPPORT (not TCP), -ENOMEM.
 * @thread the owner, or any that nobody competes with. May allocate. Since 0.1.0.
 */
int sennit_tcp_socket_assign(struct sennit_tcp_socket *socket, int fd);

/**
 * As sennit_descriptor_release.
 * @thread the owner, or any while nobody else uses the socket. Since 0.1.0.
 */
int sennit_tcp_socket_release(struct sennit_tcp_socket *socket, int *fd);

/**
 * The system's descriptor, or -EBADF.
 * @thread the owner, or any while nobody else uses the socket. Since 0.1.0.
 */
int sennit_tcp_socket_native_handle(const struct sennit_tcp_socket *socket);

/**
 * Binds an open socket to a local endpoint.
 * @return 0, -EBADF (not open), -EADDRINUSE, -EADDRNOTAVAIL, -EACCES, -EINVAL, -EAFNOSUPPORT.
 * @thread the owner, or any while nobody else uses the socket. Since 0.1.0.
 */
int sennit_tcp_socket_bind(struct sennit_tcp_socket *socket,
			   const struct sennit_endpoint *endpoint);

/**
 * Connects. A socket that is not open is opened first, for the endpoint's family; a failure to open
 * arrives in the handler. A socket stays open when connecting fails or is cancelled: close it.
 * Reads and writes may be started behind it, and wait for it. Errors: -ECONNREFUSED, -ETIMEDOUT,
 * -EHOSTUNREACH, -ENETUNREACH, -EISCONN, -EAFNOSUPPORT, -EINVAL, or what else the system reports.
 * @param endpoint unchanged and in place until the handler.
 * @thread any; where the socket is not open yet, any that nobody competes with (that may allocate).
 *         Does not block. Since 0.1.0. (Asio: `async_connect`.)
 */
void sennit_tcp_socket_async_connect(struct sennit_tcp_socket *socket,
				     const struct sennit_endpoint *endpoint, struct sennit_op *op,
				     sennit_handler *handler);

/**
 * Shuts down one or both directions; writes that the owner has received are tried once more first,
 * and what is still queued then fails with -EPIPE.
 * @param how SHUT_RD, SHUT_WR or SHUT_RDWR.
 * @return 0, -EBADF, -ENOTCONN, -EINVAL.
 * @thread the owner, or any while nothing is in flight. Since 0.1.0.
 */
int sennit_tcp_socket_shutdown(struct sennit_tcp_socket *socket, int how);

/**
 * Sets an option of an open socket.
 * @return 0, -EBADF (not open), -EINVAL (no such option or value), or what the system reports.
 * @thread the owner, or any while nobody else uses the socket. Since 0.1.0.
 */
int sennit_tcp_socket_set_option(struct sennit_tcp_socket *socket, enum sennit_tcp_option option,
				 int value);

/**
 * Reads an option of an open socket.
 * @param[out] value set on success.
 * @return as sennit_tcp_socket_set_option.
 * @thread the owner, or any while nobody else uses the socket. Since 0.1.0.
 */
int sennit_tcp_socket_get_option(const struct sennit_tcp_socket *socket,
				 enum sennit_tcp_option option, int *value);

/**
 * The local endpoint of an open socket.
 * @return 0, -EBADF.
 * @thread the owner, or any while nobody else uses the socket. Since 0.1.0.
 */
int sennit_tcp_socket_local_endpoint(const struct sennit_tcp_socket *socket,
				     struct sennit_endpoint *endpoint);

/**
 * The peer's endpoint.
 * @return 0, -EBADF, -ENOTCONN.
 * @thread the owner, or any while nobody else uses the socket. Since 0.1.0.
 */
int sennit_tcp_socket_remote_endpoint(const struct sennit_tcp_socket *socket,
				      struct sennit_endpoint *endpoint);

/**
 * Opens two initialised sockets, connected to each other over the loopback interface.
 * @return 0, or what the system reports; on failure neither is open.
 * @thread any that nobody competes with. Blocks for the connection only; may allocate. Since 0.1.0.
 */
int sennit_tcp_socket_pair(struct sennit_tcp_socket *first, struct sennit_tcp_socket *second);

/**
 * Opens an acceptor: a socket that listens on a local endpoint.
 * @param acceptor zeroed, or closed before.
 * @param executor decides the owner, as for every object.
 * @param endpoint as sennit_endpoint_parse reads it; port 0: the kernel picks.
 * @return 0, SENNIT_ALREADY_OPEN, -EINVAL, -EADDRINUSE, -EADDRNOTAVAIL, -EACCES, -EMFILE, -ENOMEM,
 *         -ENODEV (no such scope), or what else the system reports.
 * @thread the owner, or any that nobody competes with. May allocate. Since 0.1.0.
 */
int sennit_tcp_acceptor_open(struct sennit_tcp_acceptor *acceptor, struct sennit_executor *executor,
			     const char *endpoint);

/**
 * As sennit_tcp_acceptor_open, with options.
 * @param options NULL for the defaults; read during the call only.
 * @thread the owner, or any that nobody competes with. May allocate. Since 0.1.0.
 */
int sennit_tcp_acceptor_open_with(struct sennit_tcp_acceptor *acceptor,
				  struct sennit_executor *executor,
				  const struct sennit_endpoint *endpoint,
				  const struct sennit_tcp_acceptor_options *options);

/**
 * Accepts a connection into `socket`, which must be initialised and not open: SENNIT_ALREADY_OPEN
 * otherwise. Running out of descriptors or memory is no error here: accepting pauses for 10 to
 * 100 ms and goes on. A connection that was aborted before it could be accepted is passed over.
 * @param socket in place until the handler; its executor decides its owner.
 * @thread any. Neither blocks nor, on the calling thread, allocates. Since 0.1.0. (Asio:
 *         `async_accept`.)
 */
void sennit_tcp_acceptor_async_accept(struct sennit_tcp_acceptor *acceptor,
				      struct sennit_tcp_socket *socket, struct sennit_op *op,
				      sennit_handler *handler);

/**
 * Waits until a connection can be accepted, without accepting it; `what` as sennit_async_wait.
 * @thread any. Neither blocks nor allocates. Since 0.1.0.
 */
void sennit_tcp_acceptor_async_wait(struct sennit_tcp_acceptor *acceptor, int what,
				    struct sennit_op *op, sennit_handler *handler);

/**
 * As sennit_cancel.
 * @thread any. Neither blocks nor allocates. Since 0.1.0.
 */
void sennit_tcp_acceptor_cancel(struct sennit_tcp_acceptor *acceptor);

/**
 * As sennit_close. Connections that wait to be accepted are reset by the kernel.
 * @thread any. Neither blocks nor allocates. Since 0.1.0.
 */
void sennit_tcp_acceptor_close(struct sennit_tcp_acceptor *acceptor);

/**
 * Whether the acceptor is open, as the calling thread can know.
 * @thread any. Since 0.1.0.
 */
bool sennit_tcp_acceptor_is_open(const struct sennit_tcp_acceptor *acceptor);

/**
 * The endpoint that the acceptor listens on, with the port that the kernel picked.
 * @return 0, -EBADF.
 * @thread the owner, or any while nobody else uses the acceptor. Since 0.1.0.
 */
int sennit_tcp_acceptor_local_endpoint(const struct sennit_tcp_acceptor *acceptor,
				       struct sennit_endpoint *endpoint);

/**
 * The system's descriptor, or -EBADF.
 * @thread the owner, or any while nobody else uses the acceptor. Since 0.1.0.
 */
int sennit_tcp_acceptor_native_handle(const struct sennit_tcp_acceptor *acceptor);

#ifdef __cplusplus
}
#endif

#endif
