#include "procedure/contract/contract_signature.h"

#include <string.h>

static enum cms_fault
verify_one(const uint8_t *data, const struct pdf_signature *s, const struct contract_signer *signer, struct cms_signed *out)
{
	const struct cms_range signed_octets[2] = { { data, s->gap }, { data + s->gap_end, s->end - s->gap_end } };
	enum cms_binding binding = s->kind == PDF_CADES_DETACHED ? CMS_BINDING_NEEDED : CMS_BINDING_OPTIONAL;

	return cms_verify_hex(s->hex.p, s->hex.len, binding, signed_octets, 2, signer->cert, signer->len, out);
}

void
contract_signatures_verify(const uint8_t *data, size_t len, const struct pdf_original *original,
    const struct contract_signer *signers, size_t n, struct contract_signatures *out)
{
	memset(out, 0, sizeof(*out));
	if (pdf_signature_read(data, len, original, &out->changes) != PDF_NO_FAULT) {
		out->fault = pdf_fault_code(out->changes.fault);
		return;
	}
	for (size_t i = 0; i < n && i < CONTRACT_SIGNERS && i < out->changes.n; i++) {
		enum cms_fault fault = verify_one(data, &out->changes.signature[i], &signers[i], &out->cms[i]);

		if (fault != CMS_NO_FAULT) {
			out->fault = cms_fault_code(fault);
			return;
		}
		out->verified++;
	}
	if (out->changes.n < n)
		out->fault = "contract-signature-missing";
	else if (out->changes.n > n)
		out->fault = "contract-signature-extra";
}
