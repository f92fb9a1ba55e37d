#pragma once
/* Object identifiers that pki knows, as contents octets, and their dotted text. */
#include "base/buf.h"

/* A span over a string of octets: OID("\x55\x1d\x11") */
#define OID(octets) ((struct span){(const uint8_t *)(octets), sizeof(octets) - 1})

#define OID_COMMON_NAME OID("\x55\x04\x03")
#define OID_SERIAL_NUMBER OID("\x55\x04\x05")
#define OID_CE_SUBJECT_KEY_ID OID("\x55\x1d\x0e")
#define OID_CE_KEY_USAGE OID("\x55\x1d\x0f")
#define OID_CE_SUBJECT_ALT_NAME OID("\x55\x1d\x11")
#define OID_CE_BASIC_CONSTRAINTS OID("\x55\x1d\x13")
#define OID_CE_CRL_NUMBER OID("\x55\x1d\x14")
#define OID_CE_CRL_REASON OID("\x55\x1d\x15")
#define OID_CE_NAME_CONSTRAINTS OID("\x55\x1d\x1e")
#define OID_CE_CRL_DISTRIBUTION_POINTS OID("\x55\x1d\x1f")
#define OID_CE_CERTIFICATE_POLICIES OID("\x55\x1d\x20")
#define OID_CE_AUTHORITY_KEY_ID OID("\x55\x1d\x23")
#define OID_CE_EXT_KEY_USAGE OID("\x55\x1d\x25")
#define OID_PE_AUTHORITY_INFO_ACCESS OID("\x2b\x06\x01\x05\x05\x07\x01\x01")
#define OID_AD_OCSP OID("\x2b\x06\x01\x05\x05\x07\x30\x01")
#define OID_AD_CA_ISSUERS OID("\x2b\x06\x01\x05\x05\x07\x30\x02")
#define OID_ON_HARDWARE_MODULE_NAME OID("\x2b\x06\x01\x05\x05\x07\x08\x04") /* RFC 4108 5 */
#define OID_CHALLENGE_PASSWORD OID("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07")
#define OID_EST_IDENTITY_LINKING OID("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x3a") /* RFC 7894 3.3 */
#define OID_CSR_TEMPLATE OID("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x3d") /* RFC 9908 A */
#define OID_EXTENSION_REQUEST_TEMPLATE OID("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x3e") /* RFC 9908 A */
#define OID_EXTENSION_REQUEST OID("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e")
#define OID_MS_EXTENSION_REQUEST OID("\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x0e")
#define OID_EC_PUBLIC_KEY OID("\x2a\x86\x48\xce\x3d\x02\x01")
#define OID_P256 OID("\x2a\x86\x48\xce\x3d\x03\x01\x07")
#define OID_P384 OID("\x2b\x81\x04\x00\x22")
#define OID_RSA OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01")
#define OID_MD5_RSA OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04")
#define OID_SHA1_RSA OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05")
#define OID_SHA256_RSA OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b")
#define OID_SHA384_RSA OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c")
#define OID_SHA512_RSA OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d")
#define OID_SHA1_ECDSA OID("\x2a\x86\x48\xce\x3d\x04\x01")
#define OID_SHA256_ECDSA OID("\x2a\x86\x48\xce\x3d\x04\x03\x02")
#define OID_SHA384_ECDSA OID("\x2a\x86\x48\xce\x3d\x04\x03\x03")
#define OID_SHA512_ECDSA OID("\x2a\x86\x48\xce\x3d\x04\x03\x04")

/* "1.3.6.1.5.5.7.3.2"; out is bad when the octets are no object identifier. */
void oid_put_dotted(struct buf *out, struct span contents);
