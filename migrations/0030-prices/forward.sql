-- Prices are changed at the desk: one administrator writes a change, another person approves it, and it counts from its day on.
-- What was in force stays a row of the tariff: an order keeps the price it was made with.
set role icert_owner;

create table icert.tariff_change (
	id uuid primary key,
	container text not null references icert.product,
	kind text not null check (kind in ('new', 'renewal')),
	years smallint not null check (years between 1 and 5),
	net bigint not null check (net between 0 and 100000000),	-- cents
	tax_bp integer not null check (tax_bp between 0 and 10000),
	currency text not null check (currency ~ '^[A-Z]{3}$'),
	on_sale boolean not null,
	sale_from icert.instant,
	valid_from icert.instant,		-- as asked; NULL: from the approval on
	state text not null default 'draft' check (state in ('draft', 'approved', 'withdrawn')),
	written_by uuid not null references icert.staff,
	written_at icert.instant not null,
	decided_by uuid references icert.staff,
	decided_at icert.instant,
	check ((state = 'draft') = (decided_at is null) and (decided_at is null) = (decided_by is null)),
	check (valid_from is null or valid_from > written_at),
	check (on_sale = false or sale_from is null)
);
-- One change of a product waits at a time.
create unique index tariff_change_waits on icert.tariff_change (container, kind, years) where state = 'draft';

alter table icert.tariff add column change_id uuid unique references icert.tariff_change;

-- What was written is not rewritten, and what was decided stays so.
create function icert.check_tariff_change() returns trigger language plpgsql set search_path = '' as $$
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
create trigger tariff_change_fixed before update or delete on icert.tariff_change
	for each row execute function icert.check_tariff_change();

alter table icert.tariff_change enable row level security;
alter table icert.tariff_change force row level security;
grant select, insert on icert.tariff_change to icert_desk;
grant update (state, decided_by, decided_at) on icert.tariff_change to icert_desk;
create policy desk_select on icert.tariff_change for select to icert_desk
	using ((select icert.me_has('administrator', 'finance', 'auditor')));
create policy desk_insert on icert.tariff_change for insert to icert_desk
	with check (state = 'draft' and written_by = (select icert.me_staff()) and (select icert.me_has('administrator')));
create policy desk_update on icert.tariff_change for update to icert_desk
	using (state = 'draft' and (select icert.me_has('administrator')))
	with check (decided_by = (select icert.me_staff()) and
		(state = 'withdrawn' or (state = 'approved' and icert.other_person(written_by))));

-- A price comes from a change that this very person approves, and says what the change says.
grant insert on icert.tariff to icert_desk;
create policy desk_insert on icert.tariff for insert to icert_desk
	with check (exists (select from icert.tariff_change c where c.id = tariff.change_id and c.state = 'approved'
		and c.decided_by = (select icert.me_staff())
		and (c.container, c.kind, c.years, c.net, c.tax_bp, c.currency, c.on_sale, c.sale_from)
			is not distinct from (tariff.container, tariff.kind, tariff.years, tariff.net, tariff.tax_bp, tariff.currency,
				tariff.on_sale, tariff.sale_from)
		and tariff.valid_from = coalesce(c.valid_from, c.decided_at) and tariff.valid_until is null));
reset role;
