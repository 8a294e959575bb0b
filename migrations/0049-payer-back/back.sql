set role icert_owner;
revoke update (asked_at) on icert.purchase from icert_portal;
reset role;
