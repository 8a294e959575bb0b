// The walls between programs, tried from the inside: as each program's user,
// with its groups, what can be opened?  The expectations are written by hand
// here, not read from the tables that make the walls.  Started by an ordinary
// user there are none, and the test says which it could not check.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startInstance } from '../lib/instance.mjs';

const ROOT = process.getuid() === 0;
const top = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const NEEDS_ROOT = 'not checked: the walls stand between users, and only root can be all of them';

const USERS = ['portal', 'desk', 'webhook', 'issuer', 'clerk', 'publisher', 'signer', 'status', 'keymaker', 'keeper', 'checker', 'edge',
	'postgres', 'redis', 'sim'].map((name) => `icert-${name}`);

// Socket → who may connect, besides the program that serves it.
const SOCKETS = {
	'portal.fcgi': ['edge'], 'desk.fcgi': ['edge'], 'webhook.fcgi': ['edge'],
	'keeper-portal': ['portal'], 'keeper-desk': ['desk'], 'keeper-issuer': ['issuer'], 'keeper-clerk': ['clerk'], 'keeper-admin': [],
	'keymaker-issuer': ['issuer'], 'signer-issuer': ['issuer'], 'signer-publisher': ['publisher'], 'status-signer-publisher': ['publisher'],
	'publisher-admin': [],
	'checker-portal': ['portal'], 'checker-desk': ['desk'], 'checker-clerk': ['clerk'],
	'pg/.s.PGSQL.5432': ['portal', 'desk', 'webhook', 'issuer', 'clerk', 'publisher'], 'redis/redis.sock': ['portal'],
};
const SERVERS = {
	'portal.fcgi': 'portal', 'desk.fcgi': 'desk', 'webhook.fcgi': 'webhook', keeper: 'keeper', keymaker: 'keymaker', signer: 'signer',
	'status-signer': 'status', publisher: 'publisher', checker: 'checker', pg: 'postgres', redis: 'redis',
};
const server = (socket) => SERVERS[socket] ?? SERVERS[socket.split('/')[0]] ?? SERVERS[socket.replace(/-[a-z]+$/, '')];

// Folder or file → who may read it, and who may write in it.
const PATHS = {
	'ca/root': [[], []], 'demo/staff.json': [[], []], 'etc/tls/localhost.key': [[], []], log: [[], []], 'log/keeper.log': [[], []],
	keeper: [['keeper'], ['keeper']], keymaker: [['keymaker'], ['keymaker']], signer: [['signer'], ['signer']],
	'status-signer': [['status'], ['status']], publisher: [['publisher'], ['publisher']], issuer: [['issuer'], ['issuer']],
	clerk: [['clerk'], ['clerk']],
	postgres: [['postgres'], ['postgres']], mail: [['sim'], ['sim']], edge: [['edge'], ['edge']], 'edge/high-water': [USERS.map((u) => u.slice(6)), ['edge']],
	'etc/gateway-demo.secret': [['webhook', 'sim'], []], 'etc/gateway-demo.key': [['portal', 'clerk', 'sim'], []],
	documents: [['portal', 'desk', 'clerk', 'issuer'], ['portal', 'desk', 'clerk', 'issuer']],
	status: [['publisher', 'edge'], ['publisher']], audit: [USERS.map((u) => u.slice(6)), ['clerk']],
	'etc/icert.conf': [USERS.map((u) => u.slice(6)), []], 'ca/public': [USERS.map((u) => u.slice(6)), []],
	heads: [USERS.map((u) => u.slice(6)), []], 'heads/all.heads': [USERS.map((u) => u.slice(6)), ['clerk']],
	pins: [USERS.map((u) => u.slice(6)), []], clock: [USERS.map((u) => u.slice(6)), []],
};
const SPOOL = [['edge', 'portal', 'desk'], ['edge']];

const DATABASE_ROLES = ['portal', 'desk', 'webhook', 'issuer', 'clerk', 'publisher'];

/** Runs a command as a user with the user's own groups and nothing else. */
function as(user, command, input) {
	const { status, stdout, stderr } = spawnSync('setpriv',
		[`--reuid=${user}`, `--regid=${user}`, '--init-groups', '--inh-caps=-all', '--no-new-privs', ...command], { encoding: 'utf8', input, cwd: '/' });
	return { status, stdout, stderr };
}

// Reads lines "connect|read|write PATH", answers "1" or the reason for each.
const PROBE = String.raw`
use Socket; use Errno;
while (<STDIN>) {
	chomp; my ($what, $path) = split / /, $_, 2; my $ok = 0;
	if ($what eq 'connect') {
		for my $type (SOCK_SEQPACKET, SOCK_STREAM) {
			socket(my $s, PF_UNIX, $type, 0); $ok ||= connect($s, sockaddr_un($path)); my $error = "$!"; last if $ok; }
	} elsif ($what eq 'read') {
		$ok = -d $path ? opendir(my $d, $path) : open(my $f, '<', $path);
	} else {
		my $name = -d $path ? "$path/.wall-probe" : $path;
		$ok = open(my $f, '>>', $name); unlink $name if $ok && $name ne $path;
	}
	print $ok ? "1\n" : "$!\n";
}`;

/** What of these probes succeeds as that user: the subset that did. */
function reached(user, probes) {
	const { status, stdout, stderr } = as(user, ['perl', '-e', PROBE], probes.map(([what, path]) => `${what} ${path}\n`).join(''));
	assert.equal(status, 0, stderr);
	const answers = stdout.trimEnd().split('\n');
	assert.equal(answers.length, probes.length, stdout);
	return probes.filter((_, n) => answers[n] === '1');
}

describe('walls', { skip: !ROOT && NEEDS_ROOT }, () => {
	let icert;
	let run;
	before(async () => {
		icert = await startInstance();
		run = /^run = (.*)$/m.exec(readFileSync(join(icert.prefix, 'etc/icert.conf'), 'utf8'))[1];
	});
	after(() => icert?.stop());

	const psql = (user, role, sql) => as(user, ['psql', '-X', '-At', '-v', 'ON_ERROR_STOP=1', '-h', join(run, 'pg'), '-U', role, '-d', 'icert', '-c', sql]);
	const admin = (sql) => {
		const { status, stdout, stderr } = spawnSync('psql', ['-X', '-At', '-q', '-v', 'ON_ERROR_STOP=1', '-h', join(run, 'pg'), '-U', 'postgres', '-d', 'icert', '-c', sql], { encoding: 'utf8' });
		assert.equal(status, 0, stderr);
		return stdout.trim();
	};

	test('each user reaches the sockets of the services it calls, and no other', () => {
		for (const user of USERS) {
			const expected = Object.keys(SOCKETS).filter((s) => SOCKETS[s].includes(user.slice(6)) || server(s) === user.slice(6));
			const probes = Object.keys(SOCKETS).map((s) => ['connect', join(run, s)]);
			assert.deepEqual(reached(user, probes).map(([, path]) => path.slice(run.length + 1)).sort(), expected.sort(), user);
		}
	});

	test('a socket that everybody misses would be found: root connects to all', () => {
		const out = spawnSync('perl', ['-e', PROBE], { encoding: 'utf8', input: Object.keys(SOCKETS).map((s) => `connect ${join(run, s)}\n`).join('') });
		assert.deepEqual(out.stdout.trim().split('\n'), Object.keys(SOCKETS).map(() => '1'));
	});

	test('each user reads and writes its own files, and no other', () => {
		const spool = /^spool = (.*)$/m.exec(readFileSync(join(icert.prefix, 'etc/icert.conf'), 'utf8'))[1];
		for (const user of USERS) {
			const me = user.slice(6);
			const probes = [];
			const expected = [];
			for (const [path, [readers, writers]] of [...Object.entries(PATHS).map(([p, r]) => [join(icert.prefix, p), r]), [spool, SPOOL]]) {
				probes.push(['read', path], ['write', path]);
				if (readers.includes(me)) expected.push(`read ${path}`);
				if (writers.includes(me)) expected.push(`write ${path}`);
			}
			assert.deepEqual(reached(user, probes).map((p) => p.join(' ')), expected, user);
		}
	});

	test('PostgreSQL takes each user for its own role alone', () => {
		const roles = ['postgres', 'icert_admin', 'icert_migrate', ...DATABASE_ROLES.map((r) => `icert_${r}`)];
		for (const user of USERS) {
			const granted = roles.filter((role) => psql(user, role, 'select 1').status === 0);
			const own = user.slice(6);
			assert.deepEqual(granted, DATABASE_ROLES.includes(own) ? [`icert_${own}`] : [], user);
		}
	});

	test('no program may change a table\'s owner, policy or another role', () => {
		for (const name of DATABASE_ROLES) {
			for (const sql of ['alter table icert.staff disable row level security', 'set role icert_owner', 'set role icert_identity', 'create table icert.mine (x int)',
				'create table public.mine (x int)', 'create schema mine', 'alter role icert_portal bypassrls', 'select pg_read_file(\'/etc/passwd\')', 'copy (select 1) to program \'true\'']) {
				const { status, stderr } = psql(`icert-${name}`, `icert_${name}`, sql);
				assert.notEqual(status, 0, `${name}: ${sql}`);
				assert.match(stderr, /permission denied|must be (owner|superuser|able)|only roles with/i, `${name}: ${sql}`);
			}
		}
		assert.equal(admin('select count(*) from pg_roles where rolname like \'icert_%\' and (rolsuper or rolcreaterole or rolcreatedb or rolreplication)'), '0');
		assert.equal(admin('select string_agg(rolname, \',\') from pg_roles where rolname like \'icert_%\' and rolbypassrls'), 'icert_migrate');
	});

	test('every table has row-level security, forced on its owner too', () => {
		assert.equal(admin(`select coalesce(string_agg(c.relname, ','), '') from pg_class c join pg_namespace n on n.oid = c.relnamespace
			where n.nspname = 'icert' and c.relkind in ('r', 'p') and c.relname <> 'migration' and not (c.relrowsecurity and c.relforcerowsecurity)`), '');
	});

	test('without an identity, row-level security shows nothing of anybody', () => {
		admin(`insert into icert.data_key (id, kind, wrapped, created_at) values ('11111111-1111-4111-8111-111111111111', 'contact', '\\x00', 0);
			insert into icert.contact (id, email_hash, email, masked, key_id, created_at) values ('22222222-2222-4222-8222-222222222222',
			sha256('x'), repeat('x', 40)::bytea, 'x***@example', '11111111-1111-4111-8111-111111111111', 0)`);
		assert.equal(admin('select count(*) from icert.contact'), '1');
		for (const name of ['portal', 'desk'])
			for (const table of admin(`select string_agg(c.relname, ' ') from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'icert' and c.relkind = 'r'
				and c.relname not in ('province', 'policy', 'product', 'tariff', 'transition') and has_any_column_privilege('icert_${name}', c.oid, 'select')`).split(' ').filter(Boolean)) {
				const column = admin(`select a.attname from pg_attribute a where a.attrelid = 'icert.${table}'::regclass and a.attnum > 0 and not a.attisdropped
					and has_column_privilege('icert_${name}', a.attrelid, a.attnum, 'select') limit 1`);
				assert.equal(psql(`icert-${name}`, `icert_${name}`, `select count(${column}) from icert.${table}`).stdout.trim(), '0', `${name}: ${table}`);
			}
	});

	test('the webhook may insert notifications and read nothing', () => {
		assert.equal(admin(`select coalesce(string_agg(c.relname, ','), '') from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'icert' and c.relkind = 'r'
			and (has_table_privilege('icert_webhook', c.oid, 'update') or has_table_privilege('icert_webhook', c.oid, 'delete') or has_table_privilege('icert_webhook', c.oid, 'truncate'))`), '');
		assert.notEqual(psql('icert-webhook', 'icert_webhook', 'select body from icert.payment_event').status, 0);
		assert.notEqual(psql('icert-webhook', 'icert_webhook', 'select * from icert.contact').status, 0);
	});

	test('every process runs as its own user, without capabilities, and cannot gain any', async () => {
		const users = { 'status-signer': 'icert-status', nginx: null, mail: 'icert-sim', gateway: 'icert-sim' };
		for (const { name, pid } of await icert.processes()) {
			const user = name in users ? users[name] : `icert-${name}`;
			if (user === null) continue;	// nginx's master stays root; its workers below
			const status = Object.fromEntries(readFileSync(`/proc/${pid}/status`, 'utf8').split('\n').map((l) => l.split(/:\s*/)));
			const uid = spawnSync('id', ['-u', user], { encoding: 'utf8' }).stdout.trim();
			assert.deepEqual(status.Uid.split('\t'), [uid, uid, uid, uid], name);
			assert.equal(BigInt(`0x${status.CapEff}`) | BigInt(`0x${status.CapPrm}`), 0n, name);
			assert.equal(status.NoNewPrivs, '1', name);
		}
		const edge = spawnSync('id', ['-u', 'icert-edge'], { encoding: 'utf8' }).stdout.trim();
		const [nginx] = (await icert.processes()).filter((p) => p.name === 'nginx');
		const workers = readFileSync(`/proc/${nginx.pid}/task/${nginx.pid}/children`, 'utf8').trim().split(' ');
		assert.ok(workers.length >= 1);
		for (const pid of workers)
			assert.match(readFileSync(`/proc/${pid}/status`, 'utf8'), new RegExp(`^Uid:\\t${edge}\\t${edge}\\t${edge}\\t${edge}$`, 'm'));
	});

	test('the file of signed heads only grows: no program\'s user can alter it, its own writer neither', (t) => {
		const file = join(icert.prefix, 'heads/all.heads');
		if (!/^\S*a\S* /.test(spawnSync('lsattr', [file], { encoding: 'utf8' }).stdout)) return t.skip('this file system has no append-only attribute; `up` says so');
		const before = readFileSync(file);
		assert.ok(before.length > 0, 'heads are written');
		const tries = String.raw`
			my $p = $ARGV[0]; my @done;
			push @done, 'truncate' if truncate($p, 0); push @done, 'create' if open(my $c, '>', $p); push @done, 'write' if open(my $w, '+<', $p);
			push @done, 'rename' if rename($p, "$p.old"); push @done, 'unlink' if unlink($p); push @done, 'link' if link($p, "$p.two");
			push @done, 'neighbour' if open(my $n, '>', "$p.other"); print "@done"; system('chattr', '-a', $p);`;
		for (const user of USERS) assert.equal(as(user, ['perl', '-e', tries, file]).stdout, '', user);
		assert.match(spawnSync('lsattr', [file], { encoding: 'utf8' }).stdout, /^\S*a\S* /);
		assert.deepEqual(readFileSync(file).subarray(0, before.length), before);
	});

	test('a program reads no other program\'s memory', async () => {
		const processes = await icert.processes();
		const keeper = processes.find((p) => p.name === 'keeper');
		assert.deepEqual(reached('icert-desk', [['read', `/proc/${keeper.pid}/mem`], ['read', `/proc/${keeper.pid}/environ`]]), []);
	});
});

test('started by an ordinary user: says which walls are missing', { skip: !ROOT && 'not checked here: needs root to become another user' }, async () => {
	const { checkout, newFolder, freePortBase } = await import('../lib/instance.mjs');
	const { chownSync, rmSync } = await import('node:fs');
	const folder = newFolder();
	// A checkout of that user's own: this one may lie where only root can look.
	const icertctl = checkout(join(folder, 'icert'));
	const [uid, gid] = ['-u', '-g'].map((f) => Number(spawnSync('id', [f, 'icert-sim'], { encoding: 'utf8' }).stdout));
	chownSync(folder, uid, gid);
	const prefix = join(folder, 'instance');
	const own = (...args) => spawnSync('setpriv', ['--reuid=icert-sim', '--regid=icert-sim', '--init-groups', icertctl, ...args, '--prefix', prefix],
		{ encoding: 'utf8', env: { PATH: process.env.PATH } });
	try {
		const up = own('up', '--port-base', String(await freePortBase()), '--detach');
		assert.equal(up.status, 0, up.stdout + up.stderr);
		assert.match(up.stdout, /missing walls/);
		assert.equal(own('status').status, 0);
	} finally {
		own('reset');
		rmSync(folder, { recursive: true, force: true });
	}
});
