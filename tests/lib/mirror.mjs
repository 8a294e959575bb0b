// A second edge, as on another machine: an nginx of its own with conf/nginx-mirror.conf.in, `icertctl status accept --watch`
// as its service, and a folder that rsync fills from the first edge's.  It has the publisher's public key and nothing else.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, openSync, closeSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, icertctl } from './instance.mjs';
import { until } from './http.mjs';

const ROOT = process.getuid() === 0;
const template = new URL('../../conf/nginx-mirror.conf.in', import.meta.url);
const id = (what, name) => Number(execFileSync('id', [what, name], { encoding: 'utf8' }));

/** Debian's nginx loads the sanitizer's runtime before our module. */
function environment() {
	if (!/asan/.test(build)) return process.env;
	const runtime = execFileSync('gcc', ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim();
	return { ...process.env, LD_PRELOAD: runtime, ASAN_OPTIONS: `${process.env.ASAN_OPTIONS}:leak_check_at_exit=0` };
}

export class Mirror {
	/** Of an instance, below `folder`, on ports that nobody else uses. */
	constructor(icert, folder, port) {
		Object.assign(this, { icert, folder, port, url: `http://127.0.0.1:${port}`, state: `http://127.0.0.1:${port + 1}` });
		for (const name of ['', 'incoming', 'status', 'edge', 'run', 'log']) mkdirSync(join(folder, name), { recursive: true });
		for (const name of ['', 'status', 'run']) chmodSync(join(folder, name), 0o755);
		if (ROOT) chownSync(join(folder, 'edge'), id('-u', 'icert-edge'), id('-g', 'icert-edge'));
		this.key = join(folder, 'manifest.pub');
		writeFileSync(this.key, readFileSync(join(icert.prefix, 'pins/manifest.pub')));
		const values = { MODULE: join(build, 'modules/ngx_icert_module.so'), USER: ROOT ? 'user icert-edge;' : '', RUN: join(folder, 'run'),
			STATUS: join(folder, 'status'), KEY: this.key, EDGE: join(folder, 'edge'), LOG: join(folder, 'log'),
			LISTEN: `127.0.0.1:${port}`, STATE: `127.0.0.1:${port + 1}` };
		writeFileSync(join(folder, 'nginx.conf'), readFileSync(template, 'utf8').replace(/@([A-Z]+)@/g, (_, name) => values[name]));
	}

	#run(name, program, args, env = process.env) {
		const log = openSync(join(this.folder, 'log', name), 'a');
		const child = spawn(program, args, { stdio: ['ignore', log, log], env });
		closeSync(log);
		return child;
	}

	log(name) { return readFileSync(join(this.folder, 'log', name), 'utf8'); }

	async startEdge() {
		this.edge = this.#run('nginx', 'nginx', ['-e', 'stderr', '-p', this.folder, '-c', join(this.folder, 'nginx.conf'), '-g', 'daemon off;'], environment());
		await until(() => fetch(`${this.state}/healthz`).then((r) => r.status === 200, () => false), { what: 'the second edge' });
	}

	startAccept() {
		this.accept = this.#run('accept', icertctl, ['status', 'accept', join(this.folder, 'incoming'), join(this.folder, 'status'), '--key', this.key, '--watch', '1']);
	}

	/** Ends a process of ours and waits for it. */
	async end(name) {
		const child = this[name];
		this[name] = undefined;
		if (!child || child.exitCode !== null) return;
		const gone = new Promise((resolve) => child.once('exit', resolve));
		child.kill(name === 'edge' ? 'SIGQUIT' : 'SIGTERM');
		await gone;
	}

	/** As the timer of a second edge copies; the exit status. */
	rsync(...more) {
		return spawnSync('rsync', ['-a', '--delete', '--delay-updates', ...more, `${join(this.icert.prefix, 'status')}/`, `${join(this.folder, 'incoming')}/`]).status;
	}

	/** { status, text } of /readyz. */
	async ready() {
		const r = await fetch(`${this.state}/readyz`);
		return { status: r.status, text: await r.text() };
	}

	async epoch() { return Number((await (await fetch(`${this.state}/metrics`)).text()).match(/^icert_status_epoch (\d+)$/m)[1]); }

	/** Copies until what the first edge has is in place here. */
	async follow() {
		const wanted = Number((await (await fetch(`${this.icert.state}/metrics`)).text()).match(/^icert_status_epoch (\d+)$/m)[1]);
		await until(async () => { this.rsync(); return await this.epoch() >= wanted; }, { what: `epoch ${wanted} at the second edge`, every: 300 });
	}

	async stop() {
		await this.end('accept');
		await this.end('edge');
	}
}
