import { durationInvalid } from './mistakes.ts';

const secondMs = 1000;
export const minuteMs = 60 * secondMs;
export const hourMs = 60 * minuteMs;
export const dayMs = 24 * hourMs;
const weekMs = 7 * dayMs;

const units: ReadonlyArray<readonly [RegExp, number]> = [
  [/^(ms|millis|milliseconds?)$/, 1],
  [/^(s|secs?|seconds?)$/, secondMs],
  [/^(m|mins?|minutes?)$/, minuteMs],
  [/^(h|hrs?|hours?)$/, hourMs],
  [/^(d|days?)$/, dayMs],
  [/^(w|weeks?)$/, weekMs],
];

/** The longest that is understood: a hundred years. */
const longestMs = 36_525 * dayMs;

/** `90s`, `15m`, `1h 30m`, `30 days` → milliseconds. A month is not a duration. @throws `duration-invalid` */
export function parseDuration(text: string): number {
  const words = [...text.matchAll(/\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*/giy)];
  const read = words.reduce((length, word) => length + word[0].length, 0);
  if (words.length === 0 || read !== text.length) throw durationInvalid({ text });
  let total = 0;
  for (const [, number, unit] of words) {
    const factor = units.find(([name]) => name.test((unit ?? '').toLowerCase()))?.[1];
    if (factor === undefined) throw durationInvalid({ text });
    total += Number(number) * factor;
  }
  if (!(total <= longestMs)) throw durationInvalid({ text });
  return Math.round(total);
}

const shown: ReadonlyArray<readonly [number, string, string]> = [
  [dayMs, 'day', 'days'],
  [hourMs, 'h', 'h'],
  [minuteMs, 'min', 'min'],
  [secondMs, 's', 's'],
];

/** For people, in at most two units: `3 days`, `2 h 5 min`, `6 min 41 s`, `4 min`, `350 ms`. */
export function formatDuration(ms: number): string {
  if (ms < 0) return `-${formatDuration(-ms)}`;
  if (ms < secondMs) return `${Math.round(ms)} ms`;
  if (ms < 10 * secondMs && ms % secondMs !== 0) return `${(Math.floor(ms / 100) / 10).toFixed(1).replace('.0', '')} s`;
  const at = shown.findIndex(([unitMs]) => ms >= unitMs);
  const first = shown[at]!;
  const second = shown[at + 1];
  const count = Math.floor(ms / first[0]);
  const words = `${count} ${count === 1 ? first[1] : first[2]}`;
  const rest = second ? Math.floor((ms % first[0]) / second[0]) : 0;
  return second && rest > 0 ? `${words} ${rest} ${second[rest === 1 ? 1 : 2]}` : words;
}

/** For one glance, in one unit, rounded to nearest: `4 min`, `7 min`, `3 days`. */
export function roughDuration(ms: number): string {
  if (ms < 0) return `-${roughDuration(-ms)}`;
  for (const [at, [unitMs, one, many]] of shown.entries()) {
    const rounded = Math.round(ms / unitMs);
    // Below two of a unit the next smaller one says more: 100 min rather than 2 h.
    if (rounded >= 2 || (at === shown.length - 1 && rounded >= 1)) return `${rounded} ${many}`;
    if (rounded === 1 && ms === unitMs) return `1 ${one}`;
  }
  return 'under 1 s';
}
