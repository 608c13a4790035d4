import { describe, expect, test } from 'vitest';
import { settledParts } from './dump-settled.ts';

const texts = (kind: string, definition: string) => settledParts({ kind, definition }).map(({ text }) => text);
const table = (line: string) => `CREATE TABLE public.t (\n    id integer,\n    ${line}\n);\n`;

describe('V9: definitions are the same', () => {
  test.each([
    [
      'that PostgreSQL spells anew after a restore',
      "CONSTRAINT k CHECK (((v)::text = ANY ((ARRAY['a'::character varying, 'b('::character varying])::text[])))",
      "CONSTRAINT k CHECK (((v)::text = ANY (ARRAY[('a'::character varying)::text, ('b('::character varying)::text])))",
    ],
    [
      'with a cast to a type of several words',
      "a timestamptz DEFAULT ('x'::text)::timestamp(3) with time zone",
      "a timestamptz DEFAULT 'x'",
    ],
    ['with a cast to a quoted type', `a int DEFAULT ('1'::public."Odd ""type""")`, "a int DEFAULT '1'"],
  ])('%s', (_, one, other) => {
    expect(texts('TABLE', table(one))).toEqual(texts('TABLE', table(other)));
  });

  test('whose columns come in another order', () => {
    const [one, other] = ['    a int,\n    b text', '    b text,\n    a int'].map((columns) =>
      texts('TABLE', `CREATE TABLE t (\n${columns}\n)\nINHERITS (s);\n`).sort(),
    );
    expect(one).toEqual(other);
  });
});

describe('V9: and are others', () => {
  test.each([
    ['TABLE', table("a text DEFAULT 'x y'"), table("a text DEFAULT 'x  y'")],
    ['TABLE', table("a text DEFAULT ')'"), table("a text DEFAULT '('")],
    ['TABLE', table('a character varying(20)'), table('a character varying(21)')],
    ['TABLE', table('a text NOT NULL'), table('a text')],
    ['TABLE', table('a text'), table('"A" text')],
    ['INDEX', 'CREATE INDEX i ON t USING btree (a, b)', 'CREATE UNIQUE INDEX i ON t USING btree (a, b)'],
    [
      'FUNCTION',
      'CREATE FUNCTION f() RETURNS int AS $$ SELECT (1)::int $$',
      'CREATE FUNCTION f() RETURNS int AS $$ SELECT 1 $$',
    ],
    ['POLICY', 'CREATE POLICY p ON t USING ((a > 1))', 'CREATE POLICY p ON t USING (true)'],
  ])('%s', (kind, one, other) => {
    expect(texts(kind, one)).not.toEqual(texts(kind, other));
  });

  test('by the names of the parts that differ', () => {
    const [, , part] = settledParts({ kind: 'TABLE', definition: table('"Odd name" text DEFAULT 1') });
    expect(part?.name).toBe('"Odd name"');
  });
});
