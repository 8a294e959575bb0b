-- Sessions that end for good, and codes that only the keeper's hash proves.
--
-- Each session has a number of its own.  What a cache says of a session counts
-- only while the row of that number lives: the page's own transaction asks.
-- A mailed code is compared here, by a hash that the keeper alone can make: whoever
-- has the portal's role and not its key cannot open another contact's session.
set role icert_owner;

create sequence icert.session_generation;
alter table icert.session add column generation bigint not null default nextval('icert.session_generation');
grant usage on sequence icert.session_generation to icert_login;

-- The keeper's hash (label "code") of contact, id and digits.  Codes from before have none: none fits them.
alter table icert.code add column proof icert.sha256;

-- Who asks whether a stored file has a row: the clerk, of every file once a day.
create index document_file on icert.document (file);

grant create on schema icert to icert_identity, icert_login;

-- Of a case whose contract waits for the signature a director sees the contract, not the applicant's papers.
create policy desk_papers on icert.document as restrictive for select to icert_desk
	using (kind in ('contract', 'contract_signed') or exists (select from icert.application a where a.id = application_id
		and a.province = any ((select icert.me_provinces())::smallint[])));

reset role;
set role icert_identity;

-- Whether the session of the setting is the one of that number and lives; IC002 otherwise.
create function icert.session_check(p_generation bigint) returns void language plpgsql stable security definer
set search_path = '' as $$
begin
	if not exists (select from icert.session where hash = icert.me_hash() and generation = p_generation
	    and least(idle_until, absolute_until) > icert.real_now()) then
		raise exception 'session' using errcode = 'IC002';
	end if;
end $$;

reset role;
set role icert_login;

drop function icert.session_touch();
-- The session behind the setting; its idle limit moves on, written at most once
-- a minute, unless the page asked by itself (p_touch false).
create function icert.session_touch(p_touch boolean default true, out state text, out kind text, out person uuid,
	out name text, out roles text[], out fresh_until bigint, out idle_until bigint, out absolute_until bigint,
	out generation bigint)
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
	kind := s.kind; person := coalesce(s.contact_id, s.staff_id); generation := s.generation;
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
	if p_touch and s.seen_at + 60 <= t then
		update icert.session u set seen_at = t, idle_until = least(t + idle, u.absolute_until) where u.id = s.id
			returning u.idle_until into idle_until;
	end if;
end $$;

-- Whoever loses a role, is given another password or is disabled is signed out everywhere.
create function icert.staff_sessions_end() returns trigger language plpgsql security definer set search_path = '' as $$
begin
	if tg_table_name = 'staff_role' then
		delete from icert.session where staff_id = old.staff_id;
	else
		delete from icert.session where staff_id = old.id;
	end if;
	return null;
end $$;

-- Codes.

drop function icert.login_code_new(uuid, uuid, bytea, bytea, boolean);
drop function icert.login_codes_hour(uuid);
drop function icert.login_code_try(bytea);
drop function icert.login_contact_open(uuid, bytea, text, text);

-- A browser proves one mailbox at a time: earlier codes asked for in it end.
create function icert.login_code_new(p_id uuid, p_contact uuid, p_browser bytea, p_code bytea, p_proof bytea,
	p_vouched boolean, out expires_at bigint)
language plpgsql security definer set search_path = '' as $$
#variable_conflict use_column
declare
	t bigint := icert.real_now();
begin
	delete from icert.code where contact_id = p_contact and created_at < t - 172800;
	update icert.code set ended = true where browser = p_browser and not ended;
	expires_at := t + icert.policy_number('code.seconds', 1200);
	insert into icert.code (id, contact_id, browser, code, proof, vouched, sent_at, expires_at, created_at)
		values (p_id, p_contact, p_browser, p_code, p_proof, p_vouched, t, expires_at, t);
end $$;

-- How often anything was mailed to a contact within the hour, by strangers or by those who hold a
-- mailed link: neither may flood a mailbox, nor stand in the other's way.
create function icert.login_codes_hour(p_contact uuid, p_vouched boolean) returns bigint language sql stable
security definer set search_path = '' as
	$$ select count(*) from icert.code where contact_id = p_contact and vouched = p_vouched
		and created_at > icert.real_now() - 3600 $$;

-- The code asked for in this browser: what the keeper's hash is made of.
create function icert.login_code_asked(p_browser bytea, out id uuid, out contact uuid) language sql stable
security definer set search_path = '' as $$
	select c.id, c.contact_id from icert.code c where c.browser = p_browser order by c.created_at desc limit 1
$$;

-- Counts a try, compares, and begins the session when the proof is right: the code
-- is used up, its wrong tries are forgiven.  Five tries a contact and browser while a
-- code lives, twenty a contact and day.  A stranger does not have the secret of a
-- mailed link, so codes asked for by one are counted apart, up to forty a day:
-- guessing cannot lock the owner out, and a link that leaked is no end of guesses.
create function icert.login_code_open(p_browser bytea, p_id uuid, p_proof bytea, p_hash bytea, p_country text,
	p_network text, out verdict text, out contact uuid, out left_tries integer)
language plpgsql security definer set search_path = '' as $$
#variable_conflict use_column
declare
	c icert.code;
	t bigint := icert.real_now();
	here bigint;
	today bigint;
begin
	select * into c from icert.code where browser = p_browser order by created_at desc limit 1 for update;
	if not found or c.ended or c.id <> p_id then
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
		where contact_id = c.contact_id and vouched = c.vouched and created_at > t - 86400;
	left_tries := 0;
	if here >= icert.policy_number('code.tries', 5) or
	    (c.vouched and today >= icert.policy_number('code.tries_day_link', 40)) or
	    (not c.vouched and today >= icert.policy_number('code.tries_day', 20)) then
		verdict := 'spent';
		return;
	end if;
	if c.proof is distinct from p_proof or p_proof is null then
		update icert.code set tries = tries + 1 where id = c.id;
		left_tries := icert.policy_number('code.tries', 5) - here - 1;
		verdict := case when left_tries > 0 then 'wrong' else 'spent' end;
		return;
	end if;
	verdict := 'ok';
	update icert.code set ended = true, tries = 0 where id = c.id;
	update icert.contact set proved_at = coalesce(proved_at, t) where id = c.contact_id;
	delete from icert.session where contact_id = c.contact_id and least(idle_until, absolute_until) + 86400 < t;
	insert into icert.session (hash, kind, contact_id, created_at, seen_at, idle_until, absolute_until, country, network)
		values (p_hash, 'contact', c.contact_id, t, t, t + icert.policy_number('session.contact_idle', 1800),
			t + icert.policy_number('session.contact_absolute', 43200), p_country, p_network);
end $$;

revoke execute on function icert.session_touch(boolean), icert.staff_sessions_end(),
	icert.login_code_new(uuid, uuid, bytea, bytea, bytea, boolean), icert.login_codes_hour(uuid, boolean),
	icert.login_code_asked(bytea), icert.login_code_open(bytea, uuid, bytea, bytea, text, text) from public;
grant execute on function icert.session_touch(boolean) to icert_portal, icert_desk;
grant execute on function icert.staff_sessions_end() to icert_owner;
grant execute on function icert.login_code_new(uuid, uuid, bytea, bytea, bytea, boolean),
	icert.login_codes_hour(uuid, boolean), icert.login_code_asked(bytea),
	icert.login_code_open(bytea, uuid, bytea, bytea, text, text) to icert_portal;

reset role;
set role icert_identity;
revoke execute on function icert.session_check(bigint) from public;
grant execute on function icert.session_check(bigint) to icert_portal;
reset role;
set role icert_owner;
revoke create on schema icert from icert_identity, icert_login;

create trigger staff_role_sessions after update or delete on icert.staff_role
	for each row execute function icert.staff_sessions_end();
create trigger staff_sessions after update of enabled, password on icert.staff
	for each row when (old.enabled and not new.enabled or (old.password <> '' and new.password <> old.password))
	execute function icert.staff_sessions_end();

reset role;
