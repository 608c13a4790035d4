import { LifeboatError, sentenceOf } from '../../core/errors.ts';
import type { OpenSystem } from '../system.ts';

/** Notes how every destination of the system was found: those that `failed`, and all others as good. */
export function noteHealth(
  system: OpenSystem,
  failed: ReadonlyArray<{ readonly name: string; readonly error: unknown }>,
  names: readonly string[] = Object.keys(system.config.destinations),
): void {
  const catalog = system.catalog();
  const seenMs = system.clock.now();
  for (const name of names) {
    const failure = failed.find((one) => one.name === name);
    if (failure === undefined) catalog.noteDestination({ name, seenMs });
    else
      catalog.noteDestination({
        name,
        seenMs,
        trouble: { code: codeOf(failure.error), message: sentenceOf(failure.error) },
      });
  }
}

function codeOf(error: unknown): string {
  return error instanceof LifeboatError ? error.code : 'unexpected';
}
