/* SPDX-License-Identifier: MIT */
/* tls_streams.c - the operations of stream.h on TLS streams, over TCP, over a local pair and over
 * TLS: the tests of streams_all.c, but for what a cancelled write reports: of that which a terminal
 * request stops waiting for more may go out (S3). */
#include "tls_support.h"

#define LINKS                link_tls, link_tls_over_local, link_tls_over_tls
#define END_OF_LINK          SENNIT_TRUNCATED
#define TEST_OF_EXACT_WRITES
#define LINK_DECLARATIONS                                                                          \
 static void link_tls(struct link *link, struct stage *stage);                                     \
 static void link_tls_over_local(struct link *link, struct stage *stage);                          \
 static void link_tls_over_tls(struct link *link, struct stage *stage);                            \
 static void close_link(struct link *link, struct stage *stage);
#include "streams_all.c"

static void use(struct link *link, struct stage *stage)
{
	shake_hands(link->tls, 0, 0);
	take_tickets(stage, link->tls);
	link->in = &link->tls->client.stream;
	link->out = &link->tls->server.stream;
}

static void link_tls(struct link *link, struct stage *stage)
{
	link->tls = zeroed(sizeof *link->tls);
	open_pair(link->tls, stage->owner, NULL, NULL);
	use(link, stage);
}

static void link_tls_over_local(struct link *link, struct stage *stage)
{
	link->tls = zeroed(sizeof *link->tls);
	assert_int_equal(sennit_descriptor_pair(&link->descriptors[0], &link->descriptors[1],
						stage->owner),
			 0);
	open_pair_over(link->tls, &link->descriptors[0].stream, &link->descriptors[1].stream, NULL,
		       NULL);
	use(link, stage);
}

/* The outer pair is behind the inner one. */
static void link_tls_over_tls(struct link *link, struct stage *stage)
{
	struct tls_pair *pairs = zeroed(2 * sizeof *pairs);

	connect_pair(stage, &pairs[1]);
	open_pair_over(&pairs[0], &pairs[1].client.stream, &pairs[1].server.stream, NULL, NULL);
	link->tls = pairs;
	link->inner = &pairs[1];
	use(link, stage);
}

static void close_link(struct link *link, struct stage *stage)
{
	struct tls_pair *pair = link->tls;

	close_pair(stage, pair);
	if (link->inner)
		close_pair(stage, link->inner);
	free(pair);
}
