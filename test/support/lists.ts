import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createIds } from '../../src/vault/format/ids.ts';
import { listKey } from '../../src/vault/format/keys.ts';
import { decodePackList, encodePackList, type ListName } from '../../src/vault/format/pack-list.ts';
import type { SnapshotRecord } from '../../src/vault/format/record.ts';
import { sha256Hex } from '../../src/vault/hash.ts';
import { packsOf } from '../../src/vault/hold/needs.ts';

export type SizedPack = readonly [string, number];

export interface ListObject {
  readonly name: ListName;
  readonly key: string;
  readonly bytes: Uint8Array;
}

/** A list of these packs, and how a record names it. */
export function listOf(packs: readonly SizedPack[], salt: Uint8Array = Buffer.alloc(8)): ListObject {
  const bytes = encodePackList(packs, salt);
  const id = sha256Hex(bytes);
  return { name: [id, packs.length, packs.reduce((sum, [, size]) => sum + size, 0)], key: listKey(id), bytes };
}

/** One list, or none for no packs. */
export function listsOf(packs: readonly SizedPack[]): ListObject[] {
  return packs.length === 0 ? [] : [listOf(packs)];
}

/** The packs that a record's lists name, from a folder that holds the vault. */
export function listedAt(folder: string, { lists }: Pick<SnapshotRecord, 'lists'>): SizedPack[] {
  const ids = createIds();
  const parts = lists.map(([id]) => decodePackList(readFileSync(join(folder, listKey(id))), ids));
  return [...packsOf(ids, parts)];
}
