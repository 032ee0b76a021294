-- contract
alter table page drop column subtitle;
