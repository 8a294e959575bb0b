// The mail catcher of a private instance: takes every message over SMTP
// (npm smtp-server), reads it (npm postal-mime), keeps it in a folder, and shows
// it on a page and as JSON:
//
//   GET /                            the box, newest first
//   GET /mail/ID                     one mail, as a person reads it
//   GET /email                       all mails, oldest first (JSON)
//   GET /email/ID                    one mail (JSON)
//   GET /email/ID/source             as it came over SMTP
//   GET /email/ID/attachment/NAME    an attachment's bytes
//   DELETE /email/all                empties the box
//
// usage: node mail.mjs --smtp PORT --page PORT --folder DIR
import { createServer } from 'node:http';
import { readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import PostalMime from 'postal-mime';
import { SMTPServer } from 'smtp-server';

const HOST = '127.0.0.1';
const MESSAGE_MAX = 40 * 1024 * 1024;

const { values: options } = parseArgs({
	options: { smtp: { type: 'string' }, page: { type: 'string' }, folder: { type: 'string' } },
});

const box = new Map();		// id → mail, oldest first
let refusing = false;

const people = (list) => (list ?? []).flatMap((a) => a.group ?? [a]).map((a) => ({ address: a.address ?? '', name: a.name ?? '' }));

async function take(id, source) {
	const mail = await PostalMime.parse(source);
	const headers = {};
	for (const { key, value } of mail.headers)
		headers[key] = key in headers ? [headers[key], value].flat() : value;
	box.set(id, {
		id, source,
		subject: mail.subject ?? '', text: mail.text ?? '', html: mail.html ?? '', headers,
		from: people(mail.from ? [mail.from] : []), to: people(mail.to), cc: people(mail.cc),
		messageId: mail.messageId ?? '', date: mail.date ?? '', time: new Date(Number(id.split('-')[0])).toISOString(),
		attachments: mail.attachments.map((a, n) => ({
			generatedFileName: a.filename ?? `parte-${n + 1}`, fileName: a.filename ?? '', contentType: a.mimeType,
			length: a.content.byteLength, content: Buffer.from(a.content),
		})),
	});
}

const described = ({ source, attachments, ...mail }) => ({
	...mail, size: source.length, attachments: attachments.map(({ content, ...rest }) => rest),
});

// What was there before this start.
for (const file of readdirSync(options.folder).filter((f) => f.endsWith('.eml')).sort())
	await take(file.slice(0, -4), readFileSync(join(options.folder, file)));

let count = box.size;
const smtp = new SMTPServer({
	authOptional: true, disabledCommands: ['STARTTLS', 'AUTH'], size: MESSAGE_MAX, logger: false, disableReverseLookup: true,
	onData(stream, session, done) {
		const chunks = [];
		stream.on('data', (chunk) => chunks.push(chunk));
		stream.on('end', async () => {
			if (refusing)
				return done(Object.assign(new Error('try later'), { responseCode: 451 }));
			if (stream.sizeExceeded)
				return done(Object.assign(new Error('message too large'), { responseCode: 552 }));
			// The order of arrival is in the name: two may come in one millisecond.
			const id = `${Date.now()}-${String(++count).padStart(6, '0')}`;
			const source = Buffer.concat(chunks);
			writeFileSync(join(options.folder, `${id}.new`), source, { flush: true });
			renameSync(join(options.folder, `${id}.new`), join(options.folder, `${id}.eml`));
			await take(id, source);
			done();
		});
	},
});
smtp.on('error', (error) => process.stderr.write(`smtp: ${error.message}\n`));

const escape = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
const named = (list) => list.map((a) => (a.name ? `${a.name} <${a.address}>` : a.address)).join(', ');
const page = (title, body) => `<!doctype html>
<html lang="es"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title><style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 1.5rem auto; max-width: 60rem; padding: 0 1rem; color: #0b0c0c }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .5rem; border-bottom: 1px solid #b1b4b6; vertical-align: top }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: #f3f2f1; padding: 1rem } iframe { width: 100%; height: 32rem; border: 1px solid #b1b4b6 }
dt { font-weight: bold } dd { margin: 0 0 .5rem } @media (max-width: 40rem) { .time { display: none } }
</style></head><body>${body}</body></html>`;

function boxPage() {
	const rows = [...box.values()].reverse().map((m) => `<tr><td class="time">${escape(m.time.replace('T', ' ').slice(0, 19))}</td>
<td>${escape(named(m.to))}</td><td><a href="/mail/${m.id}">${escape(m.subject || '(sin asunto)')}</a></td><td>${m.attachments.length || ''}</td></tr>`);
	return page('Correo de pruebas', `<h1>Correo de pruebas</h1><p>Todo lo que esta instancia envía llega aquí, y a nadie más.
<a href="/">Actualizar</a></p><table><thead><tr><th class="time">Hora (UTC)</th><th>Para</th><th>Asunto</th><th>Adjuntos</th></tr></thead>
<tbody>${rows.join('') || '<tr><td colspan="4">Todavía no ha llegado ningún correo.</td></tr>'}</tbody></table>`);
}

// The HTML part is a stranger's page: shown without scripts, forms or origin,
// but its links may open in a new tab.
const linked = (text) => escape(text).replace(/https?:\/\/[^\s<>"']+/g, (url) => `<a href="${url}">${url}</a>`);
function mailPage(m) {
	const files = m.attachments.map((a) => `<li><a href="/email/${m.id}/attachment/${encodeURIComponent(a.generatedFileName)}" download>${escape(a.generatedFileName)}</a> (${a.length} bytes)</li>`);
	const shown = m.html && `<h2>Parte HTML</h2><iframe title="Parte HTML del correo" sandbox="allow-popups allow-popups-to-escape-sandbox" srcdoc="${escape(`<base target="_blank">${m.html}`)}"></iframe>`;
	return page(m.subject, `<p><a href="/">Todos los correos</a></p><h1>${escape(m.subject)}</h1><dl><dt>De</dt><dd>${escape(named(m.from))}</dd>
<dt>Para</dt><dd>${escape(named(m.to))}</dd><dt>Hora (UTC)</dt><dd>${escape(m.time)}</dd></dl>${files.length ? `<h2>Adjuntos</h2><ul>${files.join('')}</ul>` : ''}
<h2>Texto</h2><pre>${linked(m.text)}</pre>${shown}<p><a href="/email/${m.id}/source">Mensaje completo, como llegó</a></p>`);
}

const TYPES = { html: 'text/html; charset=utf-8', json: 'application/json', text: 'text/plain; charset=utf-8', bytes: 'application/octet-stream' };
function answer(response, type, body, status = 200, more = {}) {
	response.writeHead(status, {
		'content-type': TYPES[type], 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer',
		'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'", ...more,
	});
	response.end(body);
}

function route(request, response) {
	const path = decodeURIComponent(new URL(request.url, 'http://box').pathname);
	const [, kind, id, what, name] = path.split('/');
	const mail = box.get(id);
	if (request.method === 'DELETE' && path === '/email/all') {
		for (const old of box.keys()) rmSync(join(options.folder, `${old}.eml`), { force: true });
		box.clear();
		return answer(response, 'json', 'true');
	}
	// Faults on purpose: the server says "try later" until told otherwise.
	if (request.method === 'POST' && (path === '/refuse' || path === '/accept')) {
		refusing = path === '/refuse';
		return answer(response, 'json', String(refusing));
	}
	if (request.method !== 'GET' && request.method !== 'HEAD') return answer(response, 'text', 'method not allowed', 405);
	if (path === '/') return answer(response, 'html', boxPage());
	if (path === '/email') return answer(response, 'json', JSON.stringify([...box.values()].map(described)));
	if (mail && kind === 'mail') return answer(response, 'html', mailPage(mail));
	if (mail && kind === 'email' && !what) return answer(response, 'json', JSON.stringify(described(mail)));
	if (mail && what === 'source') return answer(response, 'text', mail.source);
	const file = what === 'attachment' && mail?.attachments.find((a) => a.generatedFileName === name);
	if (file) return answer(response, 'bytes', file.content, 200, { 'content-disposition': 'attachment' });
	return answer(response, 'text', 'not found', 404);
}

const web = createServer((request, response) => {
	try {
		route(request, response);
	} catch (error) {
		answer(response, 'text', error.message, 400);
	}
});
smtp.listen(Number(options.smtp), HOST, () => web.listen(Number(options.page), HOST,
	() => process.stdout.write(`mail catcher: SMTP ${HOST}:${options.smtp}, page http://${HOST}:${options.page}/\n`)));
process.on('SIGTERM', () => process.exit(0));
