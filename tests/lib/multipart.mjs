// Writes multipart/form-data by hand, because the tests also need it broken.
import { randomBytes } from 'node:crypto';

const CRLF = '\r\n';

/** The way browsers write a name or a file name inside quotes. */
export function quoted(text) {
	return text.replace(/"/g, '%22').replace(/\r/g, '%0D').replace(/\n/g, '%0A');
}

/**
 * A body from parts: { name, value } for a field, { name, filename, type, data }
 * for a file, { raw } for bytes put between two delimiters as they are.
 *
 * Ways to break it, all off by default:
 *   boundary      another boundary than a random one
 *   announced     the boundary named in the header, when it shall differ
 *   close         false leaves out the closing delimiter
 *   after         bytes after the closing delimiter
 *   before        bytes before the first delimiter
 *   newline       '\n' instead of CRLF everywhere
 *   cut           send only so many bytes
 */
export function multipart(parts, broken = {}) {
	const boundary = broken.boundary ?? `----icert${randomBytes(12).toString('hex')}`;
	const nl = broken.newline ?? CRLF;
	const pieces = [];
	const put = (piece) => pieces.push(Buffer.isBuffer(piece) ? piece : Buffer.from(piece, 'utf8'));

	if (broken.before !== undefined) put(broken.before);
	for (const part of parts) {
		put(`--${boundary}${nl}`);
		if (part.raw !== undefined) {
			put(part.raw);
			put(nl);
			continue;
		}
		const file = part.filename === undefined ? '' : `; filename="${quoted(part.filename)}"`;
		put(`Content-Disposition: form-data; name="${quoted(part.name)}"${file}${nl}`);
		if (part.filename !== undefined)
			put(`Content-Type: ${part.type ?? 'application/octet-stream'}${nl}`);
		put(nl);
		put(part.filename === undefined ? String(part.value) : part.data);
		put(nl);
	}
	if (broken.close !== false) put(`--${boundary}--${nl}`);
	if (broken.after !== undefined) put(broken.after);

	const body = Buffer.concat(pieces);
	return {
		contentType: `multipart/form-data; boundary=${broken.announced ?? boundary}`,
		body: broken.cut === undefined ? body : body.subarray(0, broken.cut),
	};
}
