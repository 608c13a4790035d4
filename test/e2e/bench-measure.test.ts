import { expect, test } from 'vitest';
import { measure } from '../../bench/measure.ts';

const MiB = 2 ** 20;

test('a child that is only about to become another program does not count twice', async () => {
  const script = `
    const held = Buffer.alloc(${256 * MiB}, 1);
    for (let child = 0; child < 40; child++) require('node:child_process').spawnSync('true');
    process.exitCode = held[0] === 1 ? 0 : 1;`;
  const { peakBytes } = await measure({ line: `'${process.execPath}' -e "${script}"` });
  expect(peakBytes).toBeGreaterThan(256 * MiB);
  expect(peakBytes).toBeLessThan(420 * MiB);
});
