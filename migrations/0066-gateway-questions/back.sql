set role icert_owner;
drop table icert.payment_question;
reset role;
