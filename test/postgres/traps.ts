/** Waits until somebody runs it who may run programs. What calls itself immutable may not do that, but call what does. */
export const ambushAt = (marks: string) => `
CREATE FUNCTION public.deed() RETURNS void LANGUAGE plpgsql AS $f$ BEGIN
  IF pg_has_role(current_user, 'pg_execute_server_program', 'MEMBER') THEN
    EXECUTE 'COPY (SELECT 1) TO PROGRAM ''cat > ${marks}/EXECUTED''';
  END IF; END $f$;
CREATE FUNCTION public.ok(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  $f$ BEGIN PERFORM public.deed(); RETURN i; END $f$;`;

/** Code that runs a program once somebody loads it who may; `marks` is where it would leave its mark. */
export function trapsIn(marks: () => string): Array<[string, () => string, 'sprung by nobody'?]> {
  const ambush = () => ambushAt(marks());
  return [
    [
      'the check of a table',
      () => `${ambush()} CREATE TABLE t (i int CHECK (public.ok(i) = i)); INSERT INTO t VALUES (1);`,
    ],
    [
      'the check of a domain',
      () => `${ambush()} CREATE DOMAIN d AS int CHECK (public.ok(VALUE) = VALUE); CREATE TABLE t (i d);
      INSERT INTO t VALUES (1);`,
    ],
    [
      'a generated column',
      () => `${ambush()} CREATE TABLE t (i int, g int GENERATED ALWAYS AS (public.ok(i)) STORED);
      INSERT INTO t VALUES (1);`,
    ],
    [
      'the key of partitions',
      () => `${ambush()} CREATE TABLE t (i int) PARTITION BY RANGE (public.ok(i));
      CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (9); INSERT INTO t VALUES (1);`,
    ],
    [
      'an operator in a check',
      () => `${ambush()} CREATE FUNCTION public.eq(a int, b text) RETURNS boolean LANGUAGE sql IMMUTABLE
        AS 'SELECT public.ok(a) = a';
      CREATE OPERATOR public.=== (LEFTARG = int, RIGHTARG = text, FUNCTION = public.eq);
      CREATE TABLE t (i int, c text, CHECK (i OPERATOR(public.===) c)); INSERT INTO t VALUES (1, 'x');`,
    ],
    [
      'an index expression, with a constant that the planner computes',
      () => `${ambush()} CREATE TABLE t (i int); CREATE INDEX ON t ((public.ok(i))); CREATE INDEX ON t (i) WHERE public.ok(1) = 1;
      CREATE STATISTICS s ON (public.ok(i)), (public.ok(2) + i) FROM t; INSERT INTO t SELECT generate_series(1, 99);`,
      'sprung by nobody',
    ],
    [
      'a materialised view',
      () => `${ambush()} CREATE TABLE t (i int); INSERT INTO t VALUES (1);
      CREATE MATERIALIZED VIEW m AS SELECT public.ok(i) FROM t;`,
      'sprung by nobody',
    ],
    [
      'a default, a trigger and a rule of the table, a policy',
      () => `${ambush()} CREATE TABLE t (i int, j int DEFAULT public.ok(1));
      CREATE FUNCTION public.tr() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN PERFORM public.deed(); RETURN NEW; END $f$;
      CREATE TRIGGER a BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION public.tr(); ALTER TABLE t ENABLE ALWAYS TRIGGER a;
      CREATE POLICY p ON t USING (public.ok(i) = i); ALTER TABLE t ENABLE ROW LEVEL SECURITY; INSERT INTO t VALUES (1);
      CREATE MATERIALIZED VIEW m AS SELECT public.ok(i) FROM t;`,
      'sprung by nobody',
    ],
    [
      'a cast and a range',
      () => `${ambush()} CREATE TYPE mood AS ENUM ('a'); CREATE FUNCTION public.num(mood) RETURNS int LANGUAGE sql IMMUTABLE
        AS 'SELECT public.ok(1)'; CREATE CAST (mood AS int) WITH FUNCTION public.num(mood) AS IMPLICIT;
      CREATE FUNCTION public.diff(int, int) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT (public.ok($1) - $2)::float8';
      CREATE TYPE r AS RANGE (SUBTYPE = int, SUBTYPE_DIFF = public.diff); CREATE TABLE t (m mood CHECK (m::int = 1), r r);
      CREATE INDEX ON t USING gist (r); INSERT INTO t SELECT 'a', r(g, g + 5) FROM generate_series(1, 500) g;`,
    ],
    [
      'a function that takes another role',
      () => `${ambush()} CREATE FUNCTION public.up(i int) RETURNS int LANGUAGE plpgsql AS $f$ BEGIN
        BEGIN RESET ROLE; EXCEPTION WHEN OTHERS THEN NULL; END; PERFORM public.deed();
        BEGIN SET SESSION AUTHORIZATION DEFAULT; EXCEPTION WHEN OTHERS THEN NULL; END; PERFORM public.deed();
        BEGIN SET SESSION AUTHORIZATION postgres; EXCEPTION WHEN OTHERS THEN NULL; END; PERFORM public.deed();
        BEGIN SET ROLE postgres; EXCEPTION WHEN OTHERS THEN NULL; END; PERFORM public.deed(); RETURN i; END $f$;
      CREATE TABLE t (i int CHECK (public.up(i) = i)); INSERT INTO t VALUES (1);`,
    ],
    [
      'a function of PostgreSQL itself, which writes a file',
      () => `SELECT lo_from_bytea(4711, 'x');
      CREATE TABLE t (i int CHECK (CASE WHEN current_setting('is_superuser') = 'on'
        THEN query_to_xml('SELECT lo_export(4711, ''${marks()}/EXECUTED'')', true, true, '') IS NOT NULL ELSE true END));
      ALTER TABLE t ALTER COLUMN i SET DEFAULT 1; INSERT INTO t VALUES (1);`,
    ],
  ];
}

/** What code of a dump can try that is not its own to do: what it reads, and what it changes. */
export const reads = [
  ...[
    "pg_read_file('/etc/passwd')",
    "pg_read_binary_file('/etc/hostname')",
    "pg_ls_dir('/')",
    "pg_stat_file('/etc/passwd')",
  ],
  ...[
    "lo_import('/etc/passwd')",
    "current_setting('data_directory')",
    'pg_current_logfile()',
    'pg_show_all_file_settings()',
  ],
].map((call) => `SELECT ${call}`);
export const catalogs = [
  'pg_authid',
  'pg_user_mapping',
  'pg_statistic',
  'pg_hba_file_rules',
  'pg_subscription',
  'pg_largeobject',
];
export const changes = (marks: string) => [
  ...["COPY public.loot FROM '/etc/hostname'", "COPY public.loot FROM PROGRAM 'id'"],
  ...[`COPY (SELECT 1) TO '${marks}/FILE'`, `COPY (SELECT 1) TO PROGRAM 'touch ${marks}/PROGRAM'`],
  `SELECT lo_export(lo_from_bytea(0, 'x'), '${marks}/OBJECT')`,
  ...[
    "ALTER ROLE postgres PASSWORD 'x'",
    'CREATE ROLE evil SUPERUSER LOGIN',
    'GRANT postgres TO shop',
    'DROP ROLE bystander',
  ],
  ...['GRANT pg_execute_server_program TO shop', 'ALTER ROLE shop SUPERUSER', 'ALTER ROLE bystander RENAME TO gone'],
  ...['ALTER DATABASE theirs RENAME TO gone', 'ALTER DATABASE theirs SET work_mem = 64'],
  ...["SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'theirs'", 'SELECT pg_reload_conf()'],
  ...['SET ROLE postgres', 'SET SESSION AUTHORIZATION postgres', "LOAD '/tmp/evil.so'", 'CREATE EXTENSION file_fdw'],
  ...['UPDATE pg_catalog.pg_authid SET rolsuper = true', 'SET session_replication_role = replica'],
];

/** Tries each, and notes how it went, as the check of a table. */
export const attack = (tries: readonly string[]) => `
  CREATE TABLE public.loot (what text, how text);
  CREATE FUNCTION public.attack(int) RETURNS boolean LANGUAGE plpgsql AS $f$ DECLARE one text; BEGIN
    IF current_database() = 'shop' THEN RETURN true; END IF;
    FOREACH one IN ARRAY ARRAY[${tries.map((one) => `$t$${one}$t$`).join(', ')}] LOOP
      BEGIN EXECUTE one; INSERT INTO public.loot VALUES (one, 'REACHED');
      EXCEPTION WHEN OTHERS THEN INSERT INTO public.loot VALUES (one, SQLSTATE); END;
    END LOOP; RETURN true; END $f$;`;
