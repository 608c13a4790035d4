import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openWorkFolder } from '../../src/sources/exchange.ts';

// Replaces a folder, or its contents, by the next generation, again and again, until it is killed. Arguments: the folder,
// `whole` or `contents`.
const [target, how] = process.argv.slice(2) as [string, string];
const names = Array.from({ length: 12 }, (_, at) => `file-${at}`);
for (let generation = 1; ; generation++) {
  const [folder, name] = how === 'whole' ? [join(target, '..'), 'target'] : [target, 'here'];
  await using work = await openWorkFolder(folder, name);
  const fresh = how === 'whole' ? join(work.fresh, 'target') : work.fresh;
  if (how === 'whole') mkdirSync(fresh);
  // Some names come and go.
  for (const file of names) writeFileSync(join(fresh, file), String(generation));
  writeFileSync(join(fresh, `only-${generation % 3}`), String(generation));
  if (how === 'whole') await work.exchange([{ from: fresh, to: target }]);
  else {
    const all = new Set([...readdirSync(target).filter((file) => !file.startsWith('.')), ...readdirSync(fresh)]);
    const coming = new Set(readdirSync(fresh));
    const moves = [...all].map((file) => ({
      to: join(target, file),
      ...(coming.has(file) && { from: join(fresh, file) }),
    }));
    await work.exchange(moves);
  }
  if (generation === 1) console.log('going');
}
