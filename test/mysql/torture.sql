-- What dumps of MariaDB lose or break: each table is one kind of trap. Loaded into an empty database by the client.
set sql_mode='';
create sequence s1 start with 1000 increment by 5 cache 10; select nextval(s1), nextval(s1), nextval(s1);
create table seqt(id int default nextval(s1) primary key, v int); insert into seqt(v) values(1),(2);
create table zd(id int primary key, d date not null default '0000-00-00', dt datetime, ts timestamp null, y year, tm time(3)); insert into zd values(1,'0000-00-00','0000-00-00 00:00:00',null,2024,'-838:59:59'),(2,'2024-00-15','2024-02-30 00:00:00','2024-10-27 00:30:00',0,'12:00:00.123');
create table gen(id int primary key, a int, b int as (a*2) virtual, c int as (a+1) stored, inv int invisible default 9, key(b)); insert into gen(id,a,inv) values(1,10,77),(2,null,78);
create table vers(id int primary key, v varchar(20)) with system versioning; insert into vers values(1,'old'); do sleep(0.01); update vers set v='new'; do sleep(0.01); delete from vers where id=1; insert into vers values(2,'cur');
create table l1(id int primary key, s varchar(100)) character set latin1; set names latin1; insert into l1 values(1,'Ã¼ doubly'); set names utf8mb4; insert into l1 values(2,'ü right'); insert into l1 values(3, unhex('8182'));
create table u3(id int primary key, s varchar(50) character set utf8mb3, b varchar(50) character set utf8mb4 collate utf8mb4_bin, x char(10) character set utf16, sj varchar(20) character set sjis); insert into u3 values(1,'abc','😀 emoji','é','表ソ');
create table bin1(id int primary key, b bit(10), bl blob, vb varbinary(100), h binary(4), u uuid, i6 inet6, g geometry, p point, j json, en enum('a','b''c','d,e'), st set('x','y')); insert into bin1 values(1,b'1010101010',unhex('00270a0d5c1a22ff'),'',unhex('01000000'),'123e4567-e89b-12d3-a456-426655440000','::1',st_geomfromtext('POLYGON((0 0,0 1,1 1,1 0,0 0))'),point(1,2),'{"a":[1,2,"\\u00e9"]}','b''c','x,y'),(2,null,'',null,null,null,null,null,null,null,null,null);
create table fl(id int primary key, f float, d double, dec1 decimal(65,30)); insert into fl values(1,1.1,1e308,123456789012345678901234567890.123456789012345678901234567890),(2,3.4028234e38,-2.2250738585072014e-308,-0.000000000000000000000000000001),(3,16777217,0.1+0.2,0),(4,1234567.89,5e-324,1);
create table auto0(id int primary key auto_increment, v int); set sql_mode='NO_AUTO_VALUE_ON_ZERO'; insert into auto0 values(0,1),(5,2); alter table auto0 auto_increment=500; set sql_mode='';
create table part(id int, d date, primary key(id,d)) partition by range(year(d)) (partition p0 values less than(2023), partition p1 values less than maxvalue); insert into part values(1,'2022-01-01'),(2,'2024-01-01');
create table mem(id int primary key, v int) engine=memory; insert into mem values(1,1);
create table mi(id int primary key, v text, fulltext(v)) engine=myisam; insert into mi values(1,'full text');
create table ar(id int primary key) engine=aria; insert into ar values(1);
create table par(id int primary key); create table chi(id int primary key, p int, foreign key(p) references par(id) on delete cascade); insert into par values(1); insert into chi values(1,1);
create table `we``ird "name` (`co``l` int primary key, `select` varchar(10), `é` int); insert into `we``ird "name` values(1,'x',2);
create table chk(id int primary key check(id>0), v int, constraint cv check (v<100)); insert into chk values(1,5);
create table comp2(id int primary key, t text compressed) engine=innodb row_format=dynamic; insert into comp2 values(1,repeat('z',1000));
create table nopk(a int, b text); insert into nopk values(1,'dup'),(1,'dup'),(null,null);
create view v_b as select * from seqt; create view a_on_b as select * from v_b join gen using(id);
create definer=ghost@'%' sql security definer view v_ghost as select 1 one;
delimiter //
create function f1(x int) returns int deterministic begin return x*2; end//
create procedure p1() begin select 1; end//
create trigger tr1 before insert on seqt for each row set new.v=coalesce(new.v,0)+100//
create trigger tr2 after insert on chk for each row insert into par values(new.id+1000)//
create event ev1 on schedule every 1 day do insert into par values(9999)//
create definer=ghost@'%' procedure pghost() begin select current_user(); end//
set sql_mode=oracle//
create package pk1 as function pf return int; end//
create package body pk1 as function pf return int is begin return 7; end; end//
set sql_mode=''//
delimiter ;
set sql_mode='ANSI_QUOTES,PIPES_AS_CONCAT'; 
delimiter //
create procedure p_ansi() begin select "id"||'x' from "par"; end//
delimiter ;
set sql_mode=''; create view v_fn as select f1(id) y from par;
