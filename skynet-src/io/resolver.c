#include "io/resolver.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/lock.h"
#include "skynet_malloc.h"

#define THREADS_MAX 4

struct job {
	struct job *next;
	int id;
	int port;
	char host[];
};

struct resolver {
	const struct resolver_config *config;
	struct mutex lock; /* guards all below */
	pthread_cond_t wake;
	pthread_t threads[THREADS_MAX];
	int thread_count;
	int idle_count; /* threads that wait for a job */
	int job_count;
	struct job *oldest, *newest;
	bool quit;
};

struct resolver *
resolver_create(const struct resolver_config *config) {
	struct resolver *resolver = skynet_calloc(1, sizeof(*resolver));
	resolver->config = config;
	mutex_init(&resolver->lock, LOCK_RANK_LEAF);
	pthread_cond_init(&resolver->wake, NULL);
	return resolver;
}

static struct job *
take_job(struct resolver *resolver) {
	struct job *job = resolver->oldest;
	resolver->oldest = job->next;
	if (resolver->oldest == NULL)
		resolver->newest = NULL;
	resolver->job_count--;
	return job;
}

void
resolver_destroy(struct resolver *resolver) {
	mutex_acquire(&resolver->lock);
	resolver->quit = true;
	while (resolver->oldest != NULL)
		skynet_free(take_job(resolver));
	pthread_cond_broadcast(&resolver->wake);
	mutex_release(&resolver->lock);
	for (int i = 0; i < resolver->thread_count; i++)
		pthread_join(resolver->threads[i], NULL);
	pthread_cond_destroy(&resolver->wake);
	mutex_fini(&resolver->lock);
	skynet_free(resolver);
}

static struct address_list *
list_of_one(const struct socket_address *address) {
	struct address_list *list = skynet_malloc(sizeof(*list) + sizeof(*address));
	list->count = 1;
	list->items[0] = *address;
	return list;
}

static struct address_list *
list_of_results(const struct addrinfo *results) {
	struct address_list *list =
		skynet_malloc(sizeof(*list) + ADDRESS_LIST_MAX * sizeof(list->items[0]));
	list->count = 0;
	for (; results != NULL && list->count < ADDRESS_LIST_MAX; results = results->ai_next) {
		struct socket_address *address = &list->items[list->count];
		if (results->ai_family != AF_INET && results->ai_family != AF_INET6)
			continue;
		if (results->ai_addrlen > sizeof(address->u))
			continue;
		memcpy(&address->u, results->ai_addr, results->ai_addrlen);
		address->size = results->ai_addrlen;
		list->count++;
	}
	return list;
}

struct address_list *
resolver_lookup(const struct resolver_config *config, const char *host, int port, int type,
	struct skynet_error *error) {
	struct socket_address address;
	if (host == NULL || *host == '\0')
		host = "0.0.0.0";
	int code = socket_address_parse(&address, host, port);
	if (code == SKYNET_OK)
		return list_of_one(&address);
	if (code != SKYNET_ENOTFOUND) {
		error_set(error, SKYNET_EADDRESS, "invalid address '%.128s' port %d", host, port);
		return NULL;
	}
	char service[16];
	snprintf(service, sizeof(service), "%d", port);
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = type};
	struct addrinfo *results = NULL;
	int status = config->resolve(host, service, &hints, &results);
	if (status != 0) {
		const char *reason = status == EAI_SYSTEM ? strerror(errno) : gai_strerror(status);
		error_set(error, SKYNET_EADDRESS, "%s", reason);
		return NULL;
	}
	struct address_list *list = list_of_results(results);
	config->resolve_free(results);
	if (list->count > 0)
		return list;
	skynet_free(list);
	error_set(error, SKYNET_EADDRESS, "no usable address for '%.128s'", host);
	return NULL;
}

static void *
resolver_thread(void *ud) {
	struct resolver *resolver = ud;
	mutex_acquire(&resolver->lock);
	for (;;) {
		while (resolver->oldest == NULL && !resolver->quit) {
			resolver->idle_count++;
			pthread_cond_wait(&resolver->wake, &resolver->lock.inner);
			resolver->idle_count--;
		}
		if (resolver->quit)
			break;
		struct job *job = take_job(resolver);
		mutex_release(&resolver->lock);

		struct skynet_error error = {0};
		struct address_list *list = resolver_lookup(
			resolver->config, job->host, job->port, SOCK_STREAM, &error);
		resolver->config->done(resolver->config->ud, job->id, list, error.text);
		skynet_free(job);
		mutex_acquire(&resolver->lock);
	}
	mutex_release(&resolver->lock);
	return NULL;
}

/* A thread of ours takes no signal that is meant for the process. */
static int
start_thread(struct resolver *resolver) {
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int failed = pthread_create(
		&resolver->threads[resolver->thread_count], NULL, resolver_thread, resolver);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failed)
		return SKYNET_ESYSTEM;
	resolver->thread_count++;
	return SKYNET_OK;
}

int
resolver_start(struct resolver *resolver, int id, const char *host, int port) {
	size_t size = strlen(host) + 1;
	struct job *job = skynet_malloc(sizeof(*job) + size);
	*job = (struct job){.id = id, .port = port};
	memcpy(job->host, host, size);

	mutex_acquire(&resolver->lock);
	if (resolver->idle_count <= resolver->job_count && resolver->thread_count < THREADS_MAX &&
		start_thread(resolver) != SKYNET_OK && resolver->thread_count == 0) {
		mutex_release(&resolver->lock);
		skynet_free(job);
		return SKYNET_ESYSTEM;
	}
	if (resolver->newest != NULL)
		resolver->newest->next = job;
	else
		resolver->oldest = job;
	resolver->newest = job;
	resolver->job_count++;
	pthread_cond_signal(&resolver->wake);
	mutex_release(&resolver->lock);
	return SKYNET_OK;
}
