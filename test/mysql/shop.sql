-- A shop as applications have it, with something of each kind to lose.
SET sql_mode = '';
CREATE TABLE customer (id int PRIMARY KEY AUTO_INCREMENT, name varchar(100) NOT NULL, mail varchar(200), note text, born date, active tinyint(1) DEFAULT 1, UNIQUE KEY mail (mail), KEY name (name)) COMMENT 'who buys';
INSERT INTO customer (name, mail, note, born) VALUES ('Ada Lovelace', 'ada@example.com', 'Grüße 😀', '1815-12-10'), ('Grace Hopper', 'grace@example.com', NULL, '1906-12-09'), ('Joan Clarke', NULL, 'likes bits', '1917-06-24');
CREATE TABLE product (id int PRIMARY KEY AUTO_INCREMENT, title varchar(80), price decimal(10,2) CHECK (price >= 0), weight float, photo varbinary(200), CONSTRAINT light CHECK (weight < 99999999));
INSERT INTO product (title, price, weight, photo) VALUES ('Anchor', 120.50, 16777216, x'00ff10'), ('Rope', 9.99, 1.5, x'01'), ('Buoy', 35, 2.25, NULL);
CREATE TABLE orders (id int PRIMARY KEY AUTO_INCREMENT, customer int NOT NULL, product int NOT NULL, amount int, placed datetime(6), FOREIGN KEY (customer) REFERENCES customer (id), FOREIGN KEY (product) REFERENCES product (id) ON DELETE CASCADE);
INSERT INTO orders (customer, product, amount, placed) VALUES (1, 1, 2, '2026-01-02 03:04:05.678901'), (2, 2, 3, '2026-01-03 00:00:00'), (3, 3, 4, NULL);
CREATE TABLE log (said text, at timestamp NULL);
INSERT INTO log VALUES ('opened', '2026-01-01 08:00:00'), ('closed', NULL);
CREATE TABLE price (product int PRIMARY KEY, price decimal(10,2)) WITH SYSTEM VERSIONING;
INSERT INTO price VALUES (1, 100); DO SLEEP(0.01); UPDATE price SET price = 110;
CREATE TABLE setting (name varchar(50) PRIMARY KEY, value varchar(50) DEFAULT 'none');
INSERT INTO setting VALUES ('colour', 'blue');
CREATE SEQUENCE invoice_number START WITH 1000; DO nextval(invoice_number);
CREATE VIEW owed AS SELECT name, SUM(amount) amount FROM customer JOIN orders ON customer.id = customer GROUP BY name;
DELIMITER //
CREATE FUNCTION half(x int) RETURNS int DETERMINISTIC RETURN x / 2//
CREATE TRIGGER logged AFTER UPDATE ON orders FOR EACH ROW INSERT INTO log VALUES ('changed', NOW())//
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DO DELETE FROM log WHERE at < NOW() - INTERVAL 1 YEAR//
