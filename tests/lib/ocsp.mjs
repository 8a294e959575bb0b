// OCSP requests and what answers say, octet by octet (RFC 6960, 4.1.1): right ones, and others that no library would write.
import { createHash, createPublicKey } from 'node:crypto';
import http from 'node:http';
import { element, elements } from './issuing.mjs';

const SHA1 = Buffer.from('06052b0e03021a', 'hex');
const SHA256 = Buffer.from('0609608648016503040201', 'hex');
const NONCE = Buffer.from('06092b0601050507300102', 'hex');
const NULL = Buffer.from([5, 0]);

export const seq = (...parts) => element(0x30, ...parts);
export const octets = (bytes) => element(0x04, bytes);
export const extension = (oid, value, critical = false) => seq(oid, ...(critical ? [Buffer.from([1, 1, 0xff])] : []), octets(value));
/** The nonce of n octets, in an OCTET STRING of its own as RFC 9654 has it, or bare. */
export const nonce = (n, { bare = false } = {}) => extension(NONCE, bare ? Buffer.alloc(n, 0xaa) : octets(Buffer.alloc(n, 0xaa)));
/** An extension that means nothing, of about n octets. */
export const padding = (n) => extension(Buffer.from('06092b06010401829f6301', 'hex'), Buffer.alloc(n, 0x5a));

/** What a CertID needs of an issuer: its name and its key's bits. */
export function issuerOf(der) {
	const fields = elements(elements(elements(der)[0].body)[0].body);
	const spki = elements(createPublicKey({ key: `-----BEGIN CERTIFICATE-----\n${der.toString('base64')}\n-----END CERTIFICATE-----\n` }).export({ type: 'spki', format: 'der' }))[0];
	return { name: fields[5].whole, key: elements(spki.body)[1].body.subarray(1) };
}

/** A serial as the content of an INTEGER. */
export const integer = (hex) => (parseInt(hex.slice(0, 2), 16) & 0x80 ? Buffer.from(`00${hex}`, 'hex') : Buffer.from(hex, 'hex'));

export function certId(issuer, serial, { hash = 'sha1', parameters = true } = {}) {
	const digest = (bytes) => octets(createHash(hash).update(bytes).digest());
	return seq(seq(hash === 'sha1' ? SHA1 : SHA256, ...(parameters ? [NULL] : [])), digest(issuer.name), digest(issuer.key), element(0x02, Buffer.isBuffer(serial) ? serial : integer(serial)));
}

/** An OCSPRequest for CertIDs, with extensions of the request. */
export const request = (ids, extensions = []) =>
	seq(seq(seq(...ids.map((id) => seq(id))), ...(extensions.length ? [element(0xa2, seq(...extensions))] : [])));

/** { status (0: successful), state, id, nonce (its extension's value) } of an OCSPResponse with one answer or none. */
export function read(der) {
	const [code, bytes] = elements(elements(der)[0].body);
	const status = code.body[0];
	if (!bytes) return { status };
	const basic = elements(elements(elements(elements(bytes.body)[0].body)[1].body)[0].body);
	const data = elements(basic[0].body);
	const singles = elements(data.find(({ tag }) => tag === 0x30).body).map(({ body }) => elements(body));
	const extensions = data.find(({ tag }) => tag === 0xa1);
	const found = extensions && elements(elements(extensions.body)[0].body).map(({ body }) => elements(body)).find(([oid]) => oid.whole.equals(NONCE));
	return {
		status, count: singles.length, id: singles[0][0].whole, nonce: found?.at(-1).body,
		state: { 0x80: 'good', 0xa1: 'revoked', 0x82: 'unknown' }[singles[0][1].tag],
	};
}

/** Asks over connections that stay: ask(path, { method, headers, body }) → { status, headers, body }. */
export function asker(base) {
	const { hostname, port } = new URL(base);
	const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
	return (path, { method = 'GET', headers = {}, body } = {}) => new Promise((resolve, reject) => {
		const req = http.request({ hostname, port, path, method, headers, agent }, (res) => {
			const parts = [];
			res.on('data', (part) => parts.push(part));
			res.on('end', () => resolve({ status: res.statusCode, headers: res.headers, body: Buffer.concat(parts) }));
		});
		req.on('error', reject);
		req.end(body);
	});
}


