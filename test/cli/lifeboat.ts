import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expectDocument } from '../support/documents.ts';
import { temporaryFolder } from '../support/temp.ts';

export const bin = new URL('../../bin/lifeboat', import.meta.url).pathname;

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs the real command as a user would, in `folder`, without this process's own settings; `uid`: as that user. What it answers to
 * `--json` has the published shape, in every test.
 */
export async function lifeboat(
  folder: string,
  args: readonly string[],
  env: Record<string, string> = {},
  uid?: number,
): Promise<Ran> {
  const { PATH = '', HOME = folder } = process.env;
  // A command that hangs fails its test, and does not outlive it.
  const options = {
    timeout: 240_000,
    killSignal: 'SIGKILL' as const,
    cwd: folder,
    ...(uid !== undefined && { uid, gid: uid }),
    env: { PATH, HOME, LIFEBOAT_STATE_DIR: join(folder, 'state'), ...env },
  };
  const ran = await new Promise<Ran>((done) => {
    execFile(bin, args, options, (error, stdout, stderr) => {
      done({ code: error ? Number(error.code) : 0, stdout, stderr });
    });
  });
  await expectDocument(args, ran.stdout);
  return ran;
}

/** A folder as a small application has it: a database and an upload. */
export async function project(): Promise<string> {
  const folder = await temporaryFolder();
  mkdirSync(join(folder, 'data/uploads'), { recursive: true });
  writeFileSync(join(folder, 'data/uploads/a.txt'), 'hello');
  const database = new DatabaseSync(join(folder, 'data/app.db'));
  database.exec("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO users VALUES (1, 'Ada')");
  database.close();
  return folder;
}

/** A configuration of the project's uploads alone, sealed to these recipients. */
export function sealTo(folder: string, ...recipients: readonly string[]): void {
  writeFileSync(
    join(folder, 'lifeboat.yaml'),
    `version: 1
system: harbor
vault: { recipients: [${recipients.join(', ')}] }
destinations: { local: { type: local, path: ./backups } }
datasets: { uploads: { type: files, path: ./data/uploads } }
`,
  );
}
