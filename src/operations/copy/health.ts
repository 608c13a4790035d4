import { LifeboatError, sentenceOf } from '../../core/errors.ts';
import {
  destinationDenied,
  destinationFull,
  destinationReadOnly,
  destinationUnreachable,
} from '../../destinations/errors.ts';
import { noDestination } from '../../vault/index.ts';
import type { OpenSystem } from '../system.ts';

/**
 * Notes how every destination of the system was found: those that `failed`, and all others as good. Where the catalog cannot be used
 * `status` knows less, and what is told of the work stays as it is.
 */
export function noteHealth(
  system: OpenSystem,
  failed: ReadonlyArray<{ readonly name: string; readonly error: unknown }>,
  names: readonly string[] = Object.keys(system.config.destinations),
): void {
  const seenMs = system.clock.now();
  for (const name of names) {
    const failure = failed.find((one) => one.name === name);
    const trouble = failure && { code: codeOf(failure.error), message: sentenceOf(failure.error) };
    try {
      system.catalog().noteDestination({ name, seenMs, ...(trouble && { trouble }) });
    } catch {
      return;
    }
  }
}

const outages = [destinationUnreachable, destinationDenied, destinationFull, destinationReadOnly, noDestination];

/** After work that failed because no destination was left: since when that is so is what `status` will say. */
export function noteOutage(system: OpenSystem, error: unknown): void {
  if (!outages.some((outage) => outage.is(error))) return;
  const names = Object.keys(system.config.destinations);
  noteHealth(
    system,
    names.map((name) => ({ name, error })),
  );
}

function codeOf(error: unknown): string {
  return error instanceof LifeboatError ? error.code : 'unexpected';
}
