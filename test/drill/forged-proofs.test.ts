import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { loadSystem } from '../../src/config/load.ts';
import { systemClock } from '../../src/core/clock.ts';
import { dayMs, hourMs, minuteMs } from '../../src/core/duration.ts';
import { printOf } from '../../src/core/recipient-print.ts';
import { startRun } from '../../src/core/run.ts';
import { newUlid } from '../../src/core/ulid.ts';
import { acceptLoss } from '../../src/operations/anomalies/accept.ts';
import { listEvidence, showEvidence } from '../../src/operations/drill/evidence.ts';
import { hearingOf } from '../../src/operations/hearing.ts';
import { readPruneLedger } from '../../src/operations/pins.ts';
import { takeStatus } from '../../src/operations/status/take-status.ts';
import { openSystem } from '../../src/operations/system.ts';
import { planFor } from '../../src/retention/index.ts';
import { generateIdentity } from '../../src/vault/age/identity.ts';
import { ledgerKey } from '../../src/vault/format/keys.ts';
import { encodeLedgerEntry } from '../../src/vault/format/ledger.ts';
import { recordBytes, recordKey } from '../../src/vault/format/record.ts';
import { newSigningKey, type SigningKey } from '../../src/vault/format/signing.ts';
import { measured } from '../cli/measured.ts';
import { forgedRecord } from '../ransomware/forgeries.ts';
import { evidenceOf, type PlantedDrill, plantVault } from '../support/plant-vault.ts';
import { temporaryFolder } from '../support/temp.ts';

const now = systemClock.now();
const datasets = ['uploads', 'papers'];
const everything: Omit<PlantedDrill, 'atMs'> = { verdict: 'proved', datasets, rtoMs: 1000 };

interface Named {
  readonly writers?: readonly SigningKey[];
  readonly pruners?: readonly SigningKey[];
  readonly drillers?: readonly SigningKey[];
}

/** A vault with a restore point of each dataset, of an hour ago, and what a machine makes of it that was never there before. */
async function harbor(named: (own: SigningKey) => Named = () => ({})) {
  const folder = await temporaryFolder();
  const vault = plantVault('harbor', [join(folder, 'one')]);
  const points = Object.fromEntries(
    datasets.map((dataset) => [dataset, vault.point({ dataset, timeMs: now - hourMs })]),
  );
  const { recipient } = generateIdentity();
  const { writers, pruners, drillers } = named(vault.keys);
  const list = (keys: readonly SigningKey[] = []) => JSON.stringify(keys.map(({ publicKey }) => publicKey));
  const file = join(folder, 'lifeboat.yaml');
  writeFileSync(
    file,
    `version: 1
system: harbor
vault: { recipients: [${recipient}], writers: ${list(writers)}, pruners: ${list(pruners)} }
destinations: { one: { type: local, path: one } }
datasets: { uploads: { type: files, path: u, rpo: 2h, rto: 10m }, papers: { type: files, path: p, rpo: 2h, rto: 10m } }
drill: { writers: ${list(drillers)} }
`,
  );
  const systemAt = (nowMs: number, state = 'state') =>
    openSystem(loadSystem(file, { LIFEBOAT_STATE_DIR: join(folder, state) }), {
      clock: { now: () => nowMs, elapsed: systemClock.elapsed },
    });
  return {
    ...{ folder, vault, points, recipient },
    at: (...names: string[]) => join(folder, 'one', ...names),
    systemAt,
    /** With an empty memory, and with what the first look remembered. */
    async looks(nowMs = now) {
      rmSync(join(folder, 'state'), { recursive: true, force: true });
      mkdirSync(join(folder, 'state'));
      const seen: Awaited<ReturnType<typeof look>>[] = [];
      for (let time = 0; time < 2; time++) seen.push(await look(nowMs));
      expect(seen[1]).toEqual(seen[0]);
      return seen[0]!;
    },
  };
  async function look(nowMs: number) {
    using system = systemAt(nowMs);
    const status = await takeStatus(system, undefined);
    const reader = await system.vault(() => {});
    const hearing = await hearingOf(system, reader);
    const listed = await listEvidence(reader.destinations, hearing, system.config.stateDir);
    const latest = await showEvidence(reader.destinations, 'latest', hearing, []).catch(() => undefined);
    return {
      proof: status.proof?.at ?? null,
      last: status.lastDrill?.verdict ?? null,
      codes: status.troubles.map(({ code }) => code),
      data: status.datasets.map((one) => `${one.name} ${one.data}`).sort(),
      keys: status.keys?.map((one) => one.proved?.at ?? null),
      listed: listed.entries.map(({ time, verdict }) => `${verdict} ${time}`),
      doubtful: listed.doubtfulCount,
      latest: latest?.record.time,
    };
  }
}

const iso = (ms: number) => new Date(ms).toISOString();

/** An entry of any body, at any time, for any vault. */
function entry(vault: string, body: unknown, by: string, atMs: number, kind = 'drill'): [string, Uint8Array] {
  const id = newUlid(atMs, randomBytes);
  const record = { format: 1, vault, id, kind, time: iso(atMs), previous: null, sequence: 1, sealed: null } as const;
  return [ledgerKey(id), encodeLedgerEntry({ ...record, body: body as Record<string, unknown> }, by)];
}

function put(folder: string, [key, bytes]: readonly [string, Uint8Array | string]): void {
  mkdirSync(dirname(join(folder, key)), { recursive: true });
  writeFileSync(join(folder, key), bytes);
}

/** Bodies that are almost those of a drill, or nothing at all. */
const malformed: readonly unknown[] = [
  {},
  { drill: null },
  { drill: { id: 'x' } },
  { drill: { id: 'x', system: 'harbor', started: 'yesterday' }, outcome: { verdict: 'proved' } },
  { outcome: { verdict: 'proved' }, scope: { datasets: [{}], left: {} }, checks: 'all' },
  JSON.parse('{"__proto__":{"drill":{}},"constructor":1,"drill":{"id":{"toString":1}}}'),
];

test('H10, M1: what whoever may add objects leaves in the ledger proves nothing, hides neither proof nor failure, and is told in a line', async () => {
  const on = await harbor();
  on.vault.drill({ ...everything, atMs: now - 3 * dayMs, opened: [printOf(on.recipient)] });
  on.vault.drill({ ...everything, atMs: now - 2 * dayMs, verdict: 'failed' });
  const before = await on.looks();
  expect(before).toMatchObject({ proof: iso(now - 3 * dayMs), last: 'failed', keys: [iso(now - 3 * dayMs)] });
  const { privateKey } = newSigningKey();
  const moments = [-9 * dayMs, -minuteMs, 300 * dayMs, Date.UTC(2121, 0) - now];
  for (const moment of moments) {
    const atMs = now + moment;
    const proved = evidenceOf('harbor', { ...everything, atMs, opened: [printOf(on.recipient)] });
    const others = evidenceOf('harbor', { ...everything, atMs: now - minuteMs });
    for (const body of [proved, others, ...malformed]) put(on.at(), entry(on.vault.id, body, privateKey, atMs));
    put(on.at(), entry(on.vault.id, { added: [printOf(on.recipient)] }, privateKey, atMs, 'key'));
    // The true writer's words, and what is in another vault of its, count there.
    put(on.at(), entry(newUlid(now, randomBytes), proved, on.vault.keys.privateKey, atMs));
    // Nobody's: more of it than a look reads in all.
    for (let at = 0; at < 1000; at++) put(on.at(), [ledgerKey(newUlid(atMs + at, randomBytes)), '{"payload":1}\n']);
    put(on.at(), [ledgerKey(newUlid(atMs, randomBytes)), Buffer.alloc(17 * 2 ** 20, '{')]);
  }
  const after = await on.looks();
  const told = ['evidence-strange', 'evidence-doubtful'];
  expect(after).toMatchObject({ ...before, doubtful: expect.any(Number), codes: expect.arrayContaining(told) });
  expect(after.codes.filter((code) => !told.includes(code))).toEqual(before.codes);
});

test('H10: the true entries under other names, put back from before, or taken away, make no proof that was not', async () => {
  const on = await harbor();
  on.vault.drill({ ...everything, atMs: now - 3 * dayMs });
  const proof = readFileSync(on.at((await latestOf(on)).key));
  on.vault.drill({ ...everything, atMs: now - 9 * dayMs });
  on.vault.drill({ ...everything, atMs: now - dayMs, verdict: 'failed' });
  const before = await on.looks();
  expect(before).toMatchObject({ proof: iso(now - 3 * dayMs), last: 'failed' });
  const { key: failed } = await latestOf(on);
  put(on.at(), [ledgerKey(newUlid(now, randomBytes)), proof]);
  put(on.at(), [failed, proof]);
  const after = await on.looks();
  expect(after).toMatchObject({ proof: iso(now - 3 * dayMs), codes: expect.arrayContaining(['evidence-doubtful']) });
  expect(after.listed).toEqual(before.listed.filter((line) => !line.startsWith('failed')));
  rmSync(on.at('ledger'), { recursive: true });
  expect(await on.looks()).toMatchObject({ proof: null, codes: expect.arrayContaining(['never-proved']) });
});

test('H10: where drill.writers names who drills, whoever has a host’s key, the pruner’s or another system’s proves and accepts nothing', async () => {
  const [driller, pruner, neighbour] = [newSigningKey(), newSigningKey(), newSigningKey()];
  const on = await harbor((own) => ({ writers: [own], pruners: [pruner], drillers: [driller] }));
  const emptied = on.vault.point({ dataset: 'papers', timeMs: now - minuteMs, sizes: { logical: 0, entries: 1 } });
  on.vault.drill({ ...everything, atMs: now - 3 * dayMs, by: driller.privateKey });
  on.vault.drill({ ...everything, atMs: now - 2 * dayMs, verdict: 'failed', by: driller.privateKey });
  const before = await on.looks();
  expect(before).toMatchObject({ proof: iso(now - 3 * dayMs), last: 'failed', data: ['papers lost', 'uploads sound'] });
  for (const { privateKey: by } of [on.vault.keys, pruner, neighbour, newSigningKey()]) {
    const points = { papers: emptied.id };
    for (const atMs of [now - 5 * minuteMs, now, now + 300 * dayMs]) {
      on.vault.drill({ ...everything, atMs, by, points, opened: [printOf(on.recipient)] });
      on.vault.accept({ dataset: 'papers', point: emptied.id, atMs, by });
    }
  }
  const after = await on.looks();
  expect(after).toMatchObject({ ...before, doubtful: 12, codes: expect.arrayContaining(['evidence-strange']) });
  // Nor for what a prune keeps: the full one stays.
  using system = on.systemAt(now);
  const vault = await system.vault(() => {});
  const ledger = await readPruneLedger(vault);
  expect([...ledger.settled.values()].flat()).toEqual([]);
  const { datasets: planned } = planFor(system.config, await vault.pointsOfAll(), { ledger, nowMs: now });
  const papers = planned.find(({ dataset }) => dataset === 'papers')?.points ?? [];
  expect(papers.find(({ point }) => point.record.id === on.points.papers!.id)?.keep).toBe(true);
  // And who may not is told so, instead of being passed over.
  const run = startRun({ clock: systemClock });
  const accepting = acceptLoss(system, vault, { dataset: 'papers', reason: 'meant', identities: [] }, run);
  await expect(accepting).rejects.toMatchObject({ code: 'acceptance-not-heard' });
});

test('H10: nobody dates a proof ahead: not who may drill, not with a clock that was wrong, and not once that day has come', async () => {
  const on = await harbor();
  on.vault.drill({ ...everything, atMs: now - 3 * dayMs });
  for (const ahead of [hourMs, 40 * dayMs, 300 * dayMs])
    on.vault.drill({ ...everything, atMs: now + ahead, storedMs: now });
  expect(await on.looks()).toMatchObject({
    proof: iso(now - 3 * dayMs),
    codes: expect.arrayContaining(['evidence-doubtful']),
  });
  const later = await on.looks(now + 41 * dayMs);
  expect(later).toMatchObject({ proof: iso(now - 3 * dayMs), codes: expect.arrayContaining(['drill-overdue']) });
});

test('H10, M1: five thousand records, proofs and pieces of rubbish cost little, are told in a few lines, and hide nothing', async () => {
  const on = await harbor((own) => ({ writers: [own] }));
  on.vault.drill({ ...everything, atMs: now - 3 * dayMs });
  const { privateKey } = newSigningKey();
  for (let at = 0; at < 5000; at++) {
    const atMs = now - hourMs + at * 60;
    put(on.at(), entry(on.vault.id, evidenceOf('harbor', { ...everything, atMs }), privateKey, atMs));
    put(on.at(), [ledgerKey(newUlid(Date.UTC(2121, 0) + at, randomBytes)), 'rubbish']);
    const forged = forgedRecord(
      { ...on.points.uploads!, dataset: `theirs-${at % 200}` },
      at < 50 ? newSigningKey().privateKey : privateKey,
      { timeMs: atMs },
    );
    put(on.at(), [recordKey(forged), recordBytes(forged)]);
  }
  const ran: Record<string, Awaited<ReturnType<typeof measured>>> = {};
  for (const words of ['status', 'evidence list']) {
    ran[words] = await measured(on.folder, words.split(' '));
  }
  for (const [words, { peakMb, stdout, stderr }] of Object.entries(ran)) {
    expect(peakMb, words).toBeLessThan(500);
    expect((stdout + stderr).split('\n').length, `${words}: ${stdout.slice(0, 900)}`).toBeLessThan(60);
  }
  expect(ran.status?.stdout).toContain('3 days ago');
  expect(ran['evidence list']?.stdout).toMatch(/proved/);
});

async function latestOf(on: Awaited<ReturnType<typeof harbor>>) {
  using system = on.systemAt(now);
  const vault = await system.vault(() => {});
  const { record } = await showEvidence(vault.destinations, 'latest', await hearingOf(system, vault), []);
  return { key: ledgerKey(record.id) };
}
