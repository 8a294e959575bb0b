#ifndef LIBICERT_PDF_CHANGE_H
#define LIBICERT_PDF_CHANGE_H

#include "libicert/pdf_file.h"

/*
 * What later revisions of a PDF do to it.  Allowed is the adding of signatures
 * and of what belongs to them: the field and its widget on a page, the widget's
 * appearance, the form's list of fields, validation data (DSS), the dates of
 * the document's information.  Every object that a revision brings must be reached by that road, and
 * nothing that was there may be replaced; what is left over is a fault, named
 * by what it does.  So the attacks known as incremental saving, signature
 * wrapping, universal forgery and shadow documents (hide, replace, hide and
 * replace) are not looked for one by one: they have no way to be allowed.
 */
#define PDF_FAULTS(X)                                                                         \
	X(PDF_NO_FAULT, "ok")                                                                 \
	X(PDF_OTHER_FILE, "contract-other")           /* its beginning is not our file */     \
	X(PDF_UNSIGNED, "contract-unsigned")          /* nothing was added */                 \
	X(PDF_DAMAGED, "contract-damaged")            /* cannot be read without guessing */   \
	X(PDF_ENCRYPTED, "contract-encrypted")                                                \
	X(PDF_PAGE_CHANGED, "contract-page-changed")                                          \
	X(PDF_ANNOTATION, "contract-annotated")                                               \
	X(PDF_FORM_CHANGED, "contract-form-changed")                                          \
	X(PDF_FILE_ADDED, "contract-file-added")                                              \
	X(PDF_SCRIPT_ADDED, "contract-script-added")                                          \
	X(PDF_CATALOG_CHANGED, "contract-catalog-changed")                                    \
	X(PDF_OBJECT_REPLACED, "contract-object-replaced")                                    \
	X(PDF_OBJECT_ADDED, "contract-object-added")  /* something no signature needs */      \
	X(PDF_SAVED_AFTER, "contract-saved-after")    /* a revision without a signature */    \
	X(PDF_RANGE, "signature-range")               /* signs not all of its revision */     \
	X(PDF_CONTENTS, "signature-contents")         /* /Contents is not where it must be */ \
	X(PDF_KIND, "signature-kind")                 /* a form of signature not known here */ \
	X(PDF_LOCKS, "signature-locks")               /* forbids the signatures that follow */ \
	X(PDF_COVERS, "signature-covers")             /* its picture hides the page */        \
	X(PDF_NO_MEMORY, "memory")

enum pdf_fault {
#define X(name, code) name,
	PDF_FAULTS(X)
#undef X
	PDF_FAULT_COUNT
};

/* The stable code of a fault; static storage. */
const char *pdf_fault_code(enum pdf_fault);

enum pdf_signature_kind {
	PDF_PKCS7_DETACHED = 1,		/* adbe.pkcs7.detached (ISO 32000-1, 12.8.3.3) */
	PDF_CADES_DETACHED = 2		/* ETSI.CAdES.detached (ETSI EN 319 142-1) */
};

struct pdf_signature {
	size_t revision;
	enum pdf_signature_kind kind;
	uint32_t field, object;		/* object numbers of the field and the signature */
	size_t gap, gap_end;		/* /Contents with its brackets: what the signature does not cover */
	size_t end;			/* it covers [0, gap) and [gap_end, end) */
	struct pdf_span hex;		/* the hexadecimal digits in the gap: the CMS and zeros behind it */
	int visible;
};

struct pdf_changes {
	struct pdf_signature signature[PDF_REVISIONS];
	size_t n;
	enum pdf_fault fault;
	size_t revision;		/* of the fault; 0: the first */
	uint32_t object;		/* of the fault, 0: none in particular */
};

/*
 * Looks a whole file through, of which the first `first` octets are ours
 * (the caller has compared them).  PDF_NO_FAULT when at least one signature was
 * added and nothing else; signatures found up to a fault stay listed.
 */
enum pdf_fault pdf_changes_read(const uint8_t *data, size_t len, size_t first, struct pdf_changes *out);

/* The widget's picture may take up to this part of the page. */
#define PDF_WIDGET_PART 4

#endif
