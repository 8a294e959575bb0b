delete from icert.transition where machine = 'invoice';
set role icert_owner;
drop table icert.invoice;
alter table icert.transition drop constraint transition_machine_check;
alter table icert.transition add check (machine in ('application', 'purchase', 'certificate'));
reset role;
