import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where all processes and threads of a run keep the code that they compiled. */
    readonly compileCache: string;
  }
}

/** Vitest's global set-up: one cache of compiled code for a run. Without it each thread of each test compiles everything anew. */
export default function shareCompiledCode(project: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'lifeboat-test-'));
  project.provide('compileCache', folder);
  return () => rmSync(folder, { recursive: true, force: true });
}
