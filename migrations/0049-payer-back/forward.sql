-- A payer who is back from the gateway need not wait for the clerk's next question: the portal makes it due.
set role icert_owner;
grant update (asked_at) on icert.purchase to icert_portal;
reset role;
