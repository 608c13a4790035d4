import type { Key } from '../../destinations/destination.ts';
import { decodeAnnouncement } from '../format/announcement.ts';
import { type Cover, decodeCover } from '../format/cover.ts';
import { decodeEndorsement } from '../format/endorsement.ts';
import { decodeGeneration } from '../format/generation.ts';
import { decodeGrant } from '../format/grant.ts';
import { createIds } from '../format/ids.ts';
import type { ParsedKey } from '../format/keys.ts';
import { decodeLedgerEntry } from '../format/ledger.ts';
import { decodePackList } from '../format/pack-list.ts';
import { decodeRecord, recordKey, type SnapshotRecord } from '../format/record.ts';
import { sha256Hex } from '../hash.ts';

const AGE_MAGIC = Buffer.from('age-encryption.org/v1\n');

/**
 * Throws what is wrong with an object that shall be copied, as far as it shows without a key. A delta of the index can only
 * be looked at from outside: what a damaged one names is sent again. @returns who signed it, where it says so
 */
export function believe(vault: string, key: Key, parsed: ParsedKey, bytes: Uint8Array): string | undefined {
  switch (parsed.type) {
    case 'pack':
    case 'manifest':
    case 'epoch-key':
    case 'log':
      if (sha256Hex(bytes) !== parsed.id) throw wrong('its bytes are not the ones that its name promises');
      return undefined;
    case 'list':
      if (sha256Hex(bytes) !== parsed.id) throw wrong('its bytes are not the ones that its name promises');
      decodePackList(bytes, createIds());
      return undefined;
    case 'index':
      if (!AGE_MAGIC.equals(bytes.subarray(0, AGE_MAGIC.length))) throw wrong('it is not an age file');
      return undefined;
    case 'snapshot':
      return believedRecord(vault, key, bytes).writer;
    case 'generation': {
      const { vault: of, generation, writer } = decodeGeneration(bytes);
      if (of !== vault || generation !== parsed.generation) throw wrong('it belongs elsewhere');
      return writer;
    }
    case 'ledger': {
      const { vault: of, writer } = decodeLedgerEntry(bytes, key);
      if (of !== vault) throw wrong('it belongs elsewhere');
      return writer;
    }
    case 'endorsement':
      if (decodeEndorsement(bytes, key).vault !== vault) throw wrong('it belongs elsewhere');
      return undefined;
    case 'grant': {
      const { vault: of, writer } = decodeGrant(bytes, key);
      if (of !== vault) throw wrong('it belongs elsewhere');
      return writer;
    }
    case 'announcement': {
      const { vault: of, writer } = decodeAnnouncement(bytes, key);
      if (of !== vault) throw wrong('it belongs elsewhere');
      return writer;
    }
    case 'cover':
      return believedCover(vault, key, bytes).writer;
    case 'vault':
    case 'rescue':
      throw wrong('it is made where it is missing');
  }
}

/** The record, whose signature and place are right. Whether its writer is trusted is for the caller to judge. */
export function believedRecord(vault: string, key: Key, bytes: Uint8Array): SnapshotRecord {
  const record = decodeRecord(bytes);
  if (record.vault !== vault || recordKey(record) !== key) throw wrong('it belongs elsewhere');
  return record;
}

/** The same for a cover of a log. */
export function believedCover(vault: string, key: Key, bytes: Uint8Array): Cover {
  const cover = decodeCover(bytes, key);
  if (cover.vault !== vault) throw wrong('it belongs elsewhere');
  return cover;
}

/** Only its sentence is used, in an error that names the object. */
function wrong(why: string): Error {
  return new Error(why);
}
