-- What every change writes beside itself: mails, audit rows, deadlines.
set role icert_owner;

-- Never an address, MIME text or an attachment.
create table icert.outbox (
	id uuid primary key,
	template text not null,
	contact_id uuid references icert.contact,
	province smallint references icert.province,	-- staff mail; 25 the national office
	application_id uuid references icert.application,
	purchase_id uuid references icert.purchase,
	key_id uuid references icert.data_key,
	variables icert.sealed,
	certificate_id uuid references icert.certificate,	-- held until its status is public
	dedup text,
	state text not null default 'waiting' check (state in ('waiting', 'sent', 'failed', 'expired')),
	tries integer not null default 0,
	not_before icert.instant not null default 0,	-- business clock
	next_try_at icert.instant not null default 0,	-- real time
	created_at icert.instant not null,
	sent_at icert.instant,
	outcome text not null default '',	-- SMTP code and words, no address
	check ((contact_id is null) <> (province is null)),
	check ((variables is null) or (key_id is not null))
);
create unique index outbox_dedup on icert.outbox (coalesce(application_id, purchase_id, contact_id), dedup)
	where dedup is not null;
create index outbox_waiting on icert.outbox (next_try_at) where state = 'waiting';
create index on icert.outbox (application_id, created_at);

create table icert.outbox_document (
	outbox_id uuid not null references icert.outbox,
	position smallint not null,
	document_id uuid not null references icert.document,
	sha256 icert.sha256 not null,
	filename text not null,
	primary key (outbox_id, position)
);

-- audit/audit.h.  People by reference only.  leaf: place in the Merkle tree,
-- given by the clerk within a second; detail is text, as it is hashed.
create table icert.audit (
	id uuid primary key,
	at_us bigint not null,			-- microseconds since 1970, UTC, real time
	action text not null,
	outcome text not null default 'done' check (outcome in ('done', 'refused')),
	reason text,
	actor_kind text not null,
	actor text,
	subject_kind text,
	subject text,
	case_id uuid,
	province smallint,
	country text,
	network text,
	detail text not null default '{}',
	count bigint not null default 1,
	leaf bigint unique
);
create index audit_unplaced on icert.audit (at_us) where leaf is null;
create index on icert.audit (case_id, at_us);

create function icert.audit_once() returns trigger language plpgsql set search_path = '' as $$
begin
	if old.leaf is not null then
		raise exception 'placed' using errcode = 'IC001';
	end if;
	return new;
end $$;
create trigger audit_once before update on icert.audit
	for each row execute function icert.audit_once();

create table icert.audit_node (
	level smallint not null,
	index bigint not null,
	hash icert.sha256 not null,
	primary key (level, index)
);

create table icert.audit_head (
	size bigint primary key,
	root icert.sha256 not null,
	at icert.instant not null,		-- real time
	note text not null			-- the signed head as published
);

create table icert.deadline (
	id uuid primary key,
	kind text not null,
	subject_kind text not null check (subject_kind in ('application', 'purchase', 'certificate', 'appointment')),
	subject uuid not null,
	application_id uuid references icert.application,
	due_at icert.instant not null,		-- business clock
	state text not null default 'waiting' check (state in ('waiting', 'done', 'void')),
	created_at icert.instant not null,
	done_at icert.instant,
	tries integer not null default 0
);
create index deadline_due on icert.deadline (due_at) where state = 'waiting';
create index on icert.deadline (subject);

reset role;
