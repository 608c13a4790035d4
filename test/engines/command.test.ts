import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadSystem } from '../../src/config/load.ts';
import { generateIdentity } from '../../src/vault/age/identity.ts';
import { lifeboat, project, sealTo } from '../cli/lifeboat.ts';
import { temporaryFolder } from '../support/temp.ts';

/** A broker that a command prints and another takes in, and flags that a restore writes to a file. */
function datasets(folder: string): string {
  return `
  broker:
    type: command
    run: cat broker.json
    whole: { json: true, minBytes: 10 B }
    restore: [sh, -c, 'cat > broker.json']
  flags:
    type: command
    shell: true
    run: echo "# flags" && cat flags.txt && echo "# of $WHO"
    env: { WHO: "\${file:${join(folder, 'who')}}" }
    whole: { lastLine: "# of ada" }
    file: ./restored/flags.txt
`;
}

test('P11: what a command prints is backed up, proved, sabotaged, and back through a command or in a file', async () => {
  const folder = await project();
  const at = (name: string) => join(folder, name);
  const broker = '{"queues":["mail","invoices"]}';
  writeFileSync(at('broker.json'), broker);
  writeFileSync(at('flags.txt'), 'dark on\nbeta off\n');
  writeFileSync(at('who'), 'ada\n');
  const ask = async (...words: string[]) => {
    const { code, stdout, stderr } = await lifeboat(folder, [...words, '--json']);
    return { code, document: stdout === '' ? stderr : JSON.parse(stdout) };
  };
  await ask('init');
  const yaml = readFileSync(at('lifeboat.yaml'), 'utf8');
  writeFileSync(at('lifeboat.yaml'), yaml.replace(/^datasets:[\s\S]*?(?=^drill:)/m, `datasets:${datasets(folder)}\n`));
  const identity = ['--identity', at('lifeboat-keys/daily.txt')];

  expect((await ask('check')).document.checks).toContainEqual(
    expect.objectContaining({ area: 'dataset', name: 'broker', result: 'good', message: 'output of cat broker.json' }),
  );
  expect((await ask('backup')).code).toBe(0);
  const { document: drilled } = await ask('drill', ...identity);
  expect([drilled.verdict, drilled.why]).toEqual(['proved', []]);
  const { document: sabotaged } = await ask('drill', '--sabotage', ...identity);
  const tries = sabotaged.datasets.flatMap((one: { tries: { verdict: string }[] }) => one.tries);
  expect(tries.map(({ verdict }: { verdict: string }) => verdict)).toEqual(Array(8).fill('caught'));

  // Half an export is no restore point, and the older one stays.
  writeFileSync(at('broker.json'), broker.slice(0, 20));
  const half = await ask('backup', 'broker');
  expect(half).toMatchObject({ code: 2, document: { failed: [{ dataset: 'broker', code: 'output-not-whole' }] } });

  writeFileSync(at('broker.json'), '{"queues":["other"]}');
  const refused = await ask('recover', 'broker', ...identity);
  expect(refused).toMatchObject({ code: 2, document: { datasets: [{ error: { code: 'output-still-there' } }] } });
  rmSync(at('broker.json'));
  const { code, document: recovered } = await ask('recover', ...identity);
  expect({ code, datasets: recovered.datasets }).toMatchObject({
    code: 0,
    datasets: [
      { dataset: 'broker', state: 'back', compared: { verdict: 'unknown' } },
      { dataset: 'flags', state: 'back', compared: { verdict: 'as recorded' }, where: at('restored/flags.txt') },
    ],
  });
  expect(readFileSync(at('broker.json'), 'utf8')).toBe(broker);
  expect(readFileSync(at('restored/flags.txt'), 'utf8')).toBe('# flags\ndark on\nbeta off\n# of ada\n');
  expect((await ask('recover', ...identity)).document.datasets.map(({ state }: { state: string }) => state)).toEqual([
    'was back',
    'was back',
  ]);
  expect((await ask('restore', 'broker', '--into', at('look'), ...identity)).code).toBe(0);
  expect(readFileSync(at('look'), 'utf8')).toBe(broker);
});

test('P11: whoever confirms a configuration reads the commands of its datasets first', async () => {
  const folder = await temporaryFolder();
  sealTo(folder, generateIdentity().recipient);
  const file = join(folder, 'lifeboat.yaml');
  const flags = 'run: flags export, whole: { json: true }, restore: [flags, import, "a b"]';
  appendFileSync(file, `  flags: { type: command, ${flags} }\n`);
  writeFileSync(file, readFileSync(file, 'utf8').replace(/^datasets: \{ (.*) \}$/m, 'datasets:\n  $1'));
  expect(loadSystem(file, {}).uses.filter(({ kind }) => kind === 'command')).toEqual([
    { kind: 'command', at: 'datasets.flags', what: 'flags export' },
    { kind: 'command', at: 'datasets.flags', what: 'flags import a b' },
  ]);
});

test('P11: what would not do what its words say is refused when the configuration is read', async () => {
  const folder = await temporaryFolder();
  const { recipient } = generateIdentity();
  const saying = (keys: string) => {
    sealTo(folder, recipient);
    const file = join(folder, 'lifeboat.yaml');
    writeFileSync(
      file,
      `${readFileSync(file, 'utf8').replace(/^datasets:.*/m, '')}datasets:\n  flags: { type: command, ${keys} }\n`,
    );
    try {
      return Object.keys(loadSystem(file, {}).datasets).join();
    } catch (error) {
      return (error as Error).message.split('\n').slice(1).join(' ');
    }
  };
  expect(saying('run: flags export, whole: { json: true }')).toBe('flags');
  expect(saying("run: 'flags export --format=json --as={a} https://example.com/~x#y', whole: { json: true }")).toBe(
    'flags',
  );
  expect(saying('run: ~/bin/export, whole: { json: true }')).toMatch(/is run without a shell, which '~' would need/);
  expect(saying('run: TOKEN=x export, whole: { json: true }')).toMatch(/is run without a shell/);
  expect(saying("run: 'export | sort', whole: { json: true }")).toMatch(
    /is run without a shell, which '\|' would need/,
  );
  expect(saying("run: 'export | sort', shell: true, whole: { json: true }")).toBe('flags');
  expect(saying('run: [export], shell: true, whole: { json: true }')).toMatch(/is one text for the shell/);
  expect(saying('run: export')).toMatch(/'whole' is missing/);
  expect(saying('run: export, whole: { json: false }')).toMatch(/'whole' says nothing/);
  const both = 'run: export, whole: { json: true }, restore: import, file: ./out';
  expect(saying(both)).toMatch(/exclude each other/);
});
