import { describe, expect, test } from 'vitest';
import { codeIn } from './dump-code.ts';
import type { DumpEntry } from './dump-toc.ts';

const entry = (kind: string, definition: string, more: Partial<DumpEntry> = {}): DumpEntry => ({
  ...{ dumpId: 1, hasData: false, oid: '0', tag: 't', kind, definition, drop: '', copy: '', namespace: 'public' },
  ...{ owner: 'shop', dependsOn: [], ...more },
});

const preamble = [
  entry('ENCODING', "SET client_encoding = 'UTF8';\n"),
  entry('STDSTRINGS', "SET standard_conforming_strings = 'on';\n"),
  entry('SEARCHPATH', "SELECT pg_catalog.set_config('search_path', '', false);\n"),
];

describe('H6: in a dump that somebody else wrote', () => {
  test.each([
    entry('TABLE', "CREATE TABLE public.t (i int);\nCOPY (SELECT 1) TO PROGRAM 'id';"),
    entry('TABLE', 'CREATE TABLE public.t AS SELECT 1;'),
    entry('TABLE', 'CREATE TABLE public.t AS (TABLE public.v);'),
    entry('TABLE', "CREATE TABLE public.t (i int CHECK (\"query_to_xml\"('x', true, true, '') IS NOT NULL));"),
    entry('TABLE', "CREATE TABLE public.t (i int CHECK (lo_export/* */ (1, 'x') = 1));"),
    entry('TABLE', 'CREATE TABLE public.t (i text CHECK (public . lower (i) = i));'),
    entry('TABLE', 'CREATE TABLE public.t (i int CHECK (U&"lo\\005fexport"(1, \'x\') = 1));'),
    entry('TABLE', "CREATE TABLE public.t (i text DEFAULT E'\\''); DO $$ BEGIN END $$; --');"),
    entry('TABLE', 'CREATE TABLE public.t (i int CHECK ((i OPERATOR(public.===) 1)));'),
    entry('TABLE', 'CREATE TABLE public.t (i int);', { drop: "DROP TABLE public.t; COPY x TO PROGRAM 'id';" }),
    entry('TABLE DATA', '', { hasData: true }),
    entry('TABLE DATA', '', { hasData: true, copy: "COPY public.t (i) FROM PROGRAM 'id';" }),
    entry('TABLE DATA', '', { hasData: true, copy: 'COPY pg_catalog.pg_authid (i) FROM stdin;' }),
    entry('TABLE DATA', '', { hasData: true, copy: 'COPY "pg_catalog".pg_authid (i) FROM stdin;' }),
    entry('TABLE DATA', '', { hasData: true, copy: 'COPY pg_authid (i) FROM stdin;' }),
    entry('COMMENT', "COMMENT ON TABLE public.t IS 'x';", { hasData: true }),
    entry('SEARCHPATH', "SELECT pg_catalog.set_config('search_path', 'public', false);"),
    entry('ENCODING', "SET client_encoding = 'SJIS';"),
    entry('STDSTRINGS', "SET standard_conforming_strings = 'off';"),
    entry('SEQUENCE SET', "SELECT pg_catalog.setval('public.s', 1, true), lo_export(1, 'x');"),
    entry('BLOB METADATA', "1'); COPY x TO PROGRAM 'id"),
    entry('ACL', 'GRANT pg_execute_server_program TO shop;'),
    entry('ACL', 'GRANT ALL ON FUNCTION pg_catalog.pg_read_file(text) TO shop;'),
    entry('ACL', 'GRANT ALTER SYSTEM ON PARAMETER archive_command TO shop;'),
    entry('FUNCTION', "CREATE FUNCTION public.f() RETURNS int LANGUAGE c AS '/tmp/x.so', 'f';"),
    entry('FUNCTION', "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';"),
    entry('FUNCTION', "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1';", {
      drop: "DROP FUNCTION public.f();\nCOPY x TO PROGRAM 'id';",
    }),
    ...['DROP TABLE public.t ADD CHECK (public.ok(i) = i), ;', 'DROP FUNCTION public.f() OWNER TO shop, ADD x;'].map(
      (drop) => entry('FUNCTION', "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1';", { drop }),
    ),
    entry('FUNCTION', "CREATE FUNCTION public.f() RETURNS int LANGUAGE plpgsql security definer AS 'x';"),
    entry('FUNCTION', "CREATE FUNCTION public.f(LANGUAGE sql.t) RETURNS int language internal AS 'be_lo_export';"),
    entry('FUNCTION', 'CREATE FUNCTION public.f() RETURNS int LANGUAGE sql language"internal" AS \'be_lo_export\';'),
    entry('ACL', 'GRANT ALL ON FUNCTION lo_export(oid, text) TO shop;'),
    entry('ACL', 'GRANT ALL ON FUNCTION public.f(integer), lo_export(oid, text) TO shop;'),
    entry('ACL', 'GRANT SELECT ON TABLE pg_authid TO shop;'),
    entry('ACL', 'GRANT ALL ON ALL TABLES IN SCHEMA public TO shop;'),
    entry('PUBLICATION', 'ALTER TABLE public.t ADD CONSTRAINT x CHECK ((i)::public.d IS NOT NULL);'),
    entry('SCHEMA', 'CREATE SCHEMA s CREATE TABLE public.t (i int);'),
    entry('MATERIALIZED VIEW DATA', 'REFRESH MATERIALIZED VIEW public.v;'),
    entry('EVENT TRIGGER', 'CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION public.f();'),
    entry('CAST', 'CREATE CAST (public.a AS int) WITH FUNCTION public.f(public.a) AS IMPLICIT;'),
    entry('TYPE', 'CREATE TYPE public.r AS RANGE (subtype = float8, subtype_diff = public.f);'),
    entry('VIEW', 'CREATE VIEW public.v AS SELECT 1;\nREFRESH MATERIALIZED VIEW public.m;'),
    entry('A KIND OF TOMORROW', 'SELECT 1;'),
  ])('$kind: $definition $copy $drop', (one) => {
    expect(codeIn([...preamble, one])).toEqual([`${one.kind} public.t`]);
  });

  test.each([
    entry(
      'FUNCTION',
      'CREATE FUNCTION public."f 1"(a integer, VARIADIC b "text"[]) RETURNS int\n    LANGUAGE sql\n    AS $$SELECT 1$$;\n',
      {
        drop: 'DROP FUNCTION public."f 1"(a integer, VARIADIC b "text"[]);\n',
      },
    ),
    entry(
      'ACL',
      'REVOKE ALL ON FUNCTION public.f(a integer) FROM PUBLIC;\nGRANT ALL ON FUNCTION public.f(a integer) TO "Shop";\n',
    ),
    entry('ACL', 'GRANT SELECT(id),UPDATE(id) ON TABLE public.t TO reader WITH GRANT OPTION;\n'),
    entry('ACL', 'GRANT USAGE ON SCHEMA public TO reader;\n'),
    entry('ACL', 'GRANT ALL ON LARGE OBJECT 16400 TO reader;\n'),
    entry('PUBLICATION', "CREATE PUBLICATION p WITH (publish = 'insert, update');\n"),
    entry('PUBLICATION TABLE', 'ALTER PUBLICATION p ADD TABLE ONLY public.t;\n'),
    entry('SCHEMA', 'CREATE SCHEMA "Odd name";\n'),
  ])('what pg_dump writes of $kind is none', (one) => {
    expect(codeIn([...preamble, one])).toEqual([]);
  });

  test.each(preamble)('nothing of $kind said: words would mean something else', (absent) => {
    expect(codeIn(preamble)).toEqual([]);
    expect(codeIn(preamble.filter((one) => one !== absent))).toEqual([expect.stringContaining(absent.kind)]);
  });
});
