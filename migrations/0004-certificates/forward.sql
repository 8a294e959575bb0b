-- Certificates, what is delivered with them, and their status.
set role icert_owner;

create table icert.certificate (
	id uuid primary key,
	application_id uuid not null references icert.application,
	serial bytea not null unique check (octet_length(serial) = 16),
	state text not null check (state in ('issuing', 'refused', 'good', 'suspended', 'revoked', 'expired')),
	container text not null references icert.product,
	policy_oid text not null,
	fields icert.sealed not null,		-- canonical form, libicert/approval.h, under the case's key
	fields_hash icert.sha256 not null,
	-- of the keymaker
	spki bytea,
	spki_sha256 icert.sha256,
	key_word bytea,				-- statement and signature
	-- of the signer
	der icert.sealed,			-- it holds an address and a telephone
	not_before icert.instant,		-- real time
	not_after icert.instant,
	-- of the keymaker's packing
	revocation_code_sha256 icert.sha256,
	-- of the procedure
	created_at icert.instant not null,
	issued_at icert.instant,
	delivery_until icert.instant,
	refusal text not null default '',	-- code, when refused
	refusal_detail text not null default '',	-- the lint's rule
	revoked_at icert.instant,		-- real time, as in status answers
	reason smallint,			-- CRLReason, RFC 5280, 5.3.1
	reason_code text not null default '',
	revoked_by text not null default '' check (revoked_by in ('', 'holder', 'code', 'national', 'deadline')),
	check (state not in ('good', 'revoked', 'expired', 'suspended') or
		(der is not null and spki_sha256 is not null and not_after is not null)),
	check ((state = 'revoked') = (revoked_at is not null))
);
-- No key twice, also across people.
create unique index certificate_key on icert.certificate (spki_sha256);
-- One certificate a case; a refused attempt leaves room for another.
create unique index certificate_case on icert.certificate (application_id) where state <> 'refused';
create unique index certificate_code on icert.certificate (revocation_code_sha256);
create index on icert.certificate (state) where state = 'issuing';

create trigger certificate_transition before update of state on icert.certificate
	for each row execute function icert.check_transition('certificate');

-- Sealed under delivery keys, which live in the keeper's own folder only.
create table icert.delivery (
	certificate_id uuid not null references icert.certificate,
	label text not null check (label in ('private', 'pkcs12', 'envelope')),
	sealed bytea,				-- NULL once destroyed
	profile text not null default '',	-- pkcs12: modern, legacy
	created_at icert.instant not null,
	destroyed_at icert.instant,
	primary key (certificate_id, label),
	check ((sealed is null) = (destroyed_at is not null))
);

-- What the publisher has to make public; taken where published_epoch is NULL.
create table icert.status_change (
	id bigint generated always as identity primary key,
	certificate_id uuid not null references icert.certificate,
	state text not null check (state in ('good', 'revoked')),
	reason smallint,
	at icert.instant not null,		-- real time
	published_epoch bigint,
	published_at icert.instant
);
create index on icert.status_change (certificate_id, id);
create index status_change_open on icert.status_change (id) where published_epoch is null;

create table icert.crl (
	number bigint primary key,
	this_update icert.instant not null,
	next_update icert.instant not null,
	entries bigint not null,
	sha256 icert.sha256 not null,
	der bytea
);

reset role;
