import { expect, test } from 'vitest';
import { debianPackages } from './support/packages.ts';
import { missingPackages } from './support/setup.ts';

test('every package that the tests need is there once the set-up ran', async () => {
  expect(await missingPackages(debianPackages)).toEqual([]);
});

test('a package is missing when one of its programs or files is', async () => {
  const packages = [
    { name: 'whole', programs: ['sh', 'ls'], files: ['/etc/pass*'] },
    { name: 'half', programs: ['sh', 'no-such-program-of-ours'] },
    { name: 'fileless', programs: ['sh'], files: ['/etc/no-such-*-file'] },
  ];
  expect(await missingPackages(packages)).toEqual(['half', 'fileless']);
});
