// Writes a MaxMind DB (format 2.0) that knows a few networks, so that a test on
// the loopback can come from a country.
//
//   writeCountries('/etc/country.mmdb', [['127.0.0.0/8', 'EC'], ['::1/128', 'EC']])
import { renameSync, writeFileSync } from 'node:fs';

const MARKER = Buffer.from('abcdef4d61784d696e642e636f6d', 'hex');
const NONE = -1;

// Types of the data section: an extended one has a byte of its own.
function head(type, size) {
	return type <= 7 ? Buffer.from([(type << 5) | size]) : Buffer.from([size, type - 7]);
}

const text = (s) => Buffer.concat([head(2, Buffer.byteLength(s)), Buffer.from(s)]);

function number(type, value) {
	let hex = BigInt(value).toString(16);
	if (hex.length % 2) hex = `0${hex}`;
	const bytes = value === 0 ? Buffer.alloc(0) : Buffer.from(hex, 'hex');
	return Buffer.concat([head(type, bytes.length), bytes]);
}

const uint16 = (value) => number(5, value);
const uint32 = (value) => number(6, value);
const uint64 = (value) => number(9, value);
const map = (entries) => Buffer.concat([head(7, Object.keys(entries).length),
	...Object.entries(entries).flatMap(([key, value]) => [text(key), value])]);
const array = (items) => Buffer.concat([head(11, items.length), ...items]);

// The 128 bits of an address, IPv4 at ::/96, and the length within them.
function bits(network) {
	const [address, length] = network.split('/');
	if (address.includes('.'))
		return ['0'.repeat(96) + address.split('.').map((n) => Number(n).toString(2).padStart(8, '0')).join(''), 96 + Number(length)];
	const [left, right = ''] = address.split('::').map((half) => half.split(':').filter(Boolean));
	const groups = [...left, ...Array(8 - left.length - right.length).fill('0'), ...right];
	return [groups.map((group) => parseInt(group, 16).toString(2).padStart(16, '0')).join(''), Number(length)];
}

export function writeCountries(path, networks, { type = 'test-country', epoch = Math.floor(Date.now() / 1000) } = {}) {
	const nodes = [[NONE, NONE]];
	const records = [];
	for (const [network, country] of networks) {
		const [address, length] = bits(network);
		let at = 0;
		for (let depth = 0; depth < length - 1; depth++) {
			const side = Number(address[depth]);
			if (nodes[at][side] === NONE) nodes[at][side] = nodes.push([NONE, NONE]) - 1;
			at = nodes[at][side];
		}
		nodes[at][Number(address[length - 1])] = { record: records.push(map({ country_code: text(country) })) - 1 };
	}
	const offsets = records.map((_, n) => records.slice(0, n).reduce((sum, record) => sum + record.length, 0));
	const pointer = (entry) => (entry === NONE ? nodes.length : entry.record === undefined ? entry : nodes.length + 16 + offsets[entry.record]);
	const tree = Buffer.alloc(nodes.length * 6);
	nodes.forEach((pair, n) => pair.forEach((entry, side) => tree.writeUIntBE(pointer(entry), n * 6 + side * 3, 3)));
	writeFileSync(`${path}.new`, Buffer.concat([tree, Buffer.alloc(16), ...records, MARKER, map({
		node_count: uint32(nodes.length), record_size: uint16(24), ip_version: uint16(6), database_type: text(type),
		languages: array([]), binary_format_major_version: uint16(2), binary_format_minor_version: uint16(0),
		build_epoch: uint64(epoch), description: map({ en: text('countries of a test') }),
	})]), { mode: 0o644 });
	renameSync(`${path}.new`, path);
}
