-- A new opening code for an envelope whose tries are used up, or whose code was never noted; the clock of the 120 hours stands while it
-- is locked.  What the clerk could not finish, a row each, so that nothing waits for it.  The signer's journal as it was seen last.
set role icert_owner;
grant create on schema icert to icert_login;

alter table icert.envelope add column locked_at icert.instant;	-- business clock; the fifth wrong try, until a new code

create table icert.envelope_renewal (
	application_id uuid not null references icert.application,
	round smallint not null check (round between 1 and 3),	-- the keeper makes no more
	cause text not null check (cause in ('locked', 'lost')),
	seen text not null check (seen in ('video', 'in_person')),	-- how the person was identified anew
	staff_id uuid not null references icert.staff,
	at icert.instant not null,
	primary key (application_id, round)
);

-- One row of a job that failed; gone when it succeeds.
create table icert.trouble (
	part text not null check (part ~ '^[a-z_]+$'),
	subject text not null check (octet_length(subject) between 1 and 80),	-- id of the row
	code text not null,			-- of the last error
	detail text not null default '',	-- kind of deadline, state: nothing of a person
	tries integer not null default 1,
	since icert.instant not null,		-- these three in real time
	at icert.instant not null,
	next_at icert.instant not null,
	primary key (part, subject)
);

create table icert.journal_witness (
	sequence bigint primary key check (sequence > 0),
	hash icert.sha256 not null,		-- of the journal's line of that number
	at icert.instant not null		-- real time
);

do $$
declare t text;
begin
	foreach t in array array['envelope_renewal', 'trouble', 'journal_witness'] loop
		execute format('alter table icert.%I enable row level security, force row level security', t);
	end loop;
end $$;

grant update (locked_at) on icert.envelope to icert_portal, icert_desk, icert_clerk;
grant select (application_id, locked_at) on icert.envelope to icert_login, icert_clerk;
-- The applicant's program locks and never unlocks.
create policy portal_locks on icert.envelope as restrictive for update to icert_portal using (true) with check (locked_at is not null);
create policy desk_not_own on icert.envelope as restrictive for update to icert_desk using (not icert.own_case(application_id));
create policy clerk on icert.envelope to icert_clerk using (true) with check (locked_at is null);
create policy login on icert.envelope for select to icert_login using (true);

grant select, insert on icert.envelope_renewal to icert_desk;
create policy desk_select on icert.envelope_renewal for select to icert_desk
	using (exists (select from icert.application a where a.id = application_id));
create policy desk_insert on icert.envelope_renewal for insert to icert_desk
	with check (staff_id = (select icert.me_staff()) and not icert.own_case(application_id)
		and exists (select from icert.application a where a.id = application_id
			and a.province = any ((select icert.me_works())::smallint[])));

grant select, insert, update, delete on icert.trouble to icert_clerk;
create policy clerk on icert.trouble to icert_clerk using (true) with check (true);
grant select on icert.trouble to icert_admin, icert_desk;
create policy admin on icert.trouble for select to icert_admin using (true);
create policy desk on icert.trouble for select to icert_desk using ((select icert.me_has('administrator', 'national', 'auditor')));

grant select, insert on icert.journal_witness to icert_publisher;
create policy publisher_select on icert.journal_witness for select to icert_publisher using (true);
create policy publisher_insert on icert.journal_witness for insert to icert_publisher with check (true);
grant select on icert.journal_witness to icert_admin;
create policy admin on icert.journal_witness for select to icert_admin using (true);
reset role;

set role icert_login;
create or replace function icert.clock_run(p_application uuid, p_at bigint, p_least bigint) returns bigint
language plpgsql security definer set search_path = '' as $$
declare
	due bigint;
	short bigint;
begin
	if not icert.clock_mine(p_application) then
		return null;
	end if;
	update icert.deadline set due_at = due_at + greatest(p_at - stopped_at, 0), stopped_at = null
		where application_id = p_application and state = 'waiting' and kind in ('contract_due', 'contract_warn')
		and stopped_at is not null;
	select due_at into due from icert.deadline where application_id = p_application and kind = 'contract_due'
		and state = 'waiting';
	short := greatest(p_at + p_least - due, 0);
	if short > 0 then
		update icert.deadline set due_at = due_at + short where application_id = p_application and state = 'waiting'
			and kind in ('contract_due', 'contract_warn');
	end if;
	-- While the envelope is locked nobody can sign: it stands on, with what is left.
	if exists (select from icert.envelope e join icert.application a on a.id = e.application_id
		where e.application_id = p_application and e.locked_at is not null and a.container <> 'token') then
		update icert.deadline set stopped_at = p_at where application_id = p_application and state = 'waiting'
			and kind in ('contract_due', 'contract_warn');
	end if;
	return due + short;
end $$;

create or replace function icert.my_case(p_session bytea, p_generation bigint, p_id uuid, p_mails integer, out version integer, out number text,
	out state text, out reason text, out closes_at bigint, out masked text, out province integer, out province_name text,
	out telephone text, out hours text, out address text, out galapagos boolean, out container text, out serial bytea,
	out certificate text, out not_before bigint, out not_after bigint, out issued_at bigint, out revoked_at bigint,
	out delivery_until bigint, out published boolean, out deliveries text, out due_at bigint, out contract text,
	out made_at bigint, out mails text)
language plpgsql stable security definer set search_path = '' as $$
#variable_conflict use_column
declare
	me uuid;
begin
	select s.contact_id into me from icert.session s where s.hash = sha256(p_session) and s.kind = 'contact'
		and (p_generation = 0 or s.generation = p_generation) and least(s.idle_until, s.absolute_until) > icert.real_now();
	if me is null then
		if p_generation <> 0 then
			raise exception 'session' using errcode = 'IC002';
		end if;
		return;
	end if;
	select a.version, a.number, a.state, a.reason, a.closes_at, c.masked, a.province, p.name, p.telephone, p.hours, p.address,
		p.galapagos, a.container, x.serial, x.state, x.not_before, x.not_after, x.issued_at, x.revoked_at, x.delivery_until,
		(select s.published_epoch is not null from icert.status_change s where s.certificate_id = x.id order by s.id desc limit 1),
		-- What is still kept; 'locked' when the envelope's tries are used up.
		(select string_agg(d.label, ' ') from icert.delivery d where d.certificate_id = x.id and d.destroyed_at is null)
			|| case when v.locked_at is not null then ' locked' else '' end,
		case when a.state in ('issued', 'contract_sent') then (select d.due_at from icert.deadline d
			where d.application_id = a.id and d.kind = 'contract_due' and d.state = 'waiting' limit 1) end,
		k.number, k.made_at,
		-- Words and numbers alone, nothing that needs quoting.
		(select string_agg(concat_ws(' ', m.id, m.template, m.state, coalesce(m.sent_at, 0)), E'\n') from (select o.id, o.template, o.state,
			o.sent_at from icert.outbox o where o.application_id = a.id and o.contact_id = me order by o.created_at desc, o.id
			limit p_mails) m)
	into version, number, state, reason, closes_at, masked, province, province_name, telephone, hours, address, galapagos, container,
		serial, certificate, not_before, not_after, issued_at, revoked_at, delivery_until, published, deliveries, due_at, contract,
		made_at, mails
	from icert.application a join icert.contact c on c.id = a.contact_id left join icert.province p on p.id = a.province
	left join lateral (select * from icert.certificate y where y.application_id = a.id order by y.created_at desc, y.id limit 1) x on true
	left join icert.envelope v on v.application_id = a.id
	left join lateral (select * from icert.contract z where z.application_id = a.id order by z.made_at desc limit 1) k on true
	where a.id = p_id and a.contact_id = me;
end $$;
reset role;

set role icert_owner;
revoke create on schema icert from icert_login;
reset role;
