set role icert_owner;
drop index icert.deadline_ended;
drop table icert.clock_mark, icert.breaker;
reset role;
set role icert_login;
drop function icert.other_person(uuid);
reset role;
