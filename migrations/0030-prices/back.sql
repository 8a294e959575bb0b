set role icert_owner;
drop policy desk_insert on icert.tariff;
revoke insert on icert.tariff from icert_desk;
alter table icert.tariff drop column change_id;
drop table icert.tariff_change;
drop function icert.check_tariff_change();
reset role;
