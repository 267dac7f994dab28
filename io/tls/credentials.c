/* SPDX-License-Identifier: MIT */
/* credentials.c - the certificates that a context shows and trusts. */
#include "io/tls/context.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <sennit/error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is given in memory has no name. */
#define CERTIFICATE_IN_MEMORY "the certificate in memory"
#define KEY_IN_MEMORY "the key in memory"
#define TRUSTED_IN_MEMORY "the trusted certificates in memory"

/* Files of PEM are read whole; more than that no chain has, and no bundle. */
#define FILE_MAX ((size_t)64 << 20)

/* --- files ------------------------------------------------------------------------------------ */

struct text {
	char *data;
	size_t size;
};

static int read_all(FILE *file, struct text *text)
{
	size_t room = 0;

	text->data = NULL;
	text->size = 0;
	do {
		char *data;

		room = room ? 2 * room : 4096;
		if (room > FILE_MAX)
			return -EFBIG;
		data = OPENSSL_clear_realloc(text->data, text->size, room);
		if (!data)
			return -ENOMEM;
		text->data = data;
		errno = 0;
		text->size += fread(data + text->size, 1, room - text->size, file);
	} while (text->size == room);
	if (ferror(file))
		return errno ? -errno : -EIO;
	return 0;
}

static void forget(struct text *text)
{
	OPENSSL_clear_free(text->data, text->size);
	text->data = NULL;
}

/* Reads a file whole; to be forgotten by the caller, also after an error. There may be a key in it,
 * of which nothing is to be left in buffers. */
static int read_file(struct sennit_tls_context *context, const char *name, struct text *text)
{
	FILE *file = fopen(name, "re");
	int error = file ? 0 : -errno;

	text->data = NULL;
	text->size = 0;
	if (file) {
		setvbuf(file, NULL, _IONBF, 0);
		error = read_all(file, text);
		fclose(file);
	}
	if (error)
		sennit__tls_context_fail(context, error, name, sennit_strerror(error));
	return error;
}

static BIO *open_text(struct sennit_tls_context *context, const void *data, size_t size,
		      const char *what, int *error)
{
	BIO *bio = size <= FILE_MAX ? BIO_new_mem_buf(size ? data : "", (int)size) : NULL;

	*error = 0;
	if (!bio)
		*error = sennit__tls_context_fail(context, -ENOMEM, what, "out of memory");
	return bio;
}

/* Whether the failed call only found nothing (more) to read; clears the queue of errors if so. */
static bool is_end(void)
{
	unsigned long code = ERR_peek_last_error();

	if (ERR_GET_LIB(code) != ERR_LIB_PEM || ERR_GET_REASON(code) != PEM_R_NO_START_LINE)
		return false;
	ERR_clear_error();
	return true;
}

/* --- the own certificate ---------------------------------------------------------------------- */

/* No password is asked for on a terminal. */
static int no_password(char *buffer, int size, int writing, void *user)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)user;
	return -1;
}

static int add_chain(struct sennit_tls_context *context, BIO *bio, const char *what)
{
	X509 *above;

	SSL_CTX_clear_chain_certs(context->ssl);
	while ((above = PEM_read_bio_X509(bio, NULL, no_password, NULL)))
		if (!SSL_CTX_add0_chain_cert(context->ssl, above)) {
			X509_free(above);
			return sennit__tls_context_fail(context, -EINVAL, what,
							"a certificate of the chain is refused");
		}
	if (is_end())
		return 0;
	return sennit__tls_context_fail(context, -EINVAL, what,
					"a certificate of the chain cannot be read");
}

static int use_chain(struct sennit_tls_context *context, const void *data, size_t size,
		     const char *what)
{
	int error;
	BIO *bio = open_text(context, data, size, what, &error);
	X509 *own = bio ? PEM_read_bio_X509_AUX(bio, NULL, no_password, NULL) : NULL;

	if (!error && !own)
		error = sennit__tls_context_fail(context, -EINVAL, what, "no certificate in PEM");
	else if (!error && SSL_CTX_use_certificate(context->ssl, own) != 1)
		error = sennit__tls_context_fail(context, -EINVAL, what,
						 "the certificate is refused");
	else if (!error)
		error = add_chain(context, bio, what);
	X509_free(own);
	BIO_free(bio);
	return error;
}

static int use_key(struct sennit_tls_context *context, const void *data, size_t size,
		   const char *what, const char *chain)
{
	int error;
	BIO *bio = open_text(context, data, size, what, &error);
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;

	if (!error && !key)
		error = sennit__tls_context_fail(context, -EINVAL, what,
						 "no unencrypted private key in PEM");
	else if (!error && (SSL_CTX_use_PrivateKey(context->ssl, key) != 1 ||
			    SSL_CTX_check_private_key(context->ssl) != 1)) {
		char why[160];

		snprintf(why, sizeof why, "not the key of %s", chain);
		error = sennit__tls_context_fail(context, -EINVAL, what, why);
	}
	EVP_PKEY_free(key);
	BIO_free(bio);
	return error;
}

int sennit_tls_context_certificate(struct sennit_tls_context *context, const void *chain,
				   size_t chain_size, const void *key, size_t key_size)
{
	int error;

	sennit__tls_context_begin(context);
	error = use_chain(context, chain, chain_size, CERTIFICATE_IN_MEMORY);
	if (error)
		return error;
	return use_key(context, key ? key : chain, key ? key_size : chain_size, KEY_IN_MEMORY,
		       CERTIFICATE_IN_MEMORY);
}

int sennit_tls_context_certificate_file(struct sennit_tls_context *context, const char *chain,
					const char *key)
{
	struct text certificates;
	struct text keys = {0};
	int error;

	sennit__tls_context_begin(context);
	error = read_file(context, chain, &certificates);
	if (!error)
		error = use_chain(context, certificates.data, certificates.size, chain);
	if (!error && key)
		error = read_file(context, key, &keys);
	if (!error && key)
		error = use_key(context, keys.data, keys.size, key, chain);
	else if (!error)
		error = use_key(context, certificates.data, certificates.size, chain, chain);
	forget(&keys);
	forget(&certificates);
	return error;
}

/* --- whom to trust ---------------------------------------------------------------------------- */

/* The store to add to: a new one, where it is the first time that somebody is named. */
static X509_STORE *store_to_add_to(struct sennit_tls_context *context)
{
	X509_STORE *store;

	if (!context->trust_given) {
		store = X509_STORE_new();
		if (!store)
			return NULL;
		SSL_CTX_set_cert_store(context->ssl, store); /* its own from now on */
		context->trust_given = true;
	}
	return SSL_CTX_get_cert_store(context->ssl);
}

/* Trusts a certificate; a server also tells clients that it would take what that one has issued. */
static bool trust_one(struct sennit_tls_context *context, X509_STORE *store, X509 *certificate)
{
	if (!X509_STORE_add_cert(store, certificate))
		return false;
	return context->role != SENNIT_TLS_SERVER ||
	       SSL_CTX_add_client_CA(context->ssl, certificate);
}

static int trust_text(struct sennit_tls_context *context, const void *data, size_t size,
		      const char *what)
{
	int error;
	BIO *bio = open_text(context, data, size, what, &error);
	X509_STORE *store = NULL;
	X509 *certificate = NULL;
	unsigned count = 0;

	while (!error && (certificate = PEM_read_bio_X509_AUX(bio, NULL, no_password, NULL))) {
		if (!store)
			store = store_to_add_to(context);
		if (!store || !trust_one(context, store, certificate))
			error = sennit__tls_context_fail(context, -ENOMEM, what,
							 "a certificate cannot be added");
		X509_free(certificate);
		count++;
	}
	if (!error && !is_end())
		error = sennit__tls_context_fail(context, -EINVAL, what,
						 "a certificate cannot be read");
	if (!error && !count)
		error = sennit__tls_context_fail(context, -EINVAL, what, "no certificate in PEM");
	BIO_free(bio);
	return error;
}

int sennit_tls_context_trust(struct sennit_tls_context *context, const void *certificates,
			     size_t size)
{
	sennit__tls_context_begin(context);
	return trust_text(context, certificates, size, TRUSTED_IN_MEMORY);
}

int sennit_tls_context_trust_file(struct sennit_tls_context *context, const char *file)
{
	struct text text;
	int error;

	sennit__tls_context_begin(context);
	error = read_file(context, file, &text);
	if (!error)
		error = trust_text(context, text.data, text.size, file);
	forget(&text);
	return error;
}

int sennit_tls_context_trust_folder(struct sennit_tls_context *context, const char *folder)
{
	X509_STORE *store;
	DIR *directory;
	int error;

	sennit__tls_context_begin(context);
	directory = opendir(folder);
	if (!directory) {
		error = -errno;
		return sennit__tls_context_fail(context, error, folder, sennit_strerror(error));
	}
	closedir(directory);
	store = store_to_add_to(context);
	if (!store || !X509_STORE_load_path(store, folder))
		return sennit__tls_context_fail(context, -ENOMEM, folder, "it cannot be added");
	return 0;
}

int sennit_tls_context_trust_system(struct sennit_tls_context *context)
{
	X509_STORE *store;

	sennit__tls_context_begin(context);
	store = store_to_add_to(context);
	if (!store || !X509_STORE_set_default_paths(store))
		return sennit__tls_context_fail(context, -ENOMEM, "the system's certificates",
						"they cannot be added");
	ERR_clear_error(); /* where there are none, that is all there is to it */
	return 0;
}
