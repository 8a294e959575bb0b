// Bad input at the portal: the right status, one Spanish sentence, nothing typed or uploaded lost.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { startInstance } from '../lib/instance.mjs';
import { Client, until } from '../lib/http.mjs';
import { MailBox } from '../lib/mail.mjs';
import * as files from '../lib/files.mjs';

let icert, box;
before(async () => {
	icert = await startInstance();
	box = new MailBox(icert.mail);
});
after(async () => {
	icert?.psqlOpen?.end();
	await icert?.stop();
});

let people = 0;
/** Each from an address of their own, as the edge counts them. */
const person = () => ({ client: new Client({ base: icert.portal, localAddress: `127.0.3.${++people}` }), email: `caso${people}.${Date.now()}@correo.example` });

async function signIn({ client, email }, next = '/mi-tramite') {
	const count = (await box.list({ to: email })).length;
	const asked = await (await client.visit(next)).form(/entrar/).submit({ email });
	assert.equal(asked.status, 200, asked.main);
	const mails = await until(async () => {
		const list = await box.list({ to: email });
		return list.length > count && list;
	}, { what: 'the code' });
	return asked.form(/codigo/).submit({ code: mails.at(-1).code(6) });
}

const billing = { for_me: 'yes', id_kind: 'cedula', id_number: '1710034065', name: 'María Peñafiel', address: 'Av. Amazonas N23', telephone: '0991234567' };

/** From nothing to a paid order's page. */
async function paid(who) {
	const tariff = await who.client.visit('/tarifas');
	const form = await signIn(who, new URL(tariff.link(/Comprar/)).pathname);
	const order = await form.form(/comprar/).submit(billing);
	const gateway = await order.form(/pagar/).submit();
	assert.match((await who.client.visit(order.path)).main, /no pague otra vez/, 'who comes back by themselves is not led to pay twice');
	await (await who.client.visit(gateway.link(/Ir a la página/))).form(/aprobar/).submit();
	return until(async () => {
		const page = await who.client.visit(order.path);
		return page.forms.some((f) => /solicitud$/.test(f.action)) && page;
	}, { what: 'the payment' });
}

async function draft(who, id_number = '1710034065', begun) {
	const start = begun ?? await (await paid(who)).form(/solicitud$/).submit();
	const id = start.path.split('/')[2];
	const save = async (step, values) => {
		const page = await (await who.client.visit(`/solicitud/${id}/${step}`)).form(new RegExp(step)).submit(values);
		assert.equal(page.status, 200, `${step}: ${page.errors}`);
	};
	await save('identidad', { id_kind: 'cedula', id_number });
	await save('nombres', { given_names: 'María', surname1: 'Peñafiel', surname2: '' });
	await save('domicilio', { province: '17', city: 'Quito', address: 'Av. Amazonas N23-45' });
	await save('telefono', { telephone: '099 123 4567' });
	await save('ruc', { invoices: 'no', ruc: '' });
	await save('votacion', { voting_paper: 'certificate', voting_reason: '' });
	await save('privacidad', { privacy: 'yes' });
	return id;
}

const upload = async (who, id, kind, file) =>
	(await who.client.visit(`/tramite/${id}/documento/${kind}`)).form(/documento/).send({ file: { filename: file.filename, type: file.type, data: file.data ?? file.bytes } });

async function complete(who, id) {
	for (const [kind, file] of [['cedula', files.cedulaPdf()], ['voting', files.votingJpeg()], ['utility', files.billPng()]]) {
		const answer = await upload(who, id, kind, file);
		assert.equal(answer.status, 303, (await answer.follow()).main);
	}
}

/** One sentence: it begins with a capital, ends with a point, and shows nothing of the inside. */
function sentence(page, status) {
	assert.equal(page.status, status, page.main.slice(0, 300));
	assert.equal(page.errors.length, 1, page.main.slice(0, 300));
	assert.match(page.errors[0], /^[¿A-ZÁÉÍÓÚÑ].*\.$/);
	assert.doesNotMatch(page.main, /ICERT_E|icert\.|SQLSTATE|\.c:|\/var\/|\/dev\/shm/);
}

/** The published comparison, word for word. */
const STATEMENTS = {
	token: ['Tokens compatibles con sistemas Quipux, SRI, Ministerio de Salud Pública MSP, otros (Activar Modo de compatibilidad)',
		'Permite firmar documentos sin necesitar conexión de Internet', 'Espacio de libre escritura para guardar documentos (memoria flash)',
		'Fácil instalación de drivers en sistemas operativos (Windows, Linux, Mac)', 'Contiene de forma segura su certificado de firma electrónica.',
		'Dispone de herramientas que facilitan su uso e interoperabilidad con aplicaciones de terceros.',
		'Contiene software integrado para firma de documentos (pdf, xml, otros), validación de documentos (pdf, xml, otros).',
		'Permite el cambio de su contraseña.', 'Software integrado para actualización del token.', 'Doble factor de seguridad hardware y software.'],
	file: ['Compatible con sistemas del Ministerio de Salud Pública.', 'Seguridad por software.', 'La seguridad del archivo depende del manejo del propietario.',
		'Susceptible a pérdida o daño de su firma electrónica por falla de su computador', 'No permite el cambio de su contraseña.',
		'Necesita instalar aplicaciones de terceros para la firma de documentos.'],
};

test('the tariff says, before paying, what the published text says', async () => {
	const page = await new Client({ base: icert.portal }).visit('/tarifas');
	const cells = [...page.html.matchAll(/<td class="govuk-table__cell" data-label="([^"]+)">(.*?)<\/td>/gs)].map((m) => m[2]);
	assert.equal(cells.length, 3);
	for (const text of STATEMENTS.token) assert.ok(cells[0].includes(`<li>${text}</li>`), text);
	for (const text of STATEMENTS.file) assert.ok(cells[1].includes(`<li>${text}</li>`), text);
	assert.match(page.main, /120 horas/);
	assert.match(page.main, /30 días calendario/);
	assert.match(page.main, /2 MB/);
	assert.match(page.main, /IVA/);
	assert.equal(page.links.filter((a) => /Comprar/.test(a.text)).every((a) => a.href.startsWith('/comprar/')), true);
	// Only the file is on sale; the others say so.
	assert.match(page.main, /Todavía no está a la venta|Disponible desde|A la venta en línea desde/);
});

test('wrong cédula, RUC and passport are named, and stay as they were typed', async () => {
	const who = person();
	const start = await (await paid(who)).form(/solicitud$/).submit();
	const id = start.path.split('/')[2];
	const wrong = async (step, values, field) => {
		const page = await (await who.client.visit(`/solicitud/${id}/${step}`)).form(new RegExp(step)).submit(values);
		sentence(page, 422);
		assert.equal(page.form(new RegExp(step)).value(field), values[field]);
		assert.match(page.html, new RegExp(`id="${field}-error"`));
		// Kept on the server too: another visit finds it.
		const again = await who.client.visit(`/solicitud/${id}/${step}`);
		assert.equal(again.form(new RegExp(step)).value(field), values[field]);
	};
	await wrong('identidad', { id_kind: 'cedula', id_number: '0912345678' }, 'id_number');
	await wrong('identidad', { id_kind: 'cedula', id_number: '1234567890' }, 'id_number');
	await wrong('identidad', { id_kind: 'cedula', id_number: '171003406' }, 'id_number');
	await wrong('identidad', { id_kind: 'passport', id_number: 'A1' }, 'id_number');
	await (await who.client.visit(`/solicitud/${id}/identidad`)).form(/identidad/).submit({ id_kind: 'cedula', id_number: '1710034065' });
	await wrong('ruc', { invoices: 'yes', ruc: '1710034065000' }, 'ruc');
	await wrong('ruc', { invoices: 'yes', ruc: '1714616123001' }, 'ruc');
	await wrong('telefono', { telephone: '12' }, 'telephone');
});

test('files that cannot be taken: status, sentence, and the earlier file stays', async () => {
	const who = person();
	const id = await draft(who);
	await complete(who, id);
	const refuse = async (file, status) => {
		const page = await upload(who, id, 'cedula', file);
		sentence(page, status);
		assert.match(page.main, /Ya recibimos este documento/);
	};
	await refuse(files.tooLarge(), 413);
	await refuse(files.empty(), 415);
	await refuse(files.renamedExe(), 415);
	await refuse(files.textAsPdf(), 415);
	await refuse(files.truncatedJpeg(), 422);
	await refuse(files.encryptedPdf(), 422);
	await refuse(files.activePdf(), 422);
	await refuse({ ...files.votingJpeg(), filename: 'foto.pdf' }, 422);
	const none = await (await who.client.visit(`/tramite/${id}/documento/cedula`)).form(/documento/).send({});
	sentence(none, 422);
	assert.equal((await upload(who, id, 'cedula', files.pdfOfSize(files.LIMIT))).status, 303);
	assert.equal((await who.client.visit(`/solicitud/${id}/resumen`)).form(/enviar/).method, 'post');
});

test('double submit and the back button end where the case stands', async () => {
	const who = person();
	const orderPage = await paid(who);
	const begin = orderPage.form(/solicitud$/);
	const [one, two] = [await begin.submit(), await begin.submit()];
	assert.equal(one.path.split('/')[2], two.path.split('/')[2], 'one application for one order');
	const id = one.path.split('/')[2];
	// A page that was left open long ago still saves.
	const old = await who.client.visit(`/solicitud/${id}/telefono`);
	await old.form(/telefono/).submit({ telephone: '099 123 4567' });
	const saved = await old.form(/telefono/).submit({ telephone: '098 765 4321' });
	assert.equal(saved.status, 200);
	assert.equal((await who.client.visit(`/solicitud/${id}/telefono`)).form(/telefono/).value('telephone'), '+593987654321');
});

test('submitting twice sends one application and one mail', async () => {
	const who = person();
	const id = await draft(who, '1714616123');
	await complete(who, id);
	const send = (await who.client.visit(`/solicitud/${id}/resumen`)).form(/enviar/);
	const first = await send.submit();
	assert.match(first.path, new RegExp(`^/tramite/${id}`));
	const second = await send.submit();
	assert.equal(second.status, 200);
	assert.equal(second.heading, first.heading);
	// The questions are closed now.
	assert.match((await who.client.visit(`/solicitud/${id}/nombres`)).path, new RegExp(`^/tramite/${id}`));
	await until(async () => (await box.list({ to: who.email, subject: /recib/i })).length >= 1, { what: 'the mail' });
	await new Promise((resolve) => setTimeout(resolve, 1500));
	assert.equal((await box.list({ to: who.email, subject: /solicitud/i })).length, 1);
});

test('from two devices at the very same moment: one application begins, one is submitted, and the order is used once', async () => {
	const who = person(), other = { client: new Client({ base: icert.portal }), email: who.email };
	const order = await paid(who);
	await signIn(other);
	const both = (path, action) => Promise.all([who, other].map(async (one) => (await one.client.visit(path)).form(action)));
	const begins = await both(order.path, /solicitud$/);
	const begun = await Promise.all(begins.map((form) => form.submit()));
	assert.deepEqual(begun.map((page) => page.status), [200, 200]);
	const at = (page) => page.path.split('/')[2];
	assert.equal(at(begun[0]), at(begun[1]));
	const id = await draft(who, '1713175071', begun[0]);
	await complete(who, id);
	const was = `create table if not exists public.was as select * from icert.application where id = '${id}'`;
	icert.sql(was);
	const purchase = icert.sql(`select purchase_id from icert.application where id = '${id}'`);
	const ACTS = 50;
	for (let n = 1; n <= ACTS; n++) {
		const sends = await both(`/solicitud/${id}/resumen`, /enviar/);
		// Both have read what neither has changed: the rows are held until each of them waits for one.
		await icert.ask(`begin; select 1 from icert.purchase p join icert.application a on a.purchase_id = p.id where a.id = '${id}' for update`);
		const sent = Promise.all(sends.map((form) => form.submit()));
		await until(async () => await icert.ask("select pg_stat_clear_snapshot(); select count(*) from pg_stat_activity where wait_event_type = 'Lock' and usename = 'icert_portal'") === '2', { what: 'they meet', every: 5 });
		await icert.ask('commit');
		const ends = await sent;
		assert.deepEqual(ends.map((page) => [page.status, page.path.split('?')[0]]), Array(2).fill([200, `/tramite/${id}`]));
		assert.equal(icert.sql(`select a.state || ' ' || p.state || ' ' || (select count(*) from icert.audit l where l.subject = a.id::text and l.action = 'application.submit' and l.outcome = 'done')
			from icert.application a join icert.purchase p on p.id = a.purchase_id where a.id = '${id}'`), `submitted used ${n}`);
		// As it was before, for the next.
		icert.sql(`set session_replication_role = replica; delete from icert.outbox where application_id = '${id}'; delete from icert.deadline where application_id = '${id}';
			delete from icert.application where id = '${id}'; insert into icert.application select * from public.was; update icert.purchase set state = 'paid' where id = '${purchase}'`);
	}
	icert.sql('drop table public.was');
	other.client.close?.();
});

test('an invoice to the final consumer names nobody, and prefills nothing', async () => {
	const who = person();
	const form = await signIn(who, new URL((await who.client.visit('/tarifas')).link(/Comprar/)).pathname);
	const wrong = await form.form(/comprar/).submit({ ...billing, id_kind: 'consumer', telephone: '12' });
	assert.equal(wrong.status, 422);
	const order = await wrong.form(/comprar/).submit({ id_kind: 'consumer', telephone: '0991234567' });
	assert.match(order.main, /CONSUMIDOR FINAL/);
	assert.doesNotMatch(order.main, /Pe\u00f1afiel/i);
	const gateway = await order.form(/pagar/).submit();
	await (await who.client.visit(gateway.link(/Ir a la página/))).form(/aprobar/).submit();
	const paidPage = await until(async () => {
		const page = await who.client.visit(order.path);
		return page.forms.some((f) => /solicitud$/.test(f.action)) && page;
	}, { what: 'the payment' });
	const start = await paidPage.form(/solicitud$/).submit();
	assert.doesNotMatch(start.html, /9999999999999|1710034065/);
});

test('a second open application of the same person is told, with choices', async () => {
	const who = person();
	const first = await draft(who, '1713175071');
	await complete(who, first);
	await (await who.client.visit(`/solicitud/${first}/resumen`)).form(/enviar/).submit();
	// Told before paying a second time.
	const tariff = await who.client.visit('/tarifas');
	const bill = await who.client.visit(tariff.link(/Comprar/));
	assert.match(bill.main, /no pague otra vez/);
	const order = await bill.form(/comprar/).submit(billing);
	const gateway = await order.form(/pagar/).submit();
	await (await who.client.visit(gateway.link(/Ir a la página/))).form(/aprobar/).submit();
	const page = await until(async () => {
		const p = await who.client.visit(order.path);
		return p.forms.some((f) => /solicitud$/.test(f.action)) && p;
	});
	const second = (await page.form(/solicitud$/).submit()).path.split('/')[2];
	assert.notEqual(second, first);
	const save = async (step, values) => (await who.client.visit(`/solicitud/${second}/${step}`)).form(new RegExp(step)).submit(values);
	await save('identidad', { id_kind: 'cedula', id_number: '1713175071' });
	await save('nombres', { given_names: 'María', surname1: 'Peñafiel', surname2: '' });
	await save('domicilio', { province: '17', city: 'Quito', address: 'Av. Amazonas N23-45' });
	await save('telefono', { telephone: '099 123 4567' });
	await save('ruc', { invoices: 'no', ruc: '' });
	await save('votacion', { voting_paper: 'certificate', voting_reason: '' });
	await save('privacidad', { privacy: 'yes' });
	await complete(who, second);
	const told = await (await who.client.visit(`/solicitud/${second}/resumen`)).form(/enviar/).send();
	assert.equal(told.status, 409);
	assert.match(told.heading, /en curso/);
	assert.equal(new URL(told.link(/Continuar el trámite/)).pathname, `/tramite/${first}`);
	told.link(/Cambiar la identificación/);
	told.link(/Cancelar el trámite/);
});

test("another person's order, application and documents are not there", async () => {
	const [owner, stranger] = [person(), person()];
	const id = await draft(owner);
	await signIn(stranger);
	for (const path of [`/tramite/${id}`, `/solicitud/${id}/nombres`, `/tramite/${id}/documento/cedula`, `/tramite/${id}/sobre`, `/tramite/${id}/certificado.p12`]) {
		const page = await stranger.client.get(path);
		assert.equal(page.status, 404, path);
		assert.match(page.heading, /No encontramos/);
	}
	const visitor = new Client({ base: icert.portal });
	const sent = await visitor.get(`/tramite/${id}`);
	assert.equal(sent.status, 303);
	assert.match(sent.headers.location, /^\/entrar/);
});

test('a form from another site, without its token or from an old session is refused', async () => {
	const who = person();
	await signIn(who);
	const form = (await who.client.visit('/entrar')).form(/entrar/);
	const { entries } = form.entries({ email: who.email });
	const send = (fields, headers = {}, options = {}) => who.client.post('/entrar', new URLSearchParams(fields).toString(),
		{ headers: { 'Content-Type': 'application/x-www-form-urlencoded', ...headers }, ...options });
	const noToken = await send(entries.filter(([name]) => name !== '_csrf'));
	assert.equal(noToken.status, 403);
	assert.equal(noToken.heading, 'La página ya no es válida');
	assert.equal((await send(entries, { Origin: 'https://otro.example' }, { origin: false })).status, 403);
	assert.equal((await send(entries, { 'Sec-Fetch-Site': 'cross-site' })).status, 403);
	assert.equal((await send(entries)).status, 200);
});

test('headers of every page; the cookie of the portal', async () => {
	const client = new Client({ base: icert.portal });
	for (const path of ['/', '/tarifas', '/no-hay', '/entrar']) {
		const { headers } = await client.get(path);
		assert.match(headers['content-security-policy'], /default-src 'none'/);
		assert.doesNotMatch(headers['content-security-policy'], /unsafe/);
		assert.match(headers['content-security-policy'], /form-action 'self'/);
		assert.match(headers['content-security-policy'], /frame-ancestors 'none'/);
		assert.equal(headers['x-content-type-options'], 'nosniff');
		assert.equal(headers['referrer-policy'], 'no-referrer');
		assert.equal(headers['strict-transport-security'], undefined);
	}
	const cookie = client.jar.get('__Host-icert-portal');
	assert.ok(cookie.secure);
	assert.equal(cookie.attributes.samesite, 'Lax');
	assert.ok('httponly' in cookie.attributes);
	const before = cookie.value;
	const who = { client, email: person().email };
	await signIn(who);
	assert.notEqual(client.jar.get('__Host-icert-portal').value, before, 'rotated at log-in');
	const inside = client.jar.get('__Host-icert-portal').value;
	await (await client.visit('/mi-tramite')).form(/salir/).submit();
	// The old cookie is worth nothing now.
	const thief = new Client({ base: icert.portal, headers: { Cookie: `__Host-icert-portal=${inside}` } });
	assert.match((await thief.get('/mi-tramite')).headers.location, /^\/entrar/);
});

test('the first page with its style and script is under 100 KB', async () => {
	const client = new Client({ base: icert.portal });
	const sizes = await Promise.all(['/', '/static/icert.css', '/static/icert.js', '/static/icono.svg'].map(async (path) => (await client.get(path)).body.length));
	assert.ok(sizes.every((n) => n > 0));
	assert.ok(sizes.reduce((a, b) => a + b) < 100 * 1024, String(sizes));
});

test('a code: five tries, the same one again, never in an address', async () => {
	const who = person();
	const ask = async () => (await who.client.visit('/entrar')).form(/entrar/).submit({ email: who.email });
	let page = await ask();
	const [mail] = await until(async () => { const list = await box.list({ to: who.email }); return list.length && list; });
	const code = mail.code(6);
	const wrong = code === '000000' ? '111111' : '000000';
	for (let n = 0; n < 4; n++) {
		page = await page.form(/codigo/).submit({ code: wrong });
		sentence(page, 422);
		assert.doesNotMatch(page.path, /@|\d{6}/);
	}
	page = await page.form(/codigo/).submit({ code: wrong });
	assert.ok([422, 429].includes(page.status));
	page = await page.form(/codigo/).submit({ code });
	assert.equal(page.status, 429, 'the right code comes too late');
	// Another browser of the same person is not locked out.
	const other = { client: new Client({ base: icert.portal }), email: who.email };
	const asked = await (await other.client.visit('/entrar')).form(/entrar/).submit({ email: who.email });
	const mails = await until(async () => { const list = await box.list({ to: who.email }); return list.length > 1 && list; });
	// Asked for again at once, it is the same code, and no third mail.
	const again = await (await other.client.visit('/entrar')).form(/entrar/).submit({ email: who.email });
	assert.match(again.main, /Ya enviamos/);
	const done = await asked.form(/codigo/).submit({ code: mails.at(-1).code(6) });
	assert.equal(done.status, 200, done.main);
	assert.match(done.heading, /Mis trámites/);
	assert.equal((await box.list({ to: who.email })).length, 2);
});

// The idle limit is a policy row; a short one stands in for half an hour of waiting.
function idleLimit(seconds) {
	icert.sql(seconds
		? `insert into icert.policy (key, valid_from, number) values ('session.contact_idle', 1, ${seconds}) on conflict (key, valid_from) do update set number = ${seconds}`
		: "delete from icert.policy where key = 'session.contact_idle' and valid_from = 1");
}

test('a session that expires in the middle of the form: what was typed comes back after a new code', async () => {
	const who = person();
	const id = await draft(who);
	await (await who.client.visit('/mi-tramite')).form(/salir/).submit();
	idleLimit(8);
	try {
		await signIn(who, `/solicitud/${id}/nombres`);
		const names = await who.client.visit(`/solicitud/${id}/nombres`);
		const upload = await who.client.visit(`/tramite/${id}/documento/cedula`);
		await new Promise((resolve) => setTimeout(resolve, 9500));

		const late = await names.form(/nombres/).send({ given_names: 'Rosa Elena', surname1: 'Ñúñez', surname2: 'Caiza' });
		assert.equal(late.status, 401, late.main);
		assert.match(late.main, /Guardamos lo que acaba de escribir/);
		// A file is not read at all: the page says that it is still on the device.
		const file = files.cedulaPdf();
		const refused = await upload.form(/documento/).send({ file: { filename: file.filename, type: file.type, data: file.data ?? file.bytes } });
		assert.ok([303, 401].includes(refused.status));
		assert.match((await refused.follow()).main, /sigue en su equipo/);
		// A button without a form behind it is not kept, and leads back to the page that it stands on.
		const pressed = await who.client.post(`/solicitud/${id}/enviar`, new URLSearchParams({ _csrf: names.form(/nombres/).value('_csrf') }).toString(), { headers: { 'Content-Type': 'application/x-www-form-urlencoded' } });
		const [, next] = pressed.headers.location.match(/^\/entrar\?motivo=undone&next=(.*)$/);
		// A page that is only looked at asks for the code too.
		assert.match((await who.client.get(`/tramite/${id}`)).headers.location, /^\/entrar\?motivo=expired/);

		idleLimit(0);
		const after = await signIn(who, '/mi-tramite');
		assert.equal(after.status, 200, after.main);
		assert.match((await who.client.visit(next)).path, new RegExp(`^/solicitud/${id}/`));
		const names2 = await who.client.visit(`/solicitud/${id}/nombres`);
		assert.equal(names2.form(/nombres/).value('given_names').toUpperCase(), 'ROSA ELENA');
		assert.equal(names2.form(/nombres/).value('surname1').toUpperCase(), 'ÑÚÑEZ');
	} finally {
		idleLimit(0);
	}
});

test('one passport serves for two documents', async () => {
	const who = person();
	const id = await draft(who);
	const save = async (step, values) => (await who.client.visit(`/solicitud/${id}/${step}`)).form(new RegExp(step)).submit(values);
	await save('identidad', { id_kind: 'passport', id_number: 'AB123456' });
	await save('votacion', { voting_paper: 'passport', voting_reason: '' });
	const before = await who.client.visit(`/tramite/${id}/documento/voting`);
	assert.equal(before.forms.some((f) => /mismo-pasaporte/.test(f.action)), false);
	const file = files.cedulaPdf();
	await upload(who, id, 'cedula', file);
	const shared = await (await who.client.visit(`/tramite/${id}/documento/voting`)).form(/mismo-pasaporte/).submit();
	assert.equal((shared.main.match(/Recibido/g) ?? []).length, 2, shared.main);
	await upload(who, id, 'utility', files.billPng());
	const sent = await (await who.client.visit(`/solicitud/${id}/resumen`)).form(/enviar/).submit();
	assert.match(sent.heading, /enviada/);
});

test('workers keep nothing of one person for the next', async () => {
	const [a, b] = [person(), person()];
	const [one, two] = [await draft(a, '1710034065'), await draft(b, '0923456784')];
	for (let n = 0; n < 24; n++) {
		const [first, second] = await Promise.all([a.client.get(`/solicitud/${one}/resumen`), b.client.get(`/solicitud/${two}/resumen`)]);
		assert.equal(first.status, 200);
		assert.equal(second.status, 200);
		assert.match(first.main, /1710034065/);
		assert.doesNotMatch(first.html, /0923456784/);
		assert.match(second.main, /0923456784/);
		assert.doesNotMatch(second.html, /1710034065/);
		const stranger = await new Client({ base: icert.portal }).get('/');
		assert.doesNotMatch(stranger.html, /1710034065|0923456784|Cerrar sesión/);
	}
});

test('the applicant gives up before issuing', async () => {
	const who = person();
	const id = await draft(who);
	await complete(who, id);
	assert.match((await who.client.visit(`/tramite/${id}/cancelar`)).path, /^\/solicitud\//, 'a draft is only left');
	await (await who.client.visit(`/solicitud/${id}/resumen`)).form(/enviar/).submit();
	const ask = await who.client.visit(`/tramite/${id}/cancelar`);
	const done = await ask.form(/cancelar/).submit();
	assert.match(done.main, /cancelada/);
	// Pressed again from the page of before: the same end.
	assert.equal((await ask.form(/cancelar/).submit()).path, '/mi-tramite');
	assert.match((await who.client.visit(`/tramite/${id}`)).heading, /cancelada/);
	await until(async () => (await box.list({ to: who.email, subject: /cancel/i })).length === 1, { what: 'the mail' });
});

test('which container serves where is public, and found from the tariff', async () => {
	const { client } = person();
	const page = await (await client.visit('/tarifas')).click('Dónde sirve cada uno');
	assert.equal(page.status, 200);
	for (const system of [/SRI/, /FirmaEC/, /Quipux/, /\(SGR\)/, /\(PRAS\)/]) assert.match(page.main, system);
	assert.match(page.main, /Qué hemos probado/);
});
