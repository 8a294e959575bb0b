// Certificates of an instance's own CA for keys that a test holds: signed in the CA's token with its PIN, past everything
// that guards it, which only whoever runs the test can do.  Also rows of such certificates, and their revocation.
import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { must } from './tools.mjs';

export const element = (tag, ...parts) => {
	const body = Buffer.concat(parts);
	const n = body.length;
	return Buffer.concat([Buffer.from(n < 128 ? [tag, n] : n < 256 ? [tag, 0x81, n] : [tag, 0x82, n >> 8, n & 255]), body]);
};

/** The elements of DER one after the other: [{ tag, whole, body }]. */
export function elements(der) {
	const out = [];
	for (let at = 0; at < der.length;) {
		let head = 2, length = der[at + 1];
		if (length & 0x80) {
			head = 2 + (length & 0x7f);
			length = Number(`0x${der.subarray(at + 2, at + head).toString('hex')}`);
		}
		out.push({ tag: der[at], whole: der.subarray(at, at + head + length), body: der.subarray(at + head, at + head + length) });
		at += head + length;
	}
	return out;
}

/**
 * A certificate of the issuing CA: { serial (hex), key, certificate (paths of PEM) }.  What openssl signs first with a key of its
 * own has the form; the token then signs it again.
 */
export function certify(icert, folder, name, extensions = []) {
	const path = (end) => join(folder, `${name}.${end}`);
	const serial = `01${randomBytes(15).toString('hex')}`;
	const issuer = join(folder, 'issuer.pem');
	must('openssl', ['x509', '-inform', 'DER', '-in', icert.files.issuer, '-out', issuer]);
	must('openssl', ['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', path('key'), '-subj', `/CN=${name}`, '-out', path('csr')]);
	must('openssl', ['genrsa', '-out', path('other'), '2048']);
	writeFileSync(path('ext'), ['authorityKeyIdentifier=keyid', 'keyUsage=critical,digitalSignature', `authorityInfoAccess=OCSP;URI:${icert.status}/ocsp`,
		`crlDistributionPoints=URI:${icert.status}/crl/icert.crl`, ...extensions].join('\n'));
	/* -CA wants the CA's key; with -force_pubkey and the CA's own names any key will do for the form. */
	must('openssl', ['req', '-x509', '-new', '-key', path('other'), '-subj', '/CN=x', '-days', '30', '-out', path('form')]);
	must('openssl', ['x509', '-req', '-in', path('csr'), '-CA', path('form'), '-CAkey', path('other'), '-set_serial', `0x${serial}`, '-days', '30', '-sha256', '-extfile', path('ext'),
		'-outform', 'DER', '-out', path('der')]);
	const ca = elements(elements(elements(readFileSync(icert.files.issuer))[0].body)[0].body);
	const subject = ca[5].whole;
	const caKey = must('openssl', ['x509', '-in', issuer, '-noout', '-ext', 'subjectKeyIdentifier']).match(/([0-9A-F]{2}:)+[0-9A-F]{2}/)[0];
	const [tbs, algorithm] = elements(elements(readFileSync(path('der')))[0].body);
	const fields = elements(tbs.body).map(({ whole }) => whole);
	fields[3] = subject;
	/* The key identifier is the form's key's until here. */
	const own = must('openssl', ['x509', '-in', path('form'), '-noout', '-ext', 'subjectKeyIdentifier']).match(/([0-9A-F]{2}:)+[0-9A-F]{2}/)[0];
	const bytes = (text) => Buffer.from(text.replaceAll(':', ''), 'hex');
	const body = Buffer.concat(fields);
	const at = body.indexOf(bytes(own));
	if (at < 0) throw new Error('no key identifier in the form');
	bytes(caKey).copy(body, at);
	const signed = element(0x30, body);
	writeFileSync(path('tbs'), signed);
	const signer = join(icert.prefix, 'signer');
	rmSync(path('sig'), { force: true });
	must('pkcs11-tool', ['--module', readFileSync(join(icert.prefix, 'etc/icert.conf'), 'utf8').match(/^module = (.*libsofthsm2.*)$/m)[1],
		'--token-label', 'icert-emisora', '--login', '--pin', readFileSync(join(signer, 'pin'), 'utf8').trim(), '--sign', '--mechanism', 'SHA256-RSA-PKCS', '--label', 'icert-issuing',
		'--input-file', path('tbs'), '--output-file', path('sig')], { env: { SOFTHSM2_CONF: join(signer, 'softhsm2.conf') } });
	const der = element(0x30, signed, algorithm.whole, element(0x03, Buffer.from([0]), readFileSync(path('sig'))));
	const certificate = path('pem');
	must('openssl', ['x509', '-inform', 'DER', '-out', certificate], { input: der });
	return { serial, key: path('key'), certificate };
}

/** SQL that makes certificates of these serials (hex) good, without what a status does not need. */
export const goodRows = (serials) => `set session_replication_role = replica;
	insert into icert.certificate (id, application_id, serial, state, container, policy_oid, fields, fields_hash, spki_sha256, der,
		not_before, not_after, created_at, issued_at)
	select gen_random_uuid(), gen_random_uuid(), s, 'good', 'file', '1.3.6.1.4.1.43745.1.2.1.1.2.1', decode(repeat('01', 64), 'hex'), sha256(s),
		sha256(s), decode(repeat('01', 64), 'hex'), t, t + 63072000, t, t
	from (select decode(h, 'hex') as s, extract(epoch from now())::bigint as t from unnest(array['${serials.join("','")}']) h) x;
	insert into icert.status_change (certificate_id, state, at) select id, 'good', issued_at from icert.certificate
		where serial in (select decode(h, 'hex') from unnest(array['${serials.join("','")}']) h);
	notify icert_status`;

/** SQL that revokes those. */
export const revokeRows = (serials, reason = 4) => `set session_replication_role = replica;
	with gone as (update icert.certificate set state = 'revoked', revoked_at = extract(epoch from now())::bigint, reason = ${reason}, revoked_by = 'national'
		where serial in (select decode(h, 'hex') from unnest(array['${serials.join("','")}']) h) and state = 'good' returning id, revoked_at)
	insert into icert.status_change (certificate_id, state, reason, at) select id, 'revoked', ${reason}, revoked_at from gone;
	notify icert_status`;
