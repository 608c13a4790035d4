import { systemClock } from '../../src/core/clock.ts';
import { type Run, startRun } from '../../src/core/run.ts';
import type { Done, Job } from '../../src/jobs/job.ts';
import { runJob } from '../../src/jobs/runner.ts';
import type { OpenSystem } from '../../src/operations/system.ts';

interface Given {
  readonly identities?: readonly string[];
  readonly run?: Run;
}

/** Does a job as the product does it. */
export function doJob<Request, Document>(
  system: OpenSystem,
  job: Job<Request, Document>,
  request: Request,
  { identities = [], run = startRun({ clock: systemClock }) }: Given = {},
): Promise<Done<Document>> {
  const keys = { given: async () => identities, needed: async () => identities, files: [] };
  return runJob(job, request, { system: async () => system, keys, run });
}
