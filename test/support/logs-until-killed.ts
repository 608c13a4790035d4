import { randomBytes } from 'node:crypto';
import { systemClock } from '../../src/core/clock.ts';
import { startRun } from '../../src/core/run.ts';
import { openLocal } from '../../src/destinations/local/destination.ts';
import { copiesTo } from '../../src/vault/write/copies.ts';
import { openLogWriter } from '../../src/vault/write/logs.ts';

/** A program for kill tests: stores a piece of a log at argv[2], says so, and never comes to the cover. */
const [path = '', of = ''] = process.argv.slice(2);
const disk = await openLocal({ name: 'disk', path });
const { keys, recipient, pieces, ...parts } = JSON.parse(of);
const copies = copiesTo(
  [
    {
      ...disk,
      async put(key, body, options) {
        if (!key.startsWith('covers/')) return await disk.put(key, body, options);
        process.stdout.write('before the cover\n');
        setInterval(() => {}, 1000);
        return await new Promise<never>(() => {});
      },
    },
  ],
  startRun({ clock: systemClock }),
);
const epochs = { current: { epoch: keys[0][0], recipient }, keysOf: () => keys };
const writer = await openLogWriter({ ...parts, epochs, copies, clock: systemClock, random: randomBytes });
await writer.append(pieces.map(({ text, ...span }: { text: string }) => ({ ...span, bytes: Buffer.from(text) })));
