import type { Seeded } from '../support/seeded.ts';

/** A database that is odd and right, in SQL. Names and values are of its seed. */
export interface OddDatabase {
  /** What `CREATE DATABASE` takes. */
  readonly options: string;
  /** Of the server: roles. */
  readonly roles: string;
  readonly script: string;
  /** Of the database itself, by its name. */
  readonly properties: (name: string) => string;
}

const names = [
  'plain',
  'Upper',
  'user',
  'two words',
  'quo"ted',
  "apo'strophe",
  'semi;colon',
  'dol$lar',
  'select',
  '_',
  'x'.repeat(63),
];
const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;

/** Types, with a value of each and what can be its default. */
const types: readonly (readonly [type: string, value: string, ...defaults: string[]])[] = [
  ['int', 'n', '7', '(1 + 2) * 3', "'5'::text::int"],
  ['bigint', 'n * 1000000007::bigint', "('x' || 'ff')::bit(8)::bigint"],
  ['smallint', 'n % 100', '-1'],
  ['numeric(12,3)', 'n / 7.0', '0', "'1e-3'"],
  ['numeric', "CASE WHEN n % 9 = 0 THEN 'NaN' ELSE n::numeric END"],
  ['money', 'n::numeric::money', "'1'"],
  ['real', 'n / 3.0', "'infinity'"],
  ['double precision', "CASE n % 5 WHEN 0 THEN '-0' WHEN 1 THEN 'NaN' ELSE n / 7.0 END", 'pi()'],
  ['text', "'a' || chr(9) || n || '\\'", "''", "E'a\\tb'", 'CURRENT_USER', "upper('x') || 'y'"],
  ['varchar(20)', "repeat('v', n % 20)", "'a'", "CASE WHEN true THEN 'b' ELSE 'c'::varchar END"],
  ['char(5)', 'left(n::text, 5)', "'q'"],
  ['name', "'n' || n"],
  ['bytea', "decode(md5(n::text), 'hex')", "'\\x00ff'"],
  ['boolean', 'n % 2 = 0', 'NOT true', '((1 > 2) IS NOT TRUE)'],
  ['date', "CASE WHEN n % 9 = 0 THEN 'infinity' ELSE date '2000-01-01' + n END", 'CURRENT_DATE', "'4713-01-01 BC'"],
  [
    'timestamptz',
    "timestamptz '2026-03-29 01:30:00Z' + n * interval '1 min 0.000001 s'",
    'now()',
    "now() - interval '1 mon 2 days'",
  ],
  ['timestamp(3)', "timestamp '1999-12-31 23:59:59.999' + n * interval '1 h'", 'LOCALTIMESTAMP(3)'],
  ['time with time zone', "'04:05:06.789-03:30'", "'00:00+14'"],
  ['interval day to second(2)', "n * interval '1.25 s'", "'1 12:59:10'"],
  ['interval', 'make_interval(n % 3, n % 12)'],
  ['uuid', 'md5(n::text)::uuid', 'gen_random_uuid()'],
  ['json', `'{"b" : 1,  "a": [null]}'`, `'[]'`],
  ['jsonb', `jsonb_build_object('n', n, 'z', null)`, `'{}'`, `jsonb_build_array(1, 'x')`],
  ['xml', "('<a>' || n || '</a>')::xml"],
  ['inet', "('10.0.0.' || n % 250)::inet", "'::1/64'"],
  ['cidr', "'10.1.0.0/16'"],
  ['macaddr8', "'08:00:2b:01:02:03:04:05'"],
  ['point', 'point(n, -n)', "'(1,2)'"],
  ['polygon', "'((0,0),(1,1),(2,0))'"],
  ['bit(3)', "B'101'", "B'000'"],
  ['bit varying(9)', 'n::bit(9)::bit varying'],
  ['int[]', 'ARRAY[n, NULL, n + 1]', "'{}'", 'ARRAY[1, 2]'],
  ['text[][]', `ARRAY[['a"b', NULL], ['', 'c,d']]`, 'ARRAY[]::text[]'],
  ['int4range', 'int4range(n, n + 5)', "'empty'"],
  ['tstzmultirange', "'{}'", "'{[2026-01-01Z,2026-02-01Z)}'"],
  ['tsvector', "to_tsvector('simple', 'the fat ' || n)"],
  ['pg_lsn', "'0/16B3748'"],
  ['regclass', "'pg_catalog.pg_class'", "'pg_catalog.pg_type'::regclass"],
  ['oid', 'n::oid'],
];

/** Checks of a table with columns `i int`, `v varchar(20)`, `t text`, `d date`: PostgreSQL spells some anew. */
const checks = [
  "CHECK (v IN ('a', 'b', 'c') OR v IS NULL OR length(v) > -1)",
  "CHECK (v::text <> ALL (ARRAY['x1'::varchar, 'x2'::varchar]::text[]))",
  'CHECK (i BETWEEN -2147483648 AND 2147483647 AND NOT (i = 0 AND i = 1))',
  "CHECK (t ~* '^.*$' AND t NOT LIKE '%(zz)%' ESCAPE '!')",
  'CHECK (CASE WHEN i > 5 THEN i * 2 > 10 WHEN i IS NULL THEN true ELSE (i + (1 - 2)) < 100 END)',
  "CHECK ((t COLLATE \"C\") < 'zzzz' OR t IS DISTINCT FROM 'q')",
  "CHECK (d > '0001-01-01' AND EXTRACT(year FROM d) > 0 AND d + interval '1 day' > d)",
  "CHECK (coalesce(v, t, 'n') <> ' )''( ' AND nullif(i, 3) IS DISTINCT FROM 3)",
  "CHECK (ROW(i, t) IS NOT NULL OR i = ANY ('{1,2,3}'::int[]) OR true)",
  'CHECK (i::numeric(10, 2) <> 0.5::double precision AND (i::bigint)::text = i::text)',
];

const indexes = [
  '(t text_pattern_ops, i DESC NULLS LAST)',
  '(lower(t), (i + 1))',
  "(i) WHERE v IN ('a', 'b')",
  '(i) INCLUDE (t, v) WITH (fillfactor = 71)',
  "USING gin (to_tsvector('simple', t))",
  'USING hash (t)',
  'USING brin (d) WITH (pages_per_range = 7)',
  'USING gist (int4range(least(i, 0), greatest(i, 0)))',
  '(v COLLATE "C" varchar_pattern_ops) WHERE NOT (i > 3 AND d IS NULL)',
];

const views = [
  'SELECT * FROM odd.base',
  "SELECT i, count(*) FILTER (WHERE v = 'a') AS n, string_agg(t, ',' ORDER BY t DESC) FROM odd.base GROUP BY ROLLUP (i) HAVING count(*) > 0",
  'WITH RECURSIVE r (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM r WHERE n < 4) SELECT r.n, b.t FROM r LEFT JOIN odd.base b ON b.i = r.n',
  "SELECT DISTINCT ON (v) v, i, row_number() OVER w, lag(t, 2, 'none') OVER (w ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM odd.base WINDOW w AS (PARTITION BY v ORDER BY i) ORDER BY v, i NULLS FIRST LIMIT 5",
  "SELECT b.i, x.* FROM odd.base b, LATERAL unnest(ARRAY[b.i, 2], ARRAY['a', b.v]) WITH ORDINALITY AS x (k, l, o)",
  "SELECT i FROM odd.base a JOIN odd.base b USING (i, v) WHERE EXISTS (SELECT FROM odd.base c WHERE c.i = a.i AND c.t LIKE '%x')",
  "SELECT v IN ('a', 'b') AS listed, (i, t) IN (SELECT 1, 'q'::text) AS paired, t::varchar(3) AS cut, '{1}'::int[] || i AS more, d AT TIME ZONE 'UTC' AS at FROM odd.base",
  '(SELECT i FROM odd.base EXCEPT SELECT 1) UNION ALL (VALUES (2), (3) ORDER BY 1 DESC) INTERSECT SELECT 3',
];

const odd: readonly ((chance: Seeded) => string)[] = [
  () =>
    "CREATE TYPE odd.mood AS ENUM ('sad', 'it''s ok', 'Über'); CREATE TABLE odd.moods (m odd.mood DEFAULT 'sad', ms odd.mood[]); INSERT INTO odd.moods VALUES (DEFAULT, '{sad,Über}')",
  () => `CREATE DOMAIN odd.code AS varchar(9) COLLATE "C" DEFAULT 'x' NOT NULL CHECK (VALUE IN ('x', 'y')) CONSTRAINT long_enough CHECK (length(VALUE) >= 1);
    CREATE DOMAIN odd.inner_code AS odd.code CHECK (VALUE <> 'z'); CREATE TABLE odd.coded (c odd.inner_code, cs odd.code[]); INSERT INTO odd.coded VALUES ('y', '{x,y}')`,
  () =>
    'CREATE TYPE odd.pair AS (a int, "B b" text COLLATE "C"); CREATE TABLE odd.paired (p odd.pair, ps odd.pair[]); INSERT INTO odd.paired VALUES (ROW(1, \'q"\'), ARRAY[ROW(2, NULL)::odd.pair])',
  () =>
    "CREATE TYPE odd.floats AS RANGE (subtype = float8, subtype_diff = float8mi); CREATE TABLE odd.ranged (r odd.floats); INSERT INTO odd.ranged VALUES ('[1.5,2.5)')",
  ({
    pick,
  }) => `CREATE TABLE odd.parted (k int, at date NOT NULL DEFAULT '2026-01-01', note text) PARTITION BY ${pick(['RANGE (at)', 'LIST (k)', 'HASH (k)', 'RANGE ((k + 1), at)'])};
    DO $$ BEGIN IF (SELECT partstrat FROM pg_partitioned_table WHERE partrelid = 'odd.parted'::regclass) = 'h' THEN
      CREATE TABLE odd.p0 PARTITION OF odd.parted FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE odd.p1 (note text, at date NOT NULL, k int);
      ALTER TABLE odd.parted ATTACH PARTITION odd.p1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    ELSE CREATE TABLE odd.p0 PARTITION OF odd.parted (note DEFAULT 'other', CHECK (k > -5)) DEFAULT PARTITION BY LIST (note); CREATE TABLE odd.p00 PARTITION OF odd.p0 DEFAULT; END IF; END $$;
    CREATE INDEX ON odd.parted (note); INSERT INTO odd.parted SELECT n, date '2026-01-01' + n, 'n' || n FROM generate_series(1, 30) n`,
  () => `CREATE TABLE odd.above (a int NOT NULL, b text DEFAULT 'b', CONSTRAINT kept CHECK (a > 0)); CREATE TABLE odd.aside (c date);
    CREATE TABLE odd.below (d int, CHECK (d < 1000) NO INHERIT) INHERITS (odd.above, odd.aside); ALTER TABLE odd.above ADD COLUMN late numeric DEFAULT 1.5;
    ALTER TABLE odd.below ALTER b SET DEFAULT 'other'; INSERT INTO odd.below SELECT n, 'x', NULL, n, n FROM generate_series(1, 20) n`,
  () => `CREATE TABLE odd.kept (id int GENERATED ALWAYS AS IDENTITY (START 5 INCREMENT 3 MAXVALUE 900 CYCLE) PRIMARY KEY, twice bigint GENERATED ALWAYS AS (n * 2) STORED, n int);
    INSERT INTO odd.kept (n) SELECT n FROM generate_series(1, 25) n`,
  () => `CREATE TABLE odd.parents (id int PRIMARY KEY, code text UNIQUE, late int UNIQUE DEFERRABLE INITIALLY DEFERRED); CREATE TABLE odd.children (id serial PRIMARY KEY,
      parent int REFERENCES odd.parents ON UPDATE CASCADE ON DELETE SET NULL DEFERRABLE, self int REFERENCES odd.children, code text REFERENCES odd.parents (code) MATCH FULL);
    INSERT INTO odd.parents SELECT n, 'c' || n FROM generate_series(1, 9) n; INSERT INTO odd.children (parent, self) SELECT n, NULL FROM generate_series(1, 9) n;
    ALTER TABLE odd.children ADD CONSTRAINT later FOREIGN KEY (self) REFERENCES odd.parents NOT VALID`,
  () =>
    `CREATE TABLE odd.booked (room int, during tsrange, EXCLUDE USING gist (during WITH &&) WHERE (room > 0)); INSERT INTO odd.booked VALUES (1, '[2026-01-01,2026-01-02)')`,
  () => `ALTER TABLE odd.base ENABLE ROW LEVEL SECURITY; ALTER TABLE odd.base FORCE ROW LEVEL SECURITY;
    CREATE POLICY "see own" ON odd.base FOR SELECT TO PUBLIC USING (v IN ('a', 'b') OR i = (SELECT max(i) FROM odd.base)); CREATE POLICY put ON odd.base AS RESTRICTIVE FOR INSERT TO odd_app WITH CHECK (i > 0 AND t <> ')')`,
  ({ pick }) => `CREATE FUNCTION odd.touch() RETURNS trigger LANGUAGE plpgsql AS $f$BEGIN RETURN NEW; END -- it's; $f$;
    CREATE TRIGGER "odd trigger" BEFORE UPDATE OF t, v ON odd.base FOR EACH ROW WHEN (OLD.v IS DISTINCT FROM NEW.v OR NEW.t IN ('a', 'b')) EXECUTE FUNCTION odd.touch('it''s', 'two');
    CREATE TRIGGER after_all AFTER INSERT ON odd.base REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION odd.touch(); ALTER TABLE odd.base ${pick(['DISABLE', 'ENABLE REPLICA', 'ENABLE ALWAYS'])} TRIGGER after_all`,
  () => `CREATE FUNCTION odd.sums(VARIADIC xs int[], OUT s bigint, OUT "N" int) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT sum(x), count(*)::int FROM unnest($1) x';
    CREATE FUNCTION odd.modern(a int, b text DEFAULT 'x)') RETURNS text LANGUAGE sql STABLE BEGIN ATOMIC SELECT b || a || count(*) FROM odd.base WHERE v IN ('a', 'b'); END;
    CREATE PROCEDURE odd.act(INOUT a int) LANGUAGE plpgsql SET search_path = odd, public SET work_mem = '1MB' AS $$BEGIN a := a + 1; END$$; CREATE AGGREGATE odd.longest(text) (SFUNC = textcat, STYPE = text, INITCOND = '')`,
  () => `CREATE FUNCTION odd.same(int, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1::text = $2'; CREATE OPERATOR odd.=== (LEFTARG = int, RIGHTARG = text, FUNCTION = odd.same);
    CREATE VIEW odd.compared AS SELECT i OPERATOR(odd.===) t AS eq FROM odd.base`,
  () =>
    'CREATE RULE nothing AS ON DELETE TO odd.base WHERE OLD.i > 1000000 DO INSTEAD NOTHING; CREATE VIEW odd.shown ("I i", t) WITH (security_barrier) AS SELECT i, t FROM odd.base WHERE i > 0 WITH LOCAL CHECK OPTION; ALTER VIEW odd.shown ALTER t SET DEFAULT \'d\'',
  ({ pick }) =>
    `CREATE MATERIALIZED VIEW odd.kept_view AS SELECT i, count(*) AS n FROM odd.base GROUP BY i WITH ${pick(['', 'NO '])}DATA; CREATE UNIQUE INDEX ON odd.kept_view (i)`,
  () =>
    "CREATE SEQUENCE odd.down AS smallint INCREMENT -3 MINVALUE -300 MAXVALUE 30 START 12 CACHE 4 CYCLE; SELECT nextval('odd.down'), setval('odd.down', -7, false); SET ROLE odd_app; CREATE SEQUENCE odd.owned OWNED BY odd.base.i; RESET ROLE",
  () => `GRANT SELECT (i, t), UPDATE (v) ON odd.base TO odd_app WITH GRANT OPTION; GRANT ALL ON odd.base TO odd_group; REVOKE TRUNCATE ON odd.base FROM odd_group; GRANT USAGE ON SCHEMA odd TO PUBLIC, odd_app;
    ALTER DEFAULT PRIVILEGES FOR ROLE odd_app IN SCHEMA odd GRANT SELECT ON TABLES TO odd_group; ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC`,
  () =>
    "COMMENT ON TABLE odd.base IS E'it''s\\na comment; -- )'; COMMENT ON COLUMN odd.base.i IS 'of i'; COMMENT ON SCHEMA odd IS '$$'",
  () =>
    'CREATE STATISTICS odd.both (dependencies, mcv) ON v, t FROM odd.base; CREATE STATISTICS odd.expressed ON (i + 1), (lower(t)) FROM odd.base; ALTER TABLE odd.base ALTER i SET STATISTICS 7, ALTER t SET STORAGE EXTERNAL, ALTER t SET (n_distinct = -0.5), SET (autovacuum_enabled = off, toast.autovacuum_enabled = off)',
  ({ pick }) =>
    `CREATE UNLOGGED TABLE odd.quick (a int); INSERT INTO odd.quick VALUES (1); CREATE TABLE odd.full (a int, b int NOT NULL); CREATE UNIQUE INDEX full_b ON odd.full (b); ALTER TABLE odd.full REPLICA IDENTITY ${pick(['FULL', 'NOTHING', 'USING INDEX full_b'])}; CREATE TABLE odd.empty ()`,
  () =>
    "CREATE PUBLICATION odd_some FOR TABLE odd.base WHERE (i > 3) WITH (publish = 'insert'); CREATE PUBLICATION odd_schema FOR TABLES IN SCHEMA odd",
  () =>
    "SELECT lo_from_bytea(0, '\\x00ff'), lo_create(0); SELECT lo_create(77777); COMMENT ON LARGE OBJECT 77777 IS 'mine'; GRANT SELECT ON LARGE OBJECT 77777 TO odd_app",
  () =>
    'CREATE TEXT SEARCH DICTIONARY odd.dict (TEMPLATE = pg_catalog.simple, STOPWORDS = english); CREATE TEXT SEARCH CONFIGURATION odd.search (COPY = pg_catalog.simple); ALTER TEXT SEARCH CONFIGURATION odd.search ALTER MAPPING FOR word WITH odd.dict',
  () =>
    `DO $$ BEGIN IF getdatabaseencoding() <> 'SQL_ASCII' THEN CREATE COLLATION odd.digits (provider = icu, locale = 'en-u-kn-true');
      CREATE TABLE odd.sorted (t text COLLATE odd.digits PRIMARY KEY); INSERT INTO odd.sorted VALUES ('a10'), ('a9'); END IF; END $$`,
  () =>
    "CREATE EXTENSION hstore SCHEMA odd; CREATE TABLE odd.stored (h odd.hstore DEFAULT 'a=>1'); INSERT INTO odd.stored VALUES (DEFAULT)",
  () =>
    "CREATE FUNCTION odd.watched() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER odd_watch ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION odd.watched(); ALTER EVENT TRIGGER odd_watch DISABLE",
];

/** Databases of encodings and locales that a server has without more. */
const databases = [
  ...['', "ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'", "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"],
  ...["ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'", "LOCALE_PROVIDER icu ICU_LOCALE 'sv-SE'"],
];
const settings = [
  ...[
    "datestyle = 'German, DMY'",
    "intervalstyle = 'iso_8601'",
    "timezone = 'Asia/Kathmandu'",
    "bytea_output = 'escape'",
    'extra_float_digits = -3',
  ],
  ...[
    'search_path = odd, "$user", "two words"',
    "xmloption = 'document'",
    'standard_conforming_strings = on',
    "lc_monetary = 'C'",
    "app.tenant = 'it''s'",
  ],
  ...[
    "statement_timeout = '1h'",
    "default_transaction_isolation = 'serializable'",
    'quote_all_identifiers = on',
    'row_security = on',
    'session_replication_role = replica',
  ],
];

export function oddDatabase(chance: Seeded): OddDatabase {
  const { pick, some, below } = chance;
  const columns = some(types, 4 + below(12)).map(([type, value, ...defaults], at) => {
    const name = quoted(names[at % names.length]! + (at < names.length ? '' : at));
    const given = defaults.length > 0 && below(2) === 0 ? ` DEFAULT ${pick(defaults)}` : '';
    return { definition: `${name} ${type}${given}${below(4) === 0 ? ' NOT NULL' : ''}`, value: `(${value})::${type}` };
  });
  const base = [
    ...['i int', "v varchar(20) DEFAULT 'a'", 't text', 'd date', ...some(checks, below(checks.length))],
    ...(below(2) === 0 ? ['PRIMARY KEY (i)'] : []),
  ];
  const script = [
    'CREATE SCHEMA odd AUTHORIZATION odd_app; CREATE SCHEMA "two words"; SET ROLE odd_app; SET search_path = pg_catalog',
    `CREATE TABLE odd.base (${base.join(', ')})`,
    "INSERT INTO odd.base SELECT n, (ARRAY['a', 'b', NULL])[1 + n % 3], 't' || n, date '2026-01-01' + n FROM generate_series(10, 60) n",
    'RESET ROLE',
    `CREATE TABLE "two words".${quoted(pick(names))} (${columns.map(({ definition }) => definition).join(', ')})`,
    `INSERT INTO "two words".${quoted('?')} SELECT ${columns.map(({ value }) => value).join(', ')} FROM generate_series(1, 40) n`,
    ...some(indexes, below(5)).map((index, at) => `CREATE INDEX ${quoted(`odd index ${at}`)} ON odd.base ${index}`),
    ...some(views, below(4)).map((view, at) => `CREATE VIEW odd.view_${at} AS ${view}`),
    ...some(odd, 6 + below(12)).map((one) => one(chance)),
  ];
  const table = /CREATE TABLE ("two words"\.(?:"(?:[^"]|"")*"))/.exec(script.join(';\n'))?.[1] ?? '';
  return {
    options: pick(databases),
    roles:
      'CREATE ROLE odd_app LOGIN; CREATE ROLE odd_group NOLOGIN NOINHERIT; GRANT odd_group TO odd_app WITH ADMIN OPTION;',
    script: script.join(';\n').replace('"two words"."?"', table).concat(';'),
    properties: (name) => {
      const database = quoted(name);
      return [
        ...some(settings, below(4)).map((one) => `ALTER DATABASE ${database} SET ${one}`),
        ...some(settings, below(3)).map((one) => `ALTER ROLE odd_app IN DATABASE ${database} SET ${one}`),
        ...(below(2) === 0
          ? [
              `REVOKE ALL ON DATABASE ${database} FROM PUBLIC; GRANT CREATE, TEMP ON DATABASE ${database} TO odd_app WITH GRANT OPTION`,
            ]
          : []),
        ...(below(2) === 0 ? [`ALTER DATABASE ${database} OWNER TO odd_app`] : []),
        ...(below(3) === 0
          ? [`ALTER DATABASE ${database} CONNECTION LIMIT 17; COMMENT ON DATABASE ${database} IS 'it''s odd'`]
          : []),
      ].join(';\n');
    },
  };
}
