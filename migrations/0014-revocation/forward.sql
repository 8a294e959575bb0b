-- Revocation by the national office: one person asks, another confirms.
set role icert_owner;

create table icert.revocation_request (
	id uuid primary key,
	certificate_id uuid not null references icert.certificate,
	application_id uuid not null references icert.application,
	reason text not null check (reason in ('court_order', 'death', 'false_data', 'stolen', 'authority_fault')),
	words icert.sealed not null,		-- under the case's key
	state text not null default 'open' check (state in ('open', 'confirmed', 'withdrawn')),
	requested_by uuid not null references icert.staff,
	requested_at icert.instant not null,
	decided_by uuid references icert.staff,
	decided_at icert.instant,
	check ((state = 'open') = (decided_by is null)),
	check ((decided_by is null) = (decided_at is null)),
	check (state <> 'confirmed' or decided_by <> requested_by)
);
create unique index revocation_open on icert.revocation_request (certificate_id) where state = 'open';
create index on icert.revocation_request (requested_at);

alter table icert.revocation_request enable row level security, force row level security;
grant select, insert on icert.revocation_request to icert_desk;
grant update (state, decided_by, decided_at) on icert.revocation_request to icert_desk;
create policy desk_select on icert.revocation_request for select to icert_desk
	using ((select icert.me_has('national', 'auditor')));
create policy desk_insert on icert.revocation_request for insert to icert_desk
	with check (state = 'open' and requested_by = (select icert.me_staff()) and (select icert.me_has('national'))
		and not icert.own_case(application_id));
-- Nobody confirms what they asked for, nor what is about themselves.
create policy desk_update on icert.revocation_request for update to icert_desk
	using (state = 'open' and (select icert.me_has('national')))
	with check (decided_by = (select icert.me_staff()) and (state = 'withdrawn' or
		(state = 'confirmed' and icert.other_person(requested_by) and not icert.own_case(application_id))));

-- The certificate itself moves only under a request that this person has just confirmed.
grant update (state, revoked_at, reason, reason_code, revoked_by) on icert.certificate to icert_desk;
create policy desk_revoke on icert.certificate for update to icert_desk
	using (state = 'good' and (select icert.me_has('national')))
	with check (state = 'revoked' and revoked_by = 'national' and exists (select from icert.revocation_request q
		where q.certificate_id = certificate.id and q.state = 'confirmed' and q.decided_by = (select icert.me_staff())));
grant insert on icert.status_change to icert_desk;
create policy desk_revoke on icert.status_change for insert to icert_desk
	with check (state = 'revoked' and published_epoch is null and exists (select from icert.certificate c
		where c.id = certificate_id and c.state = 'revoked' and c.revoked_by = 'national'));
reset role;

insert into icert.transition (machine, from_state, to_state, program) values
	('certificate', 'good', 'revoked', 'icert_desk'),
	('application', 'issued', 'closed_revoked', 'icert_desk'),
	('application', 'contract_sent', 'closed_revoked', 'icert_desk');
