// 100,000 orders with their payments and events, and a day of 5,000 that a gateway lists page by page: how long the clerk takes from
// the day's end until it is compared.  Ten of them differ, and are found.
import { until } from '../lib/http.mjs';
import { addGateways } from '../lib/gateways.mjs';
import { Applicant } from '../system/walk.mjs';
import { benchInstance } from './instance.mjs';

export const name = 'reconcile';
export const unit = 's';
export const most = 10;

const ALL = 100_000;
const DAY = 5_000;
const AMISS = 10;

/** Orders like the one that was made; those up to DAY are today's, the others older. */
const orders = `set session_replication_role = replica;
	create temporary table fresh as select gen_random_uuid() as id, n, extract(epoch from now())::bigint
		- case when n <= ${DAY} then 0 else 86400 * (2 + n % 300) end as at from generate_series(1, ${ALL}) n;
	insert into icert.purchase (id, number, state, contact_id, key_id, tariff_id, container, kind, years, net, tax, total, tax_bp, currency, billing,
		once, gateway, gateway_payment, created_at, state_since, expires_at, paid_at, ruc)
	select f.id, 'BENCH-' || f.n, 'used', p.contact_id, gen_random_uuid(), p.tariff_id, p.container, p.kind, p.years, p.net, p.tax, p.total, p.tax_bp,
		p.currency, p.billing, f.id::text, 'standard', 'pay_bench' || f.n, f.at, f.at, f.at + 604800, f.at, p.ruc
	from fresh f, (select * from icert.purchase limit 1) p;
	insert into icert.payment (id, purchase_id, gateway, gateway_payment, verdict, cents, currency, at)
	select gen_random_uuid(), id, 'standard', 'pay_bench' || n, 'pay', 3105, 'USD', at from fresh where n > ${AMISS};
	insert into icert.payment_event (gateway, event_id, body, received_at, applied_at, verdict, purchase_id)
	select 'standard', 'evt_bench' || n, '\\x00', at, at, 'pay', id from fresh`;

export async function run({ say }) {
	const icert = await benchInstance();
	let sim;
	try {
		const applicant = new Applicant(icert);
		await applicant.order();
		applicant.close();
		({ standard: { sim } } = await addGateways(icert, ['standard']));
		icert.sql(orders);
		icert.sql('analyze icert.purchase; analyze icert.payment');
		for (const line of icert.sql(`select id || ' ' || gateway_payment from icert.purchase where number in (select 'BENCH-' || n from generate_series(1, ${DAY}) n)`).split('\n')) {
			const [order, id] = line.split(' ');
			const payment = sim.open({ id, order, number: id, description: '', cents: 3105, currency: 'USD', returnUrl: '', notifyUrl: '' });
			Object.assign(payment, { state: 'approved', paidAt: payment.begunAt, captures: 1 });
		}
		await until(() => icert.sql("select count(*) from icert.reconciliation where gateway = 'standard' and state = 'done'") === '1', { what: 'the day before', timeout: 120_000 });
		const began = Date.now();
		icert.moveClock(86400);
		await until(() => icert.sql("select count(*) from icert.reconciliation where gateway = 'standard' and state = 'done'") === '2', { what: 'the day', timeout: 300_000, every: 50 });
		const ours = (Date.now() - began) / 1000;
		const found = icert.sql("select count(*) || ' ' || (select max(payments) from icert.reconciliation) from icert.difference where kind = 'paid_there'");
		if (found !== `${AMISS} ${DAY}`) throw new Error(`found ${found}, expected ${AMISS} ${DAY}`);
		say(1, { ours });
		return { ours };
	} finally {
		await sim?.close();
		await icert.stop();
	}
}
