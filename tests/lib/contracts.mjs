// The corpus of signed contracts, good and bad, made anew: node tests/lib/contracts.mjs FOLDER [CONTRACT.pdf]
// writes one PDF each, the signers' certificates, and manifest.tsv: name, file, octets of the original, its SHA-256, signers, verdict.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { append, cms, firstRevision, read, sign, stream } from './pdf.mjs';

const dir = process.argv[2];
mkdirSync(dir, { recursive: true });

function identity(name, key) {
	const id = { key: join(dir, `${name}.key`), cert: join(dir, `${name}.pem`), der: join(dir, `${name}.der`) };
	execFileSync('openssl', ['req', '-x509', '-nodes', '-newkey', ...key, '-keyout', id.key, '-out', id.cert, '-days', '400',
		'-subj', `/C=EC/CN=${name}`], { stdio: 'ignore' });
	execFileSync('openssl', ['x509', '-in', id.cert, '-outform', 'DER', '-out', id.der]);
	return id;
}

const rsa = ['rsa:2048'];
const ana = identity('ana', rsa);
const director = identity('director', rsa);
const other = identity('other', rsa);
const curve = identity('curve', ['ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']);

/** Every length left unsaid, as software that writes in one pass does (X.690, 8.1.3.6); octet strings in two pieces; so many levels. */
function ber(der, levels, pieces = false) {
	const out = [];
	while (der.length > 0) {
		const octets = der[1] < 0x80 ? 0 : der[1] & 0x7f;
		let length = octets === 0 ? der[1] : 0;
		for (let i = 0; i < octets; i++)
			length = length * 256 + der[2 + i];
		const body = der.subarray(2 + octets, 2 + octets + length);
		const half = body.length >> 1;
		const piece = (bytes) => Buffer.concat([Buffer.from([0x04, 0x83, 0, bytes.length >> 8, bytes.length & 255]), bytes]);
		if (levels > 0 && der[0] & 0x20)
			out.push(Buffer.from([der[0], 0x80]), ber(body, levels - 1, pieces), Buffer.alloc(2));
		else if (pieces && der[0] === 0x04 && half > 0)
			out.push(Buffer.from([0x24, 0x80]), piece(body.subarray(0, half)), piece(body.subarray(half)), Buffer.alloc(2));
		else
			out.push(der.subarray(0, 2 + octets + length));
		der = der.subarray(2 + octets + length);
	}
	return Buffer.concat(out);
}

const page = (contents) => `<< /Type /Page /Parent 2 0 R /Contents ${contents} 0 R >>`;
const objects = {
	1: '<< /Type /Catalog /Pages 2 0 R /Lang (es-EC) >>',
	2: '<< /Type /Pages /Kids [3 0 R 4 0 R] /Count 2 /MediaBox [0 0 595.28 841.89] /Resources << /Font << /F1 7 0 R >> >> >>',
	3: page(5),
	4: page(6),
	5: stream('BT /F1 12 Tf 72 720 Td (Contrato: el precio es 24,64) Tj ET'),
	6: stream('BT /F1 12 Tf 72 720 Td (Segunda hoja) Tj ET'),
	7: '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
	8: '<< /Title (Contrato) /Producer (icert) >>',
};
const table = firstRevision(objects, { info: 8 });
const streamed = firstRevision(objects, { info: 8, xref: 'stream' });
// A form that waits: an empty field on the second page.
const waiting = firstRevision({
	...objects,
	1: '<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [9 0 R] /SigFlags 1 >> >>',
	4: '<< /Type /Page /Parent 2 0 R /Contents 6 0 R /Annots [9 0 R] >>',
	9: '<< /Type /Annot /Subtype /Widget /FT /Sig /T (Usuario) /Rect [72 72 272 122] /F 4 /P 4 0 R >>',
}, { info: 8 });

const rows = [];
const put = (name, verdict, pdf, original = table, signers = [ana]) => {
	writeFileSync(join(dir, `${name}.pdf`), pdf);
	rows.push([name, `${name}.pdf`, original.length, createHash('sha256').update(original).digest('hex'),
		signers.map((s) => s.der.split('/').at(-1)).join(','), verdict].join('\t'));
};
const bad = (name, verdict, options, original = table) => put(name, verdict, sign(original, ana, options), original);
const box = [72, 72, 272, 122];
const signed = sign(table, ana, { visible: box });
const update = (pdf, changed, more = {}) => append(pdf, typeof changed === 'function' ? changed(read(pdf)) : changed, { ...read(pdf), ...more });
const added = (dict, keys) => dict.replace(/>>\s*$/, `${keys} >>`);

// Good.
put('invisible', 'ok', sign(table, ana));
put('visible', 'ok', signed);
put('pades', 'ok', sign(table, ana, { pades: true }));
put('pades-visible-kid', 'ok', sign(table, ana, { pades: true, visible: box, kid: true }));
put('stream', 'ok', sign(streamed, ana), streamed);
put('stream-visible-pades', 'ok', sign(streamed, ana, { visible: box, pades: true }), streamed);
put('stream-on-table', 'ok', sign(table, ana, { xref: 'stream' }));
put('sha384', 'ok', sign(table, ana, { digest: { md: 'sha384' } }));
put('sha512', 'ok', sign(table, ana, { digest: { md: 'sha512' } }));
put('pss', 'ok', sign(table, ana, { digest: { more: ['-keyopt', 'rsa_padding_mode:pss'] } }));
put('by-key-id', 'ok', sign(table, ana, { digest: { more: ['-keyid'] } }));
put('curve', 'ok', sign(table, curve, { pades: true }), table, [curve]);
put('two', 'ok', sign(signed, director, { visible: [300, 72, 500, 122] }), table, [ana, director]);
put('two-streams', 'ok', sign(sign(streamed, ana), director, { pades: true }), streamed, [ana, director]);
put('dates', 'ok', sign(table, ana, {
	objects: { 8: '<< /Title (Contrato) /Producer (another) /ModDate (D:20261122) >>' },
}));
put('comment', 'ok', sign(table, ana, { update: { before: '%a program of 2026\n' } }));
put('indirect-length', 'ok', sign(table, ana, {
	visible: box,
	change(o, n) {
		const body = '0.9 g 0 0 200 50 re f';
		o[n.appearance] = `<< /Type /XObject /Subtype /Form /BBox [0 0 200 50] /Length ${n.free} 0 R >>\nstream\n${body}\nendstream`;
		o[n.free] = String(body.length);
	},
}));
put('certifies-and-allows', 'ok', sign(table, ana, {
	signature: ' /Reference [<< /Type /SigRef /TransformMethod /DocMDP /TransformParams << /Type /TransformParams /P 2 /V /1.2 >> >>]',
}));
put('validation-data', 'ok', update(signed, (f) => ({
	[f.root]: added(f.object(f.root), `/DSS ${f.size} 0 R`),
	[f.size]: `<< /Type /DSS /Certs [${f.size + 1} 0 R] >>`,
	[f.size + 1]: stream('a certificate'),
})));
put('packed', 'ok', sign(streamed, ana, {
	xref: 'stream',
	update: { get packed() { return packed; } },
	change(o, n) {
		packed = { [n.root]: o[n.root], [n.page]: o[n.page] };
		delete o[n.root];
		delete o[n.page];
	},
}), streamed);
put('waiting-field', 'ok', fill(waiting), waiting);

var packed;

function fill(pdf, change = (s) => s) {
	return sign(pdf, ana, {
		change(o, n, file) {
			delete o[n.root];
			delete o[n.page];
			o[9] = change(added(file.object(9), `/V ${n.signature} 0 R`));
			delete o[n.field];
		},
	});
}

// Not ours, or nothing there.
put('unsigned', 'contract-unsigned', table);
put('other-contract', 'contract-other', sign(firstRevision({ ...objects, 5: stream('(another text)') }, { info: 8 }), ana));
put('first-octets-changed', 'contract-other', sign(Buffer.from(table.toString('latin1').replace('24,64', '04,64'), 'latin1'), ana));
put('cut', 'contract-damaged', signed.subarray(0, signed.length - 200));
put('cut-to-nothing', 'contract-other', table.subarray(0, 500));
put('trailing-octets', 'contract-damaged', Buffer.concat([signed, Buffer.from('\n<< /more >>\n')]));

// The signature's range (universal forgery, signature wrapping).
bad('range-start', 'signature-range', { range: ([a, b, c, d]) => [1, b - 1, c, d] });
bad('range-short', 'signature-range', { range: ([a, b, c, d]) => [a, b, c, d - 10] });
bad('range-wide-gap', 'signature-range', { range: ([a, b, c, d]) => [a, b - 5, c, d] });
bad('range-gap-behind', 'signature-range', { range: ([a, b, c, d]) => [a, b, c + 8, d - 8] });
bad('range-gap-inside', 'signature-range', { range: ([a, b, c, d]) => [a, b + 1, c, d] });
bad('range-without-brackets', 'signature-range', { range: ([a, b, c, d]) => [a, b + 1, c - 1, d + 1] });
bad('range-old-revision', 'signature-range', { range: ([a, b, c, d], old) => [0, old, old, 0] });
bad('range-negative', 'signature-range', { finish: (pdf, p) => { pdf.write('/ByteRange [0 -1 ', p.at, 'latin1'); return pdf; } });
bad('range-absent', 'signature-range', { finish: (pdf, p) => { pdf.write('/ByteRangX', p.at, 'latin1'); return pdf; } });
bad('range-twice', 'contract-damaged', { signature: ' /ByteRange [0 1 2 3]' });
bad('contents-twice', 'contract-damaged', { signature: ' /Contents <00>' });
bad('contents-twice-escaped', 'contract-damaged', { signature: ' /Cont#65nts <00>' });
bad('contents-empty', 'cms-format', { hole: () => Buffer.alloc(0) });
bad('contents-odd', 'signature-contents', { finish: (pdf, p) => { pdf.write(' ', p.gap + 40, 'latin1'); return pdf; } });
bad('contents-string', 'signature-contents', { finish: (pdf, p) => { pdf.write('(', p.gap, 'latin1'); pdf.write(')', p.end - 1, 'latin1'); return pdf; } });
bad('contents-tail', 'cms-format', { finish: (pdf, p) => { pdf.write('41', p.end - 3, 'latin1'); return pdf; } });
bad('kind-sha1', 'signature-kind', { subfilter: 'adbe.pkcs7.sha1' });
bad('kind-x509', 'signature-kind', { subfilter: 'adbe.x509.rsa_sha1' });
bad('kind-timestamp', 'signature-kind', { subfilter: 'ETSI.RFC3161' });
bad('locks', 'signature-locks', {
	signature: ' /Reference [<< /Type /SigRef /TransformMethod /DocMDP /TransformParams << /Type /TransformParams /P 1 /V /1.2 >> >>]',
});
bad('locks-fields', 'signature-locks', {
	signature: ' /Reference [<< /Type /SigRef /TransformMethod /FieldMDP /TransformParams << /Type /TransformParams /Action /All >> >>]',
});

// After signing (incremental saving, shadow documents).
put('saved-empty', 'contract-saved-after', update(signed, {}));
put('saved-page', 'contract-page-changed', update(signed, { 5: stream('BT /F1 12 Tf 72 720 Td (el precio es 0,00) Tj ET') }));
put('saved-page-object', 'contract-page-changed', update(signed, { 4: page(5) }));
put('saved-pages', 'contract-page-changed', update(signed, { 2: objects[2].replace('4 0 R', '3 0 R') }));
put('saved-font', 'contract-object-replaced', update(signed, { 7: '<< /Type /Font /Subtype /Type1 /BaseFont /Symbol >>' }));
put('saved-catalog-root', 'contract-catalog-changed', update(signed, (f) => ({ [f.size]: f.object(1) }), { root: read(signed).size }));
put('saved-second-catalog', 'contract-catalog-changed', update(signed, (f) => ({ 1: added(f.object(1), '/ViewerPreferences << /HideMenubar true >>') })));
put('saved-pages-key', 'contract-page-changed', update(signed, (f) => ({
	1: f.object(1).replace('/Pages 2 0 R', `/Pages ${f.size} 0 R`), [f.size]: objects[2],
})));
put('saved-note', 'contract-annotated', update(signed, (f) => ({
	4: added(objects[4], `/Annots [${f.size} 0 R]`), [f.size]: '<< /Type /Annot /Subtype /FreeText /Rect [0 0 500 500] /Contents (x) >>',
})));
put('saved-note-removed', 'contract-annotated', update(signed, (f) => ({ 3: f.object(3).replace(/\/Annots \[[^\]]*\]/, '/Annots []') })));
put('saved-picture', 'contract-object-replaced', update(signed, (f) => ({
	[Number(/\/AP << \/N (\d+)/.exec(f.object(9))[1])]: stream('1 0 0 rg 0 0 200 50 re f', '/Type /XObject /Subtype /Form /BBox [0 0 200 50]'),
})));
put('saved-widget-moved', 'contract-form-changed', update(signed, (f) => ({ 9: f.object(9).replace('72 72 272 122', '0 0 595 841') })));
put('saved-free-object', 'contract-object-added', update(signed, (f) => ({ [f.size]: '(kept for later)' })));
put('saved-note-hidden', 'contract-annotated', update(signed, (f) => ({ [f.size]: '<< /Type /Annot /Subtype /Stamp /Rect [0 0 1 1] >>' })));
put('saved-script', 'contract-script-added', update(signed, (f) => ({
	1: added(f.object(1), `/OpenAction ${f.size} 0 R`), [f.size]: '<< /S /JavaScript /JS (app.alert(1)) >>',
})));
put('saved-file', 'contract-file-added', update(signed, (f) => ({
	1: added(f.object(1), `/Names << /EmbeddedFiles << /Names [(a) ${f.size} 0 R] >> >>`), [f.size]: '<< /Type /Filespec /F (a.exe) >>',
})));
put('saved-title', 'contract-catalog-changed', update(signed, { 8: '<< /Title (Recibo) /Producer (icert) >>' }));
put('saved-signature-replaced', 'contract-object-replaced', update(signed, (f) => ({ 10: f.object(10).replace('D:2026', 'D:2025') })));
put('saved-fields-emptied', 'contract-form-changed', update(signed, (f) => ({ 1: f.object(1).replace(/\/Fields \[[^\]]*\]/, '/Fields []') })));
put('saved-form-removed', 'contract-form-changed', update(signed, () => ({ 1: objects[1] })));
put('saved-entry-elsewhere', 'contract-damaged', update(signed, {}, { lies: { 5: table.toString('latin1').indexOf('6 0 obj') } }));
put('saved-prev-skips', 'contract-damaged', update(signed, {}, { prev: read(table).prev }));
put('saved-object-unlisted', 'contract-damaged', update(signed, {}, { before: '5 0 obj\n(x)\nendobj\n' }));
put('saved-encrypted', 'contract-encrypted', update(signed, {}, { trailer: ' /Encrypt << /Filter /Standard >>' }));
put('saved-hybrid', 'contract-damaged', update(signed, {}, { trailer: ' /XRefStm 15' }));

// What comes with a signature but does not belong to it.
bad('with-page', 'contract-page-changed', { objects: { 5: stream('(el precio es 0,00) Tj') } });
bad('with-page-key', 'contract-page-changed', { change: (o) => { o[3] = o[3].replace('/Contents 5', '/Contents 6'); } });
bad('with-rotated-page', 'contract-page-changed', { change: (o) => { o[3] = added(o[3], '/Rotate 180'); } });
bad('with-script', 'contract-script-added', { widget: ' /AA << /E << /S /JavaScript /JS (x) >> >>' });
bad('with-action', 'contract-script-added', { widget: ' /A << /S /URI /URI (http://example.org) >>' });
bad('with-form-script', 'contract-form-changed', { change: (o) => { o[1] = o[1].replace('/SigFlags 3', '/SigFlags 3 /CO [5 0 R]'); } });
bad('with-xfa', 'contract-form-changed', { change: (o) => { o[1] = o[1].replace('/SigFlags 3', '/SigFlags 3 /XFA (x)'); } });
bad('with-text-field', 'contract-form-changed', {
	change(o, n) {
		o[1] = o[1].replace(/(\/Fields \[[^\]]*)\]/, `$1 ${n.free} 0 R]`);
		o[n.free] = '<< /FT /Tx /T (precio) /V (0,00) >>';
	},
});
bad('with-layers', 'contract-catalog-changed', { change: (o) => { o[1] = added(o[1], '/OCProperties << /OCGs [] /D << >> >>'); } });
bad('with-file-in-picture', 'contract-file-added', {
	visible: box,
	objects: (n) => ({ [n.free]: '<< /Type /Filespec /F (x) >>' }),
	change: (o, n) => { o[n.appearance] = stream('', `/Subtype /Form /BBox [0 0 1 1] /X ${n.free} 0 R`); },
});
bad('covers', 'signature-covers', { visible: [0, 0, 595, 841] });
bad('covers-upside-down', 'signature-covers', { visible: [595, 841, 0, 0] });
bad('dangling', 'contract-damaged', { visible: box, change: (o, n) => { o[n.appearance] = stream('', '/Subtype /Form /Resources 99 0 R'); } });
bad('beyond-size', 'contract-damaged', { finish: (pdf) => Buffer.from(pdf.toString('latin1').replace(/\/Size 1\d/g, '/Size 10'), 'latin1') });
bad('wrong-offset', 'contract-damaged', { update: { lies: { 3: 15 } } });
bad('waiting-moved', 'contract-form-changed', { change: (o, n, file) => {
	o[9] = added(file.object(9), `/V ${n.signature} 0 R`).replace('272 122', '500 800');
	delete o[n.field];
	delete o[n.page];
	delete o[n.root];
} }, waiting);
put('field-unsigned', 'contract-form-changed', sign(table, ana, { change(o, n) {
	o[1] = o[1].replace(/(\/Fields \[[^\]]*)\]/, `$1 ${n.free} 0 R]`);
	o[n.free] = '<< /FT /Sig /T (vacia) >>';
} }));

// Who signed.
put('other-signer', 'cms-certificate', sign(table, other));
put('other-key', 'cms-signature', sign(table, ana, {
	cms: (data) => {
		const mixed = { key: ana.key, cert: ana.cert };
		const der = cms(data, mixed);
		der[der.length - 20] ^= 1;
		return der;
	},
}));
put('digest-of-other', 'cms-digest', sign(table, ana, { cms: () => cms(Buffer.from('another document'), ana) }));
put('attached', 'cms-attached', sign(table, ana, { digest: { more: ['-nodetach'] } }));
put('two-signer-infos', 'cms-signers', sign(table, ana, { digest: { more: ['-signer', other.cert, '-inkey', other.key] } }));
put('no-certificate', 'cms-certificate', sign(table, ana, { digest: { more: ['-nocerts'] } }));
put('no-attributes', 'cms-attributes', sign(table, ana, { digest: { more: ['-noattr'] } }));
put('sha1', 'cms-algorithm', sign(table, ana, { digest: { md: 'sha1' } }));
put('pades-without-binding', 'cms-binding', sign(table, ana, { subfilter: 'ETSI.CAdES.detached' }));
put('ber', 'ok', sign(table, ana, { hole: (der) => ber(der, 4) }));
put('ber-everywhere', 'ok', sign(table, ana, { hole: (der) => ber(der, 99) }));
put('ber-pieces', 'ok', sign(table, ana, { pades: true, hole: (der) => ber(der, 99, true) }));
put('ber-long', 'ok', sign(table, ana, { hole: (der) => Buffer.concat([Buffer.from([0x30, 0x84, 0, 0]), der.subarray(2)]) }));
put('ber-attached', 'cms-attached', sign(table, ana, { digest: { more: ['-stream'] } }));
put('ber-without-end', 'cms-format', sign(table, ana, { hole: (der) => Buffer.concat([Buffer.from([0x30, 0x80]), der.subarray(4), Buffer.from([1])]) }));
put('ber-mixed-pieces', 'cms-format', sign(table, ana, { hole: (der) => Buffer.from(ber(der, 99, true).toString('hex').replace('24800483', '24801383'), 'hex') }));
put('garbage', 'cms-format', sign(table, ana, { cms: () => Buffer.alloc(600, 7) }));
put('director-alone', 'cms-certificate', sign(table, director), table, [ana, director]);
put('director-missing', 'contract-signature-missing', signed, table, [ana, director]);
put('director-first', 'cms-certificate', sign(sign(table, director), ana), table, [ana, director]);
put('one-too-many', 'contract-signature-extra', sign(signed, other));
put('twice-the-same', 'cms-certificate', sign(signed, ana), table, [ana, director]);

// A contract as the house draws it, when one is named.
if (process.argv[3]) {
	const real = readFileSync(process.argv[3]);
	const once = sign(real, ana, { pades: true, visible: [300, 60, 500, 110] });
	put('drawn', 'ok', once, real);
	put('drawn-two', 'ok', sign(once, director), real, [ana, director]);
	put('drawn-stream', 'ok', sign(real, ana, { xref: 'stream' }), real);
}

writeFileSync(join(dir, 'manifest.tsv'), rows.join('\n') + '\n');
