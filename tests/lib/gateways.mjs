// Simulated gateways beside a running instance: each opened in its configuration as docs/gateways.md tells an administrator to.
//
//   const gateways = await addGateways(icert);      gateways.stripe.sim, .secrets …
//   for (const g of Object.values(gateways)) await g.sim.close();
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StandardWebhooks } from '../simulators/standard_webhooks.mjs';
import { Placetopay } from '../simulators/placetopay.mjs';
import { StripeCheckout } from '../simulators/stripe.mjs';
import { Kushki } from '../simulators/kushki.mjs';
import { Nuvei } from '../simulators/nuvei.mjs';
import { Payphone } from '../simulators/payphone.mjs';
import { edit, restart } from './reconfigure.mjs';

const base64 = () => randomBytes(24).toString('base64');
const hex = () => randomBytes(16).toString('hex');

// Each gateway: secrets of notifications (two valid, one that will be, one given up), credentials of the API, its simulator.
const kinds = {
	standard: {
		adapter: 'standard_webhooks', secret: () => `whsec_${base64()}`, credentials: () => ({ api_key: hex() }),
		sim: ({ secret, credentials }) => new StandardWebhooks({ secret, key: credentials.api_key }),
	},
	placetopay: {
		adapter: 'placetopay', secret: hex, credentials: (secret) => ({ login: hex(), secret_key: secret }),
		sim: ({ secret, credentials, notifyUrl }) => new Placetopay({ secret, login: credentials.login, secretKey: credentials.secret_key, notifyUrl }),
	},
	stripe: {
		adapter: 'stripe', secret: () => `whsec_${hex()}`, credentials: () => ({ secret_key: `sk_test_${hex()}` }),
		sim: ({ secret, credentials, notifyUrl }) => new StripeCheckout({ secret, key: credentials.secret_key, notifyUrl }),
	},
	kushki: {
		adapter: 'kushki', secret: hex, credentials: () => ({ public_merchant_id: hex(), private_merchant_id: hex(), merchant_name: 'Entidad de certificación' }),
		sim: ({ secret, credentials }) => new Kushki({ secret, publicId: credentials.public_merchant_id, privateId: credentials.private_merchant_id }),
	},
	payphone: {
		adapter: 'payphone', secret: hex, credentials: (secret) => ({ token: base64(), store_id: hex(), reference_key: secret }),
		sim: ({ secret, credentials, notifyUrl }) => new Payphone({ secret, token: credentials.token, storeId: credentials.store_id, notifyUrl }),
	},
	nuvei: {
		adapter: 'nuvei', secret: hex, credentials: (secret) => ({ application_code: 'ICERT-EC-SERVER', app_key: secret, contact_email: 'pagos@oficina.example' }),
		sim: ({ secret, credentials, notifyUrl }) => new Nuvei({ secret, code: credentials.application_code, key: credentials.app_key, notifyUrl }),
	},
};

/** names: of `kinds`; all by default.  { name: { sim, secret, second, third, old, credentials, notifyUrl } } */
export async function addGateways(icert, names = Object.keys(kinds)) {
	const etc = join(icert.prefix, 'etc');
	// What stands beside what `up` made belongs to the same groups.
	const put = (file, like, text) => {
		writeFileSync(join(etc, file), text, { mode: 0o640 });
		chmodSync(join(etc, file), 0o640);
		chownSync(join(etc, file), statSync(join(etc, like)).uid, statSync(join(etc, like)).gid);
		return join(etc, file);
	};
	const gateways = {};
	let lines = '';
	for (const name of names) {
		const kind = kinds[name];
		const [secret, second, third, old] = Array.from({ length: 4 }, () => kind.secret());
		const credentials = kind.credentials(secret);
		const notifyUrl = `${icert.portal}/avisos/${name}`;
		const sim = await kind.sim({ secret, credentials, notifyUrl }).listen();
		const secretFile = put(`gateway-${name}.secret`, 'gateway-demo.secret', `${second}\n${secret}\n`);
		const credentialsFile = put(`gateway-${name}.credentials`, 'gateway-demo.key', Object.entries(credentials).map(([key, value]) => `${key} = ${value}\n`).join(''));
		lines += `${name}.adapter = ${kind.adapter}\n${name}.title = Tarjeta (${name})\n${name}.url = ${sim.base}\n` +
			`${name}.secret_file = ${secretFile}\n${name}.credentials_file = ${credentialsFile}\n`;
		gateways[name] = { name, sim, secret, second, third, old, credentials, notifyUrl };
	}
	edit(icert, 'icert.conf', [['names = demo\n', `names = demo, ${names.join(', ')}\n${lines}`]]);
	await restart(icert, 'webhook', 'portal', 'clerk');
	return gateways;
}
