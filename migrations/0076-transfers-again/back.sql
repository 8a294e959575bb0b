set role icert_owner;
drop policy desk_update on icert.bank_line;
create policy desk_update on icert.bank_line for update to icert_desk
	using (state = 'new' and (select icert.me_has('finance', 'national')))
	with check (decided_by = (select icert.me_staff()) and
		(state = 'other' or (state = 'confirmed' and icert.other_person(imported_by))));
alter table icert.bank_line drop column whole;
reset role;
