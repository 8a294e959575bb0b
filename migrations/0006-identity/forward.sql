-- Who asks.  A transaction carries icert.session = hex SHA-256 of the cookie's
-- secret; the functions below turn it into a contact or a member of staff, so
-- that injected SQL cannot name another.  They belong to icert_identity, which
-- may read sessions and roles and nothing else; those that log somebody in
-- belong to icert_login.  Sessions and codes live in real time: now().
set role icert_owner;

grant usage on schema icert to icert_identity, icert_login;
grant create on schema icert to icert_identity, icert_login;

create function icert.real_now() returns bigint language sql stable set search_path = '' as
	$$ select extract(epoch from now())::bigint $$;

create function icert.policy_number(p_key text, p_default bigint) returns bigint language sql stable
set search_path = '' as $$
	select coalesce((select number from icert.policy where key = p_key and number is not null
		and valid_from <= icert.real_now() order by valid_from desc limit 1), p_default)
$$;

-- SHA-256 of the setting, NULL when there is none.
create function icert.me_hash() returns bytea language sql stable set search_path = '' as $$
	select sha256(decode(nullif(current_setting('icert.session', true), ''), 'hex'))
$$;

reset role;
set role icert_identity;

create function icert.me_contact() returns uuid language sql stable security definer set search_path = '' as $$
	select contact_id from icert.session where hash = icert.me_hash() and kind = 'contact'
		and least(idle_until, absolute_until) > icert.real_now()
$$;

-- A contact whose session has been idle too long may still park a form, for a day.
create function icert.me_parking() returns uuid language sql stable security definer set search_path = '' as $$
	select contact_id from icert.session where hash = icert.me_hash() and kind = 'contact'
		and least(idle_until, absolute_until) + 86400 > icert.real_now()
$$;

create function icert.me_staff() returns uuid language sql stable security definer set search_path = '' as $$
	select staff_id from icert.session where hash = icert.me_hash() and kind = 'staff'
		and least(idle_until, absolute_until) > icert.real_now()
$$;

create function icert.me_has(variadic p_roles text[]) returns boolean language sql stable security definer
set search_path = '' as $$
	select exists (select from icert.staff_role where staff_id = icert.me_staff() and role = any (p_roles))
$$;

-- Provinces whose cases the caller sees: the national office and the auditor see every one.
create function icert.me_provinces() returns smallint[] language sql stable security definer set search_path = '' as $$
	select case when bool_or(role in ('national', 'auditor'))
		then (select array_agg(g::smallint) from generate_series(1, 24) g)
		else coalesce(array_agg(distinct province) filter (where role = 'operator'), '{}') end
	from icert.staff_role where staff_id = icert.me_staff()
$$;

-- Provinces for which the caller signs contracts.
create function icert.me_directs() returns smallint[] language sql stable security definer set search_path = '' as $$
	select coalesce(array_agg(distinct province), '{}')
	from icert.staff_role where staff_id = icert.me_staff() and role = 'director'
$$;

-- Provinces whose cases the caller may change.
create function icert.me_works() returns smallint[] language sql stable security definer set search_path = '' as $$
	select case when bool_or(role = 'national')
		then (select array_agg(g::smallint) from generate_series(1, 24) g)
		else coalesce(array_agg(distinct province) filter (where role = 'operator'), '{}') end
	from icert.staff_role where staff_id = icert.me_staff()
$$;

reset role;
set role icert_login;

-- The session behind the setting; its idle limit moves on, written at most once a minute.
create function icert.session_touch(out state text, out kind text, out person uuid, out name text, out roles text[],
	out fresh_until bigint, out idle_until bigint, out absolute_until bigint)
language plpgsql security definer set search_path = '' as $$
#variable_conflict use_column
declare
	s icert.session;
	t bigint := icert.real_now();
	idle bigint;
begin
	select * into s from icert.session where hash = icert.me_hash();
	if not found then
		state := 'none';
		return;
	end if;
	kind := s.kind; person := coalesce(s.contact_id, s.staff_id);
	fresh_until := s.fresh_until; idle_until := s.idle_until; absolute_until := s.absolute_until;
	if s.kind = 'contact' then
		select c.masked into name from icert.contact c where c.id = s.contact_id;
		roles := array['contact'];
		idle := icert.policy_number('session.contact_idle', 1800);
	else
		select p.name into name from icert.staff p where p.id = s.staff_id and p.enabled;
		if not found then
			state := 'none';
			return;
		end if;
		select coalesce(array_agg(distinct r.role), '{}') into roles from icert.staff_role r where r.staff_id = s.staff_id;
		idle := icert.policy_number('session.staff_idle', 900);
	end if;
	if least(s.idle_until, s.absolute_until) <= t then
		state := case when s.kind = 'contact' and least(s.idle_until, s.absolute_until) + 86400 > t
			then 'locked' else 'none' end;
		return;
	end if;
	state := 'live';
	if s.seen_at + 60 <= t then
		update icert.session u set seen_at = t, idle_until = least(t + idle, u.absolute_until) where u.id = s.id
			returning u.idle_until into idle_until;
	end if;
end $$;

create function icert.session_end() returns boolean language sql security definer set search_path = '' as $$
	with gone as (delete from icert.session where hash = icert.me_hash() returning id)
	select exists (select from gone)
$$;

-- Contacts.

create function icert.login_contact_find(p_email_hash bytea, out contact uuid, out masked text, out key_id uuid,
	out wrapped bytea)
language sql stable security definer set search_path = '' as $$
	select c.id, c.masked, c.key_id, k.wrapped from icert.contact c join icert.data_key k on k.id = c.key_id
	where c.email_hash = p_email_hash
$$;

create function icert.login_contact_new(p_id uuid, p_email_hash bytea, p_email bytea, p_masked text, p_key uuid,
	p_wrapped bytea, p_at bigint) returns void
language plpgsql security definer set search_path = '' as $$
begin
	insert into icert.data_key (id, kind, wrapped, created_at) values (p_key, 'contact', p_wrapped, p_at);
	insert into icert.contact (id, email_hash, email, masked, key_id, created_at)
		values (p_id, p_email_hash, p_email, p_masked, p_key, p_at);
end $$;

-- The code still valid for this contact in this browser.
create function icert.login_code_current(p_contact uuid, p_browser bytea, out id uuid, out code bytea,
	out sent_at bigint, out expires_at bigint)
language sql stable security definer set search_path = '' as $$
	select c.id, c.code, c.sent_at, c.expires_at from icert.code c
	where c.contact_id = p_contact and c.browser = p_browser and not c.ended and c.expires_at > icert.real_now()
	order by c.created_at desc limit 1
$$;

-- A browser proves one mailbox at a time: earlier codes asked for in it end.
create function icert.login_code_new(p_id uuid, p_contact uuid, p_browser bytea, p_code bytea, p_vouched boolean,
	out expires_at bigint)
language plpgsql security definer set search_path = '' as $$
#variable_conflict use_column
declare
	t bigint := icert.real_now();
begin
	delete from icert.code where contact_id = p_contact and created_at < t - 172800;
	update icert.code set ended = true where browser = p_browser and not ended;
	expires_at := t + icert.policy_number('code.seconds', 1200);
	insert into icert.code (id, contact_id, browser, code, vouched, sent_at, expires_at, created_at)
		values (p_id, p_contact, p_browser, p_code, p_vouched, t, expires_at, t);
end $$;

create function icert.login_code_sent(p_id uuid) returns void language sql security definer set search_path = '' as
	$$ update icert.code set sent_at = icert.real_now() where id = p_id $$;

-- How often anything was mailed to a contact within the hour: a stranger must not flood a mailbox.
create function icert.login_codes_hour(p_contact uuid) returns bigint language sql stable security definer
set search_path = '' as
	$$ select count(*) from icert.code where contact_id = p_contact and created_at > icert.real_now() - 3600 $$;

-- Counts a try, before the code is compared: five a contact and browser while a
-- code lives, twenty a contact and day.  A stranger does not have the secret of a
-- mailed link, so a code asked for by one is outside the day's count: guessing
-- cannot lock the owner out.
create function icert.login_code_try(p_browser bytea, out verdict text, out id uuid, out code bytea,
	out contact uuid, out key_id uuid, out wrapped bytea, out left_tries integer)
language plpgsql security definer set search_path = '' as $$
#variable_conflict use_column
declare
	c icert.code;
	t bigint := icert.real_now();
	here bigint;
	today bigint;
begin
	select * into c from icert.code where browser = p_browser order by created_at desc limit 1 for update;
	if not found or c.ended then
		verdict := 'none';
		return;
	end if;
	contact := c.contact_id;
	if c.expires_at <= t then
		verdict := 'expired';
		return;
	end if;
	perform from icert.contact where id = c.contact_id for update;
	select coalesce(sum(tries), 0) into here from icert.code
		where contact_id = c.contact_id and browser = p_browser and expires_at > t;
	select coalesce(sum(tries), 0) into today from icert.code
		where contact_id = c.contact_id and not vouched and created_at > t - 86400;
	if here >= icert.policy_number('code.tries', 5) or
	    (not c.vouched and today >= icert.policy_number('code.tries_day', 20)) then
		verdict := 'spent';
		left_tries := 0;
		return;
	end if;
	update icert.code set tries = tries + 1 where id = c.id;
	verdict := 'ok';
	id := c.id; code := c.code;
	left_tries := icert.policy_number('code.tries', 5) - here - 1;
	select k.id, k.wrapped into key_id, wrapped from icert.contact p join icert.data_key k on k.id = p.key_id
		where p.id = c.contact_id;
end $$;

-- The code was right: it is used up, its wrong tries are forgiven, the session begins.
create function icert.login_contact_open(p_code uuid, p_hash bytea, p_country text, p_network text) returns uuid
language plpgsql security definer set search_path = '' as $$
declare
	who uuid;
	t bigint := icert.real_now();
begin
	update icert.code set ended = true, tries = 0 where id = p_code and not ended and expires_at > t
		returning contact_id into who;
	if who is null then
		return null;
	end if;
	update icert.contact set proved_at = coalesce(proved_at, t) where id = who;
	delete from icert.session where contact_id = who and least(idle_until, absolute_until) + 86400 < t;
	insert into icert.session (hash, kind, contact_id, created_at, seen_at, idle_until, absolute_until, country, network)
		values (p_hash, 'contact', who, t, t, t + icert.policy_number('session.contact_idle', 1800),
			t + icert.policy_number('session.contact_absolute', 43200), p_country, p_network);
	return who;
end $$;

create function icert.link_find(p_hash bytea, out contact uuid, out application uuid, out purchase uuid,
	out masked text, out key_id uuid, out wrapped bytea)
language sql stable security definer set search_path = '' as $$
	select l.contact_id, l.application_id, l.purchase_id, c.masked, c.key_id, k.wrapped
	from icert.link l join icert.contact c on c.id = l.contact_id join icert.data_key k on k.id = c.key_id
	where l.hash = p_hash and l.expires_at > icert.real_now()
$$;

-- The key under which a locked session parks its form.
create function icert.parking_key(out contact uuid, out key_id uuid, out wrapped bytea)
language sql stable security definer set search_path = '' as $$
	select c.id, c.key_id, k.wrapped from icert.contact c join icert.data_key k on k.id = c.key_id
	where c.id = (select icert.me_parking())
$$;

-- Staff.

create function icert.login_staff_find(p_login text, p_network text, out staff uuid, out password text, out spent boolean)
language sql stable security definer set search_path = '' as $$
	select s.id, s.password,
		(select count(*) from icert.staff_try y where y.staff_id = s.id and y.network = p_network
			and y.at > icert.real_now() - 900) >= icert.policy_number('staff.tries', 5) or
		(select count(*) from icert.staff_try y where y.staff_id = s.id
			and y.at > icert.real_now() - 86400) >= icert.policy_number('staff.tries_day', 50)
	from icert.staff s where s.login = p_login and s.enabled
$$;

create function icert.login_staff_try(p_staff uuid, p_network text) returns void language sql security definer
set search_path = '' as
	$$ insert into icert.staff_try (staff_id, network, at) values (p_staff, p_network, icert.real_now()) $$;

create function icert.login_staff_open(p_staff uuid, p_hash bytea, p_country text, p_network text) returns void
language plpgsql security definer set search_path = '' as $$
declare
	t bigint := icert.real_now();
begin
	delete from icert.staff_try where staff_id = p_staff and (network = p_network or at < t - 86400);
	delete from icert.session where staff_id = p_staff and least(absolute_until, idle_until) < t;
	insert into icert.session (hash, kind, staff_id, created_at, seen_at, idle_until, absolute_until, fresh_until,
		country, network)
	values (p_hash, 'staff', p_staff, t, t, t + icert.policy_number('session.staff_idle', 900),
		t + icert.policy_number('session.staff_absolute', 36000), t + icert.policy_number('session.fresh', 300),
		p_country, p_network);
end $$;

create function icert.session_fresh() returns bigint language sql security definer set search_path = '' as $$
	update icert.session set fresh_until = icert.real_now() + icert.policy_number('session.fresh', 300)
	where hash = icert.me_hash() and staff_id = icert.me_staff() returning fresh_until
$$;

-- Cases.

-- Is another application of the same person open, anywhere?  Only for who may
-- see this one; says nothing about the other.
create function icert.also_open(p_application uuid) returns boolean language sql stable security definer
set search_path = '' as $$
	select exists (select from icert.application a join icert.application b on b.person_hash = a.person_hash and b.id <> a.id
		where a.id = p_application and a.province = any ((select icert.me_provinces())::smallint[])
		and b.submitted_at is not null
		and b.state not in ('active', 'rejected', 'cancelled', 'removed', 'closed_revoked'))
$$;

-- Is the caller the person of this application?  Nobody decides their own case.
create function icert.own_case(p_application uuid) returns boolean language sql stable security definer
set search_path = '' as $$
	select exists (select from icert.application a join icert.staff s on s.person_hash = a.person_hash
		where a.id = p_application and s.id = (select icert.me_staff()))
$$;

-- Whoever knows the revocation code revokes, with no session and no mailbox.
create function icert.revoke_by_code(p_code bytea, p_reason smallint, p_reason_code text, p_real bigint, p_business bigint,
	out certificate uuid, out application uuid, out contact uuid, out serial bytea, out number text,
	out province smallint, out key_id uuid, out wrapped bytea, out again boolean, out closed boolean)
language plpgsql security definer set search_path = '' as $$
#variable_conflict use_column
declare
	c icert.certificate;
	a icert.application;
begin
	select * into c from icert.certificate where revocation_code_sha256 = p_code and state in ('good', 'revoked') for update;
	if not found then
		return;
	end if;
	select * into a from icert.application where id = c.application_id for update;
	certificate := c.id; application := a.id; contact := a.contact_id; serial := c.serial; number := a.number;
	province := a.province; key_id := a.key_id; again := c.state = 'revoked'; closed := false;
	select k.wrapped into wrapped from icert.data_key k where k.id = a.key_id;
	if again then
		return;
	end if;
	update icert.certificate set state = 'revoked', revoked_at = p_real, reason = p_reason, reason_code = p_reason_code,
		revoked_by = 'code' where id = c.id;
	insert into icert.status_change (certificate_id, state, reason, at) values (c.id, 'revoked', p_reason, p_real);
	if a.state in ('issued', 'contract_sent', 'contract_received', 'contract_signed', 'countersigned') then
		update icert.application set state = 'closed_revoked', version = version + 1, state_since = p_business,
			reason = 'revoked_by_holder' where id = a.id;
		closed := true;
	end if;
	perform pg_notify('icert_status', '');
end $$;

reset role;
set role icert_owner;
revoke create on schema icert from icert_identity, icert_login;

revoke execute on function icert.real_now(), icert.policy_number(text, bigint), icert.me_hash(), icert.check_transition(),
	icert.check_version(), icert.audit_once() from public;
reset role;
set role icert_identity;
revoke execute on function icert.me_contact(), icert.me_parking(), icert.me_staff(), icert.me_has(text[]),
	icert.me_provinces(), icert.me_directs(), icert.me_works() from public;
grant execute on function icert.me_contact(), icert.me_parking() to icert_portal, icert_login, icert_owner;
grant execute on function icert.me_staff(), icert.me_has(text[]), icert.me_provinces(), icert.me_directs(), icert.me_works()
	to icert_desk, icert_login, icert_owner;
reset role;
set role icert_login;
revoke execute on function icert.session_touch(), icert.session_end(), icert.login_contact_find(bytea),
	icert.login_contact_new(uuid, bytea, bytea, text, uuid, bytea, bigint), icert.login_code_current(uuid, bytea),
	icert.login_code_new(uuid, uuid, bytea, bytea, boolean), icert.login_code_sent(uuid), icert.login_codes_hour(uuid),
	icert.login_code_try(bytea), icert.login_contact_open(uuid, bytea, text, text), icert.link_find(bytea),
	icert.parking_key(), icert.login_staff_find(text, text), icert.login_staff_try(uuid, text),
	icert.login_staff_open(uuid, bytea, text, text), icert.session_fresh(), icert.also_open(uuid), icert.own_case(uuid),
	icert.revoke_by_code(bytea, smallint, text, bigint, bigint) from public;
grant execute on function icert.session_touch(), icert.session_end() to icert_portal, icert_desk;
grant execute on function icert.login_contact_find(bytea),
	icert.login_contact_new(uuid, bytea, bytea, text, uuid, bytea, bigint), icert.login_code_current(uuid, bytea),
	icert.login_code_new(uuid, uuid, bytea, bytea, boolean), icert.login_code_sent(uuid), icert.login_codes_hour(uuid),
	icert.login_code_try(bytea), icert.login_contact_open(uuid, bytea, text, text), icert.link_find(bytea),
	icert.parking_key(), icert.revoke_by_code(bytea, smallint, text, bigint, bigint) to icert_portal;
grant execute on function icert.login_staff_find(text, text), icert.login_staff_try(uuid, text),
	icert.login_staff_open(uuid, bytea, text, text), icert.session_fresh(), icert.also_open(uuid), icert.own_case(uuid)
	to icert_desk;
reset role;
set role icert_owner;
grant execute on function icert.real_now(), icert.policy_number(text, bigint), icert.me_hash()
	to icert_identity, icert_login, icert_portal, icert_desk, icert_clerk, icert_issuer;
reset role;
