import type { Destination } from '../destinations/destination.ts';
import { objectDamaged, objectMissing } from '../destinations/errors.ts';
import { firstSound, type Trace } from '../destinations/first-version.ts';
import { withinBounds } from './ahead.ts';
import { decodeAnnouncement } from './format/announcement.ts';
import { announcementDamaged } from './format/errors.ts';
import { writerId } from './format/signing.ts';
import { listUnder } from './hold/listing.ts';
import { isKnownKey, type Trust } from './trust.ts';
import type { Suspect } from './vault.ts';

/** What a known writer announced that this program does not know. */
export interface Announced extends Suspect {
  /** As the end of a sentence: `format 2`. */
  readonly needs: string;
  /** The whole vault is of it: whoever does not know it writes nothing either. */
  readonly isFormat: boolean;
}

/** Who only writes looks at so many of each writer: anybody may have put any number under a known writer's name. */
const mostForWriters = 1000;
/** Announcements are read side by side. */
const together = { items: 16, bytes: 16 * 1024 * 1024 };

export interface AnnouncedWhat {
  readonly found: readonly Announced[];
  /** Folders that hold more than was looked at. */
  readonly cut: readonly string[];
}

/**
 * What known writers announced at a destination. What anybody else left there says nothing: without a key nobody keeps a vault
 * from being written to or pruned. Whoever `deletes` looks at all of it, however long that takes. @throws what concerns the destination
 */
export async function announcedAt(
  destination: Destination,
  vault: string,
  trust: Trust,
  { deletes }: { readonly deletes: boolean },
): Promise<AnnouncedWhat> {
  const traces: Trace[] = [];
  const cut: string[] = [];
  for (const folder of foldersOf(trust)) {
    let names = 0;
    for await (const [parsed, trace] of listUnder(destination, folder)) {
      // Of all names: whoever can write there can put any number that are none of ours.
      if (++names > mostForWriters && !deletes) {
        cut.push(folder);
        break;
      }
      if (parsed?.type === 'announcement') traces.push(trace);
    }
  }
  const found: Announced[] = [];
  const sizeOf = ({ sizeBytes }: Trace) => sizeBytes;
  await withinBounds(traces, sizeOf, together, async (trace) => {
    try {
      const { value } = await firstSound(destination, trace, (bytes) => decodeAnnouncement(bytes, trace.key));
      const { needs, format, writer } = value;
      if (needs === undefined || value.vault !== vault || !isKnownKey(trust, writer)) return;
      const why = `the vault needs ${needs}, which this program does not know.`;
      found.push({ key: trace.key, why, newer: true, needs, isFormat: format > 1 });
    } catch (error) {
      if (!announcementDamaged.is(error) && !objectMissing.is(error) && !objectDamaged.is(error)) throw error;
    }
  });
  return { found, cut };
}

/** Only theirs are listed: what lies in others' holds up nobody. */
function foldersOf({ writers }: Trust): readonly string[] {
  return writers === undefined ? ['format/'] : [...writers.keys()].map((key) => `format/${writerId(key)}/`).sort();
}
