import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../../test/support/temp.ts';
import { preloadSettings } from './preload.ts';

test('pg-09: a drill’s server loads what production’s had and this one has; words of a backup become nothing else', async () => {
  const folder = await temporaryFolder();
  for (const name of ['bin', 'lib']) mkdirSync(join(folder, name));
  for (const name of ['pg_cron', 'pgaudit']) writeFileSync(join(folder, 'lib', `${name}.so`), '');
  const of = (facts: object) => preloadSettings(join(folder, 'bin'), facts as Record<string, unknown>);
  const settings = [['cron.database_name', 'shop']];
  expect(of({ preloaded: { libraries: ['$libdir/pg_cron', 'elsewhere', 'pg_cron'], settings } })).toEqual([
    'shared_preload_libraries=pg_cron',
    'cron.database_name=shop',
    'max_worker_processes=0',
  ]);
  expect(of({ preloaded: { libraries: ['elsewhere'], settings } })).toEqual([]);
  expect(of({ extensions: [{ name: 'pg_cron' }, { name: 'hstore' }], database: 'shop' })).toEqual([
    'shared_preload_libraries=pg_cron',
    'cron.database_name=shop',
    'max_worker_processes=0',
  ]);
  expect(of({})).toEqual([]);
  for (const evil of ['../../evil', 'pg_cron,/tmp/evil', 'pg_cron -c x=y']) {
    expect(of({ preloaded: { libraries: [evil], settings: [] } })).toEqual([]);
  }
  for (const [name, value] of [
    ['archive_command', 'id'],
    ['cron.x -c fsync', 'on'],
    ['cron.x', 'a\nb'],
  ]) {
    expect(of({ preloaded: { libraries: ['pg_cron'], settings: [[name, value]] } })).toEqual([]);
  }
});
