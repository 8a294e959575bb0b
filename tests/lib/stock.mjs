// What a first start takes longest to make (two RSA-4096 keys, a database with
// all migrations, the sample staff) is made once for a build, and each instance
// of a test begins with a copy: `icertctl up --prepare` makes it, and
// `up --keep-tokens` goes on from it.  Certificates, addresses, secrets of the
// programs' channels and all that serves are made by each instance itself.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const WAIT_MS = 300_000;
const OLD_MS = 600_000;

// Of a prepared instance: what holds neither its addresses nor its ports.
const KEPT = ['postgres', 'keeper', 'keymaker', 'status-signer', 'publisher', 'pins', 'demo'];
const TOKENS = ['ca/root', 'signer'];
const OF_A_TOKEN = ['tokens', 'softhsm2.conf', 'pin'];

/** Names what a stock depends on: the rows, the programs that made it, who they run as, and the day. */
function nameOf(build, top) {
	const hash = createHash('sha256').update(`${process.getuid()} ${new Date().toISOString().slice(0, 10)}`);
	for (const folder of ['migrations', 'conf'])
		for (const name of readdirSync(join(top, folder), { recursive: true }).sort()) {
			const path = join(top, folder, name);
			if (statSync(path).isFile()) hash.update(`\n${name}\n`).update(readFileSync(path));
		}
	for (const name of ['icertctl', 'icert-keeper', 'icert-keymaker', 'icert-status-signer']) {
		const { size, mtimeMs } = statSync(join(build, 'bin', name));
		hash.update(`\n${name} ${size} ${mtimeMs}`);
	}
	return hash.digest('hex').slice(0, 16);
}

const isAlive = (pid) => {
	try {
		process.kill(pid, 0);
		return true;
	} catch (error) {
		return error.code === 'EPERM';
	}
};

/** Whoever writes its number there first makes the stock; the number of one that has died counts for nothing. */
function takeTurn(path) {
	try {
		writeFileSync(path, String(process.pid), { flag: 'wx' });
		return true;
	} catch (error) {
		if (error.code !== 'EEXIST') throw error;
	}
	try {
		const pid = Number(readFileSync(path, 'utf8'));
		if (pid && !isAlive(pid)) rmSync(path, { force: true });
	} catch (error) {
		if (error.code !== 'ENOENT') throw error;
	}
	return false;
}

/** Puts aside what is kept of a prepared prefix. */
async function put(prefix, folder) {
	mkdirSync(folder, { mode: 0o755 });
	writeFileSync(join(folder, 'prefix'), prefix);
	for (const name of KEPT) await run('cp', ['-a', join(prefix, name), join(folder, name)]);
	for (const dir of TOKENS) {
		mkdirSync(join(folder, dir), { recursive: true });
		for (const name of OF_A_TOKEN) await run('cp', ['-a', join(prefix, dir, name), join(folder, dir, name)]);
	}
}

/** Of another build or day, and nobody copies from it any more. */
function dropOld(all, name) {
	for (const other of readdirSync(all).filter((entry) => !entry.startsWith(name)))
		if (Date.now() - statSync(join(all, other)).mtimeMs > OLD_MS) rmSync(join(all, other), { recursive: true, force: true });
}

/** The folder of this build's stock.  When it is missing, prepare(put) makes an instance and calls put(its prefix). */
export async function stock(build, top, prepare) {
	const all = join(build, 'stock');
	const name = nameOf(build, top);
	const here = join(all, name);
	mkdirSync(all, { recursive: true, mode: 0o700 });
	for (const until = Date.now() + WAIT_MS; !existsSync(here);) {
		if (!takeTurn(`${here}.turn`)) {
			if (Date.now() > until) throw new Error(`${here}.turn: whoever took the turn makes nothing`);
			await sleep(200);
			continue;
		}
		try {
			if (existsSync(here)) break;
			await prepare((prefix) => put(prefix, `${here}.${process.pid}`));
			renameSync(`${here}.${process.pid}`, here);
			dropOld(all, name);
		} finally {
			rmSync(`${here}.turn`, { force: true });
		}
	}
	return here;
}

/** A prefix that is not there yet begins with a copy of a stock. */
export async function begin(from, prefix) {
	const was = readFileSync(join(from, 'prefix'), 'utf8');
	await run('cp', ['-a', from, prefix]);
	rmSync(join(prefix, 'prefix'));
	for (const name of [...TOKENS.map((dir) => join(dir, 'softhsm2.conf')), 'demo/staff.json']) {
		const path = join(prefix, name);
		writeFileSync(path, readFileSync(path, 'utf8').replaceAll(`${was}/`, `${prefix}/`));
	}
}
