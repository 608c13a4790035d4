import { expect, test } from 'vitest';
import type { DatasetConfig } from '../config/system.ts';
import { openSource, type SourceConfig } from './registry.ts';

test('every kind of dataset that can be configured has a source', async () => {
  const files = {
    type: 'files',
    path: '/srv',
    exclude: [],
    defaultExcludes: true,
    oneFileSystem: true,
    xattrs: true,
  } as const;
  const url = { shown: '', expand: async () => 'postgres://app@localhost/harbor' };
  const configs = [
    files,
    { type: 'sqlite', path: '/srv/app.db' },
    { type: 'postgres', url, exclude: [], expectations: 'rows' },
  ] as const satisfies SourceConfig[];
  for (const config of configs) expect((await openSource('data', config)).kind).toBe(config.type);

  // What the configuration gives is what sources take: types say so.
  const accept = (config: DatasetConfig): SourceConfig => config;
  expect(accept).toBeTypeOf('function');
});
