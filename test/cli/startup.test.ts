import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { plantVault } from '../support/plant-vault.ts';
import { temporaryFolder } from '../support/temp.ts';

const root = new URL('../../', import.meta.url).pathname;

/** Names of the packages whose code is loaded by a command line, and how many of our own files. */
async function loaded(folder: string, args: readonly string[]): Promise<{ packages: string[]; files: number }> {
  const hook = join(folder, 'hook.mjs');
  writeFileSync(
    hook,
    `import { registerHooks } from 'node:module';
const seen = [];
registerHooks({ load(url, context, next) { seen.push(url); return next(url, context); } });
process.on('exit', () => process.stderr.write('\\nLOADED ' + JSON.stringify(seen)));
`,
  );
  const env = { ...process.env, LIFEBOAT_STATE_DIR: join(folder, 'state') };
  const stderr = await new Promise<string>((done) => {
    execFile(
      join(root, 'bin/node'),
      ['--import', hook, join(root, 'src/main.ts'), ...args],
      { cwd: folder, env },
      (_, __, text) => done(text),
    );
  });
  const urls = JSON.parse(stderr.slice(stderr.lastIndexOf('LOADED ') + 7)) as string[];
  const names = urls.flatMap((url) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? []);
  return { packages: [...new Set(names)].sort(), files: urls.filter((url) => url.includes('/src/')).length };
}

// Times are measured by the bench; what makes them is which code is loaded, and that is the same on a busy machine.
describe('a command loads only what it needs', () => {
  test('help: the command line alone', async () => {
    const { packages, files } = await loaded(await temporaryFolder(), ['--help']);
    expect(packages).toEqual(['commander']);
    expect(files).toBeLessThan(25);
  });

  test('status: no cipher, no database driver', async () => {
    const folder = await temporaryFolder();
    writeFileSync(
      join(folder, 'lifeboat.yaml'),
      `version: 1
system: harbor
vault: { recipients: [age1${'q'.repeat(58)}] }
destinations: { local: { type: local, path: backups } }
datasets: { uploads: { type: files, path: uploads } }
`,
    );
    const vault = plantVault('harbor', [join(folder, 'backups')]);
    vault.point({ dataset: 'uploads', timeMs: Date.now() });
    vault.drill({ atMs: Date.now(), verdict: 'proved', datasets: ['uploads'], rtoMs: 1000 });
    expect((await loaded(folder, ['status'])).packages).toEqual(['commander', 'yaml', 'zod']);
  });
});
