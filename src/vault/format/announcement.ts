import { announcementDamaged } from './errors.ts';
import { parseKey } from './keys.ts';
import { type Envelope, readEnvelope } from './signed-json.ts';
import { writerId } from './signing.ts';

/**
 * `format/<writer>/<ulid>.json`: a writer's word that the vault holds, or is going to hold, what only later programs
 * understand. It is stored before the first such object, so whoever deletes looks at it first. Its envelope is the same in every
 * format, and is all that is read of it. This program writes none.
 * @throws `announcement-damaged`
 */
export function decodeAnnouncement(bytes: Uint8Array, key: string): Envelope {
  const read = readEnvelope('announcement', bytes);
  if (read === undefined) throw announcementDamaged({ key, why: 'it is not what its writer signed' });
  const parsed = parseKey(key);
  if (parsed?.type !== 'announcement' || parsed.writer !== writerId(read.writer)) {
    throw announcementDamaged({ key, why: 'it lies under the name of another' });
  }
  return read;
}
