import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type ParsedKey, parseKey } from '../format/keys.ts';
import { decodeVaultFile } from '../format/vault-file.ts';
import { soundObject } from './sound.ts';

/** The vault that holds every kind of object but an announcement. */
const folder = join(import.meta.dirname, '../../../test/fixtures/vault-v1/vault');
const read = (key: string) => new Uint8Array(readFileSync(join(folder, key)));
const held = readdirSync(folder, { recursive: true, encoding: 'utf8' }).flatMap((key) => {
  const parsed = parseKey(key);
  return parsed === undefined ? [] : [{ key, parsed, bytes: read(key) }];
});
const { vault } = decodeVaultFile(read('vault.json'));
const types = [...new Set(held.map(({ parsed }) => parsed.type))].sort();

/** A key of the same kind under which these bytes were not stored. */
function elsewhere(of: ParsedKey): { key: string; parsed: ParsedKey } | undefined {
  if (of.type === 'generation')
    return { key: `gc/${of.generation + 1}.json`, parsed: { ...of, generation: of.generation + 1 } };
  return held.find(({ parsed }) => parsed.type === of.type && JSON.stringify(parsed) !== JSON.stringify(of));
}

test('each kind of object is sound where it was stored, and says who signed it', () => {
  expect(types).toHaveLength(14);
  const signed = held.flatMap(({ key, parsed, bytes }) =>
    soundObject(vault, key, parsed, bytes).writer === undefined ? [] : [parsed.type],
  );
  expect([...new Set(signed)].sort()).toEqual(['cover', 'generation', 'grant', 'ledger', 'snapshot']);
});

test('none is sound in another vault that says of which it is, under a key of another, or with other bytes', () => {
  const other = '01M7XTDBKX0W1FTXCCTHJHZK99';
  const refused = { vault: new Set<string>(), key: new Set<string>(), bytes: new Set<string>() };
  const isRefused = (...object: Parameters<typeof soundObject>) => {
    try {
      soundObject(...object);
      return false;
    } catch {
      return true;
    }
  };
  for (const { key, parsed, bytes } of held) {
    const { type } = parsed;
    if (isRefused(other, key, parsed, bytes)) refused.vault.add(type);
    const there = elsewhere(parsed);
    if (there !== undefined && isRefused(vault, there.key, there.parsed, bytes)) refused.key.add(type);
    const spoilt = bytes.with(10, bytes[10]! ^ 1);
    if (isRefused(vault, key, parsed, spoilt)) refused.bytes.add(type);
  }
  const nameless = ['epoch-key', 'index', 'list', 'log', 'manifest', 'pack', 'rescue'];
  expect([...refused.vault].sort()).toEqual(types.filter((type) => !nameless.includes(type)));
  expect([...refused.bytes].sort()).toEqual(types);
  // Of the index only its keys' holder can tell, and of the others there is one.
  expect([...refused.key].sort()).toEqual(
    types.filter((type) => !['endorsement', 'index', 'rescue', 'vault'].includes(type)),
  );
});
