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
    entry('MATERIALIZED VIEW DATA', 'REFRESH MATERIALIZED VIEW public.v;'),
    entry('EVENT TRIGGER', 'CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION public.f();'),
    entry('CAST', 'CREATE CAST (public.a AS int) WITH FUNCTION public.f(public.a) AS IMPLICIT;'),
    entry('TYPE', 'CREATE TYPE public.r AS RANGE (subtype = float8, subtype_diff = public.f);'),
    entry('VIEW', 'CREATE VIEW public.v AS SELECT 1;\nREFRESH MATERIALIZED VIEW public.m;'),
    entry('A KIND OF TOMORROW', 'SELECT 1;'),
  ])('$kind: $definition $copy $drop', (one) => {
    expect(codeIn([...preamble, one])).toEqual([`${one.kind} public.t`]);
  });

  test.each(preamble)('nothing of $kind said: words would mean something else', (absent) => {
    expect(codeIn(preamble)).toEqual([]);
    expect(codeIn(preamble.filter((one) => one !== absent))).toEqual([expect.stringContaining(absent.kind)]);
  });
});
