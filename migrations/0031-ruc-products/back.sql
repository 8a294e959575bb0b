set role icert_owner;
drop policy desk_insert on icert.tariff;
create policy desk_insert on icert.tariff for insert to icert_desk
	with check (exists (select from icert.tariff_change c where c.id = tariff.change_id and c.state = 'approved'
		and c.decided_by = (select icert.me_staff())
		and (c.container, c.kind, c.years, c.net, c.tax_bp, c.currency, c.on_sale, c.sale_from)
			is not distinct from (tariff.container, tariff.kind, tariff.years, tariff.net, tariff.tax_bp, tariff.currency,
				tariff.on_sale, tariff.sale_from)
		and tariff.valid_from = coalesce(c.valid_from, c.decided_at) and tariff.valid_until is null));
create or replace function icert.check_tariff_change() returns trigger language plpgsql set search_path = '' as $$
begin
	if tg_op = 'DELETE' then
		raise exception 'kept' using errcode = 'IC001';
	end if;
	if old.state <> 'draft' or (new.id, new.container, new.kind, new.years, new.net, new.tax_bp, new.currency, new.on_sale, new.sale_from,
		new.valid_from, new.written_by, new.written_at) is distinct from (old.id, old.container, old.kind, old.years, old.net, old.tax_bp,
		old.currency, old.on_sale, old.sale_from, old.valid_from, old.written_by, old.written_at) then
		raise exception 'written' using errcode = 'IC001';
	end if;
	return new;
end $$;
drop index icert.tariff_change_waits;
alter table icert.tariff_change drop column ruc;
create unique index tariff_change_waits on icert.tariff_change (container, kind, years) where state = 'draft';
alter table icert.application drop column ruc;
alter table icert.purchase drop column ruc;
alter table icert.tariff drop column ruc;
reset role;
