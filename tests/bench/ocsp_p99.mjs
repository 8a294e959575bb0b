// How long the slowest of a hundred waits: GET at half of the highest rate of `return` (ocsp_get), in an open loop, against
// `return` at that rate.
import { fileURLToPath } from 'node:url';
import { addCertificates, get, lines, locations, paths, published, questions, requests, returns, sample, serialOf } from './certificates.mjs';
import { reloadEdge, tool, withInstance } from './instance.mjs';
import { median, pairs } from './pairs.mjs';
import { wrk } from './wrk.mjs';

export const name = 'ocsp_p99';
export const unit = 'µs';
export const mostRatio = 1.3;

const CERTIFICATES = 50_000;
const CONNECTIONS = 32;
const SECONDS = 2;
const lua = fileURLToPath(new URL('urls.lua', import.meta.url));

export const run = ({ say }) => withInstance(async (icert) => {
	addCertificates(icert, 1, CERTIFICATES);
	const list = paths(requests(icert, 1, CERTIFICATES));
	const file = lines(icert, 'urls', list);
	await published(icert);
	locations(icert, returns('/benc/', await sample(icert, list)));
	await reloadEdge(icert, `${icert.status}/benc/${list[0]}`);

	const highest = [];
	for (let i = 0; i < 5; i++) highest.push(await wrk(icert.status, { connections: CONNECTIONS, script: lua, args: [file, '/benc/'] }));
	const rate = Math.round(median(highest) / 2);
	console.log(`  ${rate} requests/s`);
	const of = (prefix) => questions(icert, `get-${prefix}`, list.map((path, i) => ({ request: get(`/${prefix}/${path}`), serial: serialOf(i + 1) })));
	const figure = (requests_) => async () => {
		const { broken, wrong, p99 } = JSON.parse(await tool('load', [new URL(icert.status).port, requests_, rate, SECONDS, CONNECTIONS]));
		if (broken || wrong) throw new Error(`${broken} broken, ${wrong} wrong`);
		return p99;
	};
	return pairs({ ours: figure(of('ocsp')), reference: figure(of('benc')), say });
});
