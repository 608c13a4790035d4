import type { Destination } from '../destinations/destination.ts';
import { objectDamaged, objectMissing } from '../destinations/errors.ts';
import { firstSound, tracesUnder } from '../destinations/first-version.ts';
import { decodeAnnouncement } from './format/announcement.ts';
import { announcementDamaged } from './format/errors.ts';
import { parseKey } from './format/keys.ts';
import { writerId } from './format/signing.ts';
import { isKnownKey, type Trust } from './trust.ts';
import type { Suspect } from './vault.ts';

/** What a known writer announced that this program does not know. */
export interface Announced extends Suspect {
  /** As the end of a sentence: `format 2`. */
  readonly needs: string;
  /** The whole vault is of it: whoever does not know it writes nothing either. */
  readonly isFormat: boolean;
}

/**
 * What known writers announced at a destination. What anybody else left there says nothing: without a key nobody keeps a vault
 * from being written to or pruned. @throws what concerns the destination
 */
export async function announcedAt(destination: Destination, vault: string, trust: Trust): Promise<Announced[]> {
  const known = trust.writers && new Set([...trust.writers.keys()].map(writerId));
  const found: Announced[] = [];
  for await (const trace of tracesUnder(destination, 'format/')) {
    const parsed = parseKey(trace.key);
    if (parsed?.type !== 'announcement' || known?.has(parsed.writer) === false) continue;
    try {
      const { value } = await firstSound(destination, trace, (bytes) => decodeAnnouncement(bytes, trace.key));
      const { needs, format, writer } = value;
      if (needs === undefined || value.vault !== vault || !isKnownKey(trust, writer)) continue;
      const why = `the vault needs ${needs}, which this program does not know.`;
      found.push({ key: trace.key, why, newer: true, needs, isFormat: format > 1 });
    } catch (error) {
      if (!announcementDamaged.is(error) && !objectMissing.is(error) && !objectDamaged.is(error)) throw error;
    }
  }
  return found;
}
