#ifndef ICERT_PROCEDURE_EVIDENCE_FORM_H
#define ICERT_PROCEDURE_EVIDENCE_FORM_H
/* Names within an evidence package (docs/evidence.md), for who makes one and who verifies one. */
#define EVIDENCE_FORMAT		"icert-evidence-v1"

#define EVIDENCE_README		"leame.txt"
#define EVIDENCE_MANIFEST	"manifiesto.json"
#define EVIDENCE_CONTRACT	"contrato.pdf"
#define EVIDENCE_FIELDS		"datos.json"
#define EVIDENCE_AUDIT		"auditoria.json"
#define EVIDENCE_HOLDER		"certificados/titular.cer"
#define EVIDENCE_DIRECTOR	"certificados/direccion.cer"
#define EVIDENCE_ISSUER		"certificados/emisora.cer"
#define EVIDENCE_ROOT		"certificados/raiz.cer"
#define EVIDENCE_OCSP		"estado/titular.ocsp"
#define EVIDENCE_OCSP_DIRECTOR	"estado/direccion.ocsp"
#define EVIDENCE_CRL		"estado/emisora.crl"
#define EVIDENCE_ARL		"estado/raiz.crl"
#define EVIDENCE_ACCEPT		"aprobaciones/titular.bin"
#define EVIDENCE_ISSUE		"aprobaciones/operador.bin"
#define EVIDENCE_SECOND		"aprobaciones/segunda.bin"
#define EVIDENCE_KEYWORD	"aprobaciones/clave.bin"
#define EVIDENCE_KEEPER		"claves/aprobaciones.pub"
#define EVIDENCE_KEYMAKER	"claves/clave.pub"

#endif
