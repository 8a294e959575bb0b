set role icert_owner;
drop trigger staff_sessions on icert.staff;
drop trigger staff_role_sessions on icert.staff_role;
drop policy desk_papers on icert.document;
drop index icert.document_file;
grant create on schema icert to icert_login;
reset role;
set role icert_identity;
drop function icert.session_check(bigint);
reset role;
set role icert_login;
drop function icert.staff_sessions_end();
drop function icert.login_code_open(bytea, uuid, bytea, bytea, text, text);
drop function icert.login_code_asked(bytea);
drop function icert.login_codes_hour(uuid, boolean);
drop function icert.login_code_new(uuid, uuid, bytea, bytea, bytea, boolean);
drop function icert.session_touch(boolean);
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
create function icert.login_codes_hour(p_contact uuid) returns bigint language sql stable security definer
set search_path = '' as
	$$ select count(*) from icert.code where contact_id = p_contact and created_at > icert.real_now() - 3600 $$;
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
revoke execute on function icert.session_touch(), icert.login_code_new(uuid, uuid, bytea, bytea, boolean),
	icert.login_codes_hour(uuid), icert.login_code_try(bytea), icert.login_contact_open(uuid, bytea, text, text) from public;
grant execute on function icert.session_touch() to icert_portal, icert_desk;
grant execute on function icert.login_code_new(uuid, uuid, bytea, bytea, boolean), icert.login_codes_hour(uuid),
	icert.login_code_try(bytea), icert.login_contact_open(uuid, bytea, text, text) to icert_portal;
reset role;
set role icert_owner;
revoke create on schema icert from icert_login;
alter table icert.code drop column proof;
alter table icert.session drop column generation;
drop sequence icert.session_generation;
reset role;
