-- The sample contract: its first version, as it came with the instance.  What a
-- text may hold: documents/contract_template.h; its variables: procedure/contract.h.
insert into icert.contract_template (id, version, state, text, written_at, approved_at, effective_at) values
	('c7000000-0000-4000-8000-000000000001', 1, 'approved', $contrato$# Contrato de prestación de servicios de certificación de firma electrónica

Entre la entidad de certificación {authority}, a la que en este contrato se llama «la Entidad», representada por la Dirección Provincial de {province}, y {name}, con cédula o pasaporte número {identification}, a quien se llama «el Suscriptor», se celebra este contrato. Texto de muestra, sin valor legal.

## Primera. El certificado

La Entidad emitió al Suscriptor, a su pedido y después de comprobar su identidad, el certificado de firma electrónica de persona natural con estos datos, que el Suscriptor revisó y aceptó:

| Titular | {name}
| Cédula o pasaporte | {identification}
| RUC | {ruc}
| Correo electrónico | {email}
| Dirección | {address}
| Ciudad | {city}
| Teléfono | {telephone}
| Contenedor | {container}
| Número de serie | {serial}
| Vigencia | del {valid_from} al {valid_to}
| Emitido | {issued}
| Número de trámite | {case}

## Segunda. El precio

El Suscriptor pagó {total} {currency} por la emisión y {years} de vigencia: {net} {currency} más {tax} {currency} de impuestos. Emitido el certificado, el valor no se devuelve, salvo falla de la Entidad.

## Tercera. Obligaciones del Suscriptor

- Guardar la clave, y el archivo o el token que la contiene, bajo su exclusivo control, y no entregarlos a nadie.
- Usar el certificado dentro de sus límites y de la declaración de prácticas de certificación.
- Decir la verdad sobre sus datos y avisar cuando cambien.
- Pedir la revocación apenas sospeche que otra persona pudo usar su firma, o pierda el archivo, el token o la clave.
- Responder por lo firmado con el certificado mientras no haya pedido su revocación.

## Cuarta. Obligaciones de la Entidad

- Mantener a toda hora la consulta del estado del certificado y la lista de certificados revocados.
- Revocar el certificado cuando el Suscriptor lo pida, y avisarle siempre de una revocación.
- Proteger los datos personales y usarlos solo para este servicio. La dirección y el teléfono constan en el certificado y viajan con cada documento que se firme.
- Conservar la evidencia de la emisión durante el plazo legal.

## Quinta. Firma de este contrato en {hours} horas

El Suscriptor firma este contrato con el mismo certificado y lo devuelve dentro de las {hours} horas siguientes a la emisión, esto es, hasta el {due}. Si no lo hace, la Entidad revoca el certificado, y para obtener otro se vuelve a pagar y a presentar la solicitud.

## Sexta. Revocación y fin

El contrato dura lo que dure la vigencia del certificado, y termina antes si el certificado se revoca. El Suscriptor puede revocar en cualquier momento, sin decir por qué.

## Séptima. Ley y domicilio

Rigen este contrato la Ley de Comercio Electrónico, Firmas Electrónicas y Mensajes de Datos, su reglamento general y la Ley Orgánica de Protección de Datos Personales. Las partes procuran arreglar sus diferencias directamente y, si no lo logran, acuden a los jueces competentes del domicilio del Suscriptor.

## Firmas

Este documento se firma electrónicamente: primero el Suscriptor con su certificado, después la Dirección Provincial de {province}.
$contrato$, 0, 0, 0)
on conflict do nothing;

-- What the holder of a certificate signs to renew it; its variables: procedure/renewal_make.c.
insert into icert.policy (key, valid_from, text) values ('renewal.text', 0, $renovacion$# Solicitud de renovación del certificado de firma electrónica

Yo, {name}, con cédula o pasaporte número {identification}, titular del certificado de firma electrónica con número de serie {serial}, vigente hasta el {valid_to}, solicito a la Entidad que me emita uno nuevo en su reemplazo, dentro del trámite {case}. Texto de muestra, sin valor legal.

## Lo que declaro

- Que soy yo quien firma, con la clave del certificado que se renueva, y que esa clave ha estado bajo mi exclusivo control.
- Que los datos de la solicitud son ciertos, y que mi domicilio es {address}.
- Que sé que el certificado actual sirve hasta su fecha, y que puedo revocarlo en cualquier momento.

| Titular | {name}
| Cédula o pasaporte | {identification}
| Certificado que se renueva | {serial}
| Número de trámite | {case}

## Firma

Este documento se firma electrónicamente con el certificado que se renueva. Con esa firma la Entidad da por comprobada la identidad, sin otra videoconferencia.
$renovacion$)
on conflict do nothing;
