// Real sample files, made on the spot: PDFs by a small writer, and pictures by
// pdftoppm from such PDFs, so that encoder and renderer are not ours.
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { must } from './tools.mjs';

export const LIMIT = 2 * 1024 * 1024;

/** Latin-1 bytes of a PDF string, with its three special characters escaped. */
function pdfText(text) { return text.replace(/[\\()]/g, '\\$&'); }

/** A whole PDF 1.7 file from a content stream; `extra` adds objects, `catalog` entries of the catalogue. */
export function pdf(content, { width = 595, height = 842, catalog = '', extra = [] } = {}) {
	const stream = Buffer.from(content, 'latin1');
	const objects = [
		`<< /Type /Catalog /Pages 2 0 R ${catalog} >>`,
		'<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
		`<< /Type /Page /Parent 2 0 R /MediaBox [0 0 ${width} ${height}] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>`,
		`<< /Length ${stream.length} >>\nstream\n${stream.toString('latin1')}\nendstream`,
		'<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>',
		...extra,
	];
	let out = '%PDF-1.7\n%\u00e2\u00e3\u00cf\u00d3\n';
	const offsets = objects.map((object, i) => {
		const at = out.length;
		out += `${i + 1} 0 obj\n${object}\nendobj\n`;
		return at;
	});
	const start = out.length;
	out += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n`;
	for (const at of offsets) out += `${String(at).padStart(10, '0')} 00000 n \n`;
	out += `trailer\n<< /Size ${objects.length + 1} /Root 1 0 R /ID [<${randomBytes(16).toString('hex')}> <${randomBytes(16).toString('hex')}>] >>\nstartxref\n${start}\n%%EOF\n`;
	return Buffer.from(out, 'latin1');
}

const fill = (r, g, b) => `${r} ${g} ${b} rg\n`;
const box = (x, y, w, h) => `${x} ${y} ${w} ${h} re f\n`;
const line = (x, y, size, text) => `BT /F1 ${size} Tf ${x} ${y} Td (${pdfText(text)}) Tj ET\n`;

/** An ellipse by four Bézier curves. */
function ellipse(cx, cy, rx, ry) {
	const k = 0.5523;
	return `${cx + rx} ${cy} m ${cx + rx} ${cy + k * ry} ${cx + k * rx} ${cy + ry} ${cx} ${cy + ry} c `
		+ `${cx - k * rx} ${cy + ry} ${cx - rx} ${cy + k * ry} ${cx - rx} ${cy} c `
		+ `${cx - rx} ${cy - k * ry} ${cx - k * rx} ${cy - ry} ${cx} ${cy - ry} c `
		+ `${cx + k * rx} ${cy - ry} ${cx + rx} ${cy - k * ry} ${cx + rx} ${cy} c f\n`;
}

/** A sheet in colour with a title and lines: stands for a scanned paper. */
function sheet(title, lines) {
	return fill(0.93, 0.9, 0.78) + box(0, 0, 595, 842)
		+ fill(0.98, 0.82, 0.1) + box(0, 790, 595, 26)
		+ fill(0.1, 0.25, 0.6) + box(0, 777, 595, 13)
		+ fill(0.75, 0.1, 0.12) + box(0, 770, 595, 7)
		+ fill(0.1, 0.1, 0.15) + line(60, 720, 22, title)
		+ lines.map((text, i) => line(60, 680 - 22 * i, 13, text)).join('')
		+ fill(0.45, 0.5, 0.7) + box(430, 560, 110, 140) + fill(0.85, 0.68, 0.55) + ellipse(485, 635, 32, 42);
}

/** A head and shoulders before a wall of one colour, drawn to the page's size. */
function portrait(width, height, wall) {
	const cx = width / 2;
	return fill(...wall) + box(0, 0, width, height)
		+ fill(0.2, 0.28, 0.45) + ellipse(cx, -height * 0.04, width * 0.3, height * 0.26)
		+ fill(0.82, 0.64, 0.5) + box(cx - width * 0.06, height * 0.16, width * 0.12, height * 0.2)
		+ fill(0.16, 0.1, 0.07) + ellipse(cx, height * 0.58, width * 0.165, height * 0.29)
		+ fill(0.86, 0.68, 0.55) + ellipse(cx, height * 0.53, width * 0.145, height * 0.26)
		+ fill(0.1, 0.08, 0.08) + ellipse(cx - width * 0.055, height * 0.57, width * 0.014, height * 0.016)
		+ ellipse(cx + width * 0.055, height * 0.57, width * 0.014, height * 0.016)
		+ fill(0.7, 0.35, 0.32) + ellipse(cx, height * 0.39, width * 0.045, height * 0.014);
}

/** Bytes of a picture that pdftoppm draws from a PDF, one point a pixel. */
function render(bytes, kind, { width, height } = {}) {
	const dir = mkdtempSync(join(tmpdir(), 'icert-files-'));
	try {
		const source = join(dir, 'a.pdf');
		writeFileSync(source, bytes);
		const size = width ? ['-scale-to-x', String(width), '-scale-to-y', String(height)] : ['-r', '100'];
		must('pdftoppm', [`-${kind}`, '-singlefile', ...size, source, join(dir, 'out')]);
		return readFileSync(join(dir, `out.${kind === 'jpeg' ? 'jpg' : 'png'}`));
	} finally {
		rmSync(dir, { recursive: true, force: true });
	}
}

/** Puts an EXIF segment with a comment, a GPS tag and an orientation (1–8) after a JPEG's first marker. */
export function withExif(jpeg, orientation = 1) {
	const entry = (tag, type, count, value) => {
		const b = Buffer.alloc(12);
		b.writeUInt16BE(tag, 0);
		b.writeUInt16BE(type, 2);
		b.writeUInt32BE(count, 4);
		if (type === 3) b.writeUInt16BE(value, 8);
		else b.writeUInt32BE(value, 8);
		return b;
	};
	// IFD0 at 8: orientation, GPS pointer; GPS IFD at 38: latitude reference "S".
	const head = Buffer.from([0x4d, 0x4d, 0, 42, 0, 0, 0, 8]);
	const ifd0 = Buffer.concat([Buffer.from([0, 2]), entry(0x0112, 3, 1, orientation), entry(0x8825, 4, 1, 38), Buffer.alloc(4)]);
	const gps = Buffer.concat([Buffer.from([0, 1]), entry(0x0001, 2, 2, 0x53000000), Buffer.alloc(4)]);
	const tiff = Buffer.concat([head, ifd0, gps]);
	const app1 = Buffer.concat([Buffer.from([0xff, 0xe1]), Buffer.from([(tiff.length + 8) >> 8, (tiff.length + 8) & 255]), Buffer.from('Exif\0\0'), tiff]);
	return Buffer.concat([jpeg.subarray(0, 2), app1, jpeg.subarray(2)]);
}

const made = new Map();
function once(key, make) {
	if (!made.has(key)) made.set(key, make());
	return made.get(key);
}

const file = (filename, type, data) => ({ filename, type, data });

/** Colour scan of an identity card as a PDF. */
export function cedulaPdf(person = 'EJEMPLO', number = '1710034065') {
	return file('mi cedula.pdf', 'application/pdf', pdf(sheet('CEDULA DE CIUDADANIA', [person, `No. ${number}`, 'REPUBLICA DEL ECUADOR'])));
}

/** Colour scan of a voting certificate as a JPEG, with EXIF and GPS data that must not survive. */
export function votingJpeg() {
	return file('votación.jpg', 'image/jpeg', once('voting', () => withExif(render(pdf(sheet('CERTIFICADO DE VOTACION', ['ELECCIONES GENERALES'])), 'jpeg'))));
}

/** A utility bill as a PNG. */
export function billPng() {
	return file('planilla de luz.png', 'image/png', once('bill', () => render(pdf(sheet('EMPRESA ELECTRICA', ['PLANILLA DE LUZ', 'AV. 10 DE AGOSTO N24-120 Y COLON'])), 'png')));
}

/** A face photograph of the given size before a plain light wall. */
export function photo(width = 640, height = 540, { wall = [0.95, 0.95, 0.93] } = {}) {
	return file('captura.jpg', 'image/jpeg', once(`photo${width}x${height}${wall}`, () => render(pdf(portrait(width, height, wall), { width, height }), 'jpeg', { width, height })));
}

/** The same as a PNG screenshot. */
export function photoPng(width = 800, height = 600) {
	return file('captura.png', 'image/png', once(`photopng${width}x${height}`, () => render(pdf(portrait(width, height, [0.95, 0.95, 0.93]), { width, height }), 'png', { width, height })));
}

/** Before a dark, busy wall: background check must complain. */
export function photoDark(width = 640, height = 540) {
	let busy = '';
	for (let i = 0; i < 40; i++) busy += fill((i * 37 % 100) / 160, (i * 53 % 100) / 160, (i * 71 % 100) / 160) + box((i % 8) * width / 8, Math.floor(i / 8) * height / 5, width / 8, height / 5);
	const drawn = portrait(width, height, [0, 0, 0]).split('\n').slice(2).join('\n');
	return file('captura.jpg', 'image/jpeg', once(`dark${width}`, () => render(pdf(busy + drawn, { width, height }), 'jpeg', { width, height })));
}

/** One pixel too narrow. */
export const photoSmall = () => ({ ...photo(599, 500), filename: 'chica.jpg' });

/** A JPEG whose end is missing: right first bytes, wrong file. */
export function truncatedJpeg() {
	const { data } = votingJpeg();
	return file('cortada.jpg', 'image/jpeg', data.subarray(0, Math.floor(data.length * 0.6)));
}

export const empty = (filename = 'vacio.pdf', type = 'application/pdf') => file(filename, type, Buffer.alloc(0));

/** A PDF of exactly `size` bytes, padded after a comment sign before its last line. */
export function pdfOfSize(size) {
	const base = cedulaPdf().data;
	const tail = base.lastIndexOf('startxref');
	const pad = size - base.length - 2;
	// The cross-reference table stays where it is; only white space grows behind the trailer.
	return file('grande.pdf', 'application/pdf', Buffer.concat([base.subarray(0, tail), Buffer.from('%'), Buffer.alloc(pad, 0x20), Buffer.from('\n'), base.subarray(tail)]));
}

/** Two megabytes and one byte. */
export const tooLarge = () => pdfOfSize(LIMIT + 1);

/** A Windows program that calls itself a PDF. */
export function renamedExe(filename = 'cedula.pdf', type = 'application/pdf') {
	const mz = Buffer.alloc(4096);
	mz.write('MZ', 0, 'latin1');
	mz.writeUInt32LE(0x80, 0x3c);
	mz.write('This program cannot be run in DOS mode.\r\r\n$', 0x4e, 'latin1');
	mz.write('PE\0\0', 0x80, 'latin1');
	return file(filename, type, mz);
}

/** A PDF that asks for a password, made by qpdf. */
export function encryptedPdf() {
	return file('con-clave.pdf', 'application/pdf', once('encrypted', () => {
		const dir = mkdtempSync(join(tmpdir(), 'icert-files-'));
		try {
			writeFileSync(join(dir, 'a.pdf'), cedulaPdf().data);
			must('qpdf', ['--encrypt', 'secreto', 'secreto', '256', '--', join(dir, 'a.pdf'), join(dir, 'b.pdf')]);
			return readFileSync(join(dir, 'b.pdf'));
		} finally {
			rmSync(dir, { recursive: true, force: true });
		}
	}));
}

/** A PDF that runs JavaScript when opened. */
export function activePdf() {
	return file('activo.pdf', 'application/pdf', pdf(sheet('CEDULA', []), {
		catalog: '/OpenAction 6 0 R', extra: ['<< /S /JavaScript /JS (app.alert\\(1\\);) >>'],
	}));
}

/** A page of text that calls itself a PDF. */
export const textAsPdf = () => file('nota.pdf', 'application/pdf', Buffer.from('esto no es un documento PDF\n'.repeat(20)));

/** What an applicant and an operator load on the way to a certificate, as files of a folder. */
function samples(folder) {
	mkdirSync(folder, { recursive: true });
	const papers = { 'cedula.pdf': cedulaPdf(), 'votacion.jpg': votingJpeg(), 'planilla.png': billPng(), 'rostro.jpg': photo() };
	for (const [name, { data }] of Object.entries(papers)) writeFileSync(join(folder, name), data);
	return Object.keys(papers).map((name) => join(folder, name));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	if (process.argv.length !== 3) {
		console.error('node tests/lib/files.mjs FOLDER');
		process.exit(2);
	}
	console.log(samples(process.argv[2]).join('\n'));
}
