delete from icert.transition where machine = 'purchase' and 'disputed' in (from_state, to_state);
set role icert_owner;
drop table icert.refund;
reset role;
