import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { acceptJob, withdrawJob } from '../../src/jobs/accept.ts';
import { auditJob, auditVerifyJob } from '../../src/jobs/audit.ts';
import { backupJob } from '../../src/jobs/backup.ts';
import { checkJob } from '../../src/jobs/check.ts';
import { copyJob } from '../../src/jobs/copy.ts';
import { costJob } from '../../src/jobs/cost.ts';
import { drillJob } from '../../src/jobs/drill.ts';
import { eraseJob } from '../../src/jobs/erase.ts';
import { evidenceListJob, evidenceShowJob } from '../../src/jobs/evidence.ts';
import { gcJob } from '../../src/jobs/gc.ts';
import type { Done, Job } from '../../src/jobs/job.ts';
import { keepJob } from '../../src/jobs/keep.ts';
import { keysAdmitJob, keysCheckJob } from '../../src/jobs/keys.ts';
import { listJob } from '../../src/jobs/list.ts';
import { pinJob, unpinJob } from '../../src/jobs/pins.ts';
import { placementJob } from '../../src/jobs/placement.ts';
import { pruneJob } from '../../src/jobs/prune.ts';
import { recoverJob } from '../../src/jobs/recover.ts';
import { jobs } from '../../src/jobs/registry.ts';
import { restoreJob } from '../../src/jobs/restore.ts';
import { sabotageJob } from '../../src/jobs/sabotage.ts';
import { statusJob } from '../../src/jobs/status.ts';
import { verifyJob } from '../../src/jobs/verify.ts';
import { doJob } from '../support/jobs.ts';
import { aSystem } from '../support/vault.ts';

test('house-M6: every job of a life is asked and answers in JSON of its published shape', async () => {
  const system = await aSystem({ destinations: ['one', 'two'] });
  for (let at = 0; at < 60; at++) writeFileSync(join(system.source(), `file${at}`), `content ${at}`);
  const done = new Set<string>();
  async function ask<Request, Document>(job: Job<Request, Document>, request: Request): Promise<Done<Document>> {
    using open = system.open();
    const sent = JSON.parse(JSON.stringify(request)) as Request;
    const answered = await doJob(open, job, sent, { identities: [system.identity] });
    const received: unknown = JSON.parse(JSON.stringify(answered.document));
    expect({ job: job.name, read: job.document.parse(received) }).toEqual({ job: job.name, read: received });
    done.add(job.name);
    return answered;
  }
  const { document: first } = await ask(backupJob, { datasets: [], refill: false });
  const dataset = first.backedUp[0]!.dataset;
  const id = first.backedUp[0]!.restorePoint;
  for (let at = 5; at < 60; at++) rmSync(join(system.source(), `file${at}`));
  const fewer = await ask(backupJob, { datasets: [], refill: false });
  expect({ ...fewer.document.backedUp[0], answer: fewer.answer }).toMatchObject({
    data: 'lost',
    answer: 'no',
    fullest: id,
  });
  await ask(acceptJob, { dataset, reason: 'moved away' });
  await ask(withdrawJob, { dataset });
  await ask(acceptJob, { dataset, reason: 'moved away for good' });
  const listed = await ask(listJob, { datasets: [] });
  expect(listed.document.datasets[0]!.restorePoints.map((point) => point.id)).toContain(id);
  await ask(statusJob, {});
  await ask(checkJob, {});
  await ask(placementJob, {});
  await ask(costJob, {});
  await ask(pinJob, { point: id, reason: 'to look at' });
  await ask(unpinJob, { point: id });
  const into = join(system.folder, 'back');
  const plain = { force: false, trustCode: false };
  expect((await ask(restoreJob, { dataset, only: [], into, ...plain })).answer).toBe('ok');
  const request = { datasets: [], withoutIsolation: false, trigger: 'manual', identityKind: 'daily' as const };
  const drill = await ask(drillJob, request);
  expect(drill.document.evidence).not.toBeNull();
  expect((await ask(sabotageJob, request)).document.verdict).toBe('caught');
  await ask(evidenceListJob, {});
  await ask(evidenceShowJob, { id: 'latest' });
  await ask(recoverJob, { datasets: [], ...plain, again: true, into: { [dataset]: join(system.folder, 'all') } });
  await ask(verifyJob, { all: true });
  await ask(copyJob, { refill: false });
  await ask(keepJob, { dryRun: true });
  await ask(pruneJob, { dryRun: true, allowLarge: false, allowFlood: false, allowMissing: false, retire: [] });
  await ask(keysCheckJob, {});
  await ask(keysAdmitJob, {});
  await ask(eraseJob, { dataset, paths: [], points: [id], reason: 'asked for' });
  await ask(gcJob, { dryRun: true });
  await ask(auditJob, { kinds: [] });
  expect((await ask(auditVerifyJob, { writers: [] })).answer).toBe('ok');
  // It writes a configuration file, which this system has none of: test/keys walks it.
  expect([...done, 'keys-rotate'].sort()).toEqual(Object.keys(jobs).sort());
});

test('house-M6: a request that is none is refused before anything is done or noted', async () => {
  const system = await aSystem();
  using open = system.open();
  const wrong = { datasets: 'all', refill: false } as unknown as { datasets: string[]; refill: boolean };
  await expect(doJob(open, backupJob, wrong)).rejects.toMatchObject({ code: 'request-invalid' });
  const more = { datasets: [], refill: false, identity: 'AGE-SECRET-KEY-1' };
  await expect(doJob(open, backupJob, more)).rejects.toMatchObject({ code: 'request-invalid' });
  expect(open.catalog().runs({ limit: 10 })).toEqual([]);
});
