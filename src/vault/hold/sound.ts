import { ulidTime } from '../../core/ulid.ts';
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
import { decodeRecordAt, type SnapshotRecord } from '../format/record.ts';
import { isSoundRescue } from '../format/rescue-script.ts';
import { decodeVaultFile } from '../format/vault-file.ts';
import { sha256Hex } from '../hash.ts';

const AGE_MAGIC = Buffer.from('age-encryption.org/v1\n');

/** What a sound object says without a key. */
export interface Sound {
  /** Who signed it, where the object says so. An endorsement does not: whose it is only an identity tells. */
  readonly writer?: string;
  readonly record?: SnapshotRecord;
  readonly cover?: Cover;
}

/**
 * Throws what is wrong with an object by itself, as far as it shows without a key. A delta of the index can only be looked at from
 * outside: what a damaged one names is sent again. Whether who signed it is trusted is for the caller to judge.
 */
export function soundObject(vault: string, key: Key, parsed: ParsedKey, bytes: Uint8Array): Sound {
  switch (parsed.type) {
    case 'pack':
    case 'manifest':
    case 'epoch-key':
    case 'log':
      demandHash(bytes, parsed.id);
      return {};
    case 'list':
      demandHash(bytes, parsed.id);
      decodePackList(bytes, createIds());
      return {};
    case 'index':
      if (!AGE_MAGIC.equals(bytes.subarray(0, AGE_MAGIC.length))) throw wrong('it is not an age file');
      return {};
    case 'snapshot': {
      const record = decodeRecordAt(vault, key, bytes);
      return { writer: record.writer, record };
    }
    case 'generation': {
      const generation = decodeGeneration(bytes);
      if (generation.generation !== parsed.generation) throw elsewhere();
      return signedFor(vault, generation);
    }
    case 'ledger':
      return signedFor(vault, decodeLedgerEntry(bytes, key));
    case 'grant':
      return signedFor(vault, decodeGrant(bytes, key));
    case 'announcement':
      return signedFor(vault, decodeAnnouncement(bytes, key));
    case 'cover': {
      const cover = decodeCover(bytes, key);
      return { ...signedFor(vault, cover), cover };
    }
    case 'endorsement':
      if (decodeEndorsement(bytes, key).vault !== vault) throw elsewhere();
      return {};
    case 'vault': {
      const file = decodeVaultFile(bytes);
      if (file.vault !== vault || Date.parse(file.created) !== ulidTime(file.vault))
        throw wrong('it is not the file that this vault was made with');
      return {};
    }
    case 'rescue':
      if (!isSoundRescue(bytes)) throw wrong('it is not a rescue script as it was stored');
      return {};
  }
}

function signedFor(vault: string, { vault: of, writer }: { readonly vault: string; readonly writer: string }): Sound {
  if (of !== vault) throw elsewhere();
  return { writer };
}

function demandHash(bytes: Uint8Array, id: string): void {
  if (sha256Hex(bytes) !== id) throw wrong('its bytes are not the ones that its name promises');
}

function elsewhere(): Error {
  return wrong('it belongs elsewhere');
}

/** Only its sentence is used, by who names the object. */
function wrong(why: string): Error {
  return new Error(why);
}
