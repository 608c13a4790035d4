import type { z } from 'zod';
import type { Run } from '../core/run.ts';
import type { Recorded } from '../operations/record-run.ts';
import type { OpenSystem } from '../operations/system.ts';

/**
 * One thing that Lifeboat does with a system, for whoever asks: the command line, and what runs by itself. It is asked in JSON and
 * answers in JSON, so both can be stored and sent; private keys are in neither.
 */
export interface Job<Request, Document> {
  /** One word or two joined by a hyphen: `backup`, `audit-verify`. */
  readonly name: string;
  readonly request: z.ZodType<Request>;
  /** What the answer is, key by key: published as `schema/jobs/<name>.json`. */
  readonly document: z.ZodType<Document>;
  /** Whether it takes private keys: `needed`, or none if none are `given`. Absent: it takes none. */
  keys?(request: Request): 'needed' | 'given' | undefined;
  /** How the catalog notes it; absent: not, or its parts are noted by themselves. */
  recorded?(request: Request): Recorded | undefined;
  run(context: JobContext, request: Request): Promise<Done<Document>>;
}

export interface JobContext {
  readonly system: OpenSystem;
  /** `AGE-SECRET-KEY-…` */
  readonly identities: readonly string[];
  /** Where they came from: nothing that a drill starts may see these files. */
  readonly identityFiles: readonly string[];
  readonly run: Run;
}

export interface Done<Document> {
  readonly document: Document;
  /** `no`: it was done, and something is not as it should be; `failed`: some of it could not be done or found out. */
  readonly answer: 'ok' | 'no' | 'failed';
  /** The restore point that it was about. */
  readonly restorePoint?: string;
}

export function defineJob<Request, Document>(job: Job<Request, Document>): Job<Request, Document> {
  return job;
}

export function okOrNo(isRight: boolean): 'ok' | 'no' {
  return isRight ? 'ok' : 'no';
}
