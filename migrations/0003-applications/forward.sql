-- Applications and what belongs to a case until it is issued.
set role icert_owner;

-- Which program may make which change of state; docs/procedure-trace.md and
-- procedure/transition.c say by whom and why.  A trigger reads it.
create table icert.transition (
	machine text not null check (machine in ('application', 'purchase', 'certificate')),
	from_state text not null,
	to_state text not null,
	program name not null,
	primary key (machine, from_state, to_state, program)
);

create function icert.check_transition() returns trigger language plpgsql set search_path = '' as $$
begin
	if new.state <> old.state then
		if not exists (select from icert.transition t where t.machine = tg_argv[0] and
		    t.from_state = old.state and t.to_state = new.state and t.program = current_user) then
			raise exception 'no such transition' using errcode = 'IC001',
				detail = tg_argv[0] || ' ' || old.state || ' ' || new.state;
		end if;
	end if;
	return new;
end $$;

create function icert.check_version() returns trigger language plpgsql set search_path = '' as $$
begin
	if new.version <> old.version + 1 then
		raise exception 'version' using errcode = 'IC001';
	end if;
	return new;
end $$;

create trigger purchase_transition before update of state on icert.purchase
	for each row execute function icert.check_transition('purchase');

create sequence icert.application_number;

create table icert.application (
	id uuid primary key,
	number text unique,			-- given at submission
	state text not null check (state in ('draft', 'submitted', 'in_review', 'observed', 'accepted', 'scheduled',
		'identified', 'issuing', 'issued', 'contract_sent', 'contract_received', 'contract_signed',
		'countersigned', 'active', 'rejected', 'cancelled', 'removed', 'closed_revoked')),
	version integer not null default 1,
	province smallint references icert.province check (province between 1 and 24),
	contact_id uuid not null references icert.contact,
	purchase_id uuid not null references icert.purchase,
	key_id uuid not null references icert.data_key,
	container text not null references icert.product,
	kind text not null check (kind in ('new', 'renewal')),
	years smallint not null,
	form icert.sealed,
	person_hash icert.sha256,		-- the keeper's look-up hash, label "person"
	operator_id uuid references icert.staff,
	reason text not null default '',	-- code: rejected, cancelled, refused
	words icert.sealed,			-- the operator's, for a rejection
	consent_at icert.instant,		-- to the video session and the photograph
	created_at icert.instant not null,
	submitted_at icert.instant,
	state_since icert.instant not null,
	closes_at icert.instant,		-- the 30-day clock
	check (submitted_at is not null or state in ('draft', 'removed')),
	check (submitted_at is null or (number is not null and province is not null and person_hash is not null))
);
create unique index application_key on icert.application (key_id);
create index on icert.application (contact_id, created_at);
create index on icert.application (province, state, submitted_at);
create index on icert.application (person_hash);
-- One paid order serves one application.
create unique index application_purchase on icert.application (purchase_id) where state <> 'removed';
-- One open application a person, from acceptance on; the desk alone accepts.
create unique index application_person on icert.application (person_hash)
	where state in ('accepted', 'scheduled', 'identified', 'issuing', 'issued', 'contract_sent',
		'contract_received', 'contract_signed', 'countersigned');

create trigger application_transition before update of state on icert.application
	for each row execute function icert.check_transition('application');
create trigger application_version before update on icert.application
	for each row execute function icert.check_version();

create table icert.link (
	hash icert.sha256 primary key,		-- of the 128-bit secret in the mail
	contact_id uuid not null references icert.contact on delete cascade,
	application_id uuid references icert.application,
	purchase_id uuid references icert.purchase,
	created_at icert.instant not null,
	expires_at icert.instant not null
);

create table icert.document (
	id uuid primary key,
	application_id uuid not null references icert.application,
	kind text not null check (kind in ('cedula', 'voting', 'utility', 'second_cedula', 'face', 'contract',
		'contract_signed', 'receipt', 'invoice')),
	file uuid not null,			-- name of the encrypted file
	key_id uuid not null references icert.data_key,
	type text not null,
	size bigint not null check (size > 0),
	sha256 icert.sha256 not null,		-- of the plain bytes stored
	original_sha256 icert.sha256 not null,	-- of the bytes as they came
	width integer not null default 0,
	height integer not null default 0,
	pages integer not null default 0,
	check_code text not null default 'ok',
	background smallint not null default 0 check (background between -1 and 1),
	override_reason icert.sealed,
	caption icert.sealed,			-- face: envelope number, cedula, full name
	by_staff uuid references icert.staff,
	created_at icert.instant not null,
	replaced_by uuid references icert.document deferrable initially deferred,
	destroyed_at icert.instant
);
create unique index document_standing on icert.document (application_id, kind) where replaced_by is null;

create table icert.observation (
	id uuid primary key,
	application_id uuid not null references icert.application,
	round integer not null,
	target text not null check (target ~ '^(form|document)\.[a-z0-9_]+$'),
	reason icert.sealed not null,
	staff_id uuid not null references icert.staff,
	at icert.instant not null,
	mended_at icert.instant
);
create index on icert.observation (application_id, round);

create table icert.appointment (
	id uuid primary key,
	application_id uuid not null references icert.application,
	state text not null check (state in ('proposed', 'confirmed', 'held', 'moved', 'missed')),
	starts_at icert.instant not null,
	ends_at icert.instant not null,
	mode text not null check (mode in ('video', 'in_person', 'remote')),
	meeting icert.sealed,
	sequence integer not null default 0,
	agreed_by text not null default '' check (agreed_by in ('', 'page', 'telephone')),
	staff_id uuid not null references icert.staff,
	created_at icert.instant not null,
	check (ends_at > starts_at)
);
create unique index appointment_standing on icert.appointment (application_id)
	where state in ('proposed', 'confirmed');

-- A tick of the operator's checklist, with who and when.
create table icert.check_item (
	application_id uuid not null references icert.application,
	item text not null check (item in ('email', 'names', 'ruc', 'cedula', 'address', 'telephone', 'container', 'face')),
	staff_id uuid not null references icert.staff,
	at icert.instant not null,
	primary key (application_id, item)
);

-- Credential envelopes: province, seven digits, check digit.  Used once.
create table icert.envelope (
	number text primary key check (number ~ '^[0-9]{10}$'),
	application_id uuid not null unique references icert.application,
	allotted_at icert.instant not null,
	confirmed_at icert.instant,
	confirmed_by uuid references icert.staff,
	used_at icert.instant
);
do $$
begin
	for p in 1 .. 24 loop
		execute format('create sequence icert.envelope_%s maxvalue 9999999', to_char(p, 'FM00'));
	end loop;
end $$;

-- The keeper's statements: who approved which exact fields, and when.
create table icert.approval (
	id uuid primary key,
	application_id uuid not null references icert.application,
	kind text not null check (kind in ('accept', 'issue', 'second')),
	fields_hash icert.sha256 not null,
	statement bytea not null,		-- bytes and signature, libicert/approval.h
	staff_id uuid references icert.staff,
	at icert.instant not null,		-- real time, as in the statement
	check ((staff_id is null) = (kind = 'accept'))
);
create index on icert.approval (application_id, kind, at);

reset role;
