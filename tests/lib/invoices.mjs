// Electronic invoices and credit notes as an accounting system in Ecuador writes them (SRI, factura 1.1.0, notaCredito 1.1.0), bare or as the tax
// authority gives them back.  The signature has the form of one and signs nothing.  Alone, `node tests/lib/invoices.mjs key=value…` prints one.
import { randomBytes, randomInt } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { pdf } from './files.mjs';

const escape = (text) => String(text).replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
const money = (cents) => `${Math.trunc(cents / 100)}.${String(cents % 100).padStart(2, '0')}`;
const digits = (number, n) => String(number).padStart(n, '0');
/** Lines of elements; a value that is null is left out, one that begins with `<` or a line's end holds elements. */
const tags = (pairs) => pairs.filter(([, value]) => value !== null)
	.map(([name, value]) => `<${name}>${/^[<\n]/.test(value) ? value : escape(value)}</${name}>`).join('\n');

/** The check digit: from the right, weights 2 to 7 again and again, 11 less the rest of the sum by 11. */
export function checkDigit(first) {
	const sum = [...first].reverse().reduce((all, digit, i) => all + Number(digit) * (2 + i % 6), 0);
	return String({ 11: 0, 10: 1 }[11 - sum % 11] ?? 11 - sum % 11);
}

let sequence = randomInt(1, 900_000);

/** What a document says unless told otherwise; `day` is "2026-11-23". */
export function fields(given = {}) {
	const one = {
		document: '01', environment: '1', ruc: '1790016919001', place: '001', point: '002', sequence: digits(++sequence, 9), code: digits(randomInt(0, 1e8), 8),
		day: '2026-11-23', issuer: 'ENTIDAD DE CERTIFICACIÓN & CÍA.', buyerKind: '05', buyer: '1710034065', buyerName: 'JOSÉ MARÍA MUÑOZ', address: 'Av. 10 de Agosto N24-120',
		net: 2700, tax: 405, currency: 'DOLAR', rateCode: '4', rate: '15.00', item: 'Certificado de firma electrónica', ...given,
	};
	one.total ??= one.net + one.tax;
	const [year, month, day] = one.day.split('-');
	one.written = `${day}/${month}/${year}`;
	one.serial = `${one.place}-${one.point}-${one.sequence}`;
	const first = `${day}${month}${year}${one.document}${one.ruc}${one.environment}${one.place}${one.point}${one.sequence}${one.code}1`;
	one.key ??= first + checkDigit(first);
	return one;
}

const head = (v) => `<infoTributaria>
${tags([['ambiente', v.environment], ['tipoEmision', '1'], ['razonSocial', v.issuer], ['nombreComercial', v.issuer], ['ruc', v.ruc], ['claveAcceso', v.key], ['codDoc', v.document],
		['estab', v.place], ['ptoEmi', v.point], ['secuencial', v.sequence], ['dirMatriz', 'Av. Amazonas N24-155 y Foch']])}
</infoTributaria>`;

const taxes = (v) => `\n<totalImpuesto>\n${tags([['codigo', '2'], ['codigoPorcentaje', v.rateCode], ['baseImponible', money(v.net)], ['tarifa', v.rate], ['valor', money(v.tax)]])}\n</totalImpuesto>\n`;

const line = (v, code) => `\n<detalle>\n${tags([[code, 'CFE-02'], ['descripcion', v.item], ['cantidad', '1.000000'], ['precioUnitario', money(v.net)], ['descuento', '0.00'],
	['precioTotalSinImpuesto', money(v.net)], ['impuestos', `\n<impuesto>\n${tags([['codigo', '2'], ['codigoPorcentaje', v.rateCode], ['tarifa', v.rate], ['baseImponible', money(v.net)],
		['valor', money(v.tax)]])}\n</impuesto>\n`]])}\n</detalle>\n`;

function signature() {
	const bytes = (n) => randomBytes(n).toString('base64');
	const reference = (uri) => `<ds:Reference URI="${uri}"><ds:DigestMethod Algorithm="http://www.w3.org/2000/09/xmldsig#sha1"></ds:DigestMethod><ds:DigestValue>${bytes(20)}</ds:DigestValue></ds:Reference>`;
	const name = `Signature${randomInt(1, 1e6)}`;
	return `<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#" xmlns:etsi="http://uri.etsi.org/01903/v1.3.2#" Id="${name}">`
		+ '<ds:SignedInfo><ds:CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"></ds:CanonicalizationMethod>'
		+ `<ds:SignatureMethod Algorithm="http://www.w3.org/2000/09/xmldsig#rsa-sha1"></ds:SignatureMethod>${['#SignedProperties', '#Certificate', '#comprobante'].map(reference).join('')}</ds:SignedInfo>`
		+ `<ds:SignatureValue>${bytes(256)}</ds:SignatureValue><ds:KeyInfo Id="Certificate"><ds:X509Data><ds:X509Certificate>${bytes(1500)}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>`
		+ `<ds:Object><etsi:QualifyingProperties Target="#${name}"><etsi:SignedProperties Id="SignedProperties"><etsi:SignedSignatureProperties><etsi:SigningTime>2026-11-23T10:00:00-05:00</etsi:SigningTime>`
		+ '</etsi:SignedSignatureProperties></etsi:SignedProperties></etsi:QualifyingProperties></ds:Object></ds:Signature>';
}

const buyer = (v) => [['tipoIdentificacionComprador', v.buyerKind], ['razonSocialComprador', v.buyerName], ['identificacionComprador', v.buyer]];
const document = (name, body) => `<?xml version="1.0" encoding="UTF-8"?>\n<${name} id="comprobante" version="1.1.0">\n${body}\n${signature()}</${name}>`;

/** The XML of fields(). */
export function xml(v) {
	if (v.document !== '04')
		return document('factura', `${head(v)}\n<infoFactura>\n${tags([['fechaEmision', v.written], ['dirEstablecimiento', 'Av. Amazonas N24-155 y Foch'], ['obligadoContabilidad', 'SI'], ...buyer(v),
			['direccionComprador', v.address], ['totalSinImpuestos', money(v.net)], ['totalDescuento', '0.00'], ['totalConImpuestos', taxes(v)], ['propina', '0.00'],
			['importeTotal', money(v.total)], ['moneda', v.currency], ['pagos', `\n<pago>\n${tags([['formaPago', '19'], ['total', money(v.total)]])}\n</pago>\n`]])}\n</infoFactura>\n<detalles>${line(v, 'codigoPrincipal')}</detalles>
<infoAdicional>\n<campoAdicional nombre="Email">persona@correo.example</campoAdicional>\n</infoAdicional>`);
	return document('notaCredito', `${head(v)}\n<infoNotaCredito>\n${tags([['fechaEmision', v.written], ['dirEstablecimiento', 'Av. Amazonas N24-155 y Foch'], ...buyer(v), ['obligadoContabilidad', 'SI'],
		['codDocModificado', '01'], ['numDocModificado', v.modifies], ['fechaEmisionDocSustento', v.written], ['totalSinImpuestos', money(v.net)], ['valorModificacion', money(v.total)],
		['moneda', v.currency], ['totalConImpuestos', taxes(v)], ['motivo', 'DEVOLUCIÓN']])}\n</infoNotaCredito>\n<detalles>${line(v, 'codigoInterno')}</detalles>`);
}

/** As the tax authority gives it back. */
export function authorised(v, { state = 'AUTORIZADO', number = v.key } = {}) {
	return `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<autorizacion>\n<estado>${state}</estado>\n<numeroAutorizacion>${number}</numeroAutorizacion>\n`
		+ `<fechaAutorizacion class="fechaAutorizacion">${v.day}T10:00:05-05:00</fechaAutorizacion>\n<ambiente>${v.environment === '2' ? 'PRODUCCIÓN' : 'PRUEBAS'}</ambiente>\n`
		+ `<comprobante><![CDATA[${xml(v)}]]></comprobante>\n<mensajes/>\n</autorizacion>\n`;
}

/** How it is printed (RIDE). */
export function ride(v) {
	const text = (x, y, size, words) => `BT /F1 ${size} Tf ${x} ${y} Td (${words.replace(/[\\()]/g, '\\$&')}) Tj ET\n`;
	return pdf(text(60, 780, 16, v.document === '04' ? 'NOTA DE CRÉDITO' : 'FACTURA') + text(60, 755, 12, `No. ${v.serial}`) + text(60, 735, 9, `CLAVE DE ACCESO ${v.key}`)
		+ text(60, 700, 11, `RUC ${v.ruc}  ${v.issuer}`) + text(60, 680, 11, `${v.buyerName}  ${v.buyer}`) + text(60, 660, 11, `VALOR TOTAL ${money(v.total)}`));
}

/** Both files, as a form sends them. */
export function papers(v, { how = xml } = {}) {
	return {
		pdf: { filename: `${v.key}.pdf`, type: 'application/pdf', data: ride(v) },
		xml: { filename: `${v.key}.xml`, type: 'text/xml', data: Buffer.from(how(v)) },
	};
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const given = Object.fromEntries(process.argv.slice(2).map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
	for (const name of ['net', 'tax', 'total']) if (name in given) given[name] = Number(given[name]);
	const { how, ...rest } = given;
	process.stdout.write((how === 'authorised' ? authorised : xml)(fields(rest)));
}
