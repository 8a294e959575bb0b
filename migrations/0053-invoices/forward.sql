-- Invoices that finance made in its own system, and the credit notes that void them: awaited from the payment on, filed with both files, mailed.
-- to_issue, sent, authorised and rejected are for the day on which they are issued here; nothing leads there yet.
set role icert_owner;

create table icert.invoice (
	id uuid primary key,
	purchase_id uuid not null references icert.purchase,
	voids uuid references icert.invoice,	-- of a credit note: the invoice
	state text not null check (state in ('awaited', 'to_issue', 'sent', 'authorised', 'rejected', 'filed', 'mailed', 'voided', 'dropped')),
	created_at icert.instant not null,
	access_key text unique check (access_key ~ '^[0-9]{49}$'),
	serial text check (serial ~ '^[0-9]{3}-[0-9]{3}-[0-9]{9}$'),
	day date,				-- on it
	net bigint check (net >= 0),		-- cents
	tax bigint check (tax >= 0),
	total bigint check (total = net + tax),
	pdf uuid unique,			-- names of the encrypted files, under the order's key
	pdf_size bigint check (pdf_size > 0),
	pdf_sha256 icert.sha256,		-- of the plain bytes
	xml uuid unique,
	xml_size bigint check (xml_size > 0),
	xml_sha256 icert.sha256,
	filed_by uuid references icert.staff,
	filed_at icert.instant,
	mailed_at icert.instant,
	copied_at icert.instant,		-- to the province's operator
	check ((state in ('filed', 'mailed', 'voided')) = (num_nonnulls(access_key, serial, day, net, tax, total, pdf, pdf_size, pdf_sha256,
		xml, xml_size, xml_sha256, filed_by, filed_at) = 14)),
	check (voids is null or state in ('filed', 'mailed'))
);
-- An order has one invoice at a time, and an invoice one credit note.
create unique index invoice_living on icert.invoice (purchase_id) where voids is null and state not in ('voided', 'dropped');
create unique index invoice_voids on icert.invoice (voids);
create index invoice_purchase on icert.invoice (purchase_id);
create index invoice_awaited on icert.invoice (created_at) where state = 'awaited';
create index invoice_unmailed on icert.invoice (purchase_id) where mailed_at is null and state in ('filed', 'voided');
create index invoice_uncopied on icert.invoice (filed_at) where copied_at is null and state in ('filed', 'mailed');

alter table icert.transition drop constraint transition_machine_check;
alter table icert.transition add check (machine in ('application', 'purchase', 'certificate', 'invoice'));
create trigger invoice_transition before update of state on icert.invoice
	for each row execute function icert.check_transition('invoice');

alter table icert.invoice enable row level security;
alter table icert.invoice force row level security;

grant select on icert.invoice to icert_portal;
create policy portal on icert.invoice for select to icert_portal
	using (exists (select from icert.purchase p where p.id = invoice.purchase_id));

-- Finance files them: an awaited one is filled, a filed one voided by the row of its credit note, after which another may be awaited.
grant select, insert on icert.invoice to icert_desk;
grant update (state, access_key, serial, day, net, tax, total, pdf, pdf_size, pdf_sha256, xml, xml_size, xml_sha256, filed_by, filed_at)
	on icert.invoice to icert_desk;
create policy desk_select on icert.invoice for select to icert_desk
	using ((select icert.me_has('finance', 'national', 'auditor')));
create policy desk_insert on icert.invoice for insert to icert_desk
	with check ((select icert.me_has('finance')) and mailed_at is null and copied_at is null and
		((state = 'filed' and voids is not null and filed_by = (select icert.me_staff())) or (state = 'awaited' and voids is null)));
create policy desk_update on icert.invoice for update to icert_desk
	using (voids is null and state in ('awaited', 'filed', 'mailed') and (select icert.me_has('finance')))
	with check ((state = 'filed' and filed_by = (select icert.me_staff())) or state = 'voided');

grant select, insert on icert.invoice to icert_clerk;
grant update (state, mailed_at, copied_at) on icert.invoice to icert_clerk;
create policy clerk on icert.invoice to icert_clerk using (true) with check (state <> 'filed' or filed_by is not null);
reset role;

insert into icert.transition (machine, from_state, to_state, program) values
	('invoice', 'awaited', 'filed', 'icert_desk'),
	('invoice', 'awaited', 'dropped', 'icert_clerk'),
	('invoice', 'filed', 'mailed', 'icert_clerk'),
	('invoice', 'filed', 'voided', 'icert_desk'),
	('invoice', 'mailed', 'voided', 'icert_desk');

-- Orders that were paid before.
insert into icert.invoice (id, purchase_id, state, created_at)
	select gen_random_uuid(), id, 'awaited', coalesce(paid_at, state_since) from icert.purchase where state in ('paid', 'used', 'disputed');
