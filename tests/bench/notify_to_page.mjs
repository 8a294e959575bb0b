// From the moment at which the gateway sends its notification until the applicant's page says that the order is paid, which is
// asked for again and again.
import { Client, until } from '../lib/http.mjs';
import { MailBox } from '../lib/mail.mjs';
import { lift, reloadEdge, withInstance } from './instance.mjs';
import { median } from './pairs.mjs';

export const name = 'notify_to_page';
export const unit = 'ms';
export const most = 1000;

const ORDERS = 100;
const email = 'quien.paga@correo.example';

export const run = () => withInstance(async (icert) => {
	lift(icert, 'page');
	await reloadEdge(icert, `${icert.status}/ca/emisora.cer`);
	const client = new Client({ base: icert.portal, ca: icert.ca });
	const box = new MailBox(icert.mail);
	let page = await (await client.visit('/tarifas')).click('Comprar');
	page = await page.form('/entrar').submit({ email });
	page = await page.form('/entrar/codigo').submit({ code: (await box.wait({ to: email, subject: /código/ })).code() });
	const form = page.path.split('?')[0];
	const took = [];
	for (let i = 0; i < ORDERS; i++) {
		page = await (await client.visit(form)).form(/^\/comprar\//).submit({
			for_me: 'yes', id_kind: 'cedula', id_number: '1710034065', name: 'MARÍA ÑUSTA', address: 'Av. Amazonas N1-23', telephone: '0991234567', email: '',
		});
		const order = page.path;
		const gateway = await (await (await client.visit(order)).form(/\/pagar$/).submit()).click('Ir a la página de pago');
		const began = performance.now();
		const pressed = gateway.form(/\/aprobar$/).send();
		await until(async () => /Pago recibido/.test((await client.visit(order)).text), { what: 'paid', every: 5 });
		took.push(performance.now() - began);
		await pressed;
	}
	took.sort((a, b) => a - b);
	const p99 = took[Math.ceil(0.99 * took.length) - 1];
	console.log(`  ${ORDERS} payments: median ${median(took).toFixed(0)} ms, p99 ${p99.toFixed(0)} ms, the slowest ${took.at(-1).toFixed(0)} ms`);
	return { ours: p99 };
});
