import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { harbor, now } from '../../../test/support/planted-harbor.ts';
import { dayMs, hourMs, minuteMs } from '../../core/duration.ts';
import { freedBy, planFor, reasonText } from '../../retention/index.ts';
import { listBytesOf } from '../../vault/format/pack-list.ts';
import { newSigningKey } from '../../vault/format/signing.ts';
import type { SystemStatus } from './status.ts';

const codes = (status: SystemStatus) => [
  ...status.troubles.map((trouble) => trouble.code),
  ...status.datasets.flatMap((dataset) => dataset.troubles.map((trouble) => `${dataset.name} ${trouble.code}`)),
];

describe('status', () => {
  test('answers with the oldest of the newest restore points and the last proof, and finds nothing wrong', async () => {
    const { vault, status } = await harbor();
    vault.point({ dataset: 'app-db', timeMs: now - 90 * minuteMs });
    vault.point({ dataset: 'app-db', timeMs: now - 3 * minuteMs });
    vault.point({ dataset: 'uploads', timeMs: now - 4 * minuteMs });
    vault.drill({ atMs: now - 3 * dayMs, verdict: 'proved', datasets: ['app-db', 'uploads'], rtoMs: 401_000 });
    const found = await status();
    expect(found).toMatchObject({
      ok: true,
      answer: { lossMs: 4 * minuteMs, withoutRestorePoint: [], recoveryMs: 401_000 },
      proof: {
        at: '2026-11-17T10:16:00.000Z',
        checksPassed: 2,
        checksTotal: 2,
        rtoMs: 401_000,
        rtoObjectiveMs: 600_000,
      },
      lastDrill: null,
      verification: { soundParts: 2, parts: 7, completeSince: null },
    });
    expect(found.datasets.map((dataset) => [dataset.name, dataset.restorePoints])).toEqual([
      ['app-db', 2],
      ['uploads', 1],
    ]);
    expect(codes(found)).toEqual([]);
  });

  test('never says proved without a proof, nor back in without one', async () => {
    const { vault, status } = await harbor();
    vault.point({ dataset: 'app-db', timeMs: now });
    vault.point({ dataset: 'uploads', timeMs: now });
    vault.drill({ atMs: now - hourMs, verdict: 'failed', datasets: ['app-db', 'uploads'], rtoMs: 1 });
    const found = await status();
    expect(found).toMatchObject({
      ok: false,
      proof: null,
      lastDrill: { verdict: 'failed' },
      answer: { recoveryMs: null },
    });
    expect(codes(found)).toEqual(['drill-failed', 'never-proved']);
  });

  test('a failed drill after a good one is told, and the proof keeps its date', async () => {
    const { vault, status } = await harbor();
    vault.point({ dataset: 'app-db', timeMs: now });
    vault.point({ dataset: 'uploads', timeMs: now });
    vault.drill({ atMs: now - 2 * dayMs, verdict: 'proved', datasets: ['app-db', 'uploads'], rtoMs: 1000 });
    vault.drill({ atMs: now - dayMs, verdict: 'failed', datasets: ['app-db'], rtoMs: 1 });
    const found = await status();
    expect(found.proof?.at).toBe('2026-11-18T10:16:00.000Z');
    expect(codes(found)).toEqual(['drill-failed']);
    // status-after-failed-drill: the older proof is no answer to how long it takes to be back.
    expect(found).toMatchObject({ answer: { recoveryMs: null }, failure: { at: '2026-11-19T10:16:00.000Z' } });
    expect(found.datasets.map(({ name, failedAt }) => [name, failedAt !== null])).toEqual([
      ['app-db', true],
      ['uploads', false],
    ]);
    // One that found nothing out takes nothing back, and a proof of the same dataset does.
    vault.drill({ atMs: now - 2 * hourMs, verdict: 'inconclusive', datasets: ['app-db'], rtoMs: 1 });
    expect((await status()).answer.recoveryMs).toBeNull();
    vault.drill({ atMs: now - hourMs, verdict: 'proved', datasets: ['app-db'], left: ['uploads'], rtoMs: 1 });
    expect(await status()).toMatchObject({ ok: true, answer: { recoveryMs: 1000 }, failure: null });
  });

  test('drill-03: neither a proof of an older moment nor one of another dataset hides that the newest failed', async () => {
    const { vault, status } = await harbor();
    for (const dataset of ['app-db', 'uploads']) vault.point({ dataset, timeMs: now - minuteMs });
    const both = ['app-db', 'uploads'];
    vault.drill({ atMs: now - 4 * hourMs, verdict: 'failed', datasets: both, rtoMs: 1 });
    const chosen = { verdict: 'proved', datasets: both, rtoMs: 1, selection: 'newest not younger than …' } as const;
    vault.drill({ atMs: now - 3 * hourMs, ...chosen });
    const found = await status();
    expect(found).toMatchObject({ ok: false, proof: null, lastDrill: { verdict: 'failed' } });
    expect(found.datasets.map(({ provedAt }) => provedAt)).toEqual([null, null]);
    expect(codes(found)).toEqual(['drill-failed', 'never-proved']);
    vault.drill({ atMs: now - 2 * hourMs, verdict: 'proved', datasets: ['uploads'], left: ['app-db'], rtoMs: 1 });
    expect(codes(await status())).toContain('drill-failed');
    // The place failed, which says nothing of the data.
    vault.drill({ atMs: now - 1.5 * hourMs, verdict: 'inconclusive', datasets: both, rtoMs: 1 });
    vault.drill({ atMs: now - hourMs, verdict: 'proved', datasets: ['app-db'], left: ['uploads'], rtoMs: 1 });
    expect(codes(await status())).not.toContain('drill-failed');
  });

  test('a proof that is old, slow, or of half the datasets is not enough', async () => {
    const { vault, status } = await harbor();
    vault.point({ dataset: 'app-db', timeMs: now });
    vault.point({ dataset: 'uploads', timeMs: now });
    vault.drill({ atMs: now - 9 * dayMs, verdict: 'proved', datasets: ['app-db'], rtoMs: 11 * minuteMs });
    expect(codes(await status())).toEqual(['drill-overdue', 'app-db rto-missed', 'uploads never-proved']);
  });

  test('a drill of a part is no proof of the whole, and proves its part', async () => {
    const { vault, status } = await harbor();
    vault.point({ dataset: 'app-db', timeMs: now });
    vault.point({ dataset: 'uploads', timeMs: now });
    vault.drill({ atMs: now - 3 * hourMs, verdict: 'proved', datasets: ['app-db'], left: ['uploads'], rtoMs: 1000 });
    const part = await status();
    expect(part).toMatchObject({ ok: false, proof: null, answer: { recoveryMs: null, unproved: ['uploads'] } });
    expect(codes(part)).toEqual(['never-proved', 'uploads never-proved']);

    vault.drill({ atMs: now - 2 * hourMs, verdict: 'proved', datasets: ['uploads'], left: ['app-db'], rtoMs: 1000 });
    const parts = await status();
    expect(parts).toMatchObject({ ok: false, proof: null, answer: { recoveryMs: null, unproved: [] } });
    expect(codes(parts)).toEqual(['never-proved']);

    vault.drill({ atMs: now - 5 * hourMs, verdict: 'proved', datasets: ['app-db', 'uploads'], rtoMs: 2000 });
    const whole = await status();
    expect(whole).toMatchObject({ ok: true, answer: { recoveryMs: 2000 }, lastDrill: { verdict: 'proved' } });
    expect(whole.proof?.at).toBe(new Date(now - 5 * hourMs).toISOString());
  });

  test('what the configuration leaves out of drills is said with the proof, and the headline does not speak of it', async () => {
    const { vault, status } = await harbor('drill: { skip: { uploads: kept elsewhere } }');
    vault.point({ dataset: 'app-db', timeMs: now });
    vault.point({ dataset: 'uploads', timeMs: now });
    vault.drill({ atMs: now, verdict: 'proved', datasets: ['app-db'], left: ['uploads'], rtoMs: 1000 });
    const found = await status();
    expect(found).toMatchObject({ ok: true, answer: { recoveryMs: null }, proof: { left: ['uploads'] } });
    expect(codes(found)).toEqual(['left-out-of-drills']);
  });

  test('evidence that a stranger signed proves nothing', async () => {
    const { vault, status } = await harbor();
    vault.point({ dataset: 'app-db', timeMs: now });
    vault.point({ dataset: 'uploads', timeMs: now });
    vault.drill({
      atMs: now,
      verdict: 'proved',
      datasets: ['app-db', 'uploads'],
      rtoMs: 1,
      by: newSigningKey().privateKey,
    });
    const found = await status();
    expect(found.proof).toBeNull();
    expect(codes(found)).toEqual(['never-proved', 'evidence-strange']);
  });

  test('worst first: nothing at all, then too old; with why the last backup failed', async () => {
    const { vault, status } = await harbor();
    vault.point({ dataset: 'uploads', timeMs: now - 3 * hourMs });
    const run = {
      id: '1',
      operation: 'backup',
      dataset: 'uploads',
      startedMs: now - minuteMs,
      state: 'failed',
      errorMessage: 'The disk is full.',
    } as const;
    const found = await status([run]);
    expect(found.answer).toMatchObject({ lossMs: null, withoutRestorePoint: ['app-db'] });
    expect(found.datasets.map((dataset) => dataset.troubles[0]?.message)).toEqual([
      'There is no restore point: everything would be lost.',
      'Everything since Fri 20 Nov 07:16 UTC would be lost (3 h; the objective is 1 h). The last backup failed 1 min ago: The disk is full.',
    ]);
    expect(found.datasets.map((dataset) => dataset.troubles[0]?.command)).toEqual([
      'lifeboat backup app-db',
      'lifeboat backup uploads',
    ]);
  });

  test('a restore point from the future means a wrong clock, not a fresh backup', async () => {
    const { vault, status } = await harbor();
    vault.point({ dataset: 'app-db', timeMs: now + 2 * hourMs });
    vault.point({ dataset: 'uploads', timeMs: now, problems: { 'file-unreadable': 2 }, at: [] });
    const found = await status();
    expect(codes(found)).toContain('app-db clock-wrong');
    expect(found.ok).toBe(false);
  });

  test('a copy that is missing at one destination, gaps, and datasets that nothing names any more are told', async () => {
    const { vault, status, one } = await harbor();
    vault.point({ dataset: 'app-db', timeMs: now, at: [one] });
    vault.point({ dataset: 'uploads', timeMs: now, problems: { 'file-unreadable': 2 } });
    vault.point({ dataset: 'old-db', timeMs: now - dayMs });
    vault.drill({ atMs: now, verdict: 'proved', datasets: ['app-db', 'uploads'], rtoMs: 1 });
    const found = await status();
    expect(codes(found)).toEqual(['copies-lagging', 'dataset-not-configured', 'uploads restore-point-has-problems']);
    const gaps = found.datasets
      .flatMap(({ troubles }) => troubles)
      .find(({ code }) => code === 'restore-point-has-problems');
    expect(gaps?.message).toContain('2 files that could not be read (file-unreadable)');
    expect(found.ok).toBe(true);
  });

  test('a copy that lags is told in restore points, bytes and time, and is bad once more than the objective would be lost', async () => {
    const { vault, status, one } = await harbor();
    const packs = [['shared', 5000]] as const;
    vault.point({ dataset: 'app-db', timeMs: now - 50 * minuteMs, packs });
    vault.point({ dataset: 'app-db', timeMs: now - 40 * minuteMs, packs: [...packs, ['new', 2000]], at: [one] });
    vault.point({ dataset: 'app-db', timeMs: now - 2 * minuteMs, packs: [...packs, ['newer', 300]], at: [one] });
    vault.point({ dataset: 'uploads', timeMs: now - 10 * minuteMs });
    const found = await status();
    expect(found.datasets.find(({ name }) => name === 'app-db')?.newest).toMatchObject({ missingAt: ['two'] });
    expect(found.destinations.map(({ name, lag }) => [name, lag])).toEqual([
      ['one', null],
      [
        'two',
        {
          restorePoints: 2,
          objects: 8,
          bytes: 2500 + 2 * listBytesOf(2),
          since: new Date(now - 40 * minuteMs).toISOString(),
          ms: 40 * minuteMs,
        },
      ],
    ]);
    expect(found.troubles).toContainEqual({
      severity: 'bad',
      code: 'copies-lagging',
      message:
        'two lacks 2 restore points (at most 2.6 KiB in 8 objects), since Fri 20 Nov 09:36 UTC (40 min): not protected until it has them.',
      command: 'lifeboat copy --to two',
    });
  });

  test('house-4.7: what is pinned, or kept by --keep, is missed where it lacks; what a prune lets go is not', async () => {
    const { vault, status, one } = await harbor();
    const old = now - 400 * dayMs;
    const lagOf = async () => (await status()).destinations.at(-1)?.lag?.restorePoints;
    const pinned = vault.point({ dataset: 'uploads', timeMs: old, at: [one] });
    // The newer ones of the same hour take its place in every rule.
    for (const timeMs of [old + minuteMs, now])
      for (const dataset of ['app-db', 'uploads']) vault.point({ dataset, timeMs });
    expect(await lagOf()).toBeUndefined();
    vault.pin(pinned.id, now);
    expect(await lagOf()).toBe(1);
    const until = '2030-01-01T00:00:00.000Z';
    vault.point({ dataset: 'uploads', timeMs: old, at: [one], retention: { class: 'last release', until } });
    expect(await lagOf()).toBe(2);
  });

  test('since when a destination is out of reach, or takes nothing though it answers, is told', async () => {
    const { vault, status, config, two } = await harbor();
    vault.point({ dataset: 'app-db', timeMs: now });
    vault.point({ dataset: 'uploads', timeMs: now });
    const trouble = { code: 'destination-full', message: 'It is full.', sinceMs: now - 3 * hourMs };
    const health = [{ name: 'two', seenMs: now, goodMs: now - 5 * hourMs, trouble }];
    const full = await status([], health);
    expect(full.troubles.find(({ code }) => code === 'upload-failing')).toMatchObject({
      severity: 'bad',
      message: 'Storing at two fails since Fri 20 Nov 07:16 UTC (3 h): It is full.',
    });
    rmSync(two, { recursive: true });
    mkdirSync(join(config.stateDir, 'destinations', 'two'), { recursive: true });
    const gone = await status([], health);
    expect(gone.troubles.find(({ code }) => code === 'destination-unreachable')?.message).toMatch(
      /So it is since Fri 20 Nov 07:16 UTC \(3 h\)\.$/,
    );
    expect(gone.destinations[1]).toMatchObject({
      reachable: false,
      lastGood: '2026-11-20T05:16:00.000Z',
      troubleSince: '2026-11-20T07:16:00.000Z',
    });
  });

  test('when every destination is gone, nothing is said of what they hold', async () => {
    const { vault, status, config, one, two } = await harbor();
    vault.point({ dataset: 'app-db', timeMs: now });
    vault.point({ dataset: 'uploads', timeMs: now });
    const found = await status();
    expect(found.answer.known).toBe(true);
    for (const gone of [one, two]) rmSync(gone, { recursive: true });
    // Both were written to from here.
    for (const name of ['one', 'two']) mkdirSync(join(config.stateDir, 'destinations', name), { recursive: true });
    const blind = await status();
    expect(blind).toMatchObject({ ok: false, answer: { known: false, recoveryMs: null } });
    expect(codes(blind)).toContain('app-db restore-points-unknown');
    expect(codes(blind)).not.toContain('never-proved');
  });

  test('one destination that is gone does not hide what the other holds; records that lie are counted', async () => {
    const { vault, status, one, two, folder } = await harbor();
    vault.point({ dataset: 'app-db', timeMs: now });
    vault.point({ dataset: 'uploads', timeMs: now });
    vault.drill({ atMs: now, verdict: 'proved', datasets: ['app-db', 'uploads'], rtoMs: 1 });
    rmSync(two, { recursive: true });
    mkdirSync(join(folder, 'state'), { recursive: true });
    expect(codes(await status())).toEqual(['destination-new']);
    writeFileSync(join(one, 'snapshots/harbor/app-db/20261120T101600.001Z-01ARZ3NDEKTSV4RRFFQ69G5FAV.json'), '{}\n');
    const found = await status();
    expect(codes(found)).toContain('records-damaged');
    expect(found.answer.lossMs).toBe(0);
  });
});

describe('the retention plan', () => {
  test('says what would go and what that would free: only what nothing kept needs', async () => {
    const { vault, system, config } = await harbor();
    const points = [49, 25, 1, 0].map((hours) =>
      vault.point({
        dataset: 'uploads',
        timeMs: now - hours * hourMs,
        packs: [
          ['shared', 1000],
          [`only-${hours}`, 10 + hours],
        ],
      }),
    );
    vault.point({ dataset: 'old-db', timeMs: now - 900 * dayMs, packs: [['only-49', 59]] });
    const vaultReader = await system.vault(() => {});
    const found = await vaultReader.pointsOfAll();
    const plan = planFor(config, found, { nowMs: now });
    const uploads = plan.datasets.find(({ dataset }) => dataset === 'uploads');
    expect(uploads?.points.map(({ point, reasons }) => [point.record.id, reasons.map(reasonText)])).toEqual([
      [points[3]?.id, ['last 1', 'daily']],
      [points[2]?.id, []],
      [points[1]?.id, ['daily']],
      [points[0]?.id, []],
    ]);
    expect(plan.suspect).toEqual([]);
    // Pack 'only-1', two manifests and two lists; 'only-49' is needed by a dataset that no policy speaks about.
    const frees = freedBy(await vaultReader.withNeeds(found.points), plan.kept);
    expect(frees).toEqual({ freedBytes: 11 + 2 * 100 + 2 * listBytesOf(2), freedObjects: 5 });
  });

  test('M4: what fell from the newest is kept, and one of each dataset: a restore point without data pushes none out', async () => {
    const { vault, config, system, status } = await harbor();
    const full = vault.point({ dataset: 'uploads', timeMs: now - 9 * dayMs });
    const sizes = { logical: 0, entries: 1 };
    for (let day = 8; day > 0; day--) vault.point({ dataset: 'uploads', timeMs: now - day * dayMs, sizes });
    vault.point({ dataset: 'app-db', timeMs: now });
    const points = await (await system.vault(() => {})).pointsOfAll();
    const kept = planFor(config, points, { nowMs: now }).datasets.find(({ dataset }) => dataset === 'uploads')?.points;
    expect(kept?.filter(({ reasons }) => reasons.map(reasonText).includes('the last full one'))).toMatchObject([
      { point: { record: { id: full.id } }, keep: true },
    ]);
    expect(kept?.filter(({ keep }) => keep).length).toBeLessThan(5);
    const found = await status();
    expect(codes(found)).toContain('uploads data-lost');
    expect(found.ok).toBe(false);
  });

  test('M4: an acceptance counts, and one by an unknown writer, or that has ended, does not', async () => {
    const { vault, status } = await harbor();
    vault.point({ dataset: 'app-db', timeMs: now });
    vault.point({ dataset: 'uploads', timeMs: now - 2 * dayMs });
    const sizes = { logical: 0, entries: 1 };
    const { id } = vault.point({ dataset: 'uploads', timeMs: now - dayMs, sizes });
    vault.accept({ dataset: 'uploads', point: id, atMs: now - hourMs, by: newSigningKey().privateKey });
    vault.accept({ dataset: 'uploads', point: id, atMs: now - hourMs, untilMs: now - minuteMs });
    const before = await status();
    expect(codes(before)).toContain('uploads data-lost');
    expect(before.datasets.flatMap(({ accepted }) => accepted)).toEqual([]);
    vault.accept({ dataset: 'uploads', point: id, atMs: now - hourMs, untilMs: now + minuteMs });
    const after = await status();
    expect(codes(after)).not.toContain('uploads data-lost');
    expect(after.datasets.find(({ name }) => name === 'uploads')?.accepted).toMatchObject([{ reason: 'planted' }]);
  });
});
