-- The page of a case says why its certificate was revoked, and how its order stands: what becomes of the money follows from both.
set role icert_owner;
grant select (id, state) on icert.purchase to icert_login;
create policy login on icert.purchase for select to icert_login using (true);
grant create on schema icert to icert_login;
reset role;
set role icert_login;
-- Fields in the order of overview.c, with a unit separator between them: codes, numbers and words that nobody typed.  What is
-- absent is 0 or empty, for concat_ws leaves out a null.
create or replace function icert.my_case(p_session bytea, p_generation bigint, p_id uuid, p_mails integer) returns text
language plpgsql stable security definer set search_path = '' as $$
declare
	shown text;
begin
	select concat_ws(E'\x1f', a.version, coalesce(a.number, ''), a.state, coalesce(a.closes_at, 0), coalesce(a.province, 0), coalesce(a.container, ''),
		coalesce(x.serial, ''), coalesce(x.state, ''), coalesce(x.not_before, 0), coalesce(x.not_after, 0),
		coalesce(x.issued_at, 0), coalesce(x.revoked_at, 0), coalesce(x.delivery_until, 0),
		coalesce((select u.published_epoch from icert.status_change u where u.certificate_id = x.id order by u.id desc limit 1), 0),
		-- What is still kept.
		array_to_string(array(select d.label from icert.delivery d where d.certificate_id = x.id and d.destroyed_at is null), ' '),
		coalesce(v.locked_at, 0),
		coalesce(case when a.state in ('issued', 'contract_sent') then (select d.due_at from icert.deadline d
			where d.application_id = a.id and d.kind = 'contract_due' and d.state = 'waiting' limit 1) end, 0),
		coalesce(k.number, ''), coalesce(k.made_at, 0),
		array_to_string(array(select concat_ws(' ', o.id, o.template, o.state, coalesce(o.sent_at, 0)) from icert.outbox o
			where o.application_id = a.id and o.contact_id = a.contact_id order by o.created_at desc, o.id limit p_mails), E'\n'),
		coalesce(x.reason_code, ''), coalesce((select p.state from icert.purchase p where p.id = a.purchase_id), ''), coalesce(a.reason, ''))
	into shown
	from icert.session s join icert.application a on a.contact_id = s.contact_id
	left join icert.certificate x on x.application_id = a.id and x.state <> 'refused'
	left join icert.envelope v on v.application_id = a.id
	left join icert.contract k on k.certificate_id = x.id
	where s.hash = sha256(p_session) and s.kind = 'contact' and (p_generation = 0 or s.generation = p_generation)
		and least(s.idle_until, s.absolute_until) > icert.real_now() and a.id = p_id;
	-- Nothing: another's case, or a session that is over though a cache still had it.
	if shown is null and p_generation <> 0 and not exists (select from icert.session s where s.hash = sha256(p_session)
		and s.kind = 'contact' and s.generation = p_generation and least(s.idle_until, s.absolute_until) > icert.real_now()) then
		raise exception 'session' using errcode = 'IC002';
	end if;
	return shown;
end $$;
reset role;
set role icert_owner;
revoke create on schema icert from icert_login;
reset role;
