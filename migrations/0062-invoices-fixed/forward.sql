-- What was filed stays as it was filed, whoever holds the session: an invoice is voided by another row, never written over.
set role icert_owner;

create function icert.check_invoice() returns trigger language plpgsql set search_path = '' as $$
begin
	if (new.id, new.purchase_id, new.voids, new.created_at) is distinct from (old.id, old.purchase_id, old.voids, old.created_at)
		or (old.access_key is not null and (new.access_key, new.serial, new.day, new.net, new.tax, new.total, new.pdf, new.pdf_size, new.pdf_sha256, new.xml,
			new.xml_size, new.xml_sha256, new.filed_by, new.filed_at) is distinct from (old.access_key, old.serial, old.day, old.net, old.tax, old.total,
			old.pdf, old.pdf_size, old.pdf_sha256, old.xml, old.xml_size, old.xml_sha256, old.filed_by, old.filed_at)) then
		raise exception 'filed' using errcode = 'IC001';
	end if;
	return new;
end $$;
create trigger invoice_fixed before update on icert.invoice
	for each row execute function icert.check_invoice();
revoke execute on function icert.check_invoice() from public;
reset role;
