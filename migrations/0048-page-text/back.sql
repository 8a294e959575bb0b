set role icert_owner;
grant create on schema icert to icert_login;
reset role;

set role icert_login;
drop function icert.my_case(bytea, bigint, uuid, integer);
create function icert.my_case(p_session bytea, p_generation bigint, p_id uuid, p_mails integer)
returns table (version integer, number text, state text, reason text, closes_at bigint, province integer,
	province_name text, telephone text, hours text, address text, galapagos boolean, container text, serial bytea,
	certificate text, not_before bigint, not_after bigint, issued_at bigint, revoked_at bigint, delivery_until bigint,
	published boolean, deliveries text, due_at bigint, contract text, made_at bigint, mails text)
language plpgsql stable rows 1 security definer set search_path = '' as $$
#variable_conflict use_column
begin
	return query select a.version, a.number, a.state, a.reason, a.closes_at::bigint, a.province::integer,
		p.name, p.telephone, p.hours, p.address, p.galapagos, a.container, x.serial,
		x.state, x.not_before::bigint, x.not_after::bigint, x.issued_at::bigint, x.revoked_at::bigint, x.delivery_until::bigint,
		(select u.published_epoch is not null from icert.status_change u where u.certificate_id = x.id order by u.id desc limit 1),
		-- What is still kept; 'locked' when the envelope's tries are used up.
		nullif(array_to_string(array(select d.label from icert.delivery d where d.certificate_id = x.id and d.destroyed_at is null), ' '), '')
			|| case when v.locked_at is not null then ' locked' else '' end,
		case when a.state in ('issued', 'contract_sent') then (select d.due_at::bigint from icert.deadline d
			where d.application_id = a.id and d.kind = 'contract_due' and d.state = 'waiting' limit 1) end,
		k.number, k.made_at::bigint,
		-- Words and numbers alone, nothing that needs quoting.
		array_to_string(array(select concat_ws(' ', o.id, o.template, o.state, coalesce(o.sent_at, 0)) from icert.outbox o
			where o.application_id = a.id and o.contact_id = a.contact_id order by o.created_at desc, o.id limit p_mails), E'\n')
	from icert.session s join icert.application a on a.contact_id = s.contact_id
	left join icert.province p on p.id = a.province
	left join icert.certificate x on x.application_id = a.id and x.state <> 'refused'
	left join icert.envelope v on v.application_id = a.id
	left join icert.contract k on k.certificate_id = x.id
	where s.hash = sha256(p_session) and s.kind = 'contact' and (p_generation = 0 or s.generation = p_generation)
		and least(s.idle_until, s.absolute_until) > icert.real_now() and a.id = p_id;
	-- Nothing: another's case, or a session that is over though a cache still had it.
	if not found and p_generation <> 0 and not exists (select from icert.session s where s.hash = sha256(p_session)
		and s.kind = 'contact' and s.generation = p_generation and least(s.idle_until, s.absolute_until) > icert.real_now()) then
		raise exception 'session' using errcode = 'IC002';
	end if;
end $$;
revoke execute on function icert.my_case(bytea, bigint, uuid, integer) from public;
grant execute on function icert.my_case(bytea, bigint, uuid, integer) to icert_portal;
reset role;

set role icert_owner;
revoke create on schema icert from icert_login;
reset role;
