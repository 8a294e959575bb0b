-- What was emptied could not be read: there is nothing to bring back.
select;
