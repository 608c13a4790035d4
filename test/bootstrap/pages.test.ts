import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { lifeboat, project } from '../cli/lifeboat.ts';
import { atTerminal, type Seen } from '../support/terminal.ts';
import { disaster } from './bare-machine.ts';
import { forgery } from './forger.ts';

/** The commands of a part of a page, as they stand there, without comments and prompts. */
function commandsIn(page: string, heading: string): string[] {
  const text = readFileSync(new URL(`../../docs/${page}`, import.meta.url), 'utf8');
  const part = text.split(/^## /m).find((one) => one.startsWith(heading)) ?? '';
  const block = /```\w*\n([\s\S]*?)```/.exec(part)?.[1] ?? '';
  const isConsole = /^\$ /m.test(block);
  return block
    .split('\n')
    .filter((line) => line !== '' && (!isConsole || line.startsWith('$ ')))
    .map((line) => line.replace(/^\$ /, '').replace(/\s+#.*$/, ''));
}

/** The words of a command, with what stands for something in the page filled in. */
function wordsOf(command: string, meanings: Readonly<Record<string, string>>): string[] {
  const words = [...command.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map((found) => found[1] ?? found[2] ?? found[3]!);
  return words.map((word) => meanings[word] ?? word);
}

/** As a person does who follows a page: a yes where one is asked for whether to use a configuration. */
async function follow(folder: string, command: string, meanings: Readonly<Record<string, string>>): Promise<Seen> {
  const [program, ...words] = wordsOf(command, meanings);
  if (program === 'less') {
    expect(existsSync(join(folder, words[0]!))).toBe(true);
    return { code: 0, shown: readFileSync(join(folder, words[0]!), 'utf8'), modesKept: true };
  }
  expect(program).toBe('lifeboat');
  const asks = /^(bootstrap .*--identity(?!.*--into)|recover .*--config back)/.test(words.join(' '));
  return await atTerminal(folder, words, asks ? [{ after: /\(yes\/no\) /, type: 'yes\r' }] : []);
}

test('B3: the two commands of docs/recovery-from-nothing.md bring everything back, followed word for word', async () => {
  const { lost, vault, key, run: _ } = await disaster();
  const bare = join(key, '../bare');
  const [first = '', second = '', ...more] = commandsIn('recovery-from-nothing.md', 'Two commands');
  expect(more).toEqual([]);
  const address = /"(s3:[^"]*)"/.exec(first)![1]!;
  const meanings = {
    [address]: vault,
    '/mnt/usb/offline.txt': key,
    '/srv/harbor/lifeboat.yaml': join(lost, 'lifeboat.yaml'),
  };
  const bootstrapped = await follow(bare, first, meanings);
  expect(bootstrapped.code, bootstrapped.shown).toBe(0);
  expect(bootstrapped.shown).toContain('written beside the key');
  const recovered = await follow(bare, second, meanings);
  expect(recovered.code, recovered.shown).toBe(0);
  expect(recovered.shown).toContain('All of it is back: 2 datasets');
  expect(readFileSync(join(lost, 'data/uploads/a.txt'), 'utf8')).toBe('hello');
});

describe('docs/threats.md, After an attack, followed word for word', () => {
  const commands = commandsIn('threats.md', 'After an attack');

  test('C3: a stolen host key and a changed lifeboat.yaml: nothing of it runs, and the state before the attack is back', async () => {
    const host = await project();
    const safe = `${host}.safe`;
    mkdirSync(join(safe, 'clean'), { recursive: true });
    onTestFinished(() => rmSync(safe, { recursive: true, force: true }));
    await lifeboat(host, ['init']);
    const key = join(safe, 'offline.txt');
    renameSync(join(host, 'lifeboat-keys/offline.txt'), key);
    expect((await lifeboat(host, ['backup'])).code).toBe(0);
    const writer = /writer (\S+)/.exec(readFileSync(key, 'utf8'))![1]!;
    const before = new Date().toISOString();
    // Root on the host: its key, its clock, its chain; the uploads are worthless, and the configuration runs what they like.
    const ran = join(safe, 'EXECUTED');
    const file = join(host, 'lifeboat.yaml');
    writeFileSync(join(host, 'data/uploads/a.txt'), 'noise');
    const evil = `$&\n  x: { type: postgres, url: "\${command:touch ${ran}; echo postgres://127.0.0.1:1/x}" }`;
    writeFileSync(file, readFileSync(file, 'utf8').replace(/^datasets:$/m, evil));
    await lifeboat(host, ['backup']);
    expect(existsSync(ran)).toBe(true);
    rmSync(ran);
    const vault = join(safe, 'vault');
    cpSync(join(host, 'backups'), vault, { recursive: true });
    rmSync(host, { recursive: true });

    const clean = join(safe, 'clean');
    const meanings = { ADDRESS: vault, KEY: key, WRITER: writer, TIME: before };
    expect(commands).toHaveLength(6);
    // Without the time, what is new in the configuration is shown, and nothing of it is done.
    const looked = await lifeboat(clean, [
      'bootstrap',
      vault,
      '--identity',
      key,
      '--accept-writer',
      writer,
      '--into',
      'look',
    ]);
    expect(looked.stdout).toMatch(/^ +\+ .*touch .*EXECUTED/m);
    const shown: string[] = [];
    for (const command of commands) {
      const seen = await follow(clean, command, meanings);
      if (/bootstrap|recover/.test(command)) expect(seen.code, `${command}: ${seen.shown}`).toBe(0);
      shown.push(seen.shown);
    }
    expect(existsSync(ran)).toBe(false);
    expect(shown.join('\n')).toContain('All of it is back: 2 datasets');
    expect(readFileSync(join(clean, 'back/data/uploads/a.txt'), 'utf8')).toBe('hello');
    expect(readFileSync(join(clean, 'back/lifeboat.yaml'), 'utf8')).not.toContain('EXECUTED');
  });

  test('C2: a forged vault in its place: the second command stops, and nothing of it was used', async () => {
    const { vault, key, bare, harm } = await forgery();
    const [look = '', back = ''] = commands;
    const meanings = { ADDRESS: vault, KEY: key, WRITER: `${'A'.repeat(43)}=`, TIME: new Date().toISOString() };
    expect((await follow(bare, look, meanings)).shown).toContain('Nobody is believed yet');
    const stopped = await follow(bare, back, meanings);
    expect(stopped.code).toBe(64);
    expect(stopped.shown).toContain('writers-unclear');
    // Left out, the person is asked, and a key that they cannot compare is a no.
    const asked = wordsOf(back.replace('--accept-writer WRITER ', ''), meanings).slice(1);
    const refused = await atTerminal(bare, asked, [{ after: /Is it the same\? \(yes\/no\) /, type: 'no\r' }]);
    expect(refused.code, refused.shown).toBe(64);
    expect(harm()).toEqual([]);
    expect(existsSync(join(bare, 'back'))).toBe(false);
  });
});
