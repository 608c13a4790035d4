import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { locationOf } from '../../src/config/locations.ts';
import type { DatasetConfig, System } from '../../src/config/system.ts';
import { type Clock, systemClock } from '../../src/core/clock.ts';
import type { Entry } from '../../src/core/entry.ts';
import { defaultRetention } from '../../src/core/retention.ts';
import { type Run, type RunEvent, startRun } from '../../src/core/run.ts';
import type { Destination } from '../../src/destinations/destination.ts';
import { type BackedUp, type BackupOutcome, backUp } from '../../src/operations/backup.ts';
import { trustOf } from '../../src/operations/known-writers.ts';
import { restore } from '../../src/operations/restore.ts';
import { type OpenSystem, openSystem } from '../../src/operations/system.ts';
import { type VerifyOutcome, verify } from '../../src/operations/verify.ts';
import type { Source } from '../../src/sources/source.ts';
import type { WithNeeds } from '../../src/vault/hold/needs.ts';
import { openVault } from '../../src/vault/open.ts';
import type { RestorePoint } from '../../src/vault/vault.ts';
import { type Picture, pictureOfContents } from './pictures.ts';

/** Small packs, so that a small tree fills several. */
export const smallPacks = { data: 96 * 1024, meta: 16 * 1024 };

export interface Doing {
  /** Plays faults over a destination. */
  readonly wrap?: (destination: Destination) => Destination;
  /** Stands between a source's capture and the vault. */
  readonly entries?: (entries: AsyncIterable<Entry>) => AsyncIterable<Entry>;
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
  readonly refill?: boolean;
  readonly fresh?: boolean;
  readonly onEvent?: (event: RunEvent) => void;
}

/** A system with its folders, for the running test. */
export interface TestSystem {
  readonly folder: string;
  readonly config: System;
  readonly identity: string;
  readonly packSizes: typeof smallPacks;
  /** The folder that a dataset protects. */
  source(dataset?: string): string;
  /** The folder of a destination. */
  at(destination?: string): string;
  /** All of it: what failed is in the outcome. */
  tryBackUp(doing?: Doing): Promise<BackupOutcome>;
  /** Fails where one dataset failed. */
  backUp(doing?: Doing): Promise<BackedUp>;
  /** Restores into a new folder. */
  restore(choice?: { id?: string; dataset?: string; only?: readonly string[] }, doing?: Doing): Promise<string>;
  verify(doing?: Doing, identities?: readonly string[]): Promise<VerifyOutcome>;
  points(): Promise<ReadonlyArray<WithNeeds<RestorePoint>>>;
  /** What a restore point holds, every byte read and compared, without writing it anywhere. */
  readBack(id: string, destinations?: readonly Destination[]): Promise<Picture>;
  open(doing?: Doing): OpenSystem;
}

export type SystemBase = Pick<TestSystem, 'folder' | 'config' | 'identity' | 'packSizes'>;

export function systemOver(base: SystemBase): TestSystem {
  const { folder, config, identity, packSizes } = base;
  const first = Object.keys(config.datasets)[0]!;
  let restored = 0;

  function open({ wrap = (destination) => destination, entries, clock = systemClock }: Doing = {}): OpenSystem {
    const system = openSystem(config, { clock, packSizes });
    const destinations: OpenSystem['destinations'] = async (how) => {
      const { opened, failed } = await system.destinations(how);
      return { opened: opened.map(wrap), failed };
    };
    return {
      ...system,
      ...(entries && { source: async (name) => between(await system.source(name), entries) }),
      destinations,
      vault: async (onDamage) =>
        openVault((await destinations({ create: false })).opened, { onDamage, trust: (id) => trustOf(config, id) }),
    };
  }

  const runOf = ({ clock = systemClock, signal, onEvent }: Doing): Run =>
    startRun({ clock, ...(signal && { signal }), ...(onEvent && { onEvent }) });

  async function tryBackUp(doing: Doing = {}): Promise<BackupOutcome> {
    using system = open(doing);
    return await backUp(
      system,
      { datasets: [], refill: doing.refill ?? false, fresh: doing.fresh ?? false },
      runOf(doing),
    );
  }

  return {
    ...base,
    open,
    tryBackUp,
    source: (dataset = first) => join(folder, 'source', dataset),
    at: (destination = Object.keys(config.destinations)[0]!) => locationOf(config.destinations[destination]!),
    async backUp(doing) {
      const { backedUp, failed } = await tryBackUp(doing);
      if (failed[0] !== undefined) throw failed[0].error;
      return backedUp[0]!;
    },
    async restore({ id, dataset = first, only = [] } = {}, doing = {}) {
      using system = open(doing);
      const into = join(folder, 'restored', String(restored++));
      const request = {
        dataset,
        into,
        force: false,
        trustCode: false,
        only,
        identities: [identity],
        ...(id !== undefined && { id }),
      };
      await restore(system, request, runOf(doing));
      return into;
    },
    async verify(doing = {}, identities = [identity]) {
      using system = open(doing);
      return await verify(system, { all: true, identities }, runOf(doing));
    },
    async points() {
      using system = open();
      const vault = await system.vault(() => {});
      return vault.withNeeds((await vault.pointsOfAll()).points);
    },
    async readBack(id, only) {
      using system = open();
      const opened = only ?? (await system.destinations({ create: false })).opened;
      const vault = await openVault(opened);
      const { points } = await vault.pointsOfAll();
      const point = points.find(({ record }) => record.id === id);
      if (point === undefined) throw new Error(`no restore point ${id}`);
      return await pictureOfContents(await vault.open(point, [identity]));
    },
  };
}

function between(source: Source, entries: NonNullable<Doing['entries']>): Source {
  return {
    ...source,
    async capture(run) {
      const capture = await source.capture(run);
      return { ...capture, entries: entries(capture.entries) };
    },
  };
}

export function configOf(
  folder: string,
  destinations: readonly string[],
  datasets: readonly string[],
  recipient: string,
): System {
  const files = (name: string): DatasetConfig => ({
    type: 'files',
    name,
    path: join(folder, 'source', name),
    exclude: [],
    defaultExcludes: false,
    oneFileSystem: true,
    xattrs: false,
    rpoMs: 3_600_000,
    rtoMs: 3_600_000,
    retention: defaultRetention,
  });
  return {
    name: 'harbor',
    environment: 'test',
    file: join(folder, 'lifeboat.yaml'),
    root: folder,
    files: [],
    uses: [],
    stateDir: join(folder, 'state'),
    digest: createHash('sha256').update(folder).digest('hex'),
    vault: { recipients: [recipient], writers: [], pruners: [] },
    destinations: Object.fromEntries(
      destinations.map((name) => {
        const path = join(folder, 'destinations', name);
        return [name, { type: 'local', path, required: true, where: {}, price: {} }];
      }),
    ),
    datasets: Object.fromEntries(datasets.map((name) => [name, files(name)])),
    drill: { everyMs: 86_400_000, writers: [], limits: {}, checks: [], skip: [] },
    accepted: [],
    warnings: [],
  };
}
