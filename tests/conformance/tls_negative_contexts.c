/* SPDX-License-Identifier: MIT */
/* tls_negative_contexts.c - contexts that cannot be set up: each says which file and why, and none
 * of it leaves a context that seems to be right. */
#include "tls_peer.h"

#include <errno.h>
#include <limits.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- files ------------------------------------------------------------------------------------ */

/* What is in a file. */
enum content {
	NOTHING, /* there is none */
	EMPTY,
	FOLDER,
	GARBAGE,
	CHAIN,
	KEY,
	BOTH,
	OTHER_KEY,
	ENCRYPTED_KEY,
	DER,
	CHAIN_THEN_TEXT,
	CHAIN_THEN_GARBAGE, /* between a certificate's lines */
	CHAIN_CUT,
	WEAK_CHAIN,
	WEAK_KEY,
	HUGE,
};

struct file_row {
	const char *name;
	enum content chain;
	enum content key; /* the same: none is given */
	int error;
	bool in_key;        /* the error names the key's file */
	const char *reason; /* and has this in it */
};

static const struct file_row files[] = {
	{"a_certificate_and_its_key_are_taken", CHAIN, KEY, 0, false, NULL},
	{"both_may_be_in_one_file", BOTH, BOTH, 0, false, NULL},
	{"text_behind_a_chain_is_no_harm", CHAIN_THEN_TEXT, KEY, 0, false, NULL},
	{"a_certificate_that_is_not_there", NOTHING, KEY, -ENOENT, false, "No such file"},
	{"a_key_that_is_not_there", CHAIN, NOTHING, -ENOENT, true, "No such file"},
	{"a_folder_for_a_certificate", FOLDER, KEY, -EISDIR, false, "Is a directory"},
	{"a_folder_for_a_key", CHAIN, FOLDER, -EISDIR, true, "Is a directory"},
	{"an_empty_certificate", EMPTY, KEY, -EINVAL, false, "no start line"},
	{"an_empty_key", CHAIN, EMPTY, -EINVAL, true, "no unencrypted private key in PEM"},
	{"garbage_for_a_certificate", GARBAGE, KEY, -EINVAL, false, "no start line"},
	{"garbage_for_a_key", CHAIN, GARBAGE, -EINVAL, true, "no unencrypted private key in PEM"},
	{"a_certificate_in_der", DER, KEY, -EINVAL, false, "no certificate in PEM"},
	{"a_key_for_a_certificate", KEY, KEY, -EINVAL, false, "no certificate in PEM"},
	{"a_certificate_for_a_key", CHAIN, CHAIN, -EINVAL, false,
	 "no unencrypted private key in PEM"},
	{"an_encrypted_key", CHAIN, ENCRYPTED_KEY, -EINVAL, true,
	 "no unencrypted private key in PEM"},
	{"the_key_of_another_certificate", CHAIN, OTHER_KEY, -EINVAL, true, "not the key of "},
	{"a_chain_with_garbage_in_it", CHAIN_THEN_GARBAGE, KEY, -EINVAL, false,
	 "a certificate of the chain cannot be read"},
	{"a_certificate_that_was_cut", CHAIN_CUT, KEY, -EINVAL, false, "no certificate in PEM"},
	{"a_certificate_with_a_short_key", WEAK_CHAIN, WEAK_KEY, -EINVAL, false,
	 "ee key too small"},
	{"a_file_without_end", HUGE, KEY, -EFBIG, false, "File too large"},
};

static void write_file(const char *path, const void *data, size_t size)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

static void write_text(const char *path, const char *first, const char *second)
{
	char *all = zeroed(strlen(first) + strlen(second) + 1);

	strcat(strcpy(all, first), second);
	write_file(path, all, strlen(all));
	free(all);
}

static void write_der(const char *path, const struct pem *pem)
{
	BIO *bio = BIO_new_mem_buf(pem->certificate, -1);
	X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	unsigned char *der = NULL;
	int size = i2d_X509(certificate, &der);

	assert_true(size > 0);
	write_file(path, der, (size_t)size);
	OPENSSL_free(der);
	X509_free(certificate);
	BIO_free(bio);
}

static void write_encrypted(const char *path, const struct pem *pem)
{
	BIO *bio = BIO_new_mem_buf(pem->key, -1);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	FILE *file = fopen(path, "we");

	assert_true(PEM_write_PrivateKey(file, key, EVP_aes_128_cbc(), NULL, 0, NULL,
					 (void *)(uintptr_t)"secret"));
	assert_int_equal(fclose(file), 0);
	EVP_PKEY_free(key);
	BIO_free(bio);
}

/* Sparse: it takes no room. */
static void write_huge(const char *path)
{
	write_file(path, "", 0);
	assert_int_equal(truncate(path, 65 << 20), 0);
}

static void put(const char *path, enum content content, const struct pem *weak)
{
	const struct pem *usual = test_certificate();
	char cut[200] = {0};

	memcpy(cut, usual->certificate, sizeof cut - 1);
	if (content == EMPTY)
		write_file(path, "", 0);
	else if (content == FOLDER)
		assert_int_equal(mkdir(path, 0700), 0);
	else if (content == GARBAGE)
		write_text(path, "this is no certificate\n", "and no key\n");
	else if (content == CHAIN)
		write_text(path, usual->certificate, test_authority()->certificate);
	else if (content == KEY)
		write_text(path, usual->key, "");
	else if (content == BOTH)
		write_text(path, usual->key, usual->certificate);
	else if (content == OTHER_KEY)
		write_text(path, test_authority()->key, "");
	else if (content == ENCRYPTED_KEY)
		write_encrypted(path, usual);
	else if (content == DER)
		write_der(path, usual);
	else if (content == CHAIN_THEN_TEXT)
		write_text(path, usual->certificate, "that is all\n");
	else if (content == CHAIN_THEN_GARBAGE)
		write_text(path, usual->certificate,
			   "-----BEGIN CERTIFICATE-----\n!?\n-----END CERTIFICATE-----\n");
	else if (content == CHAIN_CUT)
		write_text(path, cut, "");
	else if (content == WEAK_CHAIN)
		write_text(path, weak->certificate, "");
	else if (content == WEAK_KEY)
		write_text(path, weak->key, "");
	else if (content == HUGE)
		write_huge(path);
}

/* The context has said so: "PATH: ...REASON...". */
static void expect_error(const struct sennit_tls_context *context, const char *path,
			 const char *reason)
{
	const char *text = sennit_tls_context_error(context);

	if (strncmp(text, path, strlen(path)) != 0 || !strstr(text, reason))
		fail_msg("the error is \"%s\", without \"%s\"", text, reason);
}

/* A server that could not be set up has no certificate, rather than half of one. */
static void expect_unusable(struct sennit_tls_context *context)
{
	struct stage stage = {.runtime = started_runtime(1), .kind = THREAD_FOREIGN};
	struct sennit_tls_stream stream = {0};
	struct sennit_tcp_socket socket;
	int fd;

	stage.owner = sennit_runtime_worker(stage.runtime, 0);
	fd = open_socket(&stage, &socket);
	assert_int_equal(sennit_tls_stream_open_server(&stream, context, &socket.stream), -ENOKEY);
	sennit_close(&socket.stream);
	assert_int_equal(sennit_runtime_join(stage.runtime), 0);
	end_runtime(stage.runtime);
	raw_close(fd);
}

static void files_are_read(void **state)
{
	static const struct wish short_key = {.rsa_bits = 768};
	const struct file_row *row = row_of(state, files, sizeof *files);
	struct sennit_tls_context *context;
	struct pem weak;
	char chain[PATH_MAX];
	char key[PATH_MAX];

	make_certificate(&weak, &short_key, test_authority());
	temporary_name(chain);
	put(chain, row->chain, &weak);
	temporary_name(key);
	put(key, row->key, &weak);
	assert_int_equal(sennit_tls_context_create(SENNIT_TLS_SERVER, &context), 0);
	assert_int_equal(sennit_tls_context_certificate_file(context, chain,
							     row->key == row->chain ? NULL : key),
			 row->error);
	if (row->error) {
		expect_error(context, row->in_key ? key : chain, row->reason);
		expect_unusable(context);
	} else {
		assert_string_equal(sennit_tls_context_error(context), "");
	}
	sennit_tls_context_destroy(context);
	remove(chain);
	remove(key);
	free_certificate(&weak);
}

static const struct file_row trusted[] = {
	{"a_certificate_is_trusted", CHAIN, CHAIN, 0, false, NULL},
	{"what_is_trusted_is_not_there", NOTHING, NOTHING, -ENOENT, false, "No such file"},
	{"what_is_trusted_is_a_folder", FOLDER, FOLDER, -EISDIR, false, "Is a directory"},
	{"what_is_trusted_is_empty", EMPTY, EMPTY, -EINVAL, false, "no certificate in PEM"},
	{"what_is_trusted_is_garbage", GARBAGE, GARBAGE, -EINVAL, false, "no certificate in PEM"},
	{"what_is_trusted_is_a_key", KEY, KEY, -EINVAL, false, "no certificate in PEM"},
	{"what_is_trusted_is_in_der", DER, DER, -EINVAL, false, "no certificate in PEM"},
	{"what_is_trusted_has_garbage_in_it", CHAIN_THEN_GARBAGE, EMPTY, -EINVAL, false,
	 "a certificate cannot be read"},
};

static void files_are_trusted(void **state)
{
	const struct file_row *row = row_of(state, trusted, sizeof *trusted);
	struct sennit_tls_context *context;
	char path[PATH_MAX];

	temporary_name(path);
	put(path, row->chain, NULL);
	assert_int_equal(sennit_tls_context_create(SENNIT_TLS_CLIENT, &context), 0);
	assert_int_equal(sennit_tls_context_trust_file(context, path), row->error);
	if (row->error)
		expect_error(context, path, row->reason);
	sennit_tls_context_destroy(context);
	remove(path);
}

static void a_folder_that_is_none_is_not_trusted(void **state)
{
	struct sennit_tls_context *context;
	char path[PATH_MAX];

	(void)state;
	assert_int_equal(sennit_tls_context_create(SENNIT_TLS_CLIENT, &context), 0);
	temporary_name(path);
	assert_int_equal(sennit_tls_context_trust_folder(context, path), -ENOENT);
	expect_error(context, path, "No such file");
	put(path, EMPTY, NULL);
	assert_int_equal(sennit_tls_context_trust_folder(context, path), -ENOTDIR);
	expect_error(context, path, "Not a directory");
	remove(path);
	put(path, FOLDER, NULL);
	assert_int_equal(sennit_tls_context_trust_folder(context, path), 0);
	remove(path);
	sennit_tls_context_destroy(context);
}

/* --- memory ----------------------------------------------------------------------------------- */

static void nothing_in_memory_is_no_certificate(void **state)
{
	const char *key = test_certificate()->key;
	struct sennit_tls_context *context;

	(void)state;
	assert_int_equal(sennit_tls_context_create(SENNIT_TLS_SERVER, &context), 0);
	assert_int_equal(sennit_tls_context_certificate(context, NULL, 0, key, strlen(key)),
			 -EINVAL);
	expect_error(context, "the certificate in memory", "no start line");
	assert_int_equal(sennit_tls_context_trust(context, NULL, 0), -EINVAL);
	expect_error(context, "the trusted certificates in memory", "no certificate in PEM");
	sennit_tls_context_destroy(context);
}

/* --- what is said ----------------------------------------------------------------------------- */

static void protocols_have_names_of_1_to_255_bytes(void **state)
{
	struct sennit_tls_context *context;
	char much[257];
	const char *many[300];

	(void)state;
	memset(much, 'p', sizeof much - 1);
	much[256] = '\0';
	for (size_t i = 0; i < COUNT_OF(many); i++)
		many[i] = much + 1;
	assert_int_equal(sennit_tls_context_create(SENNIT_TLS_CLIENT, &context), 0);
	assert_int_equal(sennit_tls_context_alpn(context, NULL, 0), -EINVAL);
	assert_int_equal(sennit_tls_context_alpn(context, (const char *[]){""}, 1), -EINVAL);
	assert_int_equal(sennit_tls_context_alpn(context, (const char *[]){"h2", ""}, 2), -EINVAL);
	assert_int_equal(sennit_tls_context_alpn(context, (const char *[]){much}, 1), -EINVAL);
	expect_error(context, "ALPN", "or a long one");
	assert_int_equal(sennit_tls_context_alpn(context, many, COUNT_OF(many)), -EINVAL);
	expect_error(context, "ALPN", "too many");
	assert_int_equal(sennit_tls_context_alpn(context, many, 1), 0);
	assert_string_equal(sennit_tls_context_error(context), "");
	sennit_tls_context_destroy(context);
}

static void what_is_no_choice_is_refused(void **state)
{
	struct sennit_tls_context *server = server_context(test_certificate());
	struct sennit_tls_context *client = client_context(test_authority());
	struct sennit_tls_context *none = NULL;
	enum sennit_tls_version too_old = (enum sennit_tls_version)0x0302;

	(void)state;
	assert_int_equal(sennit_tls_context_create((enum sennit_tls_role)3, &none), -EINVAL);
	assert_null(none);
	assert_int_equal(sennit_tls_context_versions(client, too_old, SENNIT_TLS_1_3), -EINVAL);
	assert_int_equal(sennit_tls_context_versions(client, SENNIT_TLS_1_3, SENNIT_TLS_1_2),
			 -EINVAL);
	assert_int_equal(sennit_tls_context_peer(client, SENNIT_TLS_PEER_ANY), -EINVAL);
	assert_int_equal(sennit_tls_context_peer(server, (enum sennit_tls_peer)9), -EINVAL);
	assert_int_equal(sennit_tls_context_tickets(client, false), -EINVAL);
	assert_int_equal(sennit_tls_context_name(client, "a.example", server), -EINVAL);
	assert_int_equal(sennit_tls_context_name(server, "a.example", client), -EINVAL);
	assert_int_equal(sennit_tls_context_name(server, "a.example", server), -EINVAL);
	sennit_tls_context_destroy(server);
	sennit_tls_context_destroy(client);
	sennit_tls_context_destroy(NULL);
}

static void some_names_cannot_be_added(void **state)
{
	struct sennit_tls_context *server = server_context(test_certificate());
	struct sennit_tls_context *other = server_context(test_certificate());
	char much[301];

	(void)state;
	memset(much, 'a', 300);
	much[300] = '\0';
	for (const char *const *name = (const char *const[]){"", "*", "a.*.example", "w*.example",
							     "*.*.example", ".", "*.", "*..",
							     ".example", "*..example", much, NULL};
	     *name; name++)
		assert_int_equal(sennit_tls_context_name(server, *name, other), -EINVAL);
	assert_int_equal(sennit_tls_context_name(server, NULL, other), -EINVAL);
	assert_int_equal(sennit_tls_context_name(server, "A.example", other), 0);
	assert_int_equal(sennit_tls_context_name(server, "a.EXAMPLE", other), -EEXIST);
	expect_error(server, "a.EXAMPLE", "added before");
	assert_int_equal(sennit_tls_context_name(server, "a.example.", other), -EEXIST);
	assert_int_equal(sennit_tls_context_name(server, "*.example.", other), 0);
	assert_int_equal(sennit_tls_context_name(server, "*.example", other), -EEXIST);
	sennit_tls_context_destroy(server);
	sennit_tls_context_destroy(other);
}

static void each_side_needs_a_context_of_its_own(void **state)
{
	struct sennit_tls_context *server = server_context(test_certificate());
	struct sennit_tls_context *client = client_context(test_authority());
	struct stage stage = {.runtime = started_runtime(1), .kind = THREAD_FOREIGN};
	struct sennit_tls_stream stream = {0};
	struct sennit_tcp_socket socket;
	int fd;

	(void)state;
	stage.owner = sennit_runtime_worker(stage.runtime, 0);
	fd = open_socket(&stage, &socket);
	assert_int_equal(sennit_tls_stream_open_server(&stream, client, &socket.stream), -EINVAL);
	assert_int_equal(sennit_tls_stream_open_client(&stream, server, &socket.stream, "x"),
			 -EINVAL);
	assert_int_equal(sennit_tls_stream_open_insecure(&stream, server, &socket.stream, NULL),
			 -EINVAL);
	assert_int_equal(sennit_tls_stream_open_server(&stream, server, &socket.stream), 0);
	assert_int_equal(sennit_tls_stream_open_server(&stream, server, &socket.stream),
			 SENNIT_ALREADY_OPEN);
	sennit_close(&stream.stream);
	assert_int_equal(sennit_runtime_join(stage.runtime), 0);
	assert_int_equal(sennit_tls_stream_open_server(&stream, server, &socket.stream), -EBADF);
	sennit_tls_context_destroy(server);
	sennit_tls_context_destroy(client);
	end_runtime(stage.runtime);
	raw_close(fd);
}

static void a_server_without_a_certificate_is_none(void **state)
{
	struct sennit_tls_context *context;

	(void)state;
	assert_int_equal(sennit_tls_context_create(SENNIT_TLS_SERVER, &context), 0);
	expect_unusable(context);
	sennit_tls_context_destroy(context);
}

int main(void)
{
	static struct CMUnitTest tests[COUNT_OF(files) + COUNT_OF(trusted) + 7] = {
		TEST(a_folder_that_is_none_is_not_trusted),
		TEST(nothing_in_memory_is_no_certificate),
		TEST(protocols_have_names_of_1_to_255_bytes),
		TEST(what_is_no_choice_is_refused),
		TEST(some_names_cannot_be_added),
		TEST(each_side_needs_a_context_of_its_own),
		TEST(a_server_without_a_certificate_is_none),
	};
	struct CMUnitTest *end = tests + 7;

	end = tests_of_rows(files, COUNT_OF(files), sizeof *files, files_are_read, end);
	tests_of_rows(trusted, COUNT_OF(trusted), sizeof *trusted, files_are_trusted, end);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
