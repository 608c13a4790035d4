import { startRun } from '../../../src/core/run.ts';
import { newUlid } from '../../../src/core/ulid.ts';
import type { Key } from '../../../src/destinations/destination.ts';
import { copyMissing } from '../../../src/vault/copy/copy-missing.ts';
import { planCopy } from '../../../src/vault/copy/plan.ts';
import { withdrawnAt } from '../../../src/vault/copy/withdrawn.ts';
import { encodeCover, spanOf } from '../../../src/vault/format/cover.ts';
import { createIds } from '../../../src/vault/format/ids.ts';
import {
  epochKeyKey,
  indexKey,
  isHashed,
  listKey,
  logKey,
  manifestKey,
  packKey,
  parseKey,
} from '../../../src/vault/format/keys.ts';
import {
  type LogBase,
  recordBytes,
  recordKey,
  type SnapshotRecord,
  signRecord,
  type UnsignedRecord,
} from '../../../src/vault/format/record.ts';
import { newSigningKey, writerId } from '../../../src/vault/format/signing.ts';
import {
  type GenerationView,
  mayReuse,
  mustLookAnew,
  readView,
  withdrawnOf,
} from '../../../src/vault/generations/view.ts';
import { sha256Hex } from '../../../src/vault/hash.ts';
import { needsReader } from '../../../src/vault/hold/needs.ts';
import { sizesAt } from '../../../src/vault/hold/sizes.ts';
import { isBaseLetGo } from '../../../src/vault/logs/floors.ts';
import type { PruneRules } from '../../../src/vault/prune-rules.ts';
import type { Keys } from '../../../src/vault/trust.ts';
import { type SizedPack, storeLists } from '../../../src/vault/write/list-packs.ts';
import { unsignedRecord } from '../../support/records.ts';
import { type Actor, vaultId, type World } from './world.ts';

/** A host that writes, with what its disk keeps. It follows the protocol by the functions that the real writer uses. */
interface Pending {
  readonly key: Key;
  readonly hash: string;
  readonly sequence: number;
}

/** The object that holds its key stands for what it is in truth. */
interface Epoch {
  readonly name: string;
  readonly object: Uint8Array;
}

interface ModelLog {
  readonly history: string;
  readonly last?: { readonly hash: string; readonly position: string; readonly sequence: number };
}

export interface ModelWriter {
  readonly name: string;
  readonly privateKey: string;
  readonly publicKey: string;
  readonly id: string;
  readonly system: string;
  readonly dataset: string;
  /** By how much its clock is wrong. */
  offMs: number;
  /** What it protects: content by file. */
  readonly source: Map<string, string>;
  /** Content → the pack that holds it. */
  readonly index: Map<string, string>;
  /** Which of `epochs` a pack is sealed to. */
  readonly sealedTo: Map<string, Epoch>;
  /** The last one goes on; none: the next backup begins one. */
  readonly epochs: Epoch[];
  mustBegin: boolean;
  /** Of packs and lists, in the order in which they were stored. */
  readonly sizes: Map<string, number>;
  /** Place → packs and lists that it holds. */
  readonly holders: Map<string, Set<string>>;
  readonly lagging: Set<string>;
  lookedAt: number;
  remembered: GenerationView | undefined;
  lastHash: string | null;
  /** Of the record that `lastHash` is of. */
  sequence: number;
  /** What it protects has a log, which begins anew where that is made anew. */
  log: ModelLog;
  pending: Pending | undefined;
  running: Actor | undefined;
}

export function newWriter(world: World, at: number, system: string): ModelWriter {
  const { privateKey, publicKey } = keys[at]!;
  return {
    name: `writer${at}`,
    privateKey,
    publicKey,
    id: writerId(publicKey),
    system,
    dataset: `data${at}`,
    offMs: 0,
    source: new Map(Array.from({ length: 3 }, (_, file) => [`file${file}`, `first ${at} ${file}`])),
    index: new Map(),
    sealedTo: new Map(),
    epochs: [],
    mustBegin: true,
    sizes: new Map(),
    holders: new Map(world.places.map(({ name }) => [name, new Set()])),
    lagging: new Set(),
    lookedAt: 0,
    remembered: undefined,
    lastHash: null,
    sequence: 0,
    log: { history: 'h0' },
    pending: undefined,
    running: undefined,
  };
}

const keys = Array.from({ length: 3 }, () => newSigningKey());

class SessionEnded extends Error {}

/** One run of `lifeboat backup`. */
export function startBackup(world: World, writer: ModelWriter, trusted: Keys, rules: PruneRules): Actor {
  const actor = world.start(writer.name, (self) => backUp(world, writer, trusted, self, rules));
  writer.running = actor;
  return actor;
}

async function backUp(
  world: World,
  writer: ModelWriter,
  trusted: Keys,
  actor: Actor,
  rules: PruneRules,
): Promise<void> {
  let active = world.places.map((place) => world.seen(place, actor));
  const drop = ({ name }: { name: string }, error: unknown) => {
    if (actor.dead) throw error;
    active = active.filter((other) => other.name !== name);
    writer.lagging.add(name);
    if (active.length === 0) throw new SessionEnded('no destination is left');
  };
  const onEach = async (work: (destination: (typeof active)[number]) => Promise<void>) => {
    for (const destination of [...active]) await work(destination).catch((error: unknown) => drop(destination, error));
  };
  const put = async (key: Key, bytes: Uint8Array) => {
    const holders: string[] = [];
    await onEach(async (destination) => {
      await destination.put(key, bytes);
      holders.push(destination.name);
    });
    return holders;
  };
  const view = async (): Promise<GenerationView> => {
    const found = await readView(active, {
      vault: vaultId,
      trust: { writers: trusted },
      system: writer.system,
      remembered: rules.writerRemembers ? writer.remembered : undefined,
      onFailure: drop,
      onSuspect: () => {},
    });
    if (found.number > (writer.remembered?.number ?? 0)) writer.remembered = found;
    if (mustLookAnew(found, writer.lookedAt, rules)) {
      await onEach(async (destination) => {
        const held = new Set<string>();
        for (const prefix of ['packs/', 'lists/']) {
          for await (const { key } of destination.list(prefix)) {
            const parsed = parseKey(key);
            if (isHashed(parsed)) held.add(parsed.id);
          }
        }
        writer.holders.set(destination.name, held);
      });
      writer.lookedAt = found.number;
    }
    return found;
  };
  const isHeld = (pack: string) => active.every(({ name }) => writer.holders.get(name)?.has(pack));

  await onEach(async (destination) => void (await destination.stat('vault.json')));
  await settlePending(writer, active);
  await view();
  const base = placeOf(writer, writer.log);
  if (active.length > 1 && writer.lagging.size > 0) await catchUp(world, writer, () => active, drop);

  if (writer.mustBegin) {
    const object = world.unique('epoch');
    writer.epochs.push({ name: sha256Hex(Buffer.concat([object, object])), object });
    writer.mustBegin = false;
  }
  // Before the first pack that is sealed to them, wherever they are missing.
  for (const epoch of writer.epochs) await put(keyOf(epoch), epoch.object);
  const current = writer.epochs.at(-1)!;
  const begun = await view();
  await storeLog(world, writer, current, put);
  const packs = new Set<string>();
  for (const content of new Set(writer.source.values())) {
    const known = writer.index.get(content);
    if (known !== undefined && mayReuse(begun, known, rules) && isHeld(known)) {
      packs.add(known);
      continue;
    }
    const bytes = world.unique(content);
    const pack = sha256Hex(bytes);
    for (const name of await put(packKey(pack), bytes)) writer.holders.get(name)?.add(pack);
    writer.index.set(content, pack);
    writer.sealedTo.set(pack, current);
    writer.sizes.set(pack, bytes.length);
    packs.add(pack);
    await put(indexKey(writer.id, newUlid(world.nowMs, world.random)), Buffer.from('age-encryption.org/v1\n'));
  }
  const manifest = world.unique('manifest');
  await put(manifestKey(sha256Hex(manifest)), manifest);

  const stored = [...writer.sizes].filter(([pack]) => packs.has(pack));
  const { lists } = await storeLists(inPairs(stored), {
    isHeld,
    isKnown: (list) => writer.sizes.has(list),
    mayUse: (list) => mayReuse(begun, list, rules),
    async put(list, bytes) {
      writer.sizes.set(list, bytes.length);
      for (const name of await put(listKey(list), bytes)) writer.holders.get(name)?.add(list);
    },
    saltOf: (_, attempt) => Buffer.alloc(8, attempt),
  });

  const now = await view();
  if (withdrawnOf(now, [...packs, ...lists.map(([list]) => list)], isHeld, rules).length > 0)
    throw new SessionEnded('packs were withdrawn');
  if (rules.writerHeeds && isBaseLetGo(now.floors, base)) throw new SessionEnded('logs were let go of');
  const time = new Date(world.nowMs + writer.offMs).toISOString();
  const record = signRecord(
    {
      ...unsigned(world, writer, time),
      lists,
      manifest: [sha256Hex(manifest), manifest.length],
      keys: keysOf(new Set([current, ...[...packs].map((pack) => writer.sealedTo.get(pack)!)])),
      generation: now.number,
      position: { timeline: `${base.history}-1`, log: base.log },
    },
    writer.privateKey,
  );
  const bytes = recordBytes(record);
  world.capturedMs.set(record.id, world.nowMs);
  writer.pending = { key: recordKey(record), hash: sha256Hex(bytes), sequence: record.sequence };
  if ((await put(recordKey(record), bytes)).length > 0) follow(writer, writer.pending);
  await world.note(writer, 'backup', { restorePoints: [record.id] });
}

const digits = (position: number) => position.toString(16).padStart(16, '0');

/** From where on a restore point that begins now needs the log. */
function placeOf({ system, dataset }: ModelWriter, { history, last }: ModelLog): LogBase {
  return { system, dataset, history, log: last?.position ?? digits(0) };
}

/** A piece that says nothing, and its cover. */
async function storeLog(
  world: World,
  writer: ModelWriter,
  epoch: Epoch,
  put: (key: Key, bytes: Uint8Array) => Promise<unknown>,
) {
  const { log, system, dataset, publicKey, privateKey } = writer;
  const { history, last } = log;
  const start = last?.position ?? digits(0);
  const end = digits(Number.parseInt(start, 16) + 1);
  const of = { system, dataset, timeline: `${history}-1` };
  const piece = world.unique('log');
  await put(logKey(spanOf({ ...of, writer: publicKey }, start, end), sha256Hex(piece)), piece);
  const sequence = (last?.sequence ?? 0) + 1;
  const nowMs = world.nowMs + writer.offMs;
  const { key, bytes } = encodeCover(
    {
      ...{ ...of, vault: vaultId, id: newUlid(nowMs, world.random), time: new Date(nowMs).toISOString() },
      ...{ pieces: [[start, end, sha256Hex(piece), piece.length]], keys: keysOf([epoch]) },
      ...{ previous: last?.hash ?? null, after: last?.position ?? null, sequence },
    },
    privateKey,
  );
  await put(key, bytes);
  // Something else may have begun a history meanwhile.
  if (writer.log === log) writer.log = { history, last: { hash: sha256Hex(bytes), position: end, sequence } };
}

function keyOf({ name, object }: Epoch): Key {
  return epochKeyKey(name, sha256Hex(object));
}

function keysOf(epochs: Iterable<Epoch>): SnapshotRecord['keys'] {
  const sorted = [...epochs].sort((a, b) => (a.name < b.name ? -1 : 1));
  return sorted.map(({ name, object }) => [name, sha256Hex(object), object.length] as const);
}

/** So few, that restore points share some lists and not others. */
function inPairs(packs: readonly SizedPack[]): SizedPack[][] {
  return packs.flatMap((_, at) => (at % 2 === 0 ? [packs.slice(at, at + 2)] : []));
}

export function unsigned(world: World, writer: ModelWriter, time: string): UnsignedRecord {
  const timeMs = Date.parse(time);
  return unsignedRecord(vaultId, timeMs, {
    system: writer.system,
    dataset: writer.dataset,
    id: newUlid(timeMs, world.random),
    manifest: ['0'.repeat(64), 1],
    previous: writer.lastHash,
    sequence: writer.sequence + 1,
  });
}

function follow(writer: ModelWriter, { hash, sequence }: Pending): void {
  writer.lastHash = hash;
  writer.sequence = sequence;
}

type Seen = ReturnType<World['seen']>;

/** A run that was killed may have stored its record. */
async function settlePending(writer: ModelWriter, active: readonly Seen[]): Promise<void> {
  const { pending } = writer;
  if (pending === undefined || pending.hash === writer.lastHash) return;
  for (const destination of active) {
    const bytes = await destination.get(pending.key).catch(() => undefined);
    if (bytes !== undefined && sha256Hex(bytes) === pending.hash) follow(writer, pending);
  }
}

async function catchUp(
  world: World,
  writer: ModelWriter,
  active: () => Seen[],
  drop: (destination: Seen, error: unknown) => void,
): Promise<void> {
  const run = startRun({ clock: world.clock });
  for (const to of active()) {
    if (!writer.lagging.has(to.name)) continue;
    try {
      const all = [];
      for (const destination of active()) all.push(await sizesAt(destination, run.signal));
      const target = all.find(({ destination }) => destination === to)!;
      const sources = all.filter((one) => one !== target);
      const plan = planCopy(target, sources, await withdrawnAt(vaultId, all));
      const withNeeds = needsReader(
        sources.map(({ destination }) => destination),
        createIds(),
        () => {},
      );
      const { refused, waiting, silent } = await copyMissing(plan, { vault: vaultId, withNeeds }, run);
      for (const [key] of target.sizes) {
        const parsed = parseKey(key);
        if (isHashed(parsed)) writer.holders.get(to.name)?.add(parsed.id);
      }
      if (refused.length + waiting.length + silent.length === 0) writer.lagging.delete(to.name);
    } catch (error) {
      drop(to, error);
    }
  }
}
