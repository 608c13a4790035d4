import { LifeboatError, sentenceOf } from '../../core/errors.ts';
import { sandboxLimit } from '../../sandbox/errors.ts';
import { engines } from '../../sources/registry.ts';
import type { Finding } from './parts.ts';

const ofTheSystem = new Set(['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'ENOMEM', 'EIO', 'EROFS', 'EAGAIN', 'ETIMEDOUT']);

/**
 * Whether something other than the backup or the plan went wrong. In doubt it is the backup: an alarm that turns out to be
 * none costs a look, a bad backup taken for bad luck costs the data.
 */
export function isFaultOfThePlace(error: unknown): boolean {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if (at instanceof LifeboatError) {
      if (at.about === 'place') return true;
      continue;
    }
    const { code } = at as NodeJS.ErrnoException;
    if (code === undefined) continue;
    if (ofTheSystem.has(code) || engines.some(({ isOutage }) => isOutage?.(at))) return true;
  }
  return false;
}

/** What a check that threw has to say. */
export function findingOf(error: unknown, expected: string): Finding {
  const sentence = sentenceOf(error) || String(error);
  const message = sandboxLimit.is(error) ? `${sentence} ${error.hint}` : sentence;
  return { verdict: isFaultOfThePlace(error) ? 'error' : 'fail', looked: 0, expected, actual: 'an error', message };
}
