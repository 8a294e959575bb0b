#ifndef PKI_OID_H
#define PKI_OID_H

/*
 * Object identifiers that the profile writes and the lint reads.  The arc
 * 1.3.6.1.4.1.43745 is the certification authority's own.
 */

/* X.520 attribute types */
#define OID_COMMON_NAME "2.5.4.3"
#define OID_SERIAL_NUMBER "2.5.4.5"
#define OID_COUNTRY "2.5.4.6"
#define OID_LOCALITY "2.5.4.7"
#define OID_ORGANIZATION "2.5.4.10"
#define OID_ORGANIZATIONAL_UNIT "2.5.4.11"

/* Certificate and CRL extensions (RFC 5280, 4.2 and 5.2) */
#define OID_SKI "2.5.29.14"
#define OID_KEY_USAGE "2.5.29.15"
#define OID_SAN "2.5.29.17"
#define OID_BASIC_CONSTRAINTS "2.5.29.19"
#define OID_ISSUING_DP "2.5.29.28"
#define OID_CRL_NUMBER "2.5.29.20"
#define OID_REASON_CODE "2.5.29.21"
#define OID_CRL_DP "2.5.29.31"
#define OID_POLICIES "2.5.29.32"
#define OID_ANY_POLICY "2.5.29.32.0"
#define OID_AKI "2.5.29.35"
#define OID_EKU "2.5.29.37"
#define OID_AIA "1.3.6.1.5.5.7.1.1"
#define OID_CPS "1.3.6.1.5.5.7.2.1"
#define OID_CLIENT_AUTH "1.3.6.1.5.5.7.3.2"
#define OID_EMAIL_PROTECTION "1.3.6.1.5.5.7.3.4"
#define OID_OCSP_SIGNING "1.3.6.1.5.5.7.3.9"
#define OID_AD_OCSP "1.3.6.1.5.5.7.48.1"
#define OID_OCSP_BASIC "1.3.6.1.5.5.7.48.1.1"
#define OID_OCSP_NONCE "1.3.6.1.5.5.7.48.1.2"
#define OID_OCSP_NOCHECK "1.3.6.1.5.5.7.48.1.5"
#define OID_OCSP_ARCHIVE_CUTOFF "1.3.6.1.5.5.7.48.1.6"
#define OID_OCSP_EXTENDED_REVOKE "1.3.6.1.5.5.7.48.1.9"
#define OID_AD_CA_ISSUERS "1.3.6.1.5.5.7.48.2"

/* Algorithms */
#define OID_SHA1 "1.3.14.3.2.26"
#define OID_SHA256 "2.16.840.1.101.3.4.2.1"
#define OID_SHA256_RSA "1.2.840.113549.1.1.11"
#define OID_SHA256_ECDSA "1.2.840.10045.4.3.2"

/* Personal fields in the subjectAltName, and their suffixes */
#define OID_PERSONAL "1.3.6.1.4.1.43745.1.3"
#define OID_IDENTIFICATION OID_PERSONAL ".1"
#define OID_GIVEN_NAMES OID_PERSONAL ".2"
#define OID_SURNAME1 OID_PERSONAL ".3"
#define OID_SURNAME2 OID_PERSONAL ".4"
#define OID_ADDRESS OID_PERSONAL ".7"
#define OID_TELEPHONE OID_PERSONAL ".8"
#define OID_CITY OID_PERSONAL ".9"
#define OID_RUC OID_PERSONAL ".11"
#define OID_COUNTRY_NAME OID_PERSONAL ".12"
#define OID_KIND OID_PERSONAL ".50"
#define OID_CONTAINER OID_PERSONAL ".51"
#define OID_RUP OID_PERSONAL ".52"
#define OID_PROFESSION OID_PERSONAL ".53"

/* Policies for a natural person */
#define OID_POLICY_TOKEN "1.3.6.1.4.1.43745.1.2.1.1.1.1"
#define OID_POLICY_REMOTE "1.3.6.1.4.1.43745.1.2.1.1.1.2"
#define OID_POLICY_HSM "1.3.6.1.4.1.43745.1.2.1.1.1.3"
#define OID_POLICY_FILE "1.3.6.1.4.1.43745.1.2.1.1.2.1"

#endif
