import { join } from 'node:path';
import type { RandomBytes } from '../../core/clock.ts';
import type { Run } from '../../core/run.ts';
import { newUlid } from '../../core/ulid.ts';
import { copyMissing } from '../../destinations/copy.ts';
import type { Destination } from '../../destinations/destination.ts';
import { objectMissing } from '../../destinations/errors.ts';
import { noDestination, vaultReplaced, vaultsDiffer } from '../errors.ts';
import { decodeGeneration } from '../format/generation.ts';
import { decodeIndexDelta } from '../format/index-delta.ts';
import { packKey, parseKey, RESCUE_KEY, VAULT_KEY } from '../format/keys.ts';
import { decodeVaultFile, encodeVaultFile } from '../format/vault-file.ts';
import { type IndexCache, openIndexCache } from '../index/cache.ts';
import { openSmall } from '../small-objects.ts';
import { type WriterKeys, writerKeys } from '../writer-keys.ts';
import { type Copies, copiesTo } from './copies.ts';
import { lockWriter } from './lock.ts';

export interface WriterOptions {
  readonly system: string;
  readonly stateDir: string;
  readonly recipients: readonly string[];
  readonly destinations: readonly Destination[];
  readonly random: RandomBytes;
  readonly tool: string;
  /** The rescue script, stored in every vault. */
  readonly rescue: Uint8Array;
  /** Fill a destination anew whose vault is gone. */
  readonly refill: boolean;
}

/** One writer at work: its keys, what it knows of the vault, and the destinations that take part. */
export interface WriterSession extends AsyncDisposable {
  readonly options: WriterOptions;
  readonly vault: string;
  readonly keys: WriterKeys;
  readonly index: IndexCache;
  readonly copies: Copies;
  /** The newest prune generation, read anew. */
  generation(): Promise<{ number: number; absent: ReadonlySet<string> }>;
}

/** Opens the vault for writing, makes it when it does not exist, and brings destinations that lag up to date. */
export async function openWriter(options: WriterOptions, run: Run): Promise<WriterSession> {
  const lock = lockWriter(options.stateDir);
  try {
    const copies = copiesTo(options.destinations, run);
    const found = await findVaults(copies);
    const vault = found.vault ?? newUlid(run.clock.now(), options.random);
    const keys = await writerKeys(join(options.stateDir, 'writer.json'), vault, options.random);
    const index = openIndexCache(join(options.stateDir, 'index.sqlite'), `${vault} ${keys.writer}`);
    const session: WriterSession = {
      options,
      vault,
      keys,
      index,
      copies,
      generation: () => newestGeneration(copies),
      async [Symbol.asyncDispose]() {
        index.close();
        lock[Symbol.dispose]();
      },
    };
    try {
      await begin(session, found.without, run);
    } catch (error) {
      await session[Symbol.asyncDispose]();
      throw error;
    }
    return session;
  } catch (error) {
    lock[Symbol.dispose]();
    throw error;
  }
}

async function findVaults(copies: Copies): Promise<{ vault: string | undefined; without: Destination[] }> {
  let first: { vault: string; name: string } | undefined;
  const without: Destination[] = [];
  if (copies.active.length === 0) throw noDestination({ why: 'none could be opened.' });
  for (const destination of [...copies.active]) {
    try {
      const { vault } = decodeVaultFile(await destination.get(VAULT_KEY));
      first ??= { vault, name: destination.name };
      if (vault !== first.vault) throw vaultsDiffer({ one: first.name, other: destination.name });
    } catch (error) {
      if (vaultsDiffer.is(error)) throw error;
      if (objectMissing.is(error)) without.push(destination);
      else copies.drop(destination, error);
    }
  }
  return { vault: first?.vault, without: without.filter((destination) => copies.active.includes(destination)) };
}

async function begin(session: WriterSession, without: readonly Destination[], run: Run): Promise<void> {
  const { index, options, copies } = session;
  for (const destination of without) {
    if (index.get(`known ${destination.name}`) !== undefined && !options.refill) {
      copies.drop(destination, vaultReplaced({ destination: destination.name }));
      continue;
    }
    index.forgetHolder(destination.name);
    index.set(`lagging ${destination.name}`, 'yes');
  }
  if (index.get('loaded') === undefined) {
    await run.step('rebuild index', () => rebuildIndex(session, run));
    index.set('loaded', 'yes');
  }
  for (const destination of copies.active) await noticeLoss(session, destination);
  await run.step('catch up', () => catchUp(session, run));
  const vaultFile = encodeVaultFile({
    format: 1,
    vault: session.vault,
    created: new Date(run.clock.now()).toISOString(),
  });
  for (const destination of without) {
    if (!copies.active.includes(destination)) continue;
    try {
      // Last: until then the destination is no vault, and an interrupted filling begins again.
      await destination.put(RESCUE_KEY, options.rescue);
      await destination.put(VAULT_KEY, await firstVaultFile(copies, vaultFile));
    } catch (error) {
      copies.drop(destination, error);
    }
  }
  for (const destination of copies.active) index.set(`known ${destination.name}`, 'yes');
  index.useOnlyHeldBy(copies.active.map(({ name }) => name));
}

/** The same bytes on every destination. */
async function firstVaultFile(copies: Copies, fresh: Uint8Array): Promise<Uint8Array> {
  for (const destination of copies.active) {
    try {
      return await destination.get(VAULT_KEY);
    } catch (error) {
      if (!objectMissing.is(error)) copies.drop(destination, error);
    }
  }
  return fresh;
}

/** The index of this writer from its deltas, and what each destination really holds. */
async function rebuildIndex({ index, keys, copies }: WriterSession, run: Run): Promise<void> {
  const deltas = new Map<string, Destination[]>();
  for (const destination of [...copies.active]) {
    try {
      for await (const { key } of destination.list(`index/${keys.writer}/`)) {
        deltas.set(key, [...(deltas.get(key) ?? []), destination]);
      }
    } catch (error) {
      copies.drop(destination, error);
    }
  }
  for (const [key, holders] of deltas) {
    for (const destination of holders) {
      try {
        const delta = decodeIndexDelta(await openSmall(await destination.get(key), [keys.indexIdentity]));
        for (const pack of delta.packs) index.addPack(pack, []);
        break;
      } catch (error) {
        // What it names is sent again.
        run.problem({ code: 'index-unreadable', message: `${key} in ${destination.name}: ${String(error)}` });
      }
    }
  }
  for (const destination of [...copies.active]) await noteHeld(index, copies, destination);
}

async function noteHeld(index: IndexCache, copies: Copies, destination: Destination): Promise<void> {
  index.forgetHolder(destination.name);
  try {
    for await (const { key, sizeBytes } of destination.list('packs/')) {
      const parsed = parseKey(key);
      if (parsed?.type === 'pack' && index.packSize(parsed.id) === sizeBytes)
        index.addHolder(parsed.id, destination.name);
    }
  } catch (error) {
    copies.drop(destination, error);
  }
}

/** A destination that lost the newest record we put there was set back or emptied: look at what it really holds. */
async function noticeLoss({ index, copies }: WriterSession, destination: Destination): Promise<void> {
  const last = index.get(`last record ${destination.name}`);
  if (last === undefined) return;
  try {
    await destination.stat(last);
  } catch (error) {
    if (!objectMissing.is(error)) return copies.drop(destination, error);
    await noteHeld(index, copies, destination);
    index.set(`lagging ${destination.name}`, 'yes');
  }
}

/** Copies to each destination what others hold and it does not. Ciphertext as it is: no key is needed. */
async function catchUp(session: WriterSession, run: Run): Promise<void> {
  const { index, copies } = session;
  for (const to of [...copies.active]) {
    const lagging = index.get(`lagging ${to.name}`) === 'yes';
    if (!lagging && index.missingAt(to.name).length === 0) continue;
    let whole = true;
    for (const from of copies.active) {
      if (from === to || !copies.active.includes(to)) continue;
      try {
        whole = (await fill(session, from, to, run)) && whole;
      } catch (error) {
        copies.drop(to, error);
      }
    }
    if (whole && index.missingAt(to.name).length === 0) index.set(`lagging ${to.name}`, 'no');
  }
}

/** True when `to` holds all that `from` has. Records come last: a destination names only restore points that it holds. */
async function fill({ index }: WriterSession, from: Destination, to: Destination, run: Run): Promise<boolean> {
  const packs = index.missingAt(to.name);
  const known = await copyMissing(from, to, packs.map(packKey), run);
  const refused = new Set(known.refused.map(({ key }) => key));
  for (const pack of packs) if (!refused.has(packKey(pack))) index.addHolder(pack, to.name);
  let whole = refused.size === 0;
  for (const prefix of ['packs/', 'index/', 'manifests/', 'ledger/', 'gc/', 'snapshots/']) {
    if (prefix === 'snapshots/' && !whole) break;
    const copied = await copyMissing(from, to, keysUnder(from, prefix), run);
    whole = whole && copied.refused.length === 0;
  }
  return whole;
}

async function* keysUnder(destination: Destination, prefix: string): AsyncGenerator<string> {
  for await (const { key } of destination.list(prefix)) yield key;
}

async function newestGeneration(copies: Copies): Promise<{ number: number; absent: ReadonlySet<string> }> {
  let newest = { number: 0, absent: new Set<string>() };
  for (const destination of [...copies.active]) {
    try {
      for await (const { key } of destination.list('gc/')) {
        const parsed = parseKey(key);
        if (parsed?.type !== 'generation' || parsed.generation <= newest.number) continue;
        const generation = decodeGeneration(await destination.get(key));
        newest = { number: parsed.generation, absent: new Set([...generation.tombstones, ...generation.sparse]) };
      }
    } catch (error) {
      copies.drop(destination, error);
    }
  }
  return newest;
}
