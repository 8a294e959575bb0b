set role icert_owner;
grant create on schema icert to icert_login;
create index outbox_application_id_created_at_idx on icert.outbox (application_id, created_at);
drop index icert.outbox_of_case;
reset role;

set role icert_login;
drop function icert.my_case(bytea, bigint, uuid, integer);
create function icert.my_case(p_session bytea, p_generation bigint, p_id uuid, p_mails integer, out version integer, out number text,
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
revoke execute on function icert.my_case(bytea, bigint, uuid, integer) from public;
grant execute on function icert.my_case(bytea, bigint, uuid, integer) to icert_portal;
reset role;

set role icert_owner;
revoke create on schema icert from icert_login;
reset role;
