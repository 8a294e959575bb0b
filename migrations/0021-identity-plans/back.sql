set role icert_owner;
drop index icert.certificate_of_case;
reset role;
set role icert_login;
drop function icert.my_case(uuid);
reset role;
set role icert_owner;
drop policy login on icert.delivery;
drop policy login_select on icert.status_change;
revoke select on icert.delivery, icert.status_change, icert.province from icert_login;
reset role;

set role icert_owner;
grant create on schema icert to icert_identity;

create or replace function icert.real_now() returns bigint language sql stable set search_path = '' as
	$$ select extract(epoch from now())::bigint $$;

create or replace function icert.me_hash() returns bytea language sql stable set search_path = '' as $$
	select sha256(decode(nullif(current_setting('icert.session', true), ''), 'hex'))
$$;
reset role;

set role icert_identity;
create or replace function icert.me_contact() returns uuid language sql stable security definer set search_path = '' as $$
	select contact_id from icert.session where hash = icert.me_hash() and kind = 'contact'
		and least(idle_until, absolute_until) > icert.real_now()
$$;

create or replace function icert.me_parking() returns uuid language sql stable security definer set search_path = '' as $$
	select contact_id from icert.session where hash = icert.me_hash() and kind = 'contact'
		and least(idle_until, absolute_until) + 86400 > icert.real_now()
$$;

create or replace function icert.me_staff() returns uuid language sql stable security definer set search_path = '' as $$
	select staff_id from icert.session where hash = icert.me_hash() and kind = 'staff'
		and least(idle_until, absolute_until) > icert.real_now()
$$;

create or replace function icert.me_has(variadic p_roles text[]) returns boolean language sql stable security definer
set search_path = '' as $$
	select exists (select from icert.staff_role where staff_id = icert.me_staff() and role = any (p_roles))
$$;

create or replace function icert.me_provinces() returns smallint[] language sql stable security definer set search_path = '' as $$
	select case when bool_or(role in ('national', 'auditor'))
		then (select array_agg(g::smallint) from generate_series(1, 24) g)
		else coalesce(array_agg(distinct province) filter (where role = 'operator'), '{}') end
	from icert.staff_role where staff_id = icert.me_staff()
$$;

create or replace function icert.me_works() returns smallint[] language sql stable security definer set search_path = '' as $$
	select case when bool_or(role = 'national')
		then (select array_agg(g::smallint) from generate_series(1, 24) g)
		else coalesce(array_agg(distinct province) filter (where role = 'operator'), '{}') end
	from icert.staff_role where staff_id = icert.me_staff()
$$;

reset role;

set role icert_owner;
revoke create on schema icert from icert_identity;
reset role;
