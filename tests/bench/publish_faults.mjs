// What those who ask notice of a hundred publications, a reload of nginx and each process killed (-9), while 32 connections ask as fast
// as they are answered: GET and POST, with and without nonce, every answer looked at.
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../lib/http.mjs';
import { allUp, children, random, signal, units } from '../lib/processes.mjs';
import { addCertificates, get, paths, post, published, questions, requests, revocation, serialOf } from './certificates.mjs';
import { binary, lift, reloadEdge, withInstance } from './instance.mjs';

export const name = 'publish_faults';
export const unit = 'faults';
export const most = 0;

const CERTIFICATES = 20_000;
const PUBLICATIONS = 100;
const CONNECTIONS = 32;

/** Of each certificate a GET, of some also a POST and both with a nonce; the first are revoked while they are asked for. */
function asked(icert) {
	const plain = requests(icert, 1, CERTIFICATES);
	const nonced = requests(icert, 1, CERTIFICATES, { nonce: true });
	const list = [];
	paths(plain).forEach((path, i) => {
		const about = { serial: serialOf(i + 1), expected: i < PUBLICATIONS ? 2 : 0 };
		list.push({ request: get(`/ocsp/${path}`), ...about });
		if (i % 4 === 0) list.push({ request: post('/ocsp', plain[i]), ...about });
		if (i % 32 === 0) list.push({ request: get(`/ocsp/${paths([nonced[i]])}`), ...about }, { request: post('/ocsp', nonced[i]), ...about });
	});
	const next = random(list.length);
	return list.map((one) => [next(), one]).sort(([a], [b]) => a - b).map(([, one]) => one);
}

export const run = ({ say }) => withInstance(async (icert) => {
	addCertificates(icert, 1, CERTIFICATES);
	const file = questions(icert, 'faults', asked(icert));
	await published(icert);
	lift(icert, 'status');
	await reloadEdge(icert, `${icert.status}/ocsp/${paths(requests(icert, 1, 1))[0]}`);
	const asker = spawn(binary('faults'), [new URL(icert.status).port, file, String(CONNECTIONS)], { stdio: ['pipe', 'pipe', 'inherit'] });
	const said = text(asker.stdout);

	// Every unit with all its children is killed once, the reload stands between them, a publication before each and the rest after.
	const kills = [...units(icert).keys()];
	let publications = 0;
	const publish = async () => {
		publications++;
		icert.sql(revocation(serialOf(publications)));
		if (publications % 2) addCertificates(icert, CERTIFICATES + publications, CERTIFICATES + publications);
	};
	const reload = () => process.kill(Number(readFileSync(join(icert.run, 'nginx.pid'), 'utf8')), 'SIGHUP');
	for (const [i, unit_] of kills.entries()) {
		if (unit_ !== 'postgres') await publish().catch(() => {});
		const { pid } = units(icert).get(unit_);
		for (const one of [pid, ...children(pid).map((child) => child.pid)]) signal(one, 'SIGKILL');
		await until(() => units(icert).get(unit_).pid !== pid, { what: `${unit_} again`, timeout: 60_000 });
		await allUp(icert);
		if (i === kills.length >> 1) reload();
		say(i + 1, { killed: i + 1, publications });
	}
	while (publications < PUBLICATIONS) {
		await publish();
		await published(icert);
		if (publications % 20 === 0) say(publications, { publications });
	}
	asker.stdin.end();
	const { answers, wrong, again, failed } = JSON.parse(await said);
	console.log(`  ${answers} answers, ${wrong} wrong, ${again} asked again, ${failed} failed then too`);
	if (answers < 100_000) throw new Error('nothing was measured');
	return { ours: wrong + failed };
});
