/* What the machine allows, and what the runner needs to know about it:
 *   limit tcp [COUNT]    round trips of 64 bytes per second between two processes over loopback
 *   limit port COUNT     that many free ports of 127.0.0.1, one a line
 *   limit switches PID   context switches of all threads of a process so far
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FRAME_SIZE 64
#define PORTS_MAX  64

static void
fail(const char *what) {
	perror(what);
	exit(1);
}

static int
listen_any(int *port) {
	struct sockaddr_in address = {.sin_family = AF_INET};
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) != 0 || listen(fd, 1) != 0 ||
		getsockname(fd, (struct sockaddr *)&address, &length) != 0)
		fail("cannot listen");
	*port = ntohs(address.sin_port);
	return fd;
}

static int
whole_frame(int fd, char *frame) {
	size_t got = 0;
	while (got < FRAME_SIZE) {
		ssize_t n = read(fd, frame + got, FRAME_SIZE - got);
		if (n <= 0)
			return 0;
		got += (size_t)n;
	}
	return write(fd, frame, FRAME_SIZE) == FRAME_SIZE;
}

static void
no_delay(int fd) {
	int on = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static double
seconds(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
measure_tcp(long count) {
	int port;
	int listener = listen_any(&port);
	char frame[FRAME_SIZE] = {0};
	pid_t child = fork();
	if (child < 0)
		fail("cannot fork");
	if (child == 0) {
		int fd = accept(listener, NULL, NULL);
		no_delay(fd);
		while (whole_frame(fd, frame))
			continue;
		_exit(0);
	}
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		fail("cannot connect");
	no_delay(fd);
	if (write(fd, frame, FRAME_SIZE) != FRAME_SIZE)
		fail("cannot write");
	double begin = seconds();
	for (long i = 0; i < count; i++)
		if (!whole_frame(fd, frame))
			fail("cannot exchange");
	printf("%.0f\n", (double)count / (seconds() - begin));
	close(fd);
	waitpid(child, NULL, 0);
}

static void
print_ports(long count) {
	if (count < 1 || count > PORTS_MAX)
		count = 1;
	for (long i = 0; i < count; i++) {
		int port;
		listen_any(&port); /* stays open until exit, so that all differ */
		printf("%d\n", port);
	}
}

static void
print_switches(const char *pid) {
	char folder[64];
	snprintf(folder, sizeof(folder), "/proc/%.20s/task", pid);
	DIR *tasks = opendir(folder);
	if (tasks == NULL)
		fail(folder);
	long sum = 0;
	for (struct dirent *task = readdir(tasks); task != NULL; task = readdir(tasks)) {
		char path[384], line[256];
		snprintf(path, sizeof(path), "%s/%s/status", folder, task->d_name);
		FILE *status = task->d_name[0] == '.' ? NULL : fopen(path, "r");
		while (status != NULL && fgets(line, sizeof(line), status) != NULL) {
			const char *value = strstr(line, "_ctxt_switches:");
			if (value != NULL)
				sum += strtol(value + strlen("_ctxt_switches:"), NULL, 10);
		}
		if (status != NULL)
			fclose(status);
	}
	closedir(tasks);
	printf("%ld\n", sum);
}

int
main(int argc, char **argv) {
	const char *what = argc > 1 ? argv[1] : "";
	if (strcmp(what, "tcp") == 0)
		measure_tcp(argc > 2 ? strtol(argv[2], NULL, 10) : 30000);
	else if (strcmp(what, "port") == 0 && argc > 2)
		print_ports(strtol(argv[2], NULL, 10));
	else if (strcmp(what, "switches") == 0 && argc > 2)
		print_switches(argv[2]);
	else {
		fprintf(stderr, "usage: limit tcp [COUNT] | port COUNT | switches PID\n");
		return 2;
	}
	return 0;
}
