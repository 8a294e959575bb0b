-- What was set aside may wait again: a movement that does pay an order after all, or a statement that was no mistake.
set role icert_owner;
alter table icert.bank_line add column whole boolean not null default false check (not whole or state = 'other');	-- with all of its statement
grant update (whole) on icert.bank_line to icert_desk;
drop policy desk_update on icert.bank_line;
create policy desk_update on icert.bank_line for update to icert_desk
	using (state in ('new', 'other') and (select icert.me_has('finance', 'national')))
	with check (state = 'new' or (decided_by = (select icert.me_staff()) and
		(state = 'other' or (state = 'confirmed' and icert.other_person(imported_by)))));
reset role;
