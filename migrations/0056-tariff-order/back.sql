delete from icert.transition where machine = 'purchase' and from_state = 'refunding' and to_state = 'disputed';
set role icert_owner;
alter table icert.purchase drop constraint purchase_tax;
alter table icert.tariff drop column written;
reset role;
