// The payment gateway of a private instance, started by `icertctl up`: gateway_base.mjs says what it does.
// usage: node gateway.mjs --port N --config FILE [--folder DIR] [--name demo]
// With a folder its payments outlive a restart.
import { readFileSync } from 'node:fs';
import { StandardWebhooks } from './standard_webhooks.mjs';

const options = Object.fromEntries(process.argv.slice(2).join(' ').split('--').filter(Boolean)
	.map((pair) => pair.trim().split(/\s+(.*)/s).slice(0, 2)));
const name = options.name ?? 'demo';

// The [gateways] section of an icert.conf.
function gatewaySection(file) {
	const values = {};
	let section = '';
	for (const line of readFileSync(file, 'utf8').split('\n')) {
		const heading = /^\s*\[([^\]]+)\]/.exec(line);
		const entry = /^\s*([^;#=\s][^=]*?)\s*=\s*(.*?)\s*$/.exec(line);
		if (heading) section = heading[1];
		else if (entry && section === 'gateways') values[entry[1]] = entry[2];
	}
	return values;
}

const section = gatewaySection(options.config);
const gateway = await new StandardWebhooks({
	folder: options.folder,
	secret: readFileSync(section[`${name}.secret_file`], 'utf8').trim().split('\n')[0],
	key: readFileSync(section[`${name}.api_key_file`], 'utf8').trim(),
}).listen(Number(options.port));
process.stdout.write(`gateway simulator on ${gateway.base}\n`);
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0));
