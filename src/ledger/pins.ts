import { z } from 'zod';
import { isUlid } from '../core/ulid.ts';

export interface Pin {
  readonly reason: string;
  /** Milliseconds since 1970 UTC; absent: until it is taken away. */
  readonly untilMs?: number;
}

/** An entry names no more pins; whoever ends more writes several. */
export const mostNamed = 1000;

const shape = z.discriminatedUnion('action', [
  z.object({
    action: z.literal('pin'),
    point: z.string(),
    reason: z.string().default(''),
    until: z.iso.datetime().optional(),
  }),
  z.object({
    action: z.literal('unpin'),
    point: z.string(),
    pins: z.array(z.string().refine(isUlid)).max(mostNamed).optional(),
  }),
]);

export type PinBody = z.infer<typeof shape>;

/** The body of an entry `pin`; undefined for what cannot be read, which does nothing. */
export function pinBodyOf(body: unknown): PinBody | undefined {
  return shape.safeParse(body).data;
}

/** What a known writer said of the pins of a restore point. */
export interface PinEntry {
  /** Of the ledger entry. */
  readonly id: string;
  readonly body: PinBody;
  /** Its writer may say that something goes. */
  readonly decides: boolean;
}

export interface PinsFound {
  /** By id of the restore point. */
  readonly pins: ReadonlyMap<string, Pin>;
  /** Ids of all entries that pin a restore point, also of those that were ended: who takes its pin away names them. */
  readonly pinEntries: ReadonlyMap<string, readonly string[]>;
}

/**
 * Which pins hold, from the entries by id. Ids order by clocks that may be wrong. So an `unpin` ends the pins that it names,
 * wherever it stands, and no other: whoever pins what another has just unpinned keeps it. Only entries of versions that named none
 * end what stands before them.
 */
export function foldPins(entries: readonly PinEntry[]): PinsFound {
  const ended = new Set<string>();
  for (const { body, decides } of entries) {
    if (body.action !== 'unpin' || !decides) continue;
    for (const id of body.pins ?? []) ended.add(`${id} ${body.point}`);
  }
  const pins = new Map<string, Pin>();
  const pinEntries = new Map<string, string[]>();
  for (const { id, body, decides } of entries) {
    const { point } = body;
    if (body.action === 'unpin') {
      if (decides && body.pins === undefined) pins.delete(point);
      continue;
    }
    const known = pinEntries.get(point);
    if (known === undefined) pinEntries.set(point, [id]);
    else known.push(id);
    if (ended.has(`${id} ${point}`)) continue;
    const untilMs = body.until === undefined ? Number.POSITIVE_INFINITY : Date.parse(body.until);
    const before = pins.get(point);
    // Who may not take a pin away may not shorten one either.
    if (before !== undefined && !decides && untilMs < (before.untilMs ?? Number.POSITIVE_INFINITY)) continue;
    pins.set(point, { reason: body.reason, ...(Number.isFinite(untilMs) && { untilMs }) });
  }
  return { pins, pinEntries };
}
