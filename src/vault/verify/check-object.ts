import type { KeyObject } from 'node:crypto';
import { sentenceOf } from '../../core/errors.ts';
import type { Key } from '../../destinations/destination.ts';
import { noIdentityFits } from '../age/errors.ts';
import { openSmall } from '../age/small-objects.ts';
import { openEpochKey } from '../epochs/epoch.ts';
import { decodeIndexDelta } from '../format/index-delta.ts';
import type { ParsedKey } from '../format/keys.ts';
import { decodeManifest } from '../format/manifest.ts';
import { writerId } from '../format/signing.ts';
import { soundObject } from '../hold/sound.ts';
import { type Inside, lookInside, tableHash } from './look-inside.ts';

export interface CheckedObject {
  /** Who signed it, where the object says so. */
  readonly writer?: string;
  /** The packs that a delta of the index names, each with the hash of its table of contents, where a key opens it. */
  readonly tables?: ReadonlyMap<string, string>;
  /** Of a pack or manifest, where identities are given. */
  readonly inside?: Inside;
  /** It is whole, and sealed to other keys than those that were given: nothing but its bytes was compared. */
  readonly isClosed?: true;
}

export interface ObjectKeys {
  /** Also decrypts and decompresses what is read: those of people, and of the epochs that they open. */
  readonly identities: readonly string[];
  /** Of all writers: with them the chunks in packs are compared with their ids. */
  readonly chunkKeys?: readonly KeyObject[];
  /** This host as a writer: its id, and what opens its own index deltas. */
  readonly ownIndex?: { readonly writer: string; readonly identity: string };
}

/** Throws what is wrong with an object by itself, and inside where keys open it. Whether its writer is a known one is for the caller to judge. */
export async function checkObject(
  vault: string,
  key: Key,
  parsed: ParsedKey,
  bytes: Uint8Array,
  { identities, chunkKeys = [], ownIndex }: ObjectKeys,
): Promise<CheckedObject> {
  const { writer } = soundObject(vault, key, parsed, bytes);
  if (parsed.type === 'index') {
    const isOwn = ownIndex?.writer === parsed.writer;
    const opens = isOwn ? [...identities, ownIndex.identity] : identities;
    if (opens.length === 0) return {};
    const read = () => tablesIn(vault, parsed.writer, bytes, opens);
    // What stands among this host's own and does not open for it, it did not write.
    return isOwn ? await read() : await unlessClosed(read);
  }
  if (identities.length > 0) {
    // That it is for others is what a key object is for, and nothing to tell.
    if (parsed.type === 'epoch-key') return checkEpochKey(bytes, parsed.epoch, identities);
    if (parsed.type === 'manifest') return unlessClosed(() => insideManifest(bytes, identities));
    if (parsed.type === 'log') return unlessClosed(() => insideLog(bytes, identities));
    if (parsed.type === 'pack')
      return unlessClosed(async () => ({ inside: await lookInside(bytes, identities, chunkKeys) }));
  }
  return writer === undefined ? {} : { writer };
}

async function tablesIn(
  vault: string,
  writer: string,
  bytes: Uint8Array,
  identities: readonly string[],
): Promise<CheckedObject> {
  const delta = decodeIndexDelta(await openSmall(bytes, identities));
  if (delta.vault !== vault || writerId(delta.writer) !== writer) throw new Error('it belongs elsewhere');
  return { tables: new Map(delta.packs.map(({ id, toc }) => [id, tableHash(toc)])) };
}

/** Recipients come and go, and other hosts have keys of their own: that a key does not open something is no damage to it. */
async function unlessClosed(read: () => Promise<CheckedObject>): Promise<CheckedObject> {
  try {
    return await read();
  } catch (error) {
    if (noIdentityFits.is(error)) return { isClosed: true };
    throw error;
  }
}

function insideManifest(object: Uint8Array, identities: readonly string[]): Promise<CheckedObject> {
  return insideOf(async () => void decodeManifest(await openSmall(object, identities)));
}

function insideLog(object: Uint8Array, identities: readonly string[]): Promise<CheckedObject> {
  return insideOf(async () => void (await openSmall(object, identities)));
}

async function insideOf(read: () => Promise<void>): Promise<CheckedObject> {
  try {
    await read();
    return { inside: {} };
  } catch (error) {
    if (noIdentityFits.is(error)) throw error;
    return { inside: { wrong: sentenceOf(error) } };
  }
}

async function checkEpochKey(bytes: Uint8Array, epoch: string, identities: readonly string[]): Promise<CheckedObject> {
  await unlessClosed(async () => {
    await openEpochKey(bytes, epoch, identities);
    return {};
  });
  return {};
}
