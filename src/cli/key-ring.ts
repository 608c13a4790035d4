import type { KeyRing } from '../jobs/runner.ts';

/** Begins a source that is no file: the words of a program that prints a key. */
export const commandPrefix = 'command:';

/** What `--identity` names, read when a job asks for it. */
export function keyRing(sources: readonly string[], read: () => Promise<readonly string[]>): KeyRing {
  return { given: async () => (sources.length === 0 ? [] : read()), needed: read, files: filesOf(sources) };
}

/** Those of `sources` that are files: nothing in a drill's sandbox may see them. */
function filesOf(sources: readonly string[]): string[] {
  return sources.filter((source) => !source.startsWith(commandPrefix));
}
