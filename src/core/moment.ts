import { parseDuration } from './duration.ts';
import { momentInvalid } from './mistakes.ts';

/** A moment to go back to: milliseconds since 1970 UTC, or the newest restore point. */
export type Moment = number | 'latest';

const iso =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ]+(\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*(Z|UTC|[+-]\d{2}(?::?\d{2})?)?)?$/i;

/**
 * `latest`, `10 minutes ago`, `2026-11-17T10:12:00Z`, `2026-11-17 11:12+01:00`. A local time without offset is refused:
 * whose clock it means cannot be known on the day it matters (B20).
 * @throws `moment-invalid`
 */
export function parseMoment(input: string, nowMs: number): Moment {
  const text = input.trim();
  if (text === 'latest') return 'latest';

  const ago = /^(\d.*\S)\s+ago$/i.exec(text);
  if (ago?.[1]) return nowMs - parseDuration(ago[1]);

  const parts = iso.exec(text);
  if (!parts) throw momentInvalid({ text, why: 'it is neither a time nor a while ago' });
  const [, year, month, day, hour, minute, second = '00', fraction = '', zone] = parts;
  if (hour === undefined || minute === undefined) throw momentInvalid({ text, why: 'it has a day but no time of day' });
  if (zone === undefined)
    throw momentInvalid({ text, why: 'it has no offset, so it is a different moment in every place' });

  const utc = Date.UTC(+year!, +month! - 1, +day!, +hour, +minute, +second, +fraction.slice(0, 3).padEnd(3, '0'));
  const back = new Date(utc).toISOString();
  if (!back.startsWith(`${year}-${month}-${day}T${hour}:${minute}:${second}`)) {
    throw momentInvalid({ text, why: 'there is no such day or time' });
  }
  return utc - offsetMs(text, zone);
}

function offsetMs(text: string, zone: string): number {
  if (/^(z|utc)$/i.test(zone)) return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(3).replace(':', '') || '0');
  if (hours > 14 || minutes > 59) throw momentInvalid({ text, why: `no place on Earth has the offset ${zone}` });
  return (zone[0] === '-' ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}

const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** For people, always UTC: `Tue 17 Nov 10:12 UTC`; with its year when that is not this one's. */
export function formatMoment(ms: number, nowMs: number): string {
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return 'an unknown time';
  const year = date.getUTCFullYear() === new Date(nowMs).getUTCFullYear() ? '' : ` ${date.getUTCFullYear()}`;
  const time = date.toISOString().slice(11, 16);
  return `${days[date.getUTCDay()]} ${date.getUTCDate()} ${months[date.getUTCMonth()]}${year} ${time} UTC`;
}
