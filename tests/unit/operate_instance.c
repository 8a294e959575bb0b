#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "operate/files.h"
#include "operate/instance.h"
#include "operate/process.h"
#include "operate/programs.h"
#include "operate/supervisor.h"
#include "operate/users.h"

static char folder[] = "/tmp/icert-unit-operate-XXXXXX";

static int
make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) == NULL || chmod(folder, 0755) != 0 ? -1 : 0;
}

static int
drop_folder(void **state)
{
	(void)state;
	return tree_remove(folder);
}

static void
put(const char *name, const char *text)
{
	char path[FILES_PATH];

	assert_int_equal(path_join(path, "%s/%s", folder, name), 0);
	assert_int_equal(file_write(path, text, strlen(text), geteuid(), getegid(), 0644), 0);
}

static void
a_tree_is_copied_and_removed_whole(void **state)
{
	char from[FILES_PATH], to[FILES_PATH], path[FILES_PATH], *text;
	struct stat st;

	(void)state;
	path_join(from, "%s/tree/deep", folder);
	assert_int_equal(folder_make(from), 0);
	put("tree/deep/file", "content");
	path_join(from, "%s/tree", folder);
	path_join(to, "%s/copy", folder);
	path_join(path, "%s/deep/run", from);
	assert_int_equal(file_write(path, "#", 1, geteuid(), getegid(), 0700), 0);
	/* A link out of the tree must not lead the removal astray. */
	path_join(path, "%s/link", from);
	assert_int_equal(symlink("/etc/hostname", path), 0);
	assert_int_equal(tree_copy(from, to), 0);
	path_join(path, "%s/deep/file", to);
	text = file_read(path, NULL);
	assert_string_equal(text, "content");
	free(text);
	path_join(path, "%s/deep/run", to);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0755);
	assert_int_equal(tree_remove(from), 0);
	assert_int_equal(tree_remove(from), 0);
	assert_true(file_exists("/etc/hostname"));
	assert_false(file_exists(from));
}

static void
a_folder_gets_its_mode_and_is_never_a_link(void **state)
{
	char path[FILES_PATH], link[FILES_PATH];
	struct stat st;

	(void)state;
	path_join(path, "%s/own", folder);
	assert_int_equal(folder_own(path, geteuid(), getegid(), 02750), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 02750);
	path_join(link, "%s/own-link", folder);
	assert_int_equal(symlink(path, link), 0);
	assert_int_equal(folder_own(link, geteuid(), getegid(), 0700), -1);
}

static void
a_path_is_traversable_when_all_above_it_are(void **state)
{
	char path[FILES_PATH];

	(void)state;
	path_join(path, "%s/closed", folder);
	assert_int_equal(folder_own(path, geteuid(), getegid(), 0700), 0);
	path_join(path, "%s/closed/in", folder);
	assert_int_equal(folder_make(path), 0);
	assert_true(path_traversable(folder));
	assert_false(path_traversable(path));
}

static void
a_template_knows_its_names_and_leaves_addresses_alone(void **state)
{
	static struct instance i;
	char out[FILES_PATH], path[FILES_PATH], *text;

	(void)state;
	path_join(i.share, "%s", folder);
	path_join(i.data, "/srv/icert");
	path_join(path, "%s/conf", folder);
	assert_int_equal(folder_make(path), 0);
	i.port = 9000;
	put("conf/good.in", "data=@DATA@ port=@PORT@ smtp=@PORT6@ from=somebody@example.org @refused;\n");
	put("conf/bad.in", "x=@NOSUCHNAME@\n");
	path_join(out, "%s/out", folder);
	assert_int_equal(instance_template(&i, "good.in", out, 0640), 0);
	text = file_read(out, NULL);
	assert_string_equal(text, "data=/srv/icert port=9000 smtp=9006 from=somebody@example.org @refused;\n");
	free(text);
	assert_int_equal(instance_template(&i, "bad.in", out, 0640), -1);
}

static void
an_instance_is_found_by_its_prefix(void **state)
{
	static struct instance a, b;
	char path[FILES_PATH];

	(void)state;
	path_join(path, "%s/instance/", folder);
	assert_int_equal(instance_find(&a, path), 0);
	assert_false(instance_exists(&a));
	path_join(path, "%s/../%s/instance", folder, folder + strlen("/tmp/"));
	assert_int_equal(instance_find(&b, path), 0);
	assert_string_equal(a.prefix, b.prefix);
	assert_string_equal(a.hash, b.hash);
	path_join(path, "%s/other", folder);
	assert_int_equal(instance_find(&b, path), 0);
	assert_string_not_equal(a.hash, b.hash);
	assert_int_equal(instance_find(&b, "/nonexistent/folder/instance"), -1);
	path_join(path, "%s/with space", folder);
	assert_int_equal(instance_find(&b, path), -1);

	assert_int_equal(instance_make(&a, 9000), 0);
	assert_int_equal(instance_make(&a, 9000), 0);
	assert_int_equal(instance_make(&a, 9100), -1);
	path_join(path, "%s/instance", folder);
	assert_int_equal(instance_find(&b, path), 0);
	assert_int_equal(b.port, 9000);
}

static void
the_users_of_an_installation_are_those_of_the_table(void **state)
{
	char *made = users_sysusers(), *kept = file_read("conf/systemd/icert.sysusers", NULL);

	(void)state;
	assert_non_null(made);
	assert_non_null(kept);
	assert_string_equal(made, kept);
	free(made);
	free(kept);
}

static void
a_started_program_gets_what_it_was_given_and_no_more(void **state)
{
	char path[FILES_PATH], *text;
	static const char *const argv[] = { "/bin/sh", "-c",
	    "echo \"$LISTEN_FDS $LISTEN_FDNAMES $EXTRA $SECRET\"; [ \"$LISTEN_PID\" = $$ ] && echo pid; "
	    /* No pipe here: the shell's own ends of it would be listed too. */
	    "ls /proc/$$/fd; pwd; umask", NULL };
	static const char *const env[] = { "EXTRA=more", NULL };
	struct process_spec spec = { .argv = argv, .env = env, .stdin_fd = -1, .nfds = 2, .fdnames = "a:b" };

	(void)state;
	setenv("SECRET", "not passed on", 1);
	path_join(path, "%s/program.log", folder);
	spec.log_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	spec.fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	spec.fds[1] = open("/dev/null", O_RDONLY);
	assert_int_equal(process_wait(&spec), 0);
	text = file_read(path, NULL);
	assert_non_null(strstr(text, "2 a:b more \npid\n"));
	assert_non_null(strstr(text, "0\n1\n2\n3\n4\n/\n0027\n"));
	free(text);
	close(spec.log_fd);
	close(spec.fds[0]);
	close(spec.fds[1]);
	assert_int_equal(process_call((const char *[]){ "/bin/sh", "-c", "exit 7", NULL }, NULL), 7);
	assert_int_equal(process_call((const char *[]){ "/bin/sh", "-c", "kill -9 $$", NULL }, NULL), 137);
}

/* For a program that never answers: on a busy machine one that is about to
 * exit may live long enough to pass for ready. */
static int
never_ready(const struct instance *i, const struct unit *u)
{
	(void)i;
	(void)u;
	return 0;
}

static int
alive(const struct instance *i, const struct unit *u)
{
	(void)i;
	return u->pid > 0 && kill(u->pid, 0) == 0;
}

static struct unit *
start_shell(struct supervisor *s, const char *name, const char *script,
    int (*ready)(const struct instance *, const struct unit *))
{
	struct unit u;

	unit_init(&u, name);
	u.as_admin = 1;
	u.ready = ready;
	assert_int_equal(unit_arg(&u, "/bin/sh") | unit_arg(&u, "-c") | unit_arg(&u, "%s", script), 0);
	return supervisor_start(s, &u);
}

static void
the_supervisor_restarts_and_stops_what_it_started(void **state)
{
	static struct instance i;
	static struct supervisor s;
	struct unit *steady, *silent, *dying;
	pid_t first;

	(void)state;
	path_join(i.data, "%s", folder);
	path_join(i.run, "%s/run", folder);
	put("spare", "");
	assert_int_equal(folder_make(i.run), 0);
	char path[FILES_PATH];

	path_join(path, "%s/log", folder);
	assert_int_equal(folder_make(path), 0);
	s.instance = &i;
	supervisor_signals();
	assert_int_equal(supervisor_listen(&s), 0);
	steady = start_shell(&s, "steady", "exec sleep 60", alive);
	assert_non_null(steady);
	assert_int_equal(supervisor_wait_ready(&s, 5000), 0);
	first = steady->pid;
	kill(first, SIGKILL);
	assert_int_equal(supervisor_wait_ready(&s, 5000), 0);
	while (steady->pid == first || steady->pid == 0)
		supervisor_wait_ready(&s, 100);
	assert_int_equal(steady->restarts, 1);
	/* Who says nothing, and cannot be asked, is not ready by being there. */
	silent = start_shell(&s, "silent", "exec sleep 60", NULL);
	assert_non_null(silent);
	assert_int_equal(supervisor_wait_ready(&s, 500), -1);
	assert_int_equal(silent->is_ready, 0);
	assert_int_equal(steady->is_ready, 1);
	dying = start_shell(&s, "dying", "exit 1", never_ready);
	assert_non_null(dying);
	assert_int_equal(supervisor_wait_ready(&s, 20000), -1);
	first = steady->pid;
	supervisor_stop(&s);
	assert_int_equal(kill(first, 0), -1);
}

static int
open_descriptors(void)
{
	DIR *all = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(all);
	while (readdir(all) != NULL)
		n++;
	closedir(all);
	return n;
}

/* What the unit held already is looked for by the leak sanitizer, at the end of this program. */
static void
an_edge_whose_port_is_taken_leaves_nothing(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	static const char *const conf[] = { "conf/nginx.conf.in", "conf/nginx-pages.conf.in", "conf/nginx-params.conf.in" };
	static struct instance i;
	static struct supervisor s = { .instance = &i };
	char path[FILES_PATH];
	int taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), before;

	(void)state;
	assert_int_equal(bind(taken, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(taken, 1), 0);
	assert_int_equal(getsockname(taken, (struct sockaddr *)&address, &len), 0);
	i.port = ntohs(address.sin_port);
	path_join(i.share, "%s/taken", folder);
	path_join(i.data, "%s/taken", folder);
	path_join(i.module, "%s/taken/conf/nginx.conf.in", folder);
	path_join(path, "%s/taken/conf/pages", folder);
	assert_int_equal(folder_make(path), 0);
	path_join(path, "%s/taken/etc", folder);
	assert_int_equal(folder_make(path), 0);
	/* The first one is free: what is held of it has to be let go of. */
	for (size_t n = 0; n < sizeof(conf) / sizeof(conf[0]); n++) {
		path_join(path, "taken/%s", conf[n]);
		put(path, "listen 127.0.0.2:@PORT@;\nlisten 127.0.0.1:@PORT@;\n");
	}
	before = open_descriptors();
	assert_int_equal(programs_edge(&s), -1);
	assert_int_equal(s.n, 0);
	assert_int_equal(open_descriptors(), before);
	close(taken);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tree_is_copied_and_removed_whole),
		cmocka_unit_test(a_folder_gets_its_mode_and_is_never_a_link),
		cmocka_unit_test(a_path_is_traversable_when_all_above_it_are),
		cmocka_unit_test(a_template_knows_its_names_and_leaves_addresses_alone),
		cmocka_unit_test(an_instance_is_found_by_its_prefix),
		cmocka_unit_test(the_users_of_an_installation_are_those_of_the_table),
		cmocka_unit_test(a_started_program_gets_what_it_was_given_and_no_more),
		cmocka_unit_test(the_supervisor_restarts_and_stops_what_it_started),
		cmocka_unit_test(an_edge_whose_port_is_taken_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
