/* SPDX-License-Identifier: MIT */
/* context.c - making a context, and what it agrees on with peers. Certificates: credentials.c. */
#include "io/tls/context.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- the library's own places in OpenSSL's structures ----------------------------------------- */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int place = -1;

static void free_context(void *parent, void *data, CRYPTO_EX_DATA *all, int index, long number,
			 void *pointer)
{
	struct sennit_tls_context *context = data;

	(void)parent;
	(void)all;
	(void)index;
	(void)number;
	(void)pointer;
	if (!context)
		return;
	for (size_t i = 0; i < context->names_count; i++) {
		free(context->names[i].name);
		SSL_CTX_free(context->names[i].ssl);
	}
	free(context->names);
	free(context->protocols);
	free(context);
}

/* OpenSSL would tidy up when the process exits, under the feet of threads that still run; a program
 * that has called it before us has settled that already. */
static void prepare_openssl(void)
{
	OPENSSL_init_ssl(OPENSSL_INIT_NO_ATEXIT, NULL);
	place = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_context);
}

struct sennit_tls_context *sennit__tls_context_of(const SSL_CTX *ssl)
{
	return SSL_CTX_get_ex_data(ssl, place);
}

/* --- errors ----------------------------------------------------------------------------------- */

void sennit__tls_context_begin(struct sennit_tls_context *context)
{
	context->error[0] = '\0';
	ERR_clear_error();
}

int sennit__tls_context_fail(struct sennit_tls_context *context, int error, const char *what,
			     const char *why)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	snprintf(context->error, sizeof context->error, "%s: %s%s%s", what, why,
		 reason ? ": " : "", reason ? reason : "");
	return error;
}

const char *sennit_tls_context_error(const struct sennit_tls_context *context)
{
	return context->error;
}

static int fail_for_memory(struct sennit_tls_context *context, const char *what)
{
	return sennit__tls_context_fail(context, -ENOMEM, what, "out of memory");
}

static int refuse(struct sennit_tls_context *context, const char *what, const char *why)
{
	return sennit__tls_context_fail(context, -EINVAL, what, why);
}

/* --- application protocols -------------------------------------------------------------------- */

/* The first of ours that the client offers. */
static int choose_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *size,
			   const unsigned char *offered, unsigned offered_size, void *argument)
{
	const struct sennit_tls_context *context = argument;
	unsigned char *found = NULL;

	(void)ssl;
	if (SSL_select_next_proto(&found, size, context->protocols, context->protocols_size,
				  offered, offered_size) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*chosen = found;
	return SSL_TLSEXT_ERR_OK;
}

int sennit_tls_context_alpn(struct sennit_tls_context *context, const char *const *protocols,
			    unsigned count)
{
	size_t size = 0;
	unsigned char *list;

	sennit__tls_context_begin(context);
	for (unsigned i = 0; i < count; i++) {
		size_t length = strlen(protocols[i]);

		if (!length || length > 255)
			return refuse(context, "ALPN", "a protocol has no name, or a long one");
		size += length + 1;
	}
	if (!count || size > UINT16_MAX)
		return refuse(context, "ALPN", "there are no protocols, or too many");
	list = malloc(size);
	if (!list)
		return fail_for_memory(context, "ALPN");
	free(context->protocols);
	context->protocols = list;
	context->protocols_size = (unsigned)size;
	for (unsigned i = 0; i < count; i++) {
		size_t length = strlen(protocols[i]);

		*list++ = (unsigned char)length;
		memcpy(list, protocols[i], length);
		list += length;
	}
	if (context->role == SENNIT_TLS_SERVER)
		SSL_CTX_set_alpn_select_cb(context->ssl, choose_protocol, context);
	else if (SSL_CTX_set_alpn_protos(context->ssl, context->protocols, (unsigned)size))
		return fail_for_memory(context, "ALPN");
	return 0;
}

/* --- names ------------------------------------------------------------------------------------ */

static int compare_names(const void *left, const void *right)
{
	const struct sennit__tls_name *a = left;
	const struct sennit__tls_name *b = right;

	return strcmp(a->name, b->name);
}

static const struct sennit__tls_name *look_up(const struct sennit_tls_context *context, char *name)
{
	const struct sennit__tls_name key = {.name = name};

	if (!context->names_count)
		return NULL;
	return bsearch(&key, context->names, context->names_count, sizeof key, compare_names);
}

/* The name itself, else what is added for all names beside it. */
static const struct sennit__tls_name *look_up_host(const struct sennit_tls_context *context,
						   char *name)
{
	const struct sennit__tls_name *found = look_up(context, name);
	char *parent = strchr(name, '.');

	return found || !parent ? found : look_up(context, parent);
}

static void to_lower(char *name)
{
	for (; *name; name++)
		*name = (char)tolower((unsigned char)*name);
}

/* The longest name of a host. */
#define NAME_MAX_SIZE 255

/* The name in the extension as the client has sent it (RFC 6066, 3), in lower case; false where it
 * is none. */
static bool read_name(const unsigned char *data, size_t size, char name[NAME_MAX_SIZE + 1])
{
	size_t length;

	if (size < 5 || data[2] != TLSEXT_NAMETYPE_host_name)
		return false;
	length = (size_t)data[3] << 8 | data[4];
	if (((size_t)data[0] << 8 | data[1]) != size - 2 || length > size - 5 ||
	    length > NAME_MAX_SIZE || memchr(data + 5, '\0', length))
		return false;
	memcpy(name, data + 5, length);
	name[length] = '\0';
	to_lower(name);
	return true;
}

/* Of the context for the name in a ClientHello. */
static SSL_CTX *context_for(SSL *ssl, const struct sennit_tls_context *context)
{
	const struct sennit__tls_name *found = NULL;
	const unsigned char *data;
	char name[NAME_MAX_SIZE + 1];
	size_t size;

	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &data, &size) &&
	    read_name(data, size, name))
		found = look_up_host(context, name);
	return found ? found->ssl : context->ssl;
}

static int refuse_hello(int *alert, int description)
{
	*alert = description;
	return SSL_CLIENT_HELLO_ERROR;
}

/* Before anything was decided, the resumption of a session above all: which context it is. After a
 * HelloRetryRequest that is called again, for what is the session's context by then: it stays as it
 * was, or who asked for one name would be called by another (RFC 8446, 4.1.2). */
static int choose_context(SSL *ssl, int *alert, void *argument)
{
	struct sennit_tls_context *first = SSL_get_app_data(ssl);
	struct sennit_tls_context *context = first ? first : argument;
	SSL_CTX *chosen;

	if (!context->names_count)
		return SSL_CLIENT_HELLO_SUCCESS;
	chosen = context_for(ssl, context);
	if (first && SSL_get_SSL_CTX(ssl) != chosen)
		return refuse_hello(alert, SSL_AD_ILLEGAL_PARAMETER);
	if (!first && (!SSL_set_app_data(ssl, context) || !SSL_set_SSL_CTX(ssl, chosen)))
		return refuse_hello(alert, SSL_AD_INTERNAL_ERROR);
	/* of these the session has copies, which were the first context's */
	SSL_set_verify(ssl, SSL_CTX_get_verify_mode(chosen), NULL);
	return SSL_CLIENT_HELLO_SUCCESS;
}

/* Whether it may be added, without the "*." of a wildcard. */
static bool is_host(const char *name)
{
	return *name && *name != '.' && strlen(name) <= NAME_MAX_SIZE && !strchr(name, '*');
}

/* Whether it would keep itself. */
static bool is_named_by(const struct sennit_tls_context *context,
			const struct sennit_tls_context *other)
{
	bool found = other == context;

	for (size_t i = 0; i < other->names_count && !found; i++)
		found = is_named_by(context, sennit__tls_context_of(other->names[i].ssl));
	return found;
}

int sennit_tls_context_name(struct sennit_tls_context *context, const char *name,
			    struct sennit_tls_context *other)
{
	bool all = name && !strncmp(name, "*.", 2);
	struct sennit__tls_name *names;
	char *copy;

	sennit__tls_context_begin(context);
	if (context->role != SENNIT_TLS_SERVER || !other || other->role != SENNIT_TLS_SERVER)
		return refuse(context, "a server name", "both contexts must be a server's");
	if (is_named_by(context, other))
		return refuse(context, "a server name", "that context uses this one");
	if (!is_host(name ? name + 2 * all : ""))
		return refuse(context, "a server name", "it is not the name of a host");
	copy = strdup(name + all);
	names = realloc(context->names, (context->names_count + 1) * sizeof *names);
	if (names)
		context->names = names;
	if (!copy || !names) {
		free(copy);
		return fail_for_memory(context, name);
	}
	to_lower(copy);
	if (copy[strlen(copy) - 1] == '.') /* clients leave it out */
		copy[strlen(copy) - 1] = '\0';
	if (look_up(context, copy)) {
		free(copy);
		return sennit__tls_context_fail(context, -EEXIST, name,
						"the name was added before");
	}
	SSL_CTX_up_ref(other->ssl);
	names[context->names_count++] = (struct sennit__tls_name){copy, other->ssl};
	qsort(names, context->names_count, sizeof *names, compare_names);
	return 0;
}

/* --- what else can be chosen ------------------------------------------------------------------ */

int sennit_tls_context_peer(struct sennit_tls_context *context, enum sennit_tls_peer peer)
{
	int mode = SSL_VERIFY_NONE;

	sennit__tls_context_begin(context);
	if (context->role != SENNIT_TLS_SERVER)
		return refuse(context, "peers", "a client says that for each stream");
	if (peer != SENNIT_TLS_PEER_ANY && peer != SENNIT_TLS_PEER_MAY &&
	    peer != SENNIT_TLS_PEER_MUST)
		return refuse(context, "peers", "there is no such choice");
	if (peer != SENNIT_TLS_PEER_ANY)
		mode = SSL_VERIFY_PEER;
	if (peer == SENNIT_TLS_PEER_MUST)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(context->ssl, mode, NULL);
	return 0;
}

static bool is_version(enum sennit_tls_version version)
{
	return version == SENNIT_TLS_1_2 || version == SENNIT_TLS_1_3;
}

int sennit_tls_context_versions(struct sennit_tls_context *context, enum sennit_tls_version least,
				enum sennit_tls_version most)
{
	sennit__tls_context_begin(context);
	if (!is_version(least) || !is_version(most) || least > most)
		return refuse(context, "versions", "there is no such range");
	if (!SSL_CTX_set_min_proto_version(context->ssl, (int)least) ||
	    !SSL_CTX_set_max_proto_version(context->ssl, (int)most))
		return refuse(context, "versions", "OpenSSL was built without them");
	return 0;
}

int sennit_tls_context_tickets(struct sennit_tls_context *context, bool give)
{
	sennit__tls_context_begin(context);
	if (context->role != SENNIT_TLS_SERVER)
		return refuse(context, "tickets", "it is the server that gives them");
	if (give)
		SSL_CTX_clear_options(context->ssl, SSL_OP_NO_TICKET);
	else
		SSL_CTX_set_options(context->ssl, SSL_OP_NO_TICKET);
	SSL_CTX_set_num_tickets(context->ssl, give ? 2 : 0); /* OpenSSL's own number */
	return 0;
}

static void pass_on_secret(const SSL *ssl, const char *line)
{
	const struct sennit_tls_context *context =
		sennit__tls_context_of(SSL_get_SSL_CTX(ssl));

	if (!context || !context->keylog)
		return;
	ERR_set_mark(); /* what it leaves in the queue of errors would be taken for the session's */
	context->keylog(context->keylog_user, line);
	ERR_pop_to_mark();
}

void sennit_tls_context_keylog(struct sennit_tls_context *context, sennit_tls_keylog *keylog,
			       void *user)
{
	context->keylog = keylog;
	context->keylog_user = user;
	SSL_CTX_set_keylog_callback(context->ssl, keylog ? pass_on_secret : NULL);
}

void *sennit_tls_context_native(struct sennit_tls_context *context)
{
	return context->ssl;
}

/* --- its life --------------------------------------------------------------------------------- */

/* Sessions of one context are not another's, whatever names they have. */
static bool set_identity(struct sennit_tls_context *context)
{
	return RAND_bytes(context->identity, sizeof context->identity) == 1 &&
	       SSL_CTX_set_session_id_context(context->ssl, context->identity,
					      sizeof context->identity);
}

static bool set_defaults(struct sennit_tls_context *context)
{
	SSL_CTX *ssl = context->ssl;

	SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_max_early_data(ssl, 0);
	/* what a server needs is in the ticket; what a client got is the stream's to hand out */
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	if (context->role == SENNIT_TLS_CLIENT) {
		SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, NULL);
		SSL_CTX_set_default_verify_paths(ssl); /* where there are none: nobody is trusted */
	} else {
		SSL_CTX_set_options(ssl, SSL_OP_CIPHER_SERVER_PREFERENCE);
		SSL_CTX_set_client_hello_cb(ssl, choose_context, context);
	}
	return SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) && set_identity(context);
}

int sennit_tls_context_create(enum sennit_tls_role role, struct sennit_tls_context **result)
{
	struct sennit_tls_context *context;

	if (role != SENNIT_TLS_CLIENT && role != SENNIT_TLS_SERVER)
		return -EINVAL;
	pthread_once(&once, prepare_openssl);
	context = calloc(1, sizeof *context);
	if (!context || place < 0)
		goto fail_context;
	context->role = role;
	context->ssl =
		SSL_CTX_new(role == SENNIT_TLS_CLIENT ? TLS_client_method() : TLS_server_method());
	if (!context->ssl || !set_defaults(context))
		goto fail_ssl;
	if (!SSL_CTX_set_ex_data(context->ssl, place, context))
		goto fail_ssl;
	ERR_clear_error();
	*result = context;
	return 0;
fail_ssl:
	SSL_CTX_free(context->ssl);
fail_context:
	free(context);
	ERR_clear_error();
	return -ENOMEM;
}

void sennit_tls_context_destroy(struct sennit_tls_context *context)
{
	if (context)
		SSL_CTX_free(context->ssl); /* and the context, when nothing uses that any more */
}
