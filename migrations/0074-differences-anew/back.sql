set role icert_owner;
revoke update (day, here, there, reason) on icert.difference from icert_clerk;
reset role;
