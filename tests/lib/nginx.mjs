// An nginx of a test's own, beside the instance's: another edge on the same files, a server that staples.
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { until } from './http.mjs';
import { build, freePortBase, refuseReport } from './instance.mjs';
import { children } from './processes.mjs';

const sanitized = process.env.ICERT_BUILD?.includes('asan');
const listens = (port) => new Promise((resolve) => {
	const socket = connect(port, '127.0.0.1', () => { socket.destroy(); resolve(true); }).on('error', () => resolve(false));
});

/** Debian's nginx knows no sanitizer: the runtime that our module was built with has to be there first. */
export const nginxEnv = () => ({ ...process.env, ...(sanitized ? {
	LD_PRELOAD: execFileSync('cc', ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim(),
	ASAN_OPTIONS: `${process.env.ASAN_OPTIONS}:leak_check_at_exit=0`,
} : {}) });

const running = new Set();
process.on('exit', () => { for (const nginx of running) nginx.child.kill('SIGKILL'); });

export class Nginx {
	/**
	 * `http(port)` gives the text of the http block; the folder is the caller's and keeps its logs.  With no workers one process does
	 * all, `under` is what it runs under (valgrind and its options), `modules` are loaded beside ours, `core` is the one that every
	 * worker stays on.
	 */
	constructor(folder, http, { workers = 2, under = [], modules = [], core } = {}) {
		Object.assign(this, { folder, http, workers, under, modules, core, config: join(folder, 'nginx.conf'), log: join(folder, 'error.log'), access: join(folder, 'access.log') });
	}

	configure(http = this.http) {
		writeFileSync(this.config, `${[`${build}/modules/ngx_icert_module.so`, ...this.modules].map((file) => `load_module ${file};\n`).join('')}${process.getuid() === 0 ? 'user root;' : ''}
${this.workers ? `worker_processes ${this.workers}` : 'master_process off'};
${this.core === undefined ? '' : `worker_cpu_affinity 1${'0'.repeat(this.core)};`}
daemon off;
pid ${this.folder}/nginx.pid;
error_log ${this.log} info;
events { worker_connections 256; }
http {
	log_format edge '$request_method $status "$request_uri" $icert_ocsp_result';
	access_log ${this.access} edge;
	client_body_temp_path ${this.folder}/t1; proxy_temp_path ${this.folder}/t2; fastcgi_temp_path ${this.folder}/t3;
	uwsgi_temp_path ${this.folder}/t4; scgi_temp_path ${this.folder}/t5;
${http(this.port)}
}
`);
	}

	async start() {
		mkdirSync(this.folder, { recursive: true });
		chmodSync(this.folder, 0o755);
		this.port ??= await freePortBase();
		this.url = `http://127.0.0.1:${this.port}`;
		this.configure();
		const [program, ...args] = [...this.under, 'nginx', '-e', this.log, '-p', this.folder, '-c', this.config];
		this.child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], env: nginxEnv() });
		this.errors = '';
		this.child.stderr.on('data', (text) => { this.errors += text; });
		this.ended = new Promise((resolve) => this.child.once('exit', (code) => { running.delete(this); resolve(code); }));
		running.add(this);
		await until(async () => {
			if (this.child.exitCode !== null) throw new Error(`nginx: ${this.errors}${this.logged()}`);
			return this.pids().length >= this.workers && listens(this.port);
		}, { what: 'nginx', timeout: this.under.length ? 120_000 : 20_000, every: 50 });
		return this;
	}

	/** What it wrote into its log. */
	logged() { try { return readFileSync(this.log, 'utf8'); } catch { return ''; } }
	asked() { try { return readFileSync(this.access, 'utf8').trim().split('\n'); } catch { return []; } }

	/** Its worker processes, those of before a reload included. */
	pids() { return children(this.child.pid).map(({ pid }) => pid); }

	async reload(http) {
		if (http) this.configure(http);
		const before = new Set(this.pids());
		this.child.kill('SIGHUP');
		await until(() => this.pids().filter((pid) => !before.has(pid)).length >= this.workers, { what: 'new workers', every: 50 });
		return [...before];
	}

	async stop() {
		this.child.kill('SIGQUIT');
		const code = await this.ended;
		refuseReport(this.logged() + this.errors, 'a test\'s nginx');
		if (code !== 0) throw new Error(`nginx ended with ${code}\n${this.errors}${this.logged()}`);
	}
}
