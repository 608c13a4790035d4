import { hourMs, minuteMs, roughDuration } from '../../../core/duration.ts';
import { countsAgainst, type PassedOver, passedOverWords, type RestorePoint } from '../../../vault/index.ts';
import { timeOf } from '../choose.ts';
import type { Finding } from '../parts.ts';

/**
 * Whether the newest restore point is young enough for the objective. Without this, a drill of yesterday's restore point hides
 * that today's is missing. A backup that is running right now gets a grace of a quarter of the RPO, at most an hour.
 */
export function checkAge(point: RestorePoint, rpoMs: number, nowMs: number, chosenAt: number | undefined): Finding {
  const ageMs = Math.max(0, nowMs - timeOf(point));
  const expected = `at most ${roughDuration(rpoMs)} old`;
  const actual = `${roughDuration(ageMs)} old`;
  const of = `${point.record.dataset}'s restore point of ${point.record.time}`;
  if (chosenAt !== undefined) {
    const reason = 'a moment was chosen for this drill';
    return { verdict: 'skip', looked: 0, expected, actual, reason, message: `${of} was chosen, it is ${actual}.` };
  }
  const graceMs = Math.min(hourMs, Math.max(minuteMs, rpoMs / 4));
  if (ageMs <= rpoMs + graceMs) {
    return { verdict: 'pass', looked: 1, expected, actual, message: `The newest restore point is ${actual}.` };
  }
  const message = `The newest restore point of ${point.record.dataset} is ${actual}; its RPO is ${roughDuration(rpoMs)}. Newer backups are missing.`;
  return { verdict: 'fail', looked: 1, expected, actual, message };
}

/**
 * A newer restore point by a known writer that is not believed: what the drill brings back is not what there is, so it proves nothing
 * of today. Undefined where there is none: strangers can leave any number, and take no proof away by it.
 */
export function checkNewest(passedOver: readonly PassedOver[]): Finding | undefined {
  const newer = passedOver.filter(countsAgainst);
  if (newer.length === 0) return undefined;
  const message = passedOverWords(newer).join(' ');
  const actual = `${newer.length} newer passed over`;
  return { verdict: 'fail', looked: newer.length, expected: 'the newest restore point', actual, message };
}
