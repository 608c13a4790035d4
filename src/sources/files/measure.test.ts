import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../../test/support/temp.ts';
import { systemClock } from '../../core/clock.ts';
import { startRun } from '../../core/run.ts';
import { measureFiles } from './measure.ts';

test('a path that is as long as any may be is found again where the folder of the copy has a long path too', async () => {
  const run = startRun({ clock: systemClock });
  const place = await temporaryFolder();
  const [name, short, long] = ['n'.repeat(200), join(place, 'data'), join(place, 'l'.repeat(200))];
  mkdirSync(short);
  // No single call takes such a path: step by step.
  const deep = `cd "$0" && for i in $(seq 20); do mkdir ${name} && cd ${name} || exit 1; done && echo deep > x`;
  execFileSync('/bin/sh', ['-c', deep, short]);
  const none = { algorithm: 'none', tables: [] };
  const there = await measureFiles(short, none, run);
  expect(there.actual.tables).toMatchObject([{ rows: 1 }]);
  mkdirSync(long);
  renameSync(short, join(long, 'data'));
  const { actual } = await measureFiles(join(long, 'data'), none, run);
  // Where it is it could not be removed.
  renameSync(join(long, 'data'), short);
  expect(actual).toEqual(there.actual);
});
