-- Who asks, asked faster.  Every policy calls one of these functions, so every statement of portal and desk does.  A function in
-- SQL with rights of its own is parsed and planned anew in each statement; in PL/pgSQL it is planned once a connection.  What runs
-- with the caller's rights has no setting of its own, so that it is written out in the plans of those that call it.
set role icert_owner;
grant create on schema icert to icert_identity;

create or replace function icert.real_now() returns bigint language sql stable as
	$$ select pg_catalog.date_part('epoch', pg_catalog.now())::pg_catalog.int8 $$;

create or replace function icert.me_hash() returns bytea language sql stable as $$
	select pg_catalog.sha256(pg_catalog.decode(nullif(pg_catalog.current_setting('icert.session', true), ''), 'hex'))
$$;
reset role;

set role icert_identity;
create or replace function icert.me_contact() returns uuid language plpgsql stable security definer set search_path = '' as $$
begin
	return (select contact_id from icert.session where hash = icert.me_hash() and kind = 'contact'
		and least(idle_until, absolute_until) > icert.real_now());
end $$;

create or replace function icert.me_parking() returns uuid language plpgsql stable security definer set search_path = '' as $$
begin
	return (select contact_id from icert.session where hash = icert.me_hash() and kind = 'contact'
		and least(idle_until, absolute_until) + 86400 > icert.real_now());
end $$;

create or replace function icert.me_staff() returns uuid language plpgsql stable security definer set search_path = '' as $$
begin
	return (select staff_id from icert.session where hash = icert.me_hash() and kind = 'staff'
		and least(idle_until, absolute_until) > icert.real_now());
end $$;

create or replace function icert.me_has(variadic p_roles text[]) returns boolean language plpgsql stable security definer
set search_path = '' as $$
begin
	return exists (select from icert.staff_role where staff_id = icert.me_staff() and role = any (p_roles));
end $$;

create or replace function icert.me_provinces() returns smallint[] language plpgsql stable security definer set search_path = '' as $$
begin
	return (select case when bool_or(role in ('national', 'auditor'))
		then (select array_agg(g::smallint) from generate_series(1, 24) g)
		else coalesce(array_agg(distinct province) filter (where role = 'operator'), '{}') end
	from icert.staff_role where staff_id = icert.me_staff());
end $$;

create or replace function icert.me_works() returns smallint[] language plpgsql stable security definer set search_path = '' as $$
begin
	return (select case when bool_or(role = 'national')
		then (select array_agg(g::smallint) from generate_series(1, 24) g)
		else coalesce(array_agg(distinct province) filter (where role = 'operator'), '{}') end
	from icert.staff_role where staff_id = icert.me_staff());
end $$;
reset role;

set role icert_owner;
revoke create on schema icert from icert_identity;
reset role;

-- The page of a case that is looked at most, in one statement: what it shows of the session's own case, and of no other.  Here and not
-- in policies, which would ask who asks once a relation and again inside each other.
set role icert_owner;
grant create on schema icert to icert_login;
grant select on icert.delivery, icert.status_change to icert_login;
create policy login on icert.delivery for select to icert_login using (true);
create policy login_select on icert.status_change for select to icert_login using (true);
grant select on icert.province to icert_login;
reset role;

set role icert_login;
create function icert.my_case(p_id uuid, out version integer, out number text, out state text, out reason text, out closes_at bigint,
	out masked text, out province integer, out province_name text, out telephone text, out hours text, out address text, out galapagos boolean, out container text,
	out serial bytea, out certificate text, out not_before bigint, out not_after bigint, out issued_at bigint,
	out revoked_at bigint, out delivery_until bigint, out published boolean, out deliveries text, out due_at bigint,
	out contract text, out made_at bigint)
language plpgsql stable security definer set search_path = '' as $$
#variable_conflict use_column
declare
	me uuid := icert.me_contact();
begin
	select a.version, a.number, a.state, a.reason, a.closes_at, c.masked, a.province, p.name, p.telephone, p.hours, p.address, p.galapagos, a.container,
		x.serial, x.state, x.not_before, x.not_after, x.issued_at, x.revoked_at, x.delivery_until,
		(select s.published_epoch is not null from icert.status_change s where s.certificate_id = x.id order by s.id desc limit 1),
		(select string_agg(d.label, ' ') from icert.delivery d where d.certificate_id = x.id and d.destroyed_at is null),
		case when a.state in ('issued', 'contract_sent') then (select d.due_at from icert.deadline d
			where d.application_id = a.id and d.kind = 'contract_due' and d.state = 'waiting' limit 1) end,
		k.number, k.made_at
	into version, number, state, reason, closes_at, masked, province, province_name, telephone, hours, address, galapagos, container,
		serial, certificate, not_before, not_after, issued_at, revoked_at, delivery_until, published, deliveries, due_at, contract, made_at
	from icert.application a join icert.contact c on c.id = a.contact_id left join icert.province p on p.id = a.province
	left join lateral (select * from icert.certificate y where y.application_id = a.id order by y.created_at desc, y.id limit 1) x on true
	left join lateral (select * from icert.contract z where z.application_id = a.id order by z.made_at desc limit 1) k on true
	where a.id = p_id and a.contact_id = me;
end $$;
revoke execute on function icert.my_case(uuid) from public;
grant execute on function icert.my_case(uuid) to icert_portal;
reset role;

set role icert_owner;
create index certificate_of_case on icert.certificate (application_id, created_at desc, id);
revoke create on schema icert from icert_login;
reset role;
