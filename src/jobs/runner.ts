import type { Run } from '../core/run.ts';
import { recorded } from '../operations/record-run.ts';
import type { OpenSystem } from '../operations/system.ts';
import { requestInvalid } from './errors.ts';
import type { Done, Job, JobContext } from './job.ts';

/** The private keys that came beside a request. */
export interface KeyRing {
  /** `AGE-SECRET-KEY-…`; none when none was given. */
  given(): Promise<readonly string[]>;
  /** @throws `identity-needed` when none was given */
  needed(): Promise<readonly string[]>;
  readonly files: readonly string[];
}

export interface Around {
  system(): Promise<OpenSystem>;
  readonly keys: KeyRing;
  readonly run: Run;
}

/**
 * The one way to do a job: reads its request, opens what it takes, does it, and notes in the catalog how it ended.
 * @throws `request-invalid`, `identity-needed`, and what the job throws
 */
export async function runJob<Request, Document>(
  job: Job<Request, Document>,
  asked: Request,
  { system: open, keys, run }: Around,
): Promise<Done<Document>> {
  const read = job.request.safeParse(asked);
  if (!read.success) {
    const [issue] = read.error.issues;
    throw requestInvalid({ job: job.name, at: issue?.path.join('.') ?? '', why: issue?.message ?? '' });
  }
  const request = read.data;
  const taken = job.keys?.(request);
  // Before anything is noted: a request without its key is none.
  const identities = taken === undefined ? [] : await keys[taken]();
  const system = await open();
  const context: JobContext = { system, identities, identityFiles: keys.files, run };
  const what = job.recorded?.(request);
  if (what === undefined) return job.run(context, request);
  return recorded(system, what, run, async (run) => {
    const done = await job.run({ ...context, run }, request);
    const { answer, restorePoint } = done;
    return { result: done, isNo: answer !== 'ok', ...(restorePoint !== undefined && { restorePoint }) };
  });
}
