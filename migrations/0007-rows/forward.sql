-- Who may do what with which rows.  FORCE row-level security everywhere: without
-- an identity portal and desk see nothing personal.  docs/data.md has the same as
-- one table: role × relation × policy.
set role icert_owner;

grant usage on schema icert to icert_portal, icert_desk, icert_webhook, icert_issuer, icert_clerk, icert_publisher,
	icert_admin;

-- Changes of state, by program. ------------------------------------------------

insert into icert.transition (machine, from_state, to_state, program) values
	('application', 'draft', 'submitted', 'icert_portal'),
	('application', 'draft', 'removed', 'icert_portal'),
	('application', 'draft', 'removed', 'icert_clerk'),
	('application', 'submitted', 'in_review', 'icert_desk'),
	('application', 'in_review', 'submitted', 'icert_desk'),
	('application', 'in_review', 'observed', 'icert_desk'),
	('application', 'observed', 'in_review', 'icert_portal'),
	('application', 'in_review', 'accepted', 'icert_desk'),
	('application', 'in_review', 'rejected', 'icert_desk'),
	('application', 'accepted', 'rejected', 'icert_desk'),
	('application', 'accepted', 'scheduled', 'icert_portal'),
	('application', 'accepted', 'scheduled', 'icert_desk'),
	('application', 'scheduled', 'accepted', 'icert_desk'),
	('application', 'scheduled', 'observed', 'icert_desk'),
	('application', 'scheduled', 'identified', 'icert_desk'),
	('application', 'scheduled', 'rejected', 'icert_desk'),
	('application', 'identified', 'scheduled', 'icert_desk'),
	('application', 'identified', 'issuing', 'icert_desk'),
	('application', 'issuing', 'issued', 'icert_issuer'),
	('application', 'issuing', 'identified', 'icert_issuer'),
	('application', 'submitted', 'cancelled', 'icert_portal'),
	('application', 'in_review', 'cancelled', 'icert_portal'),
	('application', 'observed', 'cancelled', 'icert_portal'),
	('application', 'accepted', 'cancelled', 'icert_portal'),
	('application', 'scheduled', 'cancelled', 'icert_portal'),
	('application', 'identified', 'cancelled', 'icert_portal'),
	('application', 'submitted', 'cancelled', 'icert_clerk'),
	('application', 'in_review', 'cancelled', 'icert_clerk'),
	('application', 'observed', 'cancelled', 'icert_clerk'),
	('application', 'accepted', 'cancelled', 'icert_clerk'),
	('application', 'scheduled', 'cancelled', 'icert_clerk'),
	('application', 'identified', 'cancelled', 'icert_clerk'),
	('application', 'issued', 'closed_revoked', 'icert_portal'),
	('application', 'issued', 'closed_revoked', 'icert_login'),
	('purchase', 'created', 'pending', 'icert_portal'),
	('purchase', 'created', 'pending', 'icert_clerk'),
	('purchase', 'created', 'paid', 'icert_clerk'),
	('purchase', 'pending', 'paid', 'icert_clerk'),
	('purchase', 'created', 'expired', 'icert_clerk'),
	('purchase', 'pending', 'expired', 'icert_clerk'),
	('purchase', 'paid', 'used', 'icert_portal'),
	('purchase', 'paid', 'refunding', 'icert_clerk'),
	('purchase', 'used', 'refunding', 'icert_clerk'),
	('purchase', 'paid', 'refunded', 'icert_clerk'),
	('purchase', 'used', 'refunded', 'icert_clerk'),
	('purchase', 'refunding', 'refunded', 'icert_clerk'),
	('certificate', 'issuing', 'good', 'icert_issuer'),
	('certificate', 'issuing', 'refused', 'icert_issuer'),
	('certificate', 'good', 'revoked', 'icert_portal'),
	('certificate', 'good', 'revoked', 'icert_login'),
	('certificate', 'good', 'expired', 'icert_clerk');

do $$
declare r record;
begin
	for r in select c.relname from pg_class c where c.relnamespace = 'icert'::regnamespace and c.relkind = 'r'
	    and c.relname <> 'migration' loop
		execute format('alter table icert.%I enable row level security, force row level security', r.relname);
	end loop;
end $$;

-- Identity and log-in. ----------------------------------------------------------

grant select on icert.session, icert.staff_role to icert_identity;
create policy identity on icert.session for select to icert_identity using (true);
create policy identity on icert.staff_role for select to icert_identity using (true);

grant select, insert, update, delete on icert.session, icert.code to icert_login;
grant select, insert, delete on icert.staff_try to icert_login;
grant select, insert on icert.contact, icert.data_key to icert_login;
grant update (proved_at) on icert.contact to icert_login;
grant select on icert.staff, icert.staff_role, icert.link, icert.policy, icert.transition to icert_login;
grant select on icert.application, icert.certificate to icert_login;
grant update (state, version, state_since, reason) on icert.application to icert_login;
grant update (state, revoked_at, reason, reason_code, revoked_by) on icert.certificate to icert_login;
grant insert on icert.status_change to icert_login;
do $$
declare t text;
begin
	foreach t in array array['session', 'code', 'staff_try', 'contact', 'data_key', 'staff', 'staff_role', 'link',
	    'application', 'certificate', 'status_change'] loop
		execute format('create policy login on icert.%I to icert_login using (true) with check (true)', t);
	end loop;
end $$;

-- What everybody may read; the administrator writes it. -------------------------

grant select on icert.province, icert.policy, icert.product, icert.tariff, icert.transition
	to icert_portal, icert_desk, icert_issuer, icert_clerk, icert_publisher, icert_admin;
grant select on icert.policy to icert_identity;
grant insert, update on icert.province, icert.policy, icert.product, icert.tariff to icert_admin;
do $$
declare t text;
begin
	foreach t in array array['province', 'policy', 'product', 'tariff'] loop
		execute format('create policy everyone on icert.%I for select using (true)', t);
		execute format('create policy admin_insert on icert.%I for insert to icert_admin with check (true)', t);
		execute format('create policy admin_update on icert.%I for update to icert_admin using (true) with check (true)', t);
	end loop;
end $$;
create policy everyone on icert.transition for select using (true);

-- The administrator's command line: people and their roles, the keys of a month, and the log.
grant select, insert, update on icert.staff to icert_admin;
grant select, insert, delete on icert.staff_role to icert_admin;
grant select (id, kind, staff_id, created_at), delete on icert.session to icert_admin;
grant select, insert on icert.data_key to icert_admin;
grant update (destroyed_at) on icert.data_key to icert_admin;
grant select, insert on icert.audit to icert_admin;
grant select on icert.audit_node, icert.audit_head to icert_admin;
create policy admin on icert.staff to icert_admin using (true) with check (true);
create policy admin on icert.staff_role to icert_admin using (true) with check (true);
create policy admin on icert.session to icert_admin using (kind = 'staff');
create policy admin on icert.data_key to icert_admin using (kind = 'payments-month') with check (kind = 'payments-month');
create policy admin on icert.audit to icert_admin using (true) with check (true);
create policy admin on icert.audit_node for select to icert_admin using (true);
create policy admin on icert.audit_head for select to icert_admin using (true);

-- Portal: the session's contact. -------------------------------------------------

grant usage on sequence icert.purchase_number, icert.application_number to icert_portal;
do $$
begin
	for p in 1 .. 24 loop
		execute format('grant usage on sequence icert.envelope_%s to icert_portal, icert_desk', to_char(p, 'FM00'));
	end loop;
end $$;

grant select on icert.contact to icert_portal;
create policy portal on icert.contact for select to icert_portal using (id = (select icert.me_contact()));

grant select, insert on icert.purchase to icert_portal;
grant update (state, version, state_since, gateway, gateway_payment, expires_at) on icert.purchase to icert_portal;
create policy portal on icert.purchase to icert_portal
	using (contact_id = (select icert.me_contact())) with check (contact_id = (select icert.me_contact()));

grant select, insert on icert.application to icert_portal;
grant update (number, state, version, province, form, person_hash, reason, consent_at, submitted_at, state_since, closes_at)
	on icert.application to icert_portal;
create policy portal on icert.application to icert_portal
	using (contact_id = (select icert.me_contact())) with check (contact_id = (select icert.me_contact()));

-- What is new begins at its beginning.
create policy portal_new on icert.purchase as restrictive for insert to icert_portal
	with check (state = 'created' and paid_at is null);
create policy portal_new on icert.application as restrictive for insert to icert_portal
	with check (state = 'draft' and submitted_at is null);

-- Rows of a case follow the case: the inner query sees what the caller may see of it.
grant select, insert on icert.document to icert_portal;
grant update (replaced_by) on icert.document to icert_portal;
create policy portal on icert.document to icert_portal
	using (kind <> 'face' and exists (select from icert.application a where a.id = application_id))
	with check (kind in ('cedula', 'voting', 'utility', 'second_cedula') and by_staff is null and
		exists (select from icert.application a where a.id = application_id));

grant select on icert.observation to icert_portal;
grant update (mended_at) on icert.observation to icert_portal;
create policy portal on icert.observation to icert_portal
	using (exists (select from icert.application a where a.id = application_id));

grant select on icert.appointment to icert_portal;
grant update (state, agreed_by, sequence) on icert.appointment to icert_portal;
create policy portal on icert.appointment to icert_portal
	using (exists (select from icert.application a where a.id = application_id));

grant select, insert on icert.envelope to icert_portal;
create policy portal on icert.envelope to icert_portal
	using (exists (select from icert.application a where a.id = application_id));

grant select, insert on icert.approval to icert_portal;
create policy portal_select on icert.approval for select to icert_portal
	using (exists (select from icert.application a where a.id = application_id));
create policy portal_insert on icert.approval for insert to icert_portal
	with check (kind = 'accept' and exists (select from icert.application a where a.id = application_id));

grant select on icert.certificate to icert_portal;
grant update (state, revoked_at, reason, reason_code, revoked_by) on icert.certificate to icert_portal;
create policy portal on icert.certificate to icert_portal
	using (exists (select from icert.application a where a.id = application_id));

grant select on icert.delivery to icert_portal;
grant update (sealed, destroyed_at) on icert.delivery to icert_portal;
create policy portal on icert.delivery to icert_portal
	using (label in ('pkcs12', 'envelope') and exists (select from icert.certificate c where c.id = certificate_id));

grant select, insert on icert.status_change to icert_portal;
create policy portal on icert.status_change to icert_portal
	using (exists (select from icert.certificate c where c.id = certificate_id))
	with check (state = 'revoked' and published_epoch is null and
		exists (select from icert.certificate c where c.id = certificate_id));

grant insert, select, delete on icert.parked_form to icert_portal;
create policy portal_insert on icert.parked_form for insert to icert_portal
	with check (contact_id = (select icert.me_parking()));
create policy portal_select on icert.parked_form for select to icert_portal
	using (contact_id = (select icert.me_contact()));
create policy portal_delete on icert.parked_form for delete to icert_portal
	using (contact_id = (select icert.me_contact()));

-- Desk: the caller's provinces. ---------------------------------------------------

grant select (id, name, email) on icert.staff to icert_desk;
create policy desk on icert.staff for select to icert_desk using ((select icert.me_staff()) is not null);
grant select on icert.staff_role to icert_desk;
create policy desk on icert.staff_role for select to icert_desk using ((select icert.me_staff()) is not null);

grant select on icert.application to icert_desk;
grant update (state, version, operator_id, reason, words, consent_at, state_since) on icert.application to icert_desk;
create policy desk_select on icert.application for select to icert_desk
	using (submitted_at is not null and province = any ((select icert.me_provinces())::smallint[]));
create policy desk_director on icert.application for select to icert_desk
	using (state in ('contract_signed', 'countersigned') and province = any ((select icert.me_directs())::smallint[]));
create policy desk_update on icert.application for update to icert_desk
	using (submitted_at is not null and province = any ((select icert.me_works())::smallint[]));

grant select on icert.contact to icert_desk;
create policy desk on icert.contact for select to icert_desk
	using (exists (select from icert.application a where a.contact_id = contact.id) or
		(select icert.me_has('finance')));

grant select on icert.purchase to icert_desk;
create policy desk on icert.purchase for select to icert_desk
	using ((select icert.me_has('finance', 'national', 'auditor')) or
		exists (select from icert.application a where a.purchase_id = purchase.id));

grant select on icert.payment to icert_desk;
create policy desk on icert.payment for select to icert_desk
	using ((select icert.me_has('finance', 'national', 'auditor')));

grant select, insert on icert.document to icert_desk;
grant update (replaced_by) on icert.document to icert_desk;
create policy desk_select on icert.document for select to icert_desk
	using (exists (select from icert.application a where a.id = application_id));
create policy desk_insert on icert.document for insert to icert_desk
	with check (kind in ('second_cedula', 'face') and by_staff = (select icert.me_staff()) and
		exists (select from icert.application a where a.id = application_id
			and a.province = any ((select icert.me_works())::smallint[])));
create policy desk_update on icert.document for update to icert_desk
	using (kind in ('second_cedula', 'face') and exists (select from icert.application a where a.id = application_id
		and a.province = any ((select icert.me_works())::smallint[])));

grant select, insert on icert.observation, icert.appointment, icert.check_item, icert.envelope, icert.approval to icert_desk;
grant update (state, sequence, agreed_by) on icert.appointment to icert_desk;
grant delete on icert.check_item to icert_desk;
grant update (confirmed_at, confirmed_by, used_at) on icert.envelope to icert_desk;
do $$
declare t text;
begin
	foreach t in array array['observation', 'appointment', 'check_item', 'envelope', 'approval'] loop
		execute format('create policy desk_select on icert.%I for select to icert_desk
			using (exists (select from icert.application a where a.id = application_id))', t);
		execute format('create policy desk_insert on icert.%I for insert to icert_desk
			with check (exists (select from icert.application a where a.id = application_id
				and a.province = any ((select icert.me_works())::smallint[])))', t);
	end loop;
	foreach t in array array['appointment', 'envelope'] loop
		execute format('create policy desk_update on icert.%I for update to icert_desk
			using (exists (select from icert.application a where a.id = application_id
				and a.province = any ((select icert.me_works())::smallint[])))', t);
	end loop;
end $$;
create policy desk_delete on icert.check_item for delete to icert_desk
	using (exists (select from icert.application a where a.id = application_id
		and a.province = any ((select icert.me_works())::smallint[])));
-- Nobody approves in another's name.
create policy desk_self on icert.approval as restrictive for insert to icert_desk
	with check (kind <> 'accept' and staff_id = (select icert.me_staff()));

grant select, insert on icert.certificate to icert_desk;
create policy desk_select on icert.certificate for select to icert_desk
	using (exists (select from icert.application a where a.id = application_id));
create policy desk_insert on icert.certificate for insert to icert_desk
	with check (state = 'issuing' and der is null and exists (select from icert.application a where a.id = application_id
		and a.province = any ((select icert.me_works())::smallint[])));
grant select (certificate_id, label, created_at, destroyed_at) on icert.delivery to icert_desk;
create policy desk on icert.delivery for select to icert_desk
	using (exists (select from icert.certificate c where c.id = certificate_id));
grant select on icert.status_change to icert_desk;
create policy desk on icert.status_change for select to icert_desk
	using (exists (select from icert.certificate c where c.id = certificate_id));

-- Data keys: those of rows that the caller sees.
grant select, insert on icert.data_key to icert_portal;
grant select on icert.data_key to icert_desk;
create policy portal_select on icert.data_key for select to icert_portal
	using (exists (select from icert.application a where a.key_id = data_key.id) or
		exists (select from icert.purchase p where p.key_id = data_key.id) or
		exists (select from icert.contact c where c.key_id = data_key.id));
create policy portal_insert on icert.data_key for insert to icert_portal
	with check (kind in ('order', 'case') and (select icert.me_contact()) is not null);
create policy desk on icert.data_key for select to icert_desk
	using (exists (select from icert.application a where a.key_id = data_key.id) or
		exists (select from icert.purchase p where p.key_id = data_key.id) or
		exists (select from icert.contact c where c.key_id = data_key.id));

-- Journals: everybody adds, nobody changes; who may read sees the own case's. -------

grant insert on icert.outbox, icert.outbox_document, icert.deadline, icert.link
	to icert_portal, icert_desk, icert_issuer, icert_clerk;
grant insert on icert.audit to icert_portal, icert_desk, icert_issuer, icert_clerk, icert_publisher, icert_webhook;
do $$
declare t text;
begin
	foreach t in array array['outbox', 'outbox_document', 'deadline', 'link'] loop
		execute format('create policy add on icert.%I for insert
			to icert_portal, icert_desk, icert_issuer, icert_clerk with check (true)', t);
	end loop;
end $$;
create policy add on icert.audit for insert
	to icert_portal, icert_desk, icert_issuer, icert_clerk, icert_publisher, icert_webhook with check (leaf is null);

grant select (id, template, contact_id, application_id, purchase_id, state, created_at, sent_at, dedup)
	on icert.outbox to icert_portal;
create policy portal on icert.outbox for select to icert_portal using (contact_id = (select icert.me_contact()));
grant select (id, template, contact_id, province, application_id, purchase_id, state, tries, created_at, sent_at, outcome, dedup)
	on icert.outbox to icert_desk;
create policy desk on icert.outbox for select to icert_desk
	using (exists (select from icert.application a where a.id = application_id) or
		exists (select from icert.purchase p where p.id = purchase_id));
grant select (id, at_us, action, outcome, reason, actor_kind, case_id) on icert.audit to icert_portal;
create policy portal on icert.audit for select to icert_portal
	using (exists (select from icert.application a where a.id = case_id));
grant select on icert.audit to icert_desk;
create policy desk on icert.audit for select to icert_desk
	using ((select icert.me_has('auditor', 'national')) or
		exists (select from icert.application a where a.id = case_id));
grant select on icert.audit_head, icert.audit_node to icert_desk;
create policy desk on icert.audit_head for select to icert_desk using ((select icert.me_has('auditor')));
create policy desk on icert.audit_node for select to icert_desk using ((select icert.me_has('auditor')));
grant select (id, kind, subject, application_id, due_at, state) on icert.deadline to icert_desk;
create policy desk on icert.deadline for select to icert_desk
	using (exists (select from icert.application a where a.id = application_id));

-- Issuer: cases that are being issued. ----------------------------------------------

grant select on icert.application to icert_issuer;
grant update (state, version, state_since, reason) on icert.application to icert_issuer;
create policy issuer_select on icert.application for select to icert_issuer
	using (state in ('identified', 'issuing', 'issued'));
create policy issuer_update on icert.application for update to icert_issuer
	using (state = 'issuing') with check (state in ('issuing', 'issued', 'identified'));
grant select on icert.certificate to icert_issuer;
grant update (state, spki, spki_sha256, key_word, der, not_before, not_after, revocation_code_sha256, issued_at,
	delivery_until, refusal, refusal_detail) on icert.certificate to icert_issuer;
create policy issuer on icert.certificate to icert_issuer using (true) with check (true);
grant select, insert, update on icert.delivery to icert_issuer;
create policy issuer on icert.delivery to icert_issuer using (true) with check (true);
grant select on icert.approval to icert_issuer;
create policy issuer on icert.approval for select to icert_issuer
	using (exists (select from icert.application a where a.id = application_id));
grant select (id, contact_id, state) on icert.purchase to icert_issuer;
create policy issuer on icert.purchase for select to icert_issuer
	using (exists (select from icert.application a where a.purchase_id = purchase.id));
grant select (id, key_id) on icert.contact to icert_issuer;
create policy issuer on icert.contact for select to icert_issuer
	using (exists (select from icert.application a where a.contact_id = contact.id));
grant select on icert.data_key to icert_issuer;
create policy issuer on icert.data_key for select to icert_issuer
	using (exists (select from icert.application a where a.key_id = data_key.id));
grant update (used_at) on icert.envelope to icert_issuer;
grant select on icert.envelope to icert_issuer;
create policy issuer on icert.envelope to icert_issuer
	using (exists (select from icert.application a where a.id = application_id));
grant insert, select on icert.status_change to icert_issuer;
create policy issuer_insert on icert.status_change for insert to icert_issuer
	with check (state = 'good' and published_epoch is null);
create policy issuer_select on icert.status_change for select to icert_issuer using (true);

-- Clerk: one policy a table. ----------------------------------------------------------

grant select on icert.contact, icert.purchase, icert.payment_event, icert.payment, icert.application, icert.certificate,
	icert.delivery, icert.status_change, icert.document, icert.appointment, icert.outbox, icert.outbox_document,
	icert.audit, icert.audit_node, icert.audit_head, icert.deadline, icert.data_key, icert.link to icert_clerk;
grant update (state, version, state_since, gateway, gateway_payment, paid_at, asked_at, expires_at)
	on icert.purchase to icert_clerk;
grant update (applied_at, verdict, tries, next_try_at, key_id) on icert.payment_event to icert_clerk;
grant insert on icert.payment to icert_clerk;
grant update (state, version, state_since, reason) on icert.application to icert_clerk;
grant update (state) on icert.certificate to icert_clerk;
grant update (sealed, destroyed_at) on icert.delivery to icert_clerk;
grant update (state) on icert.appointment to icert_clerk;
grant update (state, tries, next_try_at, sent_at, outcome) on icert.outbox to icert_clerk;
grant update (leaf) on icert.audit to icert_clerk;
grant insert on icert.audit_node, icert.audit_head to icert_clerk;
grant update (state, done_at, tries, due_at) on icert.deadline to icert_clerk;
grant insert on icert.data_key to icert_clerk;
grant update (destroyed_at) on icert.data_key to icert_clerk;
grant delete on icert.link to icert_clerk;
grant select (id, contact_id, expires_at), delete on icert.parked_form to icert_clerk;
do $$
declare t text;
begin
	foreach t in array array['purchase', 'payment_event', 'payment', 'application', 'certificate', 'appointment', 'outbox',
	    'deadline', 'audit', 'audit_node', 'audit_head', 'data_key', 'link', 'parked_form'] loop
		execute format('create policy clerk on icert.%I to icert_clerk using (true) with check (true)', t);
	end loop;
	foreach t in array array['contact', 'status_change', 'document', 'outbox_document'] loop
		execute format('create policy clerk on icert.%I for select to icert_clerk using (true)', t);
	end loop;
end $$;
-- The clerk mails the PKCS#12 (the keeper gives it that key and no other) and blanks what is due.
create policy clerk on icert.delivery to icert_clerk using (true) with check (sealed is null);

-- Webhook: adds, and reads nothing. ------------------------------------------------------

grant insert (gateway, event_id, body, received_at, key_id) on icert.payment_event to icert_webhook;
create policy webhook on icert.payment_event for insert to icert_webhook with check (applied_at is null);

-- Publisher: status of certificates, without whose they are. -------------------------------

grant select (id, serial, state, not_before, not_after, revoked_at, reason, issued_at, spki_sha256) on icert.certificate
	to icert_publisher;
create policy publisher on icert.certificate for select to icert_publisher
	using (state in ('good', 'revoked', 'expired', 'suspended'));
grant select on icert.status_change to icert_publisher;
grant update (published_epoch, published_at) on icert.status_change to icert_publisher;
create policy publisher on icert.status_change to icert_publisher using (true) with check (true);
grant select, insert on icert.crl to icert_publisher;
create policy publisher on icert.crl to icert_publisher using (true) with check (true);

reset role;
