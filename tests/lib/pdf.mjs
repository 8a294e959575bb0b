// A small writer of PDF revisions and signatures, for tests and for whoever tries the product without FirmaEC:
//   node tests/lib/pdf.mjs CONTRACT.pdf HOLDER.p12 PASSWORD SIGNED.pdf
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync, inflateSync } from 'node:zlib';

const bytes = (s) => Buffer.from(s, 'latin1');
const text = (b) => b.toString('latin1');

/** A first revision from {number: text of the object}; xref is 'table' or 'stream'. */
export function firstRevision(objects, { root = 1, info, xref = 'table' } = {}) {
	return append(bytes('%PDF-1.7\n%\xe2\xe3\xcf\xd3\n'), objects, { root, info, xref, prev: null, size: 0 });
}

/**
 * An incremental update.  objects: {number: text or Buffer}; further keys of the trailer, entries of the
 * cross-reference that lie, and octets before it can be given, to make what must be refused.
 */
export function append(pdf, objects, { root, info, xref = 'table', prev, size, trailer = '', lies = {}, before = '', packed = {} } = {}) {
	const parts = [pdf];
	let at = pdf.length;
	const offsets = {};
	const put = (b) => { parts.push(b); at += b.length; };

	for (const [number, body] of Object.entries(objects)) {
		offsets[number] = at;
		put(Buffer.concat([bytes(`${number} 0 obj\n`), Buffer.isBuffer(body) ? body : bytes(body), bytes('\nendobj\n')]));
	}
	let top = Math.max(size - 1, ...Object.keys(objects).map(Number), ...Object.keys(packed).map(Number));
	const inside = {};
	if (Object.keys(packed).length > 0) {
		const number = ++top;
		let head = '';
		let body = '';
		Object.entries(packed).forEach(([n, value], i) => {
			head += `${n} ${body.length} `;
			body += value + '\n';
			inside[n] = [number, i];
		});
		offsets[number] = at;
		put(Buffer.concat([bytes(`${number} 0 obj\n`), stream(head + body,
			`/Type /ObjStm /N ${Object.keys(packed).length} /First ${head.length}`), bytes('\nendobj\n')]));
	}
	put(bytes(before));
	const keys = (n) => `/Size ${n} /Root ${root} 0 R${info ? ` /Info ${info} 0 R` : ''}${prev === null ? '' : ` /Prev ${prev}`}${trailer}`;
	const start = at;
	Object.assign(offsets, lies);
	if (xref === 'stream') {
		const number = top + 1;
		offsets[number] = at;
		const listed = [...Object.keys(offsets), ...Object.keys(inside)].map(Number).sort((a, b) => a - b);
		const rows = Buffer.alloc(listed.length * 7);
		listed.forEach((n, i) => {
			rows[i * 7] = n in inside ? 2 : 1;
			rows.writeUInt32BE(n in inside ? inside[n][0] : offsets[n], i * 7 + 1);
			rows.writeUInt16BE(n in inside ? inside[n][1] : 0, i * 7 + 5);
		});
		const body = deflateSync(rows);
		put(Buffer.concat([bytes(`${number} 0 obj\n<< /Type /XRef ${keys(number + 1)} /W [1 4 2] /Index [${listed.map((n) => `${n} 1`).join(' ')}]`
			+ ` /Filter /FlateDecode /Length ${body.length} >>\nstream\n`), body, bytes('\nendstream\nendobj\n')]));
	} else {
		put(bytes('xref\n' + (prev === null ? '0 1\n0000000000 65535 f \n' : '')));
		for (const n of Object.keys(offsets).map(Number).sort((a, b) => a - b))
			put(bytes(`${n} 1\n${String(offsets[n]).padStart(10, '0')} 00000 n \n`));
		put(bytes(`trailer\n<< ${keys(top + 1)} >>\n`));
	}
	put(bytes(`startxref\n${start}\n%%EOF\n`));
	return Buffer.concat(parts);
}

export function stream(body, keys = '') {
	const b = Buffer.isBuffer(body) ? body : bytes(body);
	return Buffer.concat([bytes(`<< ${keys} /Length ${b.length} >>\nstream\n`), b, bytes('\nendstream')]);
}

/** What is needed to continue a file: the last cross-reference, root, size, and the text of an object. */
export function read(pdf) {
	const places = new Map();
	const all = text(pdf);
	const last = Number(/startxref\s+(\d+)\s+%%EOF\s*$/.exec(all)[1]);
	let trailer = null;
	let kind = null;
	for (let at = last; at !== null;) {
		let dict;
		if (all.startsWith('xref', at)) {
			const end = all.indexOf('trailer', at);
			let first = 0;
			let left = 0;
			for (const line of all.slice(at + 4, end).trim().split(/\s*[\r\n]+/)) {
				const w = line.trim().split(/\s+/);
				if (left === 0)
					[first, left] = w.map(Number);
				else {
					if (w[2] === 'n' && !places.has(first))
						places.set(first, { at: Number(w[0]) });
					first++;
					left--;
				}
			}
			dict = all.slice(end, all.indexOf('startxref', end));
			kind ??= 'table';
		} else {
			dict = all.slice(at, all.indexOf('stream', at));
			readRows(pdf, all, at, dict, places);
			kind ??= 'stream';
		}
		trailer ??= dict;
		const prev = /\/Prev (\d+)/.exec(dict);
		at = prev ? Number(prev[1]) : null;
	}
	const object = (n) => {
		const p = places.get(n);
		if (p.at !== undefined)
			return all.slice(all.indexOf('obj', p.at) + 3, all.indexOf('endobj', p.at)).trim();
		const data = text(body(pdf, all, places.get(p.stream).at));
		const dict = object(p.stream);
		const head = data.slice(0, Number(/\/First (\d+)/.exec(dict)[1])).trim().split(/\s+/).map(Number);
		const first = Number(/\/First (\d+)/.exec(dict)[1]);
		const end = head[2 * p.index + 3];
		return data.slice(first + head[2 * p.index + 1], end === undefined ? undefined : first + end).trim();
	};
	const info = /\/Info (\d+)/.exec(trailer);
	return {
		object, prev: last, xref: kind, root: Number(/\/Root (\d+)/.exec(trailer)[1]), info: info ? Number(info[1]) : undefined,
		size: Number(/\/Size (\d+)/.exec(trailer)[1]),
	};
}

function body(pdf, all, at) {
	const dict = all.slice(at, all.indexOf('stream', at));
	let start = all.indexOf('stream', at) + 6;
	start += all[start] === '\r' ? 2 : 1;
	const b = pdf.subarray(start, start + Number(/\/Length (\d+)/.exec(dict)[1]));
	return dict.includes('/FlateDecode') ? inflateSync(b) : b;
}

function readRows(pdf, all, at, dict, places) {
	let data = body(pdf, all, at);
	const w = /\/W ?\[ ?(\d+) (\d+) (\d+) ?\]/.exec(dict).slice(1).map(Number);
	const size = w[0] + w[1] + w[2];
	if (/\/Predictor 12/.test(dict)) {
		const rows = Buffer.alloc(data.length / (size + 1) * size);
		for (let r = 0; r * size < rows.length; r++)
			for (let i = 0; i < size; i++)
				rows[r * size + i] = data[r * (size + 1) + 1 + i] + (r > 0 ? rows[(r - 1) * size + i] : 0);
		data = rows;
	}
	const index = /\/Index ?\[([^\]]*)\]/.exec(dict);
	const sections = index ? index[1].trim().split(/\s+/).map(Number) : [0, Number(/\/Size (\d+)/.exec(dict)[1])];
	let row = 0;
	for (let s = 0; s < sections.length; s += 2)
		for (let i = 0; i < sections[s + 1]; i++, row++) {
			const p = row * size;
			const type = w[0] === 0 ? 1 : data.readUIntBE(p, w[0]);
			const where = data.readUIntBE(p + w[0], w[1]);
			const n = sections[s] + i;
			if (places.has(n))
				continue;
			if (type === 1)
				places.set(n, { at: where });
			else if (type === 2)
				places.set(n, { stream: where, index: w[2] === 0 ? 0 : data.readUIntBE(p + w[0] + w[1], w[2]) });
		}
}

/** The CMS over some octets, by OpenSSL.  identity: {key, cert, chain?} as PEM files. */
export function cms(data, identity, { cades = false, md = 'sha256', more = [] } = {}) {
	const dir = mkdtempSync(join(tmpdir(), 'icert-cms-'));
	try {
		writeFileSync(join(dir, 'data'), data);
		execFileSync('openssl', ['cms', '-sign', '-binary', '-md', md, '-signer', identity.cert, '-inkey', identity.key,
			...(identity.chain ? ['-certfile', identity.chain] : []), ...(cades ? ['-cades'] : []), ...more,
			'-in', join(dir, 'data'), '-outform', 'DER', '-out', join(dir, 'cms')], { stdio: ['ignore', 'ignore', 'pipe'] });
		return readFileSync(join(dir, 'cms'));
	} finally {
		rmSync(dir, { recursive: true });
	}
}

const HOLE = 16384;

/** The first page, wherever the tree keeps it. */
function firstPage(file) {
	let n = Number(/\/Pages (\d+)/.exec(file.object(file.root))[1]);
	for (;;) {
		const kids = /\/Kids\s*\[\s*(\d+)/.exec(file.object(n));
		if (!kids)
			return n;
		n = Number(kids[1]);
	}
}

const inDict = (dict, addition) => dict.replace(/>>\s*$/, `${addition} >>`);

/**
 * Signs as an incremental update.  visible: the widget's rectangle; pades: ETSI.CAdES.detached; kid: field and widget
 * apart; objects: further objects of the revision; change(objects, numbers): the last word on its objects;
 * room: digits of /Contents; range(r), hole(der), finish(pdf): what must be refused.
 */
export function sign(pdf, identity, o = {}) {
	const file = read(pdf);
	const field = file.size;
	const n = { root: file.root, page: firstPage(file), field, signature: field + 1, appearance: field + 2, widget: field + 3, free: field + 4 };
	const rect = o.visible ?? [0, 0, 0, 0];
	const look = `/Type /Annot /Subtype /Widget /Rect [${rect.join(' ')}] /F 132 /P ${n.page} 0 R${o.visible ? ` /AP << /N ${n.appearance} 0 R >>` : ''}${o.widget ?? ''}`;
	const name = `/FT /Sig /T (${o.field ?? 'Firma' + field}) /V ${n.signature} 0 R`;
	const objects = {};
	let catalog = file.object(file.root);
	const form = /\/AcroForm << \/Fields \[([^\]]*)\][^>]*>>/.exec(catalog);
	const fields = `/AcroForm << /Fields [${form ? form[1] + ' ' : ''}${field} 0 R] /SigFlags 3 >>`;
	catalog = form ? catalog.replace(form[0], fields) : inDict(catalog, fields);
	objects[file.root] = catalog;
	const page = file.object(n.page);
	const annots = /\/Annots \[([^\]]*)\]/.exec(page);
	const list = `/Annots [${annots ? annots[1] + ' ' : ''}${o.kid ? n.widget : field} 0 R]`;
	objects[n.page] = annots ? page.replace(annots[0], list) : inDict(page, list);
	objects[field] = o.kid ? `<< ${name} /Kids [${n.widget} 0 R] >>` : `<< ${name} ${look} >>`;
	if (o.kid)
		objects[n.widget] = `<< ${look} /Parent ${field} 0 R >>`;
	if (o.visible)
		objects[n.appearance] = stream('0.9 g 0 0 200 50 re f', '/Type /XObject /Subtype /Form /BBox [0 0 200 50] /Resources << >>');
	const hole = `<${'0'.repeat(o.room ?? HOLE)}>`;
	const mark = '/ByteRange [0 0000000000 0000000000 0000000000]';
	objects[n.signature] = `<< /Type /Sig /Filter /Adobe.PPKLite /SubFilter /${o.subfilter ?? (o.pades ? 'ETSI.CAdES.detached' : 'adbe.pkcs7.detached')}`
		+ ` ${mark} /M (D:20261122120000Z)${o.signature ?? ''} /Contents ${hole} >>`;
	Object.assign(objects, typeof o.objects === 'function' ? o.objects(n, file) : o.objects);
	o.change?.(objects, n, file);
	let out = append(pdf, objects, { ...file, xref: o.xref ?? file.xref, ...o.update });
	const at = text(out).lastIndexOf(mark);
	const gap = text(out).indexOf(hole, at);
	let range = [0, gap, gap + hole.length, out.length - gap - hole.length];
	range = o.range?.(range, pdf.length) ?? range;
	out.write(`/ByteRange [${range.join(' ')}]`.padEnd(mark.length), at, 'latin1');
	const covered = Buffer.concat([out.subarray(range[0], range[0] + range[1]), out.subarray(range[2], range[2] + range[3])]);
	let der = o.cms?.(covered) ?? cms(covered, identity, { cades: o.pades, ...o.digest });
	der = o.hole?.(der) ?? der;
	out.write(der.toString('hex'), gap + 1, 'latin1');
	out = o.finish?.(out, { gap, end: gap + hole.length, at }) ?? out;
	return out;
}

/** The key, the certificate and its chain of a PKCS#12 as PEM files in a folder. */
export function identityOf(p12, password, dir) {
	const out = { key: join(dir, 'key.pem'), cert: join(dir, 'cert.pem'), chain: join(dir, 'chain.pem') };
	const run = (args) => execFileSync('openssl', ['pkcs12', '-in', p12, '-passin', 'env:PKCS12_PASSWORD', ...args],
		{ env: { ...process.env, PKCS12_PASSWORD: password }, stdio: ['ignore', 'ignore', 'pipe'] });
	run(['-nocerts', '-nodes', '-out', out.key]);
	run(['-nokeys', '-clcerts', '-out', out.cert]);
	run(['-nokeys', '-cacerts', '-out', out.chain]);
	if (!readFileSync(out.chain, 'latin1').includes('BEGIN'))
		delete out.chain;
	return out;
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
	const [pdf, p12, password, signed] = process.argv.slice(2);
	const dir = mkdtempSync(join(tmpdir(), 'icert-sign-'));
	try {
		writeFileSync(signed, sign(readFileSync(pdf), identityOf(p12, password, dir), { pades: true }));
	} finally {
		rmSync(dir, { recursive: true });
	}
}
