// OCSP GET over 50,000 certificates, as the publisher of the house has set them up, against `return` of the same nginx
// with as many octets in body and headers, over the same list of questions.
import { fileURLToPath } from 'node:url';
import { addCertificates, lines, locations, paths, published, requests, returns, sample } from './certificates.mjs';
import { reloadEdge, withInstance } from './instance.mjs';
import { pairs } from './pairs.mjs';
import { wrk } from './wrk.mjs';

export const name = 'ocsp_get';
export const unit = 'answers/s';
export const bar = 0.85;

const CERTIFICATES = 50_000;
const CONNECTIONS = 32;
const lua = fileURLToPath(new URL('urls.lua', import.meta.url));

export const run = ({ say }) => withInstance(async (icert) => {
	addCertificates(icert, 1, CERTIFICATES);
	const list = paths(requests(icert, 1, CERTIFICATES));
	const file = lines(icert, 'urls', list);
	await published(icert);
	locations(icert, returns('/benc/', await sample(icert, list)));
	await reloadEdge(icert, `${icert.status}/benc/${list[0]}`);
	const figure = (prefix) => () => wrk(icert.status, { connections: CONNECTIONS, script: lua, args: [file, prefix] });
	return pairs({ ours: figure('/ocsp/'), reference: figure('/benc/'), say });
});
