import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Destination } from '../destinations/destination.ts';
import { makeStateFolder } from '../host/state-folder.ts';
import { inState } from '../host/state-names.ts';

/** Remembers which destinations this host stored to: one of them that is empty now is not silently begun anew. */
export function noteUsed(stateDir: string, destinations: ReadonlyArray<Pick<Destination, 'name' | 'location'>>): void {
  const folder = inState(stateDir, 'destinations');
  makeStateFolder(folder);
  for (const { name, location } of destinations) writeFileSync(join(folder, name), `${location}\n`);
}

export function wasUsed(stateDir: string, name: string): boolean {
  return existsSync(join(inState(stateDir, 'destinations'), name));
}

/** Names of those that this host stored to, or that its configuration had when it was brought back. */
export function usedDestinations(stateDir: string): string[] {
  const folder = inState(stateDir, 'destinations');
  return existsSync(folder) ? readdirSync(folder) : [];
}
