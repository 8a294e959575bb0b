drop table icert.payment_box;
