import { createHash } from 'node:crypto';
import type { Clock } from '../../../src/core/clock.ts';
import { dayMs } from '../../../src/core/duration.ts';
import { newUlid, ulidTime } from '../../../src/core/ulid.ts';
import type { Destination, History, Key, PutOptions } from '../../../src/destinations/destination.ts';
import { destinationUnreachable } from '../../../src/destinations/errors.ts';
import { openMemory } from '../../../src/destinations/memory/destination.ts';
import { ledgerKey, VAULT_KEY } from '../../../src/vault/format/keys.ts';
import { encodeLedgerEntry, hashOfEntry } from '../../../src/vault/format/ledger.ts';
import type { SigningKey } from '../../../src/vault/format/signing.ts';
import { encodeVaultFile } from '../../../src/vault/format/vault-file.ts';

export const vaultId = '01KDVDNA00R8GDY8VMGXHZRMVA';
export const startMs = ulidTime(vaultId) + dayMs;

/** What a place keeps besides the newest bytes. */
export type PlaceKind = 'plain' | 'versions' | 'locks';

/** Uploads that a process left behind when it died arrive within this time, or never. */
export const longestUploadMs = dayMs;

/** One process: it waits at each of its calls until the world lets it go on, so any two can meet anywhere. */
export interface Actor {
  readonly name: string;
  readonly waiting: { readonly op: Op; readonly go: () => void; readonly fail: (error: unknown) => void }[];
  ended: boolean;
  dead: boolean;
  error: unknown;
}

interface Op {
  readonly verb: string;
  readonly key: string;
  /** Does it without the actor: an upload that arrives after its sender has died. */
  readonly apply: () => Promise<unknown>;
}

/** Thrown in a process that was killed: nothing of it goes on. */
export class Killed extends Error {}

export interface ModelPlace {
  readonly name: string;
  readonly kind: PlaceKind;
  readonly store: Destination;
  down: boolean;
}

export class World {
  nowMs = startMs;
  readonly clock: Clock = { now: () => this.nowMs, elapsed: () => this.nowMs };
  readonly places: ModelPlace[];
  readonly actors: Actor[] = [];
  /** True times of restore points by id. */
  readonly capturedMs = new Map<string, number>();
  readonly late: { readonly op: Op; readonly untilMs: number }[] = [];
  /** Called after an object was removed for good, or hidden. */
  onRemoved: (place: ModelPlace, key: Key, by: string) => Promise<void> = async () => {};
  /** By writer, the last entry of its chain in the ledger. */
  readonly #entries = new Map<string, { readonly hash: string; readonly sequence: number }>();
  #counter = 0;

  constructor(kinds: readonly PlaceKind[]) {
    this.places = kinds.map((kind, at) => {
      const name = `place${at}`;
      const versions = kind === 'plain' ? undefined : { overwrites: true, ...(kind === 'locks' && { lock }) };
      const store = openMemory({ name, clock: this.clock, ...(versions && { versions }) });
      return { name, kind, store, down: false };
    });
  }

  async begin(): Promise<void> {
    const created = new Date(ulidTime(vaultId)).toISOString();
    for (const { store } of this.places) {
      await store.put(VAULT_KEY, encodeVaultFile({ format: 1, vault: vaultId, created }));
    }
  }

  /** Bytes that are never the same twice in one world, and always the same in the same run. */
  unique(text: string): Uint8Array {
    return Buffer.from(`${text} ${++this.#counter}`);
  }

  random = (sizeBytes: number): Uint8Array => {
    const digest = createHash('sha512')
      .update(`random ${++this.#counter}`)
      .digest();
    return Uint8Array.from(digest.subarray(0, sizeBytes));
  };

  /** An entry of the ledger, everywhere at once: how it gets to every place is not what is played here. */
  async note({ publicKey, privateKey }: SigningKey, kind: string, body: Record<string, unknown>): Promise<void> {
    const last = this.#entries.get(publicKey);
    const sequence = (last?.sequence ?? 0) + 1;
    const id = newUlid(this.nowMs, this.random);
    const time = new Date(this.nowMs).toISOString();
    const link = { previous: last?.hash ?? null, sequence };
    const bytes = encodeLedgerEntry(
      { format: 1, vault: vaultId, id, kind, time, ...link, body, sealed: null },
      privateKey,
    );
    this.#entries.set(publicKey, { hash: hashOfEntry(bytes), sequence });
    for (const { store } of this.places) await store.put(ledgerKey(id), bytes);
  }

  start(name: string, work: (actor: Actor) => Promise<void>): Actor {
    const actor: Actor = { name, waiting: [], ended: false, dead: false, error: undefined };
    this.actors.push(actor);
    void work(actor)
      .catch((error: unknown) => {
        if (!(error instanceof Killed)) actor.error = error;
      })
      .finally(() => {
        actor.ended = true;
      });
    return actor;
  }

  /** The place as `actor` reaches it. */
  seen(place: ModelPlace, actor: Actor): Destination {
    const { store } = place;
    const world = this;
    async function gate<T>(verb: string, key: string, work: () => Promise<T>): Promise<T> {
      const apply = async () => {
        const result = await work();
        if (verb === 'delete') await world.onRemoved(place, key, actor.name);
        return result;
      };
      if (actor.dead) throw new Killed();
      await new Promise<void>((go, fail) => actor.waiting.push({ op: { verb, key, apply }, go, fail }));
      if (place.down)
        throw destinationUnreachable({ destination: place.name, location: place.name, why: 'it is down' });
      return apply();
    }
    async function* gatedList<T>(prefix: string, list: () => AsyncIterable<T>): AsyncGenerator<T> {
      yield* await gate('list', prefix, () => Array.fromAsync(list()));
    }
    const { history } = store;
    const seen: History | undefined = history && {
      listVersions: (prefix) => gatedList(prefix, () => history.listVersions(prefix)),
      versionsOf: (key) => gate('versionsOf', key, () => history.versionsOf(key)),
      getVersion: (key, version, range) => gate('getVersion', key, () => history.getVersion(key, version, range)),
      lockOf: (key, version) => gate('lockOf', key, () => history.lockOf(key, version)),
      extendLock: (key, version, untilMs) => gate('extendLock', key, () => history.extendLock(key, version, untilMs)),
    };
    return {
      ...store,
      ...(seen && { history: seen }),
      put: (key: Key, body: Uint8Array, options?: PutOptions) => {
        const bytes = Uint8Array.from(body);
        return gate('put', key, () => store.put(key, bytes, options));
      },
      get: (key, range) => gate('get', key, () => store.get(key, range)),
      stat: (key) => gate('stat', key, () => store.stat(key)),
      list: (prefix) => gatedList(prefix, () => store.list(prefix)),
      delete: (key, version) => gate('delete', key, () => store.delete(key, version)),
    };
  }

  /** Lets an actor make so many calls. */
  async step(actor: Actor, calls: number): Promise<void> {
    for (let call = 0; call < calls && !actor.dead; call++) {
      await settle();
      const next = actor.waiting.shift();
      if (next === undefined) return;
      next.go();
      await settle();
    }
  }

  /** Lets an actor go on up to the first call that fits, which it has not made yet. False when it ended before. */
  async stepTo(actor: Actor, fits: (verb: string, key: string) => boolean): Promise<boolean> {
    for (let call = 0; call < 5000; call++) {
      await settle();
      const next = actor.waiting[0];
      if (next === undefined) return false;
      if (fits(next.op.verb, next.op.key)) return true;
      await this.step(actor, 1);
    }
    throw new Error(`${actor.name} does not come to an end`);
  }

  async finish(actor: Actor): Promise<void> {
    await this.stepTo(actor, () => false);
  }

  /** SIGKILL: what it was about to do is lost, done, or (an upload) still under way. */
  async kill(actor: Actor, fate: 'lost' | 'done' | 'late'): Promise<void> {
    await settle();
    actor.dead = true;
    for (const { op, fail } of actor.waiting.splice(0)) {
      if (fate === 'done') await op.apply().catch(() => {});
      if (fate === 'late' && op.verb === 'put') this.late.push({ op, untilMs: this.nowMs + longestUploadMs });
      fail(new Killed());
    }
    await settle();
  }

  /** An upload of somebody dead arrives. */
  async deliver(at: number): Promise<void> {
    const [late] = this.late.splice(at % Math.max(1, this.late.length), 1);
    if (late !== undefined && this.nowMs <= late.untilMs) await late.op.apply().catch(() => {});
  }
}

const lock = { mode: 'governance', forMs: 5 * dayMs } as const;

/** Everything here is in memory: after one turn of the event loop all that can go on has gone on. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
