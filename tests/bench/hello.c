/*
 * What portal_page is measured against: workers of libfcgi that say the same octets again and again.
 *	hello SOCKET BODY_FILE WORKERS [read]
 * With "read" it reads the body of each request first.  The body file is a whole FastCGI answer, headers and page.  Leaves when its parent does, or on SIGTERM.
 */
#include <fcgiapp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BACKLOG 1024
#define ANSWER_MAX (1 << 20)

static char answer[ANSWER_MAX];

static void
work(int listener, int length, int reads)
{
	static char body[ANSWER_MAX];
	FCGX_Request request;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	FCGX_InitRequest(&request, listener, 0);
	while (FCGX_Accept_r(&request) == 0) {
		if (reads && FCGX_GetStr(body, sizeof(body), request.in) <= 0)
			_exit(1);
		FCGX_PutStr(answer, length, request.out);
		FCGX_Finish_r(&request);
	}
	_exit(0);
}

int
main(int argc, char *argv[])
{
	FILE *f = argc == 4 || argc == 5 ? fopen(argv[2], "r") : NULL;
	size_t length = f != NULL ? fread(answer, 1, sizeof(answer), f) : 0;
	int listener, i;

	if (length == 0 || FCGX_Init() != 0 || (listener = FCGX_OpenSocket(argv[1], BACKLOG)) < 0 || chmod(argv[1], 0666) != 0) {
		fprintf(stderr, "hello SOCKET BODY_FILE WORKERS [read]\n");
		return 2;
	}
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	for (i = 0; i < atoi(argv[3]); i++)
		if (fork() == 0)
			work(listener, (int)length, argc == 5);
	while (wait(NULL) > 0)
		;
	return 0;
}
