import type { FreshnessCheck } from '../../../config/system.ts';
import { roughDuration } from '../../../core/duration.ts';
import { aheadToleranceMs } from '../../../vault/index.ts';
import { timeOf } from '../choose.ts';
import type { Copy, Finding } from '../parts.ts';
import { firstRow } from '../query.ts';

/** How old the newest record was when the restore point was taken. @returns with the newest record's time, where there is one */
export async function checkFreshness(
  check: FreshnessCheck,
  copy: Copy,
  signal: AbortSignal,
): Promise<Finding & { readonly newestMs?: number }> {
  const expected = `at most ${roughDuration(check.withinMs)} before the restore point`;
  const row = await firstRow(copy, check.query, { timeoutMs: check.timeoutMs, signal });
  const value = row?.[0] ?? null;
  if (value === null) {
    const message = 'The query gave no time, so it looked at nothing.';
    const none = { looked: 0, expected, actual: 'no record', message };
    return check.mayBeEmpty ? { ...none, verdict: 'pass', emptyIsRight: true } : { ...none, verdict: 'fail' };
  }
  const newestMs = readTime(value);
  if (newestMs === undefined) {
    const message = `'${value.slice(0, 80)}' is not a time: give ISO 8601, or seconds or milliseconds since 1970.`;
    return { verdict: 'fail', looked: 1, expected, actual: value.slice(0, 80), message };
  }
  const ageMs = timeOf(copy.point) - newestMs;
  const actual = new Date(newestMs).toISOString();
  if (ageMs < -aheadToleranceMs) {
    const message = `The newest record is of ${actual}, ${roughDuration(-ageMs)} after the restore point that holds it: its time is wrong, so how fresh the data is is not known.`;
    return { verdict: 'fail', looked: 1, expected, actual, message };
  }
  const when = ageMs < 0 ? 'after' : `${roughDuration(ageMs)} before`;
  const message = `The newest record is of ${actual}, ${when} the restore point.`;
  return {
    verdict: ageMs <= check.withinMs ? 'pass' : 'fail',
    looked: 1,
    expected,
    actual,
    message,
    newestMs: Math.min(newestMs, timeOf(copy.point)),
  };
}

/** Times as SQLite and PostgreSQL print them; without an offset they are UTC. @returns milliseconds since 1970 UTC */
export function readTime(text: string): number | undefined {
  const trimmed = text.trim();
  if (/^-?\d+(\.\d+)?$/.test(trimmed)) {
    const number = Number(trimmed);
    // Seconds up to the year 5138, milliseconds from 1973 on.
    return Math.abs(number) < 1e11 ? number * 1000 : number;
  }
  const parts = /^(\d{4,5}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(\.\d+)?)?\s*(Z|UTC|[+-]\d\d(?::?\d\d)?)?$/i.exec(
    trimmed,
  );
  if (parts === null) return undefined;
  const [, day, time = '00:00:00', fraction = '', zone = 'Z'] = parts;
  const offset = /^[+-]/.test(zone)
    ? zone.replace(/^([+-]\d\d):?(\d\d)?$/, (_, hours, minutes = '00') => `${hours}:${minutes}`)
    : 'Z';
  const seconds = time.length === 5 ? `${time}:00` : time;
  const ms = Date.parse(`${day}T${seconds}${fraction.slice(0, 4)}${offset}`);
  return Number.isNaN(ms) ? undefined : ms;
}
