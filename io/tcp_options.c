/* SPDX-License-Identifier: MIT */
/* tcp_options.c - one table: what each of sennit's option names is to the system, and which values
 * it takes. Values are checked here because the kernel takes some that mean nothing (any number for
 * a switch) and some that mean the opposite (a negative buffer size is its largest). */
#include "io/tcp_options.h"

#include "io/sys/sys.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/socket.h>

enum kind {
	SWITCH, /* 0 or 1 */
	AMOUNT, /* 0 or more; the system may refuse 0 */
	LINGER  /* -1 for off, or seconds: a struct linger */
};

static const struct option {
	int level;
	int name;
	enum kind kind;
} options[] = {
	[SENNIT_TCP_NO_DELAY] = { IPPROTO_TCP, TCP_NODELAY, SWITCH },
	[SENNIT_TCP_CORK] = { IPPROTO_TCP, TCP_CORK, SWITCH },
	[SENNIT_TCP_QUICK_ACK] = { IPPROTO_TCP, TCP_QUICKACK, SWITCH },
	[SENNIT_TCP_KEEP_ALIVE] = { SOL_SOCKET, SO_KEEPALIVE, SWITCH },
	[SENNIT_TCP_KEEP_ALIVE_IDLE] = { IPPROTO_TCP, TCP_KEEPIDLE, AMOUNT },
	[SENNIT_TCP_KEEP_ALIVE_INTERVAL] = { IPPROTO_TCP, TCP_KEEPINTVL, AMOUNT },
	[SENNIT_TCP_KEEP_ALIVE_COUNT] = { IPPROTO_TCP, TCP_KEEPCNT, AMOUNT },
	[SENNIT_TCP_USER_TIMEOUT] = { IPPROTO_TCP, TCP_USER_TIMEOUT, AMOUNT },
	[SENNIT_TCP_RECEIVE_BUFFER] = { SOL_SOCKET, SO_RCVBUF, AMOUNT },
	[SENNIT_TCP_SEND_BUFFER] = { SOL_SOCKET, SO_SNDBUF, AMOUNT },
	[SENNIT_TCP_RECEIVE_LOW_WATER] = { SOL_SOCKET, SO_RCVLOWAT, AMOUNT },
	[SENNIT_TCP_NOTSENT_LOW_WATER] = { IPPROTO_TCP, TCP_NOTSENT_LOWAT, AMOUNT },
	[SENNIT_TCP_LINGER] = { SOL_SOCKET, SO_LINGER, LINGER },
	[SENNIT_TCP_REUSE_ADDRESS] = { SOL_SOCKET, SO_REUSEADDR, SWITCH },
	[SENNIT_TCP_REUSE_PORT] = { SOL_SOCKET, SO_REUSEPORT, SWITCH },
	[SENNIT_TCP_V6_ONLY] = { IPPROTO_IPV6, IPV6_V6ONLY, SWITCH },
};

static const struct option *find_option(enum sennit_tcp_option option);

int sennit__tcp_option_set(int fd, enum sennit_tcp_option option, int value)
{
	const struct option *found = find_option(option);
	struct linger linger;

	if (!found)
		return -EINVAL;
	switch (found->kind) {
	case SWITCH:
		if (value != 0 && value != 1)
			return -EINVAL;
		break;
	case AMOUNT:
		if (value < 0)
			return -EINVAL;
		break;
	case LINGER:
		if (value < -1)
			return -EINVAL;
		linger.l_onoff = value >= 0;
		linger.l_linger = value >= 0 ? value : 0;
		return sennit__sys_setsockopt(fd, found->level, found->name, &linger,
		                              sizeof linger);
	}
	return sennit__sys_setsockopt(fd, found->level, found->name, &value, sizeof value);
}

int sennit__tcp_option_get(int fd, enum sennit_tcp_option option, int *value)
{
	const struct option *found = find_option(option);
	struct linger linger = { 0, 0 };
	int number = 0, error;
	void *room = &number;
	unsigned size = sizeof number;

	if (!found)
		return -EINVAL;
	if (found->kind == LINGER) {
		room = &linger;
		size = sizeof linger;
	}
	error = sennit__sys_getsockopt(fd, found->level, found->name, room, &size);
	if (error)
		return error;
	switch (found->kind) {
	case SWITCH:
		*value = number != 0;
		break;
	case AMOUNT:
		*value = number;
		break;
	case LINGER:
		*value = linger.l_onoff ? linger.l_linger : -1;
		break;
	}
	return 0;
}

static const struct option *find_option(enum sennit_tcp_option option)
{
	size_t index = (size_t)option;

	return index < sizeof options / sizeof options[0] ? &options[index] : NULL;
}
