// Starts a private instance as an administrator would, with `icertctl up`, and
// stops it again.  Nothing here starts a program of the house by itself.
//
//   const icert = await startInstance();
//   icert.portal            https://localhost:N      icert.gateway  http://127.0.0.1:N+3
//   icert.desk              https://localhost:N+1    icert.mail     http://127.0.0.1:N+4
//   icert.status            http://127.0.0.1:N+2     icert.state    http://127.0.0.1:N+5
//   icert.ca                PEM of what portal and desk show
//   icert.staff('central')  { login, password, name, roles, id, cedula, … }
//   await icert.totp('central')      an unused code
//   icert.moveClock(3600 * 72)       business time from now on: real + 72 h
//   await icert.stop()               stops it and removes all its data
import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, cpSync, existsSync, mkdtempSync, openSync, closeSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { begin, stock } from './stock.mjs';

const run = promisify(execFile);
const top = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
/** The build that instances run from: ICERT_BUILD=build/asan for the sanitized one. */
export const build = join(top, process.env.ICERT_BUILD ?? 'build');
export const icertctl = join(build, 'bin/icertctl');

// What a sanitized program has to say stands in its log, or on the standard error of icertctl.
process.env.ASAN_OPTIONS = `detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1:${process.env.ASAN_OPTIONS ?? ''}`;
process.env.UBSAN_OPTIONS = 'print_stacktrace=1';
process.env.LSAN_OPTIONS = `print_suppressions=0:suppressions=${join(top, 'tests/lib/nginx.supp')}`;
const REPORT = /ERROR: (Address|Leak)Sanitizer|(Address|Leak)Sanitizer(:DEADLYSIGNAL| has encountered)|: runtime error: /;

const ANSWERED = '-- answered --';
const PORTS = 7;
const FIRST_BASE = 26000;	// below the range that the kernel hands out
const LAST_BASE = 31990;
const UP_MS = 180_000;

const isFree = (port) => new Promise((resolve) => {
	const server = createServer();
	server.once('error', () => resolve(false));
	server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
});

// Test files run side by side, also those of other users and checkouts: a base is
// ours while we listen on its last port, which the kernel gives back when we end.
const CLAIM = 9;
const claim = (base) => new Promise((resolve) => {
	const server = createServer((socket) => socket.destroy());
	server.once('error', () => resolve(false));
	server.listen(base + CLAIM, '127.0.0.1', () => { server.unref(); resolve(true); });
});

/** A port base whose seven ports nobody uses, kept for this process. */
export async function freePortBase() {
	const steps = (LAST_BASE - FIRST_BASE) / 10;
	const start = Math.floor(Math.random() * steps);
	for (let n = 0; n < steps; n++) {
		const base = FIRST_BASE + ((start + n) % steps) * 10;
		if (!await claim(base)) continue;
		const free = await Promise.all(Array.from({ length: PORTS }, (_, k) => isFree(base + k)));
		if (free.every(Boolean)) return base;
	}
	throw new Error('no free port base');
}

/** A new folder that other users may pass through, as instances need it. */
export function newFolder() {
	const folder = mkdtempSync(join(tmpdir(), 'icert-test-'));
	chmodSync(folder, 0o755);
	return folder;
}

/** What an instance needs of this checkout and its build, copied there for who takes something away from it: its icertctl. */
export function checkout(folder) {
	const built = ['build', relative(top, build)].flatMap((from) => ['bin', 'modules', 'static'].map((part) => join(from, part)));
	for (const part of [...new Set(built), 'conf', 'migrations', 'tests/simulators', 'node_modules'])
		if (existsSync(join(top, part))) cpSync(join(top, part), join(folder, part), { recursive: true });
	execFileSync('chmod', ['-R', 'a+rX', folder]);
	return join(folder, relative(top, icertctl));
}

export function refuseReport(text, where) {
	if (REPORT.test(text)) throw new Error(`a sanitizer's report in ${where}:\n${text}`);
}

/** Runs icertctl to its end; throws for a sanitizer's report only: { code, stdout, stderr }. */
export async function icertctlRun(args, { program = icertctl, ...options } = {}) {
	try {
		const { stdout, stderr } = await run(program, args, { timeout: UP_MS, maxBuffer: 1 << 24, ...options });
		refuseReport(stderr, `icertctl ${args[0]}`);
		return { code: 0, stdout, stderr };
	} catch (error) {
		refuseReport(`${error.stderr ?? error}`, `icertctl ${args[0]}`);
		return { code: typeof error.code === 'number' ? error.code : -1, stdout: error.stdout ?? '', stderr: `${error.stderr ?? ''}${error.killed ? '\n(timed out)' : ''}` };
	}
}

const running = new Set();
process.on('exit', () => {
	for (const icert of running) {
		spawnSync(icert.program, ['down', '--prefix', icert.prefix]);
		for (const { name, text } of icert.reports()) {
			process.stderr.write(`a sanitizer's report in log/${name}:\n${text}\n`);
			process.exitCode = 1;
		}
		spawnSync(icert.program, ['reset', '--prefix', icert.prefix]);
	}
	for (const icert of running) if (icert.folder) rmSync(icert.folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));

export class Instance {
	constructor(prefix, portBase, folder, program = icertctl) {
		this.prefix = prefix;
		this.portBase = portBase;
		this.folder = folder;
		this.program = program;
		this.ahead = 0;		// seconds of business time before real time
		this.portal = `https://localhost:${portBase}`;
		this.desk = `https://localhost:${portBase + 1}`;
		this.status = `http://127.0.0.1:${portBase + 2}`;
		this.gateway = `http://127.0.0.1:${portBase + 3}`;
		this.mail = `http://127.0.0.1:${portBase + 4}`;
		this.state = `http://127.0.0.1:${portBase + 5}`;
		this.smtp = portBase + 6;
		this.files = { issuer: join(prefix, 'ca/public/emisora.cer'), root: join(prefix, 'ca/public/raiz.cer') };
	}

	/** `icertctl COMMAND … --prefix` of this instance.  Nobody waits for the next half minute: an account whose codes are used up is enrolled anew. */
	icertctl(command, ...args) {
		const renew = ['totp', 'issue-test'].includes(command) ? ['--renew'] : [];
		return icertctlRun([command, ...args, ...renew, '--prefix', this.prefix], { program: this.program });
	}

	async up(...options) {
		// Before it is up: whoever interrupts meanwhile leaves nothing behind.
		running.add(this);
		const { code, stdout, stderr } = await this.icertctl('up', '--port-base', String(this.portBase), '--detach', ...options);
		if (code !== 0) throw new Error(`icertctl up: ${code}\n${stdout}${stderr}\n${this.logs()}`);
		return stdout;
	}

	/** Stops it and keeps all its data, for another up(). */
	async down() {
		this.psqlOpen?.end();
		const { code, stdout, stderr } = await this.icertctl('down');
		if (code !== 0) throw new Error(`icertctl down: ${code}\n${stdout}${stderr}`);
	}

	/** What sanitizers have found: [{ name, text }] of the logs that hold a report. */
	reports() {
		const folder = join(this.prefix, 'log');
		if (!existsSync(folder)) return [];
		// What was asked of nginx holds no report, and is longer than a string may be after a bench.
		return readdirSync(folder).filter((name) => !/^(access|status)\.log/.test(name))
			.map((name) => ({ name, text: readFileSync(join(folder, name), 'utf8') }))
			.filter(({ text }) => REPORT.test(text))
			.map(({ name, text }) => ({ name, text: text.slice(text.search(REPORT)).slice(0, 6000) }));
	}

	/** Stops it and removes all its data; throws when a sanitizer found something in any program. */
	async stop() {
		if (existsSync(this.prefix)) await this.down();
		const reports = this.reports();
		const { code, stdout, stderr } = await this.icertctl('reset');
		if (code !== 0) throw new Error(`icertctl reset: ${code}\n${stdout}${stderr}`);
		running.delete(this);
		if (this.folder) rmSync(this.folder, { recursive: true, force: true });
		for (const { name, text } of reports) refuseReport(text, `log/${name}`);
	}

	/** What `icertctl status` shows: [{ name, pid, state, restarts }]. */
	async processes() {
		const { stdout } = await this.icertctl('status');
		return [...stdout.matchAll(/^ {2}(\S+) +(\d+) +(up|starting|down) +(\d+)$/gm)]
			.map(([, name, pid, state, restarts]) => ({ name, pid: Number(pid), state, restarts: Number(restarts) }));
	}

	get ca() { return readFileSync(join(this.prefix, 'etc/tls/localhost.pem')); }

	get accounts() {
		const { password, staff } = JSON.parse(readFileSync(join(this.prefix, 'demo/staff.json'), 'utf8'));
		return staff.map((person) => ({ password, ...person }));
	}

	/** A sample account by its login. */
	staff(login) {
		const found = this.accounts.find((account) => account.login === login);
		if (!found) throw new Error(`no sample account ${login}: ${this.accounts.map((a) => a.login)}`);
		return found;
	}

	async totp(login) {
		const { code, stdout, stderr } = await this.icertctl('totp', login);
		if (code !== 0) throw new Error(`icertctl totp: ${stderr}`);
		return stdout.trim();
	}

	/** The folder of its sockets. */
	get run() { return readFileSync(join(this.prefix, 'etc/icert.conf'), 'utf8').match(/^run = (.*)$/m)[1]; }

	/** psql as the database's own superuser, which no program of the house is: { ok, text, error }. */
	psql(text) {
		const { status, stdout, stderr } = spawnSync('psql', ['-X', '-q', '-At', '-v', 'ON_ERROR_STOP=1', '-h', join(this.run, 'pg'),
			'-U', 'postgres', '-d', 'icert', '-c', text], { encoding: 'utf8' });
		return { ok: status === 0, text: stdout.trim(), error: stderr };
	}

	/** The same, which must succeed: its rows as text. */
	sql(text) {
		const { ok, text: rows, error } = this.psql(text);
		if (!ok) throw new Error(`${text}\n${error}`);
		return rows;
	}

	/** What a desk program taken over could try in a person's session: as psql(), rolled back. */
	asDesk(login, statement) {
		const secret = randomBytes(32);
		const now = Math.floor(Date.now() / 1000);
		this.sql(`insert into icert.session (hash, kind, staff_id, created_at, seen_at, idle_until, absolute_until) values
			('\\x${createHash('sha256').update(secret).digest('hex')}', 'staff', '${this.staff(login).id}', ${now}, ${now}, ${now + 600}, ${now + 600})`);
		return this.psql(`begin; set local role icert_desk; set local icert.session = '${secret.toString('hex')}'; ${statement}; rollback`);
	}

	/** The same through one psql that stays open, while this process goes on: for what is asked often. */
	ask(text) {
		this.psqlOpen ??= this.#openPsql();
		return this.psqlOpen.ask(text);
	}

	#openPsql() {
		const psql = spawn('psql', ['-X', '-q', '-At', '-v', 'ON_ERROR_STOP=1', '-h', join(this.run, 'pg'), '-U', 'postgres', '-d', 'icert'], { stdio: 'pipe' });
		const asked = [];
		let said = '', error = '';
		psql.stdin.on('error', () => {});	// it has ended, which is said below
		psql.stderr.on('data', (part) => { error += part; });
		psql.stdout.on('data', (part) => {
			said += part;
			for (let end; (end = said.indexOf(ANSWERED)) >= 0; said = said.slice(end + ANSWERED.length)) asked.shift().resolve(said.slice(0, end).trim());
		});
		psql.on('close', () => {
			this.psqlOpen = undefined;
			for (const { text, reject } of asked) reject(new Error(`${text}: ${error}`));
		});
		return {
			ask: (text) => new Promise((resolve, reject) => {
				asked.push({ text, resolve, reject });
				psql.stdin.write(`${text};\n\\echo '${ANSWERED}'\n`);
			}),
			end: () => psql.stdin.end(),
		};
	}

	/** A script through psql, which goes on after errors: answers and errors in their order. */
	script(text) {
		return spawnSync('sh', ['-c', 'exec psql -X -q -At -h "$0" -U postgres -d icert 2>&1', join(this.run, 'pg')],
			{ input: text, encoding: 'utf8', maxBuffer: 1 << 26 }).stdout;
	}

	/** Business time becomes real time plus these seconds. */
	moveClock(seconds) {
		const bytes = Buffer.alloc(8);
		bytes.writeBigInt64LE(BigInt(Math.trunc(seconds)));
		this.ahead = seconds;
		// In place: the programs have the file mapped.
		const fd = openSync(join(this.prefix, 'clock'), 'r+');
		writeFileSync(fd, bytes);
		closeSync(fd);
	}

	/** The last lines of every log, for a message that somebody must understand. */
	logs(lines = 12) {
		const folder = join(this.prefix, 'log');
		if (!existsSync(folder)) return '';
		return readdirSync(folder).filter((name) => !/^(initdb|access)\.log$/.test(name)).map((name) => {
			const tail = readFileSync(join(folder, name), 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
			return tail && `== ${name}\n${tail}`;
		}).filter(Boolean).join('\n');
	}
}

/** The stock that instances begin with (stock.mjs), made when it is missing. */
const stockHere = () => stock(build, top, async (put) => {
	const folder = newFolder();
	const icert = new Instance(join(folder, 'instance'), await freePortBase(), folder);
	running.add(icert);
	const { code, stdout, stderr } = await icert.icertctl('up', '--port-base', String(icert.portBase), '--prepare');
	if (code !== 0) throw new Error(`icertctl up --prepare: ${code}\n${stdout}${stderr}\n${icert.logs()}`);
	await put(icert.prefix);
	await icert.stop();
});

/**
 * A new instance, up and ready.  `prefix` and `portBase` are chosen when left out.  fresh: its very keys, its
 * database and its sample staff are made by this start, for who tries a first start itself.  program: the icertctl of checkout().
 */
export async function startInstance({ prefix, portBase, fresh, program } = {}) {
	const folder = prefix ? undefined : newFolder();
	const icert = new Instance(prefix ?? join(folder, 'instance'), portBase ?? await freePortBase(), folder, program);
	try {
		if (!fresh && !existsSync(icert.prefix)) await begin(await stockHere(), icert.prefix);
		await icert.up(...fresh ? [] : ['--keep-tokens']);
	} catch (error) {
		await icert.icertctl('reset');
		running.delete(icert);
		if (folder) rmSync(folder, { recursive: true, force: true });
		throw error;
	}
	return icert;
}
