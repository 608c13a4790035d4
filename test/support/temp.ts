import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

export interface TemporaryFolder extends AsyncDisposable {
  readonly path: string;
}

export interface TemporaryFolderOptions {
  /** Others may walk through it: for a server or command that a test runs as another user. */
  readonly open?: boolean;
}

/** A new empty folder that goes when the running test ends, however it ends. */
export async function temporaryFolder(options: TemporaryFolderOptions = {}): Promise<string> {
  const folder = await makeTemporaryFolder(options);
  onTestFinished(() => folder[Symbol.asyncDispose]());
  return folder.path;
}

/** The same for `beforeAll` and `await using`, where no test is running: the caller disposes of it. */
export async function makeTemporaryFolder(options: TemporaryFolderOptions = {}): Promise<TemporaryFolder> {
  const path = await mkdtemp(join(tmpdir(), 'lifeboat-test-'));
  if (options.open) await chmod(path, 0o755);
  return {
    path,
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 }),
  };
}
