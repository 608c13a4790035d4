import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { type Clock, systemClock } from '../../src/core/clock.ts';
import type { RunEvent } from '../../src/core/run.ts';
import { generateIdentity } from '../../src/vault/age/identity.ts';
import type { Picture } from './pictures.ts';
import { configOf, type Doing, smallPacks, systemOver, type TestSystem } from './system.ts';
import { temporaryFolder } from './temp.ts';

export interface SystemOptions {
  /** Names of destinations; one, `disk`, unless said otherwise. */
  readonly destinations?: readonly string[];
  /** Names of datasets of files; one, `uploads`, unless said otherwise. */
  readonly datasets?: readonly string[];
  readonly packSizes?: typeof smallPacks;
}

export async function aSystem(options: SystemOptions = {}): Promise<TestSystem> {
  const { destinations = ['disk'], datasets = ['uploads'], packSizes = smallPacks } = options;
  const folder = await temporaryFolder();
  const { identity, recipient } = generateIdentity();
  for (const dataset of datasets) mkdirSync(join(folder, 'source', dataset), { recursive: true });
  const config = configOf(folder, destinations, datasets, recipient);
  return systemOver({ folder, config, identity, packSizes });
}

/** Every object of a destination's folder by key. */
export function objectsIn(folder: string): Map<string, Buffer> {
  const keys = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .filter((key) => !key.startsWith('.'));
  return new Map(keys.sort().map((key) => [key, readFileSync(join(folder, key))]));
}

/** A copy of a folder as it is now, to be looked at or put back later. */
export async function keptCopy(folder: string): Promise<string> {
  const copy = join(await temporaryFolder(), 'copy');
  if (existsSync(folder)) cpSync(folder, copy, { recursive: true, preserveTimestamps: true });
  return copy;
}

/** A clock that was set wrong by this much. */
export function clockOff(byMs: number): Clock {
  return { now: () => systemClock.now() + byMs, elapsed: systemClock.elapsed };
}

/** Bytes that nothing compresses. */
export function noise(sizeBytes: number): Buffer {
  return randomBytes(sizeBytes);
}

/** Aborts when `look` says so of an event. */
export function abortWhen(look: (event: RunEvent) => boolean): Doing & { abortedMs(): number } {
  const controller = new AbortController();
  let at = 0;
  onTestFinished(() => controller.abort());
  return {
    signal: controller.signal,
    onEvent(event) {
      if (controller.signal.aborted || !look(event)) return;
      at = performance.now();
      controller.abort(new DOMException('interrupted', 'AbortError'));
    },
    abortedMs: () => performance.now() - at,
  };
}

export function expectSame(found: Picture, expected: Picture): void {
  const factsOf = (picture: Picture) => Object.fromEntries([...picture].map(([path, { facts }]) => [path, facts]));
  expect(factsOf(found)).toEqual(factsOf(expected));
  expect([...found].filter(([path, { mtimeNs }]) => mtimeNs !== expected.get(path)!.mtimeNs)).toEqual([]);
}
