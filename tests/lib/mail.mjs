// Reads the mail catcher (maildev's REST interface): a server we did not
// write has taken each of these messages over SMTP.
import { until } from './http.mjs';

/** A connection for each question: one that is kept may have been closed while the test waited for a program, and hears nothing of it. */
const once = { headers: { connection: 'close' } };

/** Addresses of a header as maildev gives it: a list of { address, name }. */
function addresses(list) { return (list ?? []).map((a) => a.address.toLowerCase()); }

/** One mail. */
export class Mail {
	constructor(base, raw) {
		this.base = base;
		this.id = raw.id;
		this.messageId = raw.messageId ?? '';
		this.subject = raw.subject ?? '';
		this.text = raw.text ?? '';
		this.html = raw.html ?? '';
		this.headers = raw.headers ?? {};
		this.from = addresses(raw.from);
		this.to = addresses(raw.to);
		this.time = new Date(raw.time ?? raw.date);
		this.attachmentNames = (raw.attachments ?? []).map((a) => a.generatedFileName ?? a.fileName);
		this.attachments = raw.attachments ?? [];
	}

	/** The links of the text part, in order. */
	get links() { return [...this.text.matchAll(/https?:\/\/[^\s<>"')]+/g)].map((m) => m[0].replace(/[.,;]$/, '')); }

	/** The first link that matches. */
	link(wanted = /./) {
		const found = this.links.find((l) => wanted.test(l));
		if (!found) throw new Error(`no link ${wanted} in "${this.subject}": ${this.links}`);
		return found;
	}

	/** The first run of exactly `digits` digits of the text part. */
	code(digits = 6) {
		const spaced = digits === 6 ? '(\\d{3})[ \\u00a0]?(\\d{3})' : `(\\d{${digits}})`;
		const found = this.text.match(new RegExp(`(?<![\\d+])${spaced}(?!\\d)`));
		if (!found) throw new Error(`no code of ${digits} digits in "${this.subject}": ${this.text}`);
		return found.slice(1).join('');
	}

	/** Bytes of the attachment whose name matches. */
	async attachment(wanted = /./) {
		const name = this.attachmentNames.find((n) => wanted.test(n));
		if (!name) throw new Error(`no attachment ${wanted} in "${this.subject}": ${this.attachmentNames}`);
		const res = await fetch(`${this.base}/email/${this.id}/attachment/${encodeURIComponent(name)}`, once);
		if (!res.ok) throw new Error(`attachment ${name}: ${res.status}`);
		return Buffer.from(await res.arrayBuffer());
	}

	/** The message as it came over SMTP. */
	async source() { return Buffer.from(await (await fetch(`${this.base}/email/${this.id}/source`, once)).arrayBuffer()); }
}

/** The mail catcher's box. */
export class MailBox {
	/** `base`: address of the catcher's page, http://127.0.0.1:N. */
	constructor(base) { this.base = base.replace(/\/$/, ''); }

	/** All mails, oldest first. */
	async all() {
		const res = await fetch(`${this.base}/email`, once);
		if (!res.ok) throw new Error(`mail catcher: ${res.status}`);
		return (await res.json()).map((m) => new Mail(this.base, m)).sort((a, b) => a.time - b.time);
	}

	/** Those to one recipient whose subject matches, oldest first. */
	async list({ to, subject = /./ } = {}) {
		return (await this.all()).filter((m) => (to === undefined || m.to.includes(to.toLowerCase())) && subject.test(m.subject));
	}

	/** Waits for the newest mail that matches and is not in `known` (ids or mails). */
	async wait({ to, subject = /./, known = [], timeout = 60_000, count = 1 } = {}) {
		const ids = new Set(known.map((k) => k.id ?? k));
		return until(async () => {
			const found = (await this.list({ to, subject })).filter((m) => !ids.has(m.id));
			return found.length >= count ? found.at(-1) : undefined;
		}, { timeout, what: `mail ${subject} to ${to}` });
	}

	async clear() { await fetch(`${this.base}/email/all`, { ...once, method: 'DELETE' }); }
}
