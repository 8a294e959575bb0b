// Many certificates in an instance, and the questions about them: their rows without what a status does not need, their
// publication, and requests as clients send them.
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../lib/http.mjs';
import { rewrite } from './instance.mjs';

/** The serial of the n-th, counted from 1, in hex. */
export const serialOf = (n) => `01${createHash('sha256').update(String(n)).digest('hex').slice(0, 30)}`;

/** Rows of certificates from..until that are good; with `told` each has a change that waits to be published. */
export function addCertificates(icert, from, until_, { told = true } = {}) {
	icert.sql(`set session_replication_role = replica;
		insert into icert.certificate (id, application_id, serial, state, container, policy_oid, fields, fields_hash, spki_sha256, der,
			not_before, not_after, created_at, issued_at)
		select gen_random_uuid(), gen_random_uuid(), s, 'good', 'file', '1.3.6.1.4.1.43745.1.2.1.1.2.1', decode(repeat('01', 64), 'hex'), sha256(s),
			sha256(s), decode(repeat('01', 64), 'hex'), t, t + 63072000, t, t
		from (select '\\x01'::bytea || substr(sha256(n::text::bytea), 1, 15) as s, extract(epoch from now())::bigint as t
			from generate_series(${from}, ${until_}) n) x;
		${told ? `insert into icert.status_change (certificate_id, state, at) select c.id, 'good', c.issued_at from icert.certificate c
			where c.serial in (select '\\x01'::bytea || substr(sha256(n::text::bytea), 1, 15) from generate_series(${from}, ${until_}) n);
		notify icert_status` : ''}`);
}

/** The statement that revokes the certificate of a serial, as one transaction. */
export const revocation = (serial) => `begin; set local session_replication_role = replica;
	update icert.certificate set state = 'revoked', revoked_at = extract(epoch from now())::bigint, reason = 4, revoked_by = 'national'
		where serial = '\\x${serial}';
	insert into icert.status_change (certificate_id, state, reason, at) select id, 'revoked', 4, revoked_at from icert.certificate where serial = '\\x${serial}';
	notify icert_status; commit`;

export const published = (icert, timeout = 300_000) => until(
	() => icert.sql('select exists (select from icert.status_change where published_epoch is null)') === 'f',
	{ what: 'the status set', timeout, every: 500 });

export function benchFolder(icert) {
	const folder = join(icert.prefix, 'demo/bench');
	mkdirSync(folder, { recursive: true });
	return folder;
}

/** A request as openssl makes it, without nonce: the serial is what it ends with. */
function pattern(icert) {
	const folder = benchFolder(icert);
	const issuer = join(folder, 'issuer.pem');
	execFileSync('openssl', ['x509', '-inform', 'DER', '-in', icert.files.issuer, '-out', issuer]);
	const file = join(folder, 'request.der');
	execFileSync('openssl', ['ocsp', '-issuer', issuer, '-serial', `0x${serialOf(1)}`, '-no_nonce', '-reqout', file], { stdio: 'ignore' });
	return readFileSync(file);
}

const der = (tag, ...parts) => {
	const body = Buffer.concat(parts);
	if (body.length > 255) throw new Error('a request is short');
	return Buffer.concat([Buffer.from(body.length < 128 ? [tag, body.length] : [tag, 0x81, body.length]), body]);
};
const NONCE = Buffer.from('06092b0601050507300102', 'hex');	// id-pkix-ocsp-nonce

/** OCSPRequests for certificates from..until as DER; with `nonce` each with one of 32 octets (RFC 9654). */
export function requests(icert, from, until_, { nonce = false } = {}) {
	const plain = pattern(icert);
	// SEQUENCE { tbsRequest SEQUENCE { requestList, … } }: short lengths throughout.
	const list = plain.subarray(4);
	return Array.from({ length: until_ - from + 1 }, (_, i) => {
		const one = Buffer.from(list);
		Buffer.from(serialOf(from + i), 'hex').copy(one, one.length - 16);
		if (!nonce) return der(0x30, der(0x30, one));
		const value = der(0x04, der(0x04, randomBytes(32)));
		return der(0x30, der(0x30, one, der(0xa2, der(0x30, der(0x30, NONCE, value)))));
	});
}

/** Their paths below the responder's address. */
export const paths = (ders) => ders.map((one) => encodeURIComponent(one.toString('base64')));

/** A file of lines for urls.lua. */
export function lines(icert, name, list) {
	const file = join(benchFolder(icert), name);
	writeFileSync(file, `${list.join('\n')}\n`);
	return file;
}

const HTTP = 'Host: 127.0.0.1\r\n';
export const get = (path) => Buffer.from(`GET ${path} HTTP/1.1\r\n${HTTP}\r\n`);
export const post = (path, body) => Buffer.concat([Buffer.from(`POST ${path} HTTP/1.1\r\n${HTTP}Content-Type: application/ocsp-request\r\nContent-Length: ${body.length}\r\n\r\n`), body]);

/** A file of requests for the generators (http.h): [{ request: Buffer, serial: hex, expected }]. */
export function questions(icert, name, list) {
	const file = join(benchFolder(icert), name);
	writeFileSync(file, Buffer.concat(list.flatMap(({ request, serial, expected = 0 }) => {
		const head = Buffer.alloc(19);
		head.writeUInt16LE(request.length, 0);
		head[2] = expected;
		Buffer.from(serial, 'hex').copy(head, 3);
		return [head, request];
	})));
	return file;
}

/** A stored answer and how long one is: { headers, octets }. */
export async function sample(icert, list, samples = 100) {
	const ask = async (path) => { const r = await fetch(`${icert.status}/ocsp/${path}`); return { headers: r.headers, body: Buffer.from(await r.arrayBuffer()) }; };
	const { headers } = await ask(list.at(-1));
	const lengths = [];
	for (let i = 0; i < samples; i++) lengths.push((await ask(list[Math.floor(i * list.length / samples)])).body.length);
	if (Math.min(...lengths) < 100) throw new Error('a certificate has no answer');
	return { headers, octets: Math.round(lengths.reduce((a, b) => a + b) / samples) };
}

/** What nginx needs for as many octets, field by field: { type, fields (statements), body }. */
export function equal({ headers, octets }) {
	const own = new Set(['server', 'date', 'content-type', 'content-length', 'connection', 'keep-alive']);
	const fields = [...headers].filter(([field]) => !own.has(field)).map(([field, value]) => `add_header ${field} '${value}';`).join(' ');
	return { type: headers.get('content-type'), fields, body: 'x'.repeat(octets) };
}

/** A location whose `return` sends that. */
export function returns(path, like) {
	const { type, fields, body } = equal(like);
	return `\n\t\tlocation ${path} { default_type ${type}; ${fields} return 200 "${body}"; }`;
}

/** Puts locations before the responder's own. */
export const locations = (icert, text) => rewrite(join(icert.prefix, 'etc/nginx.conf'), [/\n\t\tlocation = \/ocsp \{/, (line) => `${text}${line}`]);
