import type { KeyObject } from 'node:crypto';
import { sentenceOf } from '../../core/errors.ts';
import { ulidTime } from '../../core/ulid.ts';
import type { Key } from '../../destinations/destination.ts';
import { noIdentityFits } from '../age/errors.ts';
import { openEpochKey } from '../epochs/epoch.ts';
import { decodeAnnouncement } from '../format/announcement.ts';
import { decodeCover } from '../format/cover.ts';
import { decodeEndorsement } from '../format/endorsement.ts';
import { decodeGeneration } from '../format/generation.ts';
import { decodeGrant } from '../format/grant.ts';
import { createIds } from '../format/ids.ts';
import { decodeIndexDelta } from '../format/index-delta.ts';
import type { ParsedKey } from '../format/keys.ts';
import { decodeLedgerEntry } from '../format/ledger.ts';
import { decodeManifest } from '../format/manifest.ts';
import { decodePackList } from '../format/pack-list.ts';
import { decodeRecord, recordKey } from '../format/record.ts';
import { isSoundRescue } from '../format/rescue-script.ts';
import { writerId } from '../format/signing.ts';
import { decodeVaultFile } from '../format/vault-file.ts';
import { sha256Hex } from '../hash.ts';
import { openSmall } from '../small-objects.ts';
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

/** Throws what is wrong with an object by itself. Whether its writer is a known one is for the caller to judge. */
export async function checkObject(
  vault: string,
  key: Key,
  parsed: ParsedKey,
  bytes: Uint8Array,
  { identities, chunkKeys = [], ownIndex }: ObjectKeys,
): Promise<CheckedObject> {
  // Only its sentence is used, in a finding that names the object.
  const wrong = (why: string) => new Error(why);
  switch (parsed.type) {
    case 'pack':
    case 'manifest':
    case 'epoch-key':
    case 'log':
      if (sha256Hex(bytes) !== parsed.id) throw wrong('its bytes are not the ones that its name promises');
      if (identities.length === 0) return {};
      // That it is for others is what a key object is for, and nothing to tell.
      if (parsed.type === 'epoch-key') return checkEpochKey(bytes, parsed.epoch, identities);
      return unlessClosed(async () => {
        if (parsed.type === 'manifest') return { inside: await insideManifest(bytes, identities) };
        if (parsed.type === 'log') return { inside: await insideLog(bytes, identities) };
        return { inside: await lookInside(bytes, identities, chunkKeys) };
      });
    case 'list':
      if (sha256Hex(bytes) !== parsed.id) throw wrong('its bytes are not the ones that its name promises');
      decodePackList(bytes, createIds());
      return {};
    case 'snapshot': {
      const record = decodeRecord(bytes);
      if (recordKey(record) !== key || record.vault !== vault) throw wrong('it belongs elsewhere');
      return { writer: record.writer };
    }
    case 'index': {
      const isOwn = ownIndex?.writer === parsed.writer;
      const opens = isOwn ? [...identities, ownIndex.identity] : identities;
      if (opens.length === 0) return {};
      const read = async () => {
        const { packs, vault: of, writer } = decodeIndexDelta(await openSmall(bytes, opens));
        if (of !== vault || writerId(writer) !== parsed.writer) throw wrong('it belongs elsewhere');
        return { tables: new Map(packs.map(({ id, toc }) => [id, tableHash(toc)])) };
      };
      // What stands among this host's own and does not open for it, it did not write.
      return isOwn ? await read() : await unlessClosed(read);
    }
    case 'generation': {
      const { generation, vault: of, writer } = decodeGeneration(bytes);
      if (generation !== parsed.generation || of !== vault) throw wrong('it belongs elsewhere');
      return { writer };
    }
    case 'vault': {
      const file = decodeVaultFile(bytes);
      if (file.vault !== vault || Date.parse(file.created) !== ulidTime(file.vault))
        throw wrong('it is not the file that this vault was made with');
      return {};
    }
    case 'rescue':
      if (!isSoundRescue(bytes)) throw wrong('it is not a rescue script as it was stored');
      return {};
    case 'endorsement':
      // Who signed it is no writer: whose it is only an identity tells.
      if (decodeEndorsement(bytes, key).vault !== vault) throw wrong('it belongs elsewhere');
      return {};
    case 'grant': {
      const { vault: of, writer } = decodeGrant(bytes, key);
      if (of !== vault) throw wrong('it belongs elsewhere');
      return { writer };
    }
    case 'announcement': {
      const { vault: of, writer } = decodeAnnouncement(bytes, key);
      if (of !== vault) throw wrong('it belongs elsewhere');
      return { writer };
    }
    case 'cover': {
      const { vault: of, writer } = decodeCover(bytes, key);
      if (of !== vault) throw wrong('it belongs elsewhere');
      return { writer };
    }
    case 'ledger':
      return { writer: decodeLedgerEntry(bytes, key).writer };
  }
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

function insideManifest(object: Uint8Array, identities: readonly string[]): Promise<Inside> {
  return insideOf(async () => void decodeManifest(await openSmall(object, identities)));
}

function insideLog(object: Uint8Array, identities: readonly string[]): Promise<Inside> {
  return insideOf(async () => void (await openSmall(object, identities)));
}

async function insideOf(read: () => Promise<void>): Promise<Inside> {
  try {
    await read();
    return {};
  } catch (error) {
    if (noIdentityFits.is(error)) throw error;
    return { wrong: sentenceOf(error) };
  }
}

async function checkEpochKey(bytes: Uint8Array, epoch: string, identities: readonly string[]): Promise<CheckedObject> {
  await unlessClosed(async () => {
    await openEpochKey(bytes, epoch, identities);
    return {};
  });
  return {};
}
