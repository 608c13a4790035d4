import { expect, test } from 'vitest';
import { refusedIn } from './refused-entries.ts';

const end = 'pg_restore: warning: errors ignored on restore: 2\n';

test('of one job each refused entry is told with its reason', () => {
  const said = `pg_restore: creating INDEX "public.a"
pg_restore: while PROCESSING TOC:
pg_restore: from TOC entry 3200; 1259 16400 INDEX a postgres
pg_restore: error: could not execute query: ERROR:  no such function
Command was: CREATE INDEX a ON t (f(i));

pg_restore: from TOC entry 3203; 0 16401 MATERIALIZED VIEW DATA b postgres
pg_restore: error: could not execute query: ERROR:  could not connect to server "far"
${end}`;
  expect([...refusedIn(said)!]).toEqual([
    [3200, 'no such function'],
    [3203, 'could not connect to server "far"'],
  ]);
});

test('of several jobs, whose words are among one another, none is passed over', () => {
  const said = `pg_restore:pg_restore:  while PROCESSING TOC:
finished item 3199 INDEX other
pg_restore:pg_restore: error:  from TOC entry 3200; 1259 16400 INDEX a postgres
pg_restore: finished item 3203 INDEX beside_i_idx
could not execute query: ERROR:  no such function
Command was: CREATE INDEX a ON t (f(i)); a command that is lopg_restore: from TOC entry 3204; 1259 16402 INDEX c postgres
nger than a pipe takes at once
${end}`;
  expect([...refusedIn(said)!.keys()]).toEqual([3200, 3204]);
});

test('where it broke off, or named no entry, nothing is known', () => {
  const entry = 'pg_restore: from TOC entry 3200; 1259 16400 INDEX a postgres\n';
  expect(refusedIn(`${entry}pg_restore: error: could not write to the communication channel\n`)).toBeUndefined();
  expect(refusedIn(end)).toBeUndefined();
});
