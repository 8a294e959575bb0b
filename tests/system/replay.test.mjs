// What the administrator sees of payments at three in the morning, and notifications applied once more: told first, done then,
// and never money twice.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { startInstance } from '../lib/instance.mjs';
import { Client, until } from '../lib/http.mjs';
import { MailBox } from '../lib/mail.mjs';

let icert;
let client;
const email = 'quien.paga@correo.example';

before(async () => {
	icert = await startInstance();
	const box = new MailBox(icert.mail);
	client = new Client({ base: icert.portal, ca: icert.ca });
	let page = await (await client.visit('/tarifas')).click('Comprar');
	page = await page.form('/entrar').submit({ email });
	page = await page.form('/entrar/codigo').submit({ code: (await box.wait({ to: email, subject: /código/ })).code() });
	page = await page.form(/^\/comprar\//).submit({
		for_me: 'yes', id_kind: 'cedula', id_number: '1710034065', name: 'MARÍA ÑUSTA', address: 'Av. Amazonas N1-23', telephone: '0991234567', email: '',
	});
	order = page.path.split('/')[2];
});
after(() => icert?.stop());

let order;
const of = (column) => icert.sql(`select ${column} from icert.purchase where id = '${order}'`);
const payments = (...args) => icert.icertctl('payments', ...args);
const lines = (text) => text.trim().split('\n');
let event;

test('an order that was paid, as the administrator sees it', async () => {
	const page = await (await client.visit(`/orden/${order}`)).form(/\/pagar$/).submit();
	const gateway = await page.click('Ir a la página de pago');
	await gateway.form(/\/aprobar$/).send();
	await until(() => of('state') === 'paid', { what: 'paid' });
	await until(() => icert.sql('select count(*) from icert.payment_event where applied_at is null') === '0', { what: 'applied' });
	event = icert.sql(`select event_id from icert.payment_event where purchase_id = '${order}'`);
	const list = await payments('list');
	assert.equal(list.code, 0, list.stderr);
	assert.match(lines(list.stdout).at(-1), new RegExp(`^\\d{4}-\\d\\d-\\d\\dT\\S+Z +demo +${event} +(pay|nothing) +${of('number')} +paid$`));
	for (const what of [of('number'), of('number').toLowerCase(), order, of('gateway_payment'), event]) {
		const { code, stdout } = await payments('show', what);
		assert.equal(code, 0, what);
		assert.match(stdout, /state +paid/);
		assert.match(stdout, /total +31\.05\n/);
		assert.match(stdout, new RegExp(`${of('gateway_payment')} +pay +31\\.05 +USD`));
		assert.ok(stdout.includes(event));
		// Of whose order nothing but its number.
		assert.doesNotMatch(stdout, /ÑUSTA|correo|Amazonas|1710034065|0991234567/);
	}
	assert.equal((await payments('show', 'nada')).code, 1);
	assert.equal((await payments('list', '--from', 'ayer')).code, 2);
	assert.equal(lines((await payments('list', '--to', '2020-01-01')).stdout).length, 1);
	assert.equal(lines((await payments('list', '--waiting')).stdout).length, 1);
	assert.equal(lines((await payments('list', '--gateway', 'demo', '--order', of('number'))).stdout).length, 2);
});

test('a replay counts nothing twice, and is on the audit log', async () => {
	const concluded = () => icert.sql(`select count(*) || ' ' || sum(cents) from icert.payment where purchase_id = '${order}'`);
	const before = concluded();
	const version = of('version');
	for (const args of [['--event', event], ['--order', of('number')], ['--gateway', 'demo', '--from', '2020-01-01']]) {
		const { code, stdout } = await payments('replay', ...args);
		assert.equal(code, 0, stdout);
		assert.match(stdout, new RegExp(`${event} +nothing +${of('number')} +paid`));
		assert.match(stdout, /1 notifications, applied again/);
	}
	assert.equal(concluded(), before);
	assert.equal(of('version'), version);
	assert.equal(icert.sql("select count(*) from icert.audit where action = 'payment_event.replay'"), '3');
	const none = await payments('replay', '--event', 'evt_de_nadie');
	assert.equal(none.code, 1);
	assert.equal(icert.sql("select count(*) from icert.audit where action = 'payment_event.replay'"), '3');
});

test('what was lost is found again: a rehearsal tells, a replay does', async () => {
	// As after a mishap: the order is as before it was paid.
	icert.sql(`delete from icert.payment where purchase_id = '${order}';
		set session_replication_role = replica; update icert.purchase set state = 'created', paid_at = null where id = '${order}'`);
	const rehearsed = await payments('replay', '--dry-run', '--event', event);
	assert.equal(rehearsed.code, 0, rehearsed.stderr);
	assert.match(rehearsed.stdout, new RegExp(`${event} +pay +${of('number')} +created`));
	assert.match(rehearsed.stdout, /nothing was changed/);
	assert.equal(of('state'), 'created');
	assert.equal(icert.sql(`select count(*) from icert.payment where purchase_id = '${order}'`), '0');
	const done = await payments('replay', '--event', event);
	assert.match(done.stdout, new RegExp(`${event} +pay +${of('number')} +paid`));
	assert.equal(of('state'), 'paid');
	assert.equal(icert.sql(`select string_agg(verdict, ' ') from icert.payment where purchase_id = '${order}'`), 'pay');
	assert.equal(icert.sql("select string_agg(detail::text, ' ' order by at_us desc) from icert.audit where action = 'payment_event.replay'").match(/"rehearsal": ?true/g).length, 1);
});
