-- The schema, its domains, and people: places, staff, contacts, sessions,
-- codes, links.  Classes of columns (sealed, hashed, plain): docs/data.md.
create schema if not exists icert authorization icert_owner;
alter schema icert owner to icert_owner;
set role icert_owner;

-- UTC seconds since 1970, as libicert/clock.h counts them.
create domain icert.instant as bigint check (value >= 0);
create domain icert.sha256 as bytea check (octet_length(value) = 32);
-- AES-256-GCM under a data key (crypt/seal.h), bound to table, column and row.
create domain icert.sealed as bytea check (octet_length(value) >= 29);

-- 1 … 24 as the country numbers them; 25 is the national office.
create table icert.province (
	id smallint primary key check (id between 1 and 25),
	name text not null,
	telephone text not null default '',
	hours text not null default '',
	address text not null default '',
	mailbox text not null default '',
	galapagos boolean not null default false
);

-- Limits, clocks and texts, each with its date of effect; the newest in force counts.
create table icert.policy (
	key text not null check (key ~ '^[a-z0-9_.]+$'),
	valid_from icert.instant not null,
	number bigint,
	text text,
	primary key (key, valid_from),
	check ((number is null) <> (text is null))
);

create table icert.data_key (
	id uuid primary key,
	kind text not null check (kind in ('contact', 'order', 'case', 'payments-month')),
	wrapped bytea not null,
	label text,				-- payments-month: "2026-11"
	created_at icert.instant not null,
	destroyed_at icert.instant,
	unique (kind, label)
);

create table icert.staff (
	id uuid primary key,
	login text not null unique check (login ~ '^[a-z0-9._-]{2,40}$'),
	name text not null,
	email text not null default '',
	password text not null default '',	-- Argon2id; "" cannot log in
	person_hash icert.sha256,		-- the keeper's look-up hash of the cedula
	enabled boolean not null default true,
	created_at icert.instant not null
);

create table icert.staff_role (
	staff_id uuid not null references icert.staff on delete cascade,
	role text not null check (role in ('operator', 'director', 'finance', 'national', 'administrator', 'auditor')),
	province smallint references icert.province,
	since icert.instant not null,
	unique nulls not distinct (staff_id, role, province),
	check ((province is not null) = (role in ('operator', 'director')))
);

-- One proved mailbox: the portal's principal.
create table icert.contact (
	id uuid primary key,
	email_hash icert.sha256 not null unique,
	email icert.sealed not null,
	masked text not null,
	key_id uuid not null references icert.data_key,
	created_at icert.instant not null,
	proved_at icert.instant
);

-- hash: SHA-256 of the identity setting, which is SHA-256 of the cookie's secret.
create table icert.session (
	id uuid primary key default gen_random_uuid(),
	hash icert.sha256 not null unique,
	kind text not null check (kind in ('contact', 'staff')),
	contact_id uuid references icert.contact on delete cascade,
	staff_id uuid references icert.staff on delete cascade,
	created_at icert.instant not null,
	seen_at icert.instant not null,
	idle_until icert.instant not null,
	absolute_until icert.instant not null,
	fresh_until icert.instant not null default 0,
	country text,
	network text,
	check ((contact_id is not null) = (kind = 'contact')),
	check ((staff_id is not null) = (kind = 'staff'))
);
create unique index contact_key on icert.contact (key_id);
create index on icert.session (contact_id);
create index on icert.session (staff_id);

-- Six digits, sealed so that the same ones can be sent again.
create table icert.code (
	id uuid primary key,
	contact_id uuid not null references icert.contact on delete cascade,
	browser icert.sha256 not null,
	code icert.sealed not null,
	vouched boolean not null default false,	-- asked for by a mailed link: outside the day's limit
	sent_at icert.instant not null,
	expires_at icert.instant not null,
	tries smallint not null default 0,
	ended boolean not null default false,	-- used, or overtaken by another
	created_at icert.instant not null
);
create index on icert.code (browser, created_at);
create index on icert.code (contact_id, created_at);

create table icert.staff_try (
	staff_id uuid not null references icert.staff on delete cascade,
	network text not null,
	at icert.instant not null
);
create index on icert.staff_try (staff_id, at);

-- A form sent after its session had locked.
create table icert.parked_form (
	id uuid primary key,
	contact_id uuid not null references icert.contact on delete cascade,
	path text not null check (length(path) < 256),
	body icert.sealed not null,
	created_at icert.instant not null,
	expires_at icert.instant not null
);
create index on icert.parked_form (contact_id);

reset role;
