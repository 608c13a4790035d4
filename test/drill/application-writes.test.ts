import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { lifeboat, project } from '../cli/lifeboat.ts';

const isRoot = process.geteuid?.() === 0;

/** As a package of the distribution does: the program here, its state and its log elsewhere, of its own user. */
test.runIf(isRoot)(
  'sandbox-var-readonly: an application writes where drill.app.writes says so, and nothing of it stays',
  async () => {
    const folder = await project();
    // Not below /tmp, of which a sandbox has its own.
    const state = mkdtempSync('/var/tmp/lifeboat-test-');
    onTestFinished(() => rmSync(state, { recursive: true }));
    chmodSync(state, 0o755);
    for (const name of ['sessions', 'log']) {
      mkdirSync(join(state, name));
      chownSync(join(state, name), 61235, 61235);
      chmodSync(join(state, name), 0o750);
    }
    writeFileSync(
      join(folder, 'app.mjs'),
      `import { writeFileSync } from 'node:fs';
for (const name of ['sessions', 'log']) writeFileSync('${state}/' + name + '/one', 'x');
(await import('node:http')).createServer((_, answer) => answer.end('ok')).listen(process.env.PORT, '127.0.0.1');
`,
    );
    await lifeboat(folder, ['init']);
    const file = join(folder, 'lifeboat.yaml');
    const plain = readFileSync(file, 'utf8');
    const withApp = (more: string) =>
      writeFileSync(
        file,
        plain.replace(
          /^drill:\n/m,
          `drill:\n  app: { start: exec node app.mjs, ready: "http://127.0.0.1:\${PORT}/"${more} }\n`,
        ),
      );
    withApp('');
    await lifeboat(folder, ['backup', '--quiet']);
    const drilled = async () => {
      const { stdout } = await lifeboat(folder, ['drill', '--identity', 'lifeboat-keys/daily.txt', '--json']);
      const { verdict, checks } = JSON.parse(stdout);
      return {
        verdict,
        message: checks.find(({ id }: { id: string }) => id === 'application/start')?.message as string,
      };
    };
    const without = await drilled();
    expect(without.verdict).toBe('failed');
    expect(without.message).toMatch(/sessions\/one.* is named in drill\.app\.writes; /);
    withApp(`, writes: [${state}/sessions, ${state}/log]`);
    expect(await drilled()).toMatchObject({ verdict: 'proved' });
    expect(existsSync(join(state, 'log/one'))).toBe(false);
  },
);
