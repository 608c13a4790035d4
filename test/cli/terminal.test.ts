import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { generateIdentity } from '../../src/vault/age/identity.ts';
import { lifeboat, project, sealTo } from './lifeboat.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach the terminal
const OBEYED = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;
const FORGED = '✓ FORGED';

/** Names as bytes: what clears, titles and recolours a terminal, turns the order of letters, breaks UTF-8, begins a line. */
const hostile = [
  '\x1b[2J\x1b[31m',
  '\x1b]0;owned\x07',
  '\u009b31m',
  '\u202etxt.exe\u2066\u061c\u200f',
  '\u2028\u2029',
  `\n${FORGED}`,
  `\r${FORGED}\x7f\x08`,
].map((name) => Buffer.from(name));
hostile.push(Buffer.from([0xff, 0x9b, 0x33, 0x31, 0x6d]));

const at = (folder: string, name: Buffer, ...rest: string[]) =>
  Buffer.concat([Buffer.from(`${folder}/`), name, Buffer.from(rest.map((part) => `/${part}`).join(''))]);

test('L: whatever a name holds, in data, in a vault or in an answer, no command hands it to the terminal', async () => {
  const folder = await project();
  const { identity, recipient } = generateIdentity();
  writeFileSync(join(folder, 'key.txt'), `${identity}\n`, { mode: 0o600 });
  sealTo(folder, recipient);
  for (const name of hostile) writeFileSync(at(join(folder, 'data/uploads'), name), 'x');
  const seen: string[] = [];
  const say = async (...words: string[]) => {
    const { stdout, stderr } = await lifeboat(folder, words);
    const text = stdout + stderr;
    seen.push(text);
    expect(OBEYED.exec(text), `${words.join(' ')}: ${JSON.stringify(text)}`).toBeNull();
    expect(text, words.join(' ')).not.toMatch(new RegExp(`^${FORGED}`, 'm'));
  };
  await say('backup');
  await say('drill', '--identity', 'key.txt', '--without-isolation');
  // Then the place is the attacker's: names of objects, of whole datasets, and what is in them.
  const place = join(folder, 'backups');
  for (const name of hostile) {
    for (const area of ['snapshots', 'ledger', 'packs', 'index', 'gc']) {
      mkdirSync(at(join(place, area), name), { recursive: true });
      writeFileSync(at(join(place, area), name, '20261121T000000000Z-01ARZ3NDEKTSV4RRFFQ69G5FAV.json'), name);
    }
    writeFileSync(at(join(place, 'gc'), Buffer.concat([name, Buffer.from('.json')])), name);
    writeFileSync(at(place, name), name);
  }
  const [manifest] = readdirSync(join(place, 'manifests'));
  writeFileSync(at(join(place, 'manifests', manifest ?? ''), hostile[0]!), 'x');
  for (const words of ['list', 'status', 'verify', 'audit', 'audit verify', 'evidence list', 'check']) {
    await say(...words.split(' '));
    await say(...words.split(' '), '--json');
  }
  await say('evidence', 'show', 'latest', '--identity', 'key.txt');
  await say('bootstrap', place, '--identity', 'key.txt', '--into', 'bare', '--config', 'bare/lifeboat.yaml');
  const text = Buffer.concat(hostile).toString('utf8');
  await say('restore', `${text}@newest`, '--identity', 'key.txt', '--into', 'out');
  await say('restore', 'uploads', text, '--identity', 'key.txt', '--into', `out${text}`, '--json-events');
  await say(text);
  writeFileSync(join(place, 'vault.json'), `{"format":1,"vault":"${text}"}`);
  await say('list');
  // The names were met: as escapes, not left out.
  expect(seen.join('')).toMatch(/x1b\[2J/);
});
