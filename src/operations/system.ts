import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import packageFile from '../../package.json' with { type: 'json' };
import type { Catalog } from '../catalog/catalog.ts';
import { openCatalog } from '../catalog/open.ts';
import type { System } from '../config/system.ts';
import type { Clock, RandomBytes } from '../core/clock.ts';
import { configurationDataset } from '../core/configuration-dataset.ts';
import { failureOfPlace } from '../core/errors.ts';
import type { Role } from '../core/roles.ts';
import type { Destination } from '../destinations/destination.ts';
import { destinationUnreachable } from '../destinations/errors.ts';
import { createDestination, openDestination } from '../destinations/registry.ts';
import { stateUnusable } from '../host/errors.ts';
import { makeStateFolder } from '../host/state-folder.ts';
import { inState } from '../host/state-names.ts';
import type { EngineDataset } from '../sources/engine.ts';
import { openSource, pathsOf } from '../sources/engines.ts';
import type { Source } from '../sources/source.ts';
import { rescueObject } from '../vault/format/index.ts';
import type { Damage } from '../vault/hold/index.ts';
import { openVault, type PackSizes, usualPackSizes, type VaultReader } from '../vault/index.ts';
import { destinationOptions } from './destination-options.ts';
import { noSuchDataset } from './errors.ts';
import { trustOf } from './known-writers.ts';
import { oursAmong, rememberedOf } from './our-vault.ts';
import { wasUsed } from './used-destinations.ts';

/** A system with its ports opened as they are asked for. Operations work on this and nothing else. */
export interface OpenSystem extends Disposable {
  readonly config: System;
  readonly clock: Clock;
  /** Aborted when the user interrupts: what is only read ends with it. */
  readonly signal?: AbortSignal;
  readonly random: RandomBytes;
  readonly packSizes: PackSizes;
  /** Name and version of this program. */
  readonly tool: string;
  /** The rescue script as every vault carries it. */
  rescue(): Uint8Array;
  catalog(): Catalog;
  /** @throws `no-such-dataset` */
  source(dataset: string): Promise<Source>;
  /**
   * All of them; what cannot be opened is told apart. `create` makes those that this host never used before; one that it
   * did use and that is gone now stays gone: its disk is not mounted, and must not be filled in its place. `refill` makes
   * it all the same. `role` says whose credentials are used: the writer's unless said otherwise.
   */
  destinations(options: DestinationsRequest): Promise<OpenedDestinations>;
  /** What was asked of each destination that counts it, since this was opened: `{ s3: { PutObject: 12 } }`. */
  requests(): Readonly<Record<string, Readonly<Record<string, number>>>>;
  /**
   * With the reader's credentials. `remembered`: records that this host read before, and that a listing shows unchanged, are not read again.
   * @throws `vault-missing`, `no-destination-left`
   */
  vault(onDamage: (damage: Damage) => void, options?: { readonly remembered?: boolean }): Promise<VaultReader>;
}

interface DestinationsRequest {
  readonly create: boolean;
  /** No others than these. */
  readonly only?: readonly string[];
  readonly refill?: boolean;
  readonly role?: Role;
}

interface OpenedDestinations {
  readonly opened: readonly Destination[];
  readonly failed: ReadonlyArray<{ readonly name: string; readonly error: unknown }>;
}

export interface SystemParts {
  readonly clock: Clock;
  readonly signal?: AbortSignal;
  readonly random?: RandomBytes;
  /** How large packs become; tests make small ones. */
  readonly packSizes?: PackSizes;
}

export function openSystem(config: System, parts: SystemParts): OpenSystem {
  const { clock, signal, random = randomBytes, packSizes = usualPackSizes } = parts;
  let catalog: Catalog | undefined;
  const workFolder = inState(config.stateDir, 'work');

  async function openOrCreate(name: string, request: DestinationsRequest): Promise<Destination> {
    const { create, refill = false, role = 'writer' } = request;
    const options = await destinationOptions(config.destinations[name]!, role);
    // Most roles have the writer's credentials: what was learned of a place, and how it answers, is learned once.
    const as = JSON.stringify([name, options]);
    const found = everOpened.get(as);
    if (found !== undefined) return found;
    const destination = await openDestination(name, options).catch((error: unknown) => {
      if (!create || !destinationUnreachable.is(error) || (wasUsed(config.stateDir, name) && !refill)) throw error;
      return createDestination(name, options);
    });
    everOpened.set(as, destination);
    return destination;
  }

  const everOpened = new Map<string, Destination>();

  async function destinations(request: DestinationsRequest): Promise<OpenedDestinations> {
    const { only } = request;
    const names = Object.keys(config.destinations).filter((name) => only?.includes(name) ?? true);
    // Side by side: one that is dead and waited for holds up no other.
    const results = await Promise.allSettled(names.map((name) => openOrCreate(name, request)));
    const opened: Destination[] = [];
    const failed: { name: string; error: unknown }[] = [];
    for (const [at, result] of results.entries()) {
      if (result.status === 'fulfilled') opened.push(result.value);
      else failed.push({ name: names[at]!, error: result.reason });
    }
    return { opened, failed };
  }

  return {
    config,
    clock,
    ...(signal && { signal }),
    random,
    packSizes,
    tool: `lifeboat ${packageFile.version}`,
    rescue: () => rescueObject(readFileSync(new URL('../../rescue/rescue.sh', import.meta.url))),
    catalog() {
      catalog ??= openCatalog(config.stateDir, { clock, random });
      return catalog;
    },
    async source(name) {
      const dataset = name === configurationDataset ? configurationFiles(config) : config.datasets[name];
      if (dataset === undefined) throw noSuchDataset({ dataset: name, known: Object.keys(config.datasets) });
      const others = Object.values(config.datasets).filter((other) => other !== dataset);
      const elsewhere = others.flatMap(pathsOf);
      return openSource(name, dataset, { ...workPlace(workFolder), elsewhere });
    },
    destinations,
    requests: () => requestsOf([...everOpened.values()]),
    async vault(onDamage, { remembered = false } = {}) {
      const { opened, failed } = await destinations({ create: false, role: 'reader' });
      for (const { name, error } of failed) {
        const { code, message: why } = failureOfPlace(error);
        onDamage({ destination: name, key: '', code, why });
      }
      if (opened.length === 0 && failed[0] !== undefined) throw failed[0].error;
      return openVault(opened, {
        onDamage,
        trust: (vault) => trustOf(config, vault),
        ours: oursAmong(config),
        ...(remembered && { memory: rememberedOf(config) }),
        ...(signal && { signal }),
      });
    },
    [Symbol.dispose]: () => catalog?.[Symbol.dispose](),
  };
}

/** Where work on the side lies. A restore needs no state folder: without one it works where this system keeps what is temporary. */
function workPlace(workFolder: string): { workFolder?: string } {
  try {
    makeStateFolder(workFolder);
    return { workFolder };
  } catch (error) {
    if (!stateUnusable.is(error)) throw error;
    return {};
  }
}

/** The configuration as restores see it: files, without a place of their own to go back to. */
function configurationFiles({ stateDir }: System): EngineDataset {
  const path = join(stateDir, configurationDataset);
  return { type: 'files', path, exclude: [], defaultExcludes: false, oneFileSystem: true, xattrs: false };
}

/** The same destination may have been opened more than once, with the credentials of several roles. */
function requestsOf(destinations: readonly Destination[]): Record<string, Record<string, number>> {
  const sums: Record<string, Record<string, number>> = {};
  for (const { name, requests } of destinations) {
    for (const [operation, count] of Object.entries(requests?.() ?? {})) {
      sums[name] = { ...sums[name], [operation]: (sums[name]?.[operation] ?? 0) + count };
    }
  }
  return sums;
}
