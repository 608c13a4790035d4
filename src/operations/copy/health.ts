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

/** After work that failed because no destination was left: since when that is so is what `status` will say. */
export function noteOutage(system: OpenSystem, error: unknown): void {
  if (!/^(destination-|no-destination-left$)/.test(codeOf(error))) return;
  const names = Object.keys(system.config.destinations);
  noteHealth(
    system,
    names.map((name) => ({ name, error })),
  );
}

function codeOf(error: unknown): string {
  return error instanceof LifeboatError ? error.code : 'unexpected';
}
