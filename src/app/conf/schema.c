#include "app/conf/schema.h"

#include <stddef.h>

#define ROW(owner, section, name, type, field, min, max, value, comment) \
	{section, name, &conf_type_##type, offsetof(struct owner, field), sizeof(((struct owner *)0)->field), \
		min, max, value, comment}
#define CONF(...) ROW(conf, __VA_ARGS__)
#define PROFILE(...) ROW(profile, "profile", __VA_ARGS__)
#define ISSUER(...) ROW(conf_issuer, "issuer", __VA_ARGS__)
#define LABEL(...) ROW(est_label, "label", __VA_ARGS__)

enum { DAY = 86400, YEAR = 365 * DAY };

const struct conf_key conf_schema[] = {
	CONF("serve", "role", role, role, 0, 0, "mef",
		"What this directory is: mef, with the sections [mef] and [ca], or maf, with [maf]."),
	CONF("mef", "fqdn", text, fqdn, 1, 253, NULL,
		"Fully qualified domain name of this MEF; clients check it against the TLS certificate."),
	CONF("mef", "https", https, https, 1, CONF_LISTEN_MAX, "0.0.0.0:8443",
		"Where to listen for EST over TLS: address:port, several parted by commas; port 0 takes any free one."),
	CONF("mef", "http", http, http, 0, CONF_LISTEN_MAX, "0.0.0.0:8080",
		"Where to serve CRL and CA certificates over plain HTTP; empty: nowhere."),
	CONF("mef", "proxy_from", networks, proxy_from, 0, CONF_NETWORKS_MAX, "",
		"Proxies that may speak for their clients: addresses or networks (192.0.2.0/24), several parted by commas; empty: none."),
	CONF("mef", "behind_proxy", behind_proxy, behind_proxy, 0, CONF_LISTEN_MAX, "",
		"Where a proxy of proxy_from that ends TLS connects by plain HTTP: address:port, several parted by commas; a client's certificate comes in Client-Cert (RFC 9440). Everybody else is cut off. Empty: nowhere."),
	CONF("mef", "proxy_protocol", proxy_protocol, proxy_protocol, 0, 0, "off",
		"v2: connections of proxy_from to https and behind_proxy begin with a PROXY protocol header that tells the client's address; off: with none."),
	CONF("mef", "public_http", text, public_http, 0, 255, "",
		"Base of the CRL and CA addresses written into certificates, as clients reach it: http://mef.example.com:8080; empty: none."),
	CONF("mef", "tls_cert", text, tls_cert, 1, CONF_PATH_MAX - 1, "ca/mef-tls.cert.pem",
		"TLS server certificate, then its chain, PEM."),
	CONF("mef", "tls_key", text, tls_key, 1, CONF_PATH_MAX - 1, "ca/mef-tls.key.pem",
		"Its private key, encrypted PKCS#8."),
	CONF("mef", "device_anchors", text, device_anchors, 0, CONF_PATH_MAX - 1, "anchors/devices.pem",
		"Explicit trust anchors for third-party device certificates, PEM; apart from this MEF's own CA. The file may be empty."),
	CONF("mef", "fronts", number, fronts, 0, 64, "0", "Processes that take connections; 0: one per core."),
	CONF("mef", "signers", number, signers, 0, 64, "0", "Processes that hold the CA key; 0: one per core."),
	CONF("mef", "connections", number, connections, 1, 100000, "10000", "Open connections per front."),
	CONF("mef", "connections_per_source", number, connections_per_source, 1, 100000, "256",
		"Open connections per front from one address."),
	CONF("mef", "handshake_timeout", duration, handshake_timeout_s, 1, 600, "10s", "Longest TLS handshake."),
	CONF("mef", "request_timeout", duration, request_timeout_s, 1, 600, "30s", "First to last byte of a request."),
	CONF("mef", "idle_timeout", duration, idle_timeout_s, 1, 3600, "60s", "Silence between requests of a connection."),
	CONF("mef", "body_max", size, body_max, 1024, CONF_BODY_MAX, "65536", "Largest request body in bytes."),
	CONF("mef", "psk", yes_no, psk, 0, 1, "yes", "Take clients that prove a pre-provisioned symmetric key (TLS-PSK)."),
	CONF("mef", "srp", yes_no, srp, 0, 1, "no",
		"Take clients that prove a user's password (TLS-SRP, RFC 7030 3.3.3) for EST; TLS 1.2 with SHA-1 and CBC, for devices that have nothing else."),
	CONF("mef", "ems_required", yes_no, ems_required, 0, 1, "yes",
		"Make enrolment keys only from TLS sessions with the extended master secret (RFC 7627); no: also for peers without it."),
	CONF("mef", "token_required", yes_no, token_required, 0, 1, "no", "Refuse the enrolment exchange to an enrolee without a valid Enrolment-Token."),
	CONF("mef", "public_https", text, public_https, 0, 255, "",
		"Base of the addresses told in the enrolment exchange, as clients reach it: https://mef.example.com:8443; empty: the FQDN with the first https port."),
	CONF("maf", "fqdn", text, fqdn, 1, 253, NULL,
		"Fully qualified domain name of this MAF, which is its MAF-ID; clients check it against the TLS certificate."),
	CONF("maf", "https", https, https, 1, CONF_LISTEN_MAX, "0.0.0.0:8444",
		"Where to listen for clients: address:port, several parted by commas; port 0 takes any free one."),
	CONF("maf", "tls_cert", text, tls_cert, 1, CONF_PATH_MAX - 1, "tls/maf.cert.pem",
		"The MAF's FQDN certificate, then its chain, PEM: towards clients as their server, towards MEFs as their client."),
	CONF("maf", "tls_key", text, tls_key, 1, CONF_PATH_MAX - 1, "tls/maf.key.pem", "Its private key, encrypted PKCS#8."),
	CONF("maf", "client_anchors", text, ca_cert, 1, CONF_PATH_MAX - 1, "anchors/clients.pem",
		"The CA whose certificates clients may show instead of a key: the issuing CA of the MEF, and what stands above it, PEM."),
	CONF("maf", "mef", pairs, mefs, 0, CONF_MEFS_MAX, "",
		"MEFs whose enrolees are served: mef.example.com=https://mef.example.com:8443, several parted by commas. The host of the URI must be the FQDN."),
	CONF("maf", "mef_anchors", text, mef_anchors, 1, CONF_PATH_MAX - 1, "anchors/mef.pem",
		"Explicit trust anchors for the server certificates of those MEFs, PEM; never the system's."),
	CONF("maf", "connect", pairs, connects, 0, CONF_MEFS_MAX, "",
		"Where to connect for a MEF instead of its URI's host and port: mef.example.com=192.0.2.1:8443. Its certificate is checked all the same."),
	CONF("maf", "fronts", number, fronts, 0, 64, "0", "Processes that take connections; 0: one per core."),
	CONF("maf", "connections", number, connections, 1, 100000, "10000", "Open connections per front."),
	CONF("maf", "connections_per_source", number, connections_per_source, 1, 100000, "256",
		"Open connections per front from one address."),
	CONF("maf", "handshake_timeout", duration, handshake_timeout_s, 1, 600, "15s",
		"Longest TLS handshake; one that fetches a key from a MEF waits up to 10 s for it."),
	CONF("maf", "request_timeout", duration, request_timeout_s, 1, 600, "30s", "First to last byte of a request."),
	CONF("maf", "idle_timeout", duration, idle_timeout_s, 1, 3600, "60s", "Silence between requests of a connection."),
	CONF("maf", "body_max", size, body_max, 1024, CONF_BODY_MAX, "65536", "Largest request body in bytes."),
	CONF("maf", "ems_required", yes_no, ems_required, 0, 1, "yes",
		"Make connection keys only from TLS sessions with the extended master secret (RFC 7627); no: also for peers without it."),
	CONF("ca", "cert", text, ca_cert, 1, CONF_PATH_MAX - 1, "ca/issuing.cert.pem", "Issuing CA certificate, PEM."),
	CONF("ca", "key", text, ca_key, 1, CONF_PATH_MAX - 1, "ca/issuing.key.pem", "Its private key, encrypted PKCS#8."),
	CONF("ca", "chain", text, ca_chain, 0, CONF_PATH_MAX - 1, "ca/root.cert.pem",
		"CA certificates above the issuing one, up to the root, PEM; given to clients by cacerts."),
	CONF("ca", "message_cert", text, message_cert, 0, CONF_PATH_MAX - 1, "ca/message.cert.pem",
		"Certificate that signs CMC answers and the keys that serverkeygen makes, issued by the issuing CA, PEM; empty: neither is offered."),
	CONF("ca", "message_key", text, message_key, 0, CONF_PATH_MAX - 1, "ca/message.key.pem", "Its private key, encrypted PKCS#8."),
	CONF("ca", "name", text, ca_name, 1, ISSUER_NAME_MAX - 1, "issuing",
		"Name of the issuing CA in the addresses of its CRL (/crl/NAME.crl) and its certificate (/ca/NAME.cer), which stand in what it issued."),
	CONF("ca", "other_cert", text, ca_other_cert, 0, CONF_PATH_MAX - 1, "",
		"In a CA rollover the other issuing CA, PEM: its certificates are accepted, its CRL is published, it issues nothing. Set by openmef ca rollover, as the keys below."),
	CONF("ca", "other_key", text, ca_other_key, 0, CONF_PATH_MAX - 1, "", "Its private key, encrypted PKCS#8."),
	CONF("ca", "other_name", text, ca_other_name, 0, ISSUER_NAME_MAX - 1, "", "Its name, as above."),
	CONF("ca", "extra", text, ca_extra, 0, CONF_PATH_MAX - 1, "",
		"Further CA certificates that cacerts gives to clients, PEM: the other root, and what the roots certify of each other."),
	CONF("ca", "bridge", text, ca_bridge, 0, CONF_PATH_MAX - 1, "",
		"CA certificates sent behind the TLS certificate and its chain, PEM: by them devices with the other root verify this server."),
	CONF("ca", "rollover", text, ca_rollover, 0, CONF_PATH_MAX - 1, "", "Folder of the rollover under way; empty: none."),
	CONF("ca", "crl_lifetime", duration, crl_lifetime_s, 60, YEAR, "7d", "nextUpdate minus thisUpdate of a CRL."),
	CONF("ca", "crl_overlap", duration, crl_overlap_s, 0, YEAR, "1d",
		"A new CRL is published this long before the old one ends, and at once on each revocation."),
	CONF("keys", "master", text, master_key, 1, CONF_PATH_MAX - 1, "file:secret/master.key",
		"Key that protects private keys and stored secrets: file:PATH (mode 0600, 64 hex digits) or credential:NAME (systemd LoadCredential)."),
	CONF("store", "database", text, store, 1, CONF_PATH_MAX - 1, "sqlite:openmef.db",
		"sqlite:PATH, or memory: for experiments that forget everything."),
	CONF("log", "json", yes_no, log_json, 0, 1, "no", "Log JSON lines instead of text."),
	CONF("log", "level", log_level, log_level, 0, 3, "info", "debug, info, warn or error."),
	PROFILE("validity", duration, validity_s, 60, 100 * (uint64_t)YEAR, "90d", "Lifetime of a certificate."),
	PROFILE("backdate", duration, backdate_s, 0, DAY, "5min",
		"notBefore lies this much in the past, for devices whose clock is slow."),
	PROFILE("keys", profile_keys, keys, 1, PROFILE_KEYS_MAX, "P-256", "Subject keys admitted: P-256, P-384, RSA-2048, RSA-3072, RSA-4096."),
	PROFILE("key_usage", key_usage, key_usage, 0, 0, "digitalSignature", "Key usage bits written into the certificate."),
	PROFILE("ekus", profile_ekus, ekus, 0, CERT_EKU_MAX, "clientAuth",
		"Extended key usages written into the certificate: clientAuth, serverAuth or dotted OIDs."),
	PROFILE("sans", san_kinds, san_kinds, 0, 0, "dns, uri", "Kinds of subjectAltName admitted: dns, uri, other, ip."),
	PROFILE("san_required", yes_no, san_required, 0, 1, "yes", "Refuse to issue without a subjectAltName."),
	PROFILE("suffixes", suffixes, suffixes, 0, PROFILE_SUFFIXES_MAX, "",
		"DNS names and URI hosts must end in one of these; 'urn:...' admits URIs that begin so. Empty: any."),
	PROFILE("suid_ekus", yes_no, suid_ekus, 0, 1, "no",
		"Write security usage identifiers as extended key usages (oneM2M assigns no OIDs: needs suid_arc)."),
	PROFILE("suid_arc", text, suid_arc, 0, 63, "", "Dotted OID arc for suid_ekus."),
	LABEL("profile", text, profile, 1, STORE_PROFILE_MAX - 1, "device", "Certificate profile of requests under this label."),
	LABEL("issuer", text, issuer, 0, ISSUER_NAME_MAX - 1, "", "Who issues: a section [issuer NAME]; empty: this MEF's own CA."),
	LABEL("anchors", text, anchors, 0, LABEL_PATH_MAX - 1, "",
		"Third-party trust anchors that count under this label and nowhere else, PEM; empty: those of [mef] device_anchors."),
	LABEL("challenge", challenge, challenge, 0, 0, "accepted",
		"required: the CSR must echo the challengePassword from csrattrs; accepted: it may."),
	LABEL("bind_tls", yes_no, bind_tls, 0, 1, "no", "A challenge is good only in the TLS session that fetched it."),
	LABEL("challenge_ttl", duration, challenge_ttl_s, 10, DAY, "10min", "Lifetime of a challenge."),
	LABEL("linking", linking, linking, 0, 0, "accepted",
		"Proof of possession linked to the TLS session (tls-unique, tls-exporter): off, accepted or required."),
	LABEL("attrs", attrs, attrs, 0, 0, "legacy", "Form of the csrattrs answer: legacy (RFC 7030), template (RFC 9908) or both."),
	LABEL("reuse_key", yes_no, reuse_key, 0, 1, "yes", "simplereenroll may keep the key."),
	LABEL("foreign_reenrol", yes_no, foreign_reenrol, 0, 1, "no",
		"Take simplereenroll with a third-party certificate as simpleenroll (strongSwan's pki asks so)."),
	LABEL("expired", duration, expired_s, 0, YEAR, "0s",
		"Renew for so long after the end of the current certificate; never one from the future."),
	LABEL("serverkeygen", keygen, serverkeygen, 0, 0, "no",
		"The MEF makes the key pair: no, yes (encrypted where the request asks for it), encrypted (only so)."),
	LABEL("fullcmc", yes_no, fullcmc, 0, 1, "no", "Offer full CMC: enrolment, renewal and revocation by signed PKI requests."),
	LABEL("ra", yes_no, ra, 0, 1, "no", "A client with a certificate of this MEF that says id-kp-cmcRA (cmcRA in its profile's ekus) may ask for other enrolees."),
	LABEL("hold", hold, hold, 0, 0, "no",
		"Requests that wait for a person (openmef request): no, enrol (all but renewals), all."),
	LABEL("hold_ttl", duration, hold_ttl_s, 60, YEAR, "7d", "How long a request waits, and an approved one for its client."),
	LABEL("hold_retry", duration, hold_retry_s, 1, DAY, "5min", "Retry-After told to the client of a waiting request."),
	LABEL("proxied", yes_no, proxied, 0, 1, "no", "Clients whose TLS ends at a trusted proxy count here; never with bind_tls or linking required."),
	LABEL("ask_key", ask_key, ask_key, 0, 0, "any", "Key asked for in csrattrs: any, P-256, P-384, RSA-2048, RSA-3072, RSA-4096."),
	LABEL("ask_ekus", label_ekus, ask_ekus, 0, 4, "", "Extended key usages asked for in csrattrs and checked in the CSR."),
	LABEL("ask_subject", ask_subject, ask_subject, 0, LABEL_SUBJECT_MAX - 1, "",
		"Subject asked for in csrattrs and checked in the CSR: 'CN, O=Acme, OU'; what has no value is for the client to fill in. Needs attrs = template or both."),
	ISSUER("kind", issuer_kind, kind, 0, 0, "est", "est: an upstream EST CA, to which this MEF is a registration authority; command: a program of yours."),
	ISSUER("chain", text, chain, 1, CONF_PATH_MAX - 1, NULL, "Its CA certificates up to the root, PEM: what it issues must chain to them."),
	ISSUER("uri", text, uri, 0, 255, "", "est: https://FQDN[:PORT]/.well-known/est[/LABEL]."),
	ISSUER("connect", text, connect, 0, 255, "", "est: HOST:PORT to connect to instead of the URI's; its certificate is checked all the same."),
	ISSUER("anchors", text, anchors, 0, CONF_PATH_MAX - 1, "", "est: trust anchors for its server certificate, PEM; never the system's."),
	ISSUER("cert", text, cert, 0, CONF_PATH_MAX - 1, "", "est: this MEF's client certificate there, with id-kp-cmcRA, then its chain, PEM."),
	ISSUER("key", text, key, 0, CONF_PATH_MAX - 1, "", "est: its private key, PEM, readable by its owner alone (mode 0600). Plain, or encrypted as `openmef issuer seal NAME` leaves it."),
	ISSUER("command", text, command, 0, CONF_PATH_MAX - 1, "",
		"command: absolute path and arguments, parted by blanks, no shell; reads a CSR (PEM) from stdin, writes a certificate (PEM) to stdout. "
		"Exit status 0: that is it; 3: wait, stdout may hold the seconds; else refused, the first lines of stderr go to the log."),
	ISSUER("timeout", duration, timeout_s, 1, 600, "30s", "Longest time of one order."),
};

const size_t conf_schema_n = sizeof(conf_schema) / sizeof(conf_schema[0]);

const struct conf_key *conf_key_find(struct span section, struct span name)
{
	for (size_t i = 0; i < conf_schema_n; i++) {
		if (span_is(section, conf_schema[i].section) && span_is(name, conf_schema[i].name))
			return &conf_schema[i];
	}
	return NULL;
}

void conf_section_defaults(const char *section, void *base)
{
	for (size_t i = 0; i < conf_schema_n; i++) {
		const struct conf_key *key = &conf_schema[i];
		struct why why = {0};
		if (key->value && strcmp(key->section, section) == 0
			&& key->type->set(base, key, span_text(key->value), &why) != OK)
			__builtin_trap(); /* a default that its own row refuses: tests/unit/app_conf sees it */
	}
}

bool conf_row_at(size_t index, struct conf_row *out)
{
	if (index >= conf_schema_n)
		return false;
	const struct conf_key *key = &conf_schema[index];
	*out = (struct conf_row){key->section, key->name, key->value, key->comment};
	return true;
}
