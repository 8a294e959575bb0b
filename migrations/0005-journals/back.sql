set role icert_owner;
drop table icert.deadline, icert.audit_head, icert.audit_node, icert.audit, icert.outbox_document, icert.outbox;
drop function icert.audit_once();
reset role;
