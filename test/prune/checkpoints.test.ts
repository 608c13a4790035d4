import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { dayMs, minuteMs } from '../../src/core/duration.ts';
import { startRun } from '../../src/core/run.ts';
import { newUlid } from '../../src/core/ulid.ts';
import { foldAcceptances } from '../../src/ledger/acceptances.ts';
import { isPassing, type LedgerJudging, nextCheckpoint, passedEntries } from '../../src/ledger/checkpoint.ts';
import { foldLedger } from '../../src/ledger/decisions.ts';
import { standingOf } from '../../src/ledger/standing.ts';
import { wrongPacksOf } from '../../src/ledger/wrong-packs.ts';
import { verifyStoredLedger } from '../../src/operations/audit/verify-stored.ts';
import { prune } from '../../src/operations/prune.ts';
import type { PruneRequest } from '../../src/operations/prune-plan.ts';
import { ledgerKey } from '../../src/vault/format/keys.ts';
import {
  decodeLedgerEntry,
  encodeLedgerEntry,
  hashOfEntry,
  type LedgerObject,
  verifyLedger,
} from '../../src/vault/format/ledger.ts';
import { newSigningKey, type SigningKey } from '../../src/vault/format/signing.ts';
import fc from '../support/fast-check.ts';
import { knowing } from '../support/keys.ts';
import type { TestSystem } from '../support/system.ts';
import { smallTree } from '../support/trees.ts';
import { aSystem, objectsIn } from '../support/vault.ts';

const vault = newUlid(1_700_000_000_000, randomBytes);
const startMs = 1_750_000_000_000;
const [writer, pruner, stranger] = [newSigningKey(), newSigningKey(), newSigningKey()];
const trust = {
  writers: knowing([writer.publicKey, pruner.publicKey]),
  pruners: knowing([pruner.publicKey]),
};
const nowMs = startMs + 1000 * dayMs;
const judging: LedgerJudging = { vault, trust, nowMs };
const limits = { keepMs: 10 * dayMs, least: 1 };

interface Said {
  readonly by: number;
  readonly kind: string;
  readonly body: Record<string, unknown>;
}

const keys = [writer, pruner, stranger];
const points = Array.from({ length: 4 }, (_, at) => newUlid(startMs + at, () => new Uint8Array(10)));
const hash = (digit: number) => String(digit).repeat(64);
const point = fc.constantFrom(...points);
const accepted = { system: 'harbor', dataset: 'db', code: 'data-lost' };
const body: fc.Arbitrary<Omit<Said, 'by'>> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('backup', 'copy', 'lock').map((kind) => ({ kind, body: { any: 1 } })) },
  fc.constant({ kind: 'prune', body: { step: 'sweep', generation: 1, destinations: {} } }),
  fc
    .record({ removed: fc.array(fc.nat(9).map(hash), { maxLength: 2 }), junk: fc.constantFrom([], ['snapshots/x']) })
    .map((said) => ({ kind: 'prune', body: { step: 'mark', generation: 1, retired: ['a'.repeat(32)], ...said } })),
  point.map((one) => ({ kind: 'pin', body: { action: 'pin', point: one, reason: 'a court' } })),
  point.map((one) => ({ kind: 'pin', body: { action: 'unpin', point: one } })),
  point.map((one) => ({ kind: 'erase', body: { points: [one], count: 1 } })),
  point.map((one) => ({
    kind: 'accept',
    body: {
      action: 'accept',
      ...accepted,
      point: one,
      reason: 'x',
      until: null,
      before: null,
      now: { bytes: 0, entries: 1 },
    },
  })),
  fc.nat(9).map((digit) => ({ kind: 'wrong-packs', body: { system: 'harbor', packs: [hash(digit)] } })),
  point.map((one) => ({
    kind: 'drill',
    body: {
      drill: { system: 'harbor' },
      scope: { datasets: [{ dataset: 'db', restorePoint: one }] },
      outcome: { verdict: 'proved' },
    },
  })),
  fc
    .constantFrom('used', 'rotated')
    .map((action) => ({ kind: 'key', body: { action, keys: [], added: [], removed: [] } })),
);
const anySaid = fc.array(
  fc.tuple(fc.constantFrom(0, 0, 0, 1, 2), body).map(([by, rest]) => ({ by, ...rest })),
  { maxLength: 30, size: 'max' },
);

/** Chains, entry after entry, a minute apart. */
class Ledger {
  readonly objects: LedgerObject[] = [];
  readonly #last = new Map<string, { hash: string; sequence: number }>();
  #ms = startMs;

  add(key: SigningKey, kind: string, body: object): LedgerObject {
    this.#ms += minuteMs;
    const atMs = this.#ms;
    const last = this.#last.get(key.publicKey);
    const id = newUlid(atMs, randomBytes);
    const time = new Date(atMs).toISOString();
    const sequence = (last?.sequence ?? 0) + 1;
    const record = { format: 1, vault, id, kind, time, previous: last?.hash ?? null, sequence, sealed: null } as const;
    const bytes = encodeLedgerEntry({ ...record, body: body as Record<string, unknown> }, key.privateKey);
    this.#last.set(key.publicKey, { hash: hashOfEntry(bytes), sequence });
    const object = { key: ledgerKey(id), bytes };
    this.objects.push(object);
    return object;
  }
}

function ledgerOf(said: readonly Said[]): Ledger {
  const ledger = new Ledger();
  for (const { by, kind, body } of said) ledger.add(keys[by]!, kind, body);
  return ledger;
}

/** What a checkpoint that the pruner makes leaves. */
function checkpointed(ledger: Ledger): LedgerObject[] {
  const chains = nextCheckpoint(ledger.objects, judging, limits);
  if (chains.length === 0) return ledger.objects;
  ledger.add(pruner, 'checkpoint', { chains });
  const gone = new Set(passedEntries(ledger.objects, judging));
  return ledger.objects.filter(({ key }) => !gone.has(key));
}

/** Everything that anybody asks of a ledger. */
function answers(objects: readonly LedgerObject[]) {
  const records = objects.map(({ key, bytes }) => decodeLedgerEntry(bytes, key));
  const heard = records.map((record) => ({ record, storedMs: nowMs }));
  const of = (kind: string) =>
    heard.filter((one) => one.record.kind === kind && standingOf(one, { ...judging, system: 'harbor' }) === 'believed');
  const { suspect, ...folded } = foldLedger(objects, vault, trust, [], nowMs);
  return {
    ...folded,
    suspect: suspect.length,
    problems: verifyLedger(objects, { vault, decides: (one) => one === pruner.publicKey }).problems.length,
    acceptances: foldAcceptances(heard, { vault, trust, nowMs }),
    proofs: of('drill').map(({ record }) => record.id),
    keys: of('key').map(({ record }) => record.id),
    wrong: of('wrong-packs').flatMap(({ record }) => wrongPacksOf(record.body)?.packs ?? []),
    // The pruner's own chain goes on by the checkpoint.
    newest: records.findLast((one) => one.writer === writer.publicKey)?.id,
  };
}

describe('a checkpoint of the ledger', () => {
  test('no answer is another before and after, and what nothing rests on goes', () => {
    let gone = 0;
    fc.assert(
      fc.property(anySaid, anySaid, (first, second) => {
        const ledger = ledgerOf(first);
        const before = answers(ledger.objects);
        const once = checkpointed(ledger);
        gone += ledger.objects.length - once.length;
        expect(answers(once)).toEqual(before);
        // And with more that is said, and another that goes on from the first.
        for (const { by, kind, body } of second) ledger.add(keys[by]!, kind, body);
        const whole = answers(ledger.objects);
        const twice = new Set(once.map(({ key }) => key));
        const left = ledger.objects.filter(
          ({ key }, at) => twice.has(key) || at > ledger.objects.length - second.length - 1,
        );
        expect(answers(left)).toEqual(whole);
        const goes = new Ledger();
        goes.objects.push(...left);
        const chains = nextCheckpoint(left, judging, limits);
        expect(chains.map(({ writer: of }) => of)).not.toContain(stranger.publicKey);
        if (chains.length === 0) return;
        ledger.add(pruner, 'checkpoint', { chains });
        const after = [...left, ledger.objects.at(-1)!];
        const dropped = new Set(passedEntries(after, judging));
        expect(answers(after.filter(({ key }) => !dropped.has(key)))).toEqual(whole);
      }),
      { numRuns: 30 },
    );
    expect(gone).toBeGreaterThan(30);
  });

  test('whatever is said, nothing goes but what machines note of what they always do, and never the end of a chain', () => {
    let gone = 0;
    fc.assert(
      fc.property(anySaid, fc.boolean(), (said, forged) => {
        const ledger = ledgerOf(said);
        // Also where the pruner itself says that all of it may go.
        const chains = [{ writer: writer.publicKey, through: 1000, last: hash(1), range: hash(2), kept: [] }];
        if (forged) ledger.add(pruner, 'checkpoint', { chains });
        else checkpointed(ledger);
        const records = ledger.objects.map(({ key, bytes }) => decodeLedgerEntry(bytes, key));
        const newest = new Map(records.map((record) => [record.writer, record.id]));
        const going = passedEntries(ledger.objects, judging);
        gone += going.length;
        for (const record of records.filter(({ id }) => going.includes(ledgerKey(id)))) {
          expect(record).toSatisfy(isPassing);
          expect(record.id).not.toBe(newest.get(record.writer));
        }
      }),
      { numRuns: 30 },
    );
    expect(gone).toBeGreaterThan(30);
  });

  const five = () => {
    const ledger = new Ledger();
    for (const kind of ['backup', 'pin', 'backup', 'backup', 'backup', 'key'])
      ledger.add(writer, kind, { action: 'pin' });
    return ledger;
  };
  const problemsOf = (objects: readonly LedgerObject[]) =>
    verifyLedger(objects, { vault, decides: (one) => one === pruner.publicKey }).problems.map(({ code }) => code);

  test('one by who may not prune explains nothing and lets nothing go, and one that is gone brings nothing back', () => {
    const ledger = five();
    const chains = nextCheckpoint(ledger.objects, judging, limits);
    for (const by of [writer, stranger]) {
      const other = five();
      other.add(by, 'checkpoint', { chains: chains.map((one) => ({ ...one, through: 5, kept: [] })) });
      expect(passedEntries(other.objects, judging)).toEqual([]);
      const gap = verifyLedger(
        other.objects.filter((_, at) => at !== 2),
        {
          vault,
          decides: (one) => one === pruner.publicKey,
        },
      );
      expect(gap.problems).toMatchObject([{ code: 'gap' }]);
    }
    const left = checkpointed(ledger);
    expect(left).toHaveLength(ledger.objects.length - 4);
    expect(problemsOf(left)).toEqual([]);
    // Without it the gaps are what they look like, and no pin is lost for it.
    const without = left.filter(({ key, bytes }) => decodeLedgerEntry(bytes, key).kind !== 'checkpoint');
    expect(problemsOf(without)).toEqual(['gap', 'gap']);
    expect(passedEntries(without, judging)).toEqual([]);
  });

  test('what it keeps is missed when it is gone, and a copy of what went is shown to be one', () => {
    const ledger = five();
    const left = checkpointed(ledger);
    const pin = left.find(({ key, bytes }) => decodeLedgerEntry(bytes, key).kind === 'pin')!;
    expect(problemsOf(left.filter((one) => one !== pin))).toEqual(['gap']);
    expect(problemsOf(ledger.objects)).toEqual([]);
    const forged = new Ledger();
    for (const kind of ['backup', 'pin', 'copy', 'backup', 'backup', 'key'])
      forged.add(writer, kind, { action: 'pin' });
    expect(problemsOf([...forged.objects, ledger.objects.at(-1)!])).toContain('order');
  });

  test('it explains no gap behind what it is about, nor that another entry stood at its end', () => {
    const ledger = five();
    const left = checkpointed(ledger);
    const later = ['backup', 'backup', 'backup'].map((kind) => ledger.add(writer, kind, {}));
    expect(problemsOf([...left, ...later])).toEqual([]);
    expect(problemsOf([...left, later[0]!, later[2]!])).toEqual(['gap']);
    expect(problemsOf([...left, later[1]!, later[2]!])).toEqual(['gap']);
    const other = five();
    const [chain] = nextCheckpoint(other.objects, judging, limits);
    other.add(pruner, 'checkpoint', { chains: [{ ...chain, last: hash(7) }] });
    expect(problemsOf(other.objects.filter((_, at) => at !== 4))).toEqual(['gap']);
  });

  test('none goes past a gap, a fork, what is young, or the end of a chain, and none is made for little', () => {
    const throughOf = (objects: readonly LedgerObject[], more = {}) =>
      nextCheckpoint(objects, judging, { ...limits, ...more }).map(({ through }) => through);
    const { objects } = five();
    expect(throughOf(objects)).toEqual([5]);
    expect(throughOf(objects, { least: 5 })).toEqual([]);
    expect(throughOf(objects, { keepMs: nowMs - startMs - 3 * minuteMs })).toEqual([3]);
    expect(throughOf(objects.filter((_, at) => at !== 3))).toEqual([3]);
    expect(throughOf(objects.filter((_, at) => at > 0))).toEqual([]);
    expect(throughOf([...objects, ...five().objects.slice(0, 3)])).toEqual([]);
    expect(throughOf(objects.slice(0, 1))).toEqual([]);
  });
});

/** Entries of a host that backed up for a year, two years ago. */
function plantYear(system: TestSystem, of: string, key: SigningKey, count: number): string[] {
  let previous: string | null = null;
  const fromMs = Date.now() - 800 * dayMs;
  return Array.from({ length: count }, (_, at) => {
    const atMs = fromMs + at * minuteMs;
    const id = newUlid(atMs, randomBytes);
    const isPin = at === 7;
    const kind = isPin ? 'pin' : 'backup';
    const body = isPin ? { action: 'pin', point: points[0]!, reason: 'kept' } : { restorePoints: [] };
    const time = new Date(atMs).toISOString();
    const record = { format: 1, vault: of, id, kind, time, previous, sequence: at + 1, body, sealed: null } as const;
    const bytes = encodeLedgerEntry(record, key.privateKey);
    previous = hashOfEntry(bytes);
    const file = join(system.at(), ledgerKey(id));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, bytes);
    utimesSync(file, atMs / 1000, atMs / 1000);
    return ledgerKey(id);
  });
}

test('a prune makes one where a ledger has grown, the next after the grace removes what is under it, and audit verify says so', async () => {
  const system = await aSystem();
  smallTree(system.source());
  const { record } = await system.backUp();
  const old = newSigningKey();
  Object.assign(system.config.vault, { writers: [{ key: old.publicKey, systems: ['harbor'] }] });
  const planted = plantYear(system, record.vault, old, 1010);
  const request: PruneRequest = { dryRun: false, allowLarge: true, allowFlood: true, allowMissing: false, retire: [] };
  const pruned = async (clock = systemClock) => {
    using open = system.open({ clock });
    await prune(open, request, startRun({ clock }));
  };
  const verified = async () => {
    using open = system.open();
    return await verifyStoredLedger(open, [], () => {});
  };
  const there = () => [...objectsIn(system.at()).keys()].filter((key) => planted.includes(key));
  await pruned();
  expect(there()).toHaveLength(1010);
  expect((await verified()).under).toMatchObject([{ writer: old.publicKey, through: 1009, gone: 0 }]);
  // The stores' clock goes on.
  const later = Date.now() / 1000 + 4 * 86_400;
  const pack = [...objectsIn(system.at()).keys()].find((key) => key.startsWith('packs/'))!;
  utimesSync(join(system.at(), pack), later, later);
  await pruned();
  expect(there()).toEqual([planted[7], planted[1009]]);
  const after = await verified();
  expect(after).toMatchObject({ ok: true, under: [{ writer: old.publicKey, through: 1009, gone: 1008 }] });
  expect((await system.verify()).sound).toBe(true);
  rmSync(join(system.at(), planted[7]!));
  expect(await verified()).toMatchObject({ ok: false, problems: [{ code: 'gap' }] });
});
