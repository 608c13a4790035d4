import type { Run } from '../core/run.ts';
import { foldLedger, type PruneLedger } from '../ledger/decisions.ts';
import { mostNamed, type Pin } from '../ledger/pins.ts';
import { readLedger } from '../ledger/read.ts';
import { isOurs, type VaultReader } from '../vault/index.ts';
import { noteInLedger } from './note-in-ledger.ts';
import { noSuchPoint, notPinned } from './prune-errors.ts';
import type { OpenSystem } from './system.ts';

export interface PinRequest {
  /** Id of the restore point. */
  readonly point: string;
  /** Stands in the ledger in clear. */
  readonly reason: string;
  /** Milliseconds since 1970 UTC. */
  readonly untilMs?: number;
}

/** What the ledger says of pins, erasures and prunes. */
export async function readPruneLedger(vault: VaultReader): Promise<PruneLedger> {
  const { id, trust, destinations } = vault;
  const { points } = await vault.pointsOfAll();
  const { objects } = await readLedger(destinations, (writer) => isOurs(trust, writer));
  return foldLedger(objects, id, trust, points);
}

/** Keeps a restore point until its pin ends or is taken away: every host sees it. @throws `restore-point-unknown` */
export async function pin(system: OpenSystem, vault: VaultReader, request: PinRequest, run: Run): Promise<Pin> {
  const { point, reason, untilMs } = request;
  await requirePoint(vault, point);
  const until = untilMs === undefined ? {} : { until: new Date(untilMs).toISOString() };
  await noteInLedger(system, vault.id, { kind: 'pin', body: { action: 'pin', point, reason, ...until } }, run);
  return { reason, ...(untilMs !== undefined && { untilMs }) };
}

/** Ends the pins that are there now, by name: one that is made meanwhile, on a host with any clock, holds. @throws `not-pinned` */
export async function unpin(system: OpenSystem, vault: VaultReader, point: string, run: Run): Promise<void> {
  const { pins, pinEntries } = await readPruneLedger(vault);
  if (!pins.has(point)) throw notPinned({ id: point });
  const seen = pinEntries.get(point) ?? [];
  for (let at = 0; at < seen.length; at += mostNamed) {
    const body = { action: 'unpin', point, pins: seen.slice(at, at + mostNamed) };
    await noteInLedger(system, vault.id, { kind: 'pin', body }, run);
  }
}

async function requirePoint(vault: VaultReader, id: string): Promise<void> {
  const { points } = await vault.pointsOfAll();
  if (!points.some(({ record }) => record.id === id)) throw noSuchPoint({ id });
}
