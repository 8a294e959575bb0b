-- A difference that was solved or explained, and is there again with other sums, waits again.
set role icert_owner;
grant update (day, here, there, reason) on icert.difference to icert_clerk;
reset role;
